//! Status files that are broken or lost, and directories that may not be entered.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::ground::Ground;

const STATUS: &str = ".rednode.yaml";

#[test]
fn a_broken_status_is_one_finding_and_is_written_anew() {
    for broken in ["", "garbage", "{{{", "- a", "state: Enable\n", "parent: none\n"] {
        let ground = Ground::family();
        ground.write(&format!("r/a/{STATUS}"), broken);
        let ran =
            ground.run("check @r").expect(1).says("`redconf create --update /N/r/a` writes a new status");
        assert!(ran.stdout.ends_with("2 nodes checked: 1 error, 0 warnings\n"), "{broken}: {}", ran.stdout);
        let ran = ground.run("create --update @r/a").expect(0);
        assert_eq!(ran.stdout, "registered /N/r/a, child of /N/r, with a new status that enables it\n");
        ground.run("check @r").expect(0).says("0 errors, 0 warnings");
    }
}

#[test]
fn nothing_is_registered_that_is_wrong_or_newer() {
    let ground = Ground::family();
    ground.write(&format!("r/a/{STATUS}"), "version: 9\n");
    let ran = ground.run("check @r").expect(1).says("RP0401");
    assert!(!ran.stdout.contains("--update"), "{}", ran.stdout);
    ground.run("create --update @r/a").expect(1).says("RP0401");
    ground.node("r/b", "exports: [{mount: /srv, mode: Public}]\n");
    fs::remove_file(ground.at("r/b").join(STATUS)).expect("removed");
    ground.run("create --update @r/b").expect(1).says("RP0303");
    assert!(!ground.at("r/b").join(STATUS).exists());
    fs::create_dir(ground.at("r/none")).expect("made");
    fs::write(ground.at("r/none/file"), "").expect("written");
    ground.run("create --update @r/none").expect(1).says("RP0421");
}

#[test]
fn nobody_is_registered_past_a_node_that_lost_its_status() {
    let ground = Ground::family();
    ground.node("r/a/b", "");
    ground.node("r/a/b/c", "");
    fs::remove_file(ground.at("r/a").join(STATUS)).expect("removed");
    let ran = ground
        .run("check @r")
        .expect(1)
        .says("error[RP0429]")
        .says("`redconf create --update /N/r/a` writes one");
    assert!(ran.stdout.ends_with("4 nodes checked: 1 error, 0 warnings\n"), "{}", ran.stdout);
    ground.run("check @r/a/b").expect(1).says("RP0418").says("`redconf create --update /N/r/a` writes one");
    ground.run("tree @r").expect(0).says("/N/r/a is broken").says("unknown packages");
    for below in ["r/a/b", "r/a/b/c"] {
        ground.run(&format!("create --update @{below}")).expect(1).says("RP0429");
    }
    ground.run("mergeconfig @r/a").expect(1).says("RP0429");
    ground.run("create --update @r/a").expect(0);
    ground.run("check @r").expect(0).says("0 errors, 0 warnings");
    // The root node's, without which they would be root nodes.
    fs::remove_file(ground.at("r").join(STATUS)).expect("removed");
    ground.run("create --update @r/a").expect(1).says("RP0429");
    ground.run("create --update @r").expect(0).says("a root node");
    ground.run("check @r").expect(0).says("0 errors, 0 warnings");
}

#[test]
fn a_node_that_may_not_be_entered_is_told() {
    let ground = Ground::family();
    ground.node("r/b", "");
    let root =
        fs::metadata(ground.at("r")).map(|meta| std::os::unix::fs::MetadataExt::uid(&meta)).expect("stat");
    let program = ground.at("redconf");
    fs::copy(env!("CARGO_BIN_EXE_redconf"), &program).expect("copied");
    fs::set_permissions(ground.at(""), Permissions::from_mode(0o755)).expect("chmod");
    fs::set_permissions(ground.at("r/b"), Permissions::from_mode(0o000)).expect("chmod");
    let run = |words: [&str; 2]| {
        let mut command = Command::new(&program);
        command.arg(words[0]).arg(ground.at(words[1])).current_dir("/");
        if root == 0 {
            command.uid(54321).gid(54321);
        }
        let output = command.output().expect("it starts");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let (checked, tree, one) = (run(["check", "r"]), run(["tree", "r"]), run(["mergeconfig", "r/b"]));
    fs::set_permissions(ground.at("r/b"), Permissions::from_mode(0o755)).expect("chmod");
    assert!(checked.contains("warning[RP0413]: permission denied: nodes in"), "{checked}");
    assert!(tree.contains("r/b is broken: permission denied"), "{tree}");
    assert!(one.contains("RP0413") && one.contains("ermission denied"), "{one}");
}

#[test]
fn a_configuration_with_the_old_name_is_told() {
    let ground = Ground::family();
    let etc = ground.at("r/a/etc");
    fs::rename(etc.join("redpak.yaml"), etc.join("redpack.yaml")).expect("renamed");
    ground
        .run("check @r")
        .expect(0)
        .says("warning[RP0430]: the configuration is read from `/N/r/a/etc/redpack.yaml`");
    fs::copy(etc.join("redpack.yaml"), etc.join("redpak.yaml")).expect("copied");
    ground
        .run("check @r")
        .expect(0)
        .says("`/N/r/a/etc/redpack.yaml` is not read: `/N/r/a/etc/redpak.yaml` is there too");
}
