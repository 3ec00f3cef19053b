//! The effective configuration of a family: what a launch of the leaf is planned from.
//!
//! Every value knows the node, layer, file, line and column it comes from ([`Origin`]), and what it overrode.
//! All text is expanded, all paths are absolute and normalised (no `.`, `..`, doubled or trailing slash).

use std::path::PathBuf;

use redpak_diagnostics::Place;
use serde::Serialize;

/// Which of a node's two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// `etc/redpak.yaml`.
    Normal,
    /// `etc/redpak-admin.yaml`.
    Admin,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Index into [`Effective::nodes`]; 0 is the root node.
    pub node: usize,
    /// Which of the node's files.
    pub layer: Layer,
    /// File, line, column.
    pub place: Place,
}

/// A value, where it comes from, and what it overrode (nearest first).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sourced<T> {
    /// The value in force.
    pub value: T,
    /// Where it stands.
    pub origin: Origin,
    /// Where the values stand that it overrode.
    pub overrode: Vec<Origin>,
}

/// A node of the family, as its headers say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeHead {
    /// `headers.alias`.
    pub alias: String,
    /// `headers.name`, a UUID, or empty.
    pub name: String,
    /// `headers.info`, or empty.
    pub info: String,
    /// The node's directory on the host.
    pub redpath: PathBuf,
}

/// What the leaf's launch is planned from. Root node first everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effective {
    /// The family, root node first, the leaf last; never empty.
    pub nodes: Vec<NodeHead>,
    /// Whether the admin files are laid on top.
    pub admin: bool,
    /// The `config` sections, merged.
    pub settings: Settings,
    /// The environment in order of definition; a key stands once.
    pub environ: Vec<Sourced<Variable>>,
    /// Exports in force for the leaf: by node, root first, and within a node by mount path.
    pub exports: Vec<Export>,
}

/// `config`, merged. An absent value is set nowhere in the family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Directory of the leaf's RPM database (of the root node: the host's).
    pub rpmdir: Option<Sourced<PathBuf>>,
    /// Package manager state.
    pub persistdir: Option<Sourced<PathBuf>>,
    /// Download cache.
    pub cachedir: Option<Sourced<PathBuf>>,
    /// `PATH`, the leaf's items first.
    pub path: Vec<Sourced<String>>,
    /// `LD_LIBRARY_PATH`, the leaf's items first.
    pub ldpath: Vec<Sourced<String>>,
    /// File mode creation mask, as a number.
    pub umask: Option<Sourced<u32>>,
    /// The user is root inside.
    pub map_root_user: Option<Sourced<bool>>,
    /// Verbosity.
    pub verbose: Option<Sourced<i64>>,
    /// Package signatures are verified; true when nobody says otherwise.
    pub gpgcheck: Option<Sourced<bool>>,
    /// The moved-node check is skipped.
    pub r#unsafe: Option<Sourced<bool>>,
    /// The caller's whole environment is passed on.
    pub inherit_env: Option<Sourced<bool>>,
    /// The command dies with redwrap's parent.
    pub die_with_parent: Option<Sourced<bool>>,
    /// The command gets a session of its own.
    pub new_session: Option<Sourced<bool>>,
    /// Namespaces: true is shared with the host. What nobody sets is not shared.
    pub share: Shares,
    /// Host name inside.
    pub hostname: Option<Sourced<String>>,
    /// Working directory inside.
    pub chdir: Option<Sourced<String>>,
    /// What capabilities are kept (`true`) or dropped (`false`), by name (`CAP_CHOWN`), in order of number; what is
    /// absent is dropped. `ALL` is resolved.
    pub capabilities: Vec<(String, Sourced<bool>)>,
    /// What the root node declares that the host provides, as RPM dependency texts (`name = evr` or `name`).
    pub host_provides: Vec<Sourced<String>>,
}

/// One entry for each namespace that can be shared: `None` when nobody in the family says anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shares {
    /// User namespace.
    pub user: Option<Sourced<bool>>,
    /// Control group namespace.
    pub cgroup: Option<Sourced<bool>>,
    /// Network namespace.
    pub net: Option<Sourced<bool>>,
    /// Process id namespace.
    pub pid: Option<Sourced<bool>>,
    /// System V and POSIX queue namespace.
    pub ipc: Option<Sourced<bool>>,
    /// Time namespace.
    pub time: Option<Sourced<bool>>,
}

/// One variable of the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Its name.
    pub key: String,
    /// What becomes of it.
    pub action: VariableAction,
}

/// What becomes of a variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VariableAction {
    /// Set to this text.
    Set(String),
    /// The caller's value, where the caller has one.
    Inherit,
    /// Not set.
    Remove,
}

/// One export in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Export {
    /// Absolute path inside the launched node.
    pub mount: PathBuf,
    /// What appears there.
    pub kind: ExportKind,
    /// Index of the node it belongs to, its level in the tree.
    pub level: usize,
    /// Seen in this node only.
    pub private: bool,
    /// A missing source is no warning.
    pub optional: bool,
    /// Where it stands.
    pub origin: Origin,
    /// Free text that the file gives for it.
    pub info: Option<String>,
}

/// What an export makes appear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportKind {
    /// A bind mount.
    Bind {
        /// Where from.
        source: Source,
        /// With what access.
        access: Access,
        /// The source must be a file, not a directory.
        file: bool,
    },
    /// A directory laid, read-only, over what the ancestors put there.
    Overlay {
        /// The directory.
        source: Source,
    },
    /// A symbolic link.
    Symlink {
        /// Its text.
        target: String,
    },
    /// An empty directory.
    Anonymous,
    /// A new tmpfs.
    Tmpfs {
        /// Its limit in bytes; `None` is the default.
        size: Option<u64>,
    },
    /// A new procfs.
    Procfs,
    /// A minimal `/dev`.
    Devfs,
    /// `/etc/passwd` with the running user and nobody.
    Passwd,
    /// `/etc/group` with the running group and nobody.
    Group,
}

/// Access to what a bind shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Read and execute.
    ReadOnly,
    /// Write too.
    ReadWrite,
}

/// Where a mounted thing comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The path on the host, expanded: what the file says, to show.
    pub host: PathBuf,
    /// Where it is opened.
    pub lies: Lies,
}

/// Where a source is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lies {
    /// On the host: exports of the root node (and everything of a root node that is not its own directory).
    Host,
    /// In the directory of the node that exports it.
    Own {
        /// Relative to the node's directory, as written (`usr`, `var`, `.redpak/current/etc`); empty is the directory.
        beneath: PathBuf,
    },
    /// In what an ancestor exports.
    Inherited {
        /// Index into [`Effective::exports`] of the entry that it lies in.
        export: usize,
        /// Where that entry shows it: an absolute path inside the tree.
        inside: PathBuf,
    },
}
