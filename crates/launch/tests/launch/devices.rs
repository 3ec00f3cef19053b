//! Devices that are handed in, and mqueues.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use redpak_plan::launch_plan::{FileKind, MountKind};

use crate::harness::{BOTH, ROOT, Test, Who, directory, give, populate, run, test};
use crate::mounts::Swapper;
use crate::plans::{READ_ONLY, WRITABLE, add, bind, device, host, inside, mount, own, plan, shell};

pub const TESTS: &[Test] = &[
    test("a_device_works_and_nothing_else_does", BOTH, a_device_works_and_nothing_else_does),
    test("a_device_that_is_inherited_keeps_its_flags", BOTH, a_device_that_is_inherited_keeps_its_flags),
    test("what_is_no_device_is_refused", BOTH, what_is_no_device_is_refused),
    test("a_device_of_a_node_works_for_root", ROOT, a_device_of_a_node_works_for_root),
    test("a_device_that_is_swapped_is_never_a_file", BOTH, a_device_that_is_swapped_is_never_a_file),
    test("a_mqueue_is_new_and_empty", BOTH, a_mqueue_is_new_and_empty),
    test("a_mqueue_needs_its_own_ipc_namespace", BOTH, a_mqueue_needs_its_own_ipc_namespace),
];

const OPTIONS: &str = "mawk -v at=$f '$5==at{print $6}' /proc/self/mountinfo";

fn a_device_works_and_nothing_else_does(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["rw/"]);
    let script = format!(
        "head -c 2 /dev/zero2 | od -An -tx1; head -c 2 /devices/deep/zero | od -An -tx1; \
         head -c 2 /bound 2>&1 | grep -o 'Permission denied'; echo x >/dev/null2 && echo written; \
         for f in /dev/zero2 /bound; do {OPTIONS}; done; stat -c '%F %t:%T' /dev/zero2"
    );
    let mut plan = shell(who, node.path(), &script);
    let source = |path: &str| host("", path, READ_ONLY, FileKind::File).kind;
    let MountKind::Bind { source: zero, .. } = source("/dev/zero") else { panic!() };
    let MountKind::Bind { source: null, .. } = source("/dev/null") else { panic!() };
    add(&mut plan, 0, device("/dev/zero2", zero.clone()));
    add(&mut plan, 0, device("/devices/deep/zero", zero));
    add(&mut plan, 0, device("/dev/null2", null));
    add(&mut plan, 0, host("/bound", "/dev/zero", WRITABLE, FileKind::File));
    let out = run(who, &plan).good();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..4], [" 00 00", " 00 00", "Permission denied", "written"], "{out}");
    assert!(
        lines[4].contains("nosuid") && lines[4].contains("noexec") && !lines[4].contains("nodev"),
        "{out}"
    );
    assert!(lines[5].contains("nodev"), "{out}");
    assert_eq!(lines[6], "character special file 1:5");
}

fn a_device_that_is_inherited_keeps_its_flags(who: Who) {
    let node = directory(who);
    let script = format!(
        "head -c 1 /b | od -An -tx1; head -c 1 /c 2>&1 | grep -o 'Permission denied'; f=/c; {OPTIONS}"
    );
    let mut plan = shell(who, node.path(), &script);
    let MountKind::Bind { source, .. } = host("", "/dev/zero", READ_ONLY, FileKind::File).kind else {
        panic!()
    };
    let given = add(&mut plan, 0, device("/a", source));
    let bound = add(&mut plan, 0, host("/file", "/dev/zero", READ_ONLY, FileKind::File));
    add(&mut plan, 1, device("/b", inside("/a", given)));
    // Flags are only ever added: what the ancestor gives no access to stays so.
    add(&mut plan, 1, device("/c", inside("/file", bound)));
    let out = run(who, &plan).good();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..2], [" 00", "Permission denied"], "{out}");
    assert!(
        ["ro", "nosuid", "nodev", "noexec"].iter().all(|flag| lines[2].split(',').any(|f| f == *flag)),
        "{out}"
    );
    // Nor is a device of `/dev` one that an ancestor gives.
    add(&mut plan, 1, device("/d", inside("/dev/zero", 5)));
    assert!(run(who, &plan).refused().contains("/dev/zero must lie in /dev"));
}

fn what_is_no_device_is_refused(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["file", "directory/", "link -> /dev/zero"]);
    let fifo = node.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    give(who, &fifo);
    let _socket = std::os::unix::net::UnixListener::bind(node.path().join("socket")).unwrap();
    for (name, words) in [
        ("file", "is a regular file, and no device node"),
        ("directory", "is a directory, and no device node"),
        ("fifo", "is a FIFO, and no device node"),
        ("socket", "is a socket, and no device node"),
        ("link", "ELOOP"),
        ("missing", "ENOENT"),
    ] {
        let mut plan = plan(who, node.path(), &["true"]);
        add(&mut plan, 0, device("/dev/x", own(name)));
        let error = run(who, &plan).refused();
        assert!(
            error.contains(words) && error.contains("/dev/x cannot be mounted (test.yaml:/dev/x)"),
            "{error}"
        );
    }
}

fn make_zero(at: &Path) {
    assert!(Command::new("mknod").arg(at).args(["-m", "666", "c", "1", "5"]).status().unwrap().success());
}

fn a_device_of_a_node_works_for_root(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["file"]);
    make_zero(&node.path().join("zero"));
    let mut plan = shell(who, node.path(), "head -c 1 /zero | od -An -tx1");
    add(&mut plan, 0, device("/zero", own("zero")));
    assert_eq!(run(who, &plan).good(), " 00\n");
    // The other way to the same node gives no access.
    plan.mounts.pop();
    add(&mut plan, 0, bind("/zero", own("zero"), READ_ONLY, FileKind::File));
    assert!(run(who, &plan).err.contains("Permission denied"));
    // Between plan and launch it becomes something else.
    plan.mounts.pop();
    add(&mut plan, 0, device("/zero", own("zero")));
    std::fs::rename(node.path().join("file"), node.path().join("zero")).unwrap();
    assert!(run(who, &plan).refused().contains("is a regular file, and no device node"));
}

fn a_device_that_is_swapped_is_never_a_file(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["secret"]);
    symlink("/dev/zero", node.path().join("device")).unwrap();
    let mut plan = shell(who, node.path(), "head -c 1 /x | od -An -tx1");
    let path = node.path().join("device");
    let MountKind::Bind { source, .. } = host("", path.to_str().unwrap(), READ_ONLY, FileKind::File).kind
    else {
        panic!()
    };
    add(&mut plan, 0, device("/x", source));
    let swapper = Swapper::start(node.path(), "device", "secret");
    let (mut good, mut refused) = (0, 0);
    for _ in 0..300 {
        match run(who, &plan) {
            ran if ran.code == Some(0) => {
                assert_eq!(ran.out, " 00\n");
                good += 1;
            }
            ran => {
                assert!(ran.refused().contains("is a regular file, and no device node"));
                refused += 1;
            }
        }
    }
    drop(swapper);
    assert!(good > 0 && refused > 0, "{good} good, {refused} refused");
}

fn a_mqueue_is_new_and_empty(who: Who) {
    let node = directory(who);
    let script = format!(
        "ls -A /dev/mqueue | wc -l; : >/dev/mqueue/queue && ls /dev/mqueue; f=/dev/mqueue; {OPTIONS}; \
         stat -f -c %T /dev/mqueue"
    );
    let mut plan = shell(who, node.path(), &script);
    add(&mut plan, 0, mount("/dev/mqueue", MountKind::Mqueue));
    for _ in 0..2 {
        let out = run(who, &plan).good();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[..2], ["0", "queue"], "{out}");
        assert!(lines[2].starts_with("rw,nosuid,nodev,noexec"), "{out}");
        assert_eq!(lines[3], "mqueue", "{out}");
    }
}

fn a_mqueue_needs_its_own_ipc_namespace(who: Who) {
    let node = directory(who);
    let mut plan = plan(who, node.path(), &["true"]);
    add(&mut plan, 0, mount("/dev/mqueue", MountKind::Mqueue));
    plan.namespaces.ipc = false;
    let error = run(who, &plan).refused();
    assert!(error.contains("EPERM") && error.contains("share_ipc: disabled"), "{error}");
}
