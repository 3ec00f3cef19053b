//! The child's side of a launch: the order of the set-up, and init.

use redpak_sys::channel::{self, About};
use redpak_sys::descriptor::{self, Closing};
use redpak_sys::process::{self, Clone, SingleThread};
use redpak_sys::signal::{self, Change, Set};
use redpak_sys::{AsRawFd, Errno, OwnedFd, Pid, file, mount, network};

use crate::command::{Command, become_command, give_up_rights_of_init};
use crate::error::{Explain, LaunchError, Stage, Step};
use crate::locks;
use crate::prepare::Payload;
use crate::report::Report;
use crate::tree;

/// What the child is started with.
pub(crate) struct Child<'a> {
    pub command: Command<'a>,
    /// The child's end of the channel.
    pub channel: OwnedFd,
    /// Where a devpts comes from, when the child cannot make its own.
    pub pts: Option<OwnedFd>,
    /// The supervisor.
    pub supervisor: OwnedFd,
}

/// Runs in the new namespaces. The result is an exit code that nobody looks at, but for a function's.
pub(crate) fn run(child: Child<'_>, payload: Payload<'_>, single: &SingleThread) -> u8 {
    let Child { command, channel, pts, supervisor } = child;
    match set_up(&command, &channel, pts, supervisor) {
        Ok(Progress::SupervisorGone) => process::PANICKED,
        Ok(Progress::Ready) if command.prepared.plan.namespaces.pid => {
            start(command, payload, channel, single)
        }
        Ok(Progress::Ready) => become_command(command, payload, channel),
        Err(error) => {
            Report::Failed(error.with_host_paths()).send(&channel);
            process::PANICKED
        }
    }
}

enum Progress {
    Ready,
    SupervisorGone,
}

fn set_up(
    command: &Command<'_>,
    channel: &OwnedFd,
    pts: Option<OwnedFd>,
    supervisor: OwnedFd,
) -> Result<Progress, LaunchError> {
    let plan = command.prepared.plan;
    // Nothing of the set-up is to be interrupted half way: SIGXFSZ would kill where EFBIG explains.
    signal::change_mask(Change::Set, &Set::all()).stage(Stage::Namespaces)?;
    process::die_with_parent().stage(Stage::Namespaces)?;
    // A supervisor that died before is told by nobody: its last message may be waiting, and the process that makes a
    // devpts may hold its end of the channel open.
    let [gone] = process::poll_readable([&supervisor], false).stage(Stage::Namespaces)?;
    drop(supervisor);
    if gone {
        return Ok(Progress::SupervisorGone);
    }
    rustix::process::umask(rustix::fs::Mode::empty());
    let root = file::open_root().stage(Stage::Namespaces)?;
    mount::make_private_recursively(&root).stage(Stage::Namespaces)?;
    // The supervisor writes the id maps, then says go.
    match channel::receive(channel, true).stage(Stage::IdMaps)? {
        Some(message) if !message.bytes.is_empty() => {}
        _ => return Ok(Progress::SupervisorGone),
    }
    process::not_dumpable().stage(Stage::Namespaces)?;
    if let Some(name) = &plan.hostname {
        process::sethostname(name).stage(Stage::Hostname)?;
    }
    if plan.namespaces.net {
        network::loopback_up().stage(Stage::Network)?;
    }
    tree::build(plan, &command.prepared.contents, root, pts)?;
    Ok(if locks::take(plan, channel)? { Progress::Ready } else { Progress::SupervisorGone })
}

/// Starts the command as PID 2, and becomes init.
fn start(command: Command<'_>, payload: Payload<'_>, channel: OwnedFd, single: &SingleThread) -> u8 {
    let mut inherited = Some((command, payload));
    let started = process::fork(single, Clone::default(), |_| match inherited.take() {
        Some((command, payload)) => match channel.try_clone() {
            Ok(channel) => become_command(command, payload, channel),
            Err(_) => process::PANICKED,
        },
        None => process::PANICKED,
    });
    let told = started.and_then(|child| {
        Report::send_started(&channel, About { pidfd: &child.pidfd, pid: child.pid })?;
        Ok(child.pid)
    });
    match told.stage(Stage::Command).and_then(|pid| init(pid, &channel)) {
        // With the channel open: its end tells the supervisor that this process is as good as gone.
        Ok(()) => process::exit_now(0),
        Err(error) => {
            Report::Failed(error).send(&channel);
            process::PANICKED
        }
    }
}

/// Init: gives up what it has, reaps, tells when the command stops, and ends with the command and all else that runs
/// in its pid namespace.
fn init(command: Pid, channel: &OwnedFd) -> Result<(), LaunchError> {
    redpak_sys::error::describe_through(None);
    // Descriptors of the caller's that init kept open would hide the end of pipes from their other ends.
    descriptor::close_all_but(&[channel.as_raw_fd()], 0, Closing::Now).stage(Stage::Descriptors)?;
    give_up_rights_of_init().stage(Stage::Rights)?;
    loop {
        let (pid, status) = process::wait_any().stage(Stage::Supervise)?;
        if pid != command {
            continue;
        }
        let report = match (status.stopping_signal(), status.exit_status(), status.terminating_signal()) {
            (Some(signal), ..) => {
                Report::Stopped(signal).send(channel);
                continue;
            }
            (None, Some(code), _) => Report::Exited(code as u8),
            (None, None, Some(signal)) => Report::Signaled(signal),
            _ => continue,
        };
        end_all_others().stage(Stage::Supervise)?;
        report.send(channel);
        return Ok(());
    }
}

/// Nothing runs in the namespace any more when the supervisor hears of the end: it need not wait for the kernel to take
/// the namespaces apart.
fn end_all_others() -> Step<()> {
    signal::kill_all_others()?;
    loop {
        match process::wait_any() {
            Ok(_) => {}
            Err(error) if error.errno == Errno::CHILD => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
