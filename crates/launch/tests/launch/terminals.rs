//! Job control on a pseudo-terminal.
//!
//! A helper process (`tool terminal …`) is a session leader with the pseudo-terminal, as a shell is: it starts the
//! launcher in a process group of its own, in the foreground, and tells what becomes of it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use rustix::pty::OpenptFlags;
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use crate::harness::{BOTH, How, SOMEBODY, Test, Who, directory, launcher, test};
use crate::plans::plan;

pub const TESTS: &[Test] = &[
    test(
        "the_terminals_interrupt_reaches_the_command_once",
        BOTH,
        the_terminals_interrupt_reaches_the_command_once,
    ),
    test("suspend_and_continue", BOTH, suspend_and_continue),
    test("the_foreground_is_restored", BOTH, the_foreground_is_restored),
    test("a_pipeline_stays_one_job", BOTH, a_pipeline_stays_one_job),
    test("a_new_session_has_no_terminal", BOTH, a_new_session_has_no_terminal),
    test("a_background_job_stops_when_it_reads", BOTH, a_background_job_stops_when_it_reads),
];

/// A pseudo-terminal with the helper behind it.
struct Screen {
    master: File,
    helper: std::process::Child,
    seen: String,
}

impl Screen {
    /// `kind` says how the helper starts the launcher.
    fn start(who: Who, kind: &str, inner: &Command) -> Self {
        let master =
            rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        rustix::pty::grantpt(&master).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let name = rustix::pty::ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        // A session leader that opens it would make it its own.
        let flags = rustix::fs::OFlags::NOCTTY.bits() as i32;
        let open = || File::options().read(true).write(true).custom_flags(flags).open(&name).unwrap();
        let mut command = Command::new(crate::harness::program());
        command.args(["tool", "terminal", kind]).arg(inner.get_program()).args(inner.get_args());
        command.stdin(open()).stdout(open()).stderr(open());
        if who == Who::User {
            command.uid(SOMEBODY).gid(SOMEBODY);
            std::os::unix::fs::chown(&name, Some(SOMEBODY), None).unwrap();
        }
        let helper = command.spawn().unwrap();
        Self { master: master.into(), helper, seen: String::new() }
    }

    fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads until the text was seen; all up to it is dropped.
    #[track_caller]
    fn see(&mut self, text: &str) {
        let start = Instant::now();
        while !self.seen.contains(text) {
            assert!(start.elapsed() < Duration::from_secs(20), "no {text:?} in {:?}", self.seen);
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let mut polled = [PollFd::new(&self.master, PollFlags::IN)];
            let timeout = Timespec { tv_sec: 1, tv_nsec: 0 };
            if poll(&mut polled, Some(&timeout)).unwrap() == 0 {
                continue;
            }
            let mut buffer = [0; 4096];
            match self.master.read(&mut buffer) {
                Ok(length) => self.seen += &String::from_utf8_lossy(&buffer[..length]),
                Err(_) => panic!("the terminal ended without {text:?}: {:?}", self.seen),
            }
        }
        let at = self.seen.find(text).unwrap() + text.len();
        self.seen.drain(..at);
    }

    fn end(mut self) {
        assert_eq!(self.helper.wait().unwrap().code(), Some(0), "{}", self.seen);
    }
}

/// Says each INT and TERM, ends at the second INT.
const COUNT: &str = "$| = 1; my $n = 0; $SIG{INT} = sub { $n++; print \"int $n\\n\"; exit 5 if $n == 2 }; $SIG{TERM} = sub { print \"term\\n\" }; \
                     print \"ready\\n\"; sleep 1 while 1;";

fn counting(who: Who, node: &std::path::Path, new_session: bool) -> Command {
    let mut plan = plan(who, node, &["perl", "-e", COUNT]);
    plan.new_session = new_session;
    launcher(who, &plan, &How::default())
}

fn the_terminals_interrupt_reaches_the_command_once(who: Who) {
    let node = directory(who);
    let mut screen = Screen::start(who, "foreground", &counting(who, node.path(), false));
    screen.see("ready");
    screen.press("\x03");
    screen.see("int 1");
    std::thread::sleep(Duration::from_millis(100));
    screen.press("\x03");
    screen.see("int 2");
    screen.see("exited 5");
    screen.see("foreground restored");
    screen.end();
}

fn suspend_and_continue(who: Who) {
    let node = directory(who);
    let plan = plan(who, node.path(), &["sh", "-c", "echo ready; read line; echo got $line; exit 6"]);
    let mut screen = Screen::start(who, "foreground", &launcher(who, &plan, &How::default()));
    screen.see("ready");
    screen.press("\x1a");
    screen.see("stopped 20 with its own group in the foreground");
    screen.press("hello\n");
    screen.see("got hello");
    screen.see("exited 6");
    screen.see("foreground restored");
    screen.end();
}

fn the_foreground_is_restored(who: Who) {
    let node = directory(who);
    let plan = plan(who, node.path(), &["sh", "-c", "kill -9 $$"]);
    let mut screen = Screen::start(who, "foreground", &launcher(who, &plan, &How::default()));
    screen.see("exited 137");
    screen.see("foreground restored");
    screen.end();
}

fn a_pipeline_stays_one_job(who: Who) {
    let node = directory(who);
    let mut screen = Screen::start(who, "pipeline", &counting(who, node.path(), false));
    screen.see("ready");
    screen.press("\x03");
    screen.see("int 1");
    std::thread::sleep(Duration::from_millis(100));
    screen.press("\x03");
    screen.see("int 2");
    screen.see("exited 5");
    screen.end();
}

fn a_new_session_has_no_terminal(who: Who) {
    let node = directory(who);
    let perl = "$| = 1; open(T, '<', '/dev/tty') or print \"no terminal\\n\"; sleep 1000";
    let mut plan = plan(who, node.path(), &["perl", "-e", perl]);
    plan.new_session = true;
    let mut screen = Screen::start(who, "foreground", &launcher(who, &plan, &How::default()));
    screen.see("no terminal");
    // The terminal cannot reach it: redwrap passes it on.
    screen.press("\x03");
    screen.see("exited 130");
    screen.end();
}

fn a_background_job_stops_when_it_reads(who: Who) {
    let node = directory(who);
    let plan = plan(who, node.path(), &["sh", "-c", "read line; echo got $line; exit 6"]);
    let mut screen = Screen::start(who, "background", &launcher(who, &plan, &How::default()));
    screen.see("stopped 21");
    screen.press("hello\n");
    screen.see("got hello");
    screen.see("exited 6");
    screen.end();
}

/// The helper.
pub fn tool(arguments: &[String]) -> ExitCode {
    let kind = arguments[0].as_str();
    rustix::process::setsid().unwrap();
    rustix::process::ioctl_tiocsctty(std::io::stdin()).unwrap();
    let own = rustix::process::getpgrp();
    let blocked = redpak_sys::signal::Set::of(&[Signal::TTOU]);
    let before = redpak_sys::signal::change_mask(redpak_sys::signal::Change::Block, &blocked).unwrap();
    // Stops before it becomes the launcher, until it is where it belongs.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]).args(&arguments[1..]).process_group(0);
    let mut reader = None;
    if kind == "pipeline" {
        command.stdout(Stdio::piped());
    }
    redpak_sys::signal::change_mask(redpak_sys::signal::Change::Set, &before).unwrap();
    let mut child = command.spawn().unwrap();
    redpak_sys::signal::change_mask(redpak_sys::signal::Change::Block, &blocked).unwrap();
    let pid = Pid::from_child(&child);
    waitpid(Some(pid), WaitOptions::UNTRACED).unwrap();
    if let Some(output) = child.stdout.take() {
        // The other end of the pipeline is in the job's group, and must be able to write to the terminal.
        reader = Some(
            Command::new("sh")
                .args(["-c", "trap '' INT; exec cat"])
                .stdin(output)
                .process_group(pid.as_raw_nonzero().get())
                .spawn()
                .unwrap(),
        );
    }
    let terminal = std::io::stdin();
    if kind != "background" {
        tcsetpgrp(&terminal, pid).unwrap();
    }
    rustix::process::kill_process_group(pid, Signal::CONT).unwrap();
    let code = loop {
        let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
        if let Some(signal) = status.stopping_signal() {
            let foreground = tcgetpgrp(&terminal).unwrap();
            let whose = if foreground == pid { "its own" } else { "another" };
            println!("stopped {signal} with {whose} group in the foreground");
            tcsetpgrp(&terminal, pid).unwrap();
            rustix::process::kill_process_group(pid, Signal::CONT).unwrap();
            continue;
        }
        break status.exit_status().unwrap_or(-1);
    };
    // Waited for above; this only tells the standard library so.
    let _ = child.wait();
    if let Some(mut reader) = reader {
        let _ = reader.wait();
    }
    println!("exited {code}");
    if tcgetpgrp(&terminal).unwrap() == pid {
        println!("foreground restored");
    }
    tcsetpgrp(&terminal, own).unwrap();
    ExitCode::SUCCESS
}
