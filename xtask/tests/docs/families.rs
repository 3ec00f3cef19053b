//! The families of the guides: under each heading the `yaml` blocks are files, named in their first line, and the
//! `text` blocks are what comes of them: findings, to the letter, after `$ redconf check NODE`, and some of the
//! values in force after `# in force in NODE`. `REDPAK_DOCS_UPDATE=1` writes what is so into the guides.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;
use redpak_diagnostics::render::{self, Color};
use redpak_model::effective::{
    Access, Effective, Export, ExportKind, Origin, Share, Sourced, VariableAction,
};
use redpak_model::{Names, NodeText, SourceText};

const NORMAL: &str = "/etc/redpak.yaml";
const ADMIN: &str = "/etc/redpak-admin.yaml";

fn docs() -> PathBuf {
    redpak_xtask::generated::directory()
}

/// A fenced block: its language, where its text starts and ends.
struct Block<'t> {
    language: &'t str,
    text: &'t str,
    start: usize,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let (mut blocks, mut at) = (Vec::new(), 0);
    let mut open: Option<(&str, usize)> = None;
    for line in text.split_inclusive('\n') {
        if let Some(language) = line.strip_prefix("```") {
            open = match open {
                None => Some((language.trim(), at + line.len())),
                Some((language, start)) => {
                    blocks.push(Block { language, text: &text[start..at], start });
                    None
                }
            };
        }
        at += line.len();
    }
    blocks
}

/// The parts of a guide, a heading each, with where they start.
fn parts(text: &str) -> Vec<(usize, &str)> {
    let mut starts: Vec<usize> = vec![0];
    let (mut at, mut fenced) = (0, false);
    for line in text.split_inclusive('\n') {
        fenced ^= line.starts_with("```");
        if !fenced && line.starts_with('#') {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| (start, &text[start..end])).collect()
}

/// The nodes of a part, in the order of their paths.
fn nodes(blocks: &[Block]) -> Vec<NodeText> {
    let mut nodes: Vec<NodeText> = Vec::new();
    for block in blocks.iter().filter(|block| block.language == "yaml") {
        let Some(file) = block.text.lines().next().and_then(|line| line.strip_prefix("# /")) else {
            continue;
        };
        let file = format!("/{file}");
        let source = SourceText::new(file.as_str(), block.text);
        match (file.strip_suffix(NORMAL), file.strip_suffix(ADMIN)) {
            (Some(node), _) => {
                nodes.push(NodeText { redpath: node.into(), normal: source, admin: None });
            }
            (_, Some(node)) => {
                let node = nodes.iter_mut().find(|known| known.redpath == Path::new(node));
                node.unwrap_or_else(|| panic!("{file} comes before the normal file")).admin = Some(source);
            }
            _ => {}
        }
    }
    nodes
}

/// A node and its ancestors, root node first.
fn family(nodes: &[NodeText], leaf: &str) -> Vec<NodeText> {
    let mut family: Vec<NodeText> =
        nodes.iter().filter(|node| Path::new(leaf).starts_with(&node.redpath)).cloned().collect();
    family.sort_by_key(|node| node.redpath.components().count());
    assert!(family.last().is_some_and(|node| node.redpath == Path::new(leaf)), "there is no node {leaf}");
    family
}

fn names() -> Names {
    let env = [("HOME", "/home/me"), ("USER", "me")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    Names { uid: 1000, gid: 1000, env: env.into(), ..Names::default() }
}

/// What `redconf check` finds of one node.
fn check(family: &[NodeText]) -> String {
    let mut findings: Vec<Finding> = Vec::new();
    let admin = family.iter().any(|node| node.admin.is_some());
    for layer in [false, true].into_iter().filter(|layer| !layer || admin) {
        let (_, found) = redpak_model::effective(family, layer, &names());
        for finding in found.into_iter().chain(redpak_model::strictly(family, layer, &names())) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    render::text(&findings, Color::Never)
}

fn value<T>(
    out: &mut Vec<String>,
    effective: &Effective,
    name: &str,
    set: Option<&Sourced<T>>,
    text: impl Fn(&T) -> String,
) {
    if let Some(set) = set {
        out.push(format!("{name}: {}{}", text(&set.value), from(effective, &set.origin)));
    }
}

fn from(effective: &Effective, origin: &Origin) -> String {
    let layer = if origin.layer == redpak_model::Layer::Admin { ", admin" } else { "" };
    format!("  <- {}{layer}, line {}", effective.nodes[origin.node].alias, origin.place.line)
}

/// What is in force, a line for each value.
fn in_force(effective: &Effective) -> Vec<String> {
    let (mut out, settings) = (Vec::new(), &effective.settings);
    let list = |items: &[Sourced<String>]| {
        items.iter().map(|item| item.value.as_str()).collect::<Vec<_>>().join(":")
    };
    out.push(format!("path: {}", list(&settings.path)));
    out.push(format!("ldpath: {}", list(&settings.ldpath)));
    value(&mut out, effective, "umask", settings.umask.as_ref(), |umask| format!("{umask:03o}"));
    value(&mut out, effective, "hostname", settings.hostname.as_ref(), String::clone);
    value(&mut out, effective, "inherit-env", settings.inherit_env.as_ref(), bool::to_string);
    value(&mut out, effective, "gpgcheck", settings.gpgcheck.as_ref(), bool::to_string);
    let share = &settings.share;
    for (name, share) in [("share_net", &share.net), ("share_pid", &share.pid), ("share_ipc", &share.ipc)] {
        value(&mut out, effective, name, share.as_ref(), |share| match share {
            Share::Shared => "the host's".to_owned(),
            Share::Isolated => "the node's own".to_owned(),
            Share::Join(path) => format!("joins {}", path.display()),
        });
    }
    for (name, kept) in &settings.capabilities {
        value(&mut out, effective, name, Some(kept), |kept| {
            if *kept { "kept" } else { "dropped" }.to_owned()
        });
    }
    for variable in &effective.environ {
        value(&mut out, effective, &format!("${}", variable.value.key), Some(variable), |variable| {
            match &variable.action {
                VariableAction::Set(text) => format!("`{text}`"),
                VariableAction::Command(command) => format!("the output of `{command}`"),
                VariableAction::Inherit => "the caller's".to_owned(),
                VariableAction::Remove => "not set".to_owned(),
            }
        });
    }
    out.extend(effective.exports.iter().map(|export| exported(effective, export)));
    out
}

fn exported(effective: &Effective, export: &Export) -> String {
    let what = match &export.kind {
        ExportKind::Bind { source, access, .. } => {
            let access = if *access == Access::ReadOnly { "read-only" } else { "read-write" };
            format!("{}, {access}", source.host.display())
        }
        ExportKind::Overlay { source } => format!("{}, laid over", source.host.display()),
        ExportKind::Device { source } => format!("device {}", source.host.display()),
        ExportKind::Symlink { target } => format!("link to {target}"),
        other => format!("{other:?}").split([' ', '{']).next().unwrap_or_default().to_lowercase(),
    };
    let private = if export.private { ", this node only" } else { "" };
    format!("{}: {what}{private}{}", export.mount.display(), from(effective, &export.origin))
}

/// What a `text` block should say; `None` when it says nothing of a family.
fn expected(nodes: &[NodeText], block: &Block) -> Option<String> {
    let (first, rest) = block.text.split_once('\n')?;
    if let Some(node) = first.strip_prefix("$ redconf check ") {
        return Some(format!("{first}\n{}", check(&family(nodes, node))));
    }
    let (node, admin) = match first.strip_prefix("# in force in ")? {
        leaf if leaf.ends_with(" --admin") => (leaf.trim_end_matches(" --admin"), true),
        leaf => (leaf, false),
    };
    let (effective, findings) = redpak_model::effective(&family(nodes, node), admin, &names());
    let Some(effective) = effective else { panic!("{node} is refused: {findings:#?}") };
    let all = in_force(&effective);
    let mut text = format!("{first}\n");
    for line in rest.lines() {
        // By what the line speaks of; where two lines of the guide do, the values come in their order.
        let name = line.split(": ").next().unwrap_or(line);
        let before = text.lines().filter(|known| known.starts_with(&format!("{name}: "))).count();
        let found = all.iter().filter(|known| known.starts_with(&format!("{name}: "))).nth(before);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", found.map_or_else(|| format!("{name}: (nothing)"), Clone::clone));
    }
    Some(text)
}

/// The guide with its `text` blocks as they should be, and how many there are.
fn corrected(guide: &str) -> (String, usize) {
    let (mut text, mut count) = (String::new(), 0);
    for (_, part) in parts(guide) {
        let blocks = blocks(part);
        let nodes = nodes(&blocks);
        let mut at = 0;
        for block in blocks.iter().filter(|block| block.language == "text") {
            if let Some(expected) = expected(&nodes, block) {
                text.push_str(&part[at..block.start]);
                text.push_str(&expected);
                at = block.start + block.text.len();
                count += 1;
            }
        }
        text.push_str(&part[at..]);
    }
    (text, count)
}

fn assert_guide(name: &str, least: usize) {
    let path = docs().join(name);
    let guide = std::fs::read_to_string(&path).expect("the guide");
    let (corrected, count) = corrected(&guide);
    assert!(count >= least, "{name} has only {count} blocks that can be compared");
    if std::env::var_os("REDPAK_DOCS_UPDATE").is_some() {
        std::fs::write(&path, &corrected).expect("the guide can be written");
        return;
    }
    for (line, (is, should)) in guide.lines().zip(corrected.lines()).enumerate() {
        assert_eq!(is, should, "docs/{name}:{}", line + 1);
    }
    assert_eq!(guide.len(), corrected.len(), "docs/{name}");
}

#[test]
fn the_guide_to_inheritance_is_true() {
    assert_guide("inheritance.md", 15);
}

#[test]
fn the_guide_to_migration_is_true() {
    assert_guide("migration.md", 2);
}

/// The comparison can fail.
#[test]
fn what_is_not_so_is_corrected() {
    let guide = "# a\n```yaml\n# /r/etc/redpak.yaml\nheaders: {alias: r}\nconfig: {umask: 027, umsk: 1}\n```\n\
                 ```text\n$ redconf check /r\nnothing\n```\n\
                 # b\n```yaml\n# /r/etc/redpak.yaml\nheaders: {alias: r}\nconfig: {umask: 027}\n```\n\
                 ```text\n# in force in /r\numask: 022\nhostname: x\n```\n";
    let (corrected, count) = corrected(guide);
    assert_eq!(count, 2);
    assert!(corrected.contains("error[RP0110]: unknown key `umsk`"), "{corrected}");
    assert!(corrected.contains("\numask: 027  <- r, line 3\nhostname: (nothing)\n"), "{corrected}");
}
