//! The README's commands, as they stand there, and the demonstration from start to end.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use redpak_tests::{Ground, bin};

/// The tree that holds the README, where whoever runs this can read it.
fn tree() -> PathBuf {
    std::env::var_os("REDPAK_TREE")
        .map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/..").into(), PathBuf::from)
}

/// The text of the `sh` blocks from the first heading to the second.
fn commands(readme: &str, from: &str, to: &str) -> String {
    let start = readme.find(from).unwrap_or_else(|| panic!("no {from}"));
    let section = &readme[start..];
    let section = &section[..section.find(to).unwrap_or_else(|| panic!("no {to}"))];
    section.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n")).collect()
}

#[test]
fn the_commands_under_use_it_do_what_they_say() {
    let ground = Ground::new();
    let readme = std::fs::read_to_string(tree().join("README.md")).expect("the README is there");
    let script = commands(&readme, "## Use it", "## Requirements");
    assert!(script.contains("redwrap-dnf --redpath") && script.contains("--dump-only"), "{script}");
    // What is under test is built already, and its place is in PATH.
    let script = script.replace("make build", "true").replace("export PATH=", "true PATH=");
    let programs = bin("redwrap").parent().expect("a directory").display().to_string();
    let output = Command::new("bash")
        .args(["-euc", &script])
        .current_dir(tree())
        .env("HOME", ground.path())
        .env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap_or_default()))
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    for said in ["Complete!", "toolbox 2.0, settings: colour=red", "platform", "bwrap", "mode: Overlay"] {
        assert!(text.contains(said), "no `{said}` in:\n{text}");
    }
}

#[test]
fn the_demonstration_runs_twice_and_after_an_interruption() {
    let ground = Ground::new();
    let tree = tree();
    // The demonstration finds the programs beside its own tree.
    let copy = ground.path().join("tree");
    let made = Command::new("sh")
        .args([
            "-ec",
            "mkdir -p \"$1/target\"; cp -r \"$2/demo\" \"$1/\"; ln -s \"$3\" \"$1/target/bin\"",
            "sh",
        ])
        .args([&copy, &tree, bin("redwrap").parent().expect("a directory")])
        .status();
    assert!(made.is_ok_and(|status| status.success()));
    let demo = |limit: &str| {
        Command::new("timeout")
            .args(["-s", "INT", limit])
            .arg(copy.join("demo/run"))
            .env("REDPAK_DEMO_DIR", ground.path().join("demo"))
            .stdin(Stdio::null())
            .output()
            .expect("timeout runs")
    };
    for limit in ["300", "1", "300"] {
        let output = demo(limit);
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(limit == "1" || output.status.success() && text.contains("That was it"), "{text}");
    }
}
