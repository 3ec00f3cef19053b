//! Whatever is killed at whatever moment, nothing is left.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{BOTH, How, Test, Who, directory, launcher, test};
use crate::plans::plan;

pub const TESTS: &[Test] = &[
    test("nothing_is_left_of_a_killed_supervisor", BOTH, nothing_is_left_of_a_killed_supervisor),
    test("nothing_is_left_of_a_killed_init", BOTH, nothing_is_left_of_a_killed_init),
    test("the_supervisor_dies_with_its_parent", BOTH, the_supervisor_dies_with_its_parent),
];

/// Whether a process has this in its command line.
pub fn is_running(mark: &str) -> bool {
    !processes(mark).is_empty()
}

fn processes(mark: &str) -> Vec<u32> {
    let own = std::process::id();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    };
    pids.filter(|pid| *pid != own).filter(has).collect()
}

/// Waits until no process has the mark.
#[track_caller]
fn gone(mark: &str) {
    let start = Instant::now();
    while is_running(mark) {
        assert!(start.elapsed() < Duration::from_secs(5), "left: {:?}", processes(mark));
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Numbers that look random, the same in every run.
fn delays(count: u64, up_to: u64) -> impl Iterator<Item = Duration> {
    (0..count).scan(88_172_645_463_325_252_u64, move |state, _| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        Some(Duration::from_micros(*state % up_to))
    })
}

fn quiet(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn nothing_is_left_of_a_killed_supervisor(who: Who) {
    let node = directory(who);
    let mark = format!("redpak-kill-{who:?}-{}", std::process::id());
    let mut plan = plan(who, node.path(), &["sh", "-c", "sleep 1000; sleep 1000", &mark]);
    plan.alias = mark.clone();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let files = directory(who);
    for delay in delays(100, 12_000) {
        let mut launcher = launcher(who, &plan, &How::default());
        launcher.env("TMPDIR", files.path());
        let mut child = quiet(launcher);
        std::thread::sleep(delay);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        gone(&mark);
    }
    assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
    for place in [files.path(), node.path()] {
        assert_eq!(std::fs::read_dir(place).unwrap().count(), 0, "{place:?}");
    }
}

/// Kills the first child of a launcher; the second, which makes a devpts for ordinary users, may not be reaped yet.
pub fn kill_init(launcher: &Child) {
    // The command may be faster than init's word that there is one.
    std::thread::sleep(Duration::from_millis(100));
    let children = format!("/proc/{0}/task/{0}/children", launcher.id());
    let children = std::fs::read_to_string(children).unwrap();
    let init = children.split_whitespace().next().unwrap();
    assert!(Command::new("/bin/kill").args(["-9", init]).status().unwrap().success());
}

fn nothing_is_left_of_a_killed_init(who: Who) {
    let node = directory(who);
    let mark = format!("redpak-init-{who:?}-{}", std::process::id());
    let plan = plan(who, node.path(), &["sh", "-c", "echo started; sleep 1000; sleep 1000", &mark]);
    let mut child = crate::harness::start(launcher(who, &plan, &How::default()));
    let mut line = [0; 8];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
    kill_init(&child);
    assert_eq!(child.wait().unwrap().code(), Some(137));
    gone(&mark);
}

fn the_supervisor_dies_with_its_parent(who: Who) {
    let node = directory(who);
    let mark = format!("redpak-parent-{who:?}-{}", std::process::id());
    let mut plan = plan(who, node.path(), &["sh", "-c", "echo started; sleep 1000; sleep 1000", &mark]);
    plan.die_with_parent = true;
    let inner = launcher(who, &plan, &How::default());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "\"$@\" & read line; wait", "sh"]).arg(inner.get_program()).args(inner.get_args());
    if who == Who::User {
        use std::os::unix::process::CommandExt;
        command.uid(crate::harness::SOMEBODY).gid(crate::harness::SOMEBODY);
    }
    let mut parent = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 8];
    std::io::Read::read_exact(parent.stdout.as_mut().unwrap(), &mut line).unwrap();
    assert_eq!(&line, b"started\n");
    parent.kill().unwrap();
    parent.wait().unwrap();
    gone(&mark);
}
