//! The nodes below a node.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;

use crate::codes;
use crate::walk::STATUS;

/// Directories between a node and the next one above it: what lies deeper is not searched. Whatever runs in a node may
/// make directories in its data, and must not be able to make the whole tree unreadable by it.
pub(crate) const DEPTH: usize = 32;
/// What a node's directory holds that is no place for children.
pub(crate) const OWN: [&str; 6] = [".redpak", "etc", "opt", "srv", "usr", "var"];

/// A node found below another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descendant {
    /// Its path.
    pub path: PathBuf,
    /// The nearest node above it.
    pub parent: PathBuf,
}

/// All nodes below the node at `path`, parents before children, by name. Links are not followed.
pub fn descendants(path: &Path) -> Result<Vec<Descendant>, Finding> {
    let mut found = Vec::new();
    below(path, path, 0, &mut found)?;
    Ok(found)
}

/// Whether nodes are looked for in a directory of this name; `in_node` says that it lies in a node itself.
pub(crate) fn is_place_for_nodes(name: &OsStr, in_node: bool) -> bool {
    let own = in_node && OWN.iter().any(|own| name == *own);
    let leftover = name.to_str().is_some_and(crate::leftovers::is_leftover);
    !own && !leftover
}

fn below(dir: &Path, parent: &Path, depth: usize, found: &mut Vec<Descendant>) -> Result<(), Finding> {
    if depth > DEPTH {
        return Ok(());
    }
    let unreadable = |error: std::io::Error| {
        Finding::error(codes::UNREADABLE, format!("cannot list `{}`: {error}", dir.display()))
    };
    let mut names = Vec::new();
    let entries = match std::fs::read_dir(dir) {
        // Removed meanwhile, or with a path that nothing could be launched by.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidFilename) => {
            return Ok(());
        }
        entries => entries.map_err(unreadable)?,
    };
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        if entry.file_type().map_err(unreadable)?.is_dir() {
            names.push(entry.file_name());
        }
    }
    names.sort();
    for name in names {
        if !is_place_for_nodes(&name, dir == parent) {
            continue;
        }
        let path = dir.join(&name);
        let node = std::fs::symlink_metadata(path.join(STATUS)).is_ok();
        if node {
            found.push(Descendant { path: path.clone(), parent: parent.to_owned() });
        }
        if node {
            below(&path, &path, 0, found)?;
        } else {
            below(&path, parent, depth + 1, found)?;
        }
    }
    Ok(())
}
