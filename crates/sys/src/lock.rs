//! Locks of open files (fcntl(2), "Open file description locks"): whoever holds the file open holds the lock.

use std::path::Path;

use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::OFlags;

use crate::error::{Result, SysError, fd};
use crate::file::{self, Resolve};
use crate::process::last_errno;

/// `openat2(2)` to read, without waiting for the other end of a FIFO and without becoming a terminal's owner.
///
/// # Errors
/// Those of finding the path, `EACCES`.
pub fn open(directory: impl AsFd, path: &Path, resolve: Resolve) -> Result<OwnedFd> {
    file::open(directory, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY, 0, resolve)
}

/// `fcntl(F_OFD_SETLK)` with `F_RDLCK` over the whole file, whatever its length becomes. The file is open for reading.
///
/// # Errors
/// `EAGAIN` or `EACCES` when somebody holds a part of it for writing; `ENOLCK`.
pub fn read_lock(file: &OwnedFd) -> Result<()> {
    let whole = libc::flock64 {
        l_type: libc::F_RDLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        // F_OFD_SETLK requires 0.
        l_pid: 0,
    };
    // SAFETY: the descriptor is open for the time of the call, and the third argument of F_OFD_SETLK is a pointer to a
    // `struct flock` with offsets of 64 bits, which is only read.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, std::ptr::from_ref(&whole)) };
    if result == 0 {
        return Ok(());
    }
    let errno = last_errno();
    Err(SysError::new("fcntl", format!("{}, F_OFD_SETLK, F_RDLCK, whole file", fd(file)), errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn readers_share_a_lock_and_a_writer_excludes_them() {
        let path = std::env::temp_dir().join(format!("redpak-sys-lock-{}", std::process::id()));
        std::fs::write(&path, "").unwrap();
        let root = file::open_root().unwrap();
        let inside = path.strip_prefix("/").unwrap();
        let first = open(&root, inside, Resolve::InRoot).unwrap();
        let second = open(&root, inside, Resolve::InRoot).unwrap();
        read_lock(&first).unwrap();
        read_lock(&second).unwrap();
        let writer = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        // A lock of this process's own (`F_SETLK`) conflicts with locks of open files.
        let exclusive = rustix::fs::FlockOperation::NonBlockingLockExclusive;
        assert!(rustix::fs::fcntl_lock(&writer, exclusive).is_err());
        drop((first, second));
        rustix::fs::fcntl_lock(&writer, exclusive).unwrap();
        let third = open(&root, inside, Resolve::InRoot).unwrap();
        let error = read_lock(&third).unwrap_err();
        assert!(matches!(error.errno, Errno::AGAIN | Errno::ACCESS), "{error}");
        std::fs::remove_file(&path).unwrap();
    }
}
