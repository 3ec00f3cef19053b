//! One file, expanded: names replaced, paths absolute and normalised. Still one node's own statements, not merged.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use redpak_diagnostics::{Finding, Place};

use crate::capability::Capability;
use crate::codes;
use crate::commands::MAX_FILE;
use crate::config::{
    CapabilityEntry, Config, ExportEntry, ExportMode, Located, NodeConfig, ShareEntries, ShareEntry, Switch,
    VariableEntry, VariableMode,
};
use crate::effective::{Access, Account, Layer, Origin, Share, Unjudged, Variable, VariableAction};
use crate::expand::{Expanded, Expander, Failure};
use crate::parse::Damage;
use crate::paths::{PATH_MAX, Unfit, normalized};
use crate::source::Report;
use crate::walk::short;

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

    fn expanded(&mut self, text: &Located<String>) -> Option<Expanded> {
        match self.expander.expand(&text.value) {
            Ok(expanded) => Some(expanded),
            Err(failure) => {
                self.failed(&text.place, failure);
                None
            }
        }
    }

    fn failed(&mut self, place: &Place, failure: Failure) {
        self.error(failure.code, place, failure.message, failure.hint);
    }

    /// Remembers that a command decides something, and was not run.
    fn not_judged(&mut self, what: &str, text: &Located<String>, left_out: bool) {
        let rest = if left_out { ", nor what depends on it" } else { "" };
        self.report.push(
            Finding::note(codes::NOT_JUDGED, format!("{what} is not judged{rest}: a command decides it"))
                .with_place(text.place.clone())
                .with_hint("commands are run at launch only"),
        );
        let origin = self.origin(&text.place);
        let (what, text) = (what.to_owned(), text.value.clone());
        self.unjudged.push(Unjudged { what, text, left_out, origin });
    }

    /// A text: an undefined name is a warning.
    fn text(&mut self, what: &str, text: &Located<String>) -> Option<String> {
        let expanded = self.expanded(text)?;
        for name in &expanded.undefined {
            self.report.push(
                Finding::warning(
                    codes::UNDEFINED_IN_TEXT,
                    format!("`${name}` is not defined; nothing stands in its place"),
                )
                .with_place(text.place.clone())
                .with_hint("define it, or write `\\$` for a dollar"),
            );
        }
        if expanded.unjudged {
            self.not_judged(what, text, false);
        }
        Some(expanded.text)
    }

    /// As [`Resolver::text`], for what is checked as a whole: `None` when a command decides it.
    fn known_text(&mut self, key: &'static str, text: &Located<String>) -> Option<String> {
        self.part(key, |to| {
            let left_out = to.expanded(text)?.unjudged;
            if left_out {
                to.not_judged(&format!("`{key}`"), text, true);
                to.damage.add(key);
                return None;
            }
            to.text(key, text)
        })
    }

    /// A text that is part of a path: an undefined name is an error.
    /// What a command decides is left out.
    fn path_text(&mut self, what: &str, text: &Located<String>) -> Option<String> {
        let expanded = self.expanded(text)?;
        for name in &expanded.undefined {
            let message = format!("`${name}` is not defined, and this is a path");
            self.error(
                codes::UNDEFINED_IN_PATH,
                &text.place,
                message,
                format!("set {name} in the environment, or write the path out"),
            );
        }
        if expanded.unjudged {
            self.not_judged(what, text, true);
            return None;
        }
        expanded.undefined.is_empty().then_some(expanded.text)
    }

    fn absolute(&mut self, what: &str, text: &Located<String>) -> Option<PathBuf> {
        let path = self.path_text(what, text)?;
        match normalized(&path) {
            Ok(path) => Some(path),
            Err(wrong) => {
                let (code, message, hint) = wrong.words(&path);
                self.error(code, &text.place, message, hint);
                None
            }
        }
    }

    /// As [`Resolver::absolute`], for a key of `config`.
    fn directory(&mut self, key: &'static str, text: Option<&Located<String>>) -> Option<Located<PathBuf>> {
        let text = text?;
        let value = self.absolute(&format!("`{key}`"), text);
        if value.is_none() {
            self.damage.add(key);
        }
        Some(Located { value: value?, place: text.place.clone() })
    }

    fn list(&mut self, key: &'static str, text: Option<&Located<String>>) -> Vec<Located<String>> {
        let Some(text) = text else { return Vec::new() };
        let Some(list) = self.path_text(&format!("`{key}`"), text) else { return Vec::new() };
        let mut items = Vec::new();
        for item in list.split(':') {
            match normalized(item) {
                Ok(path) => {
                    items.push(Located { value: path.display().to_string(), place: text.place.clone() })
                }
                Err(Unfit::Empty) => self.error(
                    codes::EMPTY_ITEM,
                    &text.place,
                    "the list has an empty item, which would stand for the working directory",
                    "remove the doubled, leading or trailing `:`",
                ),
                Err(wrong) => {
                    let (code, message, hint) = wrong.words(item);
                    self.error(code, &text.place, message, hint);
                }
            }
        }
        items
    }

    fn hostname(&mut self, text: Option<&Located<String>>) -> Option<Located<String>> {
        const LONGEST: usize = 64; // sethostname(2)
        let text = text?;
        let value = self.known_text("hostname", text)?;
        let fits = !value.is_empty() && value.len() <= LONGEST;
        if !fits || value.chars().any(|c| c.is_control() || c.is_whitespace() || c == '/') {
            let message = format!("`{}` is no host name", short(&value));
            self.error(
                codes::BAD_HOSTNAME,
                &text.place,
                message,
                "1 to 64 bytes, without blanks and slashes",
            );
            return None;
        }
        Some(Located { value, place: text.place.clone() })
    }

    /// `name` or `name = evr`.
    fn provided(&mut self, text: &Located<String>) -> Option<Located<String>> {
        let value = self.known_text("host-provides", text)?;
        let words: Vec<&str> = value.split_whitespace().collect();
        let control = value.chars().any(char::is_control);
        match words[..] {
            [_] | [_, "=", _] if !control => {
                Some(Located { value: words.join(" "), place: text.place.clone() })
            }
            _ => {
                let message = format!("`{}` is no provide", short(&value));
                self.error(codes::BAD_VALUE, &text.place, message, "write `name`, or `name = version`");
                None
            }
        }
    }

    fn account(&mut self, key: &'static str, text: Option<&Located<String>>) -> Option<Located<Account>> {
        const LONGEST: usize = 256; // LOGIN_NAME_MAX, limits.h
        let text = text?;
        let value = self.known_text(key, text)?;
        let name = |c: char| c.is_alphanumeric() || "_.-$@\\".contains(c);
        let account = match value.bytes().all(|b| b.is_ascii_digit()) {
            true => value.parse().ok().filter(|id| *id != u32::MAX).map(Account::Id),
            false => Some(Account::Name(value.clone())),
        };
        let fits = !value.is_empty() && value.len() <= LONGEST && value.chars().all(name);
        match account.filter(|_| fits && !value.starts_with('-')) {
            Some(account) => Some(Located { value: account, place: text.place.clone() }),
            None => {
                let message = format!("`{key}` does not take `{}`", short(&value));
                self.damage.add(key);
                self.error(codes::BAD_VALUE, &text.place, message, "it takes a name or a number");
                None
            }
        }
    }

    /// A label of a security module.
    fn label(&mut self, key: &'static str, text: Option<&Located<String>>) -> Option<Located<String>> {
        let text = text?;
        let value = self.known_text(key, text)?;
        let plain = !value.is_empty() && !value.chars().any(|c| c.is_control() || c.is_whitespace());
        let (fits, hint) = match key {
            // Linux, admin-guide/LSM/Smack.rst.
            "smack" => (
                value.len() <= 255
                    && value.is_ascii()
                    && !value.starts_with('-')
                    && !value.contains(['/', '"', '\\', '\'']),
                "a Smack label has 1 to 255 characters, no blanks, quotes, `/` and `\\`, and starts with no `-`",
            ),
            "selinux" => (
                value.len() <= PATH_MAX && value.split(':').filter(|part| !part.is_empty()).count() >= 3,
                "an SELinux context is `user:role:type`, with a range behind it where the policy has them",
            ),
            _ => (value.len() <= PATH_MAX, "the name of a profile that is loaded: aa-status(8) lists them"),
        };
        if plain && fits {
            return Some(Located { value, place: text.place.clone() });
        }
        self.damage.add(key);
        self.error(codes::BAD_VALUE, &text.place, format!("`{key}` does not take `{}`", short(&value)), hint);
        None
    }

    fn shares(&mut self, entries: &ShareEntries) -> Shares {
        let all = entries.all.clone().map(|entry| entry.map(stance));
        let mut one = |key, entry: &Option<Located<ShareEntry>>| self.share(key, entry.as_ref());
        Shares {
            all,
            user: one("share_user", &entries.user),
            cgroup: one("share_cgroup", &entries.cgroup),
            net: one("share_net", &entries.net),
            pid: one("share_pid", &entries.pid),
            ipc: one("share_ipc", &entries.ipc),
            time: one("share_time", &entries.time),
        }
    }

    fn share(&mut self, key: &'static str, entry: Option<&Located<ShareEntry>>) -> Option<Located<Stance>> {
        let Located { value, place } = entry?;
        let stance = match value {
            ShareEntry::Switch(switch) => stance(*switch),
            ShareEntry::Join(path) => {
                let text = Located { value: path.clone(), place: place.clone() };
                Stance::Is(Share::Join(self.directory(key, Some(&text))?.value))
            }
        };
        Some(Located { value: stance, place: place.clone() })
    }

    fn optional_text(&mut self, text: Option<&Located<String>>) -> Option<String> {
        self.text("a remark", text?)
    }

    fn capability(&mut self, entry: &CapabilityEntry) -> Entry<(Capability, bool)> {
        Entry {
            value: (entry.cap.value, entry.keep),
            origin: self.origin(&entry.cap.place),
            info: self.optional_text(entry.info.as_ref()),
            warn: self.optional_text(entry.warn.as_ref()),
        }
    }

    fn variable(&mut self, entry: VariableEntry) -> Option<Entry<Variable>> {
        let action = match (entry.mode, &entry.value) {
            (VariableMode::Default, Some(value)) => {
                VariableAction::Set(self.text(&format!("the variable `{}`", entry.key.value), value)?)
            }
            (VariableMode::Execfd, Some(value)) => match self.expander.answer(&value.value) {
                Ok(Some(output)) => VariableAction::Set(output),
                Ok(None) => {
                    self.not_judged(&format!("the variable `{}`", entry.key.value), value, false);
                    VariableAction::Command(value.value.clone())
                }
                Err(failure) => {
                    self.failed(&value.place, failure);
                    return None;
                }
            },
            (VariableMode::Static, Some(value)) => VariableAction::Set(value.value.clone()),
            (VariableMode::Inherit, _) => VariableAction::Inherit,
            (VariableMode::Remove, _) => VariableAction::Remove,
            // Refused by the parser.
            (VariableMode::Default | VariableMode::Static | VariableMode::Execfd, _) => return None,
        };
        Some(Entry {
            origin: self.origin(&entry.key.place),
            value: Variable { key: entry.key.value, action },
            info: self.optional_text(entry.info.as_ref()),
            warn: self.optional_text(entry.warn.as_ref()),
        })
    }

    fn export(&mut self, entry: ExportEntry) -> Option<Entry<Mounted>> {
        let info = self.optional_text(entry.info.as_ref());
        let warn = self.optional_text(entry.warn.as_ref());
        let named = format!("the export at `{}`", short(&entry.mount.value));
        let known = self.unjudged.len();
        let mount = self.absolute(&named, &entry.mount);
        let what = self.what(&named, &entry);
        // What is left out for a command may be what a descendant takes its source from.
        if self.unjudged[known..].iter().any(|unjudged| unjudged.left_out) {
            self.damage.add("exports");
        }
        let mount = mount?;
        if mount == Path::new("/") {
            self.error(
                codes::MOUNT_AT_ROOT,
                &entry.mount.place,
                "an export cannot be mounted at `/`",
                "export the directories below it",
            );
            return None;
        }
        let value = Mounted { mount, mode: entry.mode, what: what?, optional: entry.optional };
        Some(Entry { value, origin: self.origin(&entry.mount.place), info, warn })
    }

    fn what(&mut self, named: &str, entry: &ExportEntry) -> Option<What> {
        let path = entry.path.as_ref().unwrap_or(&entry.mount);
        Some(match entry.mode {
            ExportMode::Symlink => What::Symlink { target: self.target(named, path)? },
            ExportMode::Overlay => What::Overlay { host: self.absolute(named, path)? },
            ExportMode::Anonymous => What::Anonymous,
            ExportMode::Tmpfs => What::Tmpfs { size: entry.size },
            ExportMode::Procfs => What::Procfs,
            ExportMode::Devfs => What::Devfs,
            ExportMode::Passwd => What::Passwd,
            ExportMode::Group => What::Group,
            ExportMode::Mqueue => What::Mqueue,
            ExportMode::Lock => What::Lock,
            ExportMode::Device => What::Device { host: self.absolute(named, path)? },
            // A number, as the parser has seen.
            ExportMode::Internal => What::Internal { descriptor: path.value.parse().ok()? },
            ExportMode::Execfd => self.printed(named, path)?,
            mode => {
                What::Bind { access: mode.bind()?, file: mode.is_file(), host: self.absolute(named, path)? }
            }
        })
    }

    /// The content of a file that a command prints.
    fn printed(&mut self, named: &str, command: &Located<String>) -> Option<What> {
        let output = self.expander.output(&command.value).map(<[u8]>::to_vec);
        if output.as_ref().is_some_and(|output| output.len() > MAX_FILE) {
            let message = format!("what the command `{}` printed is too long", short(&command.value));
            self.error(codes::BAD_OUTPUT, &command.place, message, "a file of a command has at most 1 MiB");
            return None;
        }
        if output.is_none() {
            self.not_judged(named, command, false);
        }
        Some(What::Execfd { command: command.value.clone(), output })
    }

    /// A link's text may be relative and hold `..`.
    fn target(&mut self, named: &str, text: &Located<String>) -> Option<String> {
        let target = self.path_text(named, text)?;
        if target.is_empty() || target.len() >= PATH_MAX || target.chars().any(char::is_control) {
            self.error(
                codes::BAD_PATH,
                &text.place,
                "a link's text is empty, too long, or holds a control character",
                "correct the path",
            );
            return None;
        }
        Some(target)
    }

    /// At one mount path stands one export, and an overlay that is laid over it: the root node's own packages over
    /// what it shows of the host. A lock is beside them: it puts nothing there.
    fn exports(&mut self, exports: Vec<Entry<Mounted>>) -> Vec<Entry<Mounted>> {
        let (locks, exports): (Vec<_>, Vec<_>) =
            exports.into_iter().partition(|entry| entry.value.what == What::Lock);
        let (layers, others): (Vec<_>, Vec<_>) =
            exports.into_iter().partition(|entry| matches!(entry.value.what, What::Overlay { .. }));
        let mount = |export: &Mounted| export.mount.display().to_string();
        let mut exports = self.entries_once(others, mount, "mount path");
        let layers = self.entries_once(layers, mount, "mount path");
        let bases: HashMap<PathBuf, Entry<Mounted>> =
            exports.iter().map(|entry| (entry.value.mount.clone(), entry.clone())).collect();
        for layer in layers {
            match bases.get(&layer.value.mount) {
                Some(base) if !matches!(base.value.what, What::Bind { file: false, .. }) => {
                    self.twice(&layer.origin.place, &base.origin.place, "mount path", &mount(&layer.value));
                }
                _ => exports.push(layer),
            }
        }
        exports.extend(self.entries_once(locks, mount, "lock"));
        exports
    }

    fn entries_once<T: PartialEq>(
        &mut self,
        entries: Vec<Entry<T>>,
        key: impl Fn(&T) -> String,
        what: &str,
    ) -> Vec<Entry<T>> {
        let mut kept: Vec<Entry<T>> = Vec::with_capacity(entries.len());
        let mut seen = HashMap::new();
        for entry in entries {
            match seen.get(&key(&entry.value)) {
                None => {
                    seen.insert(key(&entry.value), kept.len());
                    kept.push(entry);
                }
                Some(&first) if kept[first].value == entry.value => {}
                Some(&first) => {
                    let first = kept[first].origin.place.clone();
                    self.twice(&entry.origin.place, &first, what, &key(&entry.value));
                }
            }
        }
        kept
    }

    fn twice(&mut self, place: &Place, first: &Place, what: &str, name: &str) {
        self.report.push(
            Finding::error(
                codes::DUPLICATE_ENTRY,
                format!("the {what} `{name}` is defined twice, and differently"),
            )
            .with_place(place.clone())
            .with_related("it is defined here first", first.clone())
            .with_hint("keep one of the two entries"),
        );
    }
}
