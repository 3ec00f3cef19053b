//! Install, upgrade, downgrade, reinstall, remove; what is recorded; what is left after a kill.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use redpak_packages::execute::Event;
use redpak_packages::transaction::Action;
use redpak_store::Wait;
use serde_json::json;

use crate::Test;
use crate::fixture::{Fixture, is_root, nevra_of, remove, replace, snapshot, step};

pub const TESTS: &[Test] = &[
    ("a_package_is_installed_upgraded_and_removed", a_package_is_installed_upgraded_and_removed),
    ("configuration_files_are_kept", configuration_files_are_kept),
    ("directories_links_and_modes_are_as_packaged", directories_links_and_modes_are_as_packaged),
    ("the_distributions_rpm_still_finds_the_database", the_distributions_rpm_still_finds_the_database),
    ("libraries_are_in_the_loaders_cache", libraries_are_in_the_loaders_cache),
    ("a_killed_transaction_leaves_nothing", a_killed_transaction_leaves_nothing),
    ("a_kill_at_any_moment_leaves_old_or_new", a_kill_at_any_moment_leaves_old_or_new),
    ("several_packages_are_ordered", several_packages_are_ordered),
    ("real_packages_are_installed", real_packages_are_installed),
];

fn a_package_is_installed_upgraded_and_removed() {
    let mut f = Fixture::new();
    let one = f.one_file("tool", "1", "/usr/share/tool/data", "");
    let two = f.one_file("tool", "2", "/usr/share/tool/data", "");
    let report = f.install(&[&one]).unwrap();
    assert_eq!((report.generation, report.parent), (2, 1));
    assert_eq!(report.messages, [""; 0]);
    assert_eq!(f.read("usr/share/tool/data"), "tool-1\n");
    assert_eq!(f.leftovers(), [""; 0]);
    let manifest = f.node.manifest(2).unwrap();
    assert_eq!(
        manifest.payload["packages"],
        json!([{"name": "tool", "epoch": 0, "version": "1", "release": "1", "arch": "noarch",
                "reason": "user", "repo": "@commandline"}])
    );
    assert_eq!(manifest.payload["rpmdb"]["packages"], 1);
    assert_eq!(manifest.payload["unowned"], json!([]));
    assert_eq!(f.rpm(["-qa"]), (true, "tool-1-1.noarch".into()));
    assert_eq!(f.rpm(["-ql", "tool"]).1, "/usr/share/tool/data");
    if is_root() {
        assert_eq!(f.rpm(["-V", "--nodeps", "tool"]), (true, String::new()));
    }
    let names: Vec<_> =
        fs::read_dir(f.current("usr/lib/sysimage/rpm")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["rpmdb.sqlite"]);

    let before = snapshot(&f.node.generation_path(2));
    f.run(vec![replace(Action::Upgrade, &two, &one)]).unwrap();
    assert_eq!(f.read("usr/share/tool/data"), "tool-2\n");
    assert_eq!(f.rpm(["-qa"]).1, "tool-2-1.noarch");
    assert_eq!(snapshot(&f.node.generation_path(2)), before, "the old generation changed");

    f.run(vec![replace(Action::Downgrade, &one, &two)]).unwrap();
    assert_eq!(f.read("usr/share/tool/data"), "tool-1\n");
    f.run(vec![replace(Action::Reinstall, &one, &one)]).unwrap();
    assert_eq!(f.rpm(["-qa"]).1, "tool-1-1.noarch");

    f.run(vec![remove(&one)]).unwrap();
    assert!(!f.current("usr/share/tool/data").exists());
    assert_eq!(f.rpm(["-qa"]).1, "");
    assert_eq!(f.node.manifest(6).unwrap().payload["packages"], json!([]));
    assert_eq!(f.generation(), 6);
    assert!(f.events.contains(&Event::Erase { nevra: "tool-1-1.noarch".into() }), "{:?}", f.events);
}

fn configuration_files_are_kept() {
    let mut f = Fixture::new();
    let package = |version: &str, text: &str| {
        let rest = format!(
            "%install\nmkdir -p %{{buildroot}}/etc/tool\necho {text} > %{{buildroot}}/etc/tool/a.conf\n\
             echo {text} > %{{buildroot}}/etc/tool/b.conf\n\
             %files\n%config(noreplace) /etc/tool/a.conf\n%config /etc/tool/b.conf\n"
        );
        f.package("tool", version, &rest)
    };
    let (one, two) = (package("1", "one"), package("2", "two"));
    f.install(&[&one]).unwrap();
    fs::write(f.current("etc/tool/a.conf"), "mine\n").unwrap();
    fs::write(f.current("etc/tool/b.conf"), "mine\n").unwrap();
    let report = f.run(vec![replace(Action::Upgrade, &two, &one)]).unwrap();
    assert_eq!(f.read("etc/tool/a.conf"), "mine\n");
    assert_eq!(f.read("etc/tool/a.conf.rpmnew"), "two\n");
    assert_eq!(f.read("etc/tool/b.conf"), "two\n");
    assert_eq!(f.read("etc/tool/b.conf.rpmsave"), "mine\n");
    assert_eq!(report.unowned, ["etc/tool/a.conf.rpmnew", "etc/tool/b.conf.rpmsave"]);
    assert!(report.messages.iter().any(|m| m.contains("a.conf.rpmnew")), "{:?}", report.messages);
    // They are still recorded after a transaction that does not touch them.
    let other = f.one_file("other", "1", "/usr/share/other", "");
    let report = f.install(&[&other]).unwrap();
    assert_eq!(report.unowned, ["etc/tool/a.conf.rpmnew", "etc/tool/b.conf.rpmsave"]);
}

fn directories_links_and_modes_are_as_packaged() {
    let mut f = Fixture::new();
    let package = f.package(
        "modes",
        "1",
        "%install\ncd %{buildroot}\nmkdir -p usr/bin usr/share/doc/modes usr/lib/modes/empty opt/modes var/lib/modes bin\n\
         echo x > usr/bin/modes-tool\nln -s modes-tool usr/bin/modes-link\necho y > opt/modes/file\n\
         ln opt/modes/file opt/modes/hard\necho z > var/lib/modes/state\necho b > bin/modes-merged\n\
         %files\n%attr(4755,root,root) /usr/bin/modes-tool\n/usr/bin/modes-link\n/bin/modes-merged\n\
         %dir %attr(0700,root,root) /usr/lib/modes/empty\n%dir /usr/share/doc/modes\n/opt/modes/file\n/opt/modes/hard\n\
         %attr(0640,root,root) /var/lib/modes/state\n",
    );
    f.install(&[&package]).unwrap();
    let meta = |path: &str| fs::symlink_metadata(f.current(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    // The set-id bit would work on the host, and nowhere else.
    assert_eq!(meta("usr/bin/modes-tool").mode() & 0o7777, 0o755);
    let owners = &f.node.manifest(f.generation()).unwrap().payload["owners"];
    assert_eq!(owners["usr/bin/modes-tool"], "root:root set-id=4000");
    assert_eq!(fs::read_link(f.current("usr/bin/modes-link")).unwrap().to_str(), Some("modes-tool"));
    assert_eq!(f.read("usr/bin/modes-merged"), "b\n", "/bin leads to /usr/bin");
    assert_eq!(meta("usr/lib/modes/empty").mode() & 0o7777, 0o700);
    assert!(meta("usr/share/doc/modes").is_dir());
    assert_eq!(meta("opt/modes/file").ino(), meta("opt/modes/hard").ino());
    assert_eq!(fs::read_to_string(f.path().join("var/lib/modes/state")).unwrap(), "z\n");
    // What the transaction only passed through is not kept.
    assert!(!f.current("usr/share/man").exists());
    assert!(!f.current("usr/share/zoneinfo").exists());
    let doc = fs::metadata("/usr/share/doc").unwrap().mode();
    assert_eq!(meta("usr/share/doc").mode(), doc);
    if is_root() {
        assert_eq!(
            f.rpm(["-V", "--nodeps", "modes"]).1,
            "missing     /bin/modes-merged\n.M.......    /usr/bin/modes-tool",
            "no /bin on the bare tree, no set-id bit"
        );
    }
    f.run(vec![remove(&package)]).unwrap();
    assert!(!f.current("usr/bin/modes-tool").exists());
    assert!(!f.path().join("var/lib/modes/state").exists());
}

fn the_distributions_rpm_still_finds_the_database() {
    let mut f = Fixture::new();
    let link = f.path().join("var/lib/rpm");
    let right = fs::read_link(&link).unwrap();
    let rest = "%install\nmkdir -p %{buildroot}/var/lib/rpm\n%files\n%dir /var/lib/rpm\n";
    let rpm = f.package("rpm-like", "1", rest);
    f.install(&[&rpm]).unwrap();
    assert_eq!(fs::read_link(&link).unwrap(), right);
    let scripts = "%post\nrm -f /var/lib/rpm\nln -s /etc /var/lib/rpm\n";
    let other = f.one_file("other", "1", "/usr/share/other", scripts);
    f.install(&[&other]).unwrap();
    assert_eq!(fs::read_link(&link).unwrap(), right);
}

fn libraries_are_in_the_loaders_cache() {
    let mut f = Fixture::new();
    let package = f.build(
        "Name: libdemo\nVersion: 1\nRelease: 1\nSummary: test\nLicense: none\nAutoReqProv: no\n%description\ntest\n\
         %install\nmkdir -p %{buildroot}/usr/lib\necho 'int demo(void){return 7;}' > demo.c\n\
         cc -shared -fPIC -Wl,-soname,libdemo.so.1 -o %{buildroot}/usr/lib/libdemo.so.1.0 demo.c\n\
         ln -s libdemo.so.1.0 %{buildroot}/usr/lib/libdemo.so.1\n%files\n/usr/lib/libdemo.so.1*\n",
    );
    let report = f.install(&[&package]).unwrap();
    assert!(f.events.contains(&Event::LdConfig));
    let cache = fs::read(f.current("etc/ld.so.cache")).unwrap();
    assert!(cache.windows(12).any(|window| window == b"libdemo.so.1"));
    assert_eq!(report.unowned, ["etc/ld.so.cache"]);
}

fn a_killed_transaction_leaves_nothing() {
    const VICTIM: &str = "REDPAK_EXECUTE_TEST_VICTIM";
    if let Ok(place) = std::env::var(VICTIM) {
        // The second role: run until killed, in a node that the first one made.
        let mut f = Fixture::new();
        let slow =
            f.one_file("slow", "1", "/usr/share/slow", "%post\necho reached > /var/reached\nsleep 4713\n");
        let path = f.temporary.path().to_owned();
        std::os::unix::fs::symlink(&path, &place).unwrap();
        let _ = f.install(&[&slow]);
        return;
    }
    let place = tempfile::Builder::new().prefix("redpak-execute").tempdir_in("/var/tmp").unwrap();
    let link = place.path().join("node");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .arg("a_killed_transaction_leaves_nothing")
        .env(VICTIM, &link)
        .env("REDPAK_EXECUTE_TEST_AS_USER", "1")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let node = link.join("node");
    for _ in 0..600 {
        if node.join("var/reached").exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(node.join("var/reached").exists(), "the scriptlet was not reached");
    assert!(node.join(".redpak/staging.2").exists());
    victim.kill().unwrap();
    victim.wait().unwrap();
    // Nothing of it survives; its lock goes with the last process.
    let left = |command: &str| {
        let output = Command::new("pgrep").args(["-f", command]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let path = fs::canonicalize(&node).unwrap();
    let store = redpak_store::Node::open(&path).unwrap();
    let lock = store.lock_exclusive(Wait::For(std::time::Duration::from_secs(5))).unwrap();
    store.recover(&lock).unwrap();
    assert_eq!(left("sleep 471[3]"), "");
    assert!(!path.join(".redpak/staging.2").exists());
    assert_eq!((store.current().unwrap(), store.generations().unwrap()), (Some(1), vec![1]));
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

/// The same package is installed and the process killed, each time a little later, until it gets through.
fn a_kill_at_any_moment_leaves_old_or_new() {
    const NODE: &str = "REDPAK_EXECUTE_TEST_NODE";
    const PACKAGE: &str = "REDPAK_EXECUTE_TEST_PACKAGE";
    if let (Ok(node), Ok(package)) = (std::env::var(NODE), std::env::var(PACKAGE)) {
        let mut f = Fixture::at(std::path::Path::new(&node));
        f.install(&[&package.into()]).unwrap();
        return;
    }
    let f = Fixture::new();
    let rest = "%install\nmkdir -p %{buildroot}/usr/share/many\n\
                for i in $(seq 300); do echo $i > %{buildroot}/usr/share/many/$i; done\n\
                %files\n/usr/share/many\n%post\necho y > /etc/many.post\n";
    let package = f.package("many", "1", rest);
    let old = snapshot(&f.node.generation_path(1));
    let (mut cut, mut delay) = (0, 20);
    loop {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .arg("a_kill_at_any_moment_leaves_old_or_new")
            .env(NODE, f.path())
            .env(PACKAGE, &package)
            .env("REDPAK_EXECUTE_TEST_AS_USER", "1")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(delay));
        let done = victim.try_wait().unwrap().is_some();
        victim.kill().unwrap();
        victim.wait().unwrap();
        let lock = f.node.lock_exclusive(Wait::For(std::time::Duration::from_secs(5))).unwrap();
        f.node.recover(&lock).unwrap();
        drop(lock);
        assert_eq!(f.leftovers(), [""; 0]);
        assert_eq!(snapshot(&f.node.generation_path(1)), old);
        if f.generation() == 2 {
            break;
        }
        assert!(!done, "it ended without a new generation");
        assert_eq!(f.node.generations().unwrap(), [1]);
        cut += 1;
        delay += 40;
    }
    assert!(cut > 2, "it was never interrupted");
    assert_eq!(f.rpm(["-qa"]).1, "many-1-1.noarch");
    assert_eq!(fs::read_dir(f.current("usr/share/many")).unwrap().count(), 300);
    assert_eq!(f.read("etc/many.post"), "y\n");
}

fn several_packages_are_ordered() {
    let mut f = Fixture::new();
    let needs = "Requires(post): aaa-last\n";
    let first = f.build(&format!(
        "Name: aaa-first\nVersion: 1\nRelease: 1\nSummary: t\nLicense: n\nBuildArch: noarch\n{needs}%description\nt\n\
         %post\ntest -e /usr/share/last || exit 1\n%files\n"
    ));
    let last = f.one_file("aaa-last", "1", "/usr/share/last", "");
    let report = f.install(&[&first, &last]).unwrap();
    assert_eq!(report.generation, 2);
    assert_eq!(f.node.manifest(2).unwrap().payload["rpmdb"]["packages"], 2);
    let begun = f.events.iter().find(|event| matches!(event, Event::Begin { .. }));
    assert_eq!(begun, Some(&Event::Begin { elements: 2 }));
}

/// A sample of the repository that other tests use; their dependencies are the host's.
fn real_packages_are_installed() {
    let place = std::path::Path::new("/var/cache/redpak-tests/realrepo");
    let mut found: Vec<_> = fs::read_dir(place)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "rpm"));
    found.sort();
    if found.is_empty() {
        assert!(std::env::var_os("REDPAK_MUST_WORK").is_none(), "no {place:?}");
        println!("SKIP: no {place:?}");
        return;
    }
    let mut f = Fixture::new();
    // Those that bring accounts of their own, or a C library over the host's, are not for a node like this.
    let wanted: Vec<_> = found
        .iter()
        .filter(|path| {
            let name = nevra_of(path).name;
            !["base-passwd", "base-files", "libc6", "libc-bin", "passwd", "login"].contains(&name.as_str())
        })
        .take(25)
        .map(|path| step(Action::Install, path))
        .collect();
    let count = wanted.len();
    let started = std::time::Instant::now();
    let report = f.run(wanted).unwrap_or_else(|e| panic!("{e}: {:?} {:?}", e.source, e.output));
    println!("{count} packages in {:?}, {} unowned", started.elapsed(), report.unowned.len());
    assert_eq!(f.rpm(["-qa"]).1.lines().count(), count);
    let program = f.current("usr/lib/sysimage/rpm/rpmdb.sqlite");
    assert_eq!(fs::metadata(program).unwrap().permissions().mode() & 0o777, 0o644);
}
