//! Real software from real packages: what runs in a node is the file that its package brought.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use redpak_tests::{Ground, bin, is_root, repository, run, sha256, skip};

/// A platform with jq and sqlite3, below it `db` and `vcs`.
fn family() -> Option<(Ground, PathBuf)> {
    let Some(packages) = repository("REDPAK_REAL_REPOSITORY") else {
        skip("the repository of real packages is not there: tools/real-repository makes it");
        return None;
    };
    let ground = Ground::new();
    ground.create("r", &[]);
    ground.create("r/platform", &[]);
    ground.create("r/platform/db", &[]);
    ground.create("r/platform/vcs", &[]);
    ground.repository("r/platform", "real", &packages);
    Some((ground, packages))
}

/// The digest that the package's header has for a file.
fn packaged_digest(packages: &Path, package: &str, file: &str) -> String {
    let rpm =
        std::fs::read_dir(packages).into_iter().flatten().flatten().map(|entry| entry.path()).find(|path| {
            path.file_name().is_some_and(|name| {
                let name = name.to_string_lossy();
                name.strip_prefix(package).is_some_and(|rest| {
                    rest.starts_with('-') && rest[1..].starts_with(|c: char| c.is_ascii_digit())
                })
            })
        });
    let rpm = rpm.unwrap_or_else(|| panic!("no package {package} in {}", packages.display()));
    let listed = run(
        "rpm",
        &["-qp", "--nosignature", "--qf", "[%{FILENAMES} %{FILEDIGESTS}\\n]", &rpm.to_string_lossy()],
    )
    .ok();
    let line =
        listed.stdout.lines().find_map(|line| line.strip_prefix(&format!("{file} ")).map(str::to_owned));
    line.unwrap_or_else(|| panic!("{package} has no {file}"))
}

/// Host process ids of the descendants of a process.
fn descendants(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|word| word.parse().ok())
        .flat_map(|child| std::iter::once(child).chain(descendants(child)))
        .collect()
}

/// Waits for a process below `launched` that runs a program of this name, and proves that the program is the file of
/// the node's generation, inode and content.
fn prove_runs_packaged(launched: &Child, name: &str, generation_file: &Path, digest: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    let (pid, exe) = loop {
        let found = descendants(launched.id()).into_iter().find_map(|pid| {
            let exe = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
            (exe.file_name()? == name).then_some((pid, exe))
        });
        match found {
            Some(found) => break found,
            None if Instant::now() > until => panic!("{name} does not run below {}", launched.id()),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let running = std::fs::metadata(format!("/proc/{pid}/exe"))
        .unwrap_or_else(|error| panic!("{}: {error}", exe.display()));
    let packaged = std::fs::metadata(generation_file)
        .unwrap_or_else(|error| panic!("{}: {error}", generation_file.display()));
    // On one file system, an overlay gives each file the inode number of its layer.
    assert_eq!(running.ino(), packaged.ino(), "{} is not {}", exe.display(), generation_file.display());
    assert_eq!(sha256(Path::new(&format!("/proc/{pid}/exe"))), digest);
    assert_eq!(sha256(generation_file), digest);
    if let Ok(host) = std::fs::metadata(&exe) {
        assert_ne!((host.dev(), host.ino()), (packaged.dev(), packaged.ino()));
    }
}

fn generation_file(ground: &Ground, node: &str, file: &str) -> PathBuf {
    ground.path().join(node).join(".redpak/current").join(file.trim_start_matches('/'))
}

/// Starts a program that reads standard input, proves what runs, and ends it.
fn prove_stdin_program(
    ground: &Ground,
    node: &str,
    owner: &str,
    packages: &Path,
    package: &str,
    command: &[&str],
) {
    let file = format!("/usr/bin/{}", command[0]);
    let mut child = ground.start(node, command);
    prove_runs_packaged(
        &child,
        command[0],
        &generation_file(ground, owner, &file),
        &packaged_digest(packages, package, &file),
    );
    drop(child.stdin.take());
    let ended = child.wait();
    assert!(ended.is_ok_and(|status| status.success()), "{command:?} did not end well");
}

#[test]
fn parents_programs_run_in_the_children() {
    let Some((ground, packages)) = family() else { return };
    ground.dnf("r/platform", &["install", "-y", "jq", "sqlite3"]).ok();
    for node in ["r/platform", "r/platform/db", "r/platform/vcs"] {
        let ran = ground.wrap(node, &["jq", "-n", "--arg", "x", "41", "$x | tonumber + 1"]).ok();
        assert_eq!(ran.stdout, "42\n");
        prove_stdin_program(&ground, node, "r/platform", &packages, "jq", &["jq", "."]);
    }
    let ran = ground
        .wrap(
            "r/platform/db",
            &["sqlite3", "/var/home/x.db", "create table t(a); insert into t values(7); select a from t"],
        )
        .ok();
    assert_eq!(ran.stdout, "7\n");
    assert!(ground.path().join("r/platform/db/var/home/x.db").exists());
    prove_stdin_program(&ground, "r/platform/db", "r/platform", &packages, "sqlite3", &["sqlite3"]);
}

#[test]
fn redis_serves_a_second_launch_of_its_node() {
    let Some((ground, packages)) = family() else { return };
    ground.dnf("r/platform/db", &["install", "-y", "redis-server"]).ok();
    let port = free_port();
    let mut server = ground.start(
        "r/platform/db",
        &["redis-server", "--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir", "/var/tmp"],
    );
    // The program is installed under its other name, which is a link to it.
    let file = ["usr/bin/redis-check-rdb", "usr/bin/redis-server"]
        .map(|name| generation_file(&ground, "r/platform/db", name));
    let real = file
        .iter()
        .find(|path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()))
        .expect("redis is there");
    let name = real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let package = if name == "redis-server" { "redis-server" } else { "redis-tools" };
    prove_runs_packaged(
        &server,
        &name,
        real,
        &packaged_digest(&packages, package, &format!("/usr/bin/{name}")),
    );
    let until = Instant::now() + Duration::from_secs(20);
    let answer = loop {
        let ping = ground.wrap("r/platform/db", &["redis-cli", "-p", &port, "ping"]);
        if ping.stdout == "PONG\n" || Instant::now() > until {
            break ping.all();
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    // A TERM of redwrap reaches the server, which ends by itself.
    run("kill", &["-TERM", &server.id().to_string()]).ok();
    let mut log = String::new();
    for line in BufReader::new(server.stdout.take().expect("a pipe")).lines().map_while(Result::ok) {
        log.push_str(&line);
        log.push('\n');
    }
    let status = server.wait().expect("it was started");
    assert_eq!(answer, "PONG\n", "{log}");
    assert!(status.success(), "{status}: {log}");
    assert!(log.contains("bye bye"), "{log}");
}

fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port().to_string()
}

#[test]
fn git_commits_in_its_nodes_persistent_directory() {
    let Some((ground, packages)) = family() else { return };
    ground.dnf("r/platform/vcs", &["install", "-y", "git"]).ok();
    let script =
        "set -e; mkdir -p /var/home/work; cd /var/home/work; git init -q .; echo one > file; git add file;
        git -c user.name=Ann -c user.email=ann@example.org commit -q -m first; git log --format=%s";
    let ran = ground.wrap("r/platform/vcs", &["sh", "-c", script]).ok();
    assert_eq!(ran.stdout, "first\n");
    assert!(ground.path().join("r/platform/vcs/var/home/work/.git/HEAD").exists());
    // A second launch finds the commit.
    let ran = ground.wrap("r/platform/vcs", &["git", "-C", "/var/home/work", "log", "--format=%an"]).ok();
    assert_eq!(ran.stdout, "Ann\n");
    prove_stdin_program(
        &ground,
        "r/platform/vcs",
        "r/platform/vcs",
        &packages,
        "git",
        &["git", "hash-object", "--stdin"],
    );
}

#[test]
fn strace_counts_the_calls_of_tree() {
    let Some((ground, packages)) = family() else { return };
    ground.dnf("r/platform", &["install", "-y", "strace", "tree"]).ok();
    let ran =
        ground.wrap("r/platform", &["strace", "-c", "-o", "/tmp/calls", "tree", "-L", "1", "/usr"]).ok();
    assert!(ran.stdout.contains("/usr\n") && ran.stdout.contains("bin"), "{}", ran.stdout);
    let ran = ground.wrap("r/platform", &["sh", "-c", "strace -c tree /usr > /dev/null"]);
    // 2 is tree's word for directories that it may not read: of the host's /usr there may be some.
    assert!([0, 2].contains(&ran.code), "{}", ran.all());
    assert!(ran.stderr.contains("% time") && ran.stderr.contains("total"), "{}", ran.stderr);
    let digest = packaged_digest(&packages, "tree", "/usr/bin/tree");
    assert_eq!(sha256(&generation_file(&ground, "r/platform", "/usr/bin/tree")), digest);
    let inside = ground.wrap("r/platform", &["sha256sum", "/usr/bin/tree"]).ok();
    assert!(inside.stdout.starts_with(&digest), "{}", inside.stdout);
}

#[test]
fn several_real_programs_run_and_packages_verify() {
    let Some((ground, _)) = family() else { return };
    ground.dnf("r/platform", &["install", "-y", "hello", "curl", "python3-minimal", "nginx-light"]).ok();
    ground.wrap("r/platform", &["hello"]).ok().says("Hello, world!");
    ground.wrap("r/platform", &["curl", "--version"]).ok().says("libcurl/");
    ground.wrap("r/platform", &["python3", "-c", "print(6 * 7)"]).ok().says("42");
    ground.wrap("r/platform", &["nginx", "-v"]).ok().says("nginx version");
    if is_root("rpm --root needs chroot(2)") {
        // Packaged /etc is the generation's, beside which NODE/etc holds the configuration.
        let generation = format!("{}/.redpak/current/", ground.at("r/platform"));
        let verified = run(
            "rpm",
            &["--root", &generation, "--dbpath", "/usr/lib/sysimage/rpm", "-Va", "--nodeps", "--noscripts"],
        );
        let wrong: Vec<&str> = verified.stdout.lines().filter(|line| !line.contains(" /var")).collect();
        assert_eq!(wrong, Vec::<&str>::new());
        let file = ground.path().join("r/platform/.redpak/current/usr/bin/hello");
        std::fs::remove_file(file).expect("it was installed");
        let verified = run(
            "rpm",
            &["--root", &generation, "--dbpath", "/usr/lib/sysimage/rpm", "-V", "--nodeps", "hello"],
        );
        assert!(verified.stdout.contains("missing     /usr/bin/hello"), "{}", verified.all());
    }
}

#[test]
fn a_base_system_fills_a_bare_root_as_dnf_would() {
    let Some(packages) = repository("REDPAK_REAL_REPOSITORY") else {
        skip("the repository of real packages is not there: tools/real-repository makes it");
        return;
    };
    let ground = Ground::new();
    ground.create("base", &["-m", "bare"]);
    ground.repository("base", "real", &packages);
    let wanted = ["bash", "coreutils", "base-files", "grep", "sed"];
    ground.dnf("base", &[&["install", "-y"], &wanted[..]].concat()).ok();
    let ran = ground.wrap("base", &["bash", "-c", "echo $((6 * 7)); ls /usr/bin | grep -c ."]).ok();
    assert!(ran.stdout.starts_with("42\n"), "{}", ran.stdout);
    let dbpath = format!("{}/var/lib/rpm", ground.at("base"));
    let ours = sorted(&run("rpm", &["-qa", "--qf", "%{NAME}\\n", "--dbpath", &dbpath]).ok().stdout);
    // The host's own bash is not what runs.
    let bash = generation_file(&ground, "base", "/usr/bin/bash");
    assert_eq!(sha256(&bash), packaged_digest(&packages, "bash", "/usr/bin/bash"));
    if !is_root("dnf, to compare with, wants to be root even for --assumeno") {
        return;
    }
    if run("sh", &["-c", "command -v dnf"]).code != 0 {
        skip("dnf is not there to compare with");
        return;
    }
    let root = ground.at("dnf-root");
    let from = format!("--repofrompath=real,file://{}", packages.display());
    let install = [
        "-y",
        "--assumeno",
        "--installroot",
        &root,
        "--releasever=1",
        "--nogpgcheck",
        &from,
        "--repo=real",
        "install",
    ];
    let theirs = run("dnf", &[&install[..], &wanted[..]].concat());
    let chosen: Vec<&str> = theirs
        .stdout
        .lines()
        .filter(|line| line.starts_with(' ') && line.contains(" real "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut chosen: Vec<String> = chosen.into_iter().map(str::to_owned).collect();
    chosen.sort_unstable();
    assert_eq!(ours, chosen, "{}", theirs.all());
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_program_started_by_its_packaged_script_finds_its_interpreter() {
    let Some((ground, _)) = family() else { return };
    ground.dnf("r/platform/vcs", &["install", "-y", "python3-minimal"]).ok();
    let mut child = ground.start("r/platform/vcs", &["python3", "-"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"import sys; print(sys.executable)").expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it was started");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "/usr/bin/python3\n");
    assert!(bin("redwrap").exists());
}
