//! `redconf tree`: a node and those below it, with state, packages and main rights; as text, JSON or a picture.

mod dot;
mod svg;

use std::path::{Path, PathBuf};

use redpak_diagnostics::render::printable;
use redpak_diagnostics::{Finding, Severity};
use redpak_model::effective::{Access, Effective, ExportKind, Share};
use redpak_model::status::Status;
use redpak_model::{Layer, Names};
use redpak_nodes::{Node, Refused, Tree, codes};
use serde_json::{Value, json};

use crate::absolute;
use crate::arguments::TreeArguments;

/// Version of the JSON: `{version, tree}`; a node is `{alias, path, state, reason, generation, packages,
/// inherited_packages, rights: {network, writable, capabilities}, children}`. `packages` is `null` where the node has no
/// generations, `rights` where they cannot be told.
const VERSION: u32 = 1;

/// What is shown of a node.
struct Shown {
    path: PathBuf,
    alias: String,
    state: State,
    /// Why it is not enabled.
    reason: Option<String>,
    generation: Option<u64>,
    /// Packages of its own; `None` where it has no generations.
    packages: Option<usize>,
    /// Packages of its ancestors.
    inherited: usize,
    rights: Option<Rights>,
    children: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Enabled,
    Disabled,
    Moved,
    Broken,
}

/// The rights that one asks for first.
struct Rights {
    network: String,
    /// Mount paths that can be written and outlive the launch.
    writable: Vec<String>,
    capabilities: Vec<String>,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Moved => "moved",
            Self::Broken => "broken",
        }
    }
}

/// What is looked at while a node is open.
struct Seen {
    generation: Result<Option<u64>, Finding>,
    packages: Option<usize>,
}

impl Seen {
    fn of(node: &Node) -> Self {
        let generation = redpak_nodes::facts::generation(node);
        let number = generation.as_ref().ok().copied().flatten();
        let packages = number.map(|number| redpak_nodes::facts::package_count(node, number));
        Self { generation, packages }
    }
}

pub fn run(arguments: &TreeArguments, names: &Names) -> Result<(), Refused> {
    let tree = Tree::load(&absolute(&arguments.path)?, names.uid, Seen::of)?;
    let shown = all(&tree, names);
    let top = tree.top;
    match (arguments.json, arguments.dot, arguments.svg) {
        (true, ..) => crate::print_json(&json!({ "version": VERSION, "tree": value(&shown, top) }))?,
        (_, true, _) => crate::print(dot::render(&shown, top).trim_end())?,
        (.., true) => crate::print(svg::render(&shown, top).trim_end())?,
        _ => crate::print(&text(&shown, top))?,
    }
    Ok(())
}

/// By the indices of the tree.
fn all(tree: &Tree<Seen>, names: &Names) -> Vec<Shown> {
    let mut shown: Vec<Shown> = (0..tree.nodes.len()).map(|index| look(tree, index, names)).collect();
    for (index, node) in tree.nodes.iter().enumerate() {
        if let Some(parent) = node.parent {
            shown[parent].children.push(index);
            shown[index].inherited = shown[parent].inherited + shown[parent].packages.unwrap_or(0);
            if shown[parent].state == State::Disabled && shown[index].state == State::Enabled {
                shown[index].state = State::Disabled;
                shown[index].reason = Some(match &shown[parent].reason {
                    Some(above) => above.clone(),
                    None => format!("the node above it, `{}`, is disabled", shown[parent].path.display()),
                });
            }
        }
    }
    shown
}

/// A node that cannot be used is shown all the same: the tree is for finding out.
fn look(tree: &Tree<Seen>, index: usize, names: &Names) -> Shown {
    let node = &tree.nodes[index];
    let read = node.read.as_ref();
    let effective = tree.texts(index).map(|texts| redpak_model::effective(&texts, false, names));
    let mut findings = node.findings.clone();
    findings.extend(read.and_then(|read| read.seen.generation.as_ref().err()).cloned());
    match &effective {
        Some((_, found)) => findings.extend(found.iter().cloned()),
        None => findings.extend(unreadable_ancestor(tree, index)),
    }
    let (state, reason) = judged(read.map(|read| &read.status), &findings);
    let effective = effective.and_then(|(effective, _)| effective);
    let own_name = || {
        let name = node.path.file_name();
        name.map_or_else(|| node.path.display().to_string(), |name| name.to_string_lossy().into_owned())
    };
    let alias = read.and_then(|read| redpak_model::parse(&read.text.normal, Layer::Normal).0);
    Shown {
        path: node.path.clone(),
        alias: alias.map_or_else(own_name, |config| config.headers.alias.value),
        state,
        reason,
        generation: read.and_then(|read| read.seen.generation.as_ref().ok().copied().flatten()),
        packages: read.and_then(|read| read.seen.packages),
        inherited: 0,
        rights: effective.as_ref().map(rights),
        children: Vec::new(),
    }
}

fn unreadable_ancestor(tree: &Tree<Seen>, index: usize) -> Option<Finding> {
    let above = tree.family(index).into_iter().find(|member| tree.nodes[*member].read.is_none())?;
    (above != index).then(|| {
        Finding::error(
            codes::UNREADABLE,
            format!("the node above it, `{}`, is broken", tree.nodes[above].path.display()),
        )
    })
}

/// The state, and the first thing that keeps the node from being launched.
fn judged(status: Option<&Status>, findings: &[Finding]) -> (State, Option<String>) {
    let first = |finding: &Finding| {
        let place = finding.place.as_ref().map_or(String::new(), |place| format!(" ({place})"));
        format!("{}{place}", finding.message.lines().next().unwrap_or_default())
    };
    let moved = [codes::MOVED, codes::WRONG_PARENT];
    let errors = || findings.iter().filter(|finding| finding.severity == Severity::Error);
    if let Some(finding) = errors().find(|finding| !moved.contains(&finding.code)) {
        return (State::Broken, Some(first(finding)));
    }
    if let Some(finding) = errors().next() {
        return (State::Moved, Some(first(finding)));
    }
    match status {
        Some(status) if !status.state.is_enabled() => (State::Disabled, None),
        Some(_) => (State::Enabled, None),
        None => (State::Broken, findings.first().map(first)),
    }
}

fn rights(effective: &Effective) -> Rights {
    let settings = &effective.settings;
    let network = match settings.share.net.as_ref().map(|set| &set.value) {
        Some(Share::Shared) => "the host's".to_owned(),
        Some(Share::Join(path)) => format!("that of {}", path.display()),
        Some(Share::Isolated) | None => "none but its own".to_owned(),
    };
    let writable = effective.exports.iter().filter_map(|export| match export.kind {
        ExportKind::Bind { access: Access::ReadWrite, .. } => Some(export.mount.display().to_string()),
        _ => None,
    });
    let kept = settings.capabilities.iter().filter(|(_, set)| set.value);
    Rights {
        network,
        writable: writable.collect(),
        capabilities: kept.map(|(name, _)| name.clone()).collect(),
    }
}

impl Shown {
    fn packages(&self) -> String {
        let count = |count: usize| match count {
            1 => "1 package".to_owned(),
            count => format!("{count} packages"),
        };
        match (self.packages, self.inherited) {
            (None, _) if self.state == State::Broken => "unknown packages".to_owned(),
            (None, _) => "the host's packages".to_owned(),
            (Some(own), 0) => count(own),
            (Some(own), inherited) => format!("{}, {inherited} inherited", count(own)),
        }
    }
}

fn text(shown: &[Shown], top: usize) -> String {
    let mut rows = Vec::new();
    rows_below(shown, top, "", "", &mut rows);
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let packages = rows.iter().map(|(_, index)| shown[*index].packages().len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (name, index) in &rows {
        let node = &shown[*index];
        let about = format!("{:8}  {:packages$}", node.state.word(), node.packages());
        lines.push(printable(&format!("{name:width$}  {about}  {}", node.path.display())));
    }
    // Reasons are long; a tree is read at a glance.
    for (_, index) in &rows {
        let node = &shown[*index];
        if let Some(reason) = &node.reason {
            lines.push(printable(&format!("{} is {}: {reason}", node.path.display(), node.state.word())));
        }
    }
    lines.join("\n")
}

fn rows_below(shown: &[Shown], index: usize, lead: &str, below: &str, rows: &mut Vec<(String, usize)>) {
    let node = &shown[index];
    rows.push((format!("{lead}{}", node.alias), index));
    for (number, child) in node.children.iter().enumerate() {
        let last = number + 1 == node.children.len();
        let (lead, next) = if last { ("└── ", "    ") } else { ("├── ", "│   ") };
        rows_below(shown, *child, &format!("{below}{lead}"), &format!("{below}{next}"), rows);
    }
}

fn value(shown: &[Shown], index: usize) -> Value {
    let node = &shown[index];
    let below: Vec<Value> = node.children.iter().map(|child| value(shown, *child)).collect();
    let rights = node.rights.as_ref().map(|rights| {
        json!({ "network": rights.network, "writable": rights.writable, "capabilities": rights.capabilities })
    });
    json!({
        "alias": node.alias,
        "path": node.path,
        "state": node.state.word(),
        "reason": node.reason,
        "generation": node.generation,
        "packages": node.packages,
        "inherited_packages": node.inherited,
        "rights": rights,
        "children": below,
    })
}

/// What the pictures say in a node's box, behind its name and state.
fn lines(node: &Shown) -> Vec<String> {
    let mut lines = vec![shortened(&node.path), node.packages()];
    if let Some(rights) = &node.rights {
        lines.push(format!("network: {}", rights.network));
        lines.push(match rights.writable.as_slice() {
            [] => "nothing writable kept".to_owned(),
            [one] => format!("writable: {one}"),
            [one, two] => format!("writable: {one}, {two}"),
            [one, two, more @ ..] => format!("writable: {one}, {two} and {} more", more.len()),
        });
        lines.push(match rights.capabilities.len() {
            0 => "no capability".to_owned(),
            1 => format!("1 capability: {}", rights.capabilities[0]),
            count => format!("{count} capabilities"),
        });
    }
    lines.extend(node.reason.clone());
    lines
}

/// The end of a path tells nodes apart.
fn shortened(path: &Path) -> String {
    const LONGEST: usize = 38;
    let text = path.display().to_string();
    let count = text.chars().count();
    if count <= LONGEST {
        return text;
    }
    format!("…{}", text.chars().skip(count - LONGEST + 1).collect::<String>())
}
