//! The way from `/` down to a node, directory by directory, each opened from the one above and checked.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use redpak_diagnostics::Finding;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;

use crate::checked::{owner, said, trusted_user, unreadable};
use crate::codes;

/// Links followed above the root node before giving up (the kernel's own limit, path_resolution(7)).
const LINKS: usize = 40;
/// Directories on the way before giving up.
pub(crate) const DEPTH: usize = 512;
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// The file that makes a directory a node.
pub const STATUS: &str = ".rednode.yaml";

/// A directory on the way.
#[derive(Debug)]
pub struct Step {
    /// Its path, without links.
    pub path: PathBuf,
    /// Opened for reading.
    pub dir: OwnedFd,
    /// What was checked.
    pub stat: Stat,
    /// It holds `.rednode.yaml`.
    pub node: bool,
}

/// Opens every directory from `/` down to `path`. Links are followed above the first node only.
pub fn walk(path: &Path, uid: u32) -> Result<Vec<Step>, Finding> {
    let mut target = path.to_owned();
    for _ in 0..=LINKS {
        match attempt(&target, uid)? {
            Walked::Done(steps) => return Ok(steps),
            Walked::Again(instead) => target = instead,
        }
    }
    Err(Finding::error(
        codes::LINK,
        format!("`{}` leads through more than {LINKS} symbolic links", path.display()),
    ))
}

/// The finding for a path with more than [`DEPTH`] levels.
pub(crate) fn too_deep(path: &Path) -> Finding {
    // Such a path is longer than any screen.
    let shown: String = path.to_string_lossy().chars().take(80).collect();
    Finding::error(codes::TOO_DEEP, format!("`{shown}…` has more than {DEPTH} levels"))
        .with_hint("no family is that deep: look for a directory that holds itself")
}

/// The finding for a directory whose entries cannot be listed.
pub(crate) fn cannot_list(path: &Path, errno: Errno) -> Finding {
    Finding::error(codes::UNREADABLE, format!("cannot list `{}`: {}", path.display(), said(errno)))
}

enum Walked {
    Done(Vec<Step>),
    Again(PathBuf),
}

fn attempt(path: &Path, uid: u32) -> Result<Walked, Finding> {
    let mut names: VecDeque<OsString> = path
        .components()
        .filter(|component| matches!(component, Component::Normal(_) | Component::ParentDir))
        .map(|component| component.as_os_str().to_owned())
        .collect();
    if names.len() > DEPTH {
        return Err(too_deep(path));
    }
    let root =
        rustix::fs::open("/", DIRECTORY, Mode::empty()).map_err(|errno| unreadable(Path::new("/"), errno))?;
    let mut steps = vec![step(PathBuf::from("/"), root, uid)?];
    while let Some(name) = names.pop_front() {
        if name == ".." {
            // Links were taken out on the way, so that the directory above is the last but one.
            if steps.len() > 1 {
                steps.pop();
            }
            continue;
        }
        let above = &steps[steps.len() - 1];
        let here = above.path.join(&name);
        match enter(&above.dir, &name) {
            Ok(dir) => {
                let next = step(here, dir, uid)?;
                steps.push(next);
            }
            // O_DIRECTORY with O_NOFOLLOW on a link is ENOTDIR or ELOOP (open(2)).
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let stat = statat(&above.dir, &name, AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(|errno| unreadable(&here, errno))?;
                if !FileType::from_raw_mode(stat.st_mode).is_symlink() {
                    return Err(Finding::error(
                        codes::NOT_A_NODE,
                        format!("`{}` is not a directory", here.display()),
                    ));
                }
                if steps.iter().any(|step| step.node) {
                    return Err(Finding::error(
                        codes::LINK,
                        format!("`{}` is a symbolic link below a node", here.display()),
                    )
                    .with_hint(
                        "nodes are reached by real directories only: nobody leaves a parent by a link",
                    ));
                }
                trusted_user(&here, &stat, uid)?;
                let text =
                    readlinkat(&above.dir, &name, Vec::new()).map_err(|errno| unreadable(&here, errno))?;
                let mut instead = above.path.join(OsString::from_vec(text.into_bytes()));
                instead.extend(names);
                return Ok(Walked::Again(instead));
            }
            Err(errno) => return Err(unreadable(&here, errno)),
        }
    }
    Ok(Walked::Done(steps))
}

/// Opens a directory in another, following no link.
pub(crate) fn enter(above: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    match openat(above, name, DIRECTORY, Mode::empty()) {
        // Searching is enough for a directory on the way; the node itself must be readable.
        Err(Errno::ACCESS) => openat(above, name, DIRECTORY | OFlags::PATH, Mode::empty()),
        opened => opened,
    }
}

/// Checks a directory that was opened.
pub(crate) fn step(path: PathBuf, dir: OwnedFd, uid: u32) -> Result<Step, Finding> {
    let stat = fstat(&dir).map_err(|errno| unreadable(&path, errno))?;
    owner(&path, &stat, uid)?;
    let node = match statat(&dir, STATUS, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => true,
        Err(Errno::NOENT | Errno::ACCESS) => false,
        Err(errno) => return Err(unreadable(&path.join(STATUS), errno)),
    };
    Ok(Step { path, dir, stat, node })
}
