//! Families in a directory of their own, and the processes of this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redpak_commands::{Handed, Inputs, Limits};
use redpak_diagnostics::Finding;
use redpak_model::Names;
use redpak_model::commands::Answers;
use redpak_model::effective::Layer;
use redpak_nodes::{Family, LoadOptions, Refused};
use tempfile::TempDir;

/// What a root node shows of the host for a shell to run.
pub const SHOWN: &str = "
  - {mount: /usr, mode: Restricted}
  - {mount: /bin, mode: Symlink, path: usr/bin}
  - {mount: /lib, mode: Symlink, path: usr/lib}
  - {mount: /lib64, mode: Symlink, path: usr/lib64}
  - {mount: /proc, mode: Procfs}
  - {mount: /dev, mode: Devfs}
";

/// Why nothing of this can run here.
pub fn cannot_run() -> Option<&'static str> {
    let limit = std::fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
    (!rustix::process::geteuid().is_root() && limit.trim() == "0")
        .then_some("commands: needs user namespaces (user.max_user_namespaces)")
}

/// A family of nodes, each in the one before.
pub struct Ground {
    dir: TempDir,
    /// Directories of the nodes, root node first.
    pub nodes: Vec<PathBuf>,
    /// The caller's environment, as far as it matters here.
    pub env: BTreeMap<String, String>,
}

impl Ground {
    /// An empty one.
    pub fn new() -> Self {
        let above = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
        let dir = tempfile::Builder::new().prefix("redpak-commands.").tempdir_in(above).expect("a directory");
        let env = [("PATH", "/usr/bin:/bin"), ("FROM_CALLER", "yes")];
        let env = env.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Self { dir, nodes: Vec::new(), env }
    }

    /// A root node `r` that shows the host's software, and `below` it nodes with these texts, named a, b, c.
    pub fn family(root: &str, below: &[&str]) -> Self {
        let mut ground = Self::new();
        ground.add("r", root);
        for (text, alias) in below.iter().zip(["a", "b", "c"]) {
            ground.add(alias, text);
        }
        ground
    }

    /// A node below the last one. `text` is what stands after the headers; exports of the root node are added to what
    /// it shows when it has a line `SHOWN`.
    pub fn add(&mut self, alias: &str, text: &str) {
        let parent = self.nodes.last().cloned();
        let path = parent.as_deref().unwrap_or(self.dir.path()).join(alias);
        std::fs::create_dir_all(path.join("etc")).expect("a node");
        let above = parent.map_or("none".to_owned(), |parent| parent.display().to_string());
        let status = format!("state: Enable\nrealpath: {}\ntimestamp: 0\nparent: {above}\n", path.display());
        std::fs::write(path.join(".rednode.yaml"), status).expect("a status");
        self.nodes.push(path);
        self.write(self.nodes.len() - 1, "redpak.yaml", alias, text);
    }

    /// Writes one of a node's files.
    pub fn write(&self, node: usize, name: &str, alias: &str, text: &str) {
        let text = format!("headers: {{alias: {alias}}}\n{}", text.replace("SHOWN", SHOWN));
        std::fs::write(self.nodes[node].join("etc").join(name), text).expect("a file");
    }

    /// A path outside of the nodes.
    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The family of the last node.
    pub fn load(&self) -> Family {
        let path = self.nodes.last().expect("a node");
        Family::load(path, rustix::process::geteuid().as_raw(), LoadOptions::default()).expect("a family")
    }

    /// Runs its commands, with limits.
    pub fn within(&self, limits: Limits, admin: bool) -> Result<Answers, Vec<Finding>> {
        let names = Names {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            pid: std::process::id(),
            env: self.env.clone(),
            ..Names::default()
        };
        let handed = Handed { inputs: &Inputs::default(), passed_on: &[] };
        redpak_commands::answer(&self.load(), admin, &names, handed, limits).map_err(|Refused(found)| found)
    }

    /// Runs its commands.
    pub fn answers(&self) -> Result<Answers, Vec<Finding>> {
        self.within(Limits::default(), false)
    }

    /// Runs them, and they must fail; code and message of each finding.
    #[track_caller]
    pub fn fails(&self, limits: Limits) -> Vec<(&'static str, String)> {
        let findings = self.within(limits, false).expect_err("a command must fail");
        findings.into_iter().map(|found| (found.code, found.message)).collect()
    }

    /// What the only command of the family writes.
    #[track_caller]
    pub fn answer(&self, node: usize) -> String {
        let answer = self.answer_of(node);
        assert_eq!(self.answers().map(|answers| answers.len()), Ok(1), "several commands");
        answer
    }

    /// What the only command of a node's normal file writes.
    #[track_caller]
    pub fn answer_of(&self, node: usize) -> String {
        let answers = self.answers().unwrap_or_else(|found| panic!("{found:#?}"));
        let mut of = answers.iter().filter(|((of, layer, _), _)| (*of, *layer) == (node, Layer::Normal));
        let (_, output) = of.next().expect("a command of that node");
        assert!(of.next().is_none(), "several commands");
        String::from_utf8_lossy(output).into_owned()
    }
}

/// A file that holds the output of a command, as a whole text of a node.
pub fn file(command: &str) -> String {
    file_at("/out", command)
}

/// The same at a path: no node puts a file where it inherits one.
pub fn file_at(mount: &str, command: &str) -> String {
    format!("exports:\n  - {{mount: {mount}, mode: Execfd, path: '{}'}}\n", command.replace('\'', "''"))
}

/// The same for a root node.
pub fn root_file(command: &str) -> String {
    file(command) + "SHOWN"
}

/// A root node that shows the host's software, and no more.
pub const ROOT: &str = "exports: SHOWN";

/// Limits that a command which hangs does not make a test wait for.
pub fn short() -> Limits {
    Limits { file: Duration::from_millis(500), ..Limits::default() }
}

/// A duration for `sleep` that no other process sleeps for.
pub fn mark() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time");
    format!("4{}.{:09}", std::process::id(), now.subsec_nanos())
}

/// Whether a process has `word` in its command line.
pub fn is_running(word: &str) -> bool {
    let entries = std::fs::read_dir("/proc").expect("procfs").flatten();
    let mut lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).split('\0').any(|argument| argument == word))
}

/// Waits until none has.
#[track_caller]
pub fn ends(word: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while is_running(word) {
        assert!(Instant::now() < deadline, "a process with {word} is left");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a file is there.
pub fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}
