//! The terminal and process groups: who gets the terminal's signals, and who reads from it.
//!
//! | situation | the command's place |
//! | --- | --- |
//! | the plan asks for a new session | a session of its own, without a terminal |
//! | the terminal's foreground job is a pipeline (standard input or output is a pipe) | redwrap's process group: the shell's job control holds for all of it |
//! | anything else | a process group of its own, in the foreground when redwrap is |

use redpak_sys::descriptor::{self, Inherited};
use redpak_sys::file::Kind;
use redpak_sys::{BorrowedFd, OwnedFd, Pid, process, signal, terminal};
use rustix::process::Signal;

use crate::error::Step;

/// Where the command stands.
pub(crate) enum Job {
    /// In a session of its own.
    Session,
    /// In the supervisor's process group.
    Shared,
    /// In a process group of its own.
    Group(Option<Terminal>),
}

/// The controlling terminal.
pub(crate) struct Terminal {
    descriptor: Descriptor,
    /// The supervisor's process group.
    own: Pid,
    /// The foreground group that was found.
    found: Pid,
}

enum Descriptor {
    Standard(BorrowedFd<'static>),
    Opened(OwnedFd),
}

impl Terminal {
    fn borrow(&self) -> BorrowedFd<'_> {
        match &self.descriptor {
            Descriptor::Standard(descriptor) => *descriptor,
            Descriptor::Opened(descriptor) => redpak_sys::AsFd::as_fd(descriptor),
        }
    }
}

impl Job {
    /// Looks at the descriptors 0, 1 and 2 and the terminal.
    pub(crate) fn find(new_session: bool) -> Step<Self> {
        if new_session {
            return Ok(Self::Session);
        }
        let Some((descriptor, found)) = controlling_terminal()? else { return Ok(Self::Group(None)) };
        for number in [0, 1] {
            if let Inherited::Open(status) = descriptor::inspect(number)?
                && matches!(status.kind, Kind::Fifo | Kind::Socket)
            {
                return Ok(Self::Shared);
            }
        }
        Ok(Self::Group(Some(Terminal { descriptor, own: rustix::process::getpgrp(), found })))
    }

    /// In the command's process: takes its place. SIGTTOU is blocked.
    pub(crate) fn take_place(&self) -> Step<()> {
        match self {
            Self::Session => {
                process::setsid()?;
            }
            Self::Shared => {}
            Self::Group(terminal) => {
                process::setpgid_self()?;
                if let Some(terminal) = terminal.as_ref().filter(|terminal| terminal.found == terminal.own) {
                    terminal::set_foreground(terminal.borrow(), rustix::process::getpid())?;
                }
            }
        }
        Ok(())
    }

    /// Whether a signal of the terminal cannot reach the command by itself.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        matches!(self, Self::Session)
    }

    /// The command was stopped: takes the terminal back and stops the supervisor by the same signal. Returns when
    /// somebody continues it, or at once when nobody could (an orphaned process group).
    pub(crate) fn stop(&self, command: Pid, by: i32) -> Step<()> {
        if let Self::Group(Some(terminal)) = self
            && terminal::foreground(terminal.borrow()) == Some(command)
        {
            terminal::set_foreground(terminal.borrow(), terminal.own)?;
        }
        let by = Signal::from_named_raw(by).unwrap_or(Signal::STOP);
        if by == Signal::STOP {
            return Ok(signal::raise(by)?);
        }
        signal::set_default(by)?;
        signal::raise(by)?;
        let one = signal::Set::of(&[by]);
        let before = signal::change_mask(signal::Change::Unblock, &one)?;
        signal::change_mask(signal::Change::Set, &before)?;
        Ok(())
    }

    /// The supervisor runs in the foreground: the command's group gets the terminal.
    pub(crate) fn give(&self, command: Pid) -> Step<()> {
        if let Self::Group(Some(terminal)) = self
            && terminal::foreground(terminal.borrow()) == Some(terminal.own)
        {
            terminal::set_foreground(terminal.borrow(), command)?;
        }
        Ok(())
    }

    /// The command ended: the foreground group is again the one that was found, unless somebody else took the
    /// terminal meanwhile. Nothing depends on it, so a hung up terminal is no error.
    pub(crate) fn restore(&self, command: Pid) {
        if let Self::Group(Some(terminal)) = self
            && terminal::foreground(terminal.borrow()) == Some(command)
        {
            let _ = terminal::set_foreground(terminal.borrow(), terminal.found);
        }
    }
}

/// The descriptor that is the controlling terminal, and its foreground group.
fn controlling_terminal() -> Step<Option<(Descriptor, Pid)>> {
    for number in 0..3 {
        let descriptor = descriptor::borrow(number)?;
        if let Some(found) = terminal::foreground(descriptor) {
            return Ok(Some((Descriptor::Standard(descriptor), found)));
        }
    }
    let Some(opened) = terminal::controlling() else { return Ok(None) };
    Ok(terminal::foreground(&opened).map(|found| (Descriptor::Opened(opened), found)))
}
