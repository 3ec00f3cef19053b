//! One file, expanded: names replaced, paths absolute and normalised. Still one node's own statements, not merged.

mod entries;
mod texts;

use std::path::{Path, PathBuf};

use redpak_diagnostics::{Finding, Place};

use crate::capability::Capability;
use crate::config::{Config, ExportMode, Located, NodeConfig, Switch};
use crate::effective::{Access, Account, Layer, Origin, Share, Unjudged, Variable};
use crate::expand::Expander;
use crate::parse::Damage;
use crate::source::Report;

/// One file of a node, expanded.
pub(crate) struct Resolved {
    /// Where the node is named.
    pub head: Place,
    pub rpmdir: Option<Located<PathBuf>>,
    pub persistdir: Option<Located<PathBuf>>,
    pub cachedir: Option<Located<PathBuf>>,
    pub cgrouproot: Option<Located<PathBuf>>,
    pub path: Vec<Located<String>>,
    pub ldpath: Vec<Located<String>>,
    pub hostname: Option<Located<String>>,
    pub chdir: Option<Located<String>>,
    pub host_provides: Vec<Located<String>>,
    pub set_user: Option<Located<Account>>,
    pub set_group: Option<Located<Account>>,
    pub smack: Option<Located<String>>,
    pub selinux: Option<Located<String>>,
    pub apparmor: Option<Located<String>>,
    pub shares: Shares,
    pub capabilities: Vec<Entry<(Capability, bool)>>,
    pub environ: Vec<Entry<Variable>>,
    pub exports: Vec<Entry<Mounted>>,
    /// What needs no expansion.
    pub config: Config,
    /// What the file says of these is not known, for an error or for a command that was not run.
    pub damage: Damage,
}

/// `share_*` of one file, as they stand: `share_all` is not applied.
#[derive(Default)]
pub(crate) struct Shares {
    pub all: Option<Located<Stance>>,
    pub user: Option<Located<Stance>>,
    pub cgroup: Option<Located<Stance>>,
    pub net: Option<Located<Stance>>,
    pub pid: Option<Located<Stance>>,
    pub ipc: Option<Located<Stance>>,
    pub time: Option<Located<Stance>>,
}

/// What a file says of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stance {
    /// It is this.
    Is(Share),
    /// `unset`.
    Unset,
}

/// An entry of a sequence.
#[derive(Clone, Debug)]
pub(crate) struct Entry<T> {
    pub value: T,
    pub origin: Origin,
    pub info: Option<String>,
    /// Shown when the entry is overridden.
    pub warn: Option<String>,
    /// Where else to point, when it is an export.
    pub pointers: Option<Pointers>,
}

/// Places of an export beside its mount path.
#[derive(Clone, Debug)]
pub(crate) struct Pointers {
    /// Its source: `path`, or `mount` where that is absent.
    pub path: Place,
    pub mode: Place,
}

/// An export, expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mounted {
    pub mount: PathBuf,
    pub mode: ExportMode,
    pub what: What,
    pub optional: bool,
}

/// What an export makes appear; where its source lies is not decided yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Bind {
        host: PathBuf,
        access: Access,
        file: bool,
    },
    Overlay {
        host: PathBuf,
    },
    Symlink {
        target: String,
    },
    Anonymous,
    Tmpfs {
        size: Option<u64>,
    },
    Procfs,
    Mqueue,
    Devfs,
    Device {
        host: PathBuf,
    },
    Passwd,
    Group,
    Execfd {
        command: String,
        output: Option<Vec<u8>>,
    },
    Internal {
        descriptor: u32,
    },
    /// Nothing appears.
    Lock,
}

impl What {
    /// Whether it is no directory, whatever its source turns out to be.
    pub fn is_file(&self) -> bool {
        matches!(
            self,
            Self::Bind { file: true, .. }
                | Self::Passwd
                | Self::Group
                | Self::Device { .. }
                | Self::Execfd { .. }
                | Self::Internal { .. }
        )
    }

    /// The source on the host, and the access given to it.
    pub fn source(&self) -> Option<(&Path, Access)> {
        match self {
            Self::Bind { host, access, .. } => Some((host, *access)),
            Self::Overlay { host } => Some((host, Access::ReadOnly)),
            // No bind widens what a device is: binds of it are nodev.
            Self::Device { host } => Some((host, Access::ReadWrite)),
            _ => None,
        }
    }
}

fn stance(switch: Switch) -> Stance {
    match switch {
        Switch::Enabled => Stance::Is(Share::Shared),
        Switch::Disabled => Stance::Is(Share::Isolated),
        Switch::Unset => Stance::Unset,
    }
}

/// Expands one file.
pub(crate) struct Resolver<'a> {
    pub expander: Expander<'a>,
    pub node: usize,
    pub layer: Layer,
    pub report: &'a mut Report,
    pub unjudged: &'a mut Vec<Unjudged>,
    pub damage: Damage,
}

impl Resolver<'_> {
    pub fn file(mut self, file: NodeConfig) -> Resolved {
        let NodeConfig { headers, config, environ, exports, .. } = file;
        let capabilities = config.capabilities.iter().map(|entry| self.capability(entry)).collect();
        Resolved {
            head: headers.alias.place,
            rpmdir: self.directory("rpmdir", config.rpmdir.as_ref()),
            persistdir: self.directory("persistdir", config.persistdir.as_ref()),
            cachedir: self.directory("cachedir", config.cachedir.as_ref()),
            cgrouproot: self.directory("cgrouproot", config.cgrouproot.as_ref()),
            path: self.list("path", config.path.as_ref()),
            ldpath: self.list("ldpath", config.ldpath.as_ref()),
            hostname: self.hostname(config.hostname.as_ref()),
            chdir: self
                .directory("chdir", config.chdir.as_ref())
                .map(|path| path.map(|path| path.display().to_string())),
            host_provides: config.host_provides.iter().filter_map(|text| self.provided(text)).collect(),
            set_user: self.account("set-user", config.set_user.as_ref()),
            set_group: self.account("set-group", config.set_group.as_ref()),
            smack: self.label("smack", config.smack.as_ref()),
            selinux: self.label("selinux", config.selinux.as_ref()),
            apparmor: self.label("apparmor", config.apparmor.as_ref()),
            shares: self.shares(&config.shares),
            capabilities: self.part("capabilities", |to| {
                to.entries_once(capabilities, |(cap, _)| cap.name().to_owned(), "capability")
            }),
            environ: self.part("environ", |to| {
                let environ = environ.into_iter().filter_map(|entry| to.variable(entry)).collect();
                to.entries_once(environ, |variable: &Variable| variable.key.clone(), "variable")
            }),
            exports: self.part("exports", |to| {
                let exports = exports.into_iter().filter_map(|entry| to.export(entry)).collect();
                to.exports(exports)
            }),
            config,
            damage: self.damage,
        }
    }

    /// Looks at a part of the file; what it is meant to be is not known when there is an error in it.
    fn part<T>(&mut self, key: &'static str, look: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.report.errors();
        let value = look(self);
        if self.report.errors() > before {
            self.damage.add(key);
        }
        value
    }

    fn origin(&self, place: &Place) -> Origin {
        Origin { node: self.node, layer: self.layer, place: place.clone() }
    }

    fn error(
        &mut self,
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.report.push(Finding::error(code, message).with_place(place.clone()).with_hint(hint));
    }
}
