//! Terminals: which one controls the session, and which process group is in the foreground.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;

use crate::error::{Name, Result, fd};

/// `tcgetpgrp(3)`: the foreground process group; `None` when the descriptor is not the caller's controlling terminal.
pub fn foreground(terminal: impl AsFd) -> Option<Pid> {
    rustix::termios::tcgetpgrp(terminal.as_fd()).ok()
}

/// `tcsetpgrp(3)`. SIGTTOU must be blocked where the caller is in the background.
///
/// # Errors
/// `ENOTTY`, `EPERM` when the group is of another session, `EIO` after a hangup.
pub fn set_foreground(terminal: impl AsFd, group: Pid) -> Result<()> {
    rustix::termios::tcsetpgrp(terminal.as_fd(), group)
        .named("tcsetpgrp", || format!("{}, {}", fd(&terminal), group.as_raw_nonzero()))
}

/// Opens the controlling terminal; `None` when there is none.
pub fn controlling() -> Option<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
    rustix::fs::open("/dev/tty", flags, Mode::empty()).ok()
}
