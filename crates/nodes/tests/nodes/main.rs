//! Nodes on a real file system: what is believed, what is refused, and that a failed creation leaves nothing.

mod ground;
mod hostile;
mod races;
mod trees;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use redpak_model::status::State;
use redpak_nodes::{Creation, LoadOptions, Refused, create, descendants, status_file};

use ground::{Ground, listing};

#[test]
fn a_family_is_loaded_root_first_across_plain_directories() {
    let ground = Ground::new();
    ground.create("r");
    ground.create("r/a");
    let leaf = ground.create("r/a/x/y/b");
    let family = ground.load(&leaf).expect("a family");
    let paths: Vec<&Path> = family.nodes.iter().map(|node| node.path.as_path()).collect();
    assert_eq!(paths, [ground.at("r"), ground.at("r/a"), ground.at("r/a/x/y/b")]);
    assert!(ground.load(&ground.at("r/a/x/../x/y/b")).is_ok(), "`..` is walked");
    let below: Vec<PathBuf> =
        descendants(&ground.at("r")).expect("listed").into_iter().map(|node| node.path).collect();
    assert_eq!(below, [ground.at("r/a"), ground.at("r/a/x/y/b")]);
}

#[test]
fn no_node_is_created_among_a_nodes_own_files() {
    let ground = Ground::new();
    ground.create("r");
    let node = ground.create("r/a");
    for inside in [".redpak/gen/1/usr/b", "etc/b", "var/lib/b", "opt/b"] {
        let Err(Refused(findings)) = ground.create_with(&format!("r/a/{inside}"), None) else {
            panic!("{inside}: `redconf tree` would not show it");
        };
        assert!(
            findings[0].message.contains("no place for nodes") || findings[0].code == "RP0412",
            "{findings:?}"
        );
        assert!(!node.join(inside).exists());
    }
    ground.create("r/a/x/var/b");
}

#[test]
fn directories_made_in_a_nodes_data_do_not_hide_the_tree() {
    let ground = Ground::new();
    ground.create("r");
    ground.create("r/a");
    let mut deep = ground.at("r/data");
    deep.extend(std::iter::repeat_n("d", 200));
    fs::create_dir_all(deep).expect("made");
    let below: Vec<PathBuf> =
        descendants(&ground.at("r")).expect("listed").into_iter().map(|node| node.path).collect();
    assert_eq!(below, [ground.at("r/a")]);
}

#[test]
fn a_family_deeper_than_any_data_is_listed() {
    let ground = Ground::new();
    let mut name = "r".to_owned();
    ground.create(&name);
    for _ in 0..40 {
        name.push_str("/n");
        ground.create(&name);
    }
    assert_eq!(descendants(&ground.at("r")).expect("listed").len(), 40);
}

#[test]
fn what_others_can_write_is_not_believed() {
    for (name, mode) in [
        ("r", 0o777),
        ("r/etc", 0o775),
        ("r/a", 0o757),
        ("r/a/etc/redpak.yaml", 0o664),
        ("r/.rednode.yaml", 0o666),
    ] {
        let ground = Ground::new();
        ground.create("r");
        let leaf = ground.create("r/a");
        fs::set_permissions(ground.at(name), Permissions::from_mode(mode)).expect("chmod");
        ground.refused(&leaf, "RP0411");
    }
}

#[test]
fn what_belongs_to_somebody_else_is_not_believed() {
    let ground = Ground::new();
    if ground.uid != 0 {
        // Giving files away needs root; the root run of the suite covers it.
        return;
    }
    ground.create("r");
    let leaf = ground.create("r/a");
    for name in ["r/a/etc/redpak.yaml", "r/a/etc", "r/a/.rednode.yaml", "r"] {
        std::os::unix::fs::chown(ground.at(name), Some(12345), None).expect("chown");
        ground.refused(&leaf, "RP0410");
        std::os::unix::fs::chown(ground.at(name), Some(0), None).expect("chown");
    }
    assert!(ground.load(&leaf).is_ok());
}

#[test]
fn links_are_followed_above_the_root_node_only() {
    let ground = Ground::new();
    ground.create("real/r");
    ground.create("real/r/a");
    symlink(ground.at("real"), ground.at("link")).expect("symlink");
    let family = ground.load(&ground.at("link/r/a")).expect("a family");
    assert_eq!(family.leaf().path, ground.at("real/r/a"), "paths are without links");
    symlink("a", ground.at("real/r/b")).expect("symlink");
    ground.refused(&ground.at("real/r/b"), "RP0412");
    symlink(ground.at("loop2"), ground.at("loop1")).expect("symlink");
    symlink(ground.at("loop1"), ground.at("loop2")).expect("symlink");
    ground.refused(&ground.at("loop1/x"), "RP0412");
}

#[test]
fn configuration_that_is_no_regular_file_is_refused_without_blocking() {
    let ground = Ground::new();
    let node = ground.create("r");
    let file = node.join("etc/redpak.yaml");
    let text = fs::read(&file).expect("it was created");
    fs::remove_file(&file).expect("removed");
    let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&file).status().expect("mkfifo");
    assert!(made.success());
    ground.refused(&node, "RP0415");
    fs::remove_file(&file).expect("removed");
    symlink("/etc/passwd", &file).expect("symlink");
    ground.refused(&node, "RP0412");
    fs::remove_file(&file).expect("removed");
    fs::write(&file, [text, vec![b'#'; 1 << 20]].concat()).expect("written");
    ground.refused(&node, "RP0415");
}

#[test]
fn a_moved_or_copied_node_is_registered_again_before_it_launches() {
    let ground = Ground::new();
    let old = ground.create("r");
    ground.create("s");
    fs::rename(&old, ground.at("moved")).expect("rename");
    let moved = ground.at("moved");
    ground.refused(&moved, "RP0417");
    assert!(ground.load_with(&moved, LoadOptions { force: true }).is_ok());
    status_file::register(&moved, &redpak_nodes::names::gather(&BTreeMap::new()))
        .unwrap_or_else(|Refused(findings)| panic!("{findings:?}"));
    assert!(ground.load(&moved).is_ok());
}

#[test]
fn nobody_changes_parents_by_being_moved() {
    let ground = Ground::new();
    ground.create("r");
    ground.create("s");
    let child = ground.create("r/a");
    // Under another parent, with its record of the path corrected by hand.
    let moved = ground.at("s/a");
    fs::rename(&child, &moved).expect("rename");
    let status = fs::read_to_string(moved.join(".rednode.yaml")).expect("read");
    let (from, to) = (child.display().to_string(), moved.display().to_string());
    fs::write(moved.join(".rednode.yaml"), status.replace(&from, &to)).expect("write");
    ground.refused(&moved, "RP0418");
    // Out of all parents: it does not become a root node.
    let free = ground.at("free");
    fs::rename(&moved, &free).expect("rename");
    fs::write(free.join(".rednode.yaml"), status.replace(&from, &free.display().to_string())).expect("write");
    ground.refused(&free, "RP0418");
}

#[test]
fn a_disabled_ancestor_disables_those_below() {
    let ground = Ground::new();
    let root = ground.create("r");
    let leaf = ground.create("r/a");
    let set = |state| {
        status_file::set_state(&root, ground.uid, state)
            .unwrap_or_else(|Refused(findings)| panic!("{findings:?}"))
    };
    set(State::Disable);
    ground.refused(&leaf, "RP0416");
    set(State::Enable);
    assert!(ground.load(&leaf).is_ok());
}

#[test]
fn a_failed_creation_leaves_nothing() {
    let ground = Ground::new();
    ground.create("r");
    // Wider than its parent: /srv is not exported to it.
    let wide = "headers: {alias: @ALIAS@}\nexports:\n  - {mount: /srv, mode: Restricted}\n";
    let before = listing(&ground.at(""));
    assert!(ground.create_with("r/x/y/wide", Some(wide)).is_err());
    assert!(ground.create_with("r/x/y/broken", Some("headers: [\n")).is_err());
    assert!(ground.create_with("r", None).is_err(), "an existing node is not overwritten");
    assert_eq!(listing(&ground.at("")), before);
}

#[test]
fn created_headers_are_text_whatever_they_hold() {
    let ground = Ground::new();
    let env = BTreeMap::from([("LOGNAME".to_owned(), "x\"\\ : #".to_owned())]);
    let names = redpak_nodes::names::gather(&env);
    let creation = Creation {
        path: ground.at("r"),
        alias: None,
        template: None,
        model: None,
        template_dir: "/nonexistent".into(),
    };
    create(&creation, &names, ground.uid).unwrap_or_else(|Refused(findings)| panic!("{findings:?}"));
    let family = ground.load(&ground.at("r")).expect("a family");
    let (effective, _) =
        family.effective(false, &names).unwrap_or_else(|Refused(findings)| panic!("{findings:?}"));
    assert!(effective.nodes[0].info.contains("x\"\\ : #"), "{}", effective.nodes[0].info);
}

#[test]
fn a_node_in_use_is_not_deleted() {
    let ground = Ground::new();
    ground.create("r");
    let leaf = ground.create("r/a");
    let generation = fs::File::open(leaf.join(".redpak/gen/1")).expect("its first generation");
    rustix::fs::flock(&generation, rustix::fs::FlockOperation::LockShared).expect("as a launch holds it");
    let refused = redpak_nodes::delete::delete(&ground.at("r"), ground.uid, true);
    assert!(refused.is_err_and(|Refused(findings)| findings[0].code == "RP0427"));
    assert!(ground.load(&leaf).is_ok());
    drop(generation);
    redpak_nodes::delete::delete(&ground.at("r"), ground.uid, true)
        .unwrap_or_else(|Refused(f)| panic!("{f:?}"));
    assert!(!ground.at("r").exists());
}

#[test]
fn what_a_cut_off_command_left_is_no_node_and_is_swept() {
    let ground = Ground::new();
    ground.create("r");
    let left = ground.at("r/.redpak-deleted-1");
    fs::create_dir(&left).expect("made");
    fs::copy(ground.at("r/.rednode.yaml"), left.join(".rednode.yaml")).expect("copied");
    fs::create_dir_all(ground.at("r/.redpak-new-1/etc")).expect("made");
    let busy = ground.at("r/.redpak-new-2");
    fs::create_dir(&busy).expect("made");
    let held = fs::File::open(&busy).expect("opened");
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).expect("as a creation holds it");
    assert_eq!(descendants(&ground.at("r")).expect("listed"), []);
    ground.create("r/a");
    assert!(!left.exists() && !ground.at("r/.redpak-new-1").exists());
    assert!(busy.exists(), "somebody is at work there");
}
