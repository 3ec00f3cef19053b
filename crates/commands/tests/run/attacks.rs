//! What a child's file tries to do to the host, to redpak, and to its parent's other children.

use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::process::Command;

use redpak_commands::{Limits, codes};

use crate::Test;
use crate::ground::{Ground, ROOT, ends, exists, file, file_at, mark, root_file, short};

pub const TESTS: &[Test] = &[
    ("a_child_writes_nothing_on_the_host", a_child_writes_nothing_on_the_host),
    (
        "a_child_reads_nothing_that_its_parent_does_not_show",
        a_child_reads_nothing_that_its_parent_does_not_show,
    ),
    ("a_child_signals_nobody_outside", a_child_signals_nobody_outside),
    ("what_runs_a_command_can_be_ended_and_no_more", what_runs_a_command_can_be_ended_and_no_more),
    ("what_runs_a_command_cannot_be_read", what_runs_a_command_cannot_be_read),
    ("a_command_has_three_descriptors", a_command_has_three_descriptors),
    ("a_command_has_no_terminal", a_command_has_no_terminal),
    ("names_are_not_pasted_into_a_command", names_are_not_pasted_into_a_command),
    ("what_is_no_shell_is_not_executed", what_is_no_shell_is_not_executed),
    (
        "a_shared_pid_namespace_is_not_shared_with_commands",
        a_shared_pid_namespace_is_not_shared_with_commands,
    ),
];

fn a_child_writes_nothing_on_the_host() {
    let outside = Ground::new();
    let mark = outside.at("mark");
    let touch = format!("touch {}", mark.display());
    for command in [
        touch.clone(),
        format!("mkdir -p {}; {touch}; exit 1", outside.at("").display()),
        "touch /usr/mark".to_owned(),
        "mount -t tmpfs none /usr".to_owned(),
        "mknod /dev/mine b 8 0".to_owned(),
        "echo x | tee /proc/sys/kernel/hostname; exit ${PIPESTATUS[1]}".to_owned(),
        "echo x | tee /proc/sysrq-trigger; exit ${PIPESTATUS[1]}".to_owned(),
        "chroot /proc/1/root true".to_owned(),
        "nsenter -t 1 -a true".to_owned(),
        format!("unshare -r {touch}; exit 1"),
    ] {
        let ground = Ground::family(ROOT, &[&file(&command)]);
        let found = ground.fails(short());
        assert_eq!(found[0].0, codes::COMMAND_FAILED, "{command}: {found:?}");
        assert!(!exists(&mark) && !exists("/usr/mark".as_ref()), "{command}");
    }
    // The control: on the host it is made.
    Ground::family(&root_file(&touch), &[]).answers().unwrap();
    assert!(exists(&mark));
}

fn a_child_reads_nothing_that_its_parent_does_not_show() {
    let ground = Ground::new();
    let secret = ground.at("secret");
    std::fs::write(&secret, "the secret").unwrap();
    let cat = |path: &str| format!("cat {path} && echo got it");
    for path in [
        "/etc/shadow".to_owned(),
        "/etc/machine-id".to_owned(),
        secret.display().to_string(),
        format!("/proc/1/root{}", secret.display()),
        format!("/proc/self/root/../..{}", secret.display()),
        "/proc/1/cwd/etc/passwd".to_owned(),
    ] {
        let ground = Ground::family(ROOT, &[&file(&cat(&path))]);
        let found = ground.fails(short());
        assert_eq!(found[0].0, codes::COMMAND_FAILED, "{path}: {found:?}");
        assert!(!found[0].1.contains("the secret"), "{path}: {found:?}");
    }
    // The control: it is there to be read.
    let ground = Ground::family(&root_file(&cat(&secret.display().to_string())), &[]);
    assert_eq!(ground.answer(0), "the secretgot it\n");
}

fn a_child_signals_nobody_outside() {
    let mut bystander = Command::new("sleep").arg("1000").spawn().unwrap();
    for signal in ["-9", "-STOP"] {
        let ground = Ground::family(
            ROOT,
            &[&file(&format!("kill {signal} -1 || true; kill {signal} {}; true", bystander.id()))],
        );
        // Whether it is well or ended what runs it is its own concern.
        let _ = ground.within(short(), false);
        assert!(bystander.try_wait().unwrap().is_none(), "kill {signal}");
        let state = std::fs::read_to_string(format!("/proc/{}/stat", bystander.id())).unwrap();
        assert!(!state.contains(") T "), "{state}");
    }
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

fn what_runs_a_command_can_be_ended_and_no_more() {
    let mark = mark();
    let ground =
        Ground::family(ROOT, &[&file(&format!("setsid sleep {mark} & kill -9 $PPID; sleep {mark}"))]);
    let found = ground.fails(short());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0 == codes::COMMAND_FAILED && found[0].1.contains("nothing was heard"), "{found:?}");
    ends(&mark);
    // One that stops it is ended from outside.
    let ground =
        Ground::family(ROOT, &[&file(&format!("setsid sleep {mark} & kill -STOP $PPID; sleep {mark}"))]);
    let found = ground.fails(short());
    assert_eq!((found.len(), found[0].0), (1, codes::COMMAND_TIMEOUT), "{found:?}");
    ends(&mark);
    // On the host likewise, and all that it started goes with it.
    let ground = Ground::family(&root_file(&format!("kill -STOP $PPID; sleep {mark}")), &[]);
    assert_eq!(ground.fails(short())[0].0, codes::COMMAND_TIMEOUT);
    ends(&mark);
}

fn what_runs_a_command_cannot_be_read() {
    // The process that runs it is a copy of this one: it knows what the caller and the rest of the family know.
    let look = |process: &str, path: &str| {
        let path = format!("/proc/{process}/{path}");
        let command =
            format!("head -c 1 {path} && exit 0; ls {path}/ && exit 0; readlink {path} && exit 0; exit 7");
        Ground::family(ROOT, &[&file(&command)])
    };
    for path in ["environ", "maps", "exe", "fd/0", "cwd", "root", "auxv", "mem"] {
        for process in ["1", "$PPID"] {
            let found = look(process, path).fails(short());
            assert!(found[0].1.contains("exit code 7"), "{path} of {process}: {found:?}");
        }
        // The control; the first page of memory is nobody's.
        assert!(path == "mem" || look("$$", path).answers().is_ok(), "{path}");
    }
}

fn a_command_has_three_descriptors() {
    let directory = std::fs::File::open("/").unwrap();
    // One that the caller forgot to close, and that survives being executed.
    let leaked = rustix::io::fcntl_dupfd_cloexec(&directory, 40).unwrap();
    redpak_sys::descriptor::keep_on_exec(leaked.as_raw_fd()).unwrap();
    let control = Command::new("sh").args(["-c", "ls /proc/self/fd"]).output().unwrap();
    assert!(String::from_utf8_lossy(&control.stdout).contains("40"), "the control: it does survive");
    let command = "for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 40 255; do test -e /proc/$$/fd/$n && echo $n; done; readlink /proc/$$/fd/0";
    for ground in [Ground::family(&root_file(command), &[]), Ground::family(ROOT, &[&file(command)])] {
        let answers = ground.answers().unwrap();
        let text = String::from_utf8_lossy(answers.values().next().unwrap()).into_owned();
        assert_eq!(text, "0\n1\n2\n/dev/null\n");
    }
}

fn a_command_has_no_terminal() {
    for ground in [
        Ground::family(&root_file("tty; head -c 1 /dev/tty"), &[]),
        Ground::family(ROOT, &[&file("tty; head -c 1 /dev/tty")]),
    ] {
        let found = ground.fails(short());
        assert!(found[0].1.contains("No such device or address"), "{found:?}");
    }
}

fn names_are_not_pasted_into_a_command() {
    let mark = Ground::new();
    let path = mark.at("mark");
    let hostile = format!("\"; touch {0}; $(touch {0}) `touch {0}` ' #", path.display());
    let mut ground = Ground::new();
    ground.env.insert("HOSTNAME".into(), hostile.clone());
    ground.env.insert("BASH_FUNC_echo%%".into(), format!("() {{ touch {}; }}", path.display()));
    let command = "printf %s \"$NODE_INFO$HOSTNAME\"; echo; echo $NODE_INFO $HOSTNAME | wc -l";
    ground.add("r", &root_file(command));
    ground.add("a", &file_at("/a", command));
    for (node, alias) in [(0, "r"), (1, "a")] {
        let text = std::fs::read_to_string(ground.nodes[node].join("etc/redpak.yaml")).unwrap();
        let info = hostile.replace('\\', "\\\\").replace('"', "\\\"");
        let text =
            text.replace(&format!("{{alias: {alias}}}"), &format!("{{alias: {alias}, info: \"{info}\"}}"));
        std::fs::write(ground.nodes[node].join("etc/redpak.yaml"), text).unwrap();
        assert_eq!(ground.answer_of(node), format!("{hostile}{hostile}\n1\n"));
    }
    assert!(!exists(&path));
}

fn what_is_no_shell_is_not_executed() {
    // A directory of the parent's that comes first in PATH, and that its children may fill.
    let ground = Ground::new();
    let mut ground = ground;
    ground.add(
        "r",
        &format!(
            "config: {{path: /srv:/usr/bin}}\n{ROOT}  - {{mount: /srv, mode: Public, path: $NODE_PATH/srv}}\n"
        ),
    );
    ground.add("a", &file("echo the shell; readlink /proc/$$/exe"));
    let srv = ground.nodes[0].join("srv");
    std::fs::create_dir(&srv).unwrap();
    let expected = ground.answer(1);
    assert!(expected.starts_with("the shell\n/usr/bin/"), "{expected}");
    symlink("/proc/self/exe", srv.join("bash")).unwrap();
    symlink("/proc/self/exe", srv.join("sh")).unwrap();
    assert_eq!(ground.answer(1), expected);
    std::fs::remove_file(srv.join("bash")).unwrap();
    std::fs::write(srv.join("bash"), "#!/proc/self/exe\n").unwrap();
    std::fs::set_permissions(srv.join("bash"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(ground.answer(1), expected);
}

fn a_shared_pid_namespace_is_not_shared_with_commands() {
    let mark = mark();
    let root = format!("config: {{share_pid: enabled}}\n{ROOT}");
    let ground = Ground::family(&root, &[&file(&format!("setsid sleep {mark} & echo $PPID"))]);
    assert_eq!(ground.answer(1), "2\n");
    ends(&mark);
    assert!(ground.within(Limits::default(), false).is_ok());
}
