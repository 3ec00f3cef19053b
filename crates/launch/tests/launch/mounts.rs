//! What is mounted, where it may come from, and where it may go.

use std::path::{Path, PathBuf};

use redpak_plan::launch_plan::{FileKind, MountKind, Tmpfs};

use crate::harness::{BOTH, ROOT, Test, Who, directory, give, populate, run, test};
use crate::plans::{READ_ONLY, WRITABLE, add, bind, file, host, inside, link, mount, own, plan, shell};

pub const TESTS: &[Test] = &[
    test("the_root_holds_what_the_plan_says", BOTH, the_root_holds_what_the_plan_says),
    test("attributes_are_in_force", BOTH, attributes_are_in_force),
    test("a_submount_gets_the_attributes_too", ROOT, a_submount_gets_the_attributes_too),
    test("files_directories_and_tmpfs_are_made", BOTH, files_directories_and_tmpfs_are_made),
    test("mount_points_are_made_in_own_tmpfs_only", BOTH, mount_points_are_made_in_own_tmpfs_only),
    test("a_mount_path_crosses_no_link", BOTH, a_mount_path_crosses_no_link),
    test("a_node_source_follows_no_link", BOTH, a_node_source_follows_no_link),
    test("a_source_is_of_the_planned_kind", BOTH, a_source_is_of_the_planned_kind),
    test("a_tree_source_lies_in_its_entry", BOTH, a_tree_source_lies_in_its_entry),
    test(
        "a_tree_source_below_a_submount_lies_in_its_entry",
        ROOT,
        a_tree_source_below_a_submount_lies_in_its_entry,
    ),
    test("sources_of_a_level_are_opened_first", BOTH, sources_of_a_level_are_opened_first),
    test("a_changed_node_is_refused", BOTH, a_changed_node_is_refused),
    test("the_whole_host_can_be_bound", BOTH, the_whole_host_can_be_bound),
    test("dev_is_complete", BOTH, dev_is_complete),
    test("a_source_that_is_swapped_never_leads_out", BOTH, a_source_that_is_swapped_never_leads_out),
    test(
        "a_mount_point_that_is_swapped_never_leads_out",
        BOTH,
        a_mount_point_that_is_swapped_never_leads_out,
    ),
    test("the_host_keeps_its_mounts", BOTH, the_host_keeps_its_mounts),
];

fn the_root_holds_what_the_plan_says(who: Who) {
    let node = directory(who);
    let out = run(who, &shell(who, node.path(), "ls -A /; touch /new && echo written; stat -c %a /")).good();
    assert_eq!(out, "bin\ndev\nlib\nlib64\nproc\nsbin\ntmp\nusr\nwritten\n755\n");
    let out = run(who, &shell(who, node.path(), "cut -d' ' -f5 /proc/self/mountinfo")).good();
    let mut mounted: Vec<_> = out.lines().collect();
    mounted.sort_unstable();
    let devices =
        ["full", "null", "pts", "random", "shm", "tty", "urandom", "zero"].map(|name| format!("/dev/{name}"));
    let mut expected: Vec<_> = ["/", "/dev", "/proc", "/tmp", "/usr"]
        .into_iter()
        .chain(devices.iter().map(String::as_str))
        .collect();
    expected.sort_unstable();
    mounted.retain(|path| !path.starts_with("/usr/"));
    assert_eq!(mounted, expected);
}

fn attributes_are_in_force(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["rw/", "ro/file"]);
    let mut plan = shell(
        who,
        node.path(),
        "touch /rw/new; touch /ro/new; touch /usr/new; mawk '$5==\"/rw\"||$5==\"/ro\"{print $6}' /proc/self/mountinfo",
    );
    add(&mut plan, 0, bind("/rw", own("rw"), WRITABLE, FileKind::Directory));
    add(&mut plan, 0, bind("/ro", own("ro"), READ_ONLY, FileKind::Directory));
    let ran = run(who, &plan);
    assert!(node.path().join("rw/new").exists());
    assert_eq!(ran.err.matches("Read-only file system").count(), 2, "{ran:?}");
    let options: Vec<_> = ran.out.lines().collect();
    assert!(
        options[0].starts_with("rw,nosuid,nodev") && options[1].starts_with("ro,nosuid,nodev"),
        "{options:?}"
    );
}

/// Mounts a tmpfs on a directory of the host, in the test's own time.
struct HostMount(PathBuf);

impl HostMount {
    fn tmpfs(at: &Path) -> Self {
        let done =
            std::process::Command::new("mount").args(["-t", "tmpfs", "test"]).arg(at).status().unwrap();
        assert!(done.success());
        Self(at.to_owned())
    }
}

impl Drop for HostMount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn a_submount_gets_the_attributes_too(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/sub/"]);
    let _mounted = HostMount::tmpfs(&node.path().join("data/sub"));
    let mut plan = shell(who, node.path(), "touch /data/sub/new 2>&1; true");
    add(&mut plan, 0, bind("/data", own("data"), READ_ONLY, FileKind::Directory));
    assert!(run(who, &plan).good().contains("Read-only file system"));
}

fn files_directories_and_tmpfs_are_made(who: Who) {
    let node = directory(who);
    let script = "cat /etc/motd; stat -c '%a %F' /etc/motd /var/empty /srv; (echo x >/etc/motd) 2>&1 | grep -o Read-only; \
                  df --output=size /srv | tail -1; readlink /etc/link; test -w /var/empty && echo writable";
    let mut plan = shell(who, node.path(), script);
    add(&mut plan, 0, file("/etc/motd", "hello\n", 0o640));
    add(&mut plan, 0, mount("/var/empty", MountKind::Directory { mode: 0o1777 }));
    add(&mut plan, 0, mount("/srv", MountKind::Tmpfs(Tmpfs { size: 1 << 20, mode: 0o750 })));
    add(&mut plan, 0, link("/etc/link", "motd"));
    let out = run(who, &plan).good();
    assert_eq!(
        out,
        "hello\n640 regular file\n1777 directory\n750 directory\nRead-only\n     1024\nmotd\nwritable\n"
    );
}

fn mount_points_are_made_in_own_tmpfs_only(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/", "file"]);
    for (at, kind, beneath) in
        [("/rw/new/deep", FileKind::Directory, "data"), ("/rw/new", FileKind::File, "file")]
    {
        let mut plan = shell(who, node.path(), "true");
        populate(who, node.path(), &["rw/"]);
        add(&mut plan, 0, bind("/rw", own("rw"), WRITABLE, FileKind::Directory));
        add(&mut plan, 0, bind(at, own(beneath), READ_ONLY, kind));
        let error = run(who, &plan).refused();
        assert!(
            error.contains(&format!("{at} cannot be mounted (test.yaml:{at}): new does not exist in /rw")),
            "{error}"
        );
        assert!(error.contains("hint: make it there"), "{error}");
        assert_eq!(std::fs::read_dir(node.path().join("rw")).unwrap().count(), 0);
        plan.mounts.pop();
        add(&mut plan, 0, bind(&format!("/tmp{at}"), own(beneath), READ_ONLY, kind));
        run(who, &plan).good();
        plan.mounts.pop();
        add(&mut plan, 0, mount("/rw/empty", MountKind::Directory { mode: 0o755 }));
        assert!(run(who, &plan).refused().contains("empty does not exist in /rw"));
    }
}

fn a_mount_path_crosses_no_link(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/", "rw/real/", "rw/link -> real", "rw/out -> /"]);
    for at in ["/bin/x", "/bin", "/rw/link", "/rw/link/x", "/rw/out/tmp"] {
        let mut plan = shell(who, node.path(), "true");
        add(&mut plan, 0, bind("/rw", own("rw"), WRITABLE, FileKind::Directory));
        add(&mut plan, 0, bind(at, own("data"), READ_ONLY, FileKind::Directory));
        let error = run(who, &plan).refused();
        assert!(error.contains("ELOOP") && error.contains("may not cross a symbolic link"), "{at}: {error}");
    }
    assert_eq!(std::fs::read_dir(node.path().join("rw/real")).unwrap().count(), 0);
}

fn a_node_source_follows_no_link(who: Who) {
    let node = directory(who);
    populate(
        who,
        node.path(),
        &["etc -> /etc", "up -> ../..", "sub/passwd -> /etc/passwd", "proc -> /proc/self/cwd"],
    );
    for (beneath, kind) in [
        ("etc", FileKind::Directory),
        ("etc/apt", FileKind::Directory),
        ("up", FileKind::Directory),
        ("sub/passwd", FileKind::File),
        ("proc", FileKind::Directory),
        ("../..", FileKind::Directory),
    ] {
        let mut plan = shell(who, node.path(), "true");
        add(&mut plan, 0, bind("/x", own(beneath), READ_ONLY, kind));
        let error = run(who, &plan).refused();
        assert!(error.contains("ELOOP") || error.contains("EXDEV"), "{beneath}: {error}");
    }
}

fn a_source_is_of_the_planned_kind(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/", "file"]);
    for (beneath, kind, words) in [
        ("data", FileKind::File, "is a directory, not a file"),
        ("file", FileKind::Directory, "is a regular file, not a directory"),
    ] {
        let mut plan = shell(who, node.path(), "true");
        add(&mut plan, 0, bind("/x", own(beneath), READ_ONLY, kind));
        let error = run(who, &plan).refused();
        assert!(error.contains(words), "{error}");
    }
    let mut plan = shell(who, node.path(), "true");
    add(&mut plan, 0, bind("/tmp", own("file"), READ_ONLY, FileKind::File));
    assert!(run(who, &plan).refused().contains("what is there already is a directory"));
    let mut plan = shell(who, node.path(), "true");
    add(&mut plan, 0, host("/x", "/no/such/source", READ_ONLY, FileKind::File));
    assert!(run(who, &plan).refused().contains("ENOENT"));
}

fn a_tree_source_lies_in_its_entry(who: Who) {
    let node = directory(who);
    populate(
        who,
        node.path(),
        &["data/a/file", "data/away -> /usr", "data/here -> a", "data/up -> ../../../..", "other/b/"],
    );
    let case = |path: &str, expected: fn(usize, usize) -> usize| {
        let mut plan = shell(who, node.path(), "cat /seen/file");
        let data = add(&mut plan, 0, bind("/data", own("data"), READ_ONLY, FileKind::Directory));
        let other = add(&mut plan, 0, bind("/data/other", own("other"), READ_ONLY, FileKind::Directory));
        assert_eq!(other, data + 1);
        add(&mut plan, 1, bind("/seen", inside(path, expected(data, other)), READ_ONLY, FileKind::Directory));
        run(who, &plan)
    };
    populate(who, node.path(), &["data/other/"]);
    for path in ["/data/a", "/data/here", "/data/../data/a"] {
        assert_eq!(case(path, |data, _| data).good(), "data/a/file", "{path}");
    }
    for path in
        ["/data/other/b", "/data/away/share", "/data/up", "/data/up/tmp", "/tmp", "/usr/share", "/proc/self"]
    {
        let error = case(path, |data, _| data).refused();
        assert!(error.contains("must lie in /data (test.yaml:/data), and was found in"), "{path}: {error}");
    }
    assert!(case("/data/a", |_, other| other).refused().contains("must lie in /data/other"));
    assert!(case("/data/away", |_, _| 3).refused().contains("must lie in"));
    assert!(
        case("/.redpak-launch/host/etc", |data, _| data)
            .refused()
            .contains("was found in a mount of another")
    );
    assert!(case("/proc/1/root/etc", |data, _| data).refused().contains("E"));
}

fn a_tree_source_below_a_submount_lies_in_its_entry(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/sub/"]);
    let _mounted = HostMount::tmpfs(&node.path().join("data/sub"));
    populate(who, node.path(), &["data/sub/x/file"]);
    let mut plan = shell(who, node.path(), "cat /seen/file");
    let data = add(&mut plan, 0, bind("/data", own("data"), READ_ONLY, FileKind::Directory));
    add(&mut plan, 1, bind("/seen", inside("/data/sub/x", data), READ_ONLY, FileKind::Directory));
    assert_eq!(run(who, &plan).good(), "data/sub/x/file");
    plan.mounts.pop();
    add(&mut plan, 1, bind("/seen", inside("/data/sub/x", 0), READ_ONLY, FileKind::Directory));
    assert!(run(who, &plan).refused().contains("must lie in /usr"));
}

fn sources_of_a_level_are_opened_first(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/a/file", "other/a/"]);
    let mut plan = shell(who, node.path(), "cat /seen/file; ls /data/a");
    let data = add(&mut plan, 0, bind("/data", own("data"), READ_ONLY, FileKind::Directory));
    // Of the same level: the source is what the level above shows, not what its own level mounts there.
    add(&mut plan, 1, bind("/data/a", own("other/a"), READ_ONLY, FileKind::Directory));
    add(&mut plan, 1, bind("/seen", inside("/data/a", data), READ_ONLY, FileKind::Directory));
    assert_eq!(run(who, &plan).good(), "data/a/file");
}

fn a_changed_node_is_refused(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["node/", "elsewhere/"]);
    let path = node.path().join("node");
    let plan = shell(who, &path, "true");
    std::fs::rename(&path, node.path().join("old")).unwrap();
    std::os::unix::fs::symlink("elsewhere", &path).unwrap();
    let error = run(who, &plan).refused();
    assert!(
        error.contains("ELOOP") && error.contains("no part of a node's path may be a symbolic link"),
        "{error}"
    );
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    give(who, &path);
    let error = run(who, &plan).refused();
    assert!(error.contains(&format!("the node's directory {} changed", path.display())), "{error}");
}

fn the_whole_host_can_be_bound(who: Who) {
    let node = directory(who);
    let mut plan = shell(
        who,
        node.path(),
        "ls -Ad /host/etc /host/usr /host/proc/1 /host/.redpak-launch /host/host 2>/dev/null; cat /host/proc/mounts >/dev/null",
    );
    add(&mut plan, 0, host("/host", "/", READ_ONLY, FileKind::Directory));
    let ran = run(who, &plan);
    assert_eq!(ran.out, "/host/etc\n/host/proc/1\n/host/usr\n", "{ran:?}");
}

fn dev_is_complete(who: Who) {
    let node = directory(who);
    let script = "cd /dev; ls; for d in null zero full random urandom tty; do test -c $d || echo $d; done; \
                  head -c1 /dev/zero | wc -c; echo x >/dev/null; readlink fd stdin ptmx; \
                  stat -c '%a %F' pts shm pts/ptmx; touch shm/x && rm shm/x; script -qec 'test -t 0 && tty' /tmp/typescript";
    let out = run(who, &shell(who, node.path(), script)).good();
    let expected = "core\nfd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n1\n\
                    /proc/self/fd\n/proc/self/fd/0\npts/ptmx\n755 directory\n1777 directory\n666 character special file\n";
    assert!(out.starts_with(expected), "{out}");
    assert!(out[expected.len()..].starts_with("/dev/pts/0"), "{out}");
    let mut plan = plan(who, node.path(), &["true"]);
    for (name, words) in [
        ("fd", "is not the character device"),
        ("shm", "is not the character device"),
        ("../etc", "not the name"),
        ("nope", "ENOENT"),
    ] {
        plan.mounts[5].kind = MountKind::Dev { devices: vec![name.into()], shm_size: 4096 };
        let error = run(who, &plan).refused();
        assert!(error.contains(words) && !error.contains(".redpak-launch"), "{name}: {error}");
    }
}

fn the_host_keeps_its_mounts(who: Who) {
    let node = directory(who);
    let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    run(who, &plan(who, node.path(), &["true"])).good();
    assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
}

/// Exchanges two entries of a directory, again and again, until dropped.
pub struct Swapper(std::sync::Arc<std::sync::atomic::AtomicBool>, Option<std::thread::JoinHandle<()>>);

impl Swapper {
    pub fn start(directory: &Path, one: &str, other: &str) -> Self {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (one, other, seen) = (directory.join(one), directory.join(other), stop.clone());
        let thread = std::thread::spawn(move || {
            while !seen.load(std::sync::atomic::Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        Self(stop, Some(thread))
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        let _ = self.1.take().map(std::thread::JoinHandle::join);
    }
}

fn a_source_that_is_swapped_never_leads_out(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["data/file", "link -> ../../../../../../tmp", "overlay/x"]);
    let mut plan = plan(who, node.path(), &["cat", "/seen/file"]);
    add(&mut plan, 0, bind("/seen", own("data"), READ_ONLY, FileKind::Directory));
    let swapper = Swapper::start(node.path(), "data", "link");
    // Both outcomes must have been seen, or the swapping proves nothing.
    let (mut good, mut refused) = (0, 0);
    for _ in 0..300 {
        match run(who, &plan) {
            ran if ran.code == Some(0) => {
                assert_eq!(ran.out, "data/file");
                good += 1;
            }
            ran => {
                assert!(ran.refused().contains("ELOOP"));
                refused += 1;
            }
        }
    }
    drop(swapper);
    assert!(good > 0 && refused > 0, "{good} good, {refused} refused");
}

fn a_mount_point_that_is_swapped_never_leads_out(who: Who) {
    let node = directory(who);
    let outside = directory(who);
    populate(who, outside.path(), &["target/deep/"]);
    populate(who, node.path(), &["data/file", "rw/point/deep/"]);
    std::os::unix::fs::symlink(outside.path().join("target"), node.path().join("rw/link")).unwrap();
    let mut plan = plan(who, node.path(), &["cat", "/rw/point/deep/file"]);
    // The outside is there inside as well, at the path that the link names.
    let at = outside.path().to_str().unwrap();
    add(&mut plan, 0, host(at, at, WRITABLE, FileKind::Directory));
    add(&mut plan, 0, bind("/rw", own("rw"), WRITABLE, FileKind::Directory));
    add(&mut plan, 0, bind("/rw/point/deep", own("data"), READ_ONLY, FileKind::Directory));
    let swapper = Swapper::start(&node.path().join("rw"), "point", "link");
    let mut refused = 0;
    for _ in 0..300 {
        let ran = run(who, &plan);
        refused += usize::from(ran.code == Some(125) && ran.err.contains("ELOOP"));
        // Afterwards the path may lead elsewhere: what counts is that nothing was made or mounted there.
        assert!(ran.out.is_empty() || ran.out == "data/file", "{ran:?}");
    }
    drop(swapper);
    assert!(refused > 0);
    let target = outside.path().join("target/deep");
    assert_eq!(std::fs::read_dir(target).unwrap().count(), 0);
}
