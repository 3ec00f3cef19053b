//! The next generation's tree: a farm of hard links of the base, and what was written laid over it.
//!
//! overlayfs notes removals as whiteouts and replaced directories as opaque (overlayfs.rst). Neither is kept: a
//! removal of what the base has is carried out, so that an ancestor's file shows again; a removal of what only an
//! ancestor has cannot be expressed and is refused.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::ancestors::{Ancestors, Kind};
use crate::dir::{Dir, Entry};
use crate::error::{Error, Result};
use crate::metadata::{copy_directory, copy_file, disarm, is_opaque, is_whiteout, strip_overlay};

/// Levels of directories that a generation may have.
pub const MAX_DEPTH: usize = 128;

/// How the base's files get into the next generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// As hard links: nobody writes into them.
    Link,
    /// As copies: people edit them where they are.
    Copy,
}

/// What the merge needs to know of the world.
pub(crate) struct Merge<'a> {
    pub(crate) ancestors: &'a dyn Ancestors,
    /// Directories that were made for the transaction to work in, and go when they stay empty.
    pub(crate) prepared: &'a HashSet<PathBuf>,
    /// Of these, those that somebody owns.
    pub(crate) keep: &'a HashSet<PathBuf>,
    /// A directory of the base that is left out, because it comes from elsewhere.
    pub(crate) replaced: &'a Path,
}

/// The three sides of one directory.
struct Sides<'a> {
    base: Option<Dir>,
    upper: Option<Dir>,
    target: &'a Dir,
    at: &'a Path,
}

impl Merge<'_> {
    /// Fills `target`, which is empty, and gives it the mode, owner and times that it should have.
    pub(crate) fn top(
        &self,
        base: Option<Dir>,
        upper: Dir,
        target: &Dir,
        at: &Path,
        sharing: Sharing,
    ) -> Result<()> {
        self.directory(Sides { base, upper: Some(upper), target, at }, sharing, 0)
    }

    fn directory(&self, sides: Sides<'_>, sharing: Sharing, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Error::refused(sides.at, format!("is deeper than {MAX_DEPTH} directories")));
        }
        let before = match (&sides.upper, &sides.base) {
            (Some(from), _) | (None, Some(from)) => Some((from.stat()?, from)),
            (None, None) => None,
        };
        let written = match &sides.upper {
            Some(upper) => upper.entries()?,
            None => Vec::new(),
        };
        if let Some(base) = &sides.base {
            let names: HashSet<&OsStr> = written.iter().map(|entry| entry.name.as_os_str()).collect();
            for entry in base.entries()? {
                let at = sides.at.join(&entry.name);
                if !names.contains(entry.name.as_os_str()) && at != self.replaced {
                    self.unchanged(base, &entry, sides.target, &at, sharing, depth)?;
                }
            }
        }
        if let Some(upper) = &sides.upper {
            for entry in &written {
                let at = sides.at.join(&entry.name);
                if at != self.replaced {
                    self.written(upper, entry, &sides, &at, sharing, depth)?;
                }
            }
        }
        match before {
            Some((stat, from)) => copy_directory(&stat, from, sides.target),
            None => Ok(()),
        }
    }

    fn unchanged(
        &self,
        base: &Dir,
        entry: &Entry,
        target: &Dir,
        at: &Path,
        sharing: Sharing,
        depth: usize,
    ) -> Result<()> {
        let name = entry.name.as_os_str();
        if entry.file_type == FileType::Directory {
            let made = target.make(name, 0o700)?;
            let sides = Sides { base: Some(base.open(name)?), upper: None, target: &made, at };
            return self.directory(sides, sharing, depth + 1);
        }
        if sharing == Sharing::Copy && entry.file_type == FileType::RegularFile {
            match copy_file(base, name, target) {
                // Its own owner may not read it, so nobody edits it there either.
                Err(e) if e.errno() == Some(Errno::ACCESS) => {}
                other => return other,
            }
        }
        match base.link(name, target, name) {
            Ok(()) => Ok(()),
            // Too many links for the file system, or somebody else's file (protected_hardlinks, proc(5)).
            Err(Errno::MLINK | Errno::PERM | Errno::ACCESS) if entry.file_type == FileType::RegularFile => {
                copy_file(base, name, target)
            }
            Err(e) => Err(base.failed("linkat", &[name, target.join(name).as_os_str()], e)),
        }
    }

    fn written(
        &self,
        upper: &Dir,
        entry: &Entry,
        sides: &Sides<'_>,
        at: &Path,
        sharing: Sharing,
        depth: usize,
    ) -> Result<()> {
        let name = entry.name.as_os_str();
        let below = match &sides.base {
            Some(base) => match base.stat_entry(name) {
                Ok(stat) => Some(FileType::from_raw_mode(stat.st_mode)),
                Err(e) if e.errno() == Some(Errno::NOENT) => None,
                Err(e) => return Err(e),
            },
            None => None,
        };
        if is_whiteout(upper, name, entry.file_type)? {
            let gone = below.is_some() || self.ancestors.may_reappear(at);
            return if gone { Ok(()) } else { Err(removal(at)) };
        }
        self.check_kind(entry.file_type, at)?;
        if entry.file_type == FileType::Directory {
            return self.written_directory(upper, name, below, sides, at, sharing, depth);
        }
        upper.rename(name, sides.target, name)?;
        // In a launched node they have no effect, and on the host the file is within everybody's reach.
        disarm(sides.target, name)?;
        strip_overlay(sides.target, name, entry.file_type)
    }

    #[allow(clippy::too_many_arguments, reason = "one step of the walk, split off for its length")]
    fn written_directory(
        &self,
        upper: &Dir,
        name: &OsStr,
        below: Option<FileType>,
        sides: &Sides<'_>,
        at: &Path,
        sharing: Sharing,
        depth: usize,
    ) -> Result<()> {
        let from = upper.open(name)?;
        let opaque = is_opaque(&from)?;
        if opaque && self.ancestors.at(at) == Some(Kind::Directory) {
            return Err(removal(at));
        }
        let base = match (&sides.base, below) {
            (Some(base), Some(FileType::Directory)) if !opaque => Some(base.open(name)?),
            _ => None,
        };
        let bare = base.is_none() && self.prepared.contains(at) && !self.keep.contains(at);
        let made = sides.target.make(name, 0o700)?;
        self.directory(Sides { base, upper: Some(from), target: &made, at }, sharing, depth + 1)?;
        if bare && made.entries()?.is_empty() {
            sides.target.remove_empty(name)?;
        }
        Ok(())
    }

    /// A layer has the same kind as what it covers, and no devices.
    fn check_kind(&self, file_type: FileType, at: &Path) -> Result<()> {
        match file_type {
            FileType::CharacterDevice | FileType::BlockDevice => {
                return Err(Error::refused(at, "is a device node")
                    .with_hint("devices are exported by the configuration (mode `Device`)"));
            }
            FileType::Socket => return Err(Error::refused(at, "is a socket, left by a scriptlet")),
            _ => {}
        }
        let directory = file_type == FileType::Directory;
        match self.ancestors.at(at) {
            Some(Kind::Directory) if !directory => {
                Err(Error::refused(at, "would cover a directory of an ancestor with a file or link"))
            }
            Some(Kind::Symlink | Kind::File) if directory => {
                Err(Error::refused(at, "is a directory, and no directory in an ancestor"))
            }
            _ => Ok(()),
        }
    }
}

fn removal(at: &Path) -> Error {
    Error::refused(at, "was removed, and belongs to an ancestor or the host")
        .with_hint("a node can remove only what is its own")
}
