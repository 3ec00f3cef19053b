//! Where the source of an export lies: in the node's own directory, in what an ancestor exports, or, for the root
//! node, on the host. Everything else is an error.

use std::path::{Path, PathBuf};

use redpak_diagnostics::{Finding, Place};

use super::Family;
use super::mounts::{Placed, Tree};
use crate::codes;
use crate::effective::{Access, Lies, Origin};
use crate::paths;
use crate::resolve::{Entry, Mounted, What};
use crate::source::Report;

/// Decides where an export's source lies. `None` when it has none, or when there is an error.
pub(super) fn lies(
    family: &Family,
    tree: &Tree,
    level: usize,
    entry: &Entry<Mounted>,
    report: &mut Report,
) -> Option<Lies> {
    if let (What::Internal { .. }, true) = (&entry.value.what, level > 0) {
        descriptor(family, entry, report);
        return None;
    }
    let (host, access) = entry.value.what.source()?;
    if let What::Device { host } = &entry.value.what {
        return device(family, tree, level, entry, host, report);
    }
    if let Some(beneath) = paths::beneath(host, &family.heads[level].redpath) {
        return Some(Lies::Own { beneath: beneath.to_owned() });
    }
    if level == 0 {
        return Some(Lies::Host);
    }
    match inherited(tree, &entry.value, host, access) {
        Ok(lies) => Some(lies),
        Err(why) => {
            // An ancestor's export that is not known may be the one that shows it.
            if !family.doubtful(level, "exports") {
                report.error(|| complaint(family, tree, entry, host, &why));
            }
            None
        }
    }
}

/// A descriptor is neither the node's own nor exported by an ancestor: it is the caller's.
fn descriptor(family: &Family, entry: &Entry<Mounted>, report: &mut Report) {
    let message = format!(
        "the mode `Internal` stands in `{}`, and only the root node `{}` may read the caller's descriptors",
        family.alias(entry.origin.node),
        family.alias(0)
    );
    report.push(
        Finding::error(codes::ROOT_ONLY, message)
            .with_place(mode(entry))
            .with_related("the root node", family.files[0].normal.head.clone())
            .with_hint("remove the entry, or move it to the root node's file: descendants see the file"),
    );
}

/// Where a device lies: of the root node on the host, else in an ancestor's export of the very device.
fn device(
    family: &Family,
    tree: &Tree,
    level: usize,
    entry: &Entry<Mounted>,
    host: &Path,
    report: &mut Report,
) -> Option<Lies> {
    if level == 0 {
        return Some(Lies::Host);
    }
    let shown = tree.of_source(host).iter().rev().copied();
    let devices = shown.filter(|export| matches!(tree.get(*export).what(), What::Device { .. }));
    let mut covered = None;
    for export in devices {
        let inside = tree.get(export).mount();
        match cover(tree, export, inside) {
            None => return Some(Lies::Inherited { export, inside: inside.to_owned() }),
            Some((over, at)) => covered = Some(Why::Covered(export, over, at.to_owned())),
        }
    }
    if family.doubtful(level, "exports") {
        return None;
    }
    match covered {
        Some(why) => report.error(|| complaint(family, tree, entry, host, &why)),
        None => report.error(|| no_device(family, tree, entry, host)),
    }
    None
}

fn no_device(family: &Family, tree: &Tree, entry: &Entry<Mounted>, host: &Path) -> Finding {
    let (node, path) = (family.alias(entry.origin.node), host.display());
    let message = format!("`{node}` exports the device {path}, which no ancestor exports as a `Device`");
    let finding = Finding::error(codes::DEVICE_NOT_EXPORTED, message).with_place(source(entry));
    let bound = host.ancestors().find_map(|source| tree.of_source(source).last().copied());
    match bound {
        Some(export) => {
            let placed = tree.get(export);
            finding
                .with_related(
                    format!(
                        "`{}` exports it here as {}, where devices have no effect",
                        family.alias(placed.level),
                        placed.entry.value.mode.word()
                    ),
                    placed.entry.origin.place.clone(),
                )
                .with_hint(format!("`{}` would have to export it with the mode `Device`", family.alias(0)))
        }
        None => finding.with_related("the root node", family.files[0].normal.head.clone()).with_hint(
            format!("the root node `{}` would have to export it with the mode `Device`", family.alias(0)),
        ),
    }
}

/// Why an inherited source cannot be had.
enum Why {
    /// No ancestor exports it.
    NotExported,
    /// This export gives less access.
    Access(usize),
    /// What this export shows is covered by that one, at this path.
    Covered(usize, usize, PathBuf),
    /// It would be a layer, and this export is mounted below it, at this path.
    Layer(Origin, PathBuf),
}

/// An export that shows the source, and what is left of the source's path behind the export's.
struct Candidate<'p> {
    export: usize,
    rest: &'p Path,
}

/// The export that shows the source with enough access.
fn inherited(tree: &Tree, value: &Mounted, host: &Path, access: Access) -> Result<Lies, Why> {
    let layer = matches!(value.what, What::Overlay { .. });
    let mut first = None;
    for Candidate { export, rest } in candidates(tree, host, &value.mount) {
        let shown = tree.get(export);
        if shown.what().source().is_some_and(|(_, given)| access > given) {
            first.get_or_insert(Why::Access(export));
            continue;
        }
        let inside = paths::joined(shown.mount(), rest);
        let refused = if let Some((cover, at)) = cover(tree, export, &inside) {
            Why::Covered(export, cover, at.to_owned())
        } else if let Some((at, below)) = tree.below(&inside).filter(|_| layer) {
            // A layer shows what lies under the mounts in it: what an ancestor has put out of sight.
            Why::Layer(below.entry.origin.clone(), at.to_owned())
        } else {
            return Ok(Lies::Inherited { export, inside });
        };
        first.get_or_insert(refused);
    }
    Err(first.unwrap_or(Why::NotExported))
}

/// Exports that show the source: first the one that shows it at the very mount path, then those with the longest
/// source, of those the latest. Overlays that show other layers with it are the last resort.
fn candidates<'t>(tree: &'t Tree, host: &'t Path, mount: &'t Path) -> impl Iterator<Item = Candidate<'t>> {
    let in_place = tree.governing(mount).filter(|(_, seen)| seen.export == seen.by).and_then(|(at, seen)| {
        let (source, _) = tree.get(seen.export).what().source()?;
        let rest = paths::beneath(mount, at)?;
        (paths::joined(source, rest) == host).then_some(Candidate { export: seen.export, rest })
    });
    let elsewhere = move |merged: bool| {
        host.ancestors().flat_map(move |source| {
            let rest = paths::beneath(host, source).unwrap_or(Path::new(""));
            let exports = tree.of_source(source).iter().rev().copied();
            exports
                .filter(move |export| tree.get(*export).merged == merged)
                .map(move |export| Candidate { export, rest })
        })
    };
    in_place.into_iter().chain(elsewhere(false)).chain(elsewhere(true))
}

/// A mount at or above `inside` by which the tree shows something else there than `export` does, and where it is.
fn cover<'p>(tree: &Tree, export: usize, inside: &'p Path) -> Option<(usize, &'p Path)> {
    let mount = tree.get(export).mount();
    let covers = |path: &'p Path| {
        let below = path != mount && path.starts_with(mount);
        let over = tree.at(path).iter().find(|seen| {
            // Mounts below a layer are bound again on the assembled tree.
            let bound_again = path != mount && matches!(tree.get(seen.by).what(), What::Overlay { .. });
            // Whatever is mounted below an export that is seen lies on top of it, however it came there.
            below || (seen.by > export && !bound_again)
        });
        over.map(|seen| (seen.export, path))
    };
    inside.ancestors().find_map(covers)
}

fn complaint(family: &Family, tree: &Tree, entry: &Entry<Mounted>, host: &Path, why: &Why) -> Finding {
    let host = host.display();
    let shown = |placed: &Placed| {
        let (alias, word) = (family.alias(placed.level), placed.entry.value.mode.word());
        format!("`{alias}` exports it here, {word}, at {}", placed.mount().display())
    };
    let finding = match why {
        Why::NotExported => {
            let node = family.alias(entry.origin.node);
            let finding = Finding::error(
                codes::SOURCE_NOT_EXPORTED,
                format!(
                    "the source {host} is neither in the directory of `{node}` nor in what an ancestor exports"
                ),
            );
            match tree.hidden(entry.value.what.source().map_or(Path::new("/"), |(host, _)| host)) {
                Some(origin) => finding
                    .with_related("an ancestor exports it for itself only", origin.place.clone())
                    .with_hint(
                        "make the ancestor's export one that its descendants see (`Restricted`, `Public`)",
                    ),
                None => finding.with_related("the root node", family.files[0].normal.head.clone()).with_hint(
                    format!(
                        "the root node `{}` would have to export {host}, or a directory above it; what is the node's own \
                         starts with `$NODE_PATH/`",
                        family.alias(0)
                    ),
                ),
            }
        }
        Why::Access(export) => {
            let placed = tree.get(*export);
            Finding::error(
                codes::ACCESS_WIDENED,
                format!("{host} would be writable, and an ancestor exports it read-only"),
            )
            .with_related(shown(placed), placed.entry.origin.place.clone())
            .with_hint("use the mode `Restricted` (or `PrivateRestricted`, `RestrictedFile`)")
        }
        Why::Layer(origin, at) => {
            let message = format!("{host} cannot be a layer: {} is mounted below it", at.display());
            Finding::error(codes::LAYER_WITH_MOUNTS, message)
                .with_related(
                    format!("`{}` exports it here", family.alias(origin.node)),
                    origin.place.clone(),
                )
                .with_hint(
                    "lay the directories beside it over one by one, or bind it with the mode `Restricted`",
                )
        }
        Why::Covered(export, cover, at) => {
            let (placed, over) = (tree.get(*export), tree.get(*cover));
            let message = format!("the source {host} cannot be reached: {} is mounted over it", at.display());
            Finding::error(codes::SOURCE_COVERED, message)
                .with_related(shown(placed), placed.entry.origin.place.clone())
                .with_related(
                    format!("`{}` covers it here", family.alias(over.level)),
                    over.entry.origin.place.clone(),
                )
                .with_hint("have an ancestor export it at another path too")
        }
    };
    finding.with_place(match why {
        Why::Access(_) => mode(entry),
        _ => source(entry),
    })
}

/// Where an export says its source.
fn source(entry: &Entry<Mounted>) -> Place {
    entry.pointers.as_ref().map_or(&entry.origin.place, |pointers| &pointers.path).clone()
}

/// Where an export says its mode.
fn mode(entry: &Entry<Mounted>) -> Place {
    entry.pointers.as_ref().map_or(&entry.origin.place, |pointers| &pointers.mode).clone()
}
