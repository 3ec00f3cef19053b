//! A node on disk, packages from spec files, and transactions put together by hand.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use redpak_diagnostics::Place;
use redpak_model::effective::{
    Access, Effective, Export, ExportKind, Layer, Lies, NodeHead, Origin, Settings, Source,
};
use redpak_packages::execute::{self, Event, ExecuteError, ExecuteOptions, ExecuteReport, ExecuteRequest};
use redpak_packages::transaction::{Action, Nevra, PackageSource, Reason, Step, Transaction};
use redpak_plan::launch_plan::FileKind;
use redpak_plan::{HostFacts, LaunchPlan, NodeFacts, OwnFact, TransactionView, transaction_plan};
use redpak_store::{ExclusiveLock, Node, Stage, Wait};

/// A root node over the host's /usr, and a place for packages.
pub struct Fixture {
    pub temporary: tempfile::TempDir,
    pub node: Node,
    pub events: Vec<Event>,
    pub options: ExecuteOptions,
    pub keys: HashMap<String, Vec<u8>>,
}

impl Fixture {
    pub fn new() -> Self {
        let temporary = tempfile::Builder::new().prefix("redpak-execute").tempdir_in("/var/tmp").unwrap();
        let path = temporary.path().join("node");
        fs::create_dir_all(path.join("etc")).unwrap();
        Node::create_first(&path, "create").unwrap();
        Self::around(temporary, &path)
    }

    /// A node that somebody else made and removes.
    pub fn at(path: &Path) -> Self {
        // Beside it: whoever is killed meanwhile leaves nothing that is not removed with the node.
        Self::around(tempfile::tempdir_in(path.parent().unwrap()).unwrap(), path)
    }

    fn around(temporary: tempfile::TempDir, path: &Path) -> Self {
        let node = Node::open(path).unwrap();
        Self { temporary, node, events: Vec::new(), options: ExecuteOptions::default(), keys: HashMap::new() }
    }

    pub fn path(&self) -> &Path {
        self.node.path()
    }

    /// A path in the current generation.
    pub fn current(&self, path: &str) -> PathBuf {
        self.path().join(".redpak/current").join(path)
    }

    pub fn read(&self, path: &str) -> String {
        let path = self.current(path);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"))
    }

    pub fn generation(&self) -> u64 {
        self.node.current().unwrap().unwrap()
    }

    /// Builds a package from a spec file's text.
    pub fn build(&self, spec: &str) -> PathBuf {
        let top = tempfile::Builder::new().prefix("build").tempdir_in(self.temporary.path()).unwrap();
        let file = top.path().join("package.spec");
        fs::write(&file, spec).unwrap();
        let define = |text: String| ["--define".to_owned(), text];
        let output = Command::new("rpmbuild")
            .args(["-bb", "--quiet"])
            .args(define(format!("_topdir {}", top.path().display())))
            .args(define(format!("_rpmdir {}", top.path().join("out").display())))
            .args(define("_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm".into()))
            .args(define("_build_id_links none".into()))
            .args(define("debug_package %{nil}".into()))
            .args(define("__os_install_post %{nil}".into()))
            .arg(&file)
            .env("HOME", top.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let built = fs::read_dir(top.path().join("out")).unwrap().next().unwrap().unwrap().path();
        let place = self.temporary.path().join("packages");
        fs::create_dir_all(&place).unwrap();
        let kept = place.join(built.file_name().unwrap());
        fs::rename(built, &kept).unwrap();
        kept
    }

    /// A package with this file list and these scriptlets: `%install` is left to it.
    pub fn package(&self, name: &str, version: &str, rest: &str) -> PathBuf {
        self.build(&format!(
            "Name: {name}\nVersion: {version}\nRelease: 1\nSummary: test\nLicense: none\nBuildArch: noarch\n\
             AutoReqProv: no\n%description\ntest\n{rest}\n"
        ))
    }

    /// A package that installs one file with this text.
    pub fn one_file(&self, name: &str, version: &str, path: &str, scriptlets: &str) -> PathBuf {
        let rest = format!(
            "%install\nmkdir -p %{{buildroot}}$(dirname {path})\necho {name}-{version} > %{{buildroot}}{path}\n\
             %files\n{path}\n{scriptlets}"
        );
        self.package(name, version, &rest)
    }

    pub fn transaction(&self, steps: Vec<Step>) -> Transaction {
        Transaction { node: self.path().to_owned(), base: Some(self.generation()), steps, marks: vec![] }
    }

    pub fn stage(&self) -> (ExclusiveLock, Stage) {
        let lock = self.node.lock_exclusive(Wait::No).unwrap();
        let stage = Stage::begin(&self.node, &lock).unwrap();
        (lock, stage)
    }

    pub fn run(&mut self, steps: Vec<Step>) -> Result<ExecuteReport, ExecuteError> {
        let transaction = self.transaction(steps);
        let (lock, stage) = self.stage();
        let plan = self.plan(&stage);
        let events = &mut self.events;
        execute::run(ExecuteRequest {
            transaction: &transaction,
            plan,
            lock: &lock,
            stage,
            keys: &self.keys,
            command: "test",
            options: self.options.clone(),
            progress: &mut |event| events.push(event.clone()),
        })
    }

    pub fn install(&mut self, packages: &[&PathBuf]) -> Result<ExecuteReport, ExecuteError> {
        self.run(packages.iter().map(|path| step(Action::Install, path)).collect())
    }

    /// The plan that redpak makes for this node.
    pub fn plan(&self, stage: &Stage) -> LaunchPlan {
        let meta = fs::metadata(self.path()).unwrap();
        let generation = self.node.current().unwrap();
        let mut facts = NodeFacts { dev: meta.dev(), ino: meta.ino(), generation, ..NodeFacts::default() };
        facts.snippet = ["usr".to_owned(), "opt".to_owned()].into();
        for top in redpak_store::TOPS {
            let beneath = facts.resolve(&Path::new(".redpak/current").join(top));
            facts.own.insert(beneath, OwnFact { kind: FileKind::Directory, empty: false });
        }
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let devices = ["null", "zero", "full", "random", "urandom", "tty"].map(str::to_owned).to_vec();
        let host = HostFacts {
            uid,
            gid,
            user: uid.to_string(),
            group: gid.to_string(),
            nodes: vec![facts],
            devices,
            ..HostFacts::default()
        };
        let view = TransactionView {
            stage: stage.path().strip_prefix(self.path()).unwrap().to_owned(),
            rpmdb: stage.database(),
            accounts: true,
        };
        let (plan, findings) = transaction_plan(&effective(self.path()), &host, &view);
        assert!(findings.is_empty(), "{findings:?}");
        plan.unwrap()
    }

    /// rpm(8) of the distribution on the node's tree.
    pub fn rpm<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> (bool, String) {
        let database = fs::canonicalize(self.current("usr/lib/sysimage/rpm")).unwrap();
        // As root `--root` works; an ordinary user cannot chroot, and looks at the database alone.
        let output = if rustix::process::geteuid().is_root() {
            // Debian's rpm has its database in the home directory.
            let root = [OsStr::new("--root"), self.path().as_os_str()];
            Command::new("rpm")
                .args(root)
                .args(["--dbpath", "/var/lib/rpm"])
                .args(arguments)
                .output()
                .unwrap()
        } else {
            Command::new("rpm").arg("--dbpath").arg(database).args(arguments).output().unwrap()
        };
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
    }

    /// What stands beside lock, generations and the link: nothing, after each command.
    pub fn leftovers(&self) -> Vec<String> {
        let names = fs::read_dir(self.path().join(".redpak")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !["lock", "gen", "current"].contains(&name.as_str())).collect()
    }

    /// Asserts that this fails, changes nothing and leaves nothing.
    pub fn refused(&mut self, steps: Vec<Step>) -> ExecuteError {
        let before = (self.generation(), snapshot(&self.path().join(".redpak")));
        let error = match self.run(steps) {
            Err(error) => error,
            Ok(report) => panic!("not refused: {report:?}"),
        };
        let after = (self.generation(), snapshot(&self.path().join(".redpak")));
        assert_eq!(before, after, "{error}");
        error
    }
}

fn effective(path: &Path) -> Effective {
    let place = Place { file: "test".into(), line: 1, column: 1, length: 1, source: "".into() };
    let export = Export {
        mount: "/usr".into(),
        kind: ExportKind::Bind {
            source: Source { host: "/usr".into(), lies: Lies::Host },
            access: Access::ReadOnly,
            file: false,
        },
        level: 0,
        private: false,
        optional: false,
        origin: Origin { node: 0, layer: Layer::Normal, place },
        info: None,
    };
    let head =
        NodeHead { alias: "test".into(), name: String::new(), info: String::new(), redpath: path.to_owned() };
    Effective {
        nodes: vec![head],
        admin: true,
        unjudged: Vec::new(),
        settings: Settings::default(),
        environ: vec![],
        exports: vec![export],
    }
}

/// A step for a package file, replacing nothing.
pub fn step(action: Action, path: &Path) -> Step {
    let source = PackageSource {
        repo: "@commandline".into(),
        urls: vec![],
        path: path.to_owned(),
        checksum: None,
        size: 0,
        gpgcheck: false,
        keys: vec![],
    };
    Step {
        action,
        nevra: nevra_of(path),
        reason: Reason::User,
        replaces: vec![],
        source: Some(source),
        install_size: 0,
    }
}

/// A step for a package file that replaces another.
pub fn replace(action: Action, path: &Path, replaced: &Path) -> Step {
    Step { replaces: vec![nevra_of(replaced)], ..step(action, path) }
}

pub fn remove(path: &Path) -> Step {
    Step { source: None, ..step(Action::Remove, path) }
}

pub fn nevra_of(path: &Path) -> Nevra {
    let output = Command::new("rpm")
        .args(["-qp", "--nosignature", "--qf", "%{NAME} %{EPOCHNUM} %{VERSION} %{RELEASE} %{ARCH}"])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = text.split(' ').collect();
    let [name, epoch, version, release, arch] = words[..] else { panic!("{path:?}: {text}") };
    Nevra {
        name: name.into(),
        epoch: epoch.parse().unwrap(),
        version: version.into(),
        release: release.into(),
        arch: arch.into(),
    }
}

/// Every path below, with what makes a tree equal to another.
pub fn snapshot(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            String::new()
        } else if meta.is_symlink() {
            format!("{:?}", fs::read_link(&path).unwrap())
        } else {
            format!("{:?} {}", fs::read(&path).unwrap_or_default(), meta.mtime_nsec())
        };
        lines.push(format!("{path:?} {:o} {}:{} {content}", meta.mode(), meta.uid(), meta.gid()));
    }
    lines.sort();
    lines
}

/// As root or not.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
