//! Starts the process that runs the commands of one file, waits for it, and ends it when it takes too long.

use std::fs::File;
use std::time::{Duration, Instant};

use redpak_launch::{Inputs, Options, Payload};
use redpak_plan::LaunchPlan;
use redpak_sys::descriptor::{self, Closing};
use redpak_sys::process::{self, Child, Clone, SingleThread};
use redpak_sys::{AsRawFd, OwnedFd, SysError, signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitIdOptions};

use crate::batch::{Batch, Task};
use crate::leftovers;
use crate::limits::Limits;
use crate::record::{self, Record};

/// What a launch may take beside its commands, and a batch to end by itself.
const GRACE: Duration = Duration::from_secs(3);

/// Where commands run.
#[derive(Clone, Copy)]
pub(crate) enum Where<'a> {
    /// On the host.
    Host,
    /// In a launch, for which these descriptors were read.
    Launch(&'a LaunchPlan, &'a Inputs),
}

/// What became of a batch.
pub(crate) struct Finished {
    /// Of each command that was run, in order.
    pub records: Vec<Record>,
    /// Why the parent was not launched, and what to do.
    pub trouble: Option<(String, Option<String>)>,
    /// It did not end by itself.
    pub late: bool,
}

/// Runs commands and waits for their end. The caller must have one thread.
///
/// # Errors
/// No process could be started for them.
pub(crate) fn run(
    place: Where<'_>,
    tasks: &[Task],
    environ: &[(String, String)],
    limits: Limits,
) -> redpak_sys::Result<Finished> {
    let single = SingleThread::check()?;
    let records = record::memory("redpak-commands")?;
    let trouble = record::memory("redpak-trouble")?;
    let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| SysError::new("open", "\"/dev/null\", O_RDONLY", errno))?;
    let (stop, going) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|errno| SysError::new("pipe2", "O_CLOEXEC", errno))?;
    let caller = rustix::process::getpid();
    let child = process::fork(&single, Clone::default(), |single| {
        let batch = Batch { tasks, environ, limits, null: &null, records: &records, stop: None };
        match place {
            Where::Host => on_host(&Batch { stop: Some(&stop), ..batch }, &single),
            Where::Launch(plan, inputs) => {
                if !follows(caller) {
                    return process::PANICKED;
                }
                let options = Options { inputs: Some(inputs), ..Options::default() };
                in_launch(plan, &batch, options, &trouble, &single)
            }
        }
    })?;
    drop(stop);
    let late = !ended_within(&child, limits.file + GRACE);
    if late {
        // A runner on the host ends what it started when nobody listens any more; one that was stopped cannot.
        drop(going);
        let _ = signal::send(&child.pidfd, Signal::CONT);
        if matches!(place, Where::Launch(..)) || !ended_within(&child, GRACE) {
            let _ = signal::send(&child.pidfd, Signal::KILL);
        }
    }
    process::wait_child(child.pid, WaitIdOptions::EXITED)?;
    let unread = |error: std::io::Error| {
        SysError::new(
            "read",
            "what commands wrote",
            rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO),
        )
    };
    Ok(Finished {
        records: record::read(&records).map_err(unread)?,
        trouble: said(&trouble).map_err(unread)?,
        late,
    })
}

fn ended_within(child: &Child, time: Duration) -> bool {
    let deadline = Instant::now() + time;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let mut polled = [PollFd::new(&child.pidfd, PollFlags::IN)];
        let _ = poll(&mut polled, Some(&timeout));
        if !polled[0].revents().is_empty() {
            return true;
        }
        if left.is_zero() {
            return false;
        }
    }
}

/// In the runner: nothing of the caller's is left open, and the terminal is out of reach.
fn on_host(batch: &Batch<'_>, single: &SingleThread) -> u8 {
    let mut kept = vec![batch.null.as_raw_fd(), batch.records.as_raw_fd()];
    kept.extend(batch.stop.map(AsRawFd::as_raw_fd));
    kept.sort_unstable();
    let ready = take_standard(batch.null)
        && process::setsid().is_ok()
        && descriptor::close_all_but(&kept, 3, Closing::Now).is_ok()
        && rustix::process::chdir("/").is_ok()
        && leftovers::adopt().is_ok();
    let code = if ready { batch.run(single) } else { process::PANICKED };
    leftovers::end_all();
    // Owners of descriptors that are closed must not close them again.
    process::exit_now(code)
}

/// In the runner: dies with the caller, in a session of its own.
fn follows(caller: Pid) -> bool {
    process::die_with_parent().is_ok()
        && rustix::process::getppid() == Some(caller)
        && process::setsid().is_ok()
}

/// In the runner: launches the parent, with the batch as its command.
fn in_launch(
    plan: &LaunchPlan,
    batch: &Batch<'_>,
    options: Options<'_>,
    trouble: &File,
    single: &SingleThread,
) -> u8 {
    if !take_standard(batch.null) {
        return process::PANICKED;
    }
    let keep = [batch.null.as_raw_fd(), batch.records.as_raw_fd()];
    let mut work = || match process::not_dumpable() {
        // What redpak knows of the rest of the family is in this process's memory.
        Ok(()) => batch.run(single),
        Err(_) => process::PANICKED,
    };
    let options = Options { keep_fds: &keep, ..options };
    match redpak_launch::launch(plan, Payload::Function(&mut work), &options) {
        Ok(_) => 0,
        Err(error) => {
            let text = format!("{error}: {}\0{}", error.cause, error.hint.as_deref().unwrap_or_default());
            let _ = std::io::Write::write_all(&mut &*trouble, text.as_bytes());
            1
        }
    }
}

fn take_standard(null: &OwnedFd) -> bool {
    rustix::stdio::dup2_stdin(null).is_ok()
        && rustix::stdio::dup2_stdout(null).is_ok()
        && rustix::stdio::dup2_stderr(null).is_ok()
}

/// What a runner could not do.
fn said(trouble: &File) -> std::io::Result<Option<(String, Option<String>)>> {
    let text = String::from_utf8_lossy(&record::content(trouble)?).into_owned();
    Ok(text
        .split_once('\0')
        .map(|(message, hint)| (message.to_owned(), Some(hint.to_owned()).filter(|hint| !hint.is_empty()))))
}
