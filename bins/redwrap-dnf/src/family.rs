//! From a node's path to what the libraries work on: the family as checked, its configuration, its locks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redpak_commands::{Handed, Inputs, Limits};
use redpak_diagnostics::Finding;
use redpak_diagnostics::render::printable;
use redpak_model::Names;
use redpak_model::effective::Effective;
use redpak_nodes::{Family, LoadOptions, Refused};
use redpak_packages::family::{Descendant, FamilyContext, FamilyNode};
use redpak_store::{ErrorKind, ExclusiveLock, Node, SharedLock, Wait};

/// How long a command waits for another one that works on the same node.
const PATIENCE: Duration = Duration::from_secs(30);

/// A loaded family.
pub struct Loaded {
    /// As opened and checked.
    pub family: Family,
    /// With the admin files on top.
    pub effective: Effective,
    /// For the package crate.
    pub context: FamilyContext,
}

/// Locks of one change: the node's own, and what keeps the rest of the family still meanwhile.
pub struct Locks {
    /// The node.
    pub node: Node,
    /// The right to change it.
    pub own: ExclusiveLock,
    _above: Vec<SharedLock>,
    _below: Vec<ExclusiveLock>,
}

/// Loads the family of a node. Warnings are returned beside. For what may launch something, the commands that the
/// files name are run, as for any launch; for anything else they are not.
pub fn load(redpath: &Path, names: &Names, may_launch: bool) -> Result<(Loaded, Vec<Finding>), Refused> {
    let family = Family::load(redpath, names.uid, LoadOptions::default())?;
    let (effective, findings) = if may_launch {
        let handed = Handed { inputs: &Inputs::default(), passed_on: &[] };
        let answers = redpak_commands::answer(&family, true, names, handed, Limits::default())?;
        family.effective(true, &Names { answers, ..names.clone() })?
    } else {
        family.effective(true, names)?
    };
    let below = descendants(&family.leaf().path, names)?;
    let context = FamilyContext::from_effective(&effective, below);
    Ok((Loaded { family, effective, context }, findings))
}

/// The nodes below, each with those between.
fn descendants(path: &Path, names: &Names) -> Result<Vec<Descendant>, Refused> {
    let mut nodes: BTreeMap<PathBuf, FamilyNode> = BTreeMap::new();
    let mut found = Vec::new();
    for below in redpak_nodes::descendants(path)? {
        let alias = alias(&below.path, names);
        let node = FamilyNode { alias, redpath: below.path.clone() };
        let between =
            nodes.values().filter(|upper| below.path.starts_with(&upper.redpath)).cloned().collect();
        nodes.insert(below.path, node.clone());
        found.push(Descendant { node, between });
    }
    Ok(found)
}

/// The alias of a node below: its packages count even when its configuration is wrong, and then it is called by its
/// path.
fn alias(path: &Path, names: &Names) -> String {
    let named = |family: Family| {
        let (effective, _) = family.effective(false, names).ok()?;
        effective.nodes.last().map(|head| head.alias.clone())
    };
    let family = Family::load(path, names.uid, LoadOptions { force: true }).ok();
    family.and_then(named).unwrap_or_else(|| path.display().to_string())
}

/// Takes a lock; says who is waited for, when somebody is.
fn patiently<T>(take: impl Fn(Wait) -> redpak_store::error::Result<T>) -> Result<T, Finding> {
    match take(Wait::No) {
        Err(error) if error.kind() == ErrorKind::Locked => {
            eprintln!("Waiting for at most {} s: {}", PATIENCE.as_secs(), printable(&error.to_string()));
            take(Wait::For(PATIENCE)).map_err(|error| error.finding())
        }
        taken => taken.map_err(|error| error.finding()),
    }
}

/// Locks a node to change it, its ancestors against changes, and its descendants, top down.
pub fn lock(context: &FamilyContext) -> Result<Locks, Finding> {
    let refused = |error: redpak_store::Error| error.finding();
    let has_store = |node: &&FamilyNode| node.redpath.join(redpak_store::REDPAK_DIR).join("current").exists();
    let mut above = Vec::new();
    let (leaf, ancestors) =
        context.nodes.split_last().ok_or_else(|| Finding::error("RP0315", "an empty family"))?;
    for node in ancestors.iter().filter(has_store) {
        let store = Node::open(&node.redpath).map_err(refused)?;
        above.push(patiently(|wait| store.lock_shared(wait))?);
    }
    let node = Node::open(&leaf.redpath).map_err(refused)?;
    node.check_writable().map_err(refused)?;
    let own = patiently(|wait| node.lock_exclusive(wait))?;
    let mut below = Vec::new();
    for descendant in context.descendants.iter().map(|below| &below.node).filter(has_store) {
        let store = Node::open(&descendant.redpath).map_err(refused)?;
        below.push(patiently(|wait| store.lock_exclusive(wait))?);
    }
    Ok(Locks { node, own, _above: above, _below: below })
}
