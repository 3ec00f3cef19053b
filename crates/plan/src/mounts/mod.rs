//! Exports to mounts: what is skipped, where sources are opened, how overlays are laid flat, in which order.
//!
//! Overlays. All `Overlay` exports of one mount path, and the directory that an ancestor binds there, are the layers
//! of one mount. It is made once, before the first mount at or below it, unless somebody on a level in between takes a
//! source out of it (or a layer itself lies in the tree): then it is made again at each level, flat from all layers so
//! far, and what is mounted below it is bound again on top.
//!
//! A compatible family has no levels: its exports come in the order of their paths, whatever node they are of, and may
//! all name paths of the host. Overlays of a path are then made once, over what anybody binds there.

mod locks;
mod order;

use std::collections::BTreeMap;
use std::path::Path;

use redpak_diagnostics::Finding;
use redpak_model::effective::{
    Access, Effective, Export, ExportKind, Inheritance, Lies, Source as ModelSource,
};

use self::order::Order;
use crate::codes;
use crate::facts::HostFacts;
use crate::launch_plan::{Attrs, FileKind, FileLock, Ids, Mount, NewDirectory, Source};

/// Size limit of a tmpfs without `size`, and of `/dev/shm` (bytes).
pub const TMPFS_SIZE: u64 = redpak_model::effective::TMPFS_SIZE;
/// Attributes of every bind mount.
const BIND: Attrs = Attrs { read_only: false, nosuid: true, nodev: true, noexec: false };
/// Attributes of an overlay without a writable layer.
pub(crate) const OVERLAY: Attrs = Attrs { read_only: true, ..BIND };

/// What redpak itself believes in a node's directory, beside generations.
const CONFIGURATION: [&str; 5] =
    [".rednode.yaml", "etc/redpak.yaml", "etc/redpack.yaml", "etc/redpak-admin.yaml", "etc/yum.repos.d"];

/// What an export comes to before its place in the order is known.
enum Ready {
    /// Nothing is put at its path: left out, with or without a finding, or a lock.
    Skipped,
    /// Mounted or made; for binds with what the source is and whether it is read-only.
    Bind { read_only: bool, kind: FileKind },
    /// A layer of an overlay; `empty` ones are left out, unless all are and one is there to be shown, read-only.
    Layer { empty: bool, there: bool },
    /// A device node that is there.
    Device,
    /// Everything that has no source.
    Made,
}

/// The members of one overlay, as indices of exports.
#[derive(Default)]
struct Group {
    /// A directory that an ancestor binds at the same path; in a compatible family, that anybody binds there.
    base: Option<usize>,
    /// `Overlay` exports, root's first.
    overlays: Vec<usize>,
    /// One mount serves all levels.
    once: bool,
}

impl Group {
    /// The member whose place in the file stands for the whole.
    fn first(&self) -> usize {
        self.base.unwrap_or(self.overlays[0])
    }
}

/// Computes the mounts of a plan.
pub(crate) struct Assembly<'a> {
    effective: &'a Effective,
    facts: &'a HostFacts,
    strict: bool,
    ids: &'a Ids,
    home: &'a str,
    /// The family is merged by path, not by level.
    flat: bool,
}

/// The outcome: mounts in order, the files that are locked on them, and the directories that are made first.
#[derive(Default)]
pub(crate) struct Assembled {
    pub mounts: Vec<Mount>,
    pub locks: Vec<FileLock>,
    pub new_directories: Vec<NewDirectory>,
}

impl<'a> Assembly<'a> {
    pub fn new(
        effective: &'a Effective,
        facts: &'a HostFacts,
        strict: bool,
        ids: &'a Ids,
        home: &'a str,
    ) -> Self {
        let inheritance = effective.settings.inheritance.as_ref().map(|inheritance| inheritance.value);
        let flat = inheritance == Some(Inheritance::Compatible);
        Self { effective, facts, strict, ids, home, flat }
    }

    pub fn assemble(&self, findings: &mut Vec<Finding>) -> Assembled {
        let mut new_directories = Vec::new();
        let mut ready = Vec::with_capacity(self.effective.exports.len());
        for export in &self.effective.exports {
            let one = self.ready(export, &ready, &mut new_directories, findings);
            ready.push(one);
        }
        let groups = self.groups(&ready);
        let mounts = Order::new(self, &ready, &groups).run(findings);
        let locks = locks::locks(self.effective, &mounts, findings);
        Assembled { mounts, locks, new_directories }
    }

    /// Judges one export: is its source there, may it be written.
    fn ready(
        &self,
        export: &Export,
        before: &[Ready],
        made: &mut Vec<NewDirectory>,
        findings: &mut Vec<Finding>,
    ) -> Ready {
        match &export.kind {
            ExportKind::Bind { source, access, file } => {
                let kind = match self.existing(export, source, before) {
                    // Nobody gets access to a device by an ordinary bind: it is a file like others.
                    Some((FileKind::Device, _)) => FileKind::File,
                    Some((kind, _)) => kind,
                    None if !file && self.can_make(export, source, made) => FileKind::Directory,
                    None => return self.missing(export, source, findings),
                };
                if *file && kind == FileKind::Directory {
                    findings.push(
                        Finding::error(
                            codes::NOT_A_FILE,
                            format!("`{}` is a directory where a file is wanted", source.host.display()),
                        )
                        .with_place(export.origin.place.clone())
                        .with_hint("use Restricted, Public or Private for a directory"),
                    );
                    return Ready::Skipped;
                }
                let mut read_only = *access == Access::ReadOnly;
                let kept = if self.touches_snippet(source) {
                    Some(("what packages own", "packages change with redwrap-dnf"))
                } else if self.is_configuration(source) {
                    Some(("a node's configuration", "what runs in a node may not decide what it may do"))
                } else {
                    None
                };
                if let Some((what, why)) = kept.filter(|_| !read_only) {
                    read_only = true;
                    let message =
                        format!("`{}` holds {what}: it is mounted read-only", source.host.display());
                    findings.push(
                        Finding::warning(codes::SNIPPET_READ_ONLY, message)
                            .with_place(export.origin.place.clone())
                            .with_hint(format!("{why}; keep data below the node's var")),
                    );
                }
                Ready::Bind { read_only, kind }
            }
            ExportKind::Overlay { source } => match self.existing(export, source, before) {
                Some((FileKind::Directory, empty)) => Ready::Layer { empty, there: true },
                Some((FileKind::File | FileKind::Device, _)) => {
                    findings.push(
                        Finding::error(
                            codes::NOT_A_DIRECTORY,
                            format!(
                                "`{}` is not a directory, and an Overlay needs one",
                                source.host.display()
                            ),
                        )
                        .with_place(export.origin.place.clone()),
                    );
                    Ready::Skipped
                }
                // A node without a generation, or without that directory in it, adds nothing there.
                None if matches!(source.lies, Lies::Own { .. }) => Ready::Layer { empty: true, there: false },
                None => self.missing(export, source, findings),
            },
            ExportKind::Device { source } => match self.existing(export, source, before) {
                Some((FileKind::Device, _)) => Ready::Device,
                Some((kind, _)) => {
                    let what = if kind == FileKind::Directory { "a directory" } else { "a file" };
                    findings.push(
                        Finding::error(
                            codes::NOT_A_DEVICE,
                            format!("`{}` is {what}, and no device node", source.host.display()),
                        )
                        .with_place(export.origin.place.clone())
                        .with_hint("name a character or block device, or use Restricted or Public"),
                    );
                    Ready::Skipped
                }
                None => self.missing(export, source, findings),
            },
            ExportKind::Lock => Ready::Skipped,
            _ => Ready::Made,
        }
    }

    fn missing(&self, export: &Export, source: &ModelSource, findings: &mut Vec<Finding>) -> Ready {
        if export.optional {
            return Ready::Skipped;
        }
        let message = format!(
            "`{}` does not exist, or you may not reach it: nothing is mounted at `{}`",
            source.host.display(),
            export.mount.display()
        );
        let finding = if self.strict {
            Finding::error(codes::MISSING_SOURCE, message)
                .with_hint("create it, or say `optional: true` in the export")
        } else {
            Finding::warning(codes::MISSING_SOURCE, message)
                .with_hint("`optional: true` in the export silences this")
        };
        findings.push(finding.with_place(export.origin.place.clone()));
        Ready::Skipped
    }

    /// What stands at a source, and whether it is an empty directory.
    fn existing(&self, export: &Export, source: &ModelSource, before: &[Ready]) -> Option<(FileKind, bool)> {
        match &source.lies {
            Lies::Host => self.facts.host.get(&source.host).map(|kind| (*kind, false)),
            Lies::Own { beneath } => {
                let node = self.facts.nodes.get(export.level)?;
                node.own.get(&node.resolve(beneath)).map(|fact| (fact.kind, fact.empty))
            }
            Lies::Inherited { export: entry, .. } => match before.get(*entry)? {
                Ready::Skipped => None,
                _ => self.facts.host.get(&source.host).map(|kind| (*kind, false)),
            },
        }
    }

    /// A missing directory below the node's own directory is made; never one in a generation.
    fn can_make(&self, export: &Export, source: &ModelSource, made: &mut Vec<NewDirectory>) -> bool {
        let Lies::Own { beneath } = &source.lies else { return false };
        let beneath = self.facts.nodes[export.level].resolve(beneath);
        if beneath.starts_with(".redpak") || beneath.as_os_str().is_empty() {
            return false;
        }
        made.push(NewDirectory { node: export.level, beneath });
        true
    }

    /// Whether writing there could reach a generation of the family: a source above, at or below one.
    fn touches_snippet(&self, source: &ModelSource) -> bool {
        if source.host.components().any(|part| part.as_os_str() == ".redpak") {
            return true;
        }
        self.effective.nodes.iter().zip(&self.facts.nodes).any(|(head, node)| {
            head.redpath.join(".redpak").starts_with(&source.host)
                || source
                    .host
                    .strip_prefix(&head.redpath)
                    .is_ok_and(|beneath| node.resolve(beneath).starts_with(".redpak"))
        })
    }

    /// Whether writing there could change what a node of the family is launched with: its status, configuration and
    /// repositories. What lies above them lies above a generation's place too.
    fn is_configuration(&self, source: &ModelSource) -> bool {
        self.effective.nodes.iter().any(|head| {
            let Ok(beneath) = source.host.strip_prefix(&head.redpath) else { return false };
            beneath == Path::new("etc") || CONFIGURATION.iter().any(|own| beneath.starts_with(own))
        })
    }

    fn groups(&self, ready: &[Ready]) -> BTreeMap<&'a Path, Group> {
        let exports = &self.effective.exports;
        let mut groups: BTreeMap<&Path, Group> = BTreeMap::new();
        for (index, export) in exports.iter().enumerate() {
            if matches!(ready[index], Ready::Layer { .. }) {
                groups.entry(&export.mount).or_default().overlays.push(index);
            }
        }
        for (mount, group) in &mut groups {
            group.overlays.sort_by_key(|&index| exports[index].level);
            let first = exports[group.overlays[0]].level;
            let last = exports[group.overlays[group.overlays.len() - 1]].level;
            group.base = (0..exports.len()).rev().find(|&index| {
                // A root node may lay its own packages over what it shows of the host, in one file.
                exports[index].mount == **mount
                    && (self.flat || exports[index].level <= first)
                    && matches!(ready[index], Ready::Bind { kind: FileKind::Directory, .. })
            });
            let members: Vec<usize> = group.base.into_iter().chain(group.overlays.iter().copied()).collect();
            let in_tree =
                members.iter().any(|&index| matches!(lies(&exports[index]), Some(Lies::Inherited { .. })));
            let read_between = exports.iter().any(|export| {
                export.level <= last
                    && matches!(lies(export), Some(Lies::Inherited { export: entry, .. }) if members.contains(entry))
            });
            let covered = group.base.is_none() && self.covering(ready, mount, first).is_some();
            group.once = self.flat || !in_tree && !read_between && !covered;
        }
        groups
    }

    /// The nearest export of a level below `level` (in a compatible family: of any) that is mounted strictly above
    /// `mount` and shows something there.
    fn covering(&self, ready: &[Ready], mount: &Path, level: usize) -> Option<usize> {
        let exports = &self.effective.exports;
        let nearest = (0..exports.len())
            .filter(|&index| {
                let export = &exports[index];
                (self.flat || export.level < level)
                    && mount != export.mount
                    && mount.starts_with(&export.mount)
                    && !matches!(ready[index], Ready::Skipped)
                    && !matches!(export.kind, ExportKind::Symlink { .. })
            })
            .max_by_key(|&index| (exports[index].mount.components().count(), exports[index].level))?;
        matches!(exports[nearest].kind, ExportKind::Bind { .. } | ExportKind::Overlay { .. })
            .then_some(nearest)
    }

    fn layer(&self, index: usize, entries: &[Option<usize>]) -> Option<Source> {
        let export = &self.effective.exports[index];
        self.source(export, source_of(export)?, entries)
    }

    fn source(&self, export: &Export, source: &ModelSource, entries: &[Option<usize>]) -> Option<Source> {
        Some(match &source.lies {
            Lies::Host => Source::Host { path: source.host.clone() },
            Lies::Own { beneath } => {
                Source::Node { node: export.level, beneath: self.facts.nodes[export.level].resolve(beneath) }
            }
            Lies::Inherited { export: entry, inside } => {
                Source::Tree { inside: inside.clone(), entry: entries[*entry]? }
            }
        })
    }
}

/// The source of an export that has one.
fn source_of(export: &Export) -> Option<&ModelSource> {
    match &export.kind {
        ExportKind::Bind { source, .. } | ExportKind::Overlay { source } | ExportKind::Device { source } => {
            Some(source)
        }
        _ => None,
    }
}

fn lies(export: &Export) -> Option<&Lies> {
    source_of(export).map(|source| &source.lies)
}
