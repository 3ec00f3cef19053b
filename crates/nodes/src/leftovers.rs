//! What a creation or deletion that was cut off left beside its node: found by name, removed by the next one.
//!
//! A creation holds a lock (flock(2)) on the directory that it fills, so that nobody takes it for a leftover.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// A node that is being created, under this name and a random one.
pub(crate) const NEW: &str = ".redpak-new-";
/// A node that is being deleted.
pub(crate) const DELETED: &str = ".redpak-deleted-";

/// A fresh name beside `path`.
pub(crate) fn beside(path: &Path, prefix: &str) -> PathBuf {
    path.with_file_name(format!("{prefix}{}", uuid::Uuid::new_v4()))
}

/// Whether a name is one of these: no place for nodes.
pub(crate) fn is_leftover(name: &str) -> bool {
    name.starts_with(NEW) || name.starts_with(DELETED)
}

/// Marks a directory that was just made as being filled; for as long as the result lives.
pub(crate) fn hold(directory: &Path) -> std::io::Result<File> {
    let file = File::open(directory)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Removes what is left in `directory`. A failure is not the caller's: it did not come for that, and the next may.
pub(crate) fn sweep(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && name.to_str().is_some_and(is_leftover) {
            let Ok(_held) = hold(&entry.path()) else { continue };
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
