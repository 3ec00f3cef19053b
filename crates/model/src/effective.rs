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
    /// Exports in force for the leaf. Strict: by node, root first, and within a node by mount path. Compatible: by
    /// mount path, whatever node they are of.
    pub exports: Vec<Export>,
    /// What holds a command (`$(…)`, `Execfd`) for which no output was handed over. Empty when the values are final:
    /// nothing else may be launched.
    pub unjudged: Vec<Unjudged>,
}

/// Something that a command decides, and the command was not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unjudged {
    /// What it is, for people: ``the export at `/x` ``, ``the variable `K` ``, `` `hostname` ``.
    pub what: String,
    /// The text as it stands in the file.
    pub text: String,
    /// Whether it is left out of the other fields (a path that is not known); else it stands there with the
    /// command as text.
    pub left_out: bool,
    /// Where it stands.
    pub origin: Origin,
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
    /// Namespaces. What nobody sets is not shared.
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
    /// How the family is merged, where the root node says it; strict otherwise.
    pub inheritance: Option<Sourced<Inheritance>>,
    /// Who the program runs as.
    pub set_user: Option<Sourced<Account>>,
    /// The group that the program runs with.
    pub set_group: Option<Sourced<Account>>,
    /// Smack label of the program.
    pub smack: Option<Sourced<String>>,
    /// SELinux exec context of the program.
    pub selinux: Option<Sourced<String>>,
    /// AppArmor profile of the program.
    pub apparmor: Option<Sourced<String>>,
    /// Offsets of the clocks of a new time namespace.
    pub time_offsets: TimeOffsets,
    /// The control group below which the family's are made.
    pub cgrouproot: Option<Sourced<PathBuf>>,
    /// Limits of each node that has any, root first: one nested control group a node, so that the kernel applies all.
    pub cgroups: Vec<NodeLimits>,
    /// The filters of all nodes that have one, root first: all apply.
    pub seccomp: Vec<Sourced<Seccomp>>,
    /// The Landlock rules of all nodes that have some, root first: all apply.
    pub landlock: Vec<Sourced<Landlock>>,
    /// Resource limits by name (`nofile`), in the order of [`crate::schema::RLIMITS`]: of all nodes the smallest.
    pub rlimits: Vec<(String, Sourced<Rlimit>)>,
}

/// How a family is merged (SPEC section 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Inheritance {
    /// The russian doll: a child never does, sees or uses more than its parent.
    #[default]
    Strict,
    /// As red-pak 2.5 merges.
    Compatible,
}

/// A user or group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Account {
    /// By name, as the host has it.
    Name(String),
    /// By number.
    Id(u32),
}

/// What is added to the clocks of a new time namespace (time_namespaces(7)), in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TimeOffsets {
    /// `CLOCK_MONOTONIC`.
    pub monotonic: Option<Sourced<i64>>,
    /// `CLOCK_BOOTTIME`.
    pub boottime: Option<Sourced<i64>>,
}

/// The control group limits of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeLimits {
    /// Index into [`Effective::nodes`].
    pub node: usize,
    /// File of the control group (`memory.max`) and what is written to it, in the order of the schema. Sizes are in
    /// bytes.
    pub files: Vec<(String, Sourced<String>)>,
}

/// What becomes of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallAction {
    /// It is done.
    Allow,
    /// It is done, and logged.
    Log,
    /// It fails with this error number.
    Errno(u16),
    /// The process is killed.
    Kill,
}

/// The system call filter of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seccomp {
    /// For calls that no rule names.
    pub default: CallAction,
    /// The first rule that names a call holds.
    pub rules: Vec<CallRule>,
}

/// One rule of a filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallRule {
    /// Names of system calls, groups (`@module`) resolved, sorted.
    pub calls: Vec<String>,
    /// What becomes of them.
    pub action: CallAction,
}

/// The Landlock rules of one node (landlock(7)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Landlock {
    /// The ABI that the kernel must have at least, when the file says one.
    pub abi: Option<u32>,
    /// What the mounts allow is said again to the kernel.
    pub files: bool,
    /// TCP ports that may be bound; `None` leaves all.
    pub tcp_bind: Option<Vec<u16>>,
    /// TCP ports that may be connected to; `None` leaves all.
    pub tcp_connect: Option<Vec<u16>>,
    /// Abstract sockets outside may be connected to.
    pub abstract_sockets: bool,
    /// Processes outside may be signalled.
    pub signals: bool,
}

/// A resource limit (getrlimit(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rlimit {
    /// In force; `None` is no limit.
    pub soft: Option<u64>,
    /// What the soft limit can be raised to; `None` is no limit.
    pub hard: Option<u64>,
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Share {
    /// The host's.
    Shared,
    /// A new one.
    Isolated,
    /// An existing one, by the path of its file.
    Join(PathBuf),
}

/// One entry for each namespace that can be shared: `None` when nobody in the family says anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shares {
    /// User namespace.
    pub user: Option<Sourced<Share>>,
    /// Control group namespace.
    pub cgroup: Option<Sourced<Share>>,
    /// Network namespace.
    pub net: Option<Sourced<Share>>,
    /// Process id namespace.
    pub pid: Option<Sourced<Share>>,
    /// System V and POSIX queue namespace.
    pub ipc: Option<Sourced<Share>>,
    /// Time namespace.
    pub time: Option<Sourced<Share>>,
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
    /// Set to the output of this command, which was not run: see [`Effective::unjudged`].
    Command(String),
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
    /// A file that holds the output of a command.
    Execfd {
        /// The command, as it stands.
        command: String,
        /// Its output; `None` when it was not run: see [`Effective::unjudged`].
        #[serde(skip_serializing)]
        output: Option<Vec<u8>>,
    },
    /// A file that holds what is read from a descriptor of redwrap's caller.
    Internal {
        /// The descriptor's number.
        descriptor: u32,
    },
    /// A device node.
    Device {
        /// The device.
        source: Source,
    },
    /// Nothing appears: a read lock is held on the file at the mount path, inside, while the node runs.
    Lock,
    /// A new tmpfs.
    Tmpfs {
        /// Its limit in bytes; `None` is the default.
        size: Option<u64>,
    },
    /// A new procfs.
    Procfs,
    /// A new mqueue.
    Mqueue,
    /// A minimal `/dev`.
    Devfs,
    /// `/etc/passwd` with the running user and nobody.
    Passwd,
    /// `/etc/group` with the running group and nobody.
    Group,
}

/// Limit in bytes of a [`ExportKind::Tmpfs`] without `size`: what a board can spare.
pub const TMPFS_SIZE: u64 = 64 << 20;

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
    /// On the host: exports of the root node that are not of its own directory; in a compatible family those of any
    /// node.
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
