//! Families made by hand in a directory of their own, and the program.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What a command printed and how it ended.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        let all = format!("{}{}", self.stdout, self.stderr);
        assert!(all.contains(part), "no `{part}` in\n{all}");
        self
    }
}

/// Runs the program with an environment that is the same everywhere.
pub fn redconf(arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_redconf"))
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "vt100")
        .output()
        .expect("it starts");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

pub struct Ground {
    dir: tempfile::TempDir,
}

/// A root node that shows a little of the host.
const ROOT: &str = "\
config:
  umask: 027
  share_all: disabled
  share_net: enabled
  path: /usr/bin
  capabilities:
    - {cap: CAP_NET_BIND_SERVICE, add: 1}
    - {cap: CAP_CHOWN, add: 1}
environ:
  - {key: HOME, value: /home}
  - {key: USER, value: somebody}
  - {key: COLOUR, value: blue}
  - {key: KEPT, mode: Inherit}
exports:
  - {mount: /usr, mode: Restricted}
  - {mount: /bin, mode: Symlink, path: usr/bin}
  - {mount: /proc, mode: Procfs}
  - {mount: /tmp, mode: Tmpfs, size: 4M}
  - {mount: /etc/hosts, mode: RestrictedFile, optional: true}
  - {mount: /var, mode: Private, path: $NODE_PATH/var}
";

/// A child that takes something back, and adds something of its own.
const CHILD: &str = "\
config:
  umask: 077
  share_net: disabled
  hostname: $LEAF_ALIAS
  path: /opt/bin
  capabilities:
    - {cap: CAP_CHOWN, add: 0}
environ:
  - {key: COLOUR, mode: Static, value: $red}
  - {key: KEPT, mode: Remove}
exports:
  - {mount: /opt, mode: Restricted, path: $NODE_PATH/opt}
  - {mount: /usr/share/doc, mode: Restricted, path: /usr/share/doc}
  - {mount: /srv/secret, mode: PrivateFile, path: $NODE_PATH/data}
";

impl Ground {
    pub fn new() -> Self {
        Self { dir: tempfile::Builder::new().prefix("redconf.").tempdir().expect("a directory") }
    }

    /// `r` and `r/a`.
    pub fn family() -> Self {
        let ground = Self::new();
        ground.node("r", ROOT);
        ground.node("r/a", CHILD);
        ground
    }

    /// A path in it, without links.
    pub fn at(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).expect("it exists").join(name)
    }

    /// Makes a node, child of the one above it.
    pub fn node(&self, name: &str, config: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.join("etc")).expect("made");
        let alias = path.file_name().expect("a name").to_string_lossy().into_owned();
        fs::write(path.join("etc/redpak.yaml"), format!("headers: {{alias: {alias}}}\n{config}"))
            .expect("written");
        let above = path.parent().filter(|above| above.join(".rednode.yaml").exists());
        let parent = above.map_or("none".to_owned(), |above| above.display().to_string());
        let realpath = path.display();
        let status =
            format!("version: 1\nstate: Enable\nrealpath: {realpath}\ntimestamp: 0\nparent: {parent}\n");
        fs::write(path.join(".rednode.yaml"), status).expect("written");
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).expect("written");
    }

    /// Runs the program; the words are arguments, and `@name` a path in the ground. The output is without the
    /// directory's random name.
    #[track_caller]
    pub fn run(&self, words: &str) -> Ran {
        let ran = self.verbatim(words);
        Ran { stdout: self.neutral(&ran.stdout), stderr: self.neutral(&ran.stderr), ..ran }
    }

    /// As [`Ground::run`], the output as it is.
    #[track_caller]
    pub fn verbatim(&self, words: &str) -> Ran {
        let words: Vec<String> = words
            .split_whitespace()
            .map(|word| match word.strip_prefix('@') {
                Some(name) => self.at(name).display().to_string(),
                None => word.to_owned(),
            })
            .collect();
        redconf(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Text without the directory's random name.
    fn neutral(&self, text: &str) -> String {
        text.replace(&*self.at("").display().to_string(), "/N/")
    }
}
