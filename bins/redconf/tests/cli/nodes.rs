//! `create`, `enable`, `disable`, `delete`, and nodes that are bound where they do not belong.

use std::fs;
use std::process::Command;

use crate::ground::{Ground, redconf};

#[test]
fn models_are_found_by_name_above_and_below() {
    let ground = Ground::new();
    ground.run("create -m redpak25 @r").expect(0).says("a root node");
    ground.run("create -m redpak25 @r/a").expect(0).says("child of /N/r");
    let text = |name: &str| fs::read_to_string(ground.at(name).join("etc/redpak.yaml")).expect("read");
    assert!(text("r").contains("share_all") && text("r/a").contains("/nodes/$NODE_ALIAS/usr"));
    ground.run("check @r").expect(0);
    ground.run("create -m redpk25 @r/b").expect(1).says("did you mean `redpak25`?");
    // A directory of templates works the same way.
    fs::create_dir(ground.at("templates")).expect("made");
    ground.write("templates/mine-normal.yaml", "headers: {alias: @ALIAS@, info: top}\n");
    ground.write("templates/mine-leaf-normal.yaml", "headers: {alias: @ALIAS@, info: below}\n");
    ground.run("create -t @templates -m mine @s").expect(0);
    ground.run("create -t @templates -m mine @s/a").expect(0);
    assert!(text("s").contains("top") && text("s/a").contains("below"));
    ground.run("create -t @templates -m min @s/b").expect(1).says("did you mean `mine`?");
}

#[test]
fn errors_name_what_was_asked_for() {
    let ran = redconf(&["create", "/proc/redpak-test"]).expect(1);
    assert!(ran.stderr.contains("`/proc/redpak-test`") && ran.stderr.contains("help:"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(".redpak-new"), "{}", ran.stderr);
    let ground = Ground::family();
    fs::remove_file(ground.at("r/a/etc/redpak.yaml")).expect("removed");
    ground.run("mergeconfig @r/a").expect(1).says("has no `etc/redpak.yaml`").says("help:");
    ground.run("tree @r").expect(0).says("/N/r/a is broken: the node has no `etc/redpak.yaml`");
    ground.run("delete @r").expect(1).says("--recursive");
    ground.run("delete -r @r").expect(0);
    ground.run("tree @r").expect(1).says("more: redconf explain RP0");
}

/// Runs a script in a mount namespace of its own, as root there. `None` where that cannot be.
fn in_namespace(script: &str) -> Option<std::process::Output> {
    let own = |script: &str| {
        Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-ec", script])
            .env("REDCONF", env!("CARGO_BIN_EXE_redconf"))
            .output()
            .expect("unshare runs")
    };
    if own("true").status.success() {
        return Some(own(script));
    }
    assert!(std::env::var_os("REDPAK_MUST_WORK").is_none_or(|value| value != "1"), "must work here");
    println!("SKIP: no user namespaces");
    None
}

#[test]
fn a_bound_node_is_in_no_other_family_nor_in_itself() {
    let ground = Ground::family();
    ground.node("s", "config: {unsafe: true}\n");
    for empty in ["s/a", "r/a/inside", "free"] {
        fs::create_dir(ground.at(empty)).expect("made");
    }
    let at = |name: &str| ground.at(name).display().to_string();
    for (source, target, code) in
        [("r/a", "s/a", "RP0418"), ("r/a", "free", "RP0418"), ("r", "r/a/inside", "RP0428")]
    {
        let script = format!(
            "mount --bind {} {}; \"$REDCONF\" check {} --json || true; \"$REDCONF\" mergeconfig {}",
            at(source),
            at(target),
            at(target),
            at(target)
        );
        let Some(ran) = in_namespace(&script) else { return };
        let text = String::from_utf8_lossy(&ran.stdout);
        assert!(text.contains(code), "{source} at {target}: {text}{}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
fn a_fault_in_a_file_that_was_given_is_shown_there() {
    let ground = Ground::family();
    ground.write("my.yaml", "headers: {alias: @ALIAS@}\nconfig:\n  umsk: 022\n");
    let ran = ground
        .run("create -c @my.yaml @r/b")
        .expect(1)
        .says("--> /N/my.yaml:3:3")
        .says("nothing was created");
    assert!(!ran.stderr.contains("redpak.yaml"), "{}", ran.stderr);
    ground.write("admin.yaml", "headers: {alias: @ALIAS@}\nexports: [{mount: /srv, mode: Public}]\n");
    ground.write("my.yaml", "headers: {alias: @ALIAS@}\n");
    ground.run("create -c @my.yaml -C @admin.yaml @r/b").expect(1).says("--> /N/admin.yaml:2:");
    assert!(!ground.at("r/b").exists());
}

#[test]
fn enabling_says_what_is_still_in_the_way() {
    let ground = Ground::family();
    ground.run("disable @r").expect(0);
    ground.run("disable @r/a").expect(0);
    ground
        .run("enable @r/a")
        .expect(0)
        .says("still does not launch: `/N/r` above it is disabled, `redconf enable /N/r`");
    let ran = ground.run("enable @r").expect(0);
    assert_eq!(ran.stdout, "/N/r is enabled\n");
}
