//! [`SysError`]: a failed system call with its name, all its arguments and the error number.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;

/// What the functions of this crate return.
pub type Result<T> = std::result::Result<T, SysError>;

/// A failed system call, shown as `mount_setattr(fd 5 </usr>, AT_RECURSIVE, rdonly): EINVAL Invalid argument`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SysError {
    /// The call's name.
    pub call: Cow<'static, str>,
    /// All its arguments, as text.
    pub arguments: String,
    /// What the kernel said.
    pub errno: Errno,
    /// What the kernel had to say in words (the log of a `fsopen` descriptor), or empty.
    pub log: String,
}

impl SysError {
    /// An error of `call` with its arguments as text.
    pub fn new(call: &'static str, arguments: impl Into<String>, errno: Errno) -> Self {
        Self { call: Cow::Borrowed(call), arguments: arguments.into(), errno, log: String::new() }
    }
}

impl fmt::Display for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}): {}", self.call, self.arguments, Named(self.errno))?;
        if !self.log.is_empty() {
            write!(f, " ({})", self.log)?;
        }
        Ok(())
    }
}

impl std::error::Error for SysError {}

/// Turns the result of a call into one with name and arguments; the text is only made when it failed.
pub(crate) trait Name {
    /// The value of a success.
    type Value;
    /// Adds name and arguments.
    fn named(self, call: &'static str, arguments: impl FnOnce() -> String) -> Result<Self::Value>;
}

impl<T> Name for rustix::io::Result<T> {
    type Value = T;
    fn named(self, call: &'static str, arguments: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|errno| SysError::new(call, arguments(), errno))
    }
}

/// An error number as `EINVAL Invalid argument`.
pub struct Named(pub Errno);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.0.raw_os_error()).to_string();
        let words = text.split(" (os error").next().unwrap_or(&text);
        match NAMES.iter().find(|(errno, _)| *errno == self.0) {
            Some((_, name)) => write!(f, "{name} {words}"),
            None => write!(f, "errno {} {words}", self.0.raw_os_error()),
        }
    }
}

const NAMES: &[(Errno, &str)] = &[
    (Errno::PERM, "EPERM"),
    (Errno::NOENT, "ENOENT"),
    (Errno::SRCH, "ESRCH"),
    (Errno::INTR, "EINTR"),
    (Errno::IO, "EIO"),
    (Errno::NXIO, "ENXIO"),
    (Errno::TOOBIG, "E2BIG"),
    (Errno::NOEXEC, "ENOEXEC"),
    (Errno::BADF, "EBADF"),
    (Errno::CHILD, "ECHILD"),
    (Errno::AGAIN, "EAGAIN"),
    (Errno::NOMEM, "ENOMEM"),
    (Errno::ACCESS, "EACCES"),
    (Errno::FAULT, "EFAULT"),
    (Errno::BUSY, "EBUSY"),
    (Errno::EXIST, "EEXIST"),
    (Errno::XDEV, "EXDEV"),
    (Errno::NODEV, "ENODEV"),
    (Errno::NOTDIR, "ENOTDIR"),
    (Errno::ISDIR, "EISDIR"),
    (Errno::INVAL, "EINVAL"),
    (Errno::NFILE, "ENFILE"),
    (Errno::MFILE, "EMFILE"),
    (Errno::NOTTY, "ENOTTY"),
    (Errno::TXTBSY, "ETXTBSY"),
    (Errno::FBIG, "EFBIG"),
    (Errno::NOSPC, "ENOSPC"),
    (Errno::ROFS, "EROFS"),
    (Errno::MLINK, "EMLINK"),
    (Errno::PIPE, "EPIPE"),
    (Errno::NAMETOOLONG, "ENAMETOOLONG"),
    (Errno::NOSYS, "ENOSYS"),
    (Errno::NOTEMPTY, "ENOTEMPTY"),
    (Errno::LOOP, "ELOOP"),
    (Errno::OVERFLOW, "EOVERFLOW"),
    (Errno::USERS, "EUSERS"),
    (Errno::NOTSOCK, "ENOTSOCK"),
    (Errno::OPNOTSUPP, "EOPNOTSUPP"),
    (Errno::NOBUFS, "ENOBUFS"),
    (Errno::TIMEDOUT, "ETIMEDOUT"),
    (Errno::STALE, "ESTALE"),
    (Errno::DQUOT, "EDQUOT"),
];

thread_local! {
    static PROC_SELF_FD: RefCell<Option<OwnedFd>> = const { RefCell::new(None) };
}

/// Makes errors of this thread read the paths of descriptors through this directory (`/proc/self/fd`), for when the
/// path `/proc` leads elsewhere; `None` goes back to the path.
pub fn describe_through(proc_self_fd: Option<OwnedFd>) {
    PROC_SELF_FD.with_borrow_mut(|slot| *slot = proc_self_fd);
}

/// A descriptor as `fd 5 </usr>`, or `fd 5` where its path cannot be told.
pub(crate) fn fd(fd: impl AsFd) -> String {
    describe(fd.as_fd())
}

fn describe(fd: BorrowedFd<'_>) -> String {
    let number = fd.as_raw_fd();
    if number == rustix::fs::CWD.as_raw_fd() {
        return "AT_FDCWD".to_owned();
    }
    let path = PROC_SELF_FD.with_borrow(|slot| match slot {
        Some(directory) => rustix::fs::readlinkat(directory, number.to_string(), Vec::new()),
        None => rustix::fs::readlink(format!("/proc/self/fd/{number}"), Vec::new()),
    });
    match path {
        Ok(path) => format!("fd {number} <{}>", path.to_string_lossy()),
        Err(_) => format!("fd {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_call_arguments_and_errno() {
        let file = std::fs::File::open("/usr").unwrap();
        let error =
            SysError::new("mount_setattr", format!("{}, AT_RECURSIVE, rdonly", fd(&file)), Errno::INVAL);
        let number = file.as_raw_fd();
        assert_eq!(
            error.to_string(),
            format!("mount_setattr(fd {number} </usr>, AT_RECURSIVE, rdonly): EINVAL Invalid argument")
        );
    }

    #[test]
    fn the_mount_log_follows_in_parentheses() {
        let error = SysError { log: "overlay: no".into(), ..SysError::new("fsmount", "", Errno::PERM) };
        assert_eq!(error.to_string(), "fsmount(): EPERM Operation not permitted (overlay: no)");
    }

    #[test]
    fn an_errno_without_a_name_shows_its_number() {
        assert!(Named(Errno::from_raw_os_error(133)).to_string().starts_with("errno 133 "));
    }
}
