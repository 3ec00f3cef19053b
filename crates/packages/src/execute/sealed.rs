//! Copies of package files that nobody can alter: what was verified is what is installed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, memfd_create, open};

use super::error::{ExecuteError, Result};

/// Memory that copies may take, all together; beyond it they are files without a name in the staging directory.
const MEMORY: u64 = 64 << 20;
/// The largest copy in memory.
const MEMORY_EACH: u64 = 16 << 20;
const CHUNK: usize = 256 << 10;

/// Where copies are made.
pub(crate) struct Copier<'a> {
    directory: &'a Path,
    used: AtomicU64,
}

/// Something that is told every byte that is copied.
pub(crate) trait Observer {
    fn bytes(&mut self, bytes: &[u8]);
}

impl<'a> Copier<'a> {
    /// `directory` is on the node's file system, and nobody else's.
    pub(crate) fn new(directory: &'a Path) -> Self {
        Self { directory, used: AtomicU64::new(0) }
    }

    /// Copies a file and returns the copy and its size. The source may change meanwhile: the copy does not, once it
    /// is there.
    pub(crate) fn copy(&self, path: &Path, observer: &mut dyn Observer) -> Result<(OwnedFd, u64)> {
        let failed = |e: rustix::io::Errno| ExecuteError::system(format!("open({path:?})"), e);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let mut source = File::from(open(path, flags, Mode::empty()).map_err(failed)?);
        let meta = source.metadata().map_err(|e| ExecuteError::system(format!("fstat({path:?})"), e))?;
        if !meta.is_file() {
            let kind = super::error::ExecuteErrorKind::Integrity;
            return Err(ExecuteError::new(kind, format!("{} is not a regular file", path.display())));
        }
        if self.in_memory(meta.len()) {
            let name = "redpak-package";
            let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
            let call = format!("memfd_create({name:?})");
            let mut copy = File::from(memfd_create(name, flags).map_err(|e| ExecuteError::system(call, e))?);
            // A file that grows while it is read would otherwise take all memory.
            let size = transfer(&mut source, &mut copy, path, observer, MEMORY_EACH)?;
            let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
            fcntl_add_seals(&copy, seals).map_err(|e| ExecuteError::system("fcntl(F_ADD_SEALS)", e))?;
            return Ok((copy.into(), size));
        }
        let call = || format!("open({:?}, O_TMPFILE)", self.directory);
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        let mode = Mode::RUSR;
        let mut copy =
            File::from(open(self.directory, flags, mode).map_err(|e| ExecuteError::system(call(), e))?);
        let size = transfer(&mut source, &mut copy, path, observer, u64::MAX)?;
        // The descriptor that goes into the sandbox cannot write.
        let again = format!("/proc/self/fd/{}", copy.as_raw_fd());
        let reader = open(&again, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| ExecuteError::system(format!("open({again:?})"), e))?;
        Ok((reader, size))
    }

    fn in_memory(&self, size: u64) -> bool {
        size <= MEMORY_EACH
            && self
                .used
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                    used.checked_add(size).filter(|sum| *sum <= MEMORY)
                })
                .is_ok()
    }
}

fn transfer(
    source: &mut File,
    copy: &mut File,
    path: &Path,
    observer: &mut dyn Observer,
    limit: u64,
) -> Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut size = 0_u64;
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => return Ok(size),
            Ok(read) => read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(ExecuteError::system(format!("read({path:?})"), e)),
        };
        size += read as u64;
        if size > limit {
            let kind = super::error::ExecuteErrorKind::Integrity;
            return Err(ExecuteError::new(kind, format!("{} grew while it was read", path.display())));
        }
        copy.write_all(&buffer[..read])
            .map_err(|e| ExecuteError::system(format!("write(copy of {path:?}, {read} bytes)"), e))?;
        observer.bytes(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    struct Count(u64);
    impl Observer for Count {
        fn bytes(&mut self, bytes: &[u8]) {
            self.0 += bytes.len() as u64;
        }
    }

    #[test]
    fn a_copy_cannot_be_written_whether_in_memory_or_not() {
        let directory = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = directory.path().join("package");
        std::fs::write(&path, vec![7; 300_000]).unwrap();
        for used in [0, MEMORY] {
            let copier = Copier { directory: directory.path(), used: AtomicU64::new(used) };
            let mut count = Count(0);
            let (fd, size) = copier.copy(&path, &mut count).unwrap();
            assert_eq!((size, count.0), (300_000, 300_000));
            let copy = File::from(fd);
            assert!(copy.write_at(b"x", 0).is_err());
            assert!(copy.set_len(0).is_err());
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_is_refused_without_blocking() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        let copier = Copier::new(directory.path());
        assert!(copier.copy(&fifo, &mut Count(0)).is_err());
        assert!(copier.copy(directory.path(), &mut Count(0)).is_err());
    }
}
