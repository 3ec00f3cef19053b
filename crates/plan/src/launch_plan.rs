//! The launch plan: every namespace, mount, right and variable of one launch, as data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Version of the plan's JSON rendering.
pub const PLAN_VERSION: u32 = 1;

/// Everything that one launch does, with no decision left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchPlan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// The leaf's alias.
    pub alias: String,
    /// The leaf's directory.
    pub redpath: PathBuf,
    /// Whether the admin configuration is in force.
    pub admin: bool,
    /// The family's directories, root node first. [`Source::Node`] indexes them.
    pub nodes: Vec<NodeDir>,
    /// Directories that are made before anything else, in nodes' own directories, where they are missing.
    pub new_directories: Vec<NewDirectory>,
    /// The namespaces.
    pub namespaces: Namespaces,
    /// Users and groups.
    pub ids: Ids,
    /// Set in the new uts namespace.
    pub hostname: Option<String>,
    /// The tmpfs that is the root directory.
    pub root: Tmpfs,
    /// The mounts, in the order in which they are made; grouped by level, which never goes back. All sources of a
    /// level are opened before the first mount of that level is attached.
    pub mounts: Vec<Mount>,
    /// Files inside, opened when the tree is complete, on which a read lock is held until the launch ends, with the
    /// place of the export for errors.
    pub locks: Vec<FileLock>,
    /// Capabilities and no_new_privs.
    pub rights: Rights,
    /// File mode creation mask of the command.
    pub umask: u32,
    /// The whole environment of the command.
    pub environ: Vec<(String, String)>,
    /// Working directory inside.
    pub cwd: PathBuf,
    /// The command gets a session of its own (and no controlling terminal).
    pub new_session: bool,
    /// The command is killed when redwrap's parent dies.
    pub die_with_parent: bool,
    /// Program and arguments.
    pub command: Vec<String>,
    /// What else commands decide that were not run ([`Content::Command`] is one too). Such a plan is for showing, and is
    /// refused by the executor.
    pub unjudged: Vec<NotJudged>,
}

/// Something that a command decides, and the command was not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotJudged {
    /// What it is, for people: ``the export at `/x` ``.
    pub what: String,
    /// The text as it stands in the file.
    pub text: String,
    /// Whether the plan lacks it; else it stands there with the command as text.
    pub left_out: bool,
    /// `file:line:column` of the value.
    pub origin: String,
}

/// A node's directory: the path to open and what must be found there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeDir {
    /// Absolute path on the host, opened without following links.
    pub path: PathBuf,
    /// Device number of the directory that was checked.
    pub dev: u64,
    /// Inode number of the directory that was checked.
    pub ino: u64,
    /// The generation in force, whose lock is held while the node runs.
    pub generation: Option<u64>,
}

/// A directory to make beneath a node's directory, its missing parents with it; mode 0755 less the umask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewDirectory {
    /// Index into [`LaunchPlan::nodes`].
    pub node: usize,
    /// Relative to that directory.
    pub beneath: PathBuf,
}

/// Which namespaces are new. A mount namespace always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// User namespace; without it the launch needs root.
    pub user: bool,
    /// Process ids: the command is PID 2 below an init of redpak's own.
    pub pid: bool,
    /// Network: only loopback, up.
    pub net: bool,
    /// System V and POSIX queues.
    pub ipc: bool,
    /// Host and domain name.
    pub uts: bool,
    /// Control groups.
    pub cgroup: bool,
}

/// Users and groups of the launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// `uid_map` of the new user namespace; empty without one.
    pub uid_map: Vec<IdRange>,
    /// `gid_map` of the new user namespace; empty without one.
    pub gid_map: Vec<IdRange>,
    /// `setgroups` is denied before `gid_map` is written (required of an unprivileged caller, user_namespaces(7)).
    pub deny_setgroups: bool,
    /// Supplementary groups are dropped (not possible where setgroups is denied).
    pub drop_groups: bool,
    /// User id of the command, inside.
    pub uid: u32,
    /// Group id of the command, inside.
    pub gid: u32,
}

/// One line of an id map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// First id inside.
    pub inside: u32,
    /// First id outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// Options of a tmpfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tmpfs {
    /// Limit in bytes.
    pub size: u64,
    /// Mode of its root directory.
    pub mode: u32,
}

/// A file that is locked while the node runs (fcntl(2), `F_OFD_SETLK` with `F_RDLCK` over the whole file).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLock {
    /// Absolute path inside.
    pub at: PathBuf,
    /// `file:line:column` of the export, for errors.
    pub origin: String,
}

/// One mount (or link, or file) and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path inside. Missing directories and the mount point are made where they lie in the launch's own
    /// tmpfs, and only there.
    pub at: PathBuf,
    /// The group that it is made with. In a strict family that is the node whose configuration asks for it; in a
    /// compatible one the order of the paths counts, not the node: a new group begins only where a source is found in
    /// what was mounted before.
    pub level: usize,
    /// What.
    pub kind: MountKind,
    /// `file:line:column` of the export, for errors.
    pub origin: String,
}

/// What is made at a mount's path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum MountKind {
    /// A recursive bind mount.
    Bind {
        /// What is bound.
        source: Source,
        /// Attributes added, recursively.
        attrs: Attrs,
        /// What the source must be.
        file: FileKind,
    },
    /// Directories laid over each other, flat. One layer without an upper is bound.
    Overlay {
        /// Topmost first.
        layers: Vec<Source>,
        /// Made in a tmpfs layer on top of the others: where other mounts lie below. Relative to `at`.
        mount_points: Vec<(PathBuf, MountPoint)>,
        /// A writable layer: package work only.
        upper: Option<Upper>,
        /// Attributes of the mount.
        attrs: Attrs,
    },
    /// A symbolic link.
    Symlink {
        /// Its text.
        target: String,
    },
    /// An empty directory.
    Directory {
        /// Its mode.
        mode: u32,
    },
    /// A new tmpfs, nosuid and nodev.
    Tmpfs(Tmpfs),
    /// A new procfs, nosuid, nodev, noexec.
    Proc {
        /// Names in it that are mounted on themselves read-only: what the host's root user may write without a
        /// capability (sysctls, `sysrq-trigger`), and root is who runs a launch by root.
        read_only: Vec<String>,
    },
    /// A tmpfs with device nodes bound from the host's `/dev`, its own `pts`, `shm`, and the usual links.
    Dev {
        /// Names below `/dev` that are bound.
        devices: Vec<String>,
        /// Size limit in bytes of `/dev/shm`.
        shm_size: u64,
    },
    /// A file, read-only.
    File {
        /// Its content.
        content: Content,
        /// Its mode.
        mode: u32,
    },
    /// A device node, bound nosuid and noexec. The source must be a character or block device.
    Device {
        /// The device.
        source: Source,
    },
    /// A new mqueue, nosuid, nodev, noexec.
    Mqueue,
}

/// What a file of the launch holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// This text.
    Text(String),
    /// These bytes, which are not UTF-8.
    Bytes(Vec<u8>),
    /// What is read from this descriptor of the caller's until its end, before anything else is done.
    Descriptor(u32),
    /// The output of this command, which was not run: such a plan is for showing, and is refused by the executor.
    Command(String),
}

/// Where something that is mounted is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "from")]
pub enum Source {
    /// On the host, links followed as the host has them.
    Host {
        /// Absolute path.
        path: PathBuf,
    },
    /// Beneath a node's checked directory, no link followed.
    Node {
        /// Index into [`LaunchPlan::nodes`].
        node: usize,
        /// Relative to that directory.
        beneath: PathBuf,
    },
    /// In the tree as built by the levels above (`openat2`, `RESOLVE_IN_ROOT`).
    Tree {
        /// Absolute path inside.
        inside: PathBuf,
        /// Index into [`LaunchPlan::mounts`] of the mount that it must be found in.
        entry: usize,
    },
}

/// What the tmpfs layer of an overlay holds, for what lies below the overlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountPoint {
    /// An empty directory, to mount on.
    Directory,
    /// An empty file, to mount on.
    File,
    /// A symbolic link with this text: it is what is wanted there, nothing is mounted on it.
    Symlink(String),
}

/// The writable layer of an overlay: both directories on one file system, and not below each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upper {
    /// What is written lands here.
    pub upper: Source,
    /// overlayfs's work directory, empty.
    pub work: Source,
}

/// Mount attributes (mount_setattr(2)); they are only ever added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attrs {
    /// `MOUNT_ATTR_RDONLY`
    pub read_only: bool,
    /// `MOUNT_ATTR_NOSUID`
    pub nosuid: bool,
    /// `MOUNT_ATTR_NODEV`
    pub nodev: bool,
    /// `MOUNT_ATTR_NOEXEC`
    pub noexec: bool,
}

/// What a source or mount point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A directory.
    Directory,
    /// Anything else: regular file, socket, FIFO; for a bind that gives no access to devices, a device node too.
    File,
    /// A character or block device.
    Device,
}

/// Capabilities and no_new_privs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// Kept in all five sets, by number (capabilities(7)), ascending; all others are dropped from every set and from
    /// the bounding set.
    pub capabilities: Vec<u8>,
    /// prctl(2) `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
}
