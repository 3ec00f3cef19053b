//! The pages of `docs/codes`: what they show of the model is true. The example of a page is merged and yields the
//! page's code and no other, rendered as the page shows it; the mended one does not.
//!
//! `REDPAK_BLESS=1` writes the output that is found into the pages. Examples that need files or commands are run by
//! `tests/suites/codes.rs`, which also keeps the set of pages and the index complete.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the crate is pure; its tests may look at files and run programs"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;
use redpak_diagnostics::render::{Color, text};
use redpak_model::effective::Layer;
use redpak_model::{Names, NodeText, SourceText, codes, commands, effective, status};

/// What no file of a user yields, or what a command's output decides: each with why its page has no example here.
const NO_EXAMPLE: [(&str, &str); 1] = [("RP0315", "only a program that calls the library wrongly yields it")];

/// The nodes of an example: name of the block, directory.
const NODES: [(&str, &str); 3] =
    [("root", "/var/redpak"), ("child", "/var/redpak/child"), ("grandchild", "/var/redpak/child/grandchild")];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/codes")
}

/// A page: its code, its text, and its fenced blocks by their second word (`root` of "```yaml root").
struct Page {
    code: &'static str,
    path: PathBuf,
    text: String,
    blocks: BTreeMap<String, String>,
}

impl Page {
    fn read(code: &'static str) -> Self {
        let path = directory().join(format!("{code}.md"));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut blocks = BTreeMap::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(info) = line.strip_prefix("```") else { continue };
            let name = info.split_whitespace().nth(1).unwrap_or_default().to_owned();
            let body: String =
                lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            assert!(
                name.is_empty() || blocks.insert(name.clone(), body).is_none(),
                "{code}: two blocks `{name}`"
            );
        }
        Self { code, path, text, blocks }
    }

    /// A block of the example, or, for `mended`, of the mended one where that has it.
    fn block(&self, name: &str, mended: bool) -> Option<&String> {
        let instead = self.blocks.get(&format!("mended-{name}")).filter(|_| mended);
        instead.or_else(|| self.blocks.get(name))
    }

    fn is_mended(&self) -> bool {
        self.blocks.keys().any(|name| name.starts_with("mended-"))
    }

    /// The findings of `redconf check` for the example.
    fn findings(&self, mended: bool) -> Vec<Finding> {
        if let Some(text) = self.block("status", mended) {
            return status::parse(&SourceText::new("/var/redpak/.rednode.yaml", text.as_str())).1;
        }
        let source = |node: &str, directory: &str, file: &str| {
            let text = self.block(node, mended)?;
            Some(SourceText::new(format!("{directory}/etc/{file}"), text.as_str()))
        };
        let family: Vec<NodeText> = NODES
            .iter()
            .map_while(|(node, directory)| {
                Some(NodeText {
                    redpath: directory.into(),
                    normal: source(node, directory, "redpak.yaml")?,
                    admin: source(&format!("{node}-admin"), directory, "redpak-admin.yaml"),
                })
            })
            .collect();
        let mut names = self.names(mended);
        // Each is judged for every node of the tree, normal and admin, and a finding is told once.
        let mut told: Vec<Finding> = Vec::new();
        for length in 1..=family.len() {
            for admin in [false, true] {
                self.answer(&mut names, &family[..length], admin, mended);
                for finding in effective(&family[..length], admin, &names).1 {
                    if !told.contains(&finding) {
                        told.push(finding);
                    }
                }
            }
        }
        told
    }

    /// The caller's environment: `export NAME='VALUE'` lines of the block `environment`.
    fn names(&self, mended: bool) -> Names {
        let lines = self.block("environment", mended).map_or("", String::as_str).lines();
        let env = lines.map(|line| {
            let variable = line.strip_prefix("export ").and_then(|rest| rest.split_once('='));
            let (name, value) = variable.unwrap_or_else(|| panic!("{}: {line}", self.code));
            (name.to_owned(), value.trim_matches('\'').to_owned())
        });
        Names { uid: 1000, gid: 1000, pid: 7, env: env.collect(), ..Names::default() }
    }

    /// What the commands of the example print, where the page says that they are run: `printf` is all they use.
    fn answer(&self, names: &mut Names, family: &[NodeText], admin: bool, mended: bool) {
        if self.code != codes::BAD_OUTPUT {
            return;
        }
        names.answers = commands::commands(family, admin)
            .into_iter()
            .map(|command| {
                let output = if mended { b"box-7\n".to_vec() } else { b"box\x007\n".to_vec() };
                ((command.node, command.layer, command.text), output)
            })
            .collect();
    }

    /// Compares what is found with what the page shows, or writes it there.
    fn shows(&self, found: &str) -> Result<(), String> {
        let Some(shown) = self.blocks.get("output") else { return Err("no block `text output`".into()) };
        if shown == found {
            return Ok(());
        }
        if std::env::var_os("REDPAK_BLESS").is_some_and(|value| value == "1") {
            let text = self.text.replacen(
                &format!("```text output\n{shown}```"),
                &format!("```text output\n{found}```"),
                1,
            );
            return std::fs::write(&self.path, text).map_err(|error| error.to_string());
        }
        Err(format!("the output is\n{found}and the page shows\n{shown}"))
    }

    /// What is wrong with the page.
    fn judge(&self) -> Result<(), String> {
        let found = self.findings(false);
        let others: BTreeSet<&str> = found.iter().map(|finding| finding.code).collect();
        if others != BTreeSet::from([self.code]) {
            return Err(format!("the example yields {others:?}:\n{}", text(&found, Color::Never)));
        }
        self.shows(&text(&found, Color::Never))?;
        if !self.is_mended() {
            return Err("there is no mended file".into());
        }
        let left = self.findings(true);
        if left.iter().any(|finding| finding.is_error() || finding.code == self.code) {
            return Err(format!("mended it still yields\n{}", text(&left, Color::Never)));
        }
        Ok(())
    }
}

#[test]
fn examples_of_the_model_yield_their_code_and_mended_they_do_not() {
    let mut wrong = Vec::new();
    for (code, title) in codes::ALL {
        let page = Page::read(code);
        if page.text.lines().next() != Some(&format!("# {code}: {title}")) {
            wrong.push(format!("{code}: the title is not `{title}`"));
        }
        // `sh example` is run by the suite that has the binaries.
        let without =
            NO_EXAMPLE.iter().any(|(known, _)| known == code) || page.blocks.contains_key("example");
        match page.judge() {
            _ if without => {}
            Ok(()) => {}
            Err(reason) => wrong.push(format!("{code}: {reason}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn other_pages_show_valid_files() {
    let known: BTreeSet<&str> = codes::ALL.iter().map(|(code, _)| *code).collect();
    for entry in std::fs::read_dir(directory()).expect("docs/codes") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let Some(code) =
            name.strip_suffix(".md").filter(|code| code.starts_with("RP") && !known.contains(code))
        else {
            continue;
        };
        let page = Page::read(Box::leak(code.to_owned().into_boxed_str()));
        for (block, text) in &page.blocks {
            let node = block.strip_prefix("mended-").unwrap_or(block);
            if NODES.iter().any(|(known, _)| *known == node) {
                let (parsed, findings) = redpak_model::parse(
                    &SourceText::new(format!("{code} {block}"), text.as_str()),
                    Layer::Normal,
                );
                assert!(parsed.is_some(), "{}", redpak_diagnostics::render::text(&findings, Color::Never));
            }
        }
    }
}
