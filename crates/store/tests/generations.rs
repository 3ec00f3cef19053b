//! Generations on a real file system: what a commit shares, removes, refuses and leaves behind.

use std::collections::HashSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use redpak_store::{
    Ancestors, Commit, Committed, ErrorKind, Kind, NoAncestors, Node, Stage, Wait, WrittenKind,
};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat, setxattr};
use serde_json::{Map, json};

/// A node on a file system that has extended attributes.
struct Fixture {
    _temporary: tempfile::TempDir,
    path: PathBuf,
    node: Node,
}

impl Fixture {
    fn new() -> Self {
        let temporary = tempfile::Builder::new().prefix("redpak-store").tempdir_in("/var/tmp").unwrap();
        let path = temporary.path().to_owned();
        let node = Node::create_first(&path, "create").unwrap();
        Self { _temporary: temporary, path, node }
    }

    fn stage(&self) -> Stage {
        let lock = self.node.lock_exclusive(Wait::No).unwrap();
        Stage::begin(&self.node, &lock).unwrap()
    }

    fn upper(&self, stage: &Stage, path: &str) -> PathBuf {
        let (top, rest) = path.split_once('/').unwrap_or((path, ""));
        let at = self.path.join(stage.upper(top)).join(rest);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        at
    }

    /// A generation with these files in it.
    fn with(files: &[(&str, &str)]) -> Self {
        let fixture = Self::new();
        let stage = fixture.stage();
        for (path, content) in files {
            fs::write(fixture.upper(&stage, path), content).unwrap();
        }
        commit(stage, &NoAncestors).unwrap();
        fixture
    }

    fn current(&self, path: &str) -> PathBuf {
        self.path.join(".redpak/current").join(path)
    }

    fn gen_path(&self, number: u64, path: &str) -> PathBuf {
        self.node.generation_path(number).join(path)
    }

    fn leftovers(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.path.join(".redpak"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !matches!(name.as_str(), "lock" | "gen" | "current"))
            .collect();
        names.sort();
        names
    }
}

fn commit(stage: Stage, ancestors: &dyn Ancestors) -> redpak_store::error::Result<Committed> {
    let mut payload = Map::new();
    payload.insert("packages".into(), json!([{"name": "a"}]));
    stage.commit(Commit { command: "install a", payload, ancestors, keep: HashSet::new() })
}

fn whiteout(path: &Path) {
    mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
}

fn overlay_attribute(path: &Path, name: &str, value: &str) {
    setxattr(path, name, value.as_bytes(), XattrFlags::empty()).unwrap();
}

/// Every path below, with what makes a tree equal to another: kind, mode, owner, links' texts, contents.
fn snapshot(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            String::new()
        } else if meta.is_symlink() {
            format!("{:?}", fs::read_link(&path).unwrap())
        } else {
            format!("{:?} {}", fs::read(&path).unwrap(), meta.mtime_nsec())
        };
        let relative = path.strip_prefix(root).unwrap().as_os_str().as_bytes().escape_ascii().to_string();
        lines.push(format!("{relative} {:o} {}:{} {content}", meta.mode(), meta.uid(), meta.gid()));
    }
    lines.sort();
    lines
}

struct Below(&'static [(&'static str, Kind)]);

impl Ancestors for Below {
    fn at(&self, path: &Path) -> Option<Kind> {
        self.0.iter().find(|(known, _)| Path::new(known) == path).map(|(_, kind)| *kind)
    }
}

#[test]
fn a_new_node_has_an_empty_generation_and_the_links_to_it() {
    let fixture = Fixture::new();
    assert_eq!(fixture.node.current().unwrap(), Some(1));
    assert_eq!(fixture.node.generations().unwrap(), [1]);
    for top in ["usr", "opt"] {
        assert!(fs::symlink_metadata(fixture.path.join(top)).unwrap().is_symlink());
        assert!(fixture.path.join(top).is_dir());
    }
    assert!(!fixture.path.join("etc").exists(), "the configuration's directory is not the store's");
    assert_eq!(
        fs::canonicalize(fixture.path.join("var/lib/rpm")).unwrap(),
        fs::canonicalize(fixture.gen_path(1, "usr/lib/sysimage/rpm")).unwrap()
    );
    assert_eq!(fixture.node.manifest(1).unwrap().payload["packages"], json!([]));
    // Once more changes nothing.
    let before = snapshot(&fixture.path);
    Node::create_first(&fixture.path, "again").unwrap();
    assert_eq!(snapshot(&fixture.path), before);
}

#[test]
fn something_in_the_way_of_a_link_is_named() {
    let temporary = tempfile::tempdir_in("/var/tmp").unwrap();
    fs::create_dir(temporary.path().join("usr")).unwrap();
    let error = Node::create_first(temporary.path(), "create").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("/usr"), "{error}");
    assert!(temporary.path().join("usr").is_dir());
}

#[test]
fn a_commit_shares_what_did_not_change_and_copies_etc() {
    let fixture = Fixture::with(&[("usr/bin/tool", "one"), ("etc/tool.conf", "a=1"), ("opt/x/y", "z")]);
    let stage = fixture.stage();
    fs::write(fixture.upper(&stage, "usr/bin/other"), "two").unwrap();
    symlink("tool", fixture.upper(&stage, "usr/bin/link")).unwrap();
    assert_eq!(commit(stage, &NoAncestors).unwrap(), Committed { number: 3, parent: 2 });

    let inode = |path: PathBuf| fs::symlink_metadata(path).unwrap().ino();
    assert_eq!(inode(fixture.gen_path(2, "usr/bin/tool")), inode(fixture.gen_path(3, "usr/bin/tool")));
    assert_eq!(inode(fixture.gen_path(2, "opt/x/y")), inode(fixture.gen_path(3, "opt/x/y")));
    assert_ne!(inode(fixture.gen_path(2, "etc/tool.conf")), inode(fixture.gen_path(3, "etc/tool.conf")));
    fs::write(fixture.current("etc/tool.conf"), "a=2").unwrap();
    assert_eq!(fs::read_to_string(fixture.gen_path(2, "etc/tool.conf")).unwrap(), "a=1");
    assert_eq!(fs::read_to_string(fixture.path.join("usr/bin/link")).unwrap(), "one");
    assert!(!fixture.gen_path(2, "usr/bin/other").exists());
    assert_eq!(fixture.leftovers(), [""; 0]);
    let manifest = fixture.node.manifest(3).unwrap();
    assert_eq!((manifest.parent, manifest.command.as_str()), (Some(2), "install a"));
}

#[test]
fn modes_times_and_attributes_of_directories_and_files_are_carried_over() {
    let fixture = Fixture::new();
    let stage = fixture.stage();
    let file = fixture.upper(&stage, "usr/share/doc/file");
    fs::write(&file, "x").unwrap();
    overlay_attribute(&file, "user.overlay.origin", "");
    overlay_attribute(&file, "user.kept", "yes");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4440)).unwrap();
    let doc = file.parent().unwrap();
    overlay_attribute(doc, "user.overlay.opaque", "y");
    overlay_attribute(doc, "user.kept", "yes");
    fs::set_permissions(doc, fs::Permissions::from_mode(0o1750)).unwrap();
    let times =
        fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400));
    fs::File::open(doc).unwrap().set_times(times).unwrap();
    commit(stage, &NoAncestors).unwrap();
    // A second one, that does not touch them, makes the directories again.
    commit(fixture.stage(), &NoAncestors).unwrap();

    for number in [2, 3] {
        let doc = fixture.gen_path(number, "usr/share/doc");
        let meta = fs::metadata(&doc).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.mtime()), (0o1750, 86_400));
        // Without the set-id bit: everybody on the host can run the file.
        assert_eq!(fs::metadata(doc.join("file")).unwrap().mode() & 0o7777, 0o440);
        for path in [doc.clone(), doc.join("file")] {
            let mut list = [0_u8; 256];
            let length = rustix::fs::llistxattr(&path, &mut list[..]).unwrap();
            let list = String::from_utf8_lossy(&list[..length]).into_owned();
            assert!(list.contains("user.kept") && !list.contains("overlay"), "{path:?}: {list:?}");
        }
    }
}

#[test]
fn removing_the_nodes_own_lets_the_ancestors_show_again_and_nothing_else_can_be_removed() {
    let fixture = Fixture::with(&[("usr/bin/own", "1"), ("usr/share/d/a", "1"), ("usr/share/d/b", "1")]);
    let stage = fixture.stage();
    whiteout(&fixture.upper(&stage, "usr/bin/own"));
    whiteout(&fixture.upper(&stage, "usr/share/d"));
    let removals =
        stage.written().unwrap().into_iter().filter(|written| written.kind == WrittenKind::Removal).count();
    assert_eq!(removals, 2);
    commit(stage, &Below(&[("usr/bin/own", Kind::File), ("usr/share/d", Kind::Directory)])).unwrap();
    assert!(fs::symlink_metadata(fixture.current("usr/bin/own")).is_err());
    assert!(fs::symlink_metadata(fixture.current("usr/share/d")).is_err());
    assert!(fixture.gen_path(2, "usr/share/d/b").exists());

    let before = snapshot(&fixture.path);
    let stage = fixture.stage();
    fs::write(fixture.upper(&stage, "usr/bin/new"), "2").unwrap();
    whiteout(&fixture.upper(&stage, "usr/bin/sh"));
    let error = commit(stage, &Below(&[("usr/bin/sh", Kind::File)])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("/usr/bin/sh"), "{error}");
    assert_eq!(snapshot(&fixture.path), before);
}

#[test]
fn an_opaque_directory_replaces_the_nodes_own_and_never_an_ancestors() {
    let fixture = Fixture::with(&[("usr/share/d/old", "1")]);
    let opaque = |stage: &Stage| {
        let new = fixture.upper(stage, "usr/share/d/new");
        fs::write(&new, "2").unwrap();
        overlay_attribute(new.parent().unwrap(), "user.overlay.opaque", "y");
    };
    let stage = fixture.stage();
    opaque(&stage);
    let error = commit(stage, &Below(&[("usr/share/d", Kind::Directory)])).unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("/usr/share/d")), (ErrorKind::Refused, true));
    let stage = fixture.stage();
    opaque(&stage);
    commit(stage, &NoAncestors).unwrap();
    assert!(!fixture.current("usr/share/d/old").exists());
    assert!(fixture.current("usr/share/d/new").exists());
}

#[test]
fn kinds_that_do_not_fit_are_refused() {
    type Make = fn(&Path);
    let cases: [(&str, Make, Option<Kind>); 5] = [
        ("usr/sbin", |path| fs::create_dir(path).unwrap(), Some(Kind::Symlink)),
        ("usr/file", |path| fs::create_dir(path).unwrap(), Some(Kind::File)),
        ("usr/lib64", |path| symlink("lib", path).unwrap(), Some(Kind::Directory)),
        ("usr/dir", |path| fs::write(path, "").unwrap(), Some(Kind::Directory)),
        ("usr/socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()), None),
    ];
    for (path, make, kind) in cases {
        let fixture = Fixture::new();
        let stage = fixture.stage();
        make(&fixture.upper(&stage, path));
        struct One(&'static str, Option<Kind>);
        impl Ancestors for One {
            fn at(&self, path: &Path) -> Option<Kind> {
                if path == Path::new(self.0) { self.1 } else { None }
            }
        }
        let error = commit(stage, &One(path, kind)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{path}: {error}");
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[test]
fn prepared_directories_stay_only_with_content_or_an_owner() {
    let fixture = Fixture::new();
    let mut stage = fixture.stage();
    for path in ["usr", "usr/share", "usr/share/empty", "usr/share/owned", "usr/share/used"] {
        stage.prepare(Path::new(path), 0o755).unwrap();
    }
    for path in ["var/x", "usr/../etc", "/usr/x", ""] {
        assert!(stage.prepare(Path::new(path), 0o755).is_err(), "{path}");
    }
    fs::write(fixture.upper(&stage, "usr/share/used/file"), "").unwrap();
    assert!(!stage.written().unwrap().iter().any(|written| written.path.ends_with("empty")));
    let keep = HashSet::from([PathBuf::from("usr/share/owned")]);
    stage.commit(Commit { command: "", payload: Map::new(), ancestors: &NoAncestors, keep }).unwrap();
    let there = |path: &str| fixture.current(path).exists();
    assert_eq!(
        (there("usr/share/empty"), there("usr/share/owned"), there("usr/share/used/file")),
        (false, true, true)
    );
}

#[test]
fn an_interrupted_command_leaves_nothing_after_the_next() {
    let fixture = Fixture::with(&[("usr/bin/tool", "one")]);
    let before = snapshot(&fixture.path);
    let stage = fixture.stage();
    fs::write(fixture.upper(&stage, "usr/bin/other"), "two").unwrap();
    std::mem::forget(stage);
    fs::create_dir_all(fixture.gen_path(3, "usr")).unwrap();
    fs::create_dir_all(fixture.path.join(".redpak/trash.1/usr")).unwrap();
    symlink("gen/3", fixture.path.join(".redpak/current.3")).unwrap();
    assert_ne!(snapshot(&fixture.path), before);
    let lock = fixture.node.lock_exclusive(Wait::No).unwrap();
    for _ in 0..2 {
        fixture.node.recover(&lock).unwrap();
        assert_eq!(snapshot(&fixture.path), before);
    }
    assert_eq!(Stage::begin(&fixture.node, &lock).unwrap().number(), 3);
}

#[test]
fn only_the_oldest_are_collected_and_none_that_is_in_use() {
    let fixture = Fixture::new();
    let held = fixture.node.lock_current().unwrap().unwrap();
    assert_eq!(held.number(), 1);
    for _ in 0..4 {
        commit(fixture.stage(), &NoAncestors).unwrap();
    }
    let lock = fixture.node.lock_exclusive(Wait::No).unwrap();
    assert_eq!(fixture.node.collect(&lock, 2).unwrap(), [2, 3]);
    assert_eq!(fixture.node.generations().unwrap(), [1, 4, 5]);
    drop(held);
    assert_eq!(fixture.node.collect(&lock, 0).unwrap(), [1, 4]);
    assert_eq!(fixture.node.generations().unwrap(), [5]);
    assert_eq!(fixture.leftovers(), [""; 0]);
    assert_eq!(fixture.node.lock_generation_shared(4).unwrap_err().kind(), ErrorKind::Missing);
}

#[test]
fn an_older_generation_comes_back_as_a_new_one() {
    let fixture = Fixture::with(&[("usr/bin/tool", "one")]);
    let stage = fixture.stage();
    whiteout(&fixture.upper(&stage, "usr/bin/tool"));
    commit(stage, &NoAncestors).unwrap();
    let lock = fixture.node.lock_exclusive(Wait::No).unwrap();
    let stage = Stage::begin_from(&fixture.node, &lock, Some(2)).unwrap();
    drop(lock);
    assert_eq!(commit(stage, &NoAncestors).unwrap(), Committed { number: 4, parent: 3 });
    assert_eq!(snapshot(&fixture.gen_path(2, "usr")), snapshot(&fixture.gen_path(4, "usr")));
    let lock = fixture.node.lock_exclusive(Wait::No).unwrap();
    assert_eq!(Stage::begin_from(&fixture.node, &lock, Some(9)).unwrap_err().kind(), ErrorKind::Missing);
}

/// Each file of `etc`: committed in generation 2, committed in 3, edited there; what a return to 2 makes of it.
#[test]
fn what_people_edited_is_merged_three_ways() {
    let fixture = Fixture::with(&[
        ("etc/d/untouched", "2"),
        ("etc/d/edited", "same"),
        ("etc/d/both", "2"),
        ("etc/d/removed", "same"),
        ("etc/d/removed-changed", "2"),
        ("etc/d/gone-in-3", "2"),
    ]);
    let stage = fixture.stage();
    for (path, content) in [
        ("etc/d/untouched", "3"),
        ("etc/d/both", "3"),
        ("etc/d/removed-changed", "3"),
        ("etc/d/new-in-3", "3"),
    ] {
        fs::write(fixture.upper(&stage, path), content).unwrap();
    }
    whiteout(&fixture.upper(&stage, "etc/d/gone-in-3"));
    commit(stage, &NoAncestors).unwrap();
    for path in ["etc/d/edited", "etc/d/both", "etc/d/mine", "etc/mine.d/x"] {
        fs::create_dir_all(fixture.current(path).parent().unwrap()).unwrap();
        fs::write(fixture.current(path), "mine").unwrap();
    }
    symlink("mine", fixture.current("etc/d/link")).unwrap();
    fs::remove_file(fixture.current("etc/d/removed")).unwrap();
    fs::remove_file(fixture.current("etc/d/removed-changed")).unwrap();

    let lock = fixture.node.lock_exclusive(Wait::No).unwrap();
    let stage = Stage::begin_from(&fixture.node, &lock, Some(2)).unwrap();
    commit(stage, &NoAncestors).unwrap();
    let read = |path: &str| fs::read_to_string(fixture.current(path)).ok();
    for (path, content) in [
        ("etc/d/untouched", Some("2")),
        ("etc/d/edited", Some("mine")),
        ("etc/d/both", Some("mine")),
        ("etc/d/both.redpaknew", Some("2")),
        ("etc/d/removed", None),
        ("etc/d/removed-changed", Some("2")),
        ("etc/d/gone-in-3", Some("2")),
        ("etc/d/new-in-3", None),
        ("etc/d/mine", Some("mine")),
        ("etc/d/link", Some("mine")),
        ("etc/mine.d/x", Some("mine")),
    ] {
        assert_eq!(read(path).as_deref(), content, "{path}");
    }
    assert_eq!(fs::read_to_string(fixture.gen_path(2, "etc/d/both")).unwrap(), "2");
}

#[test]
fn nobody_changes_a_node_without_its_lock() {
    let (one, other) = (Fixture::new(), Fixture::new());
    let lock = other.node.lock_exclusive(Wait::No).unwrap();
    assert_eq!(Stage::begin(&one.node, &lock).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(one.node.collect(&lock, 1).unwrap_err().kind(), ErrorKind::Locked);
}

#[test]
fn a_link_that_leads_elsewhere_is_damage() {
    let fixture = Fixture::new();
    for text in ["gen/../..", "/etc", "gen/01", "gen/1/usr"] {
        let link = fixture.path.join(".redpak/current");
        fs::remove_file(&link).unwrap();
        symlink(text, &link).unwrap();
        assert_eq!(fixture.node.current().unwrap_err().kind(), ErrorKind::Damaged, "{text}");
    }
}

#[test]
fn a_full_file_system_leaves_the_old_state_and_no_staging() {
    const INSIDE: &str = "REDPAK_STORE_TEST_TMPFS";
    if let Ok(place) = std::env::var(INSIDE) {
        return full(Path::new(&place));
    }
    let place = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=512k none \"$REDPAK_STORE_TEST_TMPFS\" || exit 42; \
                  exec \"$0\" --exact a_full_file_system_leaves_the_old_state_and_no_staging";
    let status = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, place.path())
        .status();
    match status.map(|status| status.code()) {
        Ok(Some(0)) => {}
        Ok(Some(42)) | Err(_) => {
            assert!(std::env::var_os("REDPAK_MUST_WORK").is_none(), "no tmpfs in a user namespace");
            println!("SKIP: no tmpfs in a user namespace");
        }
        other => panic!("{other:?}"),
    }
}

fn full(place: &Path) {
    let path = place.join("node");
    fs::create_dir(&path).unwrap();
    let node = Node::create_first(&path, "create").unwrap();
    let lock = node.lock_exclusive(Wait::No).unwrap();
    let stage = Stage::begin(&node, &lock).unwrap();
    let mut refused = 0;
    // /etc is copied: 200 KiB there fit once, and not twice more.
    fs::write(path.join(stage.upper("etc")).join("big"), vec![1; 200 << 10]).unwrap();
    commit(stage, &NoAncestors).unwrap();
    for _ in 0..2 {
        let before = snapshot(&path);
        let stage = Stage::begin(&node, &lock).unwrap();
        match commit(stage, &NoAncestors) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
                assert_eq!(snapshot(&path), before);
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "the file system was not full");
}
