//! What the command inherits, and what is refused before anything happens.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::harness::{BOTH, How, Test, Who, directory, finish, launcher, run, test};
use crate::plans::{add, file, plan, shell};

pub const TESTS: &[Test] = &[
    test(
        "nothing_but_the_standard_descriptors_is_inherited",
        BOTH,
        nothing_but_the_standard_descriptors_is_inherited,
    ),
    test("preserved_descriptors_keep_their_numbers", BOTH, preserved_descriptors_keep_their_numbers),
    test("what_leads_out_is_refused", BOTH, what_leads_out_is_refused),
    test("closed_standard_descriptors_become_null", BOTH, closed_standard_descriptors_become_null),
    test("small_limits_are_clean_errors", BOTH, small_limits_are_clean_errors),
];

/// Runs the launcher from a shell that prepares descriptors or limits.
pub fn through_shell(who: Who, prepare: &str, inner: &Command) -> Command {
    let mut command = Command::new("/bin/bash");
    command
        .arg("-c")
        .arg(format!("{prepare}; exec \"$@\""))
        .arg("bash")
        .arg(inner.get_program())
        .args(inner.get_args());
    command.stdin(Stdio::null());
    if who == Who::User {
        use std::os::unix::process::CommandExt;
        command.uid(crate::harness::SOMEBODY).gid(crate::harness::SOMEBODY);
    }
    command
}

fn nothing_but_the_standard_descriptors_is_inherited(who: Who) {
    let node = directory(who);
    let open: String = (3..64).map(|number| format!("exec {number}</etc/passwd;")).collect();
    let plan = shell(who, node.path(), "ls /proc/self/fd | tr '\\n' ' '");
    let ran = finish(through_shell(
        who,
        &format!("{open} exec 3</; exec 4</usr"),
        &launcher(who, &plan, &How::default()),
    ));
    // 3 is the directory that ls lists.
    assert_eq!(ran.good(), "0 1 2 3 ");
}

fn preserved_descriptors_keep_their_numbers(who: Who) {
    let node = directory(who);
    let plan = shell(who, node.path(), "cat <&7; ls /proc/self/fd | tr '\\n' ' '");
    let how = How { preserve: &[7], keep: &[9], ..How::default() };
    let prepare = "exec 5</etc/passwd; echo seven >/tmp/redpak-seven-$$; exec 7</tmp/redpak-seven-$$; rm /tmp/redpak-seven-$$; exec 9</etc/passwd";
    let ran = finish(through_shell(who, prepare, &launcher(who, &plan, &how)));
    assert_eq!(ran.good(), "seven\n0 1 2 3 7 ");
}

fn what_leads_out_is_refused(who: Who) {
    let node = directory(who);
    let plan = plan(who, node.path(), &["true"]);
    let mut command = launcher(who, &plan, &How::default());
    command.stdin(File::open("/").unwrap());
    assert!(finish(command).refused().contains("descriptor 0 is a directory"));
    let path = rustix::fs::open("/etc/passwd", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    let mut command = launcher(who, &plan, &How::default());
    command.stdin(path);
    assert!(finish(command).refused().contains("descriptor 0 is an O_PATH descriptor"));
    for (preserve, words) in
        [([7], "descriptor 7 is a directory"), ([8], "descriptor 8 is to be passed on and is not open")]
    {
        let how = How { preserve: &preserve, ..How::default() };
        let ran = finish(through_shell(who, "exec 7</", &launcher(who, &plan, &how)));
        assert!(ran.refused().contains(words));
    }
}

fn closed_standard_descriptors_become_null(who: Who) {
    let node = directory(who);
    let out = node.path().join("out");
    std::fs::write(&out, "").unwrap();
    crate::harness::give(who, &out);
    let plan = shell(
        who,
        node.path(),
        "in=$(readlink /proc/$$/fd/0) out=$(readlink /proc/$$/fd/1); echo $in $out >&2",
    );
    let ran = finish(through_shell(who, "exec <&- >&-", &launcher(who, &plan, &How::default())));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), "/dev/null /dev/null\n"), "{ran:?}");
}

fn small_limits_are_clean_errors(who: Who) {
    let node = directory(who);
    let plan = plan(who, node.path(), &["true"]);
    for limit in [4, 5, 6, 8, 10, 12, 16] {
        let ran =
            finish(through_shell(who, &format!("ulimit -n {limit}"), &launcher(who, &plan, &How::default())));
        match ran.code {
            Some(0) => assert!(limit > 10, "{limit}: {ran:?}"),
            // Below 5, the dynamic loader itself may fail.
            _ => assert!(limit == 4 || ran.err.contains("EMFILE"), "{limit}: {ran:?}"),
        }
    }
    let mut written = plan.clone();
    add(&mut written, 0, file("/etc/motd", "hello\n", 0o644));
    let ran = finish(through_shell(who, "ulimit -f 0", &launcher(who, &written, &How::default())));
    assert!(ran.refused().contains("EFBIG"));
    assert_eq!(run(who, &written).code, Some(0));
}
