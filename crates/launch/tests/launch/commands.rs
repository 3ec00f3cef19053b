//! Exit codes, environment, working directory: what a command sees of an ordinary run.

use crate::harness::{BOTH, How, Test, Who, directory, finish, launcher, run, test};
use crate::plans::{plan, shell};

pub const TESTS: &[Test] = &[
    test("exit_codes_pass", BOTH, exit_codes_pass),
    test("what_cannot_be_executed_is_told_apart", BOTH, what_cannot_be_executed_is_told_apart),
    test("the_environment_is_the_plans", BOTH, the_environment_is_the_plans),
    test("directory_umask_and_hostname_are_the_plans", BOTH, directory_umask_and_hostname_are_the_plans),
    test("one_program_is_executed", BOTH, one_program_is_executed),
    test(
        "without_a_pid_namespace_the_command_is_the_child",
        BOTH,
        without_a_pid_namespace_the_command_is_the_child,
    ),
];

fn exit_codes_pass(who: Who) {
    let node = directory(who);
    for (script, code) in
        [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
    {
        let ran = run(who, &shell(who, node.path(), script));
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(code), "", ""), "{script}");
    }
}

fn what_cannot_be_executed_is_told_apart(who: Who) {
    let node = directory(who);
    for (command, code, words) in [
        ("no-such-command", 127, "no-such-command: command not found"),
        ("/no/such/command", 127, "command not found"),
        ("", 127, "command not found"),
        ("-x", 127, "-x: command not found"),
        ("a\nb", 127, "command not found"),
        ("/proc/self/exe", 126, "a link of procfs"),
        ("/proc/1/exe", 127, "command not found"),
        ("/usr", 126, "/usr: cannot be executed"),
        ("/usr/bin/../lib/os-release", 126, "cannot be executed"),
    ] {
        let ran = run(who, &plan(who, node.path(), &[command]));
        assert_eq!(ran.code, Some(code), "{command:?}: {ran:?}");
        assert!(ran.err.contains(words), "{command:?}: {ran:?}");
    }
    let script = "printf '#!/no/interpreter\\n' >/tmp/s; chmod +x /tmp/s; exec setpriv --no-new-privs true";
    assert_eq!(run(who, &shell(who, node.path(), script)).code, Some(0));
    let tool = node.path().join("script");
    for (text, words) in [
        ("#!/proc/self/exe\n", "a link of procfs"),
        ("#! /proc/self/../self/exe launch\n", "a link of procfs"),
        ("#!/no/such/interpreter\n", "the interpreter that it names is missing"),
        ("text\n", "neither a program"),
    ] {
        std::fs::write(&tool, text).unwrap();
        std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut plan = plan(who, node.path(), &["/script"]);
        let source = crate::plans::own("script");
        crate::plans::add(
            &mut plan,
            0,
            crate::plans::bind(
                "/script",
                source,
                crate::plans::READ_ONLY,
                redpak_plan::launch_plan::FileKind::File,
            ),
        );
        let ran = run(who, &plan);
        assert_eq!(ran.code, Some(126), "{ran:?}");
        assert!(ran.err.contains(words), "{ran:?}");
    }
}

fn the_environment_is_the_plans(who: Who) {
    let node = directory(who);
    let mut plan = plan(who, node.path(), &["env", "-0"]);
    plan.environ = vec![
        ("PATH".into(), "/usr/bin".into()),
        ("EMPTY".into(), String::new()),
        ("LINES".into(), "a\nb=c".into()),
        ("LISTEN_PID".into(), "0".into()),
    ];
    let mut command = launcher(who, &plan, &How::default());
    command.env("LD_PRELOAD", "/nowhere.so").env("SECRET", "1");
    let ran = finish(command);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out, "PATH=/usr/bin\0EMPTY=\0LINES=a\nb=c\0LISTEN_PID=2\0");
}

fn directory_umask_and_hostname_are_the_plans(who: Who) {
    let node = directory(who);
    let mut plan = shell(who, node.path(), "pwd; umask; hostname; echo $$");
    plan.cwd = "/usr/share".into();
    assert_eq!(run(who, &plan).good(), "/usr/share\n0027\ninside\n2\n");
    for (cwd, words) in [
        ("/nowhere", "ENOENT"),
        ("/proc/self/fd/3", "openat2"),
        ("/proc/1/cwd", "openat2"),
        ("/proc/self/cwd", "ELOOP"),
    ] {
        plan.cwd = cwd.into();
        let error = run(who, &plan).refused();
        assert!(error.contains("working directory") && error.contains(words), "{cwd}: {error}");
    }
}

fn one_program_is_executed(who: Who) {
    if !std::path::Path::new("/usr/bin/strace").exists() {
        assert!(std::env::var_os("REDPAK_MUST_WORK").is_none(), "strace is missing");
        println!("SKIP: strace is missing");
        return;
    }
    let node = directory(who);
    let launcher = launcher(who, &plan(who, node.path(), &["/usr/bin/true"]), &How::default());
    let trace = node.path().join("trace");
    let mut traced = std::process::Command::new("strace");
    traced
        .args(["-f", "-e", "trace=execve,execveat", "-e", "signal=none", "-o"])
        .arg(&trace)
        .arg(launcher.get_program())
        .args(launcher.get_args());
    if who == Who::User {
        use std::os::unix::process::CommandExt;
        traced.uid(crate::harness::SOMEBODY).gid(crate::harness::SOMEBODY);
    }
    assert_eq!(finish(traced).code, Some(0));
    let trace = std::fs::read_to_string(trace).unwrap();
    let executed: Vec<_> = trace.lines().filter(|line| line.contains("execve")).collect();
    assert_eq!(executed.len(), 2, "{trace}");
    // Not even the tracer reads the memory of a process that is not dumpable: a user sees addresses.
    assert!(who == Who::User || executed[1].contains("execve(\"/usr/bin/true\""), "{trace}");
}

fn without_a_pid_namespace_the_command_is_the_child(who: Who) {
    let node = directory(who);
    for (script, code) in [("exit 7", 7), ("kill -9 $$", 137)] {
        let mut plan = shell(who, node.path(), script);
        plan.namespaces.pid = false;
        plan.mounts.retain(|mount| mount.at != std::path::Path::new("/proc"));
        assert_eq!(run(who, &plan).code, Some(code));
        plan.command = vec!["no-such-command".into()];
        assert_eq!(run(who, &plan).code, Some(127));
    }
}
