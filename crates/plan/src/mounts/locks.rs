//! The files that are locked while the node runs. A lock puts nothing at its path.

use std::path::Path;

use redpak_diagnostics::Finding;
use redpak_model::effective::{Effective, Export, ExportKind};

use crate::codes;
use crate::launch_plan::{FileLock, Mount, MountKind};

/// The locks of all `Lock` exports, in their order.
pub(super) fn locks(effective: &Effective, mounts: &[Mount], findings: &mut Vec<Finding>) -> Vec<FileLock> {
    let locked: Vec<&Export> =
        effective.exports.iter().filter(|export| export.kind == ExportKind::Lock).collect();
    findings.extend(locked.iter().filter(|export| unseen(&export.mount, mounts)).map(|export| {
        Finding::warning(
            codes::LOCK_UNSEEN,
            format!(
                "the lock on `{}` is seen in this launch only: the file lies in an overlay made for it",
                export.mount.display()
            ),
        )
        .with_place(export.origin.place.clone())
        .with_hint("lock a file that a Restricted or Public export shows")
    }));
    locked
        .into_iter()
        .map(|export| FileLock { at: export.mount.clone(), origin: export.origin.place.to_string() })
        .collect()
}

/// An overlay's files are the overlay's own: a lock on one is none on the file of the layer (`ovl_file_operations`
/// leaves locks to the overlay's inode). A single layer is bound.
fn unseen(at: &Path, mounts: &[Mount]) -> bool {
    let covering = mounts
        .iter()
        .filter(|mount| at.starts_with(&mount.at) && !matches!(mount.kind, MountKind::Symlink { .. }))
        .max_by_key(|mount| mount.at.components().count());
    covering.is_some_and(|mount| match &mount.kind {
        MountKind::Overlay { layers, mount_points, .. } => layers.len() > 1 || !mount_points.is_empty(),
        _ => false,
    })
}
