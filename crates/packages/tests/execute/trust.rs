//! Which packages are believed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use redpak_packages::execute::ExecuteErrorKind;
use redpak_packages::transaction::{Action, Step};

use crate::Test;
use crate::fixture::{Fixture, step};

pub const TESTS: &[Test] = &[
    ("signatures_are_demanded_and_judged", signatures_are_demanded_and_judged),
    ("an_altered_package_is_refused", an_altered_package_is_refused),
    ("checksums_and_sizes_are_compared", checksums_and_sizes_are_compared),
    ("what_a_package_says_it_is_counts", what_a_package_says_it_is_counts),
];

const URL: &str = "file:///key";

/// A GnuPG home with keys.
struct Gpg(tempfile::TempDir);

impl Gpg {
    fn new() -> Self {
        let home = tempfile::Builder::new().prefix("rg").tempdir_in("/var/tmp").unwrap();
        Self(home)
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("gpg")
            .args(["--batch", "--yes", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""])
            .args(arguments)
            .env("GNUPGHOME", self.0.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn make(&self, name: &str, algorithm: &str, usage: &str, expire: &str) {
        self.run(&["--quick-gen-key", name, algorithm, usage, expire]);
    }

    fn fingerprint(&self, name: &str) -> String {
        let listing = String::from_utf8(self.run(&["--with-colons", "--list-keys", name])).unwrap();
        let line = listing.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    fn export(&self, name: &str) -> Vec<u8> {
        self.run(&["--armor", "--export", name])
    }

    fn sign(&self, name: &str, package: &Path) -> PathBuf {
        let signed = package.with_file_name(format!(
            "{}-{}",
            name.replace(['@', '!'], "_"),
            package.file_name().unwrap().to_str().unwrap()
        ));
        fs::copy(package, &signed).unwrap();
        let output = Command::new("rpmsign")
            .args(["--define", &format!("_gpg_name {name}"), "--define", "__gpg /usr/bin/gpg"])
            .args(["--define", "_gpg_sign_cmd_extra_args --batch --pinentry-mode loopback --passphrase ''"])
            .arg("--addsign")
            .arg(&signed)
            .env("GNUPGHOME", self.0.path())
            .env("HOME", self.0.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        signed
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // The agent that gpg started for this home, and no other.
        let _ = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", self.0.path()).output();
    }
}

fn checked(path: &Path) -> Step {
    let mut step = step(Action::Install, path);
    let source = step.source.as_mut().unwrap();
    source.gpgcheck = true;
    source.keys = vec![URL.to_owned()];
    step
}

fn signatures_are_demanded_and_judged() {
    let mut f = Fixture::new();
    let gpg = Gpg::new();
    let package = f.one_file("signed", "1", "/usr/share/signed", "");
    gpg.make("rsa@test", "rsa2048", "sign", "0");
    gpg.make("ed@test", "ed25519", "sign", "0");
    gpg.make("weak@test", "rsa1024", "sign", "0");
    gpg.make("short@test", "rsa2048", "sign", "seconds=2");
    gpg.make("other@test", "rsa2048", "sign", "0");
    gpg.make("sub@test", "rsa2048", "cert", "0");
    gpg.run(&["--quick-add-key", &gpg.fingerprint("sub@test"), "rsa2048", "sign", "0"]);

    // Refused: no key, no signature, another key's.
    let by_rsa = gpg.sign("rsa@test", &package);
    assert_eq!(f.refused(vec![checked(&by_rsa)]).kind, ExecuteErrorKind::Signature);
    f.keys.insert(URL.into(), gpg.export("rsa@test"));
    let error = f.refused(vec![checked(&package)]);
    assert!(error.to_string().contains("not signed"), "{error}");
    let error = f.refused(vec![checked(&gpg.sign("other@test", &package))]);
    assert!(error.to_string().contains("not one of the repository's"), "{error}");

    let expired = gpg.sign("short@test", &package);
    std::thread::sleep(std::time::Duration::from_secs(3));
    f.keys.insert(URL.into(), gpg.export("short@test"));
    let error = f.refused(vec![checked(&expired)]);
    assert!(error.to_string().contains("has expired"), "{error}");

    f.keys.insert(URL.into(), gpg.export("weak@test"));
    let error = f.refused(vec![checked(&gpg.sign("weak@test", &package))]);
    assert!(error.to_string().contains("2048"), "{error}");

    // A revoked key: gpg makes the certificate with the key.
    let by_other = gpg.sign("other@test", &package);
    let fingerprint = gpg.fingerprint("other@test");
    let certificate = gpg.0.path().join(format!("openpgp-revocs.d/{fingerprint}.rev"));
    let text = fs::read_to_string(&certificate).unwrap().replace(":-----BEGIN", "-----BEGIN");
    fs::write(&certificate, text).unwrap();
    let good = gpg.export("other@test");
    gpg.run(&["--import", certificate.to_str().unwrap()]);
    f.keys.insert(URL.into(), gpg.export("other@test"));
    let error = f.refused(vec![checked(&by_other)]);
    assert!(error.to_string().contains("is revoked"), "{error}");

    // Taken: RSA, EdDSA, a subkey, the key before it was revoked; several keys in one file.
    let by_ed = gpg.sign("ed@test", &package);
    let by_sub = gpg.sign("sub@test", &package);
    let all = [gpg.export("rsa@test"), gpg.export("ed@test"), gpg.export("sub@test"), good].concat();
    f.keys.insert(URL.into(), all);
    for path in [&by_rsa, &by_ed, &by_sub, &by_other] {
        f.run(vec![checked(path)]).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        f.run(vec![crate::fixture::remove(path)]).unwrap();
    }

    // A revoked subkey, and signed content that was changed.
    gpg_revoke_subkey(&gpg);
    f.keys.insert(URL.into(), gpg.export("sub@test"));
    let error = f.refused(vec![checked(&by_sub)]);
    assert!(error.to_string().contains("revoked"), "{error}");
}

fn gpg_revoke_subkey(gpg: &Gpg) {
    let mut child = Command::new("gpg")
        .args(["--no-tty", "--command-fd", "0", "--pinentry-mode", "loopback", "--passphrase", ""])
        .args(["--edit-key", "sub@test"])
        .env("GNUPGHOME", gpg.0.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    use std::io::Write;
    child.stdin.take().unwrap().write_all(b"key 1\nrevkey\ny\n1\n\ny\nsave\n").unwrap();
    assert!(child.wait().unwrap().success());
}

/// Every kind of byte of a signed package, changed: before the signature header, in it, in the header, in the payload.
fn an_altered_package_is_refused() {
    let mut f = Fixture::new();
    let gpg = Gpg::new();
    gpg.make("rsa@test", "rsa2048", "sign", "0");
    f.keys.insert(URL.into(), gpg.export("rsa@test"));
    let package =
        gpg.sign("rsa@test", &f.one_file("altered", "1", "/usr/share/altered", "%post\necho harmless\n"));
    let good = fs::read(&package).unwrap();
    let find = |needle: &[u8]| good.windows(needle.len()).position(|window| window == needle).unwrap();
    let script = find(b"echo harmless");
    let places = [0, 100, script, good.len() - 1, good.len() - 40];
    for at in places {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&package, bytes).unwrap();
        let mut step = checked(&package_named(&f, &good));
        step.source.as_mut().unwrap().path.clone_from(&package);
        let error = f.refused(vec![step]);
        assert!(
            matches!(error.kind, ExecuteErrorKind::Integrity | ExecuteErrorKind::Signature),
            "{at}: {error}"
        );
    }
    for length in [0, 50, 96, 200, script, good.len() - 1] {
        fs::write(&package, &good[..length]).unwrap();
        let mut step = checked(&package_named(&f, &good));
        step.source.as_mut().unwrap().path.clone_from(&package);
        assert_eq!(f.refused(vec![step]).kind, ExecuteErrorKind::Integrity, "{length}");
    }
    fs::write(&package, &good).unwrap();
    f.run(vec![checked(&package)]).unwrap();
}

/// An unaltered copy, to know what the step is about.
fn package_named(f: &Fixture, good: &[u8]) -> PathBuf {
    let path = f.temporary.path().join("unaltered.rpm");
    fs::write(&path, good).unwrap();
    path
}

fn checksums_and_sizes_are_compared() {
    let mut f = Fixture::new();
    let package = f.one_file("summed", "1", "/usr/share/summed", "");
    let output = Command::new("sha256sum").arg(&package).output().unwrap();
    let sum = String::from_utf8(output.stdout).unwrap()[..64].to_owned();
    let with = |algorithm: &str, sum: &str, size: u64| {
        let mut step = step(Action::Install, &package);
        let source = step.source.as_mut().unwrap();
        source.checksum = Some((algorithm.into(), sum.into()));
        source.size = size;
        step
    };
    let size = fs::metadata(&package).unwrap().len();
    for step in [with("sha256", &"0".repeat(64), 0), with("sha256", &sum, size + 1), with("md5", &sum, 0)] {
        assert_eq!(f.refused(vec![step]).kind, ExecuteErrorKind::Integrity);
    }
    f.run(vec![with("sha256", &sum.to_uppercase(), size)]).unwrap();
}

fn what_a_package_says_it_is_counts() {
    let mut f = Fixture::new();
    let package = f.one_file("real", "1", "/usr/share/real", "");
    let mut other = step(Action::Install, &package);
    other.nevra.version = "2".into();
    let error = f.refused(vec![other]);
    assert_eq!(error.kind, ExecuteErrorKind::Integrity);
    assert!(error.to_string().contains("holds real-1-1.noarch"), "{error}");
    let mut nowhere = step(Action::Install, &package);
    nowhere.source = None;
    f.refused(vec![nowhere]);
}
