//! The nodes below a node.

use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;

use crate::codes;
use crate::walk::STATUS;

/// Directories on a way before giving up: no sane tree is deeper.
const DEPTH: usize = 64;
/// What a node's directory holds that is no place for children.
const OWN: [&str; 6] = [".redpak", "etc", "opt", "srv", "usr", "var"];

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

fn below(dir: &Path, parent: &Path, depth: usize, found: &mut Vec<Descendant>) -> Result<(), Finding> {
    if depth > DEPTH {
        return Err(Finding::error(
            codes::TOO_DEEP,
            format!("`{}` lies more than {DEPTH} levels deep", dir.display()),
        ));
    }
    let unreadable = |error: std::io::Error| {
        Finding::error(codes::UNREADABLE, format!("cannot list `{}`: {error}", dir.display()))
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_type().map_err(unreadable)?.is_dir() {
            names.push(entry.file_name());
        }
    }
    names.sort();
    for name in names {
        if dir == parent && OWN.iter().any(|own| name == *own)
            || name.to_string_lossy().starts_with(".redpak-new-")
        {
            continue;
        }
        let path = dir.join(&name);
        let node = std::fs::symlink_metadata(path.join(STATUS)).is_ok();
        if node {
            found.push(Descendant { path: path.clone(), parent: parent.to_owned() });
        }
        below(&path, if node { &path } else { parent }, depth + 1, found)?;
    }
    Ok(())
}
