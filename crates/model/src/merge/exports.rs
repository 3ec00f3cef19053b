//! Exports: the tree is built node by node, root first. Each node's exports are judged against what its ancestors
//! have put there, before its own are added: where their sources lie ([`super::sources`]), and what they may be
//! put over ([`super::over`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;

use super::environ::overridden;
use super::mounts::{MAX_MOUNTS, Placed, Tree};
use super::{Family, over, sources};
use crate::codes;
use crate::effective::{Export, ExportKind, Lies, Source};
use crate::resolve::{Entry, Mounted, What};
use crate::source::Report;

pub(super) fn merge(family: &Family, report: &mut Report) -> Vec<Export> {
    let mut tree = Tree::default();
    for level in 0..family.heads.len() {
        let own = own(family, level, report);
        let (own, private): (Vec<_>, Vec<_>) =
            own.into_iter().partition(|entry| level == family.leaf() || !entry.value.mode.is_private());
        crossings(&own, |path| tree.at(path).last().map(|seen| &tree.get(seen.export).entry), report);
        let mut placed = Vec::with_capacity(own.len());
        for entry in own {
            let lies = sources::lies(family, &tree, level, &entry, report);
            if entry.value.what != What::Lock {
                over::judge(family, &tree, level, &entry, lies.as_ref(), report);
            }
            placed.push(tree.placed(entry, level, lies));
            if tree.len() + placed.iter().map(Placed::mounts).sum::<usize>() > MAX_MOUNTS {
                report.push(too_many(placed.last()));
                return Vec::new();
            }
        }
        for placed in placed {
            tree.add(placed);
        }
        for entry in private {
            tree.hide(&entry);
        }
    }
    tree.into_exports().into_iter().map(export).collect()
}

fn too_many(last: Option<&Placed>) -> Finding {
    let message =
        format!("the tree has more than {MAX_MOUNTS} mounts, counting those that binds bring along");
    let finding = Finding::error(codes::TOO_MANY_MOUNTS, message)
        .with_hint("export directories, not what lies in them");
    match last {
        Some(placed) => finding.with_place(placed.entry.origin.place.clone()),
        None => finding,
    }
}

/// A node's exports by mount path, what an overlay is laid over before it; an admin one replaces the normal ones at
/// the same path.
pub(super) fn own(family: &Family, level: usize, report: &mut Report) -> Vec<Entry<Mounted>> {
    let mut own: BTreeMap<&Path, Vec<&Entry<Mounted>>> = BTreeMap::new();
    for (layer, file) in family.of(level) {
        for entry in &file.exports {
            let there = own.entry(&entry.value.mount).or_default();
            let lock = |entry: &Entry<Mounted>| entry.value.what == What::Lock;
            there.retain(|before| {
                let stays = before.origin.layer == layer || lock(before) != lock(entry);
                if !stays {
                    overridden(before, &entry.origin, report);
                }
                stays
            });
            there.push(entry);
            there.sort_by_key(|entry| matches!(entry.value.what, What::Overlay { .. }));
        }
    }
    own.into_values().flatten().cloned().collect()
}

/// No mount path leads through a link or a file: of the node itself, or of what an ancestor has put at a path. The
/// path of a lock is opened, not mounted at.
pub(super) fn crossings<'t>(
    own: &[Entry<Mounted>],
    inherited: impl Fn(&Path) -> Option<&'t Entry<Mounted>>,
    report: &mut Report,
) {
    let closed = |what: &What| matches!(what, What::Symlink { .. }) || what.is_file();
    let of_node: BTreeMap<&Path, &Entry<Mounted>> = own
        .iter()
        .filter(|entry| closed(&entry.value.what))
        .map(|entry| (entry.value.mount.as_path(), entry))
        .collect();
    for entry in own.iter().filter(|entry| entry.value.what != What::Lock) {
        let crossed = entry.value.mount.ancestors().skip(1).find_map(|path| {
            let above = inherited(path).filter(|entry| closed(&entry.value.what));
            let closed = of_node.get(path).copied().or(above);
            closed.map(|entry| (path, entry))
        });
        if let Some((path, crossed)) = crossed {
            let kind = if crossed.value.what.is_file() { "file" } else { "symbolic link" };
            let message = format!(
                "the mount path {} leads through {}, which is a {kind}",
                entry.value.mount.display(),
                path.display()
            );
            report.push(
                Finding::error(codes::MOUNT_CROSSES_LINK, message)
                    .with_place(entry.origin.place.clone())
                    .with_related(format!("the {kind}"), crossed.origin.place.clone())
                    .with_hint("mount it at the path that is meant"),
            );
        }
    }
}

fn export(placed: Placed) -> Export {
    let Placed { entry, level, lies, .. } = placed;
    made(entry, level, lies)
}

pub(super) fn made(entry: Entry<Mounted>, level: usize, lies: Option<Lies>) -> Export {
    let Entry { value, origin, info, .. } = entry;
    // Without a place for a source there was an error, and nobody sees the value.
    let source = |host: PathBuf| Source { host, lies: lies.unwrap_or(Lies::Host) };
    let kind = match value.what {
        What::Bind { host, access, file } => ExportKind::Bind { source: source(host), access, file },
        What::Overlay { host } => ExportKind::Overlay { source: source(host) },
        What::Symlink { target } => ExportKind::Symlink { target },
        What::Anonymous => ExportKind::Anonymous,
        What::Tmpfs { size } => ExportKind::Tmpfs { size },
        What::Procfs => ExportKind::Procfs,
        What::Devfs => ExportKind::Devfs,
        What::Passwd => ExportKind::Passwd,
        What::Group => ExportKind::Group,
        What::Mqueue => ExportKind::Mqueue,
        What::Device { host } => ExportKind::Device { source: source(host) },
        What::Execfd { command, output } => ExportKind::Execfd { command, output },
        What::Internal { descriptor } => ExportKind::Internal { descriptor },
        What::Lock => ExportKind::Lock,
    };
    let private = value.mode.is_private();
    Export { mount: value.mount, kind, level, private, optional: value.optional, origin, info }
}
