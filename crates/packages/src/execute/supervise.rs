//! Starts the transaction's process, listens to it, and ends it when it takes too long or a scriptlet failed.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redpak_store::ExclusiveLock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};

use super::error::{ExecuteError, ExecuteErrorKind, Result};
use super::package::VerifiedPackage;
use super::request::{Event, ExecuteOptions, Scriptlet};
use super::wire::{Job, Message, Trouble, send};
use super::{rpm_config, worker};
use crate::transaction::Nevra;

/// Lines of output that are kept for an error.
const KEPT_LINES: usize = 200;
/// Longest line of output; the rest of it is dropped.
const LONGEST_LINE: usize = 4096;
/// Longest message: a package with 200,000 files has about 20 MiB of paths.
const LONGEST_MESSAGE: usize = 128 << 20;
/// How long the sandbox may take to vanish after its process was killed.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// What the transaction's process left.
pub(crate) struct Finished {
    /// The packages in the database.
    pub(crate) packages: Vec<Nevra>,
    /// The paths that they own.
    pub(crate) owned: PathSet,
    /// Warnings.
    pub(crate) messages: Vec<String>,
}

/// A set of paths, as keyed hashes of 64 bits: 100,000 paths take 1 MB instead of 10. Whoever chooses the paths does
/// not know the key; two of a million collide with a chance of one in forty million.
#[derive(Default)]
pub(crate) struct PathSet {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl PathSet {
    fn insert(&mut self, path: &str) {
        self.hashes.insert(self.hasher.hash_one(path));
    }

    pub(crate) fn contains(&self, path: &str) -> bool {
        self.hashes.contains(&self.hasher.hash_one(path))
    }
}

/// Does a job in the transaction's process.
pub(crate) fn supervise(
    job: &Job,
    packages: &[VerifiedPackage],
    lock: &ExclusiveLock,
    options: &ExecuteOptions,
    progress: &mut dyn FnMut(&Event),
) -> Result<Finished> {
    let (mut child, socket, output) = start(job, options)?;
    let descriptors: Vec<_> = packages.iter().map(AsFd::as_fd).chain([lock.as_fd()]).collect();
    let sent = send(&socket, job, &descriptors);
    let mut session = Session {
        socket,
        output: Some(output),
        messages: Vec::new(),
        lines: Vec::new(),
        options,
        progress,
        kept: Vec::new(),
        warnings: Vec::new(),
        owned: PathSet::default(),
        end: None,
        current: "the sandbox".to_owned(),
        deadline: Instant::now() + options.step_limit,
    };
    let heard = match sent {
        Ok(()) => session.listen(),
        // It is gone already: what it said says why.
        Err(e) => session.listen().and(Err(ExecuteError::system("sendmsg(the job)", e))),
    };
    if heard.is_err() {
        // Its init dies with it, and everything in its pid namespace with that.
        let _ = child.kill();
        session.drain(LAST_BREATH);
    }
    let status = child.wait().map_err(|e| ExecuteError::system("waitpid(the transaction's process)", e));
    session.drain(Duration::from_millis(200));
    let kept = std::mem::take(&mut session.kept);
    heard.map_err(|error| error.with_output(kept.clone()))?;
    let status = status?;
    match session.end.take() {
        Some(Message::Done { packages }) if status.success() => {
            Ok(Finished { packages, owned: session.owned, messages: session.warnings })
        }
        Some(Message::Failed { trouble, reasons }) => Err(failed(trouble, &reasons).with_output(kept)),
        _ => {
            let text = format!("the transaction's process ended ({status}) while at {}", session.current);
            let error = ExecuteError::new(ExecuteErrorKind::Rpm, text).with_output(kept);
            Err(error.with_hint("a package may have crashed librpm; the node is unchanged"))
        }
    }
}

fn failed(trouble: Trouble, reasons: &[String]) -> ExecuteError {
    let text = reasons.join("\n");
    match trouble {
        Trouble::Sandbox => {
            ExecuteError::new(ExecuteErrorKind::Sandbox, format!("the sandbox failed: {text}"))
        }
        Trouble::Rpm => ExecuteError::new(ExecuteErrorKind::Rpm, text),
        Trouble::LdConfig => ExecuteError::new(ExecuteErrorKind::Scriptlet, text),
    }
}

fn start(job: &Job, options: &ExecuteOptions) -> Result<(Child, UnixStream, OwnedFd)> {
    let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let (ours, theirs) = pair.map_err(|e| ExecuteError::system("socketpair(AF_UNIX, SOCK_STREAM)", e))?;
    let (read, write) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|e| ExecuteError::system("pipe2(O_CLOEXEC)", e))?;
    let again = write.try_clone().map_err(|e| ExecuteError::system("fcntl(F_DUPFD_CLOEXEC)", e))?;
    let child = Command::new(&options.program)
        .arg0(worker::NAME)
        .env_clear()
        .envs(job.plan.environ.iter().map(|(key, value)| (key, value)))
        .envs(rpm_config::ENVIRONMENT)
        .current_dir("/")
        .stdin(theirs)
        .stdout(Stdio::from(write))
        .stderr(Stdio::from(again))
        .spawn()
        .map_err(|e| ExecuteError::system(format!("execve({:?})", options.program), e))?;
    Ok((child, UnixStream::from(ours), read))
}

struct Session<'a> {
    socket: UnixStream,
    output: Option<OwnedFd>,
    /// Bytes of an unfinished message.
    messages: Vec<u8>,
    /// Bytes of an unfinished line of output.
    lines: Vec<u8>,
    options: &'a ExecuteOptions,
    progress: &'a mut dyn FnMut(&Event),
    kept: Vec<String>,
    warnings: Vec<String>,
    owned: PathSet,
    end: Option<Message>,
    current: String,
    deadline: Instant,
}

impl Session<'_> {
    /// Until the process and all that it started are gone, or an error that ends them.
    fn listen(&mut self) -> Result<()> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let limit = self.options.step_limit.as_secs_f32();
                let text = format!("{} took longer than {limit} s and was ended", self.current);
                return Err(ExecuteError::new(ExecuteErrorKind::Scriptlet, text));
            }
            let (said, wrote) = self.wait(left)?;
            // Output first: what a scriptlet wrote stands before its failure.
            if wrote {
                self.read_output()?;
            }
            if said && !self.read_messages()? {
                return Ok(());
            }
        }
    }

    fn wait(&self, left: Duration) -> Result<(bool, bool)> {
        let mut descriptors = vec![PollFd::new(&self.socket, PollFlags::IN)];
        descriptors.extend(self.output.as_ref().map(|output| PollFd::new(output, PollFlags::IN)));
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 600, tv_nsec: 0 });
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(ExecuteError::system("poll(the transaction's process)", e)),
        }
        let ready = |at: usize| descriptors.get(at).is_some_and(|fd| !fd.revents().is_empty());
        Ok((ready(0), ready(1)))
    }

    /// Returns whether there will be more.
    fn read_messages(&mut self) -> Result<bool> {
        let mut buffer = [0; 32 << 10];
        let read = match self.socket.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(read) => read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => return Ok(true),
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return Ok(false),
            Err(e) => return Err(ExecuteError::system("read(the transaction's process)", e)),
        };
        self.messages.extend_from_slice(&buffer[..read]);
        let mut rest = 0;
        while let Some(end) = self.messages[rest..].iter().position(|byte| *byte == b'\n') {
            let line = &self.messages[rest..rest + end];
            let message = serde_json::from_slice(line).map_err(|e| {
                ExecuteError::new(ExecuteErrorKind::Rpm, "the transaction's process spoke nonsense")
                    .with_source(e)
            })?;
            rest += end + 1;
            self.hear(message)?;
        }
        self.messages.drain(..rest);
        if self.messages.len() > LONGEST_MESSAGE {
            return Err(ExecuteError::new(
                ExecuteErrorKind::Rpm,
                "the transaction's process does not stop speaking",
            ));
        }
        Ok(true)
    }

    fn hear(&mut self, message: Message) -> Result<()> {
        self.deadline = Instant::now() + self.options.step_limit;
        let event = match message {
            Message::Begin { elements } => Event::Begin { elements },
            Message::Install { nevra } => Event::Install { nevra },
            Message::Erase { nevra } => Event::Erase { nevra },
            Message::Progress { amount, total } => Event::Progress { amount, total },
            Message::Script { nevra, tag } => Event::Script { nevra, kind: Scriptlet::from_tag(tag) },
            Message::LdConfig => Event::LdConfig,
            Message::Owned { paths } => {
                paths.iter().for_each(|path| self.owned.insert(path));
                return Ok(());
            }
            Message::ScriptFailed { nevra, tag } => {
                return self.script_failed(&nevra, Scriptlet::from_tag(tag));
            }
            end => {
                self.end = Some(end);
                return Ok(());
            }
        };
        match &event {
            Event::Install { nevra } => self.current = format!("installing {nevra}"),
            Event::Erase { nevra } => self.current = format!("removing {nevra}"),
            Event::Script { nevra, kind } => self.current = format!("{kind} of {nevra}"),
            Event::LdConfig => self.current = "ldconfig".to_owned(),
            _ => {}
        }
        (self.progress)(&event);
        Ok(())
    }

    fn script_failed(&mut self, nevra: &str, kind: Scriptlet) -> Result<()> {
        if self.options.ignore_scriptlets.contains(&kind) {
            self.warnings.push(format!("{kind} of {nevra} failed, which was asked to be ignored"));
            return Ok(());
        }
        self.drain(Duration::from_millis(50));
        let name = kind.to_string();
        let text = format!("{name} of {nevra} failed");
        let error = ExecuteError::new(ExecuteErrorKind::Scriptlet, text);
        Err(match kind {
            Scriptlet::Pre | Scriptlet::Pretrans | Scriptlet::Preun => error,
            _ => error.with_hint(format!("`--ignore-scriptlets={}` to insist", name.trim_start_matches('%'))),
        })
    }

    fn read_output(&mut self) -> Result<()> {
        let Some(output) = &self.output else { return Ok(()) };
        let mut buffer = [0; 8 << 10];
        match rustix::io::read(output, &mut buffer) {
            Ok(0) => self.output = None,
            Ok(read) => {
                for byte in &buffer[..read] {
                    if *byte == b'\n' {
                        self.end_line();
                    } else if self.lines.len() < LONGEST_LINE {
                        self.lines.push(*byte);
                    }
                }
            }
            Err(Errno::INTR) => {}
            Err(e) => return Err(ExecuteError::system("read(the output of scriptlets)", e)),
        }
        Ok(())
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.lines)).into_owned();
        if let Some(warning) = line.strip_prefix("warning: ") {
            self.warnings.push(warning.to_owned());
        }
        if self.kept.len() == KEPT_LINES {
            self.kept.remove(0);
        }
        self.kept.push(line.clone());
        (self.progress)(&Event::Output(line));
    }

    /// Reads output until everybody has closed it, at most for a while.
    fn drain(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while self.output.is_some() && Instant::now() < end {
            let Some(output) = &self.output else { break };
            let mut descriptors = [PollFd::new(output, PollFlags::IN)];
            let left = Timespec::try_from(end.saturating_duration_since(Instant::now()));
            let Ok(left) = left else { break };
            match poll(&mut descriptors, Some(&left)) {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) => break,
            }
            if self.read_output().is_err() {
                break;
            }
        }
        if !self.lines.is_empty() {
            self.end_line();
        }
    }
}
