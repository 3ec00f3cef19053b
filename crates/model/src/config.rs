//! One file, parsed and checked: values with their places. Names are not replaced yet, and no other file is known.

use redpak_diagnostics::Place;
use serde::Serialize;

use crate::capability::Capability;
use crate::commands::Output;
use crate::effective::{Access, CallAction, Inheritance, Layer, Rlimit};
use crate::pieces;
use crate::schema;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<T> Located<T> {
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: change(self.value), place: self.place }
    }
}

/// One of a node's two files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeConfig {
    /// Which of the two.
    pub layer: Layer,
    /// `headers`.
    pub headers: Headers,
    /// `config`.
    pub config: Config,
    /// `environ`, in the file's order.
    pub environ: Vec<VariableEntry>,
    /// `exports`, in the file's order.
    pub exports: Vec<ExportEntry>,
}

/// `headers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Headers {
    /// The node's name.
    pub alias: Located<String>,
    /// A UUID given at creation.
    pub name: Option<Located<String>>,
    /// Free text.
    pub info: Option<Located<String>>,
}

/// `enabled`, `disabled` or `unset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// On; of a namespace: shared.
    Enabled,
    /// Off; of a namespace: isolated.
    Disabled,
    /// No statement; of a namespace: the choice is left to the descendants.
    Unset,
}

/// `config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Config {
    /// RPM database.
    pub rpmdir: Option<Located<String>>,
    /// Package manager state.
    pub persistdir: Option<Located<String>>,
    /// Download cache.
    pub cachedir: Option<Located<String>>,
    /// Program search path, separated by `:`.
    pub path: Option<Located<String>>,
    /// Library search path, separated by `:`.
    pub ldpath: Option<Located<String>>,
    /// File mode creation mask.
    pub umask: Option<Located<u32>>,
    /// The user is root inside.
    pub map_root_user: Option<Located<bool>>,
    /// Verbosity.
    pub verbose: Option<Located<i64>>,
    /// Package signatures are verified.
    pub gpgcheck: Option<Located<bool>>,
    /// The moved-node check is skipped.
    pub r#unsafe: Option<Located<bool>>,
    /// The caller's whole environment is passed on.
    pub inherit_env: Option<Located<bool>>,
    /// The command dies with redwrap's parent.
    pub die_with_parent: Option<Located<Switch>>,
    /// The command gets a session of its own.
    pub new_session: Option<Located<Switch>>,
    /// `share_*`, by key.
    pub shares: ShareEntries,
    /// Host name inside.
    pub hostname: Option<Located<String>>,
    /// Working directory inside.
    pub chdir: Option<Located<String>>,
    /// `capabilities`, in the file's order.
    pub capabilities: Vec<CapabilityEntry>,
    /// What the host provides, as RPM dependency texts.
    pub host_provides: Vec<Located<String>>,
    /// How the family is merged.
    pub inheritance: Option<Located<Inheritance>>,
    /// Name or number of a user.
    pub set_user: Option<Located<String>>,
    /// Name or number of a group.
    pub set_group: Option<Located<String>>,
    /// Smack label.
    pub smack: Option<Located<String>>,
    /// SELinux exec context.
    pub selinux: Option<Located<String>>,
    /// AppArmor profile.
    pub apparmor: Option<Located<String>>,
    /// Seconds added to `CLOCK_MONOTONIC` in a new time namespace.
    pub monotonic: Option<Located<i64>>,
    /// Seconds added to `CLOCK_BOOTTIME` in a new time namespace.
    pub boottime: Option<Located<i64>>,
    /// The control group below which the family's are made.
    pub cgrouproot: Option<Located<String>>,
    /// Files of the node's control group and what is written to them.
    pub cgroups: Vec<(&'static str, Located<String>)>,
    /// System call filter.
    pub seccomp: Option<Located<SeccompEntry>>,
    /// Landlock rules.
    pub landlock: Option<Located<LandlockEntry>>,
    /// Resource limits by name, in the order of the schema.
    pub rlimits: Vec<(&'static str, Located<Rlimit>)>,
    /// Keys that stand in this file and that the root node alone may set.
    pub root_only: Vec<Located<&'static str>>,
}

/// `share_*` of one file, as they stand: `share_all` is not applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShareEntries {
    /// Default of the others, time excepted.
    pub all: Option<Located<Switch>>,
    /// User namespace.
    pub user: Option<Located<ShareEntry>>,
    /// Control group namespace.
    pub cgroup: Option<Located<ShareEntry>>,
    /// Network namespace.
    pub net: Option<Located<ShareEntry>>,
    /// Process id namespace.
    pub pid: Option<Located<ShareEntry>>,
    /// System V and POSIX queue namespace.
    pub ipc: Option<Located<ShareEntry>>,
    /// Time namespace.
    pub time: Option<Located<ShareEntry>>,
}

/// A namespace as a file says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShareEntry {
    /// Shared, isolated, or left to the descendants.
    Switch(Switch),
    /// The path of a namespace to join.
    Join(String),
}

/// `seccomp` of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeccompEntry {
    /// For calls that no rule names; all are allowed without it.
    pub default: Option<Located<CallAction>>,
    /// The rules, in the file's order.
    pub rules: Vec<CallRuleEntry>,
}

/// One entry of `seccomp.rules`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallRuleEntry {
    /// Names of calls and groups.
    pub calls: Vec<Located<String>>,
    /// What becomes of them.
    pub action: CallAction,
    /// Free text.
    pub info: Option<Located<String>>,
}

/// `landlock` of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LandlockEntry {
    /// The ABI that the kernel must have at least.
    pub abi: Option<Located<i64>>,
    /// What the mounts allow is said again.
    pub files: Option<Located<Switch>>,
    /// TCP ports that may be bound.
    pub tcp_bind: Option<Located<Vec<u16>>>,
    /// TCP ports that may be connected to.
    pub tcp_connect: Option<Located<Vec<u16>>>,
    /// Abstract sockets outside may be connected to.
    pub abstract_sockets: Option<Located<Switch>>,
    /// Processes outside may be signalled.
    pub signals: Option<Located<Switch>>,
}

/// One entry of `capabilities`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CapabilityEntry {
    /// Which.
    pub cap: Located<Capability>,
    /// Kept or dropped.
    pub keep: bool,
    /// Free text.
    pub info: Option<Located<String>>,
    /// Shown when the entry is overridden.
    pub warn: Option<Located<String>>,
}

/// How a variable gets its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum VariableMode {
    /// The value, names replaced.
    #[default]
    Default,
    /// The value as it stands.
    Static,
    /// The output of a command.
    Execfd,
    /// The caller's value.
    Inherit,
    /// None.
    Remove,
}

/// One entry of `environ`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VariableEntry {
    /// Name of the variable.
    pub key: Located<String>,
    /// How it gets its value.
    pub mode: VariableMode,
    /// Its value; there in the modes that take one.
    pub value: Option<Located<String>>,
    /// Free text.
    pub info: Option<Located<String>>,
    /// Shown when the entry is overridden.
    pub warn: Option<Located<String>>,
}

/// What an export makes appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the words of the configuration language, explained in its table")]
pub enum ExportMode {
    Restricted,
    Public,
    PrivateRestricted,
    Private,
    RestrictedFile,
    PublicFile,
    PrivateFile,
    Symlink,
    Execfd,
    Internal,
    Anonymous,
    Tmpfs,
    Procfs,
    Mqueue,
    Devfs,
    Lock,
    Overlay,
    Device,
    Passwd,
    Group,
}

impl ExportMode {
    /// The word for it in files.
    pub fn word(self) -> &'static str {
        schema::EXPORT_MODES.iter().find(|(_, mode)| *mode == self).map_or("?", |(word, _)| *word)
    }

    /// The access that a bind of this mode gives; `None` when it is no bind.
    pub fn bind(self) -> Option<Access> {
        match self {
            Self::Restricted | Self::PrivateRestricted | Self::RestrictedFile => Some(Access::ReadOnly),
            Self::Public | Self::Private | Self::PublicFile | Self::PrivateFile => Some(Access::ReadWrite),
            _ => None,
        }
    }

    /// Whether it is seen in the node itself only.
    pub fn is_private(self) -> bool {
        matches!(self, Self::PrivateRestricted | Self::Private | Self::PrivateFile)
    }

    /// Whether its source must be a file.
    pub fn is_file(self) -> bool {
        matches!(self, Self::RestrictedFile | Self::PublicFile | Self::PrivateFile)
    }

    /// Whether `path` names something that is opened, and may be missing.
    pub(crate) fn has_source(self) -> bool {
        self.bind().is_some() || matches!(self, Self::Overlay | Self::Device)
    }

    /// Whether `path` may stand there.
    pub(crate) fn takes_path(self) -> bool {
        self.has_source() || matches!(self, Self::Symlink | Self::Execfd | Self::Internal)
    }
}

/// One entry of `exports`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportEntry {
    /// Path inside the launched node.
    pub mount: Located<String>,
    /// What appears there.
    pub mode: ExportMode,
    /// Where the mode stands.
    pub mode_place: Place,
    /// Where from; absent it is `mount`.
    pub path: Option<Located<String>>,
    /// Free text.
    pub info: Option<Located<String>>,
    /// Shown when the entry is overridden.
    pub warn: Option<Located<String>>,
    /// A missing source is no warning.
    pub optional: bool,
    /// Limit in bytes.
    pub size: Option<u64>,
}

impl NodeConfig {
    /// Hands each command of the file over, in its order: text, what becomes of its output, and place.
    pub(crate) fn commands(&self, mut take: impl FnMut(&str, Output, &Place)) {
        let mut within = |text: &Located<String>| {
            for command in pieces::commands(&text.value) {
                take(command, Output::Text, &text.place);
            }
        };
        let Config { path, ldpath, hostname, chdir, rpmdir, persistdir, cachedir, cgrouproot, .. } =
            &self.config;
        let Config { set_user, set_group, smack, selinux, apparmor, .. } = &self.config;
        let scalars = [path, ldpath, hostname, chdir, rpmdir, persistdir, cachedir, cgrouproot];
        let rights = [set_user, set_group, smack, selinux, apparmor];
        scalars.into_iter().chain(rights).flatten().for_each(&mut within);
        self.config.shares.joined().for_each(|path| within(&path));
        self.config.host_provides.iter().for_each(&mut within);
        for entry in &self.config.capabilities {
            [&entry.info, &entry.warn].into_iter().flatten().for_each(&mut within);
        }
        for entry in &self.environ {
            [&entry.info, &entry.warn].into_iter().flatten().for_each(&mut within);
            if entry.mode == VariableMode::Default {
                entry.value.iter().for_each(&mut within);
            }
        }
        for entry in &self.exports {
            [&entry.info, &entry.warn].into_iter().flatten().for_each(&mut within);
            within(&entry.mount);
            if !matches!(entry.mode, ExportMode::Execfd | ExportMode::Internal) {
                entry.path.iter().for_each(&mut within);
            }
        }
        for value in self.environ.iter().filter(|entry| entry.mode == VariableMode::Execfd) {
            value.value.iter().for_each(|text| take(&text.value, Output::Text, &text.place));
        }
        for path in self.exports.iter().filter(|entry| entry.mode == ExportMode::Execfd) {
            path.path.iter().for_each(|text| take(&text.value, Output::File, &text.place));
        }
    }
}

impl ShareEntries {
    /// Paths of namespaces to join.
    fn joined(&self) -> impl Iterator<Item = Located<String>> {
        let all = [&self.user, &self.cgroup, &self.net, &self.pid, &self.ipc, &self.time];
        all.into_iter().flatten().filter_map(|entry| match &entry.value {
            ShareEntry::Join(path) => Some(Located { value: path.clone(), place: entry.place.clone() }),
            ShareEntry::Switch(_) => None,
        })
    }
}
