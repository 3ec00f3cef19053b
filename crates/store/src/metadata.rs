//! Modes, owners, times and extended attributes, carried from one place to another.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;

use crate::dir::Dir;
use crate::error::{Error, Result};

/// What overlayfs notes on what it wrote; of no meaning in a generation (`userxattr`, overlayfs.rst).
const OVERLAY_PREFIX: &[u8] = b"user.overlay.";
const OPAQUE: &CStr = c"user.overlay.opaque";
const WHITEOUT: &CStr = c"user.overlay.whiteout";
const CAPABILITIES: &CStr = c"security.capability";
/// Set-user-ID and set-group-ID.
const SET_ID: u32 = 0o6000;

/// Reads an attribute list or value whose size is not known.
fn read_growing(
    mut call: impl FnMut(&mut [u8]) -> std::result::Result<usize, Errno>,
) -> std::result::Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; 256];
    loop {
        match call(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            // XATTR_LIST_MAX and XATTR_SIZE_MAX are 64 KiB (limits.h): this ends.
            Err(Errno::RANGE) => buffer.resize(buffer.len() * 4, 0),
            Err(e) => return Err(e),
        }
    }
}

fn names(list: &[u8]) -> impl Iterator<Item = CString> + '_ {
    list.split(|byte| *byte == 0).filter(|name| !name.is_empty()).filter_map(|name| CString::new(name).ok())
}

/// Names of an open file's attributes; none where the file system has none.
fn attribute_names(fd: impl AsFd, shown: &Dir, name: &OsStr) -> Result<Vec<CString>> {
    match read_growing(|buffer| fs::flistxattr(&fd, buffer)) {
        Ok(list) => Ok(names(&list).collect()),
        Err(Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(e) => Err(shown.failed("flistxattr", &[name], e)),
    }
}

fn copy_attributes(from: impl AsFd, to: impl AsFd, shown: &Dir, name: &OsStr) -> Result<()> {
    for attribute in attribute_names(&from, shown, name)? {
        if attribute.to_bytes().starts_with(OVERLAY_PREFIX) {
            continue;
        }
        let label = OsStr::new(attribute.to_str().unwrap_or("?"));
        let value = read_growing(|buffer| fs::fgetxattr(&from, &attribute, buffer))
            .map_err(|e| shown.failed("fgetxattr", &[name, label], e))?;
        match fs::fsetxattr(&to, &attribute, &value, XattrFlags::empty()) {
            // A label of a security module is set by that module on new files, or by root (xattr(7)).
            Err(Errno::PERM | Errno::OPNOTSUPP) if attribute.to_bytes().starts_with(b"security.") => {}
            Err(e) => return Err(shown.failed("fsetxattr", &[name, label], e)),
            Ok(()) => {}
        }
    }
    Ok(())
}

fn times(stat: &Stat) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: stat.st_atime as _, tv_nsec: stat.st_atime_nsec as _ },
        last_modification: Timespec { tv_sec: stat.st_mtime as _, tv_nsec: stat.st_mtime_nsec as _ },
    }
}

/// Owner, then mode (chown(2) clears bits of it), then attributes, then times.
fn apply(stat: &Stat, mode: u32, from: impl AsFd, to: impl AsFd, shown: &Dir, name: &OsStr) -> Result<()> {
    let now = fs::fstat(&to).map_err(|e| shown.failed("fstat", &[name], e))?;
    if (now.st_uid, now.st_gid) != (stat.st_uid, stat.st_gid) {
        let (uid, gid) = (fs::Uid::from_raw(stat.st_uid), fs::Gid::from_raw(stat.st_gid));
        fs::fchown(&to, Some(uid), Some(gid)).map_err(|e| {
            let ids = format!("{}:{}", stat.st_uid, stat.st_gid);
            shown.failed("fchown", &[name, OsStr::new(&ids)], e)
        })?;
    }
    fs::fchmod(&to, Mode::from_raw_mode(mode)).map_err(|e| shown.failed("fchmod", &[name], e))?;
    copy_attributes(from, &to, shown, name)?;
    fs::futimens(&to, &times(stat)).map_err(|e| shown.failed("futimens", &[name], e))
}

/// Gives `to` what `from` has, and what `stat` says it had before anything was moved out of it. Called when the
/// content is complete: writing into a directory changes its times.
pub(crate) fn copy_directory(stat: &Stat, from: &Dir, to: &Dir) -> Result<()> {
    let mut mode = stat.st_mode & 0o7777;
    // A directory that its owner cannot read cannot be carried into the next generation by an ordinary user.
    if !rustix::process::geteuid().is_root() {
        mode |= 0o500;
    }
    apply(stat, mode, from, to, to, OsStr::new("."))
}

/// Copies a regular file with all that belongs to it: its blocks are shared where the file system can.
///
/// # Errors
/// `EACCES` (as [`Error::errno`]) before anything is made, when its owner may not read it.
pub(crate) fn copy_file(from: &Dir, name: &OsStr, to: &Dir) -> Result<()> {
    let source = from.open_file(name)?;
    let stat = fs::fstat(&source).map_err(|e| from.failed("fstat", &[name], e))?;
    let target = to.create_file(name, 0o600)?;
    copy_content(&source, &target, from, name)?;
    apply(&stat, stat.st_mode & 0o7777, &source, &target, to, name)
}

fn copy_content(source: &File, target: &File, shown: &Dir, name: &OsStr) -> Result<()> {
    if fs::ioctl_ficlone(target, source).is_ok() {
        return Ok(());
    }
    std::io::copy(&mut &*source, &mut &*target)
        .map(drop)
        .map_err(|e| shown.failed("copy_file_range", &[name], crate::dir::errno_of(&e)))
}

/// Copies a directory and all below it: regular files, links and directories.
pub(crate) fn copy_tree(from: &Dir, to: &Dir) -> Result<()> {
    for entry in from.entries()? {
        let name = entry.name.as_os_str();
        match entry.file_type {
            FileType::Directory => {
                let (below, made) = (from.open(name)?, to.make(name, 0o700)?);
                copy_tree(&below, &made)?;
                copy_directory(&below.stat()?, &below, &made)?;
            }
            FileType::Symlink => to.make_link(from.read_link(name)?, name)?,
            FileType::RegularFile => copy_file(from, name, to)?,
            other => return Err(Error::damaged(&from.join(name), format!("is a {other:?}"))),
        }
    }
    Ok(())
}

/// Removes overlayfs's notes from a file that becomes part of a generation, without touching its times.
pub(crate) fn strip_overlay(dir: &Dir, name: &OsStr, file_type: FileType) -> Result<()> {
    // Only regular files and directories can carry `user.` attributes (xattr(7)).
    if file_type != FileType::RegularFile {
        return Ok(());
    }
    let path = dir.proc_path(name);
    let list = match read_growing(|buffer| fs::llistxattr(&path, buffer)) {
        Ok(list) => list,
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(e) => return Err(dir.failed("llistxattr", &[name], e)),
    };
    for attribute in names(&list).filter(|attribute| attribute.to_bytes().starts_with(OVERLAY_PREFIX)) {
        remove_attribute(dir, name, &attribute)?;
    }
    Ok(())
}

/// Takes away what makes a program run with other rights than its caller's: the set-id bits of a regular file, and its
/// capabilities. Anything else is left alone, and no link is followed.
pub(crate) fn disarm(dir: &Dir, name: &OsStr) -> Result<()> {
    let fd = fs::openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| dir.failed("openat", &[name, OsStr::new("O_PATH")], e))?;
    let mode = fs::fstat(&fd).map_err(|e| dir.failed("fstat", &[name], e))?.st_mode;
    if FileType::from_raw_mode(mode) != FileType::RegularFile {
        return Ok(());
    }
    // The descriptor's own link: what was looked at is what is changed.
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    if mode & SET_ID != 0 {
        let disarmed = Mode::from_raw_mode(mode & 0o7777 & !SET_ID);
        fs::chmod(&path, disarmed).map_err(|e| dir.failed("chmod", &[name], e))?;
    }
    match fs::getxattr(&path, CAPABILITIES, &mut [0_u8; 64][..]) {
        Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(()),
        Err(e) if e != Errno::RANGE => return Err(dir.failed("getxattr", &[name, label(CAPABILITIES)], e)),
        _ => {}
    }
    match fs::removexattr(&path, CAPABILITIES) {
        // An ordinary user's namespace gives capabilities that count in that user's namespaces only (capabilities(7)).
        Err(Errno::PERM) if !rustix::process::geteuid().is_root() => Ok(()),
        other => other.map_err(|e| dir.failed("removexattr", &[name, label(CAPABILITIES)], e)),
    }
}

/// [`disarm`] for all below a directory, on its own file system. What lies deeper than a generation may be is not
/// walked: it is closed to everybody else, for a program in the node must not be able to stop package work.
pub(crate) fn disarm_tree(dir: &Dir, device: u64, depth: usize) -> Result<()> {
    if depth > crate::merge::MAX_DEPTH {
        fs::fchown(dir, Some(rustix::process::geteuid()), None).map_err(|e| dir.failed("fchown", &[], e))?;
        return dir.set_mode(0o700);
    }
    for entry in dir.entries()? {
        // A program that runs in the node may remove things meanwhile, or put others in their place.
        let gone = |e: &Error| matches!(e.errno(), Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP));
        let result = match entry.file_type {
            FileType::RegularFile => disarm(dir, &entry.name),
            FileType::Directory => match dir.open(&entry.name) {
                Ok(below) if below.stat()?.st_dev == device => disarm_tree(&below, device, depth + 1),
                Ok(_) => Ok(()),
                // An ordinary user's, of another owner: nothing in it is that user's.
                Err(e) if e.errno() == Some(Errno::ACCESS) => Ok(()),
                Err(e) => Err(e),
            },
            _ => Ok(()),
        };
        match result {
            Err(e) if !gone(&e) => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

fn label(attribute: &CStr) -> &OsStr {
    OsStr::new(attribute.to_str().unwrap_or("?"))
}

/// user.* needs write permission on the file itself (xattr(7)), which an owner can give and take back.
fn remove_attribute(dir: &Dir, name: &OsStr, attribute: &CStr) -> Result<()> {
    let path = dir.proc_path(name);
    let failed = |e| dir.failed("lremovexattr", &[name, OsStr::new(attribute.to_str().unwrap_or("?"))], e);
    match fs::lremovexattr(&path, attribute) {
        Err(Errno::ACCESS) => {
            let mode = Mode::from_raw_mode(dir.stat_entry(name)?.st_mode & 0o7777);
            let chmod = |mode| fs::chmodat(dir, name, mode, AtFlags::empty()).map_err(failed);
            chmod(mode | Mode::WUSR)?;
            fs::lremovexattr(&path, attribute).map_err(failed)?;
            chmod(mode)
        }
        other => other.map_err(failed),
    }
}

/// Whether overlayfs hid what lies below this directory. `x` (directories that hold whiteouts as attributes)
/// is not an opaque mark.
pub(crate) fn is_opaque(dir: &Dir) -> Result<bool> {
    match read_growing(|buffer| fs::fgetxattr(dir, OPAQUE, buffer)) {
        Ok(value) => Ok(value == b"y"),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
        Err(e) => Err(dir.failed("fgetxattr", &[OsStr::new("user.overlay.opaque")], e)),
    }
}

/// Whether an entry is overlayfs's mark of a removal: a character device 0:0, or an empty file with an attribute.
pub(crate) fn is_whiteout(dir: &Dir, name: &OsStr, file_type: FileType) -> Result<bool> {
    match file_type {
        FileType::CharacterDevice => Ok(dir.stat_entry(name)?.st_rdev == 0),
        FileType::RegularFile => {
            if dir.stat_entry(name)?.st_size != 0 {
                return Ok(false);
            }
            match fs::lgetxattr(dir.proc_path(name), WHITEOUT, &mut [0_u8; 16][..]) {
                Ok(_) | Err(Errno::RANGE) => Ok(true),
                Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
                Err(e) => Err(dir.failed("lgetxattr", &[name], e)),
            }
        }
        _ => Ok(false),
    }
}
