//! A directory by descriptor: every operation names one entry of it, and follows no link.

use std::ffi::{CString, OsStr, OsString};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::error::{Error, Result};

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// An open directory, and the path that it is shown with.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

/// An entry's name and what the directory says it is.
pub(crate) struct Entry {
    pub(crate) name: OsString,
    pub(crate) file_type: FileType,
}

impl Dir {
    /// Opens a directory by path; its last component may not be a link.
    pub(crate) fn open_path(path: &Path) -> Result<Self> {
        let fd = fs::open(path, DIRECTORY, Mode::empty())
            .map_err(|e| Error::call(format!("open({path:?}, O_DIRECTORY|O_NOFOLLOW)"), e))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Takes a descriptor that was opened and checked by somebody else.
    pub(crate) fn from_fd(fd: OwnedFd, path: PathBuf) -> Self {
        Self { fd, path }
    }

    pub(crate) fn try_clone(&self) -> Result<Self> {
        let fd = rustix::io::fcntl_dupfd_cloexec(&self.fd, 3)
            .map_err(|e| self.failed("fcntl(F_DUPFD_CLOEXEC)", &[], e))?;
        Ok(Self { fd, path: self.path.clone() })
    }

    pub(crate) fn into_fd(self) -> OwnedFd {
        self.fd
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.path.join(name.as_ref())
    }

    /// The path of an entry for the calls that know no directory descriptor.
    pub(crate) fn proc_path(&self, name: &OsStr) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.fd.as_raw_fd())).join(name)
    }

    pub(crate) fn failed(&self, call: &str, names: &[&OsStr], errno: Errno) -> Error {
        let mut text = format!("{call}({}", self.path.display());
        for name in names {
            // Writing to a String cannot fail.
            let _ = write!(text, ", {name:?}");
        }
        text.push(')');
        Error::call(text, errno)
    }

    /// Opens a directory in it.
    pub(crate) fn open(&self, name: impl AsRef<OsStr>) -> Result<Self> {
        let name = name.as_ref();
        let fd = fs::openat(&self.fd, name, DIRECTORY, Mode::empty())
            .map_err(|e| self.failed("openat", &[name], e))?;
        Ok(Self { fd, path: self.join(name) })
    }

    /// The same, or `None` when nothing has that name.
    pub(crate) fn open_if_there(&self, name: impl AsRef<OsStr>) -> Result<Option<Self>> {
        match self.open(name) {
            Ok(dir) => Ok(Some(dir)),
            Err(e) if e.errno() == Some(Errno::NOENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Opens a directory further below, through no link and no `..`.
    pub(crate) fn open_beneath(&self, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let flags = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let fd = retry(|| fs::openat2(&self.fd, path, DIRECTORY, Mode::empty(), flags))
            .map_err(|e| self.failed("openat2", &[path.as_os_str()], e))?;
        Ok(Self { fd, path: self.path.join(path) })
    }

    /// Makes a directory with exactly this mode, and opens it.
    pub(crate) fn make(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<Self> {
        let name = name.as_ref();
        fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o700))
            .map_err(|e| self.failed("mkdirat", &[name], e))?;
        let dir = self.open(name)?;
        dir.set_mode(mode)?;
        Ok(dir)
    }

    /// The same, unless it is there.
    pub(crate) fn make_if_missing(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<Self> {
        let name = name.as_ref();
        match self.make(name, mode) {
            Err(e) if e.errno() == Some(Errno::EXIST) => self.open(name),
            other => other,
        }
    }

    pub(crate) fn set_mode(&self, mode: u32) -> Result<()> {
        fs::fchmod(&self.fd, Mode::from_raw_mode(mode))
            .map_err(|e| self.failed("fchmod", &[OsStr::new(&format!("{mode:o}"))], e))
    }

    pub(crate) fn stat(&self) -> Result<Stat> {
        fs::fstat(&self.fd).map_err(|e| self.failed("fstat", &[], e))
    }

    /// What an entry is, links not followed.
    pub(crate) fn stat_entry(&self, name: impl AsRef<OsStr>) -> Result<Stat> {
        let name = name.as_ref();
        fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| self.failed("fstatat", &[name], e))
    }

    /// The entries, sorted by name so that what is done is the same every time.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>> {
        let fd = fs::openat(&self.fd, ".", DIRECTORY, Mode::empty())
            .map_err(|e| self.failed("openat", &[OsStr::new(".")], e))?;
        let mut buffer = Vec::with_capacity(16 * 1024);
        let mut reader = RawDir::new(fd, buffer.spare_capacity_mut());
        let mut entries = Vec::new();
        while let Some(entry) = reader.next() {
            let entry = entry.map_err(|e| self.failed("getdents64", &[], e))?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let name = OsString::from_vec(name.to_vec());
            let file_type = match entry.file_type() {
                FileType::Unknown => FileType::from_raw_mode(self.stat_entry(&name)?.st_mode),
                known => known,
            };
            entries.push(Entry { name, file_type });
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    pub(crate) fn rename(&self, from: impl AsRef<OsStr>, to: &Self, name: impl AsRef<OsStr>) -> Result<()> {
        let (from, name) = (from.as_ref(), name.as_ref());
        fs::renameat(&self.fd, from, &to.fd, name)
            .map_err(|e| self.failed("renameat", &[from, to.join(name).as_os_str()], e))
    }

    pub(crate) fn link(&self, from: &OsStr, to: &Self, name: &OsStr) -> std::result::Result<(), Errno> {
        fs::linkat(&self.fd, from, &to.fd, name, AtFlags::empty())
    }

    pub(crate) fn unlink(&self, name: impl AsRef<OsStr>) -> Result<()> {
        let name = name.as_ref();
        fs::unlinkat(&self.fd, name, AtFlags::empty()).map_err(|e| self.failed("unlinkat", &[name], e))
    }

    pub(crate) fn remove_empty(&self, name: impl AsRef<OsStr>) -> Result<()> {
        let name = name.as_ref();
        fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)
            .map_err(|e| self.failed("unlinkat", &[name, OsStr::new("AT_REMOVEDIR")], e))
    }

    pub(crate) fn read_link(&self, name: impl AsRef<OsStr>) -> Result<OsString> {
        let name = name.as_ref();
        let text: CString =
            fs::readlinkat(&self.fd, name, Vec::new()).map_err(|e| self.failed("readlinkat", &[name], e))?;
        Ok(OsString::from_vec(text.into_bytes()))
    }

    pub(crate) fn make_link(&self, text: impl AsRef<OsStr>, name: impl AsRef<OsStr>) -> Result<()> {
        let (text, name) = (text.as_ref(), name.as_ref());
        fs::symlinkat(text, &self.fd, name).map_err(|e| self.failed("symlinkat", &[text, name], e))
    }

    /// Opens a file in it for reading; a link or a FIFO does not get in the way.
    pub(crate) fn open_file(&self, name: impl AsRef<OsStr>) -> Result<std::fs::File> {
        let name = name.as_ref();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = fs::openat(&self.fd, name, flags, Mode::empty())
            .map_err(|e| self.failed("openat", &[name], e))?;
        Ok(std::fs::File::from(fd))
    }

    /// Makes a new file in it.
    pub(crate) fn create_file(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<std::fs::File> {
        let name = name.as_ref();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, name, flags, Mode::from_raw_mode(mode))
            .map_err(|e| self.failed("openat", &[name, OsStr::new("O_CREAT|O_EXCL")], e))?;
        Ok(std::fs::File::from(fd))
    }

    /// Makes a new file of this mode with this content.
    pub(crate) fn write_file(&self, name: &str, content: &[u8], mode: u32) -> Result<()> {
        let mut file = self.create_file(name, 0o600)?;
        file.write_all(content).map_err(|e| self.failed("write", &[OsStr::new(name)], errno_of(&e)))?;
        fs::fchmod(&file, Mode::from_raw_mode(mode))
            .map_err(|e| self.failed("fchmod", &[OsStr::new(name)], e))
    }

    /// fsync(2) of the directory itself.
    pub(crate) fn sync(&self) -> Result<()> {
        fs::fsync(&self.fd).map_err(|e| self.failed("fsync", &[], e))
    }

    /// syncfs(2) of the file system that it is on: everything written so far, by anybody.
    pub(crate) fn sync_file_system(&self) -> Result<()> {
        fs::syncfs(&self.fd).map_err(|e| self.failed("syncfs", &[], e))
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// openat2(2) gives EAGAIN when something was renamed meanwhile.
fn retry<T>(mut call: impl FnMut() -> std::result::Result<T, Errno>) -> std::result::Result<T, Errno> {
    for _ in 0..64 {
        match call() {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
    call()
}

/// The kernel's error in an error of the standard library's; `EIO` where there is none (a short write).
pub(crate) fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
