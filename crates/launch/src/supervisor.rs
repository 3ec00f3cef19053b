//! The caller's side of a launch: starts the child, maps its users, forwards signals, and waits.

use std::path::Path;

use redpak_plan::launch_plan::{IdRange, LaunchPlan};
use redpak_sys::file::Resolve;
use redpak_sys::process::{self, Clone, SingleThread};
use redpak_sys::signal::{self, Change, Set};
use redpak_sys::{Errno, OwnedFd, Pid, channel, file};
use rustix::process::{Signal, WaitIdOptions};

use crate::child::{self, Child};
use crate::command::Command;
use crate::error::{Cause, Explain, LaunchError, Stage, Step, refuse};
use crate::job::Job;
use crate::outcome::Outcome;
use crate::prepare::{Options, Payload, Prepared, prepare};
use crate::pts;
use crate::report::{self, Incoming, Report};

/// What a process sends to the supervisor, and the supervisor passes on.
const FORWARDED: [Signal; 8] = [
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::CONT,
    Signal::TSTP,
];

/// Executes a plan: makes the sandbox, runs the payload in it, waits for its end, and leaves nothing behind.
///
/// The caller must have one thread. While it runs, the caller's signals are the command's (see SPEC section 5);
/// afterwards the signal mask is as it was.
///
/// # Errors
/// The command did not start: some part of the plan could not be put in force. Or, at [`Stage::Supervise`], it was lost.
pub fn launch(
    plan: &LaunchPlan,
    payload: Payload<'_>,
    options: &Options<'_>,
) -> Result<Outcome, LaunchError> {
    let prepared = prepare(plan, &payload, options)?;
    let single = SingleThread::check()
        .hint(&[Errno::NOENT], "procfs must be mounted on the host's /proc")
        .stage(Stage::Prepare)?;
    if plan.die_with_parent {
        die_with_parent().stage(Stage::Prepare)?;
    }
    let job = Job::find(plan.new_session).stage(Stage::Terminal)?;
    // A caller that ignores SIGCHLD would have its children reaped by the kernel.
    signal::set_default(Signal::CHILD).stage(Stage::Supervise)?;
    let watched = Set::of(&[&FORWARDED[..], &[Signal::CHILD]].concat());
    let signals = signal::signalfd(&watched).stage(Stage::Supervise)?;
    let blocked = Set::of(&[&FORWARDED[..], &[Signal::CHILD, Signal::TTOU, Signal::XFSZ]].concat());
    let mask = signal::change_mask(Change::Block, &blocked).stage(Stage::Supervise)?;
    let outcome = supervise(Supervised { prepared, job, mask, signals, payload }, &single);
    // What came in at the end was meant for the command, and would be the caller's death once it is not blocked.
    signal::discard(&watched).stage(Stage::Supervise)?;
    signal::change_mask(Change::Set, &mask).stage(Stage::Supervise)?;
    outcome
}

/// The kernel kills the caller with its parent; a parent that died just now is seen by its id.
fn die_with_parent() -> Step<()> {
    let parent = rustix::process::getppid();
    process::die_with_parent()?;
    if rustix::process::getppid() != parent {
        signal::raise(Signal::KILL)?;
    }
    Ok(())
}

struct Supervised<'p, 'f> {
    prepared: Prepared<'p>,
    job: Job,
    mask: Set,
    signals: OwnedFd,
    payload: Payload<'f>,
}

/// The command's process, as the supervisor sees it.
struct Running {
    pid: Pid,
    pidfd: OwnedFd,
}

fn supervise(launch: Supervised<'_, '_>, single: &SingleThread) -> Result<Outcome, LaunchError> {
    let Supervised { prepared, job, mask, signals, payload } = launch;
    let plan = prepared.plan;
    let is_command = prepared.program.is_some();
    let (ours, theirs) = channel::pair(true).stage(Stage::Prepare)?;
    let pts_count = pts::needed(plan);
    let (pts_ours, pts_theirs) = match pts_count {
        0 => (None, None),
        _ => channel::pair(false).map(|(ours, theirs)| (Some(ours), Some(theirs))).stage(Stage::Prepare)?,
    };
    let own = process::own_pidfd().stage(Stage::Prepare)?;
    // The child gets copies: what it takes is its own, and what it must not keep open it closes.
    let command = Command { prepared, job, mask };
    let mut inherited = Some((command, payload, ours, theirs, signals, pts_ours, pts_theirs, own));
    let child = process::fork(single, namespaces(plan), |single| match inherited.take() {
        Some((command, payload, ours, theirs, signals, pts_ours, pts, supervisor)) => {
            drop((ours, signals, pts_ours));
            child::run(Child { command, channel: theirs, pts, supervisor }, payload, &single)
        }
        None => process::PANICKED,
    });
    let Some((command, _, ours, theirs, signals, pts_ours, pts_theirs, own)) = inherited else {
        return refuse("the launch's state is gone").stage(Stage::Prepare);
    };
    drop((theirs, pts_theirs, own));
    let child = child.map_err(|error| explain_clone(error, plan))?;
    let mut supervisor = Supervisor {
        plan,
        job: command.job,
        channel: Some(ours),
        signals,
        child: child.pid,
        running: None,
        helper: None,
        early: Vec::new(),
        told: None,
        unrun: None,
        locks: Vec::new(),
    };
    let outcome = supervisor.release().and_then(|()| {
        if let Some(pts) = pts_ours {
            supervisor.helper = Some(pts::provide(pts_count, &pts, single)?);
        }
        supervisor.wait(&child.pidfd)
    });
    match outcome {
        // Nothing may be left of a launch that failed.
        Err(_) => {
            let _ = signal::send(&child.pidfd, Signal::KILL);
        }
        // Nothing runs inside any more. An open file would keep the mount that it lies in.
        Ok(_) => supervisor.locks.clear(),
    }
    // Init has ended everything inside before it told of the command's end. What the kernel then does to take the
    // namespaces apart is waited for only where the caller goes on to use what was mounted in them.
    let patience = match outcome {
        Ok(_) if is_command && plan.namespaces.pid => WaitIdOptions::NOHANG,
        _ => WaitIdOptions::empty(),
    };
    for process in [Some(child.pid), supervisor.helper].into_iter().flatten() {
        let _ = process::wait_child(process, WaitIdOptions::EXITED | patience);
    }
    if let Some(running) = &supervisor.running {
        supervisor.job.restore(running.pid);
    }
    outcome
}

fn namespaces(plan: &LaunchPlan) -> Clone {
    let planned = plan.namespaces;
    Clone {
        user: planned.user,
        mount: true,
        pid: planned.pid,
        net: planned.net,
        ipc: planned.ipc,
        uts: planned.uts,
        cgroup: planned.cgroup,
    }
}

fn explain_clone(error: redpak_sys::SysError, plan: &LaunchPlan) -> LaunchError {
    let hint = match error.errno {
        Errno::PERM if plan.namespaces.user => Some(
            "user namespaces are not allowed here: see the sysctls kernel.unprivileged_userns_clone (Debian) and \
             kernel.apparmor_restrict_unprivileged_userns (Ubuntu), and seccomp filters of a container around this",
        ),
        Errno::PERM => Some("without a user namespace (share_user: enabled) a launch needs root"),
        Errno::NOSPC | Errno::USERS => Some(
            "the limit of namespaces is reached: see the sysctls user.max_user_namespaces, user.max_mnt_namespaces, \
             user.max_pid_namespaces, user.max_net_namespaces",
        ),
        Errno::INVAL => {
            Some("the kernel lacks a kind of namespace that the plan asks for: see CONFIG_NAMESPACES")
        }
        Errno::AGAIN => Some("the limit of processes is reached: see ulimit -u and the cgroup's pids.max"),
        _ => None,
    };
    let hint = hint.map(str::to_owned);
    LaunchError { stage: Stage::Namespaces, mount: None, cause: Cause::System(error), hint }
}

struct Supervisor<'a> {
    plan: &'a LaunchPlan,
    job: Job,
    /// Until its other end is closed.
    channel: Option<OwnedFd>,
    signals: OwnedFd,
    child: Pid,
    /// The process that makes a devpts, until it is reaped.
    helper: Option<Pid>,
    /// The command, once it exists.
    running: Option<Running>,
    /// Signals to pass on to the command when it exists.
    early: Vec<Signal>,
    /// What init said of the command's end.
    told: Option<Outcome>,
    /// Why the command could not be executed.
    unrun: Option<Outcome>,
    /// Files inside that are locked for as long as they are open here.
    locks: Vec<OwnedFd>,
}

impl Supervisor<'_> {
    /// Maps users and groups, and lets the child go on. A child that is gone has left a report.
    fn release(&self) -> Result<(), LaunchError> {
        if self.plan.namespaces.user {
            self.map_ids().stage(Stage::IdMaps)?;
        }
        self.say_go(Stage::IdMaps)
    }

    /// Lets the child go on.
    fn say_go(&self, stage: Stage) -> Result<(), LaunchError> {
        match &self.channel {
            Some(channel) => match channel::send(channel, &[1]) {
                Err(error) if error.errno == Errno::PIPE => Ok(()),
                sent => sent.stage(stage),
            },
            None => Ok(()),
        }
    }

    fn map_ids(&self) -> Step<()> {
        let ids = &self.plan.ids;
        let root = file::open_root()?;
        let process = Path::new("proc").join(self.child.as_raw_nonzero().to_string());
        let process = file::open_directory(&root, &process, Resolve::InRoot)?;
        if ids.deny_setgroups {
            file::write_kernel_file(&process, "setgroups", "deny")?;
        }
        for (name, map) in [("uid_map", &ids.uid_map), ("gid_map", &ids.gid_map)] {
            file::write_kernel_file(&process, name, &map_text(map)).hint(
                &[Errno::PERM],
                "an ordinary user can map nothing but the own user and group, and may need CAP_SETUID, CAP_SETGID and \
                 CAP_SETFCAP for more",
            )?;
        }
        Ok(())
    }

    fn wait(&mut self, child: &OwnedFd) -> Result<Outcome, LaunchError> {
        if !self.plan.namespaces.pid {
            // The child itself becomes the command.
            let pidfd = redpak_sys::descriptor::duplicate_above(child, 3).stage(Stage::Supervise)?;
            self.running = Some(Running { pid: self.child, pidfd });
        }
        loop {
            let (report, signal) = self.poll().stage(Stage::Supervise)?;
            if report && let Some(outcome) = self.report()? {
                return Ok(outcome);
            }
            if signal && let Some(outcome) = self.drain_signals(child)? {
                return Ok(outcome);
            }
        }
    }

    fn poll(&self) -> redpak_sys::Result<(bool, bool)> {
        match &self.channel {
            Some(channel) => {
                process::poll_readable([channel, &self.signals], true).map(|[one, two]| (one, two))
            }
            None => process::poll_readable([&self.signals], true).map(|[signal]| (false, signal)),
        }
    }

    /// Takes one report.
    fn report(&mut self) -> Result<Option<Outcome>, LaunchError> {
        let Some(channel) = &self.channel else { return Ok(None) };
        match report::receive(channel).stage(Stage::Supervise)? {
            Incoming::Report(Report::Started, Some(pidfd), Some(pid)) => {
                self.running = Some(Running { pid, pidfd });
                std::mem::take(&mut self.early).into_iter().try_for_each(|signal| self.pass_on(signal))?;
            }
            Incoming::Report(Report::Started, ..) => {
                return refuse("the command's process was not passed on").stage(Stage::Supervise);
            }
            Incoming::Report(Report::Locked, Some(file), _) => {
                self.locks.push(file);
                if self.locks.len() == self.plan.locks.len() {
                    self.say_go(Stage::Locks)?;
                }
            }
            Incoming::Report(Report::Locked, ..) => {
                return refuse(
                    "a locked file was not passed on: the limit of open files is too low (ulimit -n)",
                )
                .stage(Stage::Locks);
            }
            Incoming::Report(Report::Failed(error), ..) => return Err(error),
            Incoming::Report(Report::NotFound(program), ..) => {
                self.unrun = Some(Outcome::NotFound { program })
            }
            Incoming::Report(Report::NotExecutable(program, why), ..) => {
                self.unrun = Some(Outcome::NotExecutable { program, why });
            }
            Incoming::Report(Report::Stopped(by), ..) => self.stop(by)?,
            Incoming::Report(Report::Exited(code), ..) => self.told = Some(Outcome::Exited(code)),
            Incoming::Report(Report::Signaled(signal), ..) => self.told = Some(Outcome::Signaled(signal)),
            // Init's memory and descriptors are gone: nothing of the launch is seen any more.
            Incoming::End => {
                self.channel = None;
                match self.told.take() {
                    Some(outcome) => return Ok(Some(self.ended(outcome))),
                    None if self.plan.namespaces.pid => return self.lost().map(Some),
                    None => {}
                }
            }
        }
        Ok(None)
    }

    /// The outcome, unless the command was never executed.
    fn ended(&mut self, outcome: Outcome) -> Outcome {
        self.unrun.take().unwrap_or(outcome)
    }

    /// Init ended without a word: something killed it, and all in its pid namespace with it.
    fn lost(&mut self) -> Result<Outcome, LaunchError> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = process::wait_child(self.child, options).stage(Stage::Supervise)?;
        let signal = status.and_then(|status| status.terminating_signal());
        match (&self.running, signal) {
            (Some(_), Some(signal)) => Ok(self.ended(Outcome::Signaled(signal))),
            (None, Some(signal)) => refuse(format!("signal {signal} ended the set-up (memory may be short)")),
            _ => refuse("the set-up ended without a word"),
        }
        .stage(Stage::Supervise)
    }

    /// Takes all signals that are pending.
    fn drain_signals(&mut self, child: &OwnedFd) -> Result<Option<Outcome>, LaunchError> {
        while let Some(received) = signal::receive(&self.signals).stage(Stage::Supervise)? {
            if received.number == Signal::CHILD.as_raw() {
                if let Some(outcome) = self.child_changed()? {
                    return Ok(Some(outcome));
                }
                continue;
            }
            let Some(named) = Signal::from_named_raw(received.number) else { continue };
            if self.running.is_some() {
                if received.by_process {
                    self.pass_on(named)?;
                } else if self.job.is_out_of_reach() {
                    self.pass_on_terminals(named)?;
                }
            } else if [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT].contains(&named) {
                // There is no command yet that could take it.
                signal::send(child, Signal::KILL).stage(Stage::Supervise)?;
                return Ok(Some(Outcome::Signaled(received.number)));
            } else if received.by_process {
                self.early.push(named);
            }
        }
        Ok(None)
    }

    /// Without init, the command is the child.
    fn child_changed(&mut self) -> Result<Option<Outcome>, LaunchError> {
        if let Some(helper) = self.helper {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            if process::wait_child(helper, options).stage(Stage::Supervise)?.is_some() {
                self.helper = None;
            }
        }
        if self.plan.namespaces.pid {
            return Ok(None);
        }
        let options = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        let look = WaitIdOptions::NOWAIT | options;
        let Some(status) = process::wait_child(self.child, look).stage(Stage::Supervise)? else {
            return Ok(None);
        };
        if let Some(by) = status.stopping_signal() {
            process::wait_child(self.child, options).stage(Stage::Supervise)?;
            self.stop(by)?;
            return Ok(None);
        }
        // What it said before it ended counts first.
        while self.channel.is_some() {
            self.report()?;
        }
        let outcome = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Outcome::Exited(code as u8),
            (None, signal) => Outcome::Signaled(signal.unwrap_or(Signal::KILL.as_raw())),
        };
        Ok(Some(self.ended(outcome)))
    }

    fn pass_on(&self, signal: Signal) -> Result<(), LaunchError> {
        let Some(running) = &self.running else { return Ok(()) };
        if signal == Signal::CONT {
            self.job.give(running.pid).stage(Stage::Terminal)?;
        }
        deliver(signal::send(&running.pidfd, signal))
    }

    /// A signal of the terminal, for a command in a session of its own: to its whole group, as the terminal would.
    fn pass_on_terminals(&self, signal: Signal) -> Result<(), LaunchError> {
        match &self.running {
            Some(running) => deliver(signal::kill_group(running.pid, signal)),
            None => Ok(()),
        }
    }

    /// The command was stopped: so is the supervisor, and what continues it continues the command.
    fn stop(&mut self, by: i32) -> Result<(), LaunchError> {
        let Some(running) = &self.running else { return Ok(()) };
        self.job.stop(running.pid, by).stage(Stage::Terminal)?;
        self.job.give(running.pid).stage(Stage::Terminal)?;
        deliver(match self.job {
            Job::Shared => signal::send(&running.pidfd, Signal::CONT),
            Job::Session | Job::Group(_) => signal::kill_group(running.pid, Signal::CONT),
        })?;
        // What continued the supervisor is pending still, and has just been passed on.
        signal::discard(&Set::of(&[Signal::CONT])).stage(Stage::Supervise)
    }
}

/// A command that ended meanwhile is no error.
fn deliver(sent: redpak_sys::Result<()>) -> Result<(), LaunchError> {
    match sent {
        Err(error) if error.errno == Errno::SRCH => Ok(()),
        sent => sent.stage(Stage::Supervise),
    }
}

fn map_text(map: &[IdRange]) -> String {
    map.iter().fold(String::new(), |text, range| {
        text + &format!("{} {} {}\n", range.inside, range.outside, range.count)
    })
}
