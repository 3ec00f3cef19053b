//! The entries of sequences: capabilities, variables and exports, each once a file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use redpak_diagnostics::{Finding, Place};

use super::{Entry, Mounted, Pointers, Resolver, What};
use crate::capability::Capability;
use crate::codes;
use crate::commands::MAX_FILE;
use crate::config::{CapabilityEntry, ExportEntry, ExportMode, Located, VariableEntry, VariableMode};
use crate::effective::{Variable, VariableAction};
use crate::paths::PATH_MAX;
use crate::walk::short;

impl Resolver<'_> {
    pub(super) fn capability(&mut self, entry: &CapabilityEntry) -> Entry<(Capability, bool)> {
        Entry {
            value: (entry.cap.value, entry.keep),
            origin: self.origin(&entry.cap.place),
            info: self.optional_text(entry.info.as_ref()),
            warn: self.optional_text(entry.warn.as_ref()),
            pointers: None,
        }
    }

    pub(super) fn variable(&mut self, entry: VariableEntry) -> Option<Entry<Variable>> {
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
            pointers: None,
        })
    }

    pub(super) fn export(&mut self, entry: ExportEntry) -> Option<Entry<Mounted>> {
        let info = self.optional_text(entry.info.as_ref());
        let warn = self.optional_text(entry.warn.as_ref());
        let named = format!("the export at `{}`", short(&entry.mount.value));
        let known = self.unjudged.len();
        let mount = self.absolute(&named, &entry.mount);
        let what = self.what(&named, &entry, mount.as_deref());
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
        let path = entry.path.as_ref().unwrap_or(&entry.mount).place.clone();
        let pointers = Some(Pointers { path, mode: entry.mode_place });
        Some(Entry { value, origin: self.origin(&entry.mount.place), info, warn, pointers })
    }

    /// `path` stands for `mount` where it is absent: what is wrong with that is told already.
    fn host(&mut self, named: &str, entry: &ExportEntry, mount: Option<&Path>) -> Option<PathBuf> {
        match &entry.path {
            Some(path) => self.absolute(named, path),
            None => mount.map(Path::to_owned),
        }
    }

    fn what(&mut self, named: &str, entry: &ExportEntry, mount: Option<&Path>) -> Option<What> {
        let path = entry.path.as_ref().unwrap_or(&entry.mount);
        Some(match entry.mode {
            ExportMode::Symlink => What::Symlink { target: self.target(named, path)? },
            ExportMode::Overlay => What::Overlay { host: self.host(named, entry, mount)? },
            ExportMode::Anonymous => What::Anonymous,
            ExportMode::Tmpfs => What::Tmpfs { size: entry.size },
            ExportMode::Procfs => What::Procfs,
            ExportMode::Devfs => What::Devfs,
            ExportMode::Passwd => What::Passwd,
            ExportMode::Group => What::Group,
            ExportMode::Mqueue => What::Mqueue,
            ExportMode::Lock => What::Lock,
            ExportMode::Device => What::Device { host: self.host(named, entry, mount)? },
            // A number, as the parser has seen.
            ExportMode::Internal => What::Internal { descriptor: path.value.parse().ok()? },
            ExportMode::Execfd => self.printed(named, path)?,
            mode => What::Bind {
                access: mode.bind()?,
                file: mode.is_file(),
                host: self.host(named, entry, mount)?,
            },
        })
    }

    /// The content of a file that a command prints.
    pub(super) fn printed(&mut self, named: &str, command: &Located<String>) -> Option<What> {
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
    pub(super) fn target(&mut self, named: &str, text: &Located<String>) -> Option<String> {
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
    pub(super) fn exports(&mut self, exports: Vec<Entry<Mounted>>) -> Vec<Entry<Mounted>> {
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

    pub(super) fn entries_once<T: PartialEq>(
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

    pub(super) fn twice(&mut self, place: &Place, first: &Place, what: &str, name: &str) {
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
