//! Who may own what redpak believes, and regular files opened once, checked, and read whole.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use redpak_diagnostics::Finding;
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

use crate::codes;

/// Size limit in bytes of a configuration or status file.
pub const FILE_LIMIT: u64 = 1 << 20;

/// Root's sticky directories such as /tmp may be written by all: nobody can replace another's entry there.
const STICKY: u32 = 0o1000;
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Refuses what is not owned by root or `uid`.
pub fn trusted_user(path: &Path, stat: &Stat, uid: u32) -> Result<(), Finding> {
    if stat.st_uid != 0 && stat.st_uid != uid {
        return Err(Finding::error(
            codes::OWNER,
            format!(
                "`{}` belongs to user {}, neither to root nor to you (user {uid})",
                path.display(),
                stat.st_uid
            ),
        )
        .with_hint(format!("chown it to root or to yourself: `chown {uid} {}`", path.display())));
    }
    Ok(())
}

/// Refuses what is not owned by root or `uid`, or can be written by group or others.
pub fn owner(path: &Path, stat: &Stat, uid: u32) -> Result<(), Finding> {
    trusted_user(path, stat, uid)?;
    let directory = FileType::from_raw_mode(stat.st_mode).is_dir();
    let sticky = directory && stat.st_uid == 0 && stat.st_mode & STICKY != 0;
    if stat.st_mode & WRITABLE_BY_OTHERS != 0 && !sticky {
        return Err(Finding::error(
            codes::WRITABLE,
            format!(
                "`{}` can be written by its group or by others (mode {:04o})",
                path.display(),
                stat.st_mode & 0o7777
            ),
        )
        .with_hint(format!("`chmod go-w {}`", path.display())));
    }
    Ok(())
}

/// Opens `name` in `dir` without following a link or blocking, checks it, and reads it. `None` when there is none.
/// `shown` is the file's path, for findings.
pub fn read(dir: impl AsFd, name: &str, shown: &Path, uid: u32) -> Result<Option<Vec<u8>>, Finding> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file: OwnedFd = match openat(dir, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => {
            return Err(Finding::error(codes::LINK, format!("`{}` is a symbolic link", shown.display()))
                .with_hint("put the file itself there"));
        }
        Err(errno) => return Err(unreadable(shown, errno)),
    };
    let stat = fstat(&file).map_err(|errno| unreadable(shown, errno))?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(Finding::error(
            codes::NOT_REGULAR,
            format!("`{}` is not a regular file", shown.display()),
        ));
    }
    owner(shown, &stat, uid)?;
    let mut bytes = Vec::new();
    std::fs::File::from(file).take(FILE_LIMIT + 1).read_to_end(&mut bytes).map_err(|error| {
        Finding::error(codes::UNREADABLE, format!("cannot read `{}`: {error}", shown.display()))
    })?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(Finding::error(
            codes::NOT_REGULAR,
            format!("`{}` is larger than 1 MiB", shown.display()),
        ));
    }
    Ok(Some(bytes))
}

/// A finding for a path that cannot be opened.
pub fn unreadable(path: &Path, errno: Errno) -> Finding {
    let finding =
        Finding::error(codes::UNREADABLE, format!("cannot open `{}`: {}", path.display(), said(errno)));
    match errno {
        Errno::NOENT => finding.with_hint("check the path; `redconf create` makes a node in a new directory"),
        Errno::ACCESS | Errno::PERM => finding.with_hint("you may not read it: run as its owner or as root"),
        _ => finding,
    }
}

/// The kernel's words for an error number.
pub fn said(errno: Errno) -> String {
    std::io::Error::from_raw_os_error(errno.raw_os_error()).to_string()
}
