//! A plan as a bubblewrap command line: what stands there, what is remarked, and what a shell makes of it.

use std::process::Command;

use redpak_model::effective::{ExportKind, Unjudged, Variable, VariableAction};
use redpak_plan::LaunchPlan;
use redpak_plan::bwrap::{Rendering, render};

use crate::modes::everything;
use crate::world::{World, world};

fn file(world: &mut World, at: &str, output: Option<&[u8]>) {
    let kind = ExportKind::Execfd { command: "true".into(), output: output.map(<[u8]>::to_vec) };
    world.export(0, at, kind);
}

fn shown(world: &World) -> (LaunchPlan, Rendering) {
    let (plan, findings) = world.request(true);
    let plan = plan.unwrap_or_else(|| panic!("{findings:?}"));
    let rendering = render(&plan);
    (plan, rendering)
}

/// Runs the script with a `bwrap` that prints its arguments, one a line, and then what the files hold.
fn replay(shell: &str, rendering: &Rendering) -> String {
    let bwrap = "bwrap() { printf '%s\\n' \"$@\"; while [ $# -gt 0 ]; do \
                 if [ \"$1\" = --ro-bind-data ]; then echo \"= $3\"; cat <&\"$2\"; shift 2; fi; shift; done; }\n";
    let output =
        Command::new(shell).args(["-c", &format!("{bwrap}{}", rendering.script)]).output().expect("a shell");
    assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}\n{}", rendering.script);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_kind_is_rendered_or_remarked() {
    let (_, rendering) = shown(&everything());
    let lines: Vec<&str> = rendering.script.lines().map(|line| line.trim().trim_end_matches(" \\")).collect();
    for expected in [
        "--dir /a",
        "--ro-bind-data 3 /b",
        "--ro-bind-data 4 /d",
        "--bind /r/1/2/data /data",
        "--dev /dev",
        "--mqueue /dev/mqueue",
        "--dev-bind /dev/ttyS0 /dev/tty",
        "--symlink a /l",
        "--ro-bind-data 5 /p",
        "--proc /proc",
        "--lock-file /usr/.ref",
        "--size 8192 --tmpfs /tmp",
        "it's",
    ] {
        assert!(lines.iter().any(|line| line.contains(expected)), "{expected}: {}", rendering.script);
    }
    // 4 is the caller's own.
    assert!(rendering.script.contains(" 3<<'REDPAK_0' 5<<'REDPAK_1'\n"), "{}", rendering.script);
    assert!(!rendering.script.contains(" /c"), "{}", rendering.script);
    assert!(
        rendering.remarks.iter().any(|remark| remark.starts_with("/c is left out: it holds what is no text"))
    );
}

#[test]
fn texts_arrive_as_they_are_whatever_they_hold() {
    let evil = "a\nREDPAK_0\nREDPAK_0_\ntouch /tmp/redpak-replayed\n'$(id)` \\\nREDPAK_1";
    let mut world = world(1);
    file(&mut world, "/a", Some(evil.as_bytes()));
    file(&mut world, "/b", Some(b"REDPAK_1\n"));
    file(&mut world, "/c", Some(b""));
    let (_, rendering) = shown(&world);
    for shell in ["sh", "bash"] {
        let out = replay(shell, &rendering);
        assert!(out.ends_with(&format!("= /a\n{evil}\n= /b\nREDPAK_1\n= /c\n")), "{shell}: {out}");
    }
    assert!(rendering.remarks.contains(&"/a gets a line end at its end".to_owned()));
    assert!(!rendering.remarks.iter().any(|remark| remark.starts_with("/b") || remark.starts_with("/c")));
}

#[test]
fn files_beyond_what_a_shell_can_hand_over_are_left_out() {
    let mut world = world(1);
    for index in 0..9 {
        file(&mut world, &format!("/f{index}"), Some(b"x\n"));
    }
    file(&mut world, "/nul", Some(b"a\0b"));
    world.export(0, "/fd", ExportKind::Internal { descriptor: 5 });
    let (_, rendering) = shown(&world);
    assert!(!rendering.script.contains("10<<"));
    let left_out: Vec<&str> = rendering
        .remarks
        .iter()
        .filter(|remark| remark.contains("left out"))
        .map(|remark| remark.split(' ').next().unwrap_or_default())
        .collect();
    assert_eq!(left_out, ["/f6", "/f7", "/f8", "/nul"]);
}

#[test]
fn a_command_that_was_not_run_is_shown_and_never_replayed() {
    let mark = std::env::temp_dir().join(format!("redpak-replayed-{}", std::process::id()));
    let touch = format!("touch {}", mark.display());
    let evil = format!("x\n{touch}\n#' $({touch}) `{touch}` \\");
    let mut world = world(2);
    let kind = ExportKind::Execfd { command: evil.clone(), output: None };
    world.export(1, "/etc/passwd", kind);
    let unjudged = |what: &str, left_out, origin| Unjudged {
        what: what.into(),
        text: if what.contains("variable") { format!("{evil}v") } else { evil.clone() },
        left_out,
        origin,
    };
    let variable = Variable { key: "K".into(), action: VariableAction::Command(format!("{evil}v")) };
    world.effective.environ = vec![world.sourced(1, 9, variable)];
    world.effective.unjudged = vec![
        unjudged("the export at `/etc/passwd`", false, world.effective.exports[0].origin.clone()),
        unjudged("the variable `K`", false, world.sourced(1, 9, ()).origin),
        unjudged(&format!("the export at `\n{touch}`"), true, world.sourced(0, 3, ()).origin),
    ];
    let (_, rendering) = shown(&world);
    for shell in ["sh", "bash"] {
        let out = replay(shell, &rendering);
        assert!(!out.contains("--ro-bind-data"), "{out}");
        assert!(out.contains(&format!("--setenv\nK\n$({evil}v)\n")), "{out}");
        assert!(!mark.exists(), "{shell} ran it: {}", rendering.script);
    }
    let comments: Vec<&str> = rendering.script.lines().take_while(|line| line.starts_with("# ")).collect();
    assert_eq!(comments.len(), 3, "each is told once: {}", rendering.script);
    assert!(comments[0].starts_with("# left out: /etc/passwd holds the output of a command"), "{comments:?}");
    assert!(comments[1].starts_with("# as it stands: the variable `K` is decided"), "{comments:?}");
    assert!(comments[2].starts_with("# left out: the export at ` touch"), "{comments:?}");
    for comment in comments {
        assert!(comment.contains("$(touch"), "{comment}");
        assert!(rendering.remarks.contains(&comment[2..].to_owned()), "{comment}");
    }
}
