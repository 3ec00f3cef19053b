//! The transaction's process: a fresh program, one thread, librpm initialised, then into the sandbox.
//!
//! It is this very program, executed again under another name: librpm keeps process-wide state and works on foreign
//! data, so neither it nor its environment may be the caller's. A crash here is an error there, and no more.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use redpak_launch::{LaunchError, Options, Outcome, Payload, launch};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::getppid;

use super::rpm_config;
use super::rpm_transaction;
use super::wire::{Message, Trouble, receive, say};

/// The program's name (`argv[0]`) in this role.
pub(crate) const NAME: &str = "redpak-transaction";

/// Exit code when there is nobody to tell.
const LOST: u8 = 125;

/// Called first in `main` by every program that executes transactions: in the role of the transaction's process it
/// does the work and returns the exit code; otherwise it returns `None` at once.
pub fn worker_main() -> Option<u8> {
    (std::env::args_os().next()?.to_str()? == NAME).then(|| run().unwrap_or(LOST))
}

fn run() -> Option<u8> {
    redpak_sys::process::die_with_parent().ok()?;
    let socket = take_socket()?;
    let fail = |trouble, reason: String| {
        // If the caller is gone, so is this process, by its death signal.
        let _ = say(&socket, &Message::Failed { trouble, reasons: vec![reason] });
        Some(1)
    };
    let (job, packages) = match receive(&socket) {
        Ok(received) => received,
        Err(e) => return fail(Trouble::Sandbox, format!("the job was not understood: {e}")),
    };
    // The death signal is for later deaths only.
    if getppid().is_none_or(|parent| parent.as_raw_nonzero().get() != job.caller) {
        return fail(Trouble::Sandbox, "the caller is gone".to_owned());
    }
    if let Err(why) = rpm_config::initialise() {
        return fail(Trouble::Rpm, format!("librpm cannot be initialised: {why}"));
    }
    let mut keep: Vec<i32> = packages.iter().map(AsRawFd::as_raw_fd).collect();
    keep.push(socket.as_raw_fd());
    let mut work = || rpm_transaction::work(&job, &packages, &socket);
    let options = Options { keep_fds: &keep, ..Options::default() };
    match launch(&job.plan, Payload::Function(&mut work), &options) {
        Ok(Outcome::Exited(code)) => Some(code),
        Ok(Outcome::Signaled(signal)) => fail(Trouble::Rpm, format!("librpm was ended by signal {signal}")),
        Ok(other) => fail(Trouble::Sandbox, format!("{other:?}")),
        Err(error) => fail(Trouble::Sandbox, chain(&error)),
    }
}

fn chain(error: &LaunchError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(below) = source {
        text.push_str(": ");
        text.push_str(&below.to_string());
        source = below.source();
    }
    text
}

/// The socket comes as standard input, and scriptlets get an empty one.
fn take_socket() -> Option<UnixStream> {
    let socket: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned().ok()?;
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).ok()?;
    rustix::stdio::dup2_stdin(&null).ok()?;
    Some(UnixStream::from(socket))
}
