//! Plans that are refused before anything happens.

use redpak_plan::launch_plan::{FileKind, MountKind, Source};

use crate::harness::{BOTH, ROOT, Test, USER, Who, directory, run, test};
use crate::plans::{READ_ONLY, add, bind, inside, mount, own, plan};

pub const TESTS: &[Test] = &[
    test("plans_without_sense_are_refused", BOTH, plans_without_sense_are_refused),
    test("a_user_needs_a_user_namespace", USER, a_user_needs_a_user_namespace),
    test("a_map_that_is_not_allowed_is_refused", USER, a_map_that_is_not_allowed_is_refused),
    test("procfs_needs_a_pid_namespace_for_a_user", USER, procfs_needs_a_pid_namespace_for_a_user),
    test("a_privileged_program_is_refused", ROOT, a_privileged_program_is_refused),
];

fn plans_without_sense_are_refused(who: Who) {
    let node = directory(who);
    let wrong: &[(MountKind, &str, &str)] = &[
        (MountKind::Proc { read_only: vec![] }, "/", "no plain absolute path"),
        (MountKind::Proc { read_only: vec![] }, "/a/../b", "no plain absolute path"),
        (MountKind::Proc { read_only: vec![] }, "/.redpak-launch/host", "where redpak builds"),
        (
            bind("", Source::Node { node: 7, beneath: "x".into() }, READ_ONLY, FileKind::File).kind,
            "/x",
            "no node 7",
        ),
        (bind("", own("/etc"), READ_ONLY, FileKind::File).kind, "/x", "not relative"),
        (bind("", inside("/usr", 99), READ_ONLY, FileKind::File).kind, "/x", "not made before"),
    ];
    for (kind, at, words) in wrong {
        let mut plan = plan(who, node.path(), &["true"]);
        add(&mut plan, 0, mount(at, kind.clone()));
        let error = run(who, &plan).refused();
        assert!(error.contains(words) && error.contains("test.yaml:"), "{at}: {error}");
    }
    let mut plan = plan(who, node.path(), &["true"]);
    plan.environ.push(("A".into(), "a\0b".into()));
    assert!(run(who, &plan).refused().contains("NUL"));
    plan.environ.clear();
    plan.rights.capabilities = vec![64];
    assert!(run(who, &plan).refused().contains("capability 64"));
}

fn a_user_needs_a_user_namespace(who: Who) {
    let node = directory(who);
    let mut plan = plan(who, node.path(), &["true"]);
    plan.namespaces.user = false;
    let error = run(who, &plan).refused();
    assert!(error.contains("clone3(CLONE_PIDFD|CLONE_NEWNS|") && error.contains("EPERM"), "{error}");
    assert!(error.contains("without a user namespace"), "{error}");
}

fn a_map_that_is_not_allowed_is_refused(who: Who) {
    let node = directory(who);
    let mut plan = plan(who, node.path(), &["true"]);
    plan.ids.uid_map[0].outside = 0;
    let error = run(who, &plan).refused();
    assert!(error.contains("uid_map") && error.contains("EPERM") && error.contains("hint: "), "{error}");
    plan.ids.uid_map[0].outside = plan.ids.uid;
    plan.ids.deny_setgroups = false;
    assert!(run(who, &plan).refused().contains("gid_map"));
}

fn procfs_needs_a_pid_namespace_for_a_user(who: Who) {
    let node = directory(who);
    let mut plan = plan(who, node.path(), &["true"]);
    plan.namespaces.pid = false;
    let error = run(who, &plan).refused();
    assert!(error.contains("EPERM") && error.contains("pid namespace of its own"), "{error}");
}

fn a_privileged_program_is_refused(_: Who) {
    let place = directory(Who::Root);
    let copy = place.path().join("setuid");
    std::fs::copy(crate::harness::program(), &copy).unwrap();
    std::fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for (mode, code) in [(0o755, 0), (0o4755, 1)] {
        std::fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let mut command = std::process::Command::new(&copy);
        use std::os::unix::process::CommandExt;
        command.args(["tool", "privileged"]).uid(crate::harness::SOMEBODY).gid(crate::harness::SOMEBODY);
        assert_eq!(command.status().unwrap().code(), Some(code), "{mode:o}");
    }
}
