//! What the command cannot do: rights, namespaces, other processes, the terminal.

use redpak_plan::launch_plan::Ids;

use crate::harness::{BOTH, How, ROOT, Test, Who, directory, finish, launcher, run, test};
use crate::plans::{plan, shell};

pub const TESTS: &[Test] = &[
    test("rights_are_exactly_the_plans", BOTH, rights_are_exactly_the_plans),
    test("rights_survive_a_change_of_user", ROOT, rights_survive_a_change_of_user),
    test("without_a_user_namespace_rights_hold_too", ROOT, without_a_user_namespace_rights_hold_too),
    test("namespaces_are_new_as_planned", BOTH, namespaces_are_new_as_planned),
    test("loopback_is_up", BOTH, loopback_is_up),
    test("init_is_out_of_reach", BOTH, init_is_out_of_reach),
    test("characters_are_not_pushed_into_the_terminal", BOTH, characters_are_not_pushed_into_the_terminal),
    test("orphans_end_with_the_command", BOTH, orphans_end_with_the_command),
];

const SETS: &str = "grep -E '^(Cap|NoNewPrivs|Groups|Seccomp:)' /proc/self/status";

fn sets(capabilities: &str, groups: &str) -> String {
    let caps: String = ["Inh", "Prm", "Eff", "Bnd", "Amb"]
        .iter()
        .map(|set| format!("Cap{set}:\t{capabilities}\n"))
        .collect();
    format!("Groups:\t{groups} \n{caps}NoNewPrivs:\t1\nSeccomp:\t2\n")
}

fn rights_are_exactly_the_plans(who: Who) {
    let node = directory(who);
    let mut plan = shell(who, node.path(), SETS);
    let groups = match who {
        Who::Root => "",
        // setgroups is denied: the caller's only group stays, and it is what it always was.
        Who::User => "54321",
    };
    let ran = finish(launcher(who, &plan, &How::default())).good();
    let ran_sets = |text: &str| text.replace("Groups:\t54321 \n", "Groups:\t \n");
    assert_eq!(ran_sets(&ran), ran_sets(&sets("0000000000000000", groups)));
    plan.rights.capabilities = vec![0, 7, 12];
    let grandchild = format!("{SETS}; sh -c \"{}\"", SETS.replace('\'', "\\\""));
    plan.command[2] = grandchild;
    let ran = run(who, &plan).good();
    assert_eq!(ran_sets(&ran), ran_sets(&sets("0000000000001081", groups)).repeat(2));
}

fn rights_survive_a_change_of_user(who: Who) {
    let node = directory(who);
    let mut plan = shell(who, node.path(), &format!("{SETS}; id -u; id -g; cat /proc/self/uid_map"));
    plan.ids = Ids { uid: 1234, gid: 4321, ..plan.ids };
    plan.rights.capabilities = vec![10];
    let out = run(who, &plan).good();
    assert!(out.starts_with(&(sets("0000000000000400", "") + "1234\n4321\n")), "{out}");
}

fn without_a_user_namespace_rights_hold_too(who: Who) {
    let node = directory(who);
    let mut plan = shell(who, node.path(), &format!("{SETS}; readlink /proc/self/ns/user"));
    plan.namespaces.user = false;
    plan.ids = Ids { uid: 1234, gid: 4321, uid_map: vec![], gid_map: vec![], ..plan.ids };
    plan.rights.capabilities = vec![10];
    let host = std::fs::read_link("/proc/self/ns/user").unwrap();
    assert_eq!(run(who, &plan).good(), sets("0000000000000400", "") + &format!("{}\n", host.display()));
    plan.rights.capabilities = (0..64).collect();
    let error = run(who, &plan).refused();
    assert!(
        error.contains("a capability that the caller does not have") || error.contains("PR_CAP"),
        "{error}"
    );
}

fn namespaces_are_new_as_planned(who: Who) {
    let node = directory(who);
    let names = ["user", "pid", "net", "ipc", "uts", "cgroup", "mnt"];
    let script = format!("for n in {}; do readlink /proc/self/ns/$n; done", names.join(" "));
    let host =
        names.map(|name| std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap().display().to_string());
    let mut plan = shell(who, node.path(), &script);
    let out = run(who, &plan).good();
    assert!(out.lines().zip(&host).all(|(inside, outside)| inside != outside), "{out}");
    plan.namespaces.net = false;
    plan.namespaces.ipc = false;
    plan.namespaces.cgroup = false;
    let out = run(who, &plan).good();
    let shared: Vec<_> = out.lines().zip(&host).map(|(inside, outside)| inside == outside).collect();
    assert_eq!(shared, [false, false, true, true, false, true, false], "{out}");
}

fn loopback_is_up(who: Who) {
    let node = directory(who);
    let mut plan = plan(who, node.path(), &["bash", "-c", "echo x >/dev/tcp/127.0.0.1/9"]);
    let ran = run(who, &plan);
    assert!(ran.err.contains("Connection refused"), "{ran:?}");
    plan.command[2] = "echo x >/dev/tcp/192.0.2.1/9".into();
    let ran = run(who, &plan);
    assert!(ran.err.contains("Network is unreachable"), "{ran:?}");
}

fn init_is_out_of_reach(who: Who) {
    let node = directory(who);
    let script = "for f in mem maps environ; do (exec 3</proc/1/$f) 2>&1 | grep -o 'Permission denied'; done; \
                  (exec 3>/proc/1/mem) 2>&1 | grep -o 'Permission denied'; \
                  for l in exe cwd root fd/0; do readlink /proc/1/$l || echo unreadable; done; \
                  kill -9 1; kill -TERM 1; sleep 0.1; cat /proc/1/comm; ls /proc | grep -c '^[0-9]'";
    let mut plan = shell(who, node.path(), script);
    for capabilities in [vec![], vec![5, 19, 21]] {
        plan.rights.capabilities = capabilities;
        let out = run(who, &plan);
        let expected = "Permission denied\n".repeat(4) + &"unreadable\n".repeat(4);
        assert!(out.out.starts_with(&expected), "{out:?}");
        assert!(out.out.ends_with("\n4\n"), "init, sh, ls, grep: {out:?}");
    }
}

fn characters_are_not_pushed_into_the_terminal(who: Who) {
    let node = directory(who);
    let perl = "for my $r (0x5412, 0x541c) { ioctl(STDIN, $r, my $c = 'x') or print $!+0, \"\\n\" } ioctl(STDIN, 0x5413, my $w = 'x' x 8) or print $!+0, \"\\n\";";
    let plan = plan(who, node.path(), &["perl", "-e", perl]);
    // On /dev/null: EPERM is the filter's answer, ENOTTY the device's.
    assert_eq!(run(who, &plan).good(), "1\n1\n25\n");
}

fn orphans_end_with_the_command(who: Who) {
    let node = directory(who);
    let mark = format!("redpak-orphan-{}", std::process::id());
    let script =
        format!("(exec -a {mark} setsid sleep 1000 </dev/null >/dev/null 2>&1 &) ; sleep 0.1; exit 3");
    let mut plan = plan(who, node.path(), &["bash", "-c", &script]);
    plan.cwd = "/tmp".into();
    for uid in if who == Who::Root { vec![0, 1234] } else { vec![plan.ids.uid] } {
        plan.ids.uid = uid;
        assert_eq!(run(who, &plan).code, Some(3));
        assert!(!crate::kills::is_running(&mark));
    }
}
