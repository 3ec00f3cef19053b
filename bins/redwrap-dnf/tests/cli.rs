//! `redwrap-dnf` by binary: exit codes and what people see, on real packages.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// 170 real packages.
/// 170 real packages: where `tools/real-repository` put them.
fn real() -> String {
    std::env::var("REDPAK_REAL_REPOSITORY").unwrap_or_else(|_| "/var/cache/redpak-tests/realrepo".to_owned())
}

fn dnf(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_redwrap-dnf"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .expect("starts")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs, and asserts exit code and a part of what is printed.
fn expect(arguments: &[&str], code: i32, part: &str) -> String {
    let output = dnf(arguments);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(text.contains(part), "{arguments:?}: `{part}` is not in: {text}");
    text
}

fn skip(reason: &str) {
    assert!(std::env::var_os("REDPAK_MUST_WORK").is_none(), "{reason}");
    println!("SKIP: {reason}");
}

#[test]
fn the_command_line_is_judged_first() {
    expect(&["install", "jq"], 2, "which node?");
    expect(&["--redpath", "/nowhere", "frobnicate"], 2, "there is no verb `frobnicate`");
    expect(&["--redpath", "/nowhere", "history", "list"], 1, "not supported yet: history");
    expect(&["--redpath", "/nowhere", "install"], 2, "required");
    expect(&["--redpath", "/nowhere", "--setopt=x", "list"], 2, "KEY=VALUE");
    expect(&["--redpath", "/nowhere", "list"], 1, "error[");
    expect(&["--help"], 0, "Examples:");
}

#[test]
fn packages_come_and_go() {
    if !Path::new(&real()).is_dir() {
        return skip("no repository of real packages");
    }
    let directory =
        tempfile::Builder::new().prefix("redpak-cli-").tempdir_in("/var/tmp").expect("a directory");
    let root = directory.path().join("root");
    let platform = root.join("platform");
    let app = platform.join("app");
    let (root, platform, app) =
        (root.to_str().expect("text"), platform.to_str().expect("text"), app.to_str().expect("text"));
    expect(&["manager", "--redpath", platform, "--alias", "platform"], 0, "a root node");
    expect(&["manager", "--redpath", app], 0, &format!("child of {platform}"));
    let repos = Path::new(root).join("etc/yum.repos.d");
    fs::create_dir_all(&repos).expect("writable");
    let file = format!("[real]\nname=Real\nbaseurl=file://{}\ngpgcheck=0\n", real());
    fs::write(repos.join("real.repo"), file).expect("writable");
    if !sandboxes_can_be_made() {
        return skip("no user namespaces");
    }
    expect(&["-r", root, "install", "-y", "jq"], 1, "the root node's packages are the host's");
    let table = expect(&["-r", platform, "install", "--assumeno", "hello"], 1, "Operation aborted.");
    assert!(table.contains("Installing:\n hello ") && table.contains("Transaction Summary:"), "{table}");
    expect(&["-r", platform, "list", "--installed"], 0, "");
    expect(&["-r", platform, "install", "-y", "hello"], 0, "Complete!");
    let rows = dnf(&["-r", platform, "list", "--installed", "--json"]);
    let rows: serde_json::Value = serde_json::from_slice(&rows.stdout).expect("JSON");
    assert_eq!((rows[0]["name"].as_str(), rows[0]["place"].as_str()), (Some("hello"), Some("platform")));
    expect(
        &["-r", app, "install", "-y", "hello"],
        0,
        "hello: provided by platform (hello-2.10-3.x86_64)\nNothing to do.",
    );
    expect(&["-r", app, "remove", "-y", "hello"], 1, "belongs to the node `platform`");
    expect(&["-r", app, "list", "--family"], 0, "platform");
    expect(&["-r", platform, "check-upgrade"], 0, "");
    expect(&["-r", platform, "install", "no-such-thing"], 1, "no match for argument: no-such-thing");
    // A list of problems stands line by line.
    let refused = expect(&["-r", platform, "install", "-y", "libc6"], 1, "it brings the C library");
    assert!(!refused.contains("\\n"), "{refused}");
    expect(&["-r", platform, "remove", "-y", "hello"], 0, "Removing:\n hello ");
    // Generations that nobody needs give their space back.
    for verb in ["install", "remove"] {
        expect(&["-r", platform, verb, "-y", "hello"], 0, "Complete!");
    }
    assert_eq!(fs::read_dir(Path::new(platform).join(".redpak/gen")).expect("there").count(), 3);
    nobody_reads_on(&["-r", platform, "list"]);
    not_the_callers(directory.path(), platform);
    let lost = ["--repofrompath", "lost,file:///nowhere", "-r", platform, "list"];
    let said = expect(&lost, 1, "the repository `lost` cannot be read");
    assert!(said.contains("--disable-repo lost"), "{said}");
    expect(&["-r", platform, "clean"], 0, "files removed");
    expect(&["-r", platform, "-C", "list"], 1, "nothing is kept of the repository `real`");
}

/// Somebody else's node is refused before anything is asked.
fn not_the_callers(directory: &Path, node: &str) {
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory, open).expect("ours");
    // The build directory may not be readable for another user.
    let program = directory.join("redwrap-dnf");
    fs::copy(env!("CARGO_BIN_EXE_redwrap-dnf"), &program).expect("there");
    let output = Command::new("setpriv")
        .args(["--reuid", "54321", "--regid", "54321", "--clear-groups"])
        .arg(&program)
        .args(["-r", node, "install", "-y", "hello"])
        .env("HOME", "/nonexistent")
        .output();
    match output {
        Ok(output) if std::os::unix::fs::MetadataExt::uid(&fs::metadata(node).expect("there")) == 0 => {
            let said = text(&output);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("you may not change the node") && !said.contains("Installing"), "{said}");
        }
        _ => println!("SKIP: only root can be somebody else"),
    }
}

/// `redwrap-dnf list | head`: no word about it, and the end that other programs have.
fn nobody_reads_on(arguments: &[&str]) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_redwrap-dnf"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.signal(), text(&output).as_str()), (Some(13), ""));
}

/// Whether the sandbox of package work can be made here.
fn sandboxes_can_be_made() -> bool {
    Command::new("unshare")
        .args(["--user", "--map-root-user", "true"])
        .status()
        .is_ok_and(|status| status.success())
}
