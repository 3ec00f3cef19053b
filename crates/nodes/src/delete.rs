//! Removes a node: one rename takes it out of the tree, then its files are removed.

use std::path::Path;

use redpak_diagnostics::Finding;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::codes;
use crate::create::write_error;
use crate::descend::descendants;
use crate::family::{Family, LoadOptions, Refused};
use crate::leftovers;

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
    for node in std::iter::once(&path).chain(below.iter().map(|node| &node.path)) {
        refuse_if_in_use(node)?;
    }
    let above = path.parent().unwrap_or(Path::new("/"));
    leftovers::sweep(above);
    let gone = leftovers::beside(&path, leftovers::DELETED);
    std::fs::rename(&path, &gone).map_err(|error| write_error("rename", &path, &error))?;
    let _held = leftovers::hold(&gone).map_err(|error| write_error("lock", &gone, &error))?;
    std::fs::remove_dir_all(&gone).map_err(|error| write_error("remove", &gone, &error))?;
    Ok(())
}

/// A launch holds a shared lock on each generation that it mounted, a change an exclusive one on the node.
fn refuse_if_in_use(node: &Path) -> Result<(), Finding> {
    let redpak = node.join(".redpak");
    let generations =
        std::fs::read_dir(redpak.join("gen")).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in std::iter::once(redpak.join("lock")).chain(generations) {
        let Ok(file) = std::fs::File::open(&path) else { continue };
        if let Err(Errno::AGAIN) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            return Err(Finding::error(
                codes::IN_USE,
                format!("`{}` is in use: a command runs in it, or changes it", node.display()),
            )
            .with_hint("end it first; `fuser` or `lslocks` names the process"));
        }
    }
    Ok(())
}
