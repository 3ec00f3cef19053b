//! The main job on the demonstration's repository: brothers with different libraries, a parent's package, removal.

use redpak_tests::{Ground, repository, run, sha256, skip};

fn family() -> Option<Ground> {
    let Some(packages) = repository("REDPAK_DEMO_REPOSITORY") else {
        skip("the demonstration's repository is not there: set REDPAK_DEMO_REPOSITORY");
        return None;
    };
    let ground = Ground::new();
    ground.create("r", &[]);
    ground.create("r/platform", &[]);
    for profile in ["a", "b"] {
        ground.create(&format!("r/platform/{profile}"), &[]);
    }
    ground.create("r/platform/a/project", &[]);
    ground.repository("r/platform", "demo", &packages);
    Some(ground)
}

#[test]
fn brothers_hold_different_versions_of_a_library() {
    let Some(ground) = family() else { return };
    ground.dnf("r/platform/a", &["install", "-y", "greet", "libgreet-1.0"]).ok().says("Complete!");
    ground.dnf("r/platform/b", &["install", "-y", "greet", "libgreet-2.0"]).ok();
    ground.wrap("r/platform/a", &["greet"]).ok().says("version 1.0");
    ground.wrap("r/platform/b", &["greet"]).ok().says("version 2.0");
    // The project sees what its parent has.
    ground.wrap("r/platform/a/project", &["greet", "5"]).expect(5).says("version 1.0");
    let greet = |profile: &str| sha256(&ground.path().join(format!("r/platform/{profile}/usr/bin/greet")));
    assert_eq!(greet("a"), greet("b"));
    // The platform has neither.
    ground.wrap("r/platform", &["greet"]).expect(127);
}

#[test]
fn a_parents_package_is_used_below_and_not_installed_again() {
    let Some(ground) = family() else { return };
    ground.dnf("r/platform", &["install", "-y", "toolbox-1.0"]).ok();
    ground.wrap("r/platform/a/project", &["toolbox"]).ok().says("toolbox 1.0, settings: colour=red");
    ground.dnf("r/platform/a/project", &["install", "-y", "toolbox"]).ok().says("provided by platform");
    ground.dnf("r/platform/a/project", &["install", "-y", "toolbox-2.0"]).expect(1).says("platform");
    ground.dnf("r/platform/a/project", &["install", "-y", "widget"]).expect(1).says("platform");
    let listed = ground.dnf("r/platform/a/project", &["list", "--installed"]);
    assert!(!listed.stdout.contains("toolbox"), "{}", listed.stdout);
}

#[test]
fn a_scriptlet_writes_the_nodes_var_and_configuration_is_the_generations() {
    let Some(ground) = family() else { return };
    ground.dnf("r/platform", &["install", "-y", "toolbox-1.0"]).ok();
    ground.wrap("r/platform", &["cat", "/var/lib/toolbox/state"]).ok().says("toolbox 1.0 installed");
    let node = ground.path().join("r/platform");
    assert!(!node.join("etc/toolbox").exists(), "packaged /etc lands beside redpak.yaml");
    assert!(node.join(".redpak/current/etc/toolbox/toolbox.conf").exists());
}

#[test]
fn what_is_removed_is_gone() {
    let Some(ground) = family() else { return };
    let node = ground.path().join("r/platform/a");
    ground.dnf("r/platform/a", &["install", "-y", "greet", "libgreet-1.0"]).ok();
    ground.dnf("r/platform/a", &["remove", "-y", "greet", "libgreet"]).ok();
    ground.wrap("r/platform/a", &["greet"]).expect(127);
    let left = run("find", &[&format!("{}/", node.join("usr").display()), "-name", "*greet*"]).ok();
    assert_eq!(left.stdout, "");
    let listed = run("rpm", &["-qa", "--dbpath", &node.join("var/lib/rpm").to_string_lossy()]).ok();
    assert_eq!(listed.stdout, "");
}

#[test]
fn nothing_changes_without_consent() {
    let Some(ground) = family() else { return };
    let before = ground.path().join("r/platform/a/.redpak/current").read_link().ok();
    ground.dnf("r/platform/a", &["install", "--assumeno", "greet"]).expect(1).says("libgreet");
    assert_eq!(ground.path().join("r/platform/a/.redpak/current").read_link().ok(), before);
    ground.wrap("r/platform/a", &["greet"]).expect(127);
}

#[test]
fn unsigned_packages_are_refused_unless_the_repository_says_so() {
    let Some(ground) = family() else { return };
    let repo = "r/platform/etc/yum.repos.d/demo.repo";
    let text =
        std::fs::read_to_string(ground.path().join(repo)).unwrap_or_default().replace("gpgcheck=0\n", "");
    ground.write(repo, &text);
    ground.dnf("r/platform/a", &["install", "-y", "toolbox-1.0"]).expect(1).says("no key to check it with");
    ground.wrap("r/platform/a", &["toolbox"]).expect(127);
}

#[test]
fn the_distributions_rpm_agrees() {
    let Some(ground) = family() else { return };
    ground.dnf("r/platform/a", &["install", "-y", "greet", "libgreet-1.0", "toolbox-1.0"]).ok();
    let node = ground.at("r/platform/a");
    let dbpath = format!("{node}/var/lib/rpm");
    let all = run("rpm", &["-qa", "--qf", "%{NAME}-%{VERSION}\\n", "--dbpath", &dbpath]).ok();
    let mut names: Vec<&str> = all.stdout.lines().collect();
    names.sort_unstable();
    assert_eq!(names, ["greet-1.0", "libgreet-1.0", "toolbox-1.0"]);
    // --root needs chroot(2); Debian's rpm has the database elsewhere by default.
    if rustix::process::geteuid().is_root() {
        run("rpm", &["--root", &node, "--dbpath", "/var/lib/rpm", "-qf", "/usr/bin/greet"])
            .ok()
            .says("greet-1.0-1.x86_64");
    }
}

#[test]
fn a_full_node_is_root_and_leaf_in_one() {
    let Some(packages) = repository("REDPAK_DEMO_REPOSITORY") else {
        skip("the demonstration's repository is not there: set REDPAK_DEMO_REPOSITORY");
        return;
    };
    let ground = Ground::new();
    ground.create("f", &["-m", "full"]);
    ground.repository("f", "demo", &packages);
    ground.dnf("f", &["install", "-y", "greet", "libgreet-1.0", "toolbox-1.0"]).ok();
    ground.wrap("f", &["greet"]).ok().says("version 1.0");
    ground.create("f/child", &[]);
    ground.wrap("f/child", &["toolbox"]).ok().says("toolbox 1.0");
    ground.dnf("f/child", &["install", "-y", "toolbox"]).ok().says("provided by f");
    ground.dnf("f", &["remove", "-y", "toolbox"]).ok();
    ground.wrap("f", &["toolbox"]).expect(127);
    ground.dnf("f", &["list", "--installed"]).ok().says("greet.x86_64");
}

#[test]
fn nothing_is_installed_into_a_root_that_speaks_for_the_host() {
    let Some(ground) = family() else { return };
    ground.dnf("r", &["install", "-y", "toolbox-1.0"]).expect(1).says("the host's");
}

#[test]
fn nothing_that_runs_in_a_node_can_write_what_redpak_keeps_there() {
    let Some(ground) = family() else { return };
    ground.dnf("r/platform", &["install", "-y", "toolbox-1.0"]).ok();
    let kept = ground.path().join("r/.redpak/cache");
    assert!(kept.is_dir(), "the family's cache is not in {}", kept.display());
    for node in ["r", "r/platform"] {
        let found = ground.wrap(node, &["sh", "-c", "find / -path /proc -prune -o \\( -name '*.solv' -o -name manifest.json \\) -print 2>/dev/null"]);
        assert_eq!(
            found.stdout.lines().filter(|line| !line.starts_with("/usr/")).count(),
            0,
            "{}",
            found.stdout
        );
    }
}

#[test]
fn a_second_command_says_whom_it_waits_for() {
    let Some(ground) = family() else { return };
    let lock = std::fs::File::open(ground.path().join("r/platform/a/.redpak/lock")).expect("the node's lock");
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).expect("as a command holds it");
    let waiting = std::thread::scope(|scope| {
        let second = scope.spawn(|| ground.dnf("r/platform/a", &["install", "-y", "toolbox-1.0"]));
        std::thread::sleep(std::time::Duration::from_secs(1));
        drop(lock);
        second.join().expect("it ends")
    });
    waiting.ok().says("Waiting for at most").says("is in use by");
}
