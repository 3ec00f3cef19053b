//! Files and directories that somebody prepared: refused, without blocking, and within bounds.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use redpak_nodes::Tree;

use crate::ground::{Ground, by_hand};

/// Each of the files that are read of a node.
const FILES: [&str; 3] = [".rednode.yaml", "etc/redpak.yaml", "etc/redpak-admin.yaml"];

fn made(program: &str, arguments: &[&str], path: &Path) -> bool {
    Command::new(program).args(arguments).arg(path).status().expect("it runs").success()
}

#[test]
fn nothing_but_a_regular_file_is_read_and_nothing_blocks() {
    let ground = Ground::new();
    let root = ground.at("r");
    for name in FILES {
        let fresh = || {
            let _ = fs::remove_dir_all(&root);
            by_hand(&root, None, "");
            let _ = fs::remove_file(root.join(name));
            root.join(name)
        };
        let begin = Instant::now();
        assert!(made("mkfifo", &["-m", "600"], &fresh()));
        ground.refused(&root, "RP0415");
        symlink("/etc/hostname", fresh()).expect("symlink");
        ground.refused(&root, "RP0412");
        symlink("nowhere", fresh()).expect("symlink");
        ground.refused(&root, "RP0412");
        fs::create_dir(fresh()).expect("made");
        ground.refused(&root, "RP0415");
        let _socket = std::os::unix::net::UnixListener::bind(fresh()).expect("bound");
        // open(2) of a socket: ENXIO.
        ground.refused(&root, "RP0413");
        if ground.uid == 0 {
            let device = fresh();
            assert!(
                Command::new("mknod")
                    .args(["-m", "600"])
                    .arg(&device)
                    .args(["c", "1", "5"])
                    .status()
                    .is_ok_and(|status| status.success())
            );
            ground.refused(&root, "RP0415");
            let owned = fresh();
            fs::write(&owned, "headers: {alias: x}\n").expect("written");
            std::os::unix::fs::chown(&owned, Some(12345), None).expect("chown");
            ground.refused(&root, "RP0410");
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "something blocked");
    }
}

#[test]
fn a_nodes_etc_is_its_own() {
    let ground = Ground::new();
    let (root, other) = (ground.at("r"), ground.at("s"));
    by_hand(&root, None, "");
    by_hand(&other, None, "");
    fs::remove_dir_all(root.join("etc")).expect("removed");
    ground.refused(&root, "RP0413");
    symlink(other.join("etc"), root.join("etc")).expect("symlink");
    ground.refused(&root, "RP0412");
}

#[test]
fn all_that_is_wrong_with_a_familys_files_is_told_at_once() {
    let ground = Ground::new();
    let (root, leaf) = (ground.at("r"), ground.at("r/a"));
    by_hand(&root, None, "");
    by_hand(&leaf, Some(&root), "");
    fs::write(root.join(".rednode.yaml"), "state: Perhaps\n").expect("written");
    fs::remove_file(root.join("etc/redpak.yaml")).expect("removed");
    fs::write(leaf.join("etc/redpak.yaml"), b"\xff").expect("written");
    let codes = ground.load(&leaf).expect_err("refused");
    for code in ["RP0114", "RP0111", "RP0413", "RP0100"] {
        assert!(codes.contains(&code), "{codes:?} has no {code}");
    }
}

#[test]
fn a_thousand_levels_are_a_bounded_error() {
    let ground = Ground::new();
    let root = ground.at("d");
    by_hand(&root, None, "");
    let mut path = root.clone();
    for _ in 0..1000 {
        let parent = path.clone();
        path.push("d");
        by_hand(&path, Some(&parent), "");
    }
    ground.refused(&path, "RP0420");
    let tree = Tree::load(&root, ground.uid, |_| ()).unwrap_or_else(|refused| panic!("{refused:?}"));
    assert!(tree.nodes.len() < 600, "{} nodes", tree.nodes.len());
    let deepest = tree.nodes.last().expect("nodes");
    assert_eq!(deepest.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["RP0420"]);
    let shown = &deepest.findings[0].message;
    assert!(shown.len() < 200, "{shown}");
}

#[test]
fn a_copied_family_is_not_believed_where_it_was_copied_to() {
    let ground = Ground::new();
    let (root, leaf) = (ground.create("r"), ground.create("r/a"));
    let copy = ground.at("copy");
    let copied = Command::new("cp").arg("-a").arg(&root).arg(&copy).status().expect("cp runs");
    assert!(copied.success());
    ground.refused(&copy, "RP0417");
    ground.refused(&copy.join("a"), "RP0418");
    assert!(ground.load(&leaf).is_ok(), "the original is as it was");
    // A single file of another node, by a hard link.
    fs::remove_file(leaf.join(".rednode.yaml")).expect("removed");
    fs::hard_link(root.join(".rednode.yaml"), leaf.join(".rednode.yaml")).expect("linked");
    ground.refused(&leaf, "RP0418");
}

#[test]
fn unsafe_takes_a_moved_family_where_it_is() {
    let strict = "config: {unsafe: true}\n";
    let compatible = "config: {inheritance: compatible}\n";
    for (root_says, leaf_says, believed) in [
        (strict, "", true),
        ("", "", false),
        ("config: {unsafe: false}\n", "", false),
        // In a strict family the root node alone has a say.
        ("", strict, false),
        (compatible, strict, true),
        (compatible, "", false),
    ] {
        let ground = Ground::new();
        let root = ground.at("old/r");
        by_hand(&root, None, root_says);
        by_hand(&root.join("a"), Some(&root), leaf_says);
        fs::rename(ground.at("old"), ground.at("new")).expect("renamed");
        let leaf = ground.at("new/r/a");
        assert_eq!(ground.load(&leaf).is_ok(), believed, "{root_says} {leaf_says}");
    }
}

#[test]
fn unsafe_is_no_way_out_of_a_family() {
    let ground = Ground::new();
    let (root, other) = (ground.at("r"), ground.at("s"));
    by_hand(&root, None, "config: {unsafe: true}\n");
    by_hand(&other, None, "config: {unsafe: true}\n");
    by_hand(&root.join("a"), Some(&root), "config: {unsafe: true}\n");
    let (under, free) = (other.join("a"), ground.at("a"));
    fs::rename(root.join("a"), &under).expect("renamed");
    ground.refused(&under, "RP0418");
    fs::rename(&under, &free).expect("renamed");
    ground.refused(&free, "RP0418");
}
