//! Who may change a node, who relies on it, and which generations are in use: flock(2).
//!
//! A lock lives as long as its value, or as any process that inherited its descriptor.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock, fstat};
use rustix::io::Errno;

use crate::dir::Dir;
use crate::error::{Error, ErrorKind, Result};

/// The file in [`crate::REDPAK_DIR`] that is locked.
pub(crate) const LOCK_FILE: &str = "lock";

/// How often a lock that somebody else holds is tried again.
const PERIOD: Duration = Duration::from_millis(50);

/// What happens when somebody else holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// An error at once.
    No,
    /// An error after this time.
    For(Duration),
}

/// The right to change a node. Nobody else has it, or a [`SharedLock`], meanwhile.
#[derive(Debug)]
pub struct ExclusiveLock {
    file: File,
}

/// The node is not changed while this lives.
#[derive(Debug)]
pub struct SharedLock {
    _file: File,
}

/// A generation is not collected while this lives.
#[derive(Debug)]
pub struct GenerationLock {
    pub(crate) directory: OwnedFd,
    pub(crate) number: u64,
}

impl GenerationLock {
    /// The generation's number.
    pub fn number(&self) -> u64 {
        self.number
    }
}

/// The generation's directory.
impl AsFd for GenerationLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// The locked file: a process that gets a copy of it holds the lock too, and on when the first one dies.
impl AsFd for ExclusiveLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl ExclusiveLock {
    pub(crate) fn take(redpak: &Dir, wait: Wait) -> Result<Self> {
        Ok(Self { file: take(redpak, FlockOperation::NonBlockingLockExclusive, wait)? })
    }

    /// Whether this is the lock of the node whose redpak directory this is.
    pub(crate) fn covers(&self, redpak: &Dir) -> Result<bool> {
        let ours = fstat(&self.file).map_err(|e| redpak.failed("fstat", &[OsStr::new(LOCK_FILE)], e))?;
        let theirs = redpak.stat_entry(LOCK_FILE)?;
        Ok((ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino))
    }
}

impl SharedLock {
    pub(crate) fn take(redpak: &Dir, wait: Wait) -> Result<Self> {
        Ok(Self { _file: take(redpak, FlockOperation::NonBlockingLockShared, wait)? })
    }
}

fn take(redpak: &Dir, operation: FlockOperation, wait: Wait) -> Result<File> {
    let file = redpak.open_file(LOCK_FILE)?;
    let deadline = match wait {
        Wait::No => None,
        Wait::For(time) => Some(Instant::now() + time),
    };
    loop {
        match flock(&file, operation) {
            Ok(()) => return Ok(file),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
                match left {
                    Some(left) if !left.is_zero() => std::thread::sleep(left.min(PERIOD)),
                    _ => return Err(locked(redpak, &file)),
                }
            }
            Err(e) => return Err(redpak.failed("flock", &[OsStr::new(LOCK_FILE)], e)),
        }
    }
}

fn locked(redpak: &Dir, file: &File) -> Error {
    let node = redpak.path().parent().unwrap_or(redpak.path()).display();
    let holders = holders(file);
    let by = if holders.is_empty() { "another process".to_owned() } else { holders.join(", ") };
    Error::new(ErrorKind::Locked, format!("{node} is in use by {by}")).with_hint("wait until it has finished")
}

/// The holders of a file's locks, as /proc/locks has them (proc_locks(5)); it shows those of this pid namespace.
fn holders(file: &File) -> Vec<String> {
    let (Ok(stat), Ok(table)) = (fstat(file), std::fs::read_to_string("/proc/locks")) else {
        return Vec::new();
    };
    let (major, minor) = (rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
    let place = format!("{major:02x}:{minor:02x}:{}", stat.st_ino);
    let mut holders = Vec::new();
    for line in table.lines().filter(|line| !line.contains("->")) {
        let mut fields = line.split_whitespace().skip(4);
        let (Some(pid), Some(at)) = (fields.next(), fields.next()) else { continue };
        if at == place && pid.parse().is_ok_and(|pid: u32| pid > 0) {
            holders.push(describe(pid));
        }
    }
    holders
}

fn describe(pid: &str) -> String {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = command.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let shown: String = words.join(" ").trim_end().chars().take(80).collect();
    if shown.is_empty() { format!("process {pid}") } else { format!("process {pid} ({shown})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redpak() -> (tempfile::TempDir, Dir) {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Dir::open_path(temporary.path()).unwrap();
        dir.write_file(LOCK_FILE, b"", 0o644).unwrap();
        (temporary, dir)
    }

    #[test]
    fn exclusive_excludes_and_says_who_holds_it() {
        let (_temporary, dir) = redpak();
        let held = ExclusiveLock::take(&dir, Wait::No).unwrap();
        assert!(held.covers(&dir).unwrap());
        let started = Instant::now();
        let error = SharedLock::take(&dir, Wait::For(Duration::from_millis(120))).unwrap_err();
        assert!(started.elapsed() >= Duration::from_millis(120));
        assert_eq!(error.kind(), ErrorKind::Locked);
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(held);
        let first = SharedLock::take(&dir, Wait::No).unwrap();
        let _second = SharedLock::take(&dir, Wait::No).unwrap();
        assert_eq!(ExclusiveLock::take(&dir, Wait::No).unwrap_err().kind(), ErrorKind::Locked);
        drop(first);
    }
}
