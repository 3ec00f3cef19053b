//! The pass that puts mounts in order: each export at its place, overlays before what lies on them, mount points for
//! what is placed on an overlay, and what is bound again on a later one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;
use redpak_model::effective::{Export, ExportKind};

use super::{Assembly, BIND, Group, OVERLAY, Ready, TMPFS_SIZE};
use crate::codes;
use crate::identity;
use crate::launch_plan::{Attrs, Content, FileKind, Mount, MountKind, MountPoint, Source, Tmpfs};

/// The pass.
pub(super) struct Order<'a> {
    assembly: &'a Assembly<'a>,
    ready: &'a [Ready],
    groups: &'a BTreeMap<&'a Path, Group>,
    /// For each export the mount that shows it.
    entries: Vec<Option<usize>>,
    /// Overlays that are made once, and have been.
    made: BTreeSet<&'a Path>,
    /// The level that mounts of a compatible family go to.
    step: usize,
    mounts: Vec<Mount>,
}

impl<'a> Order<'a> {
    pub(super) fn new(
        assembly: &'a Assembly<'a>,
        ready: &'a [Ready],
        groups: &'a BTreeMap<&'a Path, Group>,
    ) -> Self {
        let entries = vec![None; ready.len()];
        Self { assembly, ready, groups, entries, made: BTreeSet::new(), step: 0, mounts: Vec::new() }
    }

    pub(super) fn run(mut self, findings: &mut Vec<Finding>) -> Vec<Mount> {
        for index in 0..self.ready.len() {
            self.place(index, findings);
        }
        self.mounts
    }

    fn place(&mut self, index: usize, findings: &mut Vec<Finding>) {
        let export = &self.assembly.effective.exports[index];
        if matches!(self.ready[index], Ready::Skipped) {
            return;
        }
        let groups = self.groups;
        for (mount, group) in
            groups.iter().filter(|(mount, group)| group.once && export.mount.starts_with(mount))
        {
            if self.made.insert(mount) {
                self.overlay(group, group.first(), self.level(export), usize::MAX);
            }
        }
        if let Some(group) = groups.get(export.mount.as_path()) {
            let member = group.base == Some(index) || group.overlays.contains(&index);
            if member && group.once {
                return;
            }
            if group.overlays.contains(&index) {
                self.overlay(group, index, self.level(export), export.level);
                return;
            }
        }
        if let Some(kind) = self.kind(index, findings) {
            self.push(index, self.level(export), kind);
        }
    }

    fn level(&self, export: &Export) -> usize {
        if self.assembly.flat { self.step } else { export.level }
    }

    fn push(&mut self, index: usize, level: usize, kind: MountKind) {
        let export = &self.assembly.effective.exports[index];
        self.entries[index] = Some(self.mounts.len());
        self.mounts.push(Mount {
            at: export.mount.clone(),
            level,
            kind,
            origin: export.origin.place.to_string(),
        });
    }

    /// Makes a group's mount, on level `at_level`, out of its members up to `level`.
    fn overlay(&mut self, group: &Group, index: usize, mut at_level: usize, level: usize) {
        let assembly = self.assembly;
        let exports = &assembly.effective.exports;
        let export = &exports[index];
        let members: Vec<usize> = group
            .overlays
            .iter()
            .rev()
            .chain(group.base.iter())
            .copied()
            .filter(|&member| exports[member].level <= level)
            .collect();
        let mut layers: Vec<Source> = members
            .iter()
            .filter(|&&member| !matches!(self.ready[member], Ready::Layer { empty: true, .. }))
            .filter_map(|&member| assembly.layer(member, &self.entries))
            .collect();
        if group.base.is_none()
            && let Some(cover) =
                assembly.covering(self.ready, &export.mount, exports[group.overlays[0]].level)
            && let Some(entry) = self.entries[cover]
        {
            if assembly.flat {
                // The layer is found in what has been mounted so far.
                self.step += 1;
                at_level = self.step;
            }
            layers.push(Source::Tree { inside: export.mount.clone(), entry });
        }
        if layers.is_empty() {
            // What nobody may write when it is full is not writable when it is empty.
            let shown = members
                .iter()
                .find(|&&member| matches!(self.ready[member], Ready::Layer { there: true, .. }));
            layers.extend(shown.and_then(|&member| assembly.layer(member, &self.entries)));
        }
        let kind = if layers.is_empty() {
            MountKind::Directory { mode: 0o755 }
        } else {
            MountKind::Overlay {
                layers,
                mount_points: self.mount_points(&export.mount),
                upper: None,
                attrs: OVERLAY,
            }
        };
        let earlier: Vec<usize> = if group.once { vec![] } else { self.below(&export.mount) };
        self.push(index, at_level, kind);
        for member in members {
            self.entries[member] = self.entries[index];
        }
        for entry in earlier {
            self.bind_again(entry, at_level);
        }
    }

    /// Mounts made so far strictly below `mount`, without those below another of them: a recursive bind has these.
    fn below(&self, mount: &Path) -> Vec<usize> {
        let under = |at: &Path| at != mount && at.starts_with(mount);
        (0..self.mounts.len())
            .filter(|&entry| {
                let at = &self.mounts[entry].at;
                under(at)
                    && !matches!(self.mounts[entry].kind, MountKind::Symlink { .. } | MountKind::Directory { .. })
                    && !self.mounts.iter().any(|other| under(&other.at) && at != &other.at && at.starts_with(&other.at))
                    // Only the last of several at one path is seen.
                    && !self.mounts[entry + 1..].iter().any(|later| &later.at == at)
            })
            .collect()
    }

    fn bind_again(&mut self, entry: usize, level: usize) {
        let (at, origin) = (self.mounts[entry].at.clone(), self.mounts[entry].origin.clone());
        let source = Source::Tree { inside: at.clone(), entry };
        let bind = |file, attrs| MountKind::Bind { source: source.clone(), attrs, file };
        let kind = match &self.mounts[entry].kind {
            MountKind::Bind { file, .. } => bind(*file, BIND),
            MountKind::File { .. } => bind(FileKind::File, BIND),
            // What gives access to devices still does.
            MountKind::Device { .. } => MountKind::Device { source },
            MountKind::Dev { .. } => bind(FileKind::Directory, Attrs { nodev: false, ..BIND }),
            _ => bind(FileKind::Directory, BIND),
        };
        let again = self.mounts.len();
        self.mounts.push(Mount { at, level, kind, origin });
        for shown in &mut self.entries {
            if *shown == Some(entry) {
                *shown = Some(again);
            }
        }
    }

    /// What the tmpfs layer of an overlay at `mount` must hold: one entry for each export that is placed on it.
    fn mount_points(&self, mount: &Path) -> Vec<(PathBuf, MountPoint)> {
        let exports = &self.assembly.effective.exports;
        let mut points: BTreeMap<PathBuf, MountPoint> = BTreeMap::new();
        for (index, export) in exports.iter().enumerate() {
            let Ok(beneath) = export.mount.strip_prefix(mount) else { continue };
            if beneath.as_os_str().is_empty() || matches!(self.ready[index], Ready::Skipped) {
                continue;
            }
            // What lies on another mount in between has its mount point there.
            let between = exports.iter().enumerate().any(|(other, cover)| {
                other != index
                    && cover.mount != *mount
                    && cover.mount.starts_with(mount)
                    && export.mount != cover.mount
                    && export.mount.starts_with(&cover.mount)
                    && !matches!(self.ready[other], Ready::Skipped)
            });
            if between {
                continue;
            }
            points.insert(beneath.to_owned(), mount_point(export, &self.ready[index]));
        }
        points.into_iter().collect()
    }

    /// What shows something strictly above this export and was really mounted.
    fn stands_on_a_mount(&self, export: &Export) -> bool {
        self.mounts
            .iter()
            .filter(|mount| mount.at != export.mount && export.mount.starts_with(&mount.at))
            .max_by_key(|mount| mount.at.components().count())
            .is_some_and(|mount| matches!(mount.kind, MountKind::Bind { .. } | MountKind::Overlay { .. }))
    }

    /// The mount of one export that is no overlay.
    fn kind(&self, index: usize, findings: &mut Vec<Finding>) -> Option<MountKind> {
        let assembly = self.assembly;
        let export = &assembly.effective.exports[index];
        Some(match &export.kind {
            ExportKind::Bind { source, .. } => {
                let Ready::Bind { read_only, kind } = self.ready[index] else { return None };
                let source = assembly.source(export, source, &self.entries)?;
                MountKind::Bind { source, attrs: Attrs { read_only, ..BIND }, file: kind }
            }
            ExportKind::Symlink { target } => {
                if self.stands_on_a_mount(export) {
                    // On an overlay the link is in its tmpfs layer; nothing can be written into anything else.
                    if !self.is_point_of_overlay(export) {
                        findings.push(
                            Finding::error(
                                codes::CANNOT_PLACE,
                                format!(
                                    "the link `{}` would have to be created in what is mounted above it",
                                    export.mount.display()
                                ),
                            )
                            .with_place(export.origin.place.clone())
                            .with_hint(
                                "put the link into that directory, or lay the directory as an Overlay",
                            ),
                        );
                    }
                    return None;
                }
                MountKind::Symlink { target: target.clone() }
            }
            // A directory that must hide what lies under it is a file system of its own.
            ExportKind::Anonymous if self.stands_on_a_mount(export) => {
                MountKind::Tmpfs(Tmpfs { size: TMPFS_SIZE, mode: 0o755 })
            }
            ExportKind::Anonymous => MountKind::Directory { mode: 0o755 },
            ExportKind::Tmpfs { size } => {
                MountKind::Tmpfs(Tmpfs { size: size.unwrap_or(TMPFS_SIZE), mode: tmpfs_mode(&export.mount) })
            }
            ExportKind::Procfs => MountKind::Proc { read_only: assembly.facts.proc_writable.clone() },
            ExportKind::Devfs => {
                MountKind::Dev { devices: assembly.facts.devices.clone(), shm_size: TMPFS_SIZE }
            }
            ExportKind::Passwd => MountKind::File {
                content: Content::Text(identity::passwd(assembly.facts, assembly.ids, assembly.home)),
                mode: 0o644,
            },
            ExportKind::Group => MountKind::File {
                content: Content::Text(identity::group(assembly.facts, assembly.ids)),
                mode: 0o644,
            },
            ExportKind::Execfd { command, output } => {
                MountKind::File { content: content(command, output.as_deref()), mode: 0o644 }
            }
            ExportKind::Internal { descriptor } => {
                MountKind::File { content: Content::Descriptor(*descriptor), mode: 0o644 }
            }
            ExportKind::Device { source } => {
                MountKind::Device { source: assembly.source(export, source, &self.entries)? }
            }
            ExportKind::Mqueue => MountKind::Mqueue,
            // Overlays are placed by their group, and a lock is no mount.
            ExportKind::Overlay { .. } | ExportKind::Lock => return None,
        })
    }

    fn is_point_of_overlay(&self, export: &Export) -> bool {
        self.mounts.iter().any(|mount| match &mount.kind {
            MountKind::Overlay { mount_points, .. } => export
                .mount
                .strip_prefix(&mount.at)
                .is_ok_and(|beneath| mount_points.iter().any(|(point, _)| point == beneath)),
            _ => false,
        })
    }
}

fn mount_point(export: &Export, ready: &Ready) -> MountPoint {
    match (&export.kind, ready) {
        (ExportKind::Symlink { target }, _) => MountPoint::Symlink(target.clone()),
        (
            ExportKind::Passwd
            | ExportKind::Group
            | ExportKind::Execfd { .. }
            | ExportKind::Internal { .. }
            | ExportKind::Device { .. },
            _,
        )
        | (_, Ready::Bind { kind: FileKind::File, .. }) => MountPoint::File,
        _ => MountPoint::Directory,
    }
}

/// What a file holds that a command fills.
fn content(command: &str, output: Option<&[u8]>) -> Content {
    match output.map(|output| (str::from_utf8(output), output)) {
        Some((Ok(text), _)) => Content::Text(text.to_owned()),
        Some((Err(_), bytes)) => Content::Bytes(bytes.to_vec()),
        None => Content::Command(command.to_owned()),
    }
}

/// `/tmp`, `/var/tmp` and `/dev/shm` are for everybody, with the sticky bit.
fn tmpfs_mode(mount: &Path) -> u32 {
    let open = ["/tmp", "/var/tmp", "/dev/shm"].iter().any(|shared| mount == Path::new(shared));
    if open { 0o1777 } else { 0o755 }
}
