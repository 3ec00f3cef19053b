//! What the planner must know of the host and of the nodes' directories, as values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::launch_plan::FileKind;

/// The host and the caller, as far as a plan depends on them.
#[derive(Clone, Debug, Default)]
pub struct HostFacts {
    /// Effective user id of the caller.
    pub uid: u32,
    /// Effective group id of the caller.
    pub gid: u32,
    /// Name of that user, or its number.
    pub user: String,
    /// Name of that group, or its number.
    pub group: String,
    /// The caller's environment; what is not UTF-8 is left out.
    pub env: BTreeMap<String, String>,
    /// One entry a node of the family, root first.
    pub nodes: Vec<NodeFacts>,
    /// Host paths that the configuration names, and what they are, links followed; a missing path is absent.
    pub host: BTreeMap<PathBuf, FileKind>,
    /// Names below `/dev` that a minimal `/dev` shows and that the host has.
    pub devices: Vec<String>,
    /// Names in `/proc`, processes aside, that hold something which the host's root user may write. Empty when the
    /// caller is not root: then nobody in the sandbox is.
    pub proc_writable: Vec<String>,
}

/// Where a generation has its RPM database.
pub const DATABASE: &str = "usr/lib/sysimage/rpm";

/// A node's directory.
#[derive(Clone, Debug, Default)]
pub struct NodeFacts {
    /// Device number of the directory.
    pub dev: u64,
    /// Inode number of the directory.
    pub ino: u64,
    /// The current generation, where the node has one.
    pub generation: Option<u64>,
    /// Names in the directory that are links into `.redpak/current`: the snippet.
    pub snippet: BTreeSet<String>,
    /// `var/lib/rpm` is a link to the current generation's RPM database.
    pub database: bool,
    /// What stands at the resolved paths that the configuration names ([`NodeFacts::resolve`]); missing is absent.
    pub own: BTreeMap<PathBuf, OwnFact>,
}

/// What stands at a path in a node's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnFact {
    /// Directory or not.
    pub kind: FileKind,
    /// A directory without entries.
    pub empty: bool,
}

impl NodeFacts {
    /// Where a path in the node's directory really lies: the snippet's links lead into the current generation, and a
    /// launch names that generation, so that it never sees two.
    pub fn resolve(&self, beneath: &Path) -> PathBuf {
        let Some(generation) = self.generation else { return beneath.to_owned() };
        let tree = Path::new(".redpak/gen").join(generation.to_string());
        if let Ok(rest) = beneath.strip_prefix(".redpak/current") {
            return join(&tree, rest);
        }
        if let Some(rest) = beneath.strip_prefix("var/lib/rpm").ok().filter(|_| self.database) {
            return join(&tree.join(DATABASE), rest);
        }
        match beneath.components().next() {
            Some(Component::Normal(top)) if top.to_str().is_some_and(|top| self.snippet.contains(top)) => {
                tree.join(beneath)
            }
            _ => beneath.to_owned(),
        }
    }
}

/// `base` joined with a relative path that may be empty, without a trailing slash.
pub(crate) fn join(base: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { base.to_owned() } else { base.join(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippet_paths_lead_into_the_generation() {
        let snippet = ["usr".to_owned()].into();
        let facts = NodeFacts { generation: Some(7), snippet, database: true, ..NodeFacts::default() };
        for (beneath, expected) in [
            ("usr", ".redpak/gen/7/usr"),
            ("usr/lib/x", ".redpak/gen/7/usr/lib/x"),
            (".redpak/current/etc", ".redpak/gen/7/etc"),
            (".redpak/current", ".redpak/gen/7"),
            ("etc", "etc"),
            ("usrlocal", "usrlocal"),
            ("var", "var"),
            ("var/lib/rpm", ".redpak/gen/7/usr/lib/sysimage/rpm"),
            ("var/lib/rpm/rpmdb.sqlite", ".redpak/gen/7/usr/lib/sysimage/rpm/rpmdb.sqlite"),
            ("var/lib/rpm-state", "var/lib/rpm-state"),
            ("", ""),
        ] {
            assert_eq!(facts.resolve(Path::new(beneath)), Path::new(expected), "{beneath}");
        }
    }
}
