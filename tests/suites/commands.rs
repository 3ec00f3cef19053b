//! Commands that files name, by binary: who runs them and who does not, and that nothing of them outlives `redwrap`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use redpak_tests::{Ground, bin, run};

/// A root node and a child, whose file gets these lines at its end, after its exports.
fn node(lines: &str) -> Ground {
    let ground = Ground::new();
    ground.create("r", &[]);
    ground.create("r/n", &[]);
    append(&ground, "r/n", lines);
    ground
}

/// Adds lines to a node's exports, or after them.
fn append(ground: &Ground, node: &str, lines: &str) {
    let file = format!("{node}/etc/redpak.yaml");
    let text = std::fs::read_to_string(ground.path().join(&file)).expect("it was created");
    ground.write(&file, &format!("{text}{lines}"));
}

/// Puts a variable with a command into the root node's file.
fn on_the_host(ground: &Ground, command: &str) {
    let file = "r/etc/redpak.yaml";
    let text = std::fs::read_to_string(ground.path().join(file)).expect("it was created");
    let entry = format!("environ:\n  - {{key: HOST, value: \"$({command})\"}}");
    ground.write(file, &text.replace("environ:", &entry));
}

fn is_running(word: &str) -> bool {
    let entries = std::fs::read_dir("/proc").expect("procfs").flatten();
    let mut lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).split('\0').any(|argument| argument == word))
}

#[track_caller]
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_commands_write_is_what_the_node_gets() {
    let ground = node(
        "  - {mount: /srv/out, mode: Execfd, path: \"uname -n; printf '\\\\0\\\\377'\"}\n  \
           - {mount: '$(echo /srv/mine)', mode: Anonymous}\n\
         environ:\n  - {key: IN, value: \"<$(printf 'a\\\\nb\\\\n\\\\n')>\"}\n  - {key: EX, mode: Execfd, value: echo $NODE_ALIAS in $UID}\n",
    );
    on_the_host(&ground, "uname -n");
    let uid = rustix::process::geteuid().as_raw();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let ran = ground
        .wrap("r/n", &["sh", "-c", "echo \"$IN $EX $HOST\"; test -d /srv/mine && od -An -c /srv/out"])
        .ok();
    assert_eq!(ran.stdout, format!("<a\nb> n in {uid} {host}\n   r  \\n  \\0 377\n"));
    // Nobody writes it.
    ground.wrap("r/n", &["sh", "-c", "echo x > /srv/out"]).expect(2);
}

#[test]
fn a_failed_command_is_no_launch() {
    for (command, says) in [
        ("echo the reason >&2; exit 3", "RP0901"),
        ("printf 'a\\\\0b'", "RP0214"),
        ("printf '\\\\377'", "RP0214"),
        ("head -c 70000 /dev/zero", "RP0903"),
    ] {
        let ground = node(&format!("environ:\n  - {{key: K, value: \"$({command})\"}}\n"));
        let ran =
            ground.wrap("r/n", &["echo", "launched"]).expect(125).says(says).says("r/n/etc/redpak.yaml:");
        assert!(ran.stdout.is_empty() && ran.stderr.contains("help: "), "{}", ran.all());
    }
}

#[test]
fn only_what_launches_runs_them() {
    let ground = node("environ:\n  - {key: IN, value: \"$(echo inside)\"}\n");
    let mark = ground.path().join("mark");
    on_the_host(&ground, &format!("touch {}; echo done", mark.display()));
    let (root, node) = (ground.at("r"), ground.at("r/n"));
    let quiet = |program: &str, arguments: &[&str]| {
        let ran = run(bin(program), arguments).ok();
        assert!(!mark.exists(), "{program} {arguments:?}");
        ran
    };
    for path in [&root, &node] {
        quiet("redconf", &["config", path]);
        quiet("redconf", &["mergeconfig", path]).says("$(touch");
        quiet("redconf", &["tree", path]);
        quiet("redconf", &["check", path]);
        quiet("redwrap", &["-r", path, "--dump-only", "--", "true"]).says("$(touch");
        quiet("redwrap", &["-r", path, "--dump-only=json", "--", "true"]).says("$(touch");
    }
    quiet("redconf", &["create", &ground.at("r/n/c")]);
    quiet("redconf", &["disable", &ground.at("r/n/c")]);
    quiet("redwrap-dnf", &["--redpath", &node, "list", "--installed"]);
    ground.dnf("r/n", &["autoremove"]).ok();
    assert!(mark.exists(), "package work is a launch");
    std::fs::remove_file(&mark).expect("it was there");
    ground.wrap("r/n", &["sh", "-c", "echo $HOST $IN"]).ok().says("done inside");
    assert!(mark.exists());
}

#[test]
fn nothing_outlives_redwrap() {
    for (place, signal) in [("r", "KILL"), ("r", "INT"), ("r/n", "KILL"), ("r/n", "TERM")] {
        let mark = format!("5{}.{}", std::process::id(), place.len() * 10 + signal.len());
        let command = format!("setsid sleep {mark} & sleep {mark}");
        let ground = node("");
        match place {
            "r" => on_the_host(&ground, &command),
            _ => append(&ground, place, &format!("environ:\n  - {{key: K, value: \"$({command})\"}}\n")),
        }
        let mut child = ground.start("r/n", &["true"]);
        wait_until("the command starts", || is_running(&mark));
        run("kill", &["-s", signal, &child.id().to_string()]).ok();
        child.wait().expect("it was started");
        wait_until("the command ends with redwrap", || !is_running(&mark));
    }
}

#[test]
fn a_descriptor_is_read_once_for_all_launches() {
    let ground = Ground::new();
    ground.create("r", &[]);
    append(&ground, "r", "  - {mount: /srv/given, mode: Internal, path: 5}\n");
    ground.create("r/n", &[]);
    append(&ground, "r/n", "environ:\n  - {key: SEEN, value: \"$(cat /srv/given)\"}\n");
    let script = format!(
        "exec '{}' -r '{}' -- sh -c 'echo $SEEN; cat /srv/given'",
        bin("redwrap").display(),
        ground.at("r/n")
    );
    let given = std::process::Command::new("bash")
        .args(["-c", &format!("printf given | {{ exec 5<&0 0</dev/null; {script}; }}")])
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let said = String::from_utf8_lossy(&given.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&given.stdout), "given\ngiven", "{said}");
}

#[test]
fn descriptors_that_are_passed_on_are_not_for_commands() {
    let ground = node("environ:\n  - {key: IN, value: \"$(test -e /proc/$$/fd/3 || echo closed)\"}\n");
    on_the_host(&ground, "test -e /proc/$$/fd/3 || echo closed");
    let script = format!(
        "exec 3</dev/null; exec '{}' -r '{}' --preserve-fds 1 -- sh -c 'echo $HOST $IN; test -e /proc/$$/fd/3'",
        bin("redwrap").display(),
        ground.at("r/n")
    );
    let ran = Command::new("bash").args(["-c", &script]).output().expect("bash runs");
    assert_eq!(
        (ran.status.code(), String::from_utf8_lossy(&ran.stdout).as_ref()),
        (Some(0), "closed closed\n")
    );
}

#[test]
fn a_childs_command_does_nothing_on_the_host() {
    let ground = Ground::new();
    let mark = ground.at("mark");
    let ground = node(&format!(
        "environ:\n  - {{key: K, value: \"$(touch {mark} || true; touch /usr/mark || true)\"}}\n"
    ));
    ground.wrap("r/n", &["true"]).ok();
    assert!(!Path::new(&mark).exists() && !Path::new("/usr/mark").exists());
}
