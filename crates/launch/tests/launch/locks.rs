//! Locks of files inside: held exactly as long as the launch lasts, by nobody inside.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redpak_plan::launch_plan::{FileKind, LaunchPlan, MountKind};
use rustix::fs::{FlockOperation, fcntl_lock};

use crate::descriptors::through_shell;
use crate::harness::{
    BOTH, How, ROOT, Test, Who, directory, finish, give, launcher, populate, run, start, test,
};
use crate::plans::{READ_ONLY, WRITABLE, add, bind, lock, own, shell};

pub const TESTS: &[Test] = &[
    test("a_lock_is_held_while_the_node_runs", BOTH, a_lock_is_held_while_the_node_runs),
    test("a_lock_ends_with_a_killed_supervisor", BOTH, a_lock_ends_with_a_killed_supervisor),
    test("a_lock_ends_with_a_killed_init", BOTH, a_lock_ends_with_a_killed_init),
    test("a_lock_is_no_descriptor_of_the_command", BOTH, a_lock_is_no_descriptor_of_the_command),
    test("a_lock_of_somebody_else_stops_the_launch", BOTH, a_lock_of_somebody_else_stops_the_launch),
    test("only_regular_files_are_locked", BOTH, only_regular_files_are_locked),
    test("a_lock_never_leads_out", BOTH, a_lock_never_leads_out),
    test("a_lock_on_what_is_swapped_waits_for_nobody", BOTH, a_lock_on_what_is_swapped_waits_for_nobody),
    test("a_lock_on_a_device_does_not_open_it", ROOT, a_lock_on_a_device_does_not_open_it),
    test("a_function_is_locked_for_too", BOTH, a_function_is_locked_for_too),
    test("many_locks_are_held_or_refused", BOTH, many_locks_are_held_or_refused),
];

/// Whether nobody holds a lock on the file.
fn is_free(path: &Path) -> bool {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    // A lock of this process's own: gone when the file is closed.
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// A plan that says when it runs, and ends when its input does.
fn waiting(who: Who, node: &Path, at: &[&str]) -> LaunchPlan {
    let mut plan = shell(who, node, "echo started; cat; exit 3");
    add(&mut plan, 0, bind("/data", own("data"), READ_ONLY, FileKind::Directory));
    plan.locks = at.iter().map(|at| lock(at)).collect();
    plan
}

/// Without procfs, which an ordinary user cannot mount then.
fn without_pid_namespace(mut plan: LaunchPlan) -> LaunchPlan {
    plan.namespaces.pid = false;
    plan.mounts.retain(|mount| !matches!(mount.kind, MountKind::Proc { .. }));
    plan
}

fn started(who: Who, plan: &LaunchPlan) -> Child {
    let mut command = launcher(who, plan, &How::default());
    command.stdin(Stdio::piped());
    let mut child = start(command);
    let mut line = [0; 8];
    let read = child.stdout.as_mut().unwrap().read_exact(&mut line);
    if read.is_err() {
        panic!("{:?}", child.wait_with_output());
    }
    assert_eq!(&line, b"started\n");
    child
}

fn a_lock_is_held_while_the_node_runs(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/lock", "data/other", "data/deep/linked", "data/link -> deep/linked"]);
    let at = |name: &str| node.path().join("data").join(name);
    let plan = waiting(who, node.path(), &["/data/lock", "/data/link"]);
    for plan in [plan.clone(), without_pid_namespace(plan)] {
        assert!(is_free(&at("lock")));
        let mut first = started(who, &plan);
        let second = started(who, &plan);
        assert!(!is_free(&at("lock")) && !is_free(&at("deep/linked")) && is_free(&at("other")));
        drop(first.stdin.take());
        assert_eq!(first.wait().unwrap().code(), Some(3));
        assert!(!is_free(&at("lock")), "the second one runs still");
        let ended = second.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert!(is_free(&at("lock")) && is_free(&at("deep/linked")));
    }
}

fn a_lock_ends_with_a_killed_supervisor(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/lock"]);
    let path = node.path().join("data/lock");
    let plan = waiting(who, node.path(), &["/data/lock"]);
    for plan in [plan.clone(), without_pid_namespace(plan)] {
        let mut child = started(who, &plan);
        assert!(!is_free(&path));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert!(is_free(&path), "nobody else has it open");
    }
}

fn a_lock_ends_with_a_killed_init(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/lock"]);
    let mut child = started(who, &waiting(who, node.path(), &["/data/lock"]));
    crate::kills::kill_init(&child);
    assert_eq!(child.wait().unwrap().code(), Some(137));
    assert!(is_free(&node.path().join("data/lock")));
}

fn a_lock_is_no_descriptor_of_the_command(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/lock"]);
    let mut plan = waiting(who, node.path(), &["/data/lock"; 3]);
    plan.command[2] = "ls /proc/self/fd | tr '\\n' ' '".into();
    // Three descriptions, and none of them here.
    assert_eq!(run(who, &plan).good(), "0 1 2 3 ");
}

fn a_lock_of_somebody_else_stops_the_launch(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/lock"]);
    let path = node.path().join("data/lock");
    let plan = waiting(who, node.path(), &["/data/lock"]);
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    for plan in [plan.clone(), without_pid_namespace(plan.clone())] {
        let error = run(who, &plan).refused();
        assert!(error.contains("/data/lock cannot be locked (test.yaml:/data/lock): fcntl(fd "), "{error}");
        assert!(error.contains("F_OFD_SETLK") && error.contains("EAGAIN"), "{error}");
        assert!(error.contains("hint: somebody holds it for writing"), "{error}");
    }
    // A reader is no obstacle.
    fcntl_lock(&file, FlockOperation::NonBlockingLockShared).unwrap();
    assert_eq!(run(who, &plan).code, Some(3));
}

fn only_regular_files_are_locked(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/directory/"]);
    let fifo = node.path().join("data/fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    give(who, &fifo);
    let _socket = std::os::unix::net::UnixListener::bind(node.path().join("data/socket")).unwrap();
    for (at, words) in [
        ("/data/missing", "the file must exist in the node"),
        ("/data/directory", "it is a directory, and a lock is held on a regular file"),
        ("/data/fifo", "it is a FIFO"),
        ("/data/socket", "it is a socket"),
        ("/dev/null", "it is a character device"),
        ("/dev/pts/ptmx", "it is a character device"),
        ("/data", "it is a directory"),
        ("/data/../../etc/passwd", "no plain absolute path"),
        ("/.redpak-launch/host/etc/passwd", "where redpak builds the tree"),
    ] {
        let begun = Instant::now();
        let error = run(who, &waiting(who, node.path(), &[at])).refused();
        assert!(error.contains(&format!("{at} cannot be locked (test.yaml:{at})")), "{error}");
        assert!(error.contains(words), "{at}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{at}: waited for somebody");
    }
}

fn a_lock_never_leads_out(who: Who) {
    let node = directory(who);
    let outside = directory(who);
    populate(who, outside.path(), &["lock"]);
    let out = outside.path().join("lock");
    populate(
        who,
        node.path(),
        &[
            &format!("data/absolute -> {}", out.display()),
            &format!("data/up -> ../../../../../../..{}", out.display()),
            &format!("data/old -> /.redpak-launch/host{}", out.display()),
            &format!("data/magic -> /proc/1/root{}", out.display()),
            "data/self -> /proc/self/exe",
            "data/loop -> loop",
        ],
    );
    for name in ["absolute", "up", "old", "magic", "self", "loop"] {
        let at = format!("/data/{name}");
        let error = run(who, &waiting(who, node.path(), &[&at])).refused();
        assert!(error.contains("cannot be locked"), "{error}");
        assert!(
            ["ENOENT", "ELOOP", "EXDEV", "EACCES"].iter().any(|errno| error.contains(errno)),
            "{name}: {error}"
        );
    }
    // Inside, where the path leads to a file of the node's, that one is locked, and not the one outside.
    let mut plan = waiting(who, node.path(), &["/data/absolute"]);
    populate(who, node.path(), &["data2/lock"]);
    add(&mut plan, 0, bind(outside.path().to_str().unwrap(), own("data2"), WRITABLE, FileKind::Directory));
    let mut child = started(who, &plan);
    assert!(is_free(&out) && !is_free(&node.path().join("data2/lock")));
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

fn a_lock_on_what_is_swapped_waits_for_nobody(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/lock"]);
    let fifo = node.path().join("data/fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    give(who, &fifo);
    let mut plan = waiting(who, node.path(), &["/data/lock"]);
    plan.command[2] = "true".into();
    let swapper = crate::mounts::Swapper::start(&node.path().join("data"), "lock", "fifo");
    let (mut good, mut refused) = (0, 0);
    for _ in 0..200 {
        let begun = Instant::now();
        match run(who, &plan) {
            ran if ran.code == Some(0) => good += 1,
            ran => {
                let error = ran.refused();
                let expected = ["it is a FIFO", "it changed while it was opened"];
                assert!(expected.iter().any(|words| error.contains(words)), "{error}");
                refused += 1;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "nobody opens the other end");
    }
    drop(swapper);
    assert!(good > 0 && refused > 0, "{good} good, {refused} refused");
}

fn a_lock_on_a_device_does_not_open_it(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/"]);
    // Opening a device that has no driver is ENXIO: it is refused for what it is before that.
    let made = Command::new("mknod").arg(node.path().join("data/none")).args(["c", "239", "77"]).status();
    assert!(made.unwrap().success());
    let error = run(who, &waiting(who, node.path(), &["/data/none"])).refused();
    assert!(error.contains("it is a character device"), "{error}");
}

fn a_function_is_locked_for_too(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/lock"]);
    let plan = waiting(who, node.path(), &["/data/lock"]);
    let how = How { function: Some("copy"), ..How::default() };
    let mut command = launcher(who, &plan, &how);
    command.stdin(Stdio::piped());
    let mut child = start(command);
    child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    let mut echo = [0; 1];
    child.stdout.as_mut().unwrap().read_exact(&mut echo).unwrap();
    assert!(!is_free(&node.path().join("data/lock")));
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(is_free(&node.path().join("data/lock")));
}

fn many_locks_are_held_or_refused(who: Who) {
    let node = directory(who);
    let names: Vec<String> = (0..300).map(|number| format!("data/{number}")).collect();
    populate(who, node.path(), &names.iter().map(String::as_str).collect::<Vec<_>>());
    let paths: Vec<String> = names.iter().map(|name| format!("/{name}")).collect();
    let mut plan = waiting(who, node.path(), &paths.iter().map(String::as_str).collect::<Vec<_>>());
    let mut child = started(who, &plan);
    assert!(names.iter().all(|name| !is_free(&node.path().join(name))));
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(3));
    plan.command[2] = "echo was run".into();
    let ran = finish(through_shell(who, "ulimit -n 40", &launcher(who, &plan, &How::default())));
    assert!(ran.refused().contains("the limit of open files is too low"));
    assert!(names.iter().all(|name| is_free(&node.path().join(name))));
}
