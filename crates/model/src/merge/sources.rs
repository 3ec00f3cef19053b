//! Where the source of an export lies: in the node's own directory, in what an ancestor exports, or, for the root
//! node, on the host. Everything else is an error.

use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;

use super::Family;
use super::exports::{Placed, Tree};
use crate::codes;
use crate::effective::{Access, Lies};
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
    let (host, access) = entry.value.what.source()?;
    if let Some(beneath) = paths::beneath(host, &family.heads[level].redpath) {
        return Some(Lies::Own { beneath: beneath.to_owned() });
    }
    if level == 0 {
        return Some(Lies::Host);
    }
    match inherited(tree, host, access, &entry.value.mount) {
        Ok(lies) => Some(lies),
        Err(why) => {
            report.push(complaint(family, tree, entry, host, &why));
            None
        }
    }
}

/// Why an inherited source cannot be had.
enum Why {
    /// No ancestor exports it.
    NotExported,
    /// This export gives less access.
    Access(usize),
    /// What this export shows is covered by that one.
    Covered(usize, usize),
}

/// An export that shows the source, and where.
struct Candidate {
    export: usize,
    inside: PathBuf,
}

/// The export that shows the source with enough access: the one with the longest source, of those the latest.
fn inherited(tree: &Tree, host: &Path, access: Access, mount: &Path) -> Result<Lies, Why> {
    let mut first = None;
    for Candidate { export, inside } in candidates(tree, host, mount) {
        let refused = if tree.get(export).what().source().is_some_and(|(_, given)| access > given) {
            Why::Access(export)
        } else if let Some(cover) = cover(tree, export, &inside) {
            Why::Covered(export, cover)
        } else {
            return Ok(Lies::Inherited { export, inside });
        };
        first.get_or_insert(refused);
    }
    Err(first.unwrap_or(Why::NotExported))
}

/// Exports that show the source: longest source first; of those the latest level first; of those the one that
/// shows it where the new export puts it, so that what lies below comes along.
fn candidates(tree: &Tree, host: &Path, mount: &Path) -> Vec<Candidate> {
    let mut found = Vec::new();
    for source in host.ancestors() {
        let Some(rest) = paths::beneath(host, source) else { continue };
        let candidate = |export: &usize| Candidate {
            export: *export,
            inside: paths::joined(tree.get(*export).mount(), rest),
        };
        let mut same: Vec<Candidate> = tree.of_source(source).iter().map(candidate).collect();
        same.sort_by_key(|candidate| {
            let level = tree.get(candidate.export).level;
            std::cmp::Reverse((level, candidate.inside == mount, candidate.export))
        });
        found.extend(same);
    }
    found
}

/// A later mount at or above `inside`, by which the tree shows something else there than `export` does.
fn cover(tree: &Tree, export: usize, inside: &Path) -> Option<usize> {
    let shown = tree.get(export);
    inside.ancestors().flat_map(|path| tree.at(path)).copied().find(|later| {
        let over = tree.get(*later);
        // Mounts below a layer are bound again on the assembled tree.
        let bound_again = matches!(over.what(), What::Overlay { .. })
            && over.mount() != shown.mount()
            && shown.mount().starts_with(over.mount());
        *later > export && !bound_again
    })
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
                        "the root node `{}` would have to export {host}, or a directory above it",
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
        Why::Covered(export, cover) => {
            let (placed, over) = (tree.get(*export), tree.get(*cover));
            let message =
                format!("the source {host} cannot be reached: {} is mounted over it", over.mount().display());
            Finding::error(codes::SOURCE_COVERED, message)
                .with_related(shown(placed), placed.entry.origin.place.clone())
                .with_related(
                    format!("`{}` covers it here", family.alias(over.level)),
                    over.entry.origin.place.clone(),
                )
                .with_hint("have an ancestor export it at another path too")
        }
    };
    finding.with_place(entry.origin.place.clone())
}
