//! End-to-end tests: the ground that they stand on. Nodes in a directory of their own, the binaries by path, output
//! and exit code of each command, repositories, and the one way to skip a test.

#![forbid(unsafe_code)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// Prints why a test cannot run here. Where `REDPAK_MUST_WORK=1`, that is a failure.
pub fn skip(reason: &str) {
    assert!(
        std::env::var_os("REDPAK_MUST_WORK").is_none_or(|value| value != "1"),
        "must work here, but: {reason}"
    );
    println!("SKIP: {reason}");
}

/// Whether the caller is root; when it is not, says what the run as root has and this one has not.
pub fn is_root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("only as root: {what}");
    }
    root
}

/// Where the binaries under test are.
pub fn bin(name: &str) -> PathBuf {
    let directory = std::env::var_os("REDPAK_BIN")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bin")), PathBuf::from);
    let path = directory.join(name);
    assert!(path.exists(), "{} is not there: `make build` makes it", path.display());
    path
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; 128+n after signal n.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    line: String,
}

impl Ran {
    fn from(line: String, output: &Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
        Self {
            code,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            line,
        }
    }

    /// Fails the test unless the command ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "`{}` ended with {}\n--- stdout\n{}\n--- stderr\n{}",
            self.line, self.code, self.stdout, self.stderr
        );
        self
    }

    /// Fails the test unless the command ended with 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.expect(0)
    }

    /// Both outputs.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Fails the test unless one of the outputs holds `text`.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.all().contains(text), "`{}` does not say `{text}`:\n{}", self.line, self.all());
        self
    }
}

/// Runs a program with arguments and no standard input.
#[track_caller]
pub fn run<P: AsRef<std::ffi::OsStr>>(program: P, arguments: &[&str]) -> Ran {
    let mut command = Command::new(&program);
    command.args(arguments).stdin(Stdio::null()).env("NO_COLOR", "1").env("LANG", "C.UTF-8");
    let line = format!("{} {}", program.as_ref().to_string_lossy(), arguments.join(" "));
    let output = command.output().unwrap_or_else(|error| panic!("cannot run `{line}`: {error}"));
    Ran::from(line, &output)
}

/// A directory for one test, with a family of nodes in it.
pub struct Ground {
    dir: TempDir,
}

impl Ground {
    /// An empty one, below a directory on disk: overlayfs wants a file system with user extended attributes.
    #[track_caller]
    pub fn new() -> Self {
        let above = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
        let dir = tempfile::Builder::new().prefix("redpak-test.").tempdir_in(above);
        Self { dir: dir.unwrap_or_else(|error| panic!("no temporary directory: {error}")) }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path in it, as text.
    pub fn at(&self, name: &str) -> String {
        self.path().join(name).to_string_lossy().into_owned()
    }

    /// Creates a node with `redconf`, with more arguments before its path.
    #[track_caller]
    pub fn create(&self, name: &str, arguments: &[&str]) {
        let path = self.at(name);
        run(bin("redconf"), &[&["create"], arguments, &[path.as_str()]].concat()).ok();
    }

    /// Makes a repository known to a node, without signatures.
    #[track_caller]
    pub fn repository(&self, node: &str, id: &str, directory: &Path) {
        let text = format!("[{id}]\nname={id}\nbaseurl=file://{}\ngpgcheck=0\n", directory.display());
        self.write(&format!("{node}/etc/yum.repos.d/{id}.repo"), &text);
    }

    /// Writes a file.
    #[track_caller]
    pub fn write(&self, name: &str, text: &str) {
        let done = std::fs::File::create(self.path().join(name))
            .and_then(|mut file| file.write_all(text.as_bytes()));
        done.unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
    }

    /// Runs `redwrap-dnf --redpath NODE …`.
    #[track_caller]
    pub fn dnf(&self, node: &str, arguments: &[&str]) -> Ran {
        let path = self.at(node);
        run(bin("redwrap-dnf"), &[&["--redpath", path.as_str()], arguments].concat())
    }

    /// Runs a command in a node.
    #[track_caller]
    pub fn wrap(&self, node: &str, command: &[&str]) -> Ran {
        let path = self.at(node);
        run(bin("redwrap"), &[&["-r", path.as_str(), "--"], command].concat())
    }

    /// Starts a command in a node, with pipes.
    #[track_caller]
    pub fn start(&self, node: &str, command: &[&str]) -> Child {
        Command::new(bin("redwrap"))
            .args(["-r", &self.at(node), "--"])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start redwrap: {error}"))
    }
}

impl Default for Ground {
    fn default() -> Self {
        Self::new()
    }
}

/// A repository that the suite's runner made, by the variable that names it.
pub fn repository(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from)?;
    path.join("repodata/repomd.xml").exists().then_some(path)
}

/// Hexadecimal SHA-256 of a file.
#[track_caller]
pub fn sha256(path: &Path) -> String {
    use sha2::{Digest, Sha256};
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
