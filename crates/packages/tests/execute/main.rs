//! Transactions executed for real: packages built with rpmbuild, librpm, the sandbox, generations on disk.
//!
//! This program is the transaction's process too, so it has its own `main`. Run by root, all tests run a second time
//! as an ordinary user.

mod fixture;
mod lifecycle;
mod refusals;
mod scriptlets;
mod trust;

use std::panic::catch_unwind;
use std::process::{Command, ExitCode};

/// A user id that nobody has.
const USER: &str = "54321";
const AS_USER: &str = "REDPAK_EXECUTE_TEST_AS_USER";

type Test = (&'static str, fn());

fn main() -> ExitCode {
    if let Some(code) = redpak_packages::execute::worker_main() {
        return ExitCode::from(code);
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let Some(missing) = missing() {
        assert!(std::env::var_os("REDPAK_MUST_WORK").is_none(), "{missing}");
        println!("SKIP: {missing}");
        return ExitCode::SUCCESS;
    }
    let tests: Vec<Test> = [lifecycle::TESTS, scriptlets::TESTS, refusals::TESTS, trust::TESTS]
        .concat()
        .into_iter()
        .filter(|(name, _)| words.is_empty() || words.iter().any(|word| name.contains(word.as_str())))
        .collect();
    let mut failed = 0;
    for (name, test) in &tests {
        let good = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if good { "ok" } else { "FAILED" });
        failed += u32::from(!good);
    }
    println!("test result: {} passed, {failed} failed", tests.len() - failed as usize);
    if rustix::process::geteuid().is_root() && std::env::var_os(AS_USER).is_none() {
        failed += u32::from(!again_as_user(&words));
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn again_as_user(words: &[String]) -> bool {
    println!("as user {USER}:");
    // The build directory may not be readable for that user; a copy of the program in a world-readable place is.
    let directory = tempfile::Builder::new().prefix("redpak-execute").tempdir_in("/var/tmp").unwrap();
    let program = directory.path().join("execute");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::os::unix::fs::chown(directory.path(), USER.parse().ok(), None).unwrap();
    let status = Command::new("setpriv")
        .args(["--reuid", USER, "--regid", USER, "--clear-groups"])
        .arg(&program)
        .args(words)
        .env(AS_USER, "1")
        .env("HOME", directory.path())
        .current_dir("/")
        .status();
    status.is_ok_and(|status| status.success())
}

fn missing() -> Option<String> {
    let there =
        |name: &str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    for tool in ["rpm", "rpmbuild", "rpmsign", "gpg"] {
        if !there(tool) {
            return Some(format!("{tool} is not installed"));
        }
    }
    let namespaces = Command::new("unshare").args(["--user", "--map-root-user", "true"]).status();
    (!namespaces.is_ok_and(|status| status.success())).then(|| "no user namespaces".to_owned())
}
