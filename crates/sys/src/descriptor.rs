//! Descriptors by number: what a process inherits and what it hands on.

use std::os::fd::IntoRawFd;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, FdFlags};

use crate::error::{Name, Result, SysError};
use crate::file::{Kind, Status, status};
use crate::process::last_errno;

/// What is behind an inherited descriptor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherited {
    /// Nothing: the number is closed.
    Closed,
    /// A place in the file system (`O_PATH`), not an open file.
    Path,
    /// An open file.
    Open(Status),
}

impl Inherited {
    /// Whether it is an open directory.
    pub fn is_directory(self) -> bool {
        matches!(self, Self::Open(status) if status.kind == Kind::Directory)
    }
}

/// Lends an inherited descriptor number. The number may be closed: calls with it then say `EBADF`.
pub fn borrow(number: RawFd) -> Result<BorrowedFd<'static>> {
    if number < 0 {
        return Err(SysError::new("fcntl", number.to_string(), Errno::BADF));
    }
    // SAFETY: the number is not -1. It stands for what the caller of the program opened, if anything, which no owner
    // in this program closes; a closed number is an error of the call that uses it.
    Ok(unsafe { BorrowedFd::borrow_raw(number) })
}

/// `fcntl(F_GETFL)` and `statx(2)` of a descriptor number.
///
/// # Errors
/// Those of the calls; a closed number is no error.
pub fn inspect(number: RawFd) -> Result<Inherited> {
    let descriptor = borrow(number)?;
    match rustix::fs::fcntl_getfl(descriptor) {
        Err(Errno::BADF) => Ok(Inherited::Closed),
        Err(errno) => Err(SysError::new("fcntl", format!("{number}, F_GETFL"), errno)),
        Ok(flags) if flags.contains(OFlags::PATH) => Ok(Inherited::Path),
        Ok(_) => Ok(Inherited::Open(status(descriptor)?)),
    }
}

/// Opens `/dev/null` on each of 0, 1 and 2 that is closed, so that nothing else takes their place.
///
/// # Errors
/// Those of open(2).
pub fn open_standard() -> Result<()> {
    for number in 0..3 {
        if inspect(number)? != Inherited::Closed {
            continue;
        }
        let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty())
            .named("open", || "\"/dev/null\", O_RDWR".to_owned())?;
        // The lowest free number is the one found closed; it stays open for the program's life.
        let _ = null.into_raw_fd();
    }
    Ok(())
}

/// `fcntl(F_GETFD)`: whether the number goes when another program is executed. What a caller handed over by executing
/// this program does not.
///
/// # Errors
/// `EBADF`.
pub fn closes_on_exec(number: RawFd) -> Result<bool> {
    rustix::io::fcntl_getfd(borrow(number)?)
        .named("fcntl", || format!("{number}, F_GETFD"))
        .map(|flags| flags.contains(FdFlags::CLOEXEC))
}

/// `read(2)` of a descriptor number until its end. `None` when there is more than `limit` bytes.
///
/// # Errors
/// `EBADF` when it is not open for reading, `EISDIR`, `EIO`.
pub fn read_to_end(number: RawFd, limit: usize) -> Result<Option<Vec<u8>>> {
    let descriptor = borrow(number)?;
    let mut read = Vec::new();
    let mut part = [0; 64 * 1024];
    loop {
        match rustix::io::read(descriptor, &mut part) {
            Ok(0) => return Ok(Some(read)),
            Ok(length) => read.extend_from_slice(&part[..length]),
            Err(Errno::INTR) => {}
            // Whoever handed it over does not wait for data by itself.
            Err(Errno::AGAIN) => wait_readable(descriptor)?,
            Err(errno) => return Err(SysError::new("read", crate::error::fd(descriptor), errno)),
        }
        if read.len() > limit {
            return Ok(None);
        }
    }
}

fn wait_readable(descriptor: BorrowedFd<'_>) -> Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut polled = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
    rustix::io::retry_on_intr(|| poll(&mut polled, None))
        .named("poll", || crate::error::fd(descriptor))
        .map(|_| ())
}

/// `close_range(2)` of one number that the caller of the program opened. No owner in this program may use it
/// afterwards.
///
/// # Errors
/// `EINVAL` before Linux 5.9.
pub fn close(number: RawFd) -> Result<()> {
    close_range(number, number, Closing::Now)
}

/// What [`close_range`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Close at once.
    Now,
    /// Close when another program is executed (`CLOSE_RANGE_CLOEXEC`).
    OnExec,
}

/// `close_range(2)` of every number from 3 on but those in `keep` (ascending); with [`Closing::Now`] no owner of a
/// closed number may use or drop it afterwards.
///
/// # Errors
/// `EINVAL` before Linux 5.11.
pub fn close_all_but(keep: &[RawFd], first: RawFd, closing: Closing) -> Result<()> {
    let mut from = first;
    for &number in keep {
        if number < from {
            continue;
        }
        if number > from {
            close_range(from, number - 1, closing)?;
        }
        from = number + 1;
    }
    close_range(from, RawFd::MAX, closing)
}

fn close_range(first: RawFd, last: RawFd, closing: Closing) -> Result<()> {
    let flags = match closing {
        Closing::Now => 0,
        Closing::OnExec => libc::CLOSE_RANGE_CLOEXEC,
    };
    // SAFETY: the call has no memory arguments. Numbers that Rust owners still hold are the caller's concern, as the
    // documentation of `close_all_but` says: a later use is an EBADF, never memory unsafety.
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first as libc::c_uint,
            last as libc::c_uint,
            flags as libc::c_uint,
        )
    };
    if result == 0 {
        return Ok(());
    }
    Err(SysError::new("close_range", format!("{first}, {last}, {flags}"), last_errno()))
}

/// `fcntl(F_SETFD, 0)`: the descriptor survives `execve`.
///
/// # Errors
/// `EBADF`.
pub fn keep_on_exec(number: RawFd) -> Result<()> {
    let descriptor = borrow(number)?;
    rustix::io::fcntl_setfd(descriptor, FdFlags::empty()).named("fcntl", || format!("{number}, F_SETFD, 0"))
}

/// `fcntl(F_DUPFD_CLOEXEC)` to a number not below `lowest`.
///
/// # Errors
/// `EMFILE`, `EINVAL` beyond `RLIMIT_NOFILE`.
pub fn duplicate_above(descriptor: impl AsFd, lowest: RawFd) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(descriptor.as_fd(), lowest)
        .named("fcntl", || format!("{}, F_DUPFD_CLOEXEC, {lowest}", crate::error::fd(&descriptor)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsRawFd;

    #[test]
    fn reading_ends_at_the_end_or_at_the_limit() {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
        let late = std::thread::spawn(move || {
            rustix::io::write(&writer, b"one ").unwrap();
            std::thread::sleep(std::time::Duration::from_millis(30));
            rustix::io::write(&writer, b"two").unwrap();
        });
        assert_eq!(read_to_end(reader.as_raw_fd(), 7).unwrap().as_deref(), Some(&b"one two"[..]));
        late.join().unwrap();
        let zero = std::fs::File::open("/dev/zero").unwrap();
        assert_eq!(read_to_end(zero.as_raw_fd(), 1 << 20).unwrap(), None);
        let directory = std::fs::File::open("/").unwrap();
        assert_eq!(read_to_end(directory.as_raw_fd(), 7).unwrap_err().errno, Errno::ISDIR);
        assert!(closes_on_exec(zero.as_raw_fd()).unwrap());
        keep_on_exec(zero.as_raw_fd()).unwrap();
        assert!(!closes_on_exec(zero.as_raw_fd()).unwrap());
    }

    #[test]
    fn inspection_tells_directories_paths_and_closed_numbers() {
        let directory = std::fs::File::open("/").unwrap();
        assert!(inspect(directory.as_raw_fd()).unwrap().is_directory());
        let path = crate::file::open_root().unwrap();
        assert_eq!(inspect(path.as_raw_fd()).unwrap(), Inherited::Path);
        assert_eq!(inspect(1 << 20).unwrap(), Inherited::Closed);
    }
}
