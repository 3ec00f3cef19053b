//! What is swapped while it is read: what is believed is one whole file, of one whole node.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use redpak_nodes::LoadOptions;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::ground::{Ground, by_hand};

/// How often a thing is swapped.
const SWAPS: usize = 10_000;

fn exchange(one: &Path, other: &Path) {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).expect("renameat2(2)");
}

/// Swaps in a thread, an even number of times and at least `SWAPS`, while `look` runs again and again.
fn while_swapped(one: &Path, other: &Path, mut look: impl FnMut()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..SWAPS {
                exchange(one, other);
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            look();
        }
        look();
    });
}

/// Two files of one length that differ in each line.
fn text(letter: char) -> String {
    let line = format!("# {}\n", letter.to_string().repeat(70));
    format!("headers: {{alias: {letter}}}\n{}", line.repeat(500))
}

fn is_whole(text: &str) -> bool {
    text == self::text('a') || text == self::text('b')
}

#[test]
fn a_file_that_is_swapped_is_read_whole() {
    let ground = Ground::new();
    let root = ground.at("r");
    by_hand(&root, None, "");
    let (file, other) = (root.join("etc/redpak.yaml"), root.join("etc/other"));
    fs::write(&file, text('a')).expect("written");
    fs::write(&other, text('b')).expect("written");
    let mut seen = [0; 2];
    while_swapped(&file, &other, || {
        let family = ground.load(&root).expect("both are sound");
        let text = &family.leaf().text.normal.text;
        assert!(is_whole(text), "a mixture was believed");
        seen[usize::from(text.starts_with("headers: {alias: b"))] += 1;
    });
    assert!(seen.iter().all(|seen| *seen > 0), "one of the files was never seen: {seen:?}");
}

/// The control of the test above: who opens the file twice sees a mixture.
#[test]
fn a_loader_that_opens_twice_would_be_caught() {
    let ground = Ground::new();
    let (file, other) = (ground.at("a"), ground.at("b"));
    fs::write(&file, text('a')).expect("written");
    fs::write(&other, text('b')).expect("written");
    let mut mixed = 0;
    while_swapped(&file, &other, || {
        let (first, second) =
            (fs::read_to_string(&file).expect("read"), fs::read_to_string(&file).expect("read"));
        let half = first.len() / 2;
        mixed += usize::from(!is_whole(&format!("{}{}", &first[..half], &second[half..])));
    });
    assert!(mixed > 0, "the swaps are too slow to catch anybody");
}

#[test]
fn a_file_swapped_with_a_link_is_never_followed() {
    let ground = Ground::new();
    let root = ground.at("r");
    by_hand(&root, None, "");
    let (file, link, secret) = (root.join("etc/redpak.yaml"), root.join("etc/link"), ground.at("secret"));
    fs::write(&file, text('a')).expect("written");
    fs::write(&secret, text('b')).expect("written");
    std::os::unix::fs::symlink(&secret, &link).expect("symlink");
    let mut refused = 0;
    while_swapped(&file, &link, || match ground.load(&root) {
        Ok(family) => assert_eq!(family.leaf().text.normal.text, text('a'), "a link was followed"),
        Err(codes) => {
            assert_eq!(codes, ["RP0412"]);
            refused += 1;
        }
    });
    assert!(refused > 0);
}

#[test]
fn a_node_that_is_swapped_is_one_node() {
    let ground = Ground::new();
    let root = ground.at("r");
    by_hand(&root, None, "");
    let (one, other) = (root.join("a"), root.join("b"));
    by_hand(&one, Some(&root), "");
    by_hand(&other, Some(&root), "");
    let mut moved = 0;
    while_swapped(&one, &other, || {
        // Forced, so that a swapped one is read too: its files belong together all the same.
        let family = ground.load_with(&one, LoadOptions { force: true }).expect("both are sound");
        let leaf = family.leaf();
        let of_status = leaf.status.realpath.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(
            leaf.text.normal.text.starts_with(&format!("headers: {{alias: {of_status}}}")),
            "the status of one node, the configuration of another"
        );
        // What is told of it is true of what was read.
        let told = family.findings.iter().any(|finding| finding.code == "RP0417");
        assert_eq!(told, of_status == "b");
        moved += usize::from(told);
    });
    assert!(moved > 0);
}
