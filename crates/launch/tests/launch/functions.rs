//! Functions in the command's place.

use std::io::Write;
use std::process::ExitCode;

use crate::harness::{BOTH, How, Test, Who, directory, finish, launcher, test};
use crate::plans::plan;

pub const TESTS: &[Test] = &[
    test("a_function_runs_in_the_commands_place", BOTH, a_function_runs_in_the_commands_place),
    test("a_function_that_panics_is_an_exit_code", BOTH, a_function_that_panics_is_an_exit_code),
    test("a_function_gets_what_is_kept_for_it", BOTH, a_function_gets_what_is_kept_for_it),
];

/// The functions that a launcher can be told to run.
pub fn by_name(name: &str) -> Option<fn() -> u8> {
    match name {
        "look" => Some(look),
        "panic" => Some(|| panic!("on purpose")),
        "kept" => Some(kept),
        "copy" => Some(copy),
        _ => None,
    }
}

fn look() -> u8 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap().replace('\t', " ");
    let fds = std::fs::read_dir("/proc/self/fd").unwrap().count();
    println!(
        "{} {} {} {} fds {fds}",
        std::process::id(),
        line("CapEff"),
        line("NoNewPrivs"),
        line("Seccomp:")
    );
    println!("{} {}", std::env::current_dir().unwrap().display(), std::path::Path::new("/etc").exists());
    let child = std::process::Command::new("/usr/bin/true").status().unwrap();
    std::io::stdout().flush().unwrap();
    if child.success() { 9 } else { 1 }
}

fn copy() -> u8 {
    use std::io::Read;
    let mut byte = [0];
    while std::io::stdin().read(&mut byte).unwrap() > 0 {
        std::io::stdout().write_all(&byte).and_then(|()| std::io::stdout().flush()).unwrap();
    }
    0
}

fn kept() -> u8 {
    let directory = std::fs::read_dir("/proc/self/fd/7").map(|entries| entries.count() > 0).unwrap_or(false);
    let other = std::fs::metadata("/proc/self/fd/8").is_ok();
    u8::from(directory) + 2 * u8::from(other)
}

fn a_function_runs_in_the_commands_place(who: Who) {
    let node = directory(who);
    let mut plan = plan(who, node.path(), &[]);
    plan.cwd = "/usr".into();
    let ran = finish(launcher(who, &plan, &How { function: Some("look"), ..How::default() }));
    // 0, 1, 2 and the directory being read.
    let expected = "2 CapEff: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 fds 4\n/usr false\n";
    assert_eq!((ran.code, ran.out.as_str()), (Some(9), expected), "{ran:?}");
}

fn a_function_that_panics_is_an_exit_code(who: Who) {
    let node = directory(who);
    let ran = finish(launcher(
        who,
        &plan(who, node.path(), &[]),
        &How { function: Some("panic"), ..How::default() },
    ));
    assert_eq!(ran.code, Some(125), "{ran:?}");
    assert!(ran.err.contains("on purpose"), "{ran:?}");
}

fn a_function_gets_what_is_kept_for_it(who: Who) {
    let node = directory(who);
    let inner = launcher(
        who,
        &plan(who, node.path(), &[]),
        &How { function: Some("kept"), keep: &[7], ..How::default() },
    );
    let mut command = std::process::Command::new("/bin/bash");
    command
        .args(["-c", "exec 7</usr; exec 8</usr; exec \"$@\"", "bash"])
        .arg(inner.get_program())
        .args(inner.get_args());
    if who == Who::User {
        use std::os::unix::process::CommandExt;
        command.uid(crate::harness::SOMEBODY).gid(crate::harness::SOMEBODY);
    }
    let ran = finish(command);
    assert_eq!(ran.code, Some(1), "{ran:?}");
}

/// What the tests need of a program of their own.
pub fn tool(arguments: &[String]) -> ExitCode {
    match arguments.first().map(String::as_str) {
        Some("privileged") => ExitCode::from(u8::from(redpak_launch::refuse_privileged_binary().is_err())),
        Some("terminal") => crate::terminals::tool(&arguments[1..]),
        _ => ExitCode::FAILURE,
    }
}
