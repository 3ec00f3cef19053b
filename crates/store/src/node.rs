//! A node's directory and its generations.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, FlockOperation, accessat, flock};
use rustix::io::Errno;

use crate::dir::Dir;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::{ExclusiveLock, GenerationLock, SharedLock, Wait};
use crate::manifest::Manifest;
use crate::metadata::disarm_tree;
use crate::{REDPAK_DIR, collect, create};

/// The link to the current generation, in [`REDPAK_DIR`].
pub(crate) const CURRENT: &str = "current";
/// The directory of generations, in [`REDPAK_DIR`].
pub(crate) const GENERATIONS: &str = "gen";

/// A node that has generations.
#[derive(Debug)]
pub struct Node {
    pub(crate) dir: Dir,
    pub(crate) redpak: Dir,
    pub(crate) generations: Dir,
}

impl Node {
    /// Opens a node by its path. Whether its directory can be believed is the caller's to check, before.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] when it has no generations.
    pub fn open(path: &Path) -> Result<Self> {
        Self::from_dir(Dir::open_path(path)?)
    }

    /// The same, by the descriptor of a directory that was opened (for reading) and checked; `path` is for messages.
    pub fn from_fd(fd: OwnedFd, path: &Path) -> Result<Self> {
        Self::from_dir(Dir::from_fd(fd, path.to_owned()))
    }

    fn from_dir(dir: Dir) -> Result<Self> {
        let missing = || {
            Error::new(ErrorKind::Missing, format!("{} has no generations", dir.path().display())).with_hint(
                "`redconf create` gives a node its first: restore its `.redpak`, or create it anew",
            )
        };
        let redpak = dir.open_if_there(REDPAK_DIR)?.ok_or_else(missing)?;
        let generations = redpak.open_if_there(GENERATIONS)?.ok_or_else(missing)?;
        Ok(Self { dir, redpak, generations })
    }

    /// Gives a node its first, empty generation and the links that lead to it; what is there already and right is
    /// left alone. `command` is for the manifest.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when something else stands where a link must be.
    pub fn create_first(path: &Path, command: &str) -> Result<Self> {
        create::create_first(Dir::open_path(path)?, command)?;
        Self::open(path)
    }

    /// The node's directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The current generation's number; `None` before the first was committed.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] when the link leads anywhere but to a generation.
    pub fn current(&self) -> Result<Option<u64>> {
        let text = match self.redpak.read_link(CURRENT) {
            Ok(text) => text,
            Err(e) if e.errno() == Some(Errno::NOENT) => return Ok(None),
            Err(e) if e.errno() == Some(Errno::INVAL) => {
                return Err(Error::damaged(&self.redpak.join(CURRENT), "is not a symbolic link"));
            }
            Err(e) => return Err(e),
        };
        let number =
            text.as_bytes().strip_prefix(b"gen/").and_then(|name| number_of(OsStr::from_bytes(name)));
        number.map(Some).ok_or_else(|| {
            Error::damaged(&self.redpak.join(CURRENT), format!("leads to {text:?}, not to a generation"))
        })
    }

    /// The numbers of all generations, ascending.
    pub fn generations(&self) -> Result<Vec<u64>> {
        let mut numbers: Vec<u64> =
            self.generations.entries()?.iter().filter_map(|entry| number_of(&entry.name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The directory of a generation, for messages and for mounting.
    pub fn generation_path(&self, number: u64) -> PathBuf {
        self.generations.join(number.to_string())
    }

    /// A generation's manifest.
    pub fn manifest(&self, number: u64) -> Result<Manifest> {
        let manifest = Manifest::read(&self.open_generation(number)?)?;
        if manifest.number != number {
            let text = format!("its manifest says generation {}", manifest.number);
            return Err(Error::damaged(&self.generation_path(number), text));
        }
        Ok(manifest)
    }

    pub(crate) fn open_generation(&self, number: u64) -> Result<Dir> {
        self.generations.open_if_there(number.to_string())?.ok_or_else(|| {
            Error::new(ErrorKind::Missing, format!("{} has no generation {number}", self.path().display()))
                .with_hint("`history list` shows those that are kept")
        })
    }

    /// Refuses a node that the caller may not change: before anything is asked or fetched.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`], with a hint.
    pub fn check_writable(&self) -> Result<()> {
        match accessat(&self.redpak, ".", Access::WRITE_OK, AtFlags::EACCESS) {
            Ok(()) => Ok(()),
            Err(Errno::ACCESS) => {
                let text = format!("you may not change the node {}", self.path().display());
                Err(Error::new(ErrorKind::Refused, text).with_hint("run the command as its owner or as root"))
            }
            Err(e) => Err(self.redpak.failed("faccessat2", &[OsStr::new("W_OK")], e)),
        }
    }

    /// Locks the node to change it.
    pub fn lock_exclusive(&self, wait: Wait) -> Result<ExclusiveLock> {
        ExclusiveLock::take(&self.redpak, wait)
    }

    /// Locks the node against change.
    pub fn lock_shared(&self, wait: Wait) -> Result<SharedLock> {
        SharedLock::take(&self.redpak, wait)
    }

    /// Locks a generation against collection, without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] when it is not there, or is being collected.
    pub fn lock_generation_shared(&self, number: u64) -> Result<GenerationLock> {
        let dir = self.open_generation(number)?;
        let missing = || {
            let text = format!("generation {number} of {} is being collected", self.path().display());
            Error::new(ErrorKind::Missing, text).with_hint("try again")
        };
        match flock(&dir, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {}
            Err(Errno::AGAIN) => return Err(missing()),
            Err(e) => return Err(dir.failed("flock", &[], e)),
        }
        // The collector locks, then renames: what is still there under its name will stay.
        let (locked, named) = (dir.stat()?, self.open_generation(number)?.stat()?);
        if (locked.st_dev, locked.st_ino) != (named.st_dev, named.st_ino) {
            return Err(missing());
        }
        let directory = dir.into_fd();
        Ok(GenerationLock { directory, number })
    }

    /// Locks the generation that is current, whatever happens to the node meanwhile.
    pub fn lock_current(&self) -> Result<Option<GenerationLock>> {
        for _ in 0..16 {
            let Some(number) = self.current()? else { return Ok(None) };
            match self.lock_generation_shared(number) {
                Err(e) if e.kind() == ErrorKind::Missing => {}
                other => return other.map(Some),
            }
        }
        Err(Error::damaged(&self.redpak.join(CURRENT), "leads to a generation that is not there"))
    }

    /// Takes set-id bits and capabilities from the files in `var`, which scriptlets write as root: in a launched node
    /// they have no effect, and on the host they would be within everybody's reach. The link to the database is made
    /// again where a package or scriptlet replaced it.
    pub fn mend_data(&self) -> Result<()> {
        create::mend_database_link(&self.dir)?;
        match self.dir.open_if_there("var")? {
            Some(var) => disarm_tree(&var, var.stat()?.st_dev, 0),
            None => Ok(()),
        }
    }

    /// Removes what an interrupted command left: staging, half-collected generations, and a generation that was
    /// never switched to. Doing it twice is doing it once.
    pub fn recover(&self, lock: &ExclusiveLock) -> Result<()> {
        self.check_lock(lock)?;
        collect::recover(self)
    }

    /// Removes all but the newest `keep` generations (at least the current one stays), and leaves alone what is
    /// mounted somewhere. Returns the numbers of those removed.
    pub fn collect(&self, lock: &ExclusiveLock, keep: usize) -> Result<Vec<u64>> {
        self.check_lock(lock)?;
        collect::collect(self, keep)
    }

    pub(crate) fn check_lock(&self, lock: &ExclusiveLock) -> Result<()> {
        if lock.covers(&self.redpak)? {
            return Ok(());
        }
        let text = format!("{} is not locked by this process", self.path().display());
        Err(Error::new(ErrorKind::Locked, text))
    }
}

/// A generation's number from its directory's name, in its one spelling.
pub(crate) fn number_of(name: &OsStr) -> Option<u64> {
    let text = name.to_str()?;
    let number: u64 = text.parse().ok()?;
    (number > 0 && text == number.to_string()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        for (name, number) in
            [("7", Some(7)), ("07", None), ("0", None), ("+7", None), ("7/..", None), ("", None)]
        {
            assert_eq!(number_of(OsStr::new(name)), number, "{name}");
        }
    }
}
