//! A tree that is loaded at once says of each node what loading its family says.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use redpak_diagnostics::{Finding, Severity};
use redpak_nodes::{Refused, Tree, descendants};

use crate::ground::{Ground, by_hand};

/// A tree in which each sort of trouble is somewhere.
fn troubled(ground: &Ground) -> PathBuf {
    let root = ground.at("r");
    by_hand(&root, None, "");
    let child = |name: &str, parent: &str| by_hand(&root.join(name), Some(&root.join(parent)), "");
    child("sound", "");
    child("sound/x/y/deep", "sound");
    child("off", "");
    child("off/below", "off");
    child("moved", "");
    child("orphan", "elsewhere");
    child("writable", "");
    child("writable/below", "writable");
    child("broken", "");
    child("broken/below", "broken");
    child("plain/open/below", "");
    child("var/hidden", "");
    let edit = |name: &str, from: &str, to: &str| {
        let file = root.join(name).join(".rednode.yaml");
        let text = fs::read_to_string(&file).expect("read");
        fs::write(file, text.replace(from, to)).expect("written");
    };
    edit("off", "Enable", "Disable");
    edit("moved", "/moved\n", "/away\n");
    fs::write(root.join("broken/etc/redpak.yaml"), b"\0").expect("written");
    fs::remove_file(root.join("broken/.rednode.yaml")).expect("removed");
    fs::write(root.join("broken/.rednode.yaml"), "state: Enable\n").expect("written");
    for name in ["writable", "plain/open"] {
        fs::set_permissions(root.join(name), PermissionsExt::from_mode(0o777)).expect("chmod");
    }
    symlink("sound", root.join("link")).expect("symlink");
    root
}

fn load(ground: &Ground, path: &Path) -> Tree<()> {
    Tree::load(path, ground.uid, |_| ()).unwrap_or_else(|Refused(findings)| panic!("{findings:?}"))
}

#[test]
fn it_finds_what_the_families_say() {
    let ground = Ground::new();
    let root = troubled(&ground);
    let tree = load(&ground, &root);
    let mut expected = vec![root.clone()];
    expected.extend(descendants(&root).expect("listed").into_iter().map(|node| node.path));
    let found: Vec<PathBuf> = tree.nodes.iter().map(|node| node.path.clone()).collect();
    assert_eq!(found, expected);
    for (index, node) in tree.nodes.iter().enumerate() {
        let mut told: Vec<&Finding> =
            tree.family(index).into_iter().flat_map(|member| &tree.nodes[member].findings).collect();
        told.dedup();
        let mut codes: Vec<&str> = told
            .iter()
            // That it is disabled is no mistake; a launch refuses it all the same.
            .filter(|finding| finding.severity == Severity::Error || finding.code == "RP0416")
            .map(|finding| finding.code)
            .collect();
        let mut by_family = ground.load(&node.path).err().unwrap_or_default();
        codes.sort_unstable();
        codes.dedup();
        by_family.sort_unstable();
        by_family.dedup();
        assert_eq!(codes, by_family, "{}", node.path.display());
    }
}

#[test]
fn it_begins_anywhere_and_knows_what_is_above() {
    let ground = Ground::new();
    let root = troubled(&ground);
    let tree = load(&ground, &root.join("sound"));
    assert_eq!(tree.top, 1);
    assert_eq!(tree.family(2), [0, 1, 2]);
    assert_eq!(tree.texts(2).map(|texts| texts.len()), Some(3));
    assert!(Tree::load(&root.join("plain"), ground.uid, |_| ()).is_err(), "no node");
    assert!(Tree::load(&root.join("link"), ground.uid, |_| ()).is_err(), "a link below a node");
}

#[test]
fn descriptors_do_not_bound_it() {
    let ground = Ground::new();
    let root = ground.at("r");
    by_hand(&root, None, "");
    for number in 0..1500 {
        by_hand(&root.join(format!("n{number}")), Some(&root), "");
    }
    let tree = load(&ground, &root);
    assert_eq!(tree.nodes.len(), 1501);
    assert!(tree.nodes.iter().all(|node| node.findings.is_empty() && node.read.is_some()));
}
