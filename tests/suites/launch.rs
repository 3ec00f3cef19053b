//! `redwrap` by binary: exit codes, signals, what a launched node sees, and that nothing is left behind.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use redpak_tests::{Ground, bin, is_root, run, skip};

fn node() -> Ground {
    let ground = Ground::new();
    ground.create("r", &[]);
    ground.create("r/n", &[]);
    ground
}

#[test]
fn exit_codes_are_the_commands() {
    let ground = node();
    for (command, code) in [
        (&["sh", "-c", "exit 7"][..], 7),
        (&["true"], 0),
        (&["no-such-command"], 127),
        (&["/no/such/file"], 127),
        (&["/etc/passwd"], 126),
        (&["/usr"], 126),
        (&["sh", "-c", "kill -9 $$"], 137),
        (&["sh", "-c", "kill -TERM $$"], 143),
    ] {
        ground.wrap("r/n", command).expect(code);
    }
    // Nothing is printed for the command's own failure.
    assert_eq!(ground.wrap("r/n", &["sh", "-c", "exit 7"]).all(), "");
}

#[test]
fn redpaks_own_failures_are_125_and_say_what_to_do() {
    let ground = node();
    let wrap = |arguments: &[&str]| run(bin("redwrap"), arguments).expect(125);
    wrap(&["-r", &ground.at("none"), "--", "true"]).says("error").says("redconf create");
    wrap(&["true"]).says("--redpath");
    wrap(&["-r", &ground.at("r"), "--no-such-option"]).says("--help");
    let node = ground.at("r/n");
    run(bin("redconf"), &["disable", &node]).ok();
    wrap(&["-r", &node, "--", "true"]).says("disabled").says("redconf enable");
    run(bin("redconf"), &["enable", &node]).ok();
    run(bin("redwrap"), &["-r", &node, "--", "true"]).ok();
    run(bin("redwrap"), &["--help"]).ok().says("Examples");
}

#[test]
fn a_launched_node_sees_what_the_files_export_and_nothing_else() {
    let ground = node();
    let top = ground.wrap("r/n", &["ls", "/"]).ok();
    let seen: BTreeSet<&str> = top.stdout.lines().collect();
    let expected = ["bin", "dev", "etc", "lib", "lib64", "opt", "proc", "run", "sbin", "tmp", "usr", "var"];
    assert_eq!(seen, BTreeSet::from(expected));
    ground.wrap("r/n", &["test", "-e", "/etc/shadow"]).expect(1);
    ground.wrap("r/n", &["sh", "-c", "echo x > /usr/bin/x"]).expect(2).says("Read-only file system");
    ground.wrap("r/n", &["sh", "-c", "echo x > /var/home/kept; cat /var/home/kept"]).ok().says("x");
    assert!(ground.path().join("r/n/var/home/kept").exists());
    // Another node's data is not this one's.
    ground.wrap("r", &["test", "-e", "/var/home/kept"]).expect(1);
    let devices =
        ground.wrap("r/n", &["sh", "-c", "ls /dev; echo ok > /dev/null; head -c 4 /dev/zero | wc -c"]).ok();
    assert!(!devices.stdout.contains("vda") && devices.stdout.ends_with("4\n"), "{}", devices.stdout);
}

#[test]
fn the_command_has_no_rights_to_spare() {
    let ground = node();
    let status = ground.wrap("r/n", &["cat", "/proc/self/status"]).ok().stdout;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}")).trim().to_owned()
    };
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("Pid:"), "2");
    if rustix::process::geteuid().is_root() {
        assert_eq!(field("Groups:"), "");
    }
    ground.wrap("r/n", &["sh", "-c", "exec 3<>/proc/1/mem"]).expect(2);
}

#[test]
fn the_environment_is_the_familys() {
    let ground = node();
    let node = ground.at("r/n");
    let output = Command::new(bin("redwrap"))
        .args(["-r", &node, "-e", "GIVEN=1", "--", "env"])
        .env_clear()
        .envs([("SECRET", "x"), ("TERM", "vt100"), ("LD_PRELOAD", "/evil.so"), ("USER", "somebody")])
        .output()
        .expect("redwrap runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let names: BTreeSet<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert_eq!(
        names,
        BTreeSet::from(["GIVEN", "HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TERM", "USER"]),
        "{text}"
    );
    assert!(text.contains("LD_LIBRARY_PATH=/usr/lib64\n"), "{text}");
    assert!(text.contains("TERM=vt100\n") && text.contains("HOME=/var/home\n"), "{text}");
}

#[test]
fn namespaces_are_the_nodes_own_but_the_network() {
    let ground = node();
    for (kind, shared) in [
        ("mnt", false),
        ("user", false),
        ("pid", false),
        ("ipc", false),
        ("uts", false),
        ("cgroup", false),
        ("net", true),
    ] {
        let link = format!("/proc/self/ns/{kind}");
        let host = std::fs::read_link(&link).expect("a namespace");
        let inside = ground.wrap("r/n", &["readlink", &link]).ok();
        assert_eq!(inside.stdout.trim() == host.to_string_lossy(), shared, "{kind}");
    }
    assert_eq!(ground.wrap("r/n", &["uname", "-n"]).ok().stdout, "n\n");
}

#[test]
fn a_child_may_lose_the_network_and_its_children_do_not_get_it_back() {
    let ground = node();
    let file = "r/n/etc/redpak.yaml";
    let text = std::fs::read_to_string(ground.path().join(file)).expect("it was created");
    ground.write(file, &text.replace("\nexports:", "\nconfig: {share_net: disabled}\n\nexports:"));
    ground.create("r/n/c", &[]);
    let routes = ground.wrap("r/n/c", &["cat", "/proc/net/dev"]).ok();
    let interfaces = routes.stdout.lines().skip(2).count();
    assert_eq!(interfaces, 1, "only loopback: {}", routes.stdout);
    let file = "r/n/c/etc/redpak.yaml";
    let text = std::fs::read_to_string(ground.path().join(file)).expect("it was created");
    ground.write(file, &text.replace("\nexports:", "\nconfig: {share_net: enabled}\n\nexports:"));
    ground.wrap("r/n/c", &["true"]).expect(125).says("share_net").says("r/n/etc/redpak.yaml");
}

#[test]
fn a_childs_export_of_what_its_parent_does_not_show_is_refused() {
    let ground = node();
    let file = "r/n/etc/redpak.yaml";
    let text = std::fs::read_to_string(ground.path().join(file)).expect("it was created");
    for line in [
        "{mount: /host, mode: Restricted, path: /}",
        "{mount: /root, mode: Public, path: /root}",
        "{mount: /usr, mode: Public, path: /usr}",
    ] {
        ground.write(file, &format!("{text}  - {line}\n"));
        let ran = ground.wrap("r/n", &["true"]).expect(125);
        assert!(ran.stderr.contains("error[RP0"), "{}", ran.stderr);
    }
    // What the parent shows may be shown elsewhere, not wider.
    ground.write(file, &format!("{text}  - {{mount: /tools, mode: Restricted, path: /usr/bin}}\n"));
    ground.wrap("r/n", &["/tools/true"]).ok();
}

#[test]
fn signals_reach_the_command_once_and_end_it() {
    let ground = node();
    let script = "trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child = ground.start("r/n", &["sh", "-c", script]);
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("a pipe")))
        .map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    run("kill", &["-TERM", &child.id().to_string()]).ok();
    assert_eq!(lines.collect::<Vec<_>>(), ["got"]);
    assert_eq!(child.wait().expect("it was started").code(), Some(3));
}

#[test]
fn only_the_command_is_executed() {
    if run("sh", &["-c", "command -v strace"]).code != 0 {
        skip("strace is not there");
        return;
    }
    let ground = node();
    let trace = ground.at("trace");
    run(
        "strace",
        &[
            "-f",
            "-qq",
            "-e",
            "trace=execve,execveat",
            "-o",
            &trace,
            &bin("redwrap").to_string_lossy(),
            "-r",
            &ground.at("r/n"),
            "--",
            "true",
        ],
    )
    .ok();
    let text = std::fs::read_to_string(&trace).expect("strace wrote it");
    let calls: Vec<&str> =
        text.lines().filter(|line| line.contains("exec") && line.ends_with("= 0")).collect();
    assert_eq!(calls.len(), 2, "redwrap itself and the command: {text}");
}

#[test]
fn nothing_is_left_after_many_launches_and_kills() {
    let ground = node();
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").expect("procfs");
    let before = mounts();
    let marker = format!("3{:05}", std::process::id() % 100_000);
    for round in 0..200u64 {
        let mut child = Command::new(bin("redwrap"))
            .args(["-r", &ground.at("r/n"), "--", "sleep", &marker])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redwrap starts");
        // Every phase of a launch is hit by one round or another.
        std::thread::sleep(Duration::from_micros(round * 53));
        child.kill().expect("killed");
        child.wait().expect("it was started");
    }
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let left = run("pgrep", &["-f", &format!("sleep {marker}")]);
        if left.stdout.is_empty() {
            break;
        }
        assert!(Instant::now() < until, "left running: {}", left.stdout);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(mounts(), before);
    assert_eq!(std::fs::read_dir(ground.path()).expect("listed").count(), 1, "files were left");
    ground.wrap("r/n", &["true"]).ok();
}

#[test]
fn a_plan_is_printed_and_nothing_runs() {
    let ground = node();
    let node = ground.at("r/n");
    let text = run(bin("redwrap"), &["-r", &node, "--dump-only", "--", "touch", "/var/home/ran"]).ok().stdout;
    assert!(text.starts_with("bwrap \\\n") && text.contains("--ro-bind") && text.contains("touch"), "{text}");
    let json =
        run(bin("redwrap"), &["-r", &node, "--dump-only=json", "--", "touch", "/var/home/ran"]).ok().stdout;
    let plan: serde_json::Value =
        serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(plan["version"], 1);
    assert_eq!(plan["command"][0], "touch");
    assert!(!ground.path().join("r/n/var/home/ran").exists());
}

#[test]
fn the_printed_line_does_in_bubblewrap_what_the_plan_does_here() {
    if run("sh", &["-c", "command -v bwrap"]).code != 0 {
        skip("bwrap is not there");
        return;
    }
    let ground = node();
    // The root node has no overlay, which Debian's bubblewrap does not know.
    let listing = [
        "sh",
        "-c",
        "cd /; find . -maxdepth 2 -not -path './proc/*' -not -path './dev/*' | sort; env | sort; pwd; uname -n",
    ];
    let ours = ground.wrap("r", &listing).ok();
    let dumped =
        run(bin("redwrap"), &[&["-r", &ground.at("r"), "--dump-only", "--"], &listing[..]].concat()).ok();
    let theirs = run("sh", &["-c", &dumped.stdout]).ok();
    assert_eq!(ours.stdout, theirs.stdout);
}

#[test]
fn nothing_of_the_kernel_can_be_written() {
    let ground = node();
    // access(2) as find(1) asks it judges owner, mode and mount, with the rights that the command has.
    let script = "find /proc -path '/proc/[0-9]*' -prune -o -type f -writable -print 2>/dev/null";
    // An ordinary user writes what the host lets everybody write.
    if rustix::process::geteuid().is_root() {
        assert_eq!(ground.wrap("r/n", &["sh", "-c", script]).stdout, "");
    }
    ground.wrap("r/n", &["sh", "-c", "echo 0 > /proc/sys/vm/overcommit_memory"]).expect(2);
    // A process writes its own, as programs do.
    ground.wrap("r/n", &["sh", "-c", "echo 500 > /proc/self/oom_score_adj"]).ok();
}

#[test]
fn what_cannot_be_printed_is_an_error_or_ignored_never_a_panic() {
    let ground = node();
    let file = "r/n/etc/redpak.yaml";
    let text = std::fs::read_to_string(ground.path().join(file)).expect("it was created");
    let missing = "\nexports:\n  - {mount: /n, mode: Restricted, path: /usr/none}";
    ground.write(file, &text.replace("\nexports:", missing));
    let (redwrap, redconf) = (bin("redwrap").display().to_string(), bin("redconf").display().to_string());
    let (node, root) = (ground.at("r/n"), ground.at("r"));
    for (script, code) in [
        // The warning about /usr/none goes nowhere, and the command runs.
        (format!("{redwrap} -r {node} -- sh -c 'exit 7' 2>/dev/full"), 7),
        (format!("{redwrap} -r {node} -- no-such-command 2>/dev/full"), 127),
        (format!("{redwrap} -r {root}/none -- true 2>/dev/full"), 125),
        (format!("{redwrap} -r {node} --dump-only=json -- true >/dev/full 2>&1"), 125),
        (format!("{redwrap} -r {node} -D -- true >/dev/full"), 125),
        (format!("{redconf} tree {root} >/dev/full"), 1),
        (format!("{redconf} mergeconfig {node} >/dev/full 2>&1"), 1),
        (format!("{redconf} check {root}/none 2>/dev/full"), 1),
    ] {
        run("sh", &["-c", &script]).expect(code);
    }
}

#[test]
fn descriptors_that_are_not_open_are_refused_whatever_their_number() {
    let ground = node();
    let node = ground.at("r/n");
    let redwrap = bin("redwrap").display().to_string();
    for count in ["1", "2000000", "4294967295"] {
        // Whatever runs the suite may have left a descriptor 3 open.
        let script = format!("exec {redwrap} -r {node} --preserve-fds {count} -- true 3<&-");
        run("sh", &["-c", &script]).expect(125).says("descriptor 3");
    }
    let script = format!(
        "LISTEN_FDS=4294967295 LISTEN_PID=$$ exec {redwrap} -r {node} --preserve-fds 1 -- true 3</dev/null 4<&-"
    );
    run("sh", &["-c", &script]).expect(125).says("descriptor 4");
    let script =
        format!("exec {redwrap} -r {node} --preserve-fds 1 -- cat /proc/self/fd/3 3<{node}/etc/redpak.yaml");
    run("sh", &["-c", &script]).ok().says("headers:");
}

#[test]
fn descriptors_meant_for_another_process_are_not_announced_to_the_command() {
    let ground = node();
    let file = "r/etc/redpak.yaml";
    let text = std::fs::read_to_string(ground.path().join(file)).expect("it was created");
    ground.write(file, &text.replace("\nconfig:", "\nconfig:\n  inherit-env: true"));
    let node = ground.at("r/n");
    let output = Command::new(bin("redwrap"))
        .args(["-r", &node, "--", "env"])
        .envs([("LISTEN_FDS", "2"), ("LISTEN_PID", "1"), ("OTHER", "x")])
        .output()
        .expect("redwrap runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("OTHER=x\n") && !text.contains("LISTEN_"), "{text}");
}

#[test]
fn a_node_lies_where_it_lies_whatever_its_path_looks_like() {
    let ground = Ground::new();
    for (index, name) in ["d$HOME", "d$(id)", r"d\$b", "d,b:c", "d \u{e9}"].into_iter().enumerate() {
        let alias = format!("n{index}");
        ground.create(name, &["-a", &alias]);
        ground.create(&format!("{name}/k"), &[]);
        ground.wrap(&format!("{name}/k"), &["sh", "-c", "echo x > /var/home/kept"]).ok();
        assert!(ground.path().join(name).join("k/var/home/kept").exists(), "{name}");
    }
}

#[test]
fn a_privileged_binary_refuses_and_says_why() {
    use std::os::unix::fs::PermissionsExt;
    if !is_root("a setuid program of another user is made by root") {
        return;
    }
    let ground = node();
    let copy = ground.path().join("redwrap");
    std::fs::copy(bin("redwrap"), &copy).expect("copied");
    for path in [ground.path(), &copy] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o4755)).expect("chmod");
    }
    let line = [copy.to_str().expect("UTF-8"), "-r", &ground.at("r/n"), "--", "true"].map(str::to_owned);
    let arguments = [&["-u", "nobody", "--"][..], &line.each_ref().map(String::as_str)].concat();
    run("runuser", &arguments).expect(125).says("setuid").says("chmod");
}

#[test]
fn the_callers_keys_are_not_the_commands() {
    if run("sh", &["-c", "command -v python3"]).code != 0 {
        skip("python3 is not there");
        return;
    }
    let ground = node();
    // add_key(2), and keyctl(2) KEYCTL_JOIN_SESSION_KEYRING, KEYCTL_SEARCH; numbers of asm-generic and of x86_64.
    let numbers =
        if cfg!(target_arch = "x86_64") { "add, keyctl = 248, 250" } else { "add, keyctl = 217, 219" };
    let common = format!("import ctypes, subprocess, sys\nc = ctypes.CDLL(None).syscall\n{numbers}\n");
    let search = format!("{common}print(c(keyctl, 10, -3, b'user', b'redpak-test', 0))");
    let script = format!(
        "{common}c(keyctl, 1, None)\nc(add, b'user', b'redpak-test', b'secret', 6, -3)\n\
         sys.exit(subprocess.call(sys.argv[1:]))"
    );
    let (redwrap, node) = (bin("redwrap").display().to_string(), ground.at("r/n"));
    let outside = run("python3", &["-c", &script, "python3", "-c", &search]).ok();
    if outside.stdout.trim() == "-1" {
        skip("the kernel has no keyrings, or none are allowed here");
        return;
    }
    let inside = run("python3", &["-c", &script, &redwrap, "-r", &node, "--", "python3", "-c", &search]).ok();
    assert_eq!(inside.stdout.trim(), "-1", "a key of the caller's is found inside");
}

#[test]
fn the_admin_configuration_is_laid_on_top_when_asked() {
    let ground = node();
    let text = "headers: {alias: n}\nenviron:\n  - {key: WHO, mode: Static, value: admin}\n";
    ground.write("r/n/etc/redpak-admin.yaml", text);
    let node = ground.at("r/n");
    for (options, expected) in
        [(&["-r", node.as_str()][..], 1), (&["-a", "-r", &node], 0), (&["-r", &node, "--admin"], 0)]
    {
        run(bin("redwrap"), &[options, &["--", "sh", "-c", "test \"$WHO\" = admin"]].concat())
            .expect(expected);
    }
    ground.write("other.yaml", &text.replace("value: admin", "value: other"));
    let given = format!("--admin={}", ground.at("other.yaml"));
    run(bin("redwrap"), &["-r", &node, &given, "--", "sh", "-c", "test \"$WHO\" = other"]).ok();
}

#[test]
fn directories_of_packages_are_never_writable() {
    let ground = node();
    for top in ["usr", "etc", "opt"] {
        ground.wrap("r/n", &["sh", "-c", &format!("echo x > /{top}/lost")]).expect(2).says("Read-only");
    }
}
