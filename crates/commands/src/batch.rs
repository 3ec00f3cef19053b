//! Runs the commands of one file, one after the other, where the runner has put it: on the host, or as the payload of
//! the parent's launch. Needs one thread and nothing of the file system but the shell.

use std::ffi::CString;
use std::fs::File;
use std::time::{Duration, Instant};

use redpak_sys::descriptor::{self, Closing};
use redpak_sys::process::{self, CStrings, Child, Clone, SingleThread};
use redpak_sys::signal::{self, Change, Set};
use redpak_sys::{AsFd, Errno, OwnedFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, WaitIdOptions};

use crate::limits::Limits;
use crate::record::{End, Record};
use crate::shell::Shell;

/// A command to run.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub text: String,
    /// Bytes that it may write.
    pub limit: usize,
}

/// The commands of one file.
pub(crate) struct Batch<'a> {
    pub tasks: &'a [Task],
    /// Their whole environment.
    pub environ: &'a [(String, String)],
    pub limits: Limits,
    /// `/dev/null`, opened to read: where the commands run there may be none.
    pub null: &'a OwnedFd,
    /// Where a record of each command goes.
    pub records: &'a File,
    /// Its end, or a byte, ends the batch.
    pub stop: Option<&'a OwnedFd>,
}

/// Why a batch goes no further.
enum Halt {
    /// Somebody asks for it, or nobody listens any more.
    Stopped,
}

impl Batch<'_> {
    /// Runs them. A command that fails does not keep the next one from running; one that takes too long does.
    /// The result is an exit code that nobody looks at: the records say all.
    pub fn run(&self, single: &SingleThread) -> u8 {
        u8::from(self.all(single).is_err())
    }

    fn all(&self, single: &SingleThread) -> Result<(), Halt> {
        let deadline = Instant::now() + self.limits.file;
        let path = self.environ.iter().find(|(key, _)| key == "PATH").map_or("", |(_, value)| value);
        let Some(shell) = Shell::find(path) else {
            return self.tell(&Record { end: End::NoShell, output: vec![], errors: vec![] });
        };
        let environment = match environment(self.environ) {
            Ok(environment) => environment,
            Err(why) => return self.tell(&Record::not_started(why)),
        };
        let mut room = self.limits.output;
        for task in self.tasks {
            let run = Run { batch: self, shell: &shell, environment: &environment, deadline };
            let record = run.command(task, task.limit.min(room), single)?;
            room = room.saturating_sub(record.output.len());
            self.tell(&record)?;
            if record.end == End::TimedOut {
                break;
            }
        }
        Ok(())
    }

    fn tell(&self, record: &Record) -> Result<(), Halt> {
        record.write(self.records).map_err(|_| Halt::Stopped)
    }
}

fn environment(variables: &[(String, String)]) -> Result<CStrings, String> {
    let variable = |(key, value): &(String, String)| {
        CString::new(format!("{key}={value}"))
            .map_err(|_| format!("the variable {key} holds a NUL character"))
    };
    Ok(CStrings::new(variables.iter().map(variable).collect::<Result<_, _>>()?))
}

/// What all commands of a batch have in common.
struct Run<'a> {
    batch: &'a Batch<'a>,
    shell: &'a Shell,
    environment: &'a CStrings,
    deadline: Instant,
}

impl Run<'_> {
    /// Runs one command to its end. What is left of it in its session's process group is ended with it.
    fn command(&self, task: &Task, limit: usize, single: &SingleThread) -> Result<Record, Halt> {
        let Some(arguments) = self.shell.arguments(&task.text) else {
            return Ok(Record::not_started("the command holds a NUL character"));
        };
        let pipe = || pipe_with(PipeFlags::CLOEXEC);
        let pipes = pipe().and_then(|output| Ok((output, pipe()?)));
        let ((output, output_in), (errors, errors_in)) = match pipes {
            Ok(pipes) => pipes,
            Err(errno) => return Ok(Record::not_started(format!("pipe2(O_CLOEXEC): {errno}"))),
        };
        let started = process::fork(single, Clone::default(), |_| {
            self.become_shell(&arguments, [&output_in, &errors_in])
        });
        drop((output_in, errors_in));
        let child = match started {
            Ok(child) => child,
            Err(error) => return Ok(Record::not_started(error)),
        };
        let mut streams = Streams {
            output: Stream::of(output),
            errors: Stream::of(errors),
            limit,
            kept: self.batch.limits.errors,
        };
        let cut = self.listen(&child, &mut streams);
        // Before it is reaped, so that the number is nobody else's. Its group may not stand yet, or any more.
        let _ = signal::kill_group(child.pid, Signal::KILL);
        let _ = signal::send(&child.pidfd, Signal::KILL);
        let status = process::wait_child(child.pid, WaitIdOptions::EXITED);
        let end = match (cut?, status) {
            (Some(end), _) => end,
            (None, Ok(Some(status))) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => End::Exited(code as u8),
                (None, signal) => End::Signaled(signal.unwrap_or(Signal::KILL.as_raw())),
            },
            (None, Ok(None)) => return Ok(Record::not_started("waitid() says nothing of the command")),
            (None, Err(error)) => return Ok(Record::not_started(error)),
        };
        Ok(Record { end, output: streams.output.read, errors: streams.errors.read })
    }

    /// In the child: never returns when all goes well. Why it did not is said on the command's own standard error.
    fn become_shell(&self, arguments: &CStrings, [output, errors]: [&OwnedFd; 2]) -> u8 {
        let standard = rustix::stdio::dup2_stdin(self.batch.null)
            .and_then(|()| rustix::stdio::dup2_stdout(output))
            .and_then(|()| rustix::stdio::dup2_stderr(errors));
        if standard.is_err() {
            return process::PANICKED;
        }
        let steps = || {
            process::setsid()?;
            descriptor::close_all_but(&[], 3, Closing::OnExec)?;
            // What Rust's start-up ignores, and what a launch blocks.
            signal::set_default(Signal::PIPE)?;
            signal::change_mask(Change::Set, &Set::of(&[]))
        };
        let error = match steps() {
            Ok(_) => process::execute_file(&self.shell.file, arguments, self.environment),
            Err(error) => error,
        };
        let _ = rustix::io::write(rustix::stdio::stderr(), format!("redpak: {error}\n").as_bytes());
        process::PANICKED
    }

    /// Reads what the command writes until it ends. `Some` when it is to be ended before that.
    fn listen(&self, child: &Child, streams: &mut Streams) -> Result<Option<End>, Halt> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Some(End::TimedOut));
            }
            let Ready { ended, stopped } = self.wait(child, streams, left);
            if stopped {
                return Err(Halt::Stopped);
            }
            if ended {
                // The rest of a pipeline has ended with its shell; a process in the background that has not ended
                // does not keep the pipe from being read to its end.
                let _ = signal::kill_group(child.pid, Signal::KILL);
            }
            let more = streams.read();
            if streams.output.read.len() > streams.limit {
                return Ok(Some(End::TooLong(streams.limit)));
            }
            if ended && !more {
                return Ok(None);
            }
        }
    }

    fn wait(&self, child: &Child, streams: &Streams, left: Duration) -> Ready {
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let mut polled = vec![PollFd::new(&child.pidfd, PollFlags::IN)];
        polled.extend(self.batch.stop.map(|stop| PollFd::new(stop, PollFlags::IN)));
        let stops = polled.len();
        polled.extend(streams.open().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        // An interruption, or memory that is short just now, is another round: the deadline ends them all.
        let _ = poll(&mut polled, Some(&timeout));
        let ready = |range: std::ops::Range<usize>| polled[range].iter().any(|fd| !fd.revents().is_empty());
        Ready { ended: ready(0..1), stopped: ready(1..stops) }
    }
}

struct Ready {
    ended: bool,
    stopped: bool,
}

/// What a command writes.
struct Streams {
    output: Stream,
    errors: Stream,
    /// Bytes of output that are too many by one.
    limit: usize,
    /// Bytes of errors that are kept, from the end.
    kept: usize,
}

struct Stream {
    /// Until its end.
    pipe: Option<OwnedFd>,
    read: Vec<u8>,
}

impl Stream {
    fn of(pipe: OwnedFd) -> Self {
        // One that blocks all the same would only be read when there is something in it.
        let _ = fcntl_setfl(&pipe, OFlags::NONBLOCK);
        Self { pipe: Some(pipe), read: Vec::new() }
    }

    /// Reads once; whether there was something.
    fn take(&mut self) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        let mut buffer = [0; 16 << 10];
        match rustix::io::retry_on_intr(|| rustix::io::read(pipe.as_fd(), &mut buffer)) {
            Ok(0) => self.pipe = None,
            Ok(read) => {
                self.read.extend_from_slice(&buffer[..read]);
                return true;
            }
            Err(Errno::AGAIN) => {}
            Err(_) => self.pipe = None,
        }
        false
    }
}

impl Streams {
    fn open(&self) -> impl Iterator<Item = &OwnedFd> {
        [&self.output, &self.errors].into_iter().filter_map(|stream| stream.pipe.as_ref())
    }

    /// Reads once of each; whether there was something.
    fn read(&mut self) -> bool {
        let more = self.output.take() | self.errors.take();
        let surplus = self.errors.read.len().saturating_sub(self.kept);
        self.errors.read.drain(..surplus);
        more
    }
}
