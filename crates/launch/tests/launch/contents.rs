//! Files of the launch: what they hold, where it comes from, and what is refused.

use std::path::Path;

use redpak_plan::launch_plan::{Content, LaunchPlan, NotJudged};

use crate::descriptors::through_shell;
use crate::harness::{BOTH, How, Ran, Test, Who, directory, finish, launcher, populate, run, test};
use crate::plans::{add, file, filled, plan, shell};

pub const TESTS: &[Test] = &[
    test("a_file_holds_what_the_plan_says", BOTH, a_file_holds_what_the_plan_says),
    test("a_file_holds_what_a_descriptor_gives", BOTH, a_file_holds_what_a_descriptor_gives),
    test("standard_input_can_fill_a_file", BOTH, standard_input_can_fill_a_file),
    test("a_descriptor_is_read_from_where_it_stands", BOTH, a_descriptor_is_read_from_where_it_stands),
    test(
        "a_descriptor_that_gives_nothing_good_is_refused",
        BOTH,
        a_descriptor_that_gives_nothing_good_is_refused,
    ),
    test("a_descriptor_gives_at_most_a_mebibyte", BOTH, a_descriptor_gives_at_most_a_mebibyte),
    test("a_descriptor_of_redpaks_own_is_not_read", BOTH, a_descriptor_of_redpaks_own_is_not_read),
    test("a_descriptor_is_read_once_for_all_launches", BOTH, a_descriptor_is_read_once_for_all_launches),
    test("a_root_that_is_too_small_is_told", BOTH, a_root_that_is_too_small_is_told),
    test("a_plan_for_showing_is_not_launched", BOTH, a_plan_for_showing_is_not_launched),
];

fn internal(node: &Path, who: Who, number: u32, script: &str) -> LaunchPlan {
    let mut plan = shell(who, node, script);
    add(&mut plan, 0, filled("/etc/given", Content::Descriptor(number)));
    plan
}

fn through(who: Who, prepare: &str, plan: &LaunchPlan) -> Ran {
    finish(through_shell(who, prepare, &launcher(who, plan, &How::default())))
}

fn a_file_holds_what_the_plan_says(who: Who) {
    let node = directory(who);
    let script = "stat -c '%a %s' /etc/bytes; od -An -tx1 /etc/bytes; cat /etc/text; for f in bytes text; do \
                  (echo x >/etc/$f) 2>&1 | grep -o Read-only; chmod 777 /etc/$f 2>&1 | grep -o Read-only; \
                  rm /etc/$f 2>&1 | grep -o busy; done; ls -A /";
    let mut plan = shell(who, node.path(), script);
    add(&mut plan, 0, filled("/etc/bytes", Content::Bytes(vec![0, 0xff, b'\n'])));
    add(&mut plan, 0, file("/etc/text", "a\0b\n", 0o644));
    let expected = format!(
        "644 3\n 00 ff 0a\na\0b\n{}bin\ndev\netc\nlib\nlib64\nproc\nsbin\ntmp\nusr\n",
        "Read-only\nRead-only\nbusy\n".repeat(2)
    );
    assert_eq!(run(who, &plan).good(), expected);
}

fn a_file_holds_what_a_descriptor_gives(who: Who) {
    let node = directory(who);
    let script = "cat /etc/given /etc/too; stat -c %a /etc/given; (echo x >/etc/given) 2>&1 | grep -o Read-only; \
                  ls /proc/self/fd | tr '\\n' ' '";
    let mut plan = internal(node.path(), who, 7, script);
    // Two files of one descriptor, in two groups of mounts.
    add(&mut plan, 1, filled("/etc/too", Content::Descriptor(7)));
    for prepare in [
        "exec 7< <(printf one; sleep 0.1; printf two)",
        "exec 7<<<onetwo; true",
        // Nobody waits for this one's data by itself.
        "exec 7< <(perl -e 'use Fcntl; fcntl(STDOUT, F_SETFL, O_NONBLOCK); $|=1; print qq(one); sleep 1; print qq(two)')",
    ] {
        let end = if prepare.contains("<<<") { "\n" } else { "" };
        let expected = format!("onetwo{end}onetwo{end}644\nRead-only\n0 1 2 3 ");
        assert_eq!(through(who, prepare, &plan).good(), expected, "{prepare}");
    }
    // A socket, and an empty input.
    let out = through(who, "exec 7</dev/null", &plan).good();
    assert_eq!(out, "644\nRead-only\n0 1 2 3 ");
}

fn standard_input_can_fill_a_file(who: Who) {
    let node = directory(who);
    let plan = internal(node.path(), who, 0, "cat /etc/given; readlink /proc/$$/fd/0; cat");
    let out = through(who, "exec < <(printf 'given\\n')", &plan).good();
    assert_eq!(out, "given\n/dev/null\n");
}

fn a_descriptor_is_read_from_where_it_stands(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["input"]);
    std::fs::write(node.path().join("input"), "head\ntail\n").unwrap();
    let plan = internal(node.path(), who, 8, "cat /etc/given");
    let prepare = format!("exec 8<{}/input; read -r -u 8 line", node.path().display());
    assert_eq!(through(who, &prepare, &plan).good(), "tail\n");
}

fn a_descriptor_that_gives_nothing_good_is_refused(who: Who) {
    let node = directory(who);
    let place = "/etc/given cannot be mounted (test.yaml:/etc/given): ";
    for (number, prepare, words) in [
        (
            7,
            "true",
            "descriptor 7, which the file's content is read from, is not open; hint: open it for redwrap, as a shell does with `7< FILE`",
        ),
        (5000, "true", "descriptor 5000, which"),
        (u32::MAX, "true", "descriptor 4294967295, which"),
        (7, "exec 7</", "descriptor 7 is a directory, which cannot be read"),
        (7, "exec 7>/dev/null", "the descriptor must be open for reading"),
    ] {
        let plan = internal(node.path(), who, number, "true");
        let error = through(who, prepare, &plan).refused();
        assert!(error.contains(place) && error.contains(words), "{prepare}: {error}");
    }
    let path = rustix::fs::open("/etc/passwd", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    let plan = internal(node.path(), who, 0, "true");
    let mut command = launcher(who, &plan, &How::default());
    command.stdin(path);
    let error = finish(command).refused();
    assert!(error.contains(place) && error.contains("descriptor 0 is an O_PATH descriptor"), "{error}");
    // What the command gets is not read under its hands.
    let plan = internal(node.path(), who, 7, "true");
    for how in [How { preserve: &[6, 7], ..How::default() }, How { keep: &[7], ..How::default() }] {
        let command = through_shell(who, "exec 6</dev/null 7</dev/null", &launcher(who, &plan, &how));
        let error = finish(command).refused();
        assert!(error.contains(place) && error.contains("to be passed on to the command as well"), "{error}");
    }
}

fn a_descriptor_gives_at_most_a_mebibyte(who: Who) {
    let node = directory(who);
    let mut plan = internal(node.path(), who, 7, "stat -c %s /etc/given");
    plan.root.size = 5 << 20;
    let exactly = "exec 7< <(head -c 1048576 /dev/zero)";
    assert_eq!(through(who, exactly, &plan).good(), "1048576\n");
    for prepare in ["exec 7< <(head -c 1048577 /dev/zero)", "exec 7</dev/zero"] {
        let error = through(who, prepare, &plan).refused();
        assert!(error.contains("descriptor 7 gives more than 1048576 bytes"), "{error}");
        assert!(error.contains("test.yaml:/etc/given"), "{error}");
    }
}

/// The launcher's standard library opens nothing that lasts, so a function of its own makes the situation.
fn a_descriptor_of_redpaks_own_is_not_read(who: Who) {
    let node = directory(who);
    let plan = internal(node.path(), who, 40, "cat /etc/given");
    let how = How { before: Some("own"), ..How::default() };
    let error = finish(launcher(who, &plan, &how)).refused();
    assert!(error.contains("descriptor 40, which the file's content is read from, is not open"), "{error}");
}

fn a_descriptor_is_read_once_for_all_launches(who: Who) {
    let node = directory(who);
    let plan = internal(node.path(), who, 7, "cat /etc/given");
    let how = How { before: Some("twice"), ..How::default() };
    let ran = finish(through_shell(who, "exec 7< <(echo once)", &launcher(who, &plan, &how)));
    assert_eq!(ran.good(), "once\nonce\n");
}

fn a_root_that_is_too_small_is_told(who: Who) {
    let node = directory(who);
    let mut plan = shell(who, node.path(), "stat -c %s /etc/large");
    let large = Content::Text("x".repeat(50_000));
    add(&mut plan, 0, filled("/etc/large", large));
    plan.root.size = 32 << 10;
    let error = run(who, &plan).refused();
    assert!(
        error.contains("ENOSPC") && error.contains("the root tmpfs is too small for the files"),
        "{error}"
    );
    plan.root.size = 80 << 10;
    assert_eq!(run(who, &plan).good(), "50000\n");
}

fn a_plan_for_showing_is_not_launched(who: Who) {
    let node = directory(who);
    let mut showing = plan(who, node.path(), &["true"]);
    add(&mut showing, 0, filled("/etc/x", Content::Command("touch /tmp/redpak-was-run".into())));
    let error = run(who, &showing).refused();
    assert!(error.contains("/etc/x cannot be mounted (test.yaml:/etc/x)"), "{error}");
    assert!(error.contains("a command, which was not run: \"touch"), "{error}");
    let mut showing = plan(who, node.path(), &["true"]);
    showing.unjudged.push(NotJudged {
        what: "`hostname`".into(),
        text: "$(hostname)".into(),
        left_out: true,
        origin: "test.yaml:4:1".into(),
    });
    let error = run(who, &showing).refused();
    assert!(
        error.contains("the plan is for showing: a command decides `hostname` (test.yaml:4:1)"),
        "{error}"
    );
}
