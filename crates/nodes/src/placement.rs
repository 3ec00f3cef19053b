//! Whether each node of a family is enabled, where it was registered, and below the parent that it recorded.

use std::path::Path;

use redpak_diagnostics::{Finding, Severity};
use redpak_model::NodeText;
use redpak_model::effective::{Inheritance, Layer};
use redpak_model::status::{Parent, State, Status};

use crate::codes;
use crate::node::{Node, has_lost_status};
use crate::walk::STATUS;

/// What is looked at of a node.
pub(crate) struct Placed<'a> {
    pub path: &'a Path,
    pub identity: (u64, u64),
    pub status: &'a Status,
    pub text: &'a NodeText,
}

impl<'a> From<&'a Node> for Placed<'a> {
    fn from(node: &'a Node) -> Self {
        Self { path: &node.path, identity: (node.dev, node.ino), status: &node.status, text: &node.text }
    }
}

/// Judges all nodes, root first. `force` makes warnings of errors.
pub(crate) fn of_family(nodes: &[Node], force: bool) -> Vec<Finding> {
    let placed: Vec<Placed> = nodes.iter().map(Placed::from).collect();
    (0..placed.len()).flat_map(|index| of_member(&placed, index, force)).collect()
}

/// Judges the last node of a family.
pub(crate) fn of_leaf(family: &[Placed]) -> Vec<Finding> {
    family.len().checked_sub(1).map_or(Vec::new(), |leaf| of_member(family, leaf, false))
}

/// Judges one node of the family that is to be launched.
fn of_member(family: &[Placed], index: usize, force: bool) -> Vec<Finding> {
    let (above, leaf) = (&family[..index], &family[index]);
    let mut findings = Vec::new();
    findings.extend(state(leaf));
    let moved = moved(leaf);
    let parent = wrong_parent(leaf, above.last());
    if moved.is_some() || parent.is_some() {
        let skipped = moves_are_not_checked(family);
        findings.extend(moved.filter(|_| !skipped));
        findings.extend(parent.filter(|_| !(skipped && moved_along(leaf, above.last()))));
    }
    if force {
        for finding in &mut findings {
            finding.severity = Severity::Warning;
        }
    }
    findings.extend(inside_itself(leaf, above));
    findings
}

fn state(node: &Placed) -> Option<Finding> {
    let path = node.path.display();
    (node.status.state != State::Enable).then(|| {
        Finding::error(codes::DISABLED, format!("the node `{path}` is disabled"))
            .with_hint(format!("`redconf enable {path}`"))
    })
}

fn register(node: &Placed) -> String {
    format!(
        "`redconf create --update {}` registers it here (each node by itself, from the root node down), \
         `redwrap --force` takes it as it is",
        node.path.display()
    )
}

fn moved(node: &Placed) -> Option<Finding> {
    (node.status.realpath != node.path).then(|| {
        Finding::error(
            codes::MOVED,
            format!(
                "the node `{}` was registered at `{}`: it was moved or copied",
                node.path.display(),
                node.status.realpath.display()
            ),
        )
        .with_hint(register(node))
    })
}

fn wrong_parent(node: &Placed, above: Option<&Placed>) -> Option<Finding> {
    let path = node.path.display();
    let is = above.map(|above| above.path);
    let was = match &node.status.parent {
        None => {
            return Some(
                Finding::warning(
                    codes::NO_PARENT_RECORD,
                    format!("the node `{path}` has no record of its parent"),
                )
                .with_hint(format!("`redconf create --update {path}` writes one")),
            );
        }
        Some(Parent::None) => None,
        Some(Parent::Redpath(recorded)) => Some(recorded.as_path()),
    };
    let words = |parent: Option<&Path>| {
        parent.map_or("a root node".to_owned(), |path| format!("a child of `{}`", path.display()))
    };
    (was != is).then(|| {
        Finding::error(
            codes::WRONG_PARENT,
            format!("the node `{path}` was created as {}, and is now {}", words(was), words(is)),
        )
        .with_hint(lost_above(node.path, was).unwrap_or_else(|| register(node)))
    })
}

/// Where the recorded parent has lost its status, registering the child would free it from that parent's rules.
fn lost_above(path: &Path, recorded: Option<&Path>) -> Option<String> {
    let recorded = recorded.filter(|recorded| path.starts_with(recorded))?;
    has_lost_status(&std::fs::File::open(recorded).ok()?.into()).then(|| {
        format!(
            "`{0}` has a node's configuration and no {STATUS}: `redconf create --update {0}` writes one",
            recorded.display()
        )
    })
}

/// Whether `unsafe: true` takes the family as it is where it is now: in the root node's own configuration, and in a
/// compatible family in anybody's (SPEC sections 3, 4 and 10). What an admin file says is known too late.
fn moves_are_not_checked(family: &[Placed]) -> bool {
    let said = |node: &Placed| {
        let config = redpak_model::parse(&node.text.normal, Layer::Normal).0.map(|file| file.config);
        let compatible = config.as_ref().and_then(|config| config.inheritance.as_ref());
        let compatible = compatible.is_some_and(|inheritance| inheritance.value == Inheritance::Compatible);
        (config.and_then(|config| config.r#unsafe).is_some_and(|set| set.value), compatible)
    };
    let Some((root, others)) = family.split_first() else { return false };
    let (skipped, compatible) = said(root);
    skipped || compatible && others.iter().any(|node| said(node).0)
}

/// Whether the node above is the one that was recorded, which was moved itself: the family is the same elsewhere.
fn moved_along(node: &Placed, above: Option<&Placed>) -> bool {
    match (&node.status.parent, above) {
        (Some(Parent::Redpath(recorded)), Some(above)) => *recorded == above.status.realpath,
        _ => false,
    }
}

/// By a bind mount, a directory can stand below itself. Nothing makes that a family.
fn inside_itself(leaf: &Placed, above: &[Placed]) -> Option<Finding> {
    let same = above.iter().find(|node| node.identity == leaf.identity)?;
    Some(
        Finding::error(
            codes::INSIDE_ITSELF,
            format!(
                "the node `{}` is `{}` again: it stands inside itself",
                leaf.path.display(),
                same.path.display()
            ),
        )
        .with_hint("unmount what is bound there"),
    )
}
