//! What scriptlets can do, and what happens when they fail.

use std::fs;
use std::time::{Duration, Instant};

use redpak_packages::execute::{Event, ExecuteErrorKind, Scriptlet};

use crate::Test;
use crate::fixture::{Fixture, remove, step};

pub const TESTS: &[Test] = &[
    ("scriptlets_find_a_system_and_are_heard", scriptlets_find_a_system_and_are_heard),
    (
        "a_failed_scriptlet_of_any_kind_fails_the_transaction",
        a_failed_scriptlet_of_any_kind_fails_the_transaction,
    ),
    ("an_ignored_failure_is_a_warning", an_ignored_failure_is_a_warning),
    ("a_scriptlet_that_hangs_is_ended", a_scriptlet_that_hangs_is_ended),
    ("no_process_is_left_behind", no_process_is_left_behind),
    ("a_scriptlet_cannot_reach_out", a_scriptlet_cannot_reach_out),
    ("nothing_runs_with_anothers_rights_on_the_host", nothing_runs_with_anothers_rights_on_the_host),
    (
        "ldconfig_tidying_an_ancestors_directory_is_no_failure",
        ldconfig_tidying_an_ancestors_directory_is_no_failure,
    ),
    ("lua_scriptlets_work_with_redpaks_configuration", lua_scriptlets_work_with_redpaks_configuration),
];

fn scriptlets_find_a_system_and_are_heard() {
    let mut f = Fixture::new();
    let package = f.one_file(
        "heard",
        "1",
        "/usr/share/heard",
        "%pre\ntest $1 = 1 && test ! -e /usr/share/heard\n\
         %post\necho to the user\nsed s/heard/HEARD/ /usr/share/heard > /etc/heard.generated\n\
         mkdir -p /usr/share/heard.d /usr/share/doc/heard\ntouch /usr/share/heard.d/x /usr/share/doc/heard/y\n\
         echo state > /var/lib/heard\ncat < /dev/stdin\n\
         %preun\ntest $1 = 0 && rm /etc/heard.generated /usr/share/heard.d/x /usr/share/doc/heard/y\n\
         rmdir /usr/share/heard.d /usr/share/doc/heard\n",
    );
    let report = f.install(&[&package]).unwrap_or_else(|e| panic!("{e}: {:?}", e.output));
    assert!(f.events.contains(&Event::Output("to the user".into())), "{:?}", f.events);
    assert!(f.events.contains(&Event::Script { nevra: "heard-1-1.noarch".into(), kind: Scriptlet::Post }));
    assert_eq!(f.read("etc/heard.generated"), "HEARD-1\n");
    assert_eq!(report.unowned, ["etc/heard.generated", "usr/share/doc/heard/y", "usr/share/heard.d/x"]);
    assert_eq!(fs::read_to_string(f.path().join("var/lib/heard")).unwrap(), "state\n");
    let report = f.run(vec![remove(&package)]).unwrap_or_else(|e| panic!("{e}: {:?}", e.output));
    assert_eq!(report.unowned, [""; 0]);
    assert!(!f.current("usr/share/heard.d").exists());
}

fn a_failed_scriptlet_of_any_kind_fails_the_transaction() {
    let mut f = Fixture::new();
    let good = f.one_file("good", "1", "/usr/share/good", "");
    f.install(&[&good]).unwrap();
    for kind in ["pretrans", "pre", "post", "posttrans"] {
        let bad = f.one_file("bad", "1", "/usr/share/bad", &format!("%{kind}\necho why it failed\nexit 3\n"));
        let other = f.one_file("other", "1", "/usr/share/other", "");
        let error = f.refused(vec![
            step(redpak_packages::transaction::Action::Install, &bad),
            step(redpak_packages::transaction::Action::Install, &other),
        ]);
        assert_eq!(error.kind, ExecuteErrorKind::Scriptlet, "{error}");
        assert_eq!(error.to_string(), format!("%{kind} of bad-1-1.noarch failed"));
        assert!(error.output.iter().any(|line| line == "why it failed"), "{:?}", error.output);
        assert!(!f.current("usr/share/other").exists());
    }
    for kind in ["preun", "postun"] {
        let mut f = Fixture::new();
        let bad = f.one_file("bad", "1", "/usr/share/bad", &format!("%{kind}\nexit 3\n"));
        f.install(&[&bad]).unwrap();
        let error = f.refused(vec![remove(&bad)]);
        assert_eq!(error.kind, ExecuteErrorKind::Scriptlet, "{error}");
        assert!(f.current("usr/share/bad").exists());
    }
    let watched = f.one_file("watcher", "1", "/usr/share/watcher", "%triggerin -- seen\nexit 1\n");
    f.install(&[&watched]).unwrap();
    let seen = f.one_file("seen", "1", "/usr/share/seen", "");
    let error = f.refused(vec![step(redpak_packages::transaction::Action::Install, &seen)]);
    assert_eq!(error.kind, ExecuteErrorKind::Scriptlet, "{error}");
}

fn an_ignored_failure_is_a_warning() {
    let mut f = Fixture::new();
    let bad = f.one_file("bad", "1", "/usr/share/bad", "%post\nexit 3\n");
    f.options.ignore_scriptlets = [Scriptlet::Post].into();
    let report = f.install(&[&bad]).unwrap();
    assert!(report.messages.iter().any(|message| message.contains("%post of bad-1-1.noarch failed")));
    assert!(f.current("usr/share/bad").exists());
    // librpm does not install a package whose %pre failed: then nothing is installed.
    let worse = f.one_file("worse", "1", "/usr/share/worse", "%pre\nexit 3\n");
    f.options.ignore_scriptlets = [Scriptlet::Pre].into();
    let error = f.refused(vec![step(redpak_packages::transaction::Action::Install, &worse)]);
    assert_eq!(error.kind, ExecuteErrorKind::Rpm, "{error}");
    assert!(error.to_string().contains("worse"), "{error}");
}

fn a_scriptlet_that_hangs_is_ended() {
    let mut f = Fixture::new();
    let hangs = f.one_file("hangs", "1", "/usr/share/hangs", "%post\ntrap '' TERM INT\nsleep 4711 & wait\n");
    f.options.step_limit = Duration::from_secs(2);
    let started = Instant::now();
    let error = f.refused(vec![step(redpak_packages::transaction::Action::Install, &hangs)]);
    assert_eq!(error.kind, ExecuteErrorKind::Scriptlet);
    assert!(error.to_string().contains("%post of hangs-1-1.noarch took longer than 2 s"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20));
    no_such_process("sleep 471[1]");
}

fn no_process_is_left_behind() {
    let mut f = Fixture::new();
    let daemon = f.one_file(
        "daemon",
        "1",
        "/usr/share/daemon",
        "%post\nsetsid sh -c 'sleep 4712; touch /usr/share/late' < /dev/null > /dev/null 2>&1 &\n",
    );
    let started = Instant::now();
    f.install(&[&daemon]).unwrap();
    assert!(started.elapsed() < Duration::from_secs(60));
    no_such_process("sleep 471[2]");
}

/// Waits a little: a killed process takes its time to vanish.
fn no_such_process(pattern: &str) {
    for _ in 0..40 {
        let output = std::process::Command::new("pgrep").args(["-f", pattern]).output().unwrap();
        if output.stdout.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{pattern} is still there");
}

/// Each line of the scriptlet is an attempt that must fail; what succeeded is told.
fn a_scriptlet_cannot_reach_out() {
    let mut f = Fixture::new();
    let attempts = [
        // The network.
        "cat < /dev/tcp/127.0.0.1/22",
        // Other packages, the caller, the database of another generation.
        "ls /proc/1/root/",
        "for f in /proc/1/fd/*; do readlink $f && exit 0; done; exit 1",
        "for f in /proc/2/fd/*; do readlink $f && exit 0; head -c 1 $f && exit 0; done; exit 1",
        "cat /proc/2/mem",
        "cat /proc/1/environ",
        "test -e /.redpak",
        "test -e /var/lib/rpm/rpmdb.sqlite",
        // The host.
        "test -e /home -o -e /root/.profile -o -e /boot",
        "mount -t tmpfs none /mnt",
        "mknod /usr/share/device b 8 0",
        "echo user:x:1:1::/: >> /etc/passwd",
        "chroot / mount -t proc proc /tmp",
    ];
    // What root may write of /proc/sys is the plan's to say, for every launch alike.
    let mut script = String::from("%post -p /bin/bash\n");
    for (index, attempt) in attempts.iter().enumerate() {
        script.push_str(&format!("( {attempt} ) > /dev/null 2>&1 && echo SUCCEEDED {index}\n"));
    }
    script.push_str("exit 0\n");
    let package = f.one_file("reaching", "1", "/usr/share/reaching", &script);
    f.install(&[&package]).unwrap_or_else(|e| panic!("{e}: {:?}", e.output));
    let succeeded: Vec<_> = f
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Output(line) if line.starts_with("SUCCEEDED") => Some(line.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(succeeded, [""; 0], "{attempts:?}");
}

/// Old packages call ldconfig themselves, and it removes links that lead nowhere.
/// What root's transaction leaves lies where everybody on the host may run it.
fn nothing_runs_with_anothers_rights_on_the_host() {
    let mut f = Fixture::new();
    let arm = |place: &str| {
        format!(
            "mkdir -p {place}\ncp /usr/bin/id {place}/id\nchmod 6755 {place}/id\nln {place}/id {place}/hard\n"
        )
    };
    let scripts = format!("%post\n{}{}", arm("/usr/share/arms"), arm("/var/lib/arms"));
    let package = f.one_file("arms", "1", "/usr/share/arms-file", &scripts);
    let modes = |f: &Fixture| -> Vec<u32> {
        let var = f.path().join("var/lib/arms");
        [var.join("id"), var.join("hard"), f.current("usr/share/arms/id"), f.current("usr/share/arms/hard")]
            .iter()
            .filter_map(|path| fs::metadata(path).ok())
            .map(|meta| std::os::unix::fs::MetadataExt::mode(&meta) & 0o7777)
            .collect()
    };
    f.install(&[&package]).unwrap_or_else(|e| panic!("{e}: {:?}", e.output));
    assert_eq!(modes(&f), [0o755; 4]);
    // The data directory is not staged: what a transaction wrote there stays when it fails.
    f.run(vec![remove(&package)]).unwrap();
    fs::remove_dir_all(f.path().join("var/lib/arms")).unwrap();
    let failing =
        f.one_file("failing", "1", "/usr/share/failing", &format!("%post\n{}exit 1\n", arm("/var/lib/arms")));
    f.run(vec![step(redpak_packages::transaction::Action::Install, &failing)]).unwrap_err();
    assert_eq!(modes(&f)[..2], [0o755; 2]);
    // However deep it lies.
    let deep =
        "%post\ncd /var/lib\nfor i in $(seq 200); do mkdir d; cd d; done\ncp /usr/bin/id id\nchmod 4755 id\n";
    let deep = f.one_file("deep", "1", "/usr/share/deep", deep);
    f.install(&[&deep]).unwrap_or_else(|e| panic!("{e}: {:?}", e.output));
    let (mut path, mut closed) = (f.path().join("var/lib"), false);
    for _ in 0..200 {
        path.push("d");
        closed |= std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap()) & 0o77 == 0;
    }
    assert!(closed);
}

fn ldconfig_tidying_an_ancestors_directory_is_no_failure() {
    let mut f = Fixture::new();
    let package = f.one_file("calls", "1", "/usr/share/calls", "%post -p /sbin/ldconfig\n");
    f.install(&[&package]).unwrap_or_else(|e| panic!("{e}: {:?} {:?}", e.source, e.output));
    assert!(f.current("etc/ld.so.cache").exists());
}

fn lua_scriptlets_work_with_redpaks_configuration() {
    let mut f = Fixture::new();
    // A node's own rpm configuration has no say, nor has its init.lua.
    let hostile = f.package(
        "hostile",
        "1",
        "%install\nmkdir -p %{buildroot}/etc/rpm %{buildroot}/usr/lib/rpm/lua %{buildroot}/usr/lib/rpm-plugins\n\
         echo '%%_netsharedpath /usr/share' > %{buildroot}/etc/rpm/macros\n\
         echo 'error(\"init.lua was run\")' > %{buildroot}/usr/lib/rpm/init.lua\n\
         %files\n/etc/rpm/macros\n/usr/lib/rpm/init.lua\n",
    );
    let lua = f.one_file(
        "lua",
        "1",
        "/usr/share/lua-file",
        "%post -p <lua>\nlocal file = io.open(\"/etc/lua.made\", \"w\")\nfile:write(\"made\")\nfile:close()\n",
    );
    f.install(&[&hostile]).unwrap_or_else(|e| panic!("{e}: {:?}", e.output));
    f.install(&[&lua]).unwrap_or_else(|e| panic!("{e}: {:?}", e.output));
    assert_eq!(f.read("etc/lua.made"), "made");
    assert!(f.current("usr/share/lua-file").exists());
    // A scriptlet in librpm's own process that ends it: an error, whatever the exit code.
    for end in ["os.exit(0)", "posix.kill(posix.getpid('pid'), 11)"] {
        let crash = f.one_file("crash", "1", "/usr/share/crash", &format!("%post -p <lua>\n{end}\n"));
        let error = f.refused(vec![step(redpak_packages::transaction::Action::Install, &crash)]);
        assert!(matches!(error.kind, ExecuteErrorKind::Rpm | ExecuteErrorKind::Scriptlet), "{error}");
    }
}
