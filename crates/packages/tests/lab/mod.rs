//! Small repositories built with rpmbuild, and nodes with RPM databases, in a temporary directory.
// Each test program uses a part of this.
#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use redpak_packages::cache::Cache;
use redpak_packages::family::{FamilyContext, FamilyNode};
use redpak_packages::options::Options;
use redpak_packages::solve::{Resolution, Scope, Session};
use redpak_packages::transaction::Action;
use tempfile::TempDir;

/// 170 real packages: where `tools/real-repository` put them.
pub fn real() -> String {
    std::env::var("REDPAK_REAL_REPOSITORY").unwrap_or_else(|_| "/var/cache/redpak-tests/realrepo".to_owned())
}

/// Whether what the tests need is there; says so where it is not, and fails where it must be.
pub fn ready(what: &[&str]) -> bool {
    let missing: Vec<&&str> = what
        .iter()
        .filter(|name| match name.starts_with('/') {
            true => !Path::new(name).exists(),
            false => {
                !["/usr/bin", "/bin", "/usr/local/bin"].iter().any(|dir| Path::new(dir).join(name).exists())
            }
        })
        .collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("REDPAK_MUST_WORK").is_none(), "missing: {missing:?}");
    println!("SKIP: missing {missing:?}");
    false
}

/// A package to build: `name version` and spec lines (`Requires: x`); a line `file PATH TEXT` is a file of it.
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    pub lines: &'static [&'static str],
}

/// Shorthand.
pub const fn package(name: &'static str, version: &'static str, lines: &'static [&'static str]) -> Package {
    Package { name, version, lines }
}

/// A temporary directory with repositories and nodes.
pub struct Lab {
    pub directory: TempDir,
}

impl Lab {
    pub fn new() -> Self {
        Self { directory: TempDir::with_prefix("redpak-lab-").expect("a directory") }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Builds packages into a repository; returns its directory.
    pub fn repo(&self, id: &str, packages: &[Package]) -> PathBuf {
        repo_in(self.path(), id, packages)
    }

    /// Makes a node (`root/child` lies below `root`).
    pub fn node(&self, path: &str) -> FamilyNode {
        let redpath = self.path().join("nodes").join(path);
        fs::create_dir_all(redpath.join("etc/yum.repos.d")).expect("writable");
        let alias = path.rsplit('/').next().expect("a name").to_owned();
        FamilyNode { alias, redpath }
    }

    /// A bare family of nodes, the root first.
    pub fn family(&self, paths: &[&str]) -> FamilyContext {
        let mut family = FamilyContext::bare("x", Path::new("/"));
        family.nodes = paths.iter().map(|path| self.node(path)).collect();
        family
    }

    /// Opens a session on a family.
    pub fn session(&self, family: &FamilyContext, options: Options) -> Session {
        self.try_session(family, options).expect("a session")
    }

    pub fn try_session(&self, family: &FamilyContext, options: Options) -> redpak_packages::Result<Session> {
        let cache = Cache::at(&self.path().join("cache"));
        Session::open_with(family.clone(), options, cache, Scope::All, &|_, _| {})
    }
}

/// Builds packages into a repository below a directory.
pub fn repo_in(directory: &Path, id: &str, packages: &[Package]) -> PathBuf {
    let repo = directory.join("repos").join(id);
    fs::create_dir_all(&repo).expect("writable");
    for package in packages {
        build(package, &directory.join("build"), &repo);
    }
    createrepo(&repo);
    repo
}

/// Writes a `.repo` file into a node.
pub fn add_repo(node: &FamilyNode, id: &str, url: &str, more: &str) {
    let text = format!("[{id}]\nname={id}\nbaseurl={url}\ngpgcheck=0\n{more}\n");
    fs::write(node.redpath.join(format!("etc/yum.repos.d/{id}.repo")), text).expect("writable");
}

/// The URL of a directory.
pub fn url(path: &Path) -> String {
    format!("file://{}", path.display())
}

pub fn createrepo(repo: &Path) {
    run(Command::new("createrepo_c").arg("--quiet").arg(repo));
}

/// Puts packages of a repository into a node's database, as a generation. `names` are file name prefixes
/// (`app-1`); one that begins with `~` is there as a dependency only.
pub fn installed(node: &FamilyNode, repo: &Path, names: &[&str]) {
    let generation = node.redpath.join(".redpak/gen/1");
    let database = generation.join("usr/lib/sysimage/rpm");
    let _ = fs::remove_dir_all(&generation);
    fs::create_dir_all(&database).expect("writable");
    let mut packages = Vec::new();
    for name in names {
        let plain = name.trim_start_matches('~');
        let file = find(repo, plain);
        run(Command::new("rpm")
            .args(["-i", "--justdb", "--nodeps", "--noscripts", "--nosignature", "--ignorearch"])
            .arg("--dbpath")
            .arg(&database)
            .arg(&file));
        let query = Command::new("rpm")
            .args(["-qp", "--nosignature", "--qf", "%{NAME} %{EPOCHNUM} %{VERSION} %{RELEASE} %{ARCH}"])
            .arg(&file)
            .output()
            .expect("rpm");
        let text = String::from_utf8(query.stdout).expect("text");
        let words: Vec<&str> = text.split(' ').collect();
        let reason = if name.starts_with('~') { "dependency" } else { "user" };
        packages.push(serde_json::json!({
            "name": words[0], "epoch": words[1].parse::<u32>().expect("a number"), "version": words[2],
            "release": words[3], "arch": words[4], "reason": reason,
        }));
    }
    let manifest = serde_json::json!({"version": 1, "number": 1, "parent": null, "timestamp": 0, "command": "",
        "packages": packages});
    fs::write(generation.join("manifest.json"), manifest.to_string()).expect("writable");
    let link = node.redpath.join(".redpak/current");
    let _ = fs::remove_file(&link);
    symlink("gen/1", link).expect("writable");
}

/// The package file of a repository whose name begins so.
pub fn find(repo: &Path, prefix: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir(repo)
        .expect("a repository")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)))
        .collect();
    found.sort();
    found.into_iter().next().unwrap_or_else(|| panic!("{prefix} is in {}", repo.display()))
}

fn build(package: &Package, top: &Path, repo: &Path) {
    let mut spec = format!(
        "Name: {}\nVersion: {}\nRelease: 1\nSummary: {} for tests\nLicense: none\nBuildArch: noarch\nAutoReqProv: no\n",
        package.name, package.version, package.name
    );
    let (mut install, mut files) = (String::new(), String::new());
    for line in package.lines {
        match line.strip_prefix("file ") {
            Some(file) => {
                let (path, text) = file.split_once(' ').unwrap_or((file, package.name));
                install += &format!(
                    "mkdir -p $(dirname %{{buildroot}}{path}); printf '%s' '{text}' > %{{buildroot}}{path}\n"
                );
                files += &format!("{path}\n");
            }
            None => spec += &format!("{line}\n"),
        }
    }
    spec += &format!(
        "%description\n{} is a package for tests.\n%install\n{install}\n%files\n{files}\n",
        package.name
    );
    let work = top.join(format!("{}-{}", package.name, package.version));
    fs::create_dir_all(&work).expect("writable");
    let path = work.join("x.spec");
    fs::write(&path, spec).expect("writable");
    run(Command::new("rpmbuild")
        .args(["-bb", "--nodeps", "--quiet"])
        .arg("--define")
        .arg(format!("_topdir {}", work.display()))
        .arg("--define")
        .arg(format!("_rpmdir {}", repo.display()))
        .args(["--define", "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"])
        .args(["--define", "__os_install_post %{nil}"])
        .arg(&path));
}

pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// `install app-1-1.noarch (user)` and so on, a line a step.
pub fn steps(resolution: &Resolution) -> Vec<String> {
    resolution
        .transaction
        .steps
        .iter()
        .map(|step| {
            let action = format!("{:?}", step.action).to_lowercase();
            let replaces: Vec<String> = step.replaces.iter().map(|nevra| format!(" <- {nevra}")).collect();
            match step.action {
                Action::Remove => format!("{action} {}", step.nevra),
                _ => {
                    format!("{action} {} ({:?}){}", step.nevra, step.reason, replaces.join("")).to_lowercase()
                }
            }
        })
        .collect()
}

pub fn words(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Serves a directory over HTTP on a free port, as long as the process lives. Returns the URL.
pub fn serve(directory: &Path) -> String {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/", listener.local_addr().expect("its number"));
    let directory = directory.to_owned();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let directory = directory.clone();
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
                let path = lines.next()?.ok()?.split(' ').nth(1)?.trim_start_matches('/').to_owned();
                lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
                let (status, body) = match fs::read(directory.join(path)) {
                    Ok(body) => ("200 OK", body),
                    Err(_) => ("404 Not Found", Vec::new()),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).ok()?;
                stream.write_all(&body).ok()
            });
        }
    });
    address
}
