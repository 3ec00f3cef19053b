//! One file, expanded: names replaced, paths absolute and normalised. Still one node's own statements, not merged.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use redpak_diagnostics::{Finding, Place};

use crate::capability::Capability;
use crate::codes;
use crate::config::{
    CapabilityEntry, Config, ExportEntry, ExportMode, Located, NodeConfig, VariableEntry, VariableMode,
};
use crate::effective::{Access, Layer, Origin, Variable, VariableAction};
use crate::expand::{Expanded, Expander};
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
    pub path: Vec<Located<String>>,
    pub ldpath: Vec<Located<String>>,
    pub hostname: Option<Located<String>>,
    pub chdir: Option<Located<String>>,
    pub host_provides: Vec<Located<String>>,
    pub capabilities: Vec<Entry<(Capability, bool)>>,
    pub environ: Vec<Entry<Variable>>,
    pub exports: Vec<Entry<Mounted>>,
    /// What needs no expansion.
    pub config: Config,
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
    Bind { host: PathBuf, access: Access, file: bool },
    Overlay { host: PathBuf },
    Symlink { target: String },
    Anonymous,
    Tmpfs { size: Option<u64> },
    Procfs,
    Devfs,
    Passwd,
    Group,
}

impl What {
    /// Whether it is no directory, whatever its source turns out to be.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::Bind { file: true, .. } | Self::Passwd | Self::Group)
    }

    /// The source on the host, and the access given to it.
    pub fn source(&self) -> Option<(&Path, Access)> {
        match self {
            Self::Bind { host, access, .. } => Some((host, *access)),
            Self::Overlay { host } => Some((host, Access::ReadOnly)),
            _ => None,
        }
    }
}

/// Expands one file.
pub(crate) struct Resolver<'a> {
    pub expander: Expander<'a>,
    pub node: usize,
    pub layer: Layer,
    pub report: &'a mut Report,
}

impl Resolver<'_> {
    pub fn file(&mut self, file: NodeConfig) -> Resolved {
        let NodeConfig { headers, config, environ, exports, .. } = file;
        let capabilities = config.capabilities.iter().map(|entry| self.capability(entry)).collect();
        let environ = environ.into_iter().filter_map(|entry| self.variable(entry)).collect();
        let exports = exports.into_iter().filter_map(|entry| self.export(entry)).collect();
        Resolved {
            head: headers.alias.place,
            rpmdir: self.directory(config.rpmdir.as_ref()),
            persistdir: self.directory(config.persistdir.as_ref()),
            cachedir: self.directory(config.cachedir.as_ref()),
            path: self.list(config.path.as_ref()),
            ldpath: self.list(config.ldpath.as_ref()),
            hostname: self.hostname(config.hostname.as_ref()),
            chdir: self
                .directory(config.chdir.as_ref())
                .map(|path| path.map(|path| path.display().to_string())),
            host_provides: config.host_provides.iter().filter_map(|text| self.provided(text)).collect(),
            capabilities: self.entries_once(capabilities, |(cap, _)| cap.name().to_owned(), "capability"),
            environ: self.entries_once(environ, |variable: &Variable| variable.key.clone(), "variable"),
            exports: self.exports(exports),
            config,
        }
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
                self.error(failure.code, &text.place, failure.message, failure.hint);
                None
            }
        }
    }

    /// A text: an undefined name is a warning.
    fn text(&mut self, text: &Located<String>) -> Option<String> {
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
        Some(expanded.text)
    }

    /// A text that is part of a path: an undefined name is an error.
    fn path_text(&mut self, text: &Located<String>) -> Option<String> {
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
        expanded.undefined.is_empty().then_some(expanded.text)
    }

    fn absolute(&mut self, text: &Located<String>) -> Option<PathBuf> {
        let path = self.path_text(text)?;
        match normalized(&path) {
            Ok(path) => Some(path),
            Err(wrong) => {
                let (code, message, hint) = wrong.words(&path);
                self.error(code, &text.place, message, hint);
                None
            }
        }
    }

    fn directory(&mut self, text: Option<&Located<String>>) -> Option<Located<PathBuf>> {
        let text = text?;
        Some(Located { value: self.absolute(text)?, place: text.place.clone() })
    }

    fn list(&mut self, text: Option<&Located<String>>) -> Vec<Located<String>> {
        let Some(text) = text else { return Vec::new() };
        let Some(list) = self.path_text(text) else { return Vec::new() };
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
        let value = self.text(text)?;
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
        let value = self.text(text)?;
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

    fn optional_text(&mut self, text: Option<&Located<String>>) -> Option<String> {
        self.text(text?)
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
            (VariableMode::Default, Some(value)) => VariableAction::Set(self.text(value)?),
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
        let mount = self.absolute(&entry.mount);
        let what = self.what(&entry);
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

    fn what(&mut self, entry: &ExportEntry) -> Option<What> {
        let path = entry.path.as_ref().unwrap_or(&entry.mount);
        Some(match entry.mode {
            ExportMode::Symlink => What::Symlink { target: self.target(path)? },
            ExportMode::Overlay => What::Overlay { host: self.absolute(path)? },
            ExportMode::Anonymous => What::Anonymous,
            ExportMode::Tmpfs => What::Tmpfs { size: entry.size },
            ExportMode::Procfs => What::Procfs,
            ExportMode::Devfs => What::Devfs,
            ExportMode::Passwd => What::Passwd,
            ExportMode::Group => What::Group,
            mode => What::Bind { access: mode.bind()?, file: mode.is_file(), host: self.absolute(path)? },
        })
    }

    /// A link's text may be relative and hold `..`.
    fn target(&mut self, text: &Located<String>) -> Option<String> {
        let target = self.path_text(text)?;
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
    /// what it shows of the host.
    fn exports(&mut self, exports: Vec<Entry<Mounted>>) -> Vec<Entry<Mounted>> {
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
