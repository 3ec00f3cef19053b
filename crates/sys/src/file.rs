//! Files and directories by descriptor: `openat2`, `mkdirat`, `statx`, and what else mount points need.

use std::ffi::CStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, StatxFlags, Uid};

use crate::error::{Name, Result, fd};

/// How `openat2(2)` resolves a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolve {
    /// `RESOLVE_IN_ROOT`: the directory is `/`, links are followed as inside a chroot, links of procfs that lead
    /// elsewhere are not.
    InRoot,
    /// `RESOLVE_IN_ROOT|RESOLVE_NO_SYMLINKS|RESOLVE_NO_MAGICLINKS`.
    InRootNoLinks,
    /// `RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS|RESOLVE_NO_MAGICLINKS`.
    BeneathNoLinks,
}

impl Resolve {
    fn flags(self) -> ResolveFlags {
        let no_links = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match self {
            Self::InRoot => ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
            Self::InRootNoLinks => ResolveFlags::IN_ROOT | no_links,
            Self::BeneathNoLinks => ResolveFlags::BENEATH | no_links,
        }
    }
}

/// `openat2(2)` with `O_PATH`: a descriptor that stands for the place, without opening what is there. An empty path is
/// the directory itself.
///
/// # Errors
/// `ELOOP` for a link that is not followed, `EXDEV` for a way out, `ENOENT`, `EACCES`.
pub fn open_path(directory: impl AsFd, path: &Path, resolve: Resolve) -> Result<OwnedFd> {
    open(directory, path, OFlags::PATH, 0, resolve)
}

/// [`open_path`], and it must be a directory.
///
/// # Errors
/// As [`open_path`], and `ENOTDIR`.
pub fn open_directory(directory: impl AsFd, path: &Path, resolve: Resolve) -> Result<OwnedFd> {
    open(directory, path, OFlags::PATH | OFlags::DIRECTORY, 0, resolve)
}

/// [`open_path`], and the directory's entries can be read.
///
/// # Errors
/// As [`open_directory`].
pub fn open_to_list(directory: impl AsFd, path: &Path, resolve: Resolve) -> Result<OwnedFd> {
    open(directory, path, OFlags::RDONLY | OFlags::DIRECTORY, 0, resolve)
}

pub(crate) fn open(
    directory: impl AsFd,
    path: &Path,
    flags: OFlags,
    mode: u32,
    resolve: Resolve,
) -> Result<OwnedFd> {
    let shown = path;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    // A rename or mount elsewhere makes the kernel give up a scoped walk with EAGAIN (openat2(2)): try again.
    for _ in 0..100 {
        let result = rustix::fs::openat2(
            directory.as_fd(),
            path,
            flags | OFlags::CLOEXEC,
            Mode::from_raw_mode(mode),
            resolve.flags(),
        );
        if !matches!(result, Err(rustix::io::Errno::AGAIN)) {
            return result.named("openat2", || {
                format!("{}, {shown:?}, {flags:?}, {:?}", fd(&directory), resolve.flags())
            });
        }
    }
    Err(rustix::io::Errno::AGAIN)
        .named("openat2", || format!("{}, {shown:?}, {flags:?}, {:?}", fd(&directory), resolve.flags()))
}

/// `openat2(2)` to read, from the working directory, with `RESOLVE_NO_MAGICLINKS`; then `read(2)` of up to `N` bytes.
///
/// # Errors
/// `ELOOP` for a link of procfs that leads to an object, those of finding it, `EISDIR`.
pub fn read_start<const N: usize>(path: &Path) -> Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::NO_MAGICLINKS;
    let file = rustix::fs::openat2(CWD, path, flags, Mode::empty(), resolve)
        .named("openat2", || format!("AT_FDCWD, {path:?}, {flags:?}, {resolve:?}"))?;
    let mut start = [0; N];
    let length = rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut start))
        .named("read", || format!("{}, {N} bytes", fd(&file)))?;
    Ok(start[..length].to_vec())
}

/// `open("/", O_PATH|O_DIRECTORY)`.
///
/// # Errors
/// `EMFILE`.
pub fn open_root() -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open("/", flags, Mode::empty()).named("open", || format!("\"/\", {flags:?}"))
}

/// `openat(2)` of `..`, with `O_PATH`: the directory above, in the mount below where this is the root of one.
///
/// # Errors
/// `ENOTDIR`, `EACCES`.
pub fn open_parent(directory: impl AsFd) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(directory.as_fd(), "..", flags, Mode::empty())
        .named("openat", || format!("{}, \"..\", {flags:?}", fd(&directory)))
}

/// `openat(2)` to write an existing file of the kernel's (procfs, sysfs), then `write(2)` at once.
///
/// # Errors
/// Those of both calls.
pub fn write_kernel_file(directory: impl AsFd, name: &str, text: &str) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::openat(directory.as_fd(), name, flags, Mode::empty())
        .named("openat", || format!("{}, {name:?}, {flags:?}", fd(&directory)))?;
    rustix::io::write(&file, text.as_bytes()).named("write", || format!("{}, {text:?}", fd(&file)))?;
    Ok(())
}

/// `mkdirat(2)`; the mode is subject to the umask.
///
/// # Errors
/// `EEXIST`, `EROFS`, `ENOSPC`.
pub fn make_directory(directory: impl AsFd, name: &Path, mode: u32) -> Result<()> {
    rustix::fs::mkdirat(directory.as_fd(), name, Mode::from_raw_mode(mode))
        .named("mkdirat", || format!("{}, {name:?}, {mode:#o}", fd(&directory)))
}

/// `mknodat(2)` of an empty regular file.
///
/// # Errors
/// `EEXIST`, `EROFS`, `ENOSPC`.
pub fn make_file(directory: impl AsFd, name: &Path, mode: u32) -> Result<()> {
    rustix::fs::mknodat(directory.as_fd(), name, FileType::RegularFile, Mode::from_raw_mode(mode), 0)
        .named("mknodat", || format!("{}, {name:?}, S_IFREG|{mode:#o}, 0", fd(&directory)))
}

/// `openat(2)` with `O_CREAT|O_EXCL`, then `write(2)` until all of `content` is in the file.
///
/// # Errors
/// `EEXIST`, `ENOSPC`, `EFBIG` beyond `RLIMIT_FSIZE`.
pub fn make_file_with(directory: impl AsFd, name: &Path, content: &[u8], mode: u32) -> Result<OwnedFd> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory.as_fd(), name, flags, Mode::from_raw_mode(mode))
        .named("openat", || format!("{}, {name:?}, {flags:?}, {mode:#o}", fd(&directory)))?;
    let mut rest = content;
    while !rest.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(&file, rest))
            .named("write", || format!("{}, {} bytes", fd(&file), rest.len()))?;
        rest = &rest[written..];
    }
    Ok(file)
}

/// `unlinkat(2)`.
///
/// # Errors
/// `ENOENT`, `EROFS`.
pub fn remove_file(directory: impl AsFd, name: &Path) -> Result<()> {
    rustix::fs::unlinkat(directory.as_fd(), name, AtFlags::empty())
        .named("unlinkat", || format!("{}, {name:?}, 0", fd(&directory)))
}

/// `symlinkat(2)`.
///
/// # Errors
/// `EEXIST`, `EROFS`, `ENOSPC`.
pub fn make_symlink(target: &str, directory: impl AsFd, name: &Path) -> Result<()> {
    rustix::fs::symlinkat(target, directory.as_fd(), name)
        .named("symlinkat", || format!("{target:?}, {}, {name:?}", fd(&directory)))
}

/// `readlinkat(2)`.
///
/// # Errors
/// `EINVAL` when it is no link.
pub fn read_link(directory: impl AsFd, name: &Path) -> Result<Vec<u8>> {
    rustix::fs::readlinkat(directory.as_fd(), name, Vec::new())
        .named("readlinkat", || format!("{}, {name:?}", fd(&directory)))
        .map(std::ffi::CString::into_bytes)
}

/// `unlinkat(2)` with `AT_REMOVEDIR`.
///
/// # Errors
/// `ENOTEMPTY`, `EBUSY` when something is mounted on it.
pub fn remove_directory(directory: impl AsFd, name: &Path) -> Result<()> {
    rustix::fs::unlinkat(directory.as_fd(), name, AtFlags::REMOVEDIR)
        .named("unlinkat", || format!("{}, {name:?}, AT_REMOVEDIR", fd(&directory)))
}

/// `fchmodat(2)` of one name in a directory.
///
/// # Errors
/// `EPERM`, `EROFS`.
pub fn change_mode(directory: impl AsFd, name: &Path, mode: u32) -> Result<()> {
    rustix::fs::chmodat(directory.as_fd(), name, Mode::from_raw_mode(mode), AtFlags::empty())
        .named("fchmodat", || format!("{}, {name:?}, {mode:#o}", fd(&directory)))
}

/// `fchownat(2)` of one name in a directory, a final link not followed.
///
/// # Errors
/// `EPERM`, `EINVAL` for an id that the user namespace does not have.
pub fn change_owner(directory: impl AsFd, name: &Path, uid: u32, gid: u32) -> Result<()> {
    let (owner, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::fs::chownat(directory.as_fd(), name, Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW)
        .named("fchownat", || format!("{}, {name:?}, {uid}, {gid}", fd(&directory)))
}

/// The kinds of files (`S_IFMT` of inode(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `S_IFDIR`
    Directory,
    /// `S_IFLNK`
    Symlink,
    /// `S_IFREG`
    Regular,
    /// `S_IFCHR`
    CharacterDevice,
    /// `S_IFBLK`
    BlockDevice,
    /// `S_IFIFO`
    Fifo,
    /// `S_IFSOCK`
    Socket,
    /// None of these: an anonymous file.
    Other,
}

impl Kind {
    fn of(file_type: FileType) -> Self {
        match file_type {
            FileType::Directory => Self::Directory,
            FileType::Symlink => Self::Symlink,
            FileType::RegularFile => Self::Regular,
            FileType::CharacterDevice => Self::CharacterDevice,
            FileType::BlockDevice => Self::BlockDevice,
            FileType::Fifo => Self::Fifo,
            FileType::Socket => Self::Socket,
            FileType::Unknown => Self::Other,
        }
    }

    /// In words, with an article.
    pub fn words(self) -> &'static str {
        match self {
            Self::Directory => "a directory",
            Self::Symlink => "a symbolic link",
            Self::Regular => "a regular file",
            Self::CharacterDevice => "a character device",
            Self::BlockDevice => "a block device",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Other => "an anonymous file",
        }
    }
}

/// What `statx(2)` says about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its kind.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Owner, as the caller's user namespace shows it.
    pub uid: u32,
    /// Group, likewise.
    pub gid: u32,
    /// Device of the file system, as `stat(2)` has it.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Major and minor number of a device node.
    pub rdev: (u32, u32),
    /// The mount that it was found in; 0 before Linux 5.8.
    pub mount: u64,
}

/// `statx(2)` of a descriptor.
///
/// # Errors
/// `EBADF`, `ENOMEM`.
pub fn status(of: impl AsFd) -> Result<Status> {
    status_at(of, Path::new(""))
}

/// `statx(2)` of a name in a directory (an empty one is the directory), a final link not followed.
///
/// # Errors
/// `ENOENT`, `EACCES`.
pub fn status_at(directory: impl AsFd, name: &Path) -> Result<Status> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
    let mask = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let found = rustix::fs::statx(directory.as_fd(), name, flags, mask)
        .named("statx", || format!("{}, {name:?}, {flags:?}, {mask:?}", fd(&directory)))?;
    let mode = u32::from(found.stx_mode);
    let has_mount = found.stx_mask & StatxFlags::MNT_ID.bits() != 0;
    Ok(Status {
        kind: Kind::of(FileType::from_raw_mode(mode)),
        mode: mode & 0o7777,
        uid: found.stx_uid,
        gid: found.stx_gid,
        dev: rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor),
        ino: found.stx_ino,
        rdev: (found.stx_rdev_major, found.stx_rdev_minor),
        mount: if has_mount { found.stx_mnt_id } else { 0 },
    })
}

/// `getdents64(2)`: the names in a directory, without `.` and `..`.
///
/// # Errors
/// `ENOTDIR`, `EBADF`.
pub fn names(directory: &OwnedFd) -> Result<Vec<std::ffi::OsString>> {
    let mut names = Vec::new();
    let entries = Dir::read_from(directory).named("openat", || format!("{}, \".\"", fd(directory)))?;
    for entry in entries {
        let entry = entry.named("getdents64", || fd(directory))?;
        let name: &CStr = entry.file_name();
        if name != c"." && name != c".." {
            names.push(std::ffi::OsStr::from_bytes(name.to_bytes()).to_owned());
        }
    }
    Ok(names)
}

/// `faccessat(2)`, `F_OK`: whether a path leads to something, seen from the working directory.
pub fn exists(path: &CStr) -> bool {
    rustix::fs::accessat(CWD, path, rustix::fs::Access::EXISTS, AtFlags::empty()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_refused_where_links_are_not_followed() {
        let directory = std::env::temp_dir().join(format!("redpak-sys-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("real")).unwrap();
        let _ = std::os::unix::fs::symlink("real", directory.join("link"));
        let root: OwnedFd = std::fs::File::open(&directory).unwrap().into();
        assert!(open_path(&root, Path::new("real"), Resolve::BeneathNoLinks).is_ok());
        assert!(open_path(&root, Path::new("link"), Resolve::InRoot).is_ok());
        for resolve in [Resolve::BeneathNoLinks, Resolve::InRootNoLinks] {
            let error = open_path(&root, Path::new("link"), resolve).unwrap_err();
            assert_eq!(error.errno, rustix::io::Errno::LOOP);
        }
        let error = open_path(&root, Path::new("../etc"), Resolve::BeneathNoLinks).unwrap_err();
        assert_eq!(error.errno, rustix::io::Errno::XDEV);
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn status_tells_kind_device_and_mount() {
        let null = status_at(CWD, Path::new("/dev/null")).unwrap();
        assert_eq!((null.kind, null.rdev), (Kind::CharacterDevice, (1, 3)));
        assert_ne!(null.mount, 0);
        let root = status(open_root().unwrap()).unwrap();
        let expected = std::fs::metadata("/").unwrap();
        use std::os::unix::fs::MetadataExt;
        assert_eq!((root.kind, root.dev, root.ino), (Kind::Directory, expected.dev(), expected.ino()));
    }
}
