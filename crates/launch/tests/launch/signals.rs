//! Signals that a process sends to the supervisor reach the command once.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::Duration;

use crate::harness::{BOTH, How, Test, Who, directory, launcher, start, test};
use crate::plans::plan;

pub const TESTS: &[Test] = &[
    test("a_signal_reaches_the_command_once", BOTH, a_signal_reaches_the_command_once),
    test("a_deadly_signal_is_the_commands_end", BOTH, a_deadly_signal_is_the_commands_end),
    test("a_stopped_command_stops_the_supervisor", BOTH, a_stopped_command_stops_the_supervisor),
];

fn send(child: &Child, signal: &str) {
    let done = std::process::Command::new("/bin/kill")
        .args([&format!("-{signal}"), &child.id().to_string()])
        .status();
    assert!(done.unwrap().success());
}

const COUNT: &str = "$n = 0; for my $s (qw(TERM INT HUP QUIT USR1 USR2 CONT TSTP)) { $SIG{$s} = sub { syswrite STDOUT, \"$s\\n\"; }; } \
                     syswrite STDOUT, \"ready\\n\"; sleep 1 while 1;";

fn a_signal_reaches_the_command_once(who: Who) {
    let node = directory(who);
    for pid_namespace in [true, false] {
        for new_session in [false, true] {
            let mut plan = plan(who, node.path(), &["perl", "-e", COUNT]);
            plan.namespaces.pid = pid_namespace;
            plan.new_session = new_session;
            if !pid_namespace {
                plan.mounts.retain(|mount| mount.at != std::path::Path::new("/proc"));
            }
            let mut child = start(launcher(who, &plan, &How::default()));
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
            assert_eq!(lines.next().as_deref(), Some("ready"));
            for signal in ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "CONT", "TSTP"] {
                send(&child, signal);
                assert_eq!(lines.next().as_deref(), Some(signal));
            }
            // A second delivery of any would be seen before the last one's.
            std::thread::sleep(Duration::from_millis(50));
            send(&child, "USR1");
            assert_eq!(lines.next().as_deref(), Some("USR1"));
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(lines.next(), None);
        }
    }
}

fn a_deadly_signal_is_the_commands_end(who: Who) {
    let node = directory(who);
    let plan = plan(who, node.path(), &["sh", "-c", "echo ready; exec sleep 1000"]);
    let mut child = start(launcher(who, &plan, &How::default()));
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    send(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap_or('?')
}

fn wait_for(pid: u32, states: &str) {
    for _ in 0..500 {
        if states.contains(state(pid)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{pid} is {}, not one of {states}", state(pid));
}

fn a_stopped_command_stops_the_supervisor(who: Who) {
    let node = directory(who);
    for pid_namespace in [true, false] {
        let mut plan = plan(who, node.path(), &["sh", "-c", "echo ready; kill -STOP $$; echo again; exit 4"]);
        plan.namespaces.pid = pid_namespace;
        if !pid_namespace {
            plan.mounts.retain(|mount| mount.at != std::path::Path::new("/proc"));
        }
        let mut child = start(launcher(who, &plan, &How::default()));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert_eq!(lines.next().as_deref(), Some("ready"));
        wait_for(child.id(), "T");
        send(&child, "CONT");
        assert_eq!(lines.next().as_deref(), Some("again"));
        assert_eq!(child.wait().unwrap().code(), Some(4));
    }
}
