//! Removes a node: one rename takes it out of the tree, then its files are removed.

use std::path::Path;

use redpak_diagnostics::Finding;

use crate::codes;
use crate::create::write_error;
use crate::descend::descendants;
use crate::family::{Family, LoadOptions, Refused};

/// Deletes the node at `path`; one with nodes below it only when `recursive`.
pub fn delete(path: &Path, uid: u32, recursive: bool) -> Result<(), Refused> {
    let family = Family::load(path, uid, LoadOptions { force: true })?;
    let path = family.leaf().path.clone();
    let below = descendants(&path)?;
    if let (false, Some(child)) = (recursive, below.first()) {
        return Err(Finding::error(
            codes::EXISTS,
            format!("`{}` has nodes below it, `{}` for one", path.display(), child.path.display()),
        )
        .with_hint("delete them first, or all of them with --recursive")
        .into());
    }
    let gone = path.with_file_name(format!(".redpak-deleted-{}", uuid::Uuid::new_v4()));
    std::fs::rename(&path, &gone).map_err(|error| write_error("rename", &path, &error))?;
    std::fs::remove_dir_all(&gone).map_err(|error| write_error("remove", &gone, &error))?;
    Ok(())
}
