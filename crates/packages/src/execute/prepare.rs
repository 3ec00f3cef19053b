//! What is made ready before the sandbox stands: directories that an ordinary user could not write in, and room.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use redpak_store::Stage;
use rustix::fs::statvfs;

use super::error::{ExecuteError, ExecuteErrorKind, Result};
use super::package::VerifiedPackage;
use super::view::View;

/// Room that is kept free beside what packages say they need: the database, links, what scriptlets write.
const RESERVE: u64 = 8 << 20;
/// What a package needs beside its files: directories, the database's rows.
const INODES_EACH: u64 = 16;

/// A directory that only an ancestor has belongs to somebody whose id an ordinary user's namespace does not map, and
/// nobody there may write in it. So those that the packages install into, and for scriptlets those at the top, are made
/// in the staging layer, with the mode that they have in the view.
pub(crate) fn directories(stage: &mut Stage, view: &View, packages: &[VerifiedPackage]) -> Result<()> {
    let mut wanted = BTreeSet::new();
    for file in packages.iter().flat_map(|package| &package.files) {
        let relative = file.path.strip_prefix("/").unwrap_or(&file.path);
        let directory = view.directory(relative.parent().unwrap_or(Path::new("")));
        with_parents(&directory, &mut wanted);
        // A directory of the package's own may be an ancestor's too.
        if let Some(name) = relative.file_name() {
            wanted.insert(directory.join(name));
        }
    }
    for top in redpak_store::TOPS {
        for first in view.ancestors_below(Path::new(top)) {
            if top != "opt" {
                wanted.extend(view.ancestors_below(&first));
            }
            wanted.insert(first);
        }
    }
    for path in wanted {
        if let Some(mode) = view.ancestors_directory(&path) {
            stage.prepare(&path, mode)?;
        }
    }
    Ok(())
}

fn with_parents(path: &Path, wanted: &mut BTreeSet<PathBuf>) {
    let mut so_far = PathBuf::new();
    for part in path.components() {
        if let Component::Normal(name) = part {
            so_far.push(name);
            wanted.insert(so_far.clone());
        }
    }
}

/// Refuses what cannot fit, before anything is written. `farm` is the number of links that the next generation has.
pub(crate) fn room(stage: &Stage, packages: &[VerifiedPackage]) -> Result<()> {
    let free =
        statvfs(stage.node()).map_err(|e| ExecuteError::system(format!("statvfs({:?})", stage.node()), e))?;
    let bytes: u64 = packages.iter().map(|package| package.size).sum::<u64>() + RESERVE;
    let inodes: u64 = packages.iter().map(|package| package.files.len() as u64 + INODES_EACH).sum();
    let available = free.f_bavail.saturating_mul(free.f_frsize);
    let place = stage.node().display();
    let refuse = |text: String| {
        Err(ExecuteError::new(ExecuteErrorKind::NoSpace, text)
            .with_hint("free some space, or keep fewer generations; nothing was changed"))
    };
    if bytes > available {
        let (need, have) = (bytes.div_ceil(1 << 20), available >> 20);
        return refuse(format!("{need} MiB are needed at {place}, and {have} MiB are free"));
    }
    // File systems without a fixed number of inodes say 0.
    if free.f_files != 0 && inodes > free.f_favail {
        return refuse(format!("{inodes} files are to be made at {place}, and {} can be", free.f_favail));
    }
    Ok(())
}
