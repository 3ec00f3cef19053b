//! `redconf why`: which node, file and line grants or denies something to a node as it is launched.

mod cap;
mod env;
mod mount;

use std::path::Path;

use redpak_diagnostics::render::printable;
use redpak_diagnostics::{Place, exit};
use redpak_model::effective::{Effective, Origin};
use redpak_model::{Names, NodeText};
use redpak_nodes::{Family, LoadOptions, Refused};
use serde_json::{Value, json};

use crate::arguments::WhyArguments;
use crate::{absolute, report, usage};

/// Exit code for what is not granted.
const DENIED: u8 = 1;
/// Version of the JSON: `{version, node, question: {what, of}, granted, answer, facts: [{what, text, place}],
/// family: [{node, path, says, place}], hint}`.
const VERSION: u32 = 1;

/// What is asked, and by whose launch it is answered.
struct Inquiry<'a> {
    /// The leaf, as launched.
    leaf: &'a Effective,
    /// Each node of the family as if it were launched itself, root node first; the last is the leaf.
    levels: &'a [Option<Effective>],
    names: &'a Names,
}

/// The answer.
struct Answer {
    /// What sort of thing, and which.
    question: (&'static str, String),
    granted: bool,
    /// One sentence.
    sentence: String,
    /// More of it: what, text, and where it stands.
    facts: Vec<(&'static str, String, Option<Place>)>,
    /// What each node of the family says of it, root node first.
    family: Vec<(String, Option<Place>)>,
    /// Who would have to do what, where it is not granted.
    hint: Option<String>,
}

pub fn run(arguments: &WhyArguments, names: &Names) -> Result<u8, Refused> {
    let what = &arguments.what;
    for (given, option) in [
        (what.file.is_some(), "--file"),
        (what.package.is_some(), "--package"),
        (what.library.is_some(), "--library"),
    ] {
        if given {
            return Ok(usage(&format!("not supported yet: `redconf why {option}`")));
        }
    }
    if what.mount.is_none() && what.cap.is_none() && what.env.is_none() {
        return Ok(usage("what? give --mount, --cap or --env"));
    }
    let family = Family::load(&absolute(&arguments.path)?, names.uid, LoadOptions { force: true })?;
    let (leaf, findings) = family.effective(arguments.admin, names)?;
    report(&findings);
    let levels = levels(&family.texts(), arguments.admin, names);
    let inquiry = Inquiry { leaf: &leaf, levels: &levels, names };
    let answer = match (&what.mount, &what.cap, &what.env) {
        (Some(path), ..) => mount::answer(&inquiry, path),
        (_, Some(name), _) => cap::answer(&inquiry, name),
        (.., key) => env::answer(&inquiry, key.as_deref().unwrap_or_default()),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(message) => return Ok(usage(&message)),
    };
    if arguments.json {
        crate::print_json(&answer.json(&leaf))?;
    } else {
        crate::print(&printable_lines(&answer.text(&leaf)))?;
    }
    Ok(if answer.granted { exit::OK } else { DENIED })
}

/// Each node of the family, judged as a leaf.
fn levels(texts: &[NodeText], admin: bool, names: &Names) -> Vec<Option<Effective>> {
    (1..=texts.len()).map(|count| redpak_model::effective(&texts[..count], admin, names).0).collect()
}

fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

impl Inquiry<'_> {
    fn alias(&self, node: usize) -> &str {
        self.leaf.nodes.get(node).map_or("?", |node| node.alias.as_str())
    }

    fn leaf_alias(&self) -> &str {
        self.alias(self.leaf.nodes.len().saturating_sub(1))
    }

    /// The normal configuration of the root node, which speaks for the host.
    fn root_file(&self) -> String {
        self.leaf
            .nodes
            .first()
            .map_or(String::new(), |root| root.redpath.join("etc/redpak.yaml").display().to_string())
    }

    /// What each node says, by what is found of it in that node as a leaf.
    fn family(
        &self,
        find: impl Fn(&Effective) -> Option<(String, Origin)>,
        silent: impl Fn(Option<&str>) -> String,
    ) -> Vec<(String, Option<Place>)> {
        let mut last: Option<String> = None;
        self.levels
            .iter()
            .enumerate()
            .map(|(index, level)| match level.as_ref().map(&find) {
                None => ("cannot be judged by itself".to_owned(), None),
                Some(Some((says, origin))) if origin.node == index => {
                    last = Some(says.clone());
                    (says, Some(origin.place))
                }
                Some(Some((says, _))) => (silent(Some(&says)), None),
                Some(None) => (silent(None), None),
            })
            .collect()
    }
}

impl Answer {
    fn new(what: &'static str, of: impl Into<String>, granted: bool, sentence: impl Into<String>) -> Self {
        Self {
            question: (what, of.into()),
            granted,
            sentence: sentence.into(),
            facts: Vec::new(),
            family: Vec::new(),
            hint: None,
        }
    }

    fn fact(&mut self, what: &'static str, text: impl Into<String>, place: Option<&Place>) {
        self.facts.push((what, text.into(), place.cloned()));
    }

    fn text(&self, leaf: &Effective) -> String {
        let mut lines = vec![self.sentence.clone()];
        let width = self.facts.iter().map(|(what, ..)| what.len()).max().unwrap_or(0);
        for (what, text, place) in &self.facts {
            lines.push(format!("  {what:width$}  {text}"));
            lines.extend(place.iter().flat_map(|place| cited(place, width + 4)));
        }
        let width = leaf.nodes.iter().map(|node| node.alias.chars().count()).max().unwrap_or(0);
        lines.push("down the family:".to_owned());
        for (node, (says, place)) in leaf.nodes.iter().zip(&self.family) {
            lines.push(format!("  {:width$}  {says}", node.alias));
            lines.extend(place.iter().flat_map(|place| cited(place, width + 4)));
        }
        lines.extend(self.hint.iter().map(|hint| format!("to grant it: {hint}")));
        lines.join("\n")
    }

    fn json(&self, leaf: &Effective) -> Value {
        let place = |place: &Option<Place>| {
            place.as_ref().map(|place| {
                json!({ "file": &*place.file, "line": place.line, "column": place.column, "source": &*place.source })
            })
        };
        let facts: Vec<Value> = self
            .facts
            .iter()
            .map(|(what, text, at)| json!({ "what": what, "text": text, "place": place(at) }))
            .collect();
        let family: Vec<Value> = leaf
            .nodes
            .iter()
            .zip(&self.family)
            .map(|(node, (says, at))| {
                json!({ "node": node.alias, "path": node.redpath, "says": says, "place": place(at) })
            })
            .collect();
        json!({
            "version": VERSION,
            "node": leaf.nodes.last().map(|node| &node.redpath),
            "question": { "what": self.question.0, "of": self.question.1 },
            "granted": self.granted,
            "answer": self.sentence,
            "facts": facts,
            "family": family,
            "hint": self.hint,
        })
    }
}

/// A place and the line that stands there.
fn cited(place: &Place, indent: usize) -> Vec<String> {
    let mut lines = vec![format!("{:indent$}{place}", "")];
    if !place.source.trim().is_empty() {
        lines.push(format!("{:indent$}  {}", "", place.source.trim()));
    }
    lines
}

/// A path as text.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
