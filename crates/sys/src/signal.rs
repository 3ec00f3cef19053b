//! Signals: masks, `signalfd`, sending by pidfd, default actions.

use rustix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use crate::error::{Name, Result, SysError, fd};
use crate::process::last_errno;

/// A set of signals (`sigset_t`).
#[derive(Clone, Copy)]
pub struct Set(libc::sigset_t);

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Set")
    }
}

impl Set {
    /// These signals.
    pub fn of(signals: &[Signal]) -> Self {
        let mut set = std::mem::MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set; sigaddset gets that set and a valid number.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in signals {
                libc::sigaddset(set.as_mut_ptr(), signal.as_raw());
            }
            Self(set.assume_init())
        }
    }

    /// All signals that can be blocked.
    pub fn all() -> Self {
        let mut set = std::mem::MaybeUninit::uninit();
        // SAFETY: sigfillset initialises the set.
        unsafe {
            libc::sigfillset(set.as_mut_ptr());
            Self(set.assume_init())
        }
    }
}

/// How [`change_mask`] changes the mask.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// `SIG_BLOCK`
    Block,
    /// `SIG_UNBLOCK`
    Unblock,
    /// `SIG_SETMASK`
    Set,
}

/// `sigprocmask(2)`; returns the mask that was.
///
/// # Errors
/// None are known for valid arguments.
pub fn change_mask(change: Change, set: &Set) -> Result<Set> {
    let how = match change {
        Change::Block => libc::SIG_BLOCK,
        Change::Unblock => libc::SIG_UNBLOCK,
        Change::Set => libc::SIG_SETMASK,
    };
    let mut old = std::mem::MaybeUninit::uninit();
    // SAFETY: both sets are valid for the call, which initialises `old` when it succeeds.
    let result = unsafe { libc::sigprocmask(how, &raw const set.0, old.as_mut_ptr()) };
    if result != 0 {
        return Err(SysError::new("sigprocmask", format!("{change:?}"), last_errno()));
    }
    // SAFETY: the call succeeded.
    Ok(Set(unsafe { old.assume_init() }))
}

/// `sigaction(2)` with `SIG_DFL`.
///
/// # Errors
/// `EINVAL` for KILL and STOP.
pub fn set_default(signal: Signal) -> Result<()> {
    // SAFETY: no handler of ours is replaced by code: the default action is the kernel's.
    let previous = unsafe { libc::signal(signal.as_raw(), libc::SIG_DFL) };
    if previous == libc::SIG_ERR {
        return Err(SysError::new("sigaction", format!("{signal:?}, SIG_DFL"), last_errno()));
    }
    Ok(())
}

/// `kill(2)` of the caller itself.
///
/// # Errors
/// None are known.
pub fn raise(signal: Signal) -> Result<()> {
    let own = rustix::process::getpid();
    rustix::process::kill_process(own, signal)
        .named("kill", || format!("{}, {signal:?}", own.as_raw_nonzero()))
}

/// `kill(2)` of a process group.
///
/// # Errors
/// `ESRCH`, `EPERM`.
pub fn kill_group(group: Pid, signal: Signal) -> Result<()> {
    rustix::process::kill_process_group(group, signal)
        .named("kill", || format!("-{}, {signal:?}", group.as_raw_nonzero()))
}

/// `kill(-1, SIGKILL)`: every process that the caller may signal but itself and, in a pid namespace, its init. For init
/// itself that is everything in its namespace.
///
/// # Errors
/// `EPERM`; nobody there is no error.
pub fn kill_all_others() -> Result<()> {
    // SAFETY: the call has no memory arguments.
    let result = unsafe { libc::kill(-1, libc::SIGKILL) };
    match last_errno() {
        _ if result == 0 => Ok(()),
        Errno::SRCH => Ok(()),
        errno => Err(SysError::new("kill", "-1, SIGKILL", errno)),
    }
}

/// `pidfd_send_signal(2)`.
///
/// # Errors
/// `ESRCH` when the process is gone, `EPERM`.
pub fn send(pidfd: &OwnedFd, signal: Signal) -> Result<()> {
    rustix::process::pidfd_send_signal(pidfd, signal)
        .named("pidfd_send_signal", || format!("{}, {signal:?}", fd(pidfd)))
}

/// `signalfd(2)`, close-on-exec, not blocking: the signals of the set must be blocked.
///
/// # Errors
/// `EMFILE`.
pub fn signalfd(set: &Set) -> Result<OwnedFd> {
    // SAFETY: the set is valid for the call.
    let number = unsafe { libc::signalfd(-1, &raw const set.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if number < 0 {
        return Err(SysError::new("signalfd", "-1, SFD_CLOEXEC|SFD_NONBLOCK", last_errno()));
    }
    // SAFETY: the descriptor is new, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `sigtimedwait(2)` without waiting, until none of the set is pending any more; they must be blocked.
///
/// # Errors
/// None are known; nothing pending is no error.
pub fn discard(set: &Set) -> Result<()> {
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        // SAFETY: set and time are valid for the call, and no information is asked for.
        let taken = unsafe { libc::sigtimedwait(&raw const set.0, std::ptr::null_mut(), &raw const at_once) };
        if taken < 0 {
            match last_errno() {
                Errno::AGAIN => return Ok(()),
                Errno::INTR => {}
                errno => return Err(SysError::new("sigtimedwait", "0", errno)),
            }
        }
    }
}

/// A signal that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its number.
    pub number: i32,
    /// A process sent it (`SI_USER`, `SI_QUEUE`, `SI_TKILL`); otherwise the kernel did, for the terminal or a child.
    pub by_process: bool,
}

/// `read(2)` of a signalfd; `None` when nothing is pending.
///
/// # Errors
/// `EBADF`.
pub fn receive(signalfd: &OwnedFd) -> Result<Option<Received>> {
    let mut info = [0_u8; std::mem::size_of::<libc::signalfd_siginfo>()];
    match rustix::io::retry_on_intr(|| rustix::io::read(signalfd.as_fd(), &mut info)) {
        Err(Errno::AGAIN) => Ok(None),
        Err(errno) => Err(SysError::new("read", format!("signalfd {}", signalfd.as_raw_fd()), errno)),
        Ok(_) => {
            // SAFETY: the structure is plain numbers; the kernel wrote a whole one, and the read is unaligned.
            let info: libc::signalfd_siginfo = unsafe { std::ptr::read_unaligned(info.as_ptr().cast()) };
            let by_process = matches!(info.ssi_code, libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL);
            Ok(Some(Received { number: info.ssi_signo as i32, by_process }))
        }
    }
}
