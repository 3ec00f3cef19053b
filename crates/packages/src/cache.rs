//! Where downloads, caches and what was seen of repositories are kept.
//!
//! One cache serves a family: the `cachedir` of the configuration, else `.redpak/cache` of the root node, or of the
//! leaf for who may not write there; else a temporary directory. What was seen of repositories lies apart
//! (`persistdir`, else `.redpak/seen`), since `clean` does not forget it.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use tempfile::TempDir;

use crate::error::{PackagesError, Result};
use crate::family::FamilyContext;
use crate::fetch::digest::sha256;
use crate::repos::RepoConfig;

/// Below a node's directory, where nothing that runs in a node can write: libsolv believes what it wrote itself.
pub(crate) const CACHE: &str = ".redpak/cache";
/// What was seen of repositories.
pub(crate) const SEEN: &str = ".redpak";

/// The cache of one family.
#[derive(Debug)]
pub struct Cache {
    root: PathBuf,
    seen: PathBuf,
    /// Kept as long as the cache, where nothing lasting could be had.
    _temporary: Option<TempDir>,
}

impl Cache {
    /// The cache of a family; made when it is first written to.
    pub fn of(family: &FamilyContext) -> Result<Self> {
        let (root, leaf) = (&family.root().redpath, &family.leaf().redpath);
        let choose = |set: &Option<PathBuf>, below: &str| {
            let places = set.iter().cloned().chain([root.join(below), leaf.join(below)]);
            places.into_iter().find(|place| can_write(place))
        };
        let found = choose(&family.cachedir, CACHE);
        let temporary = match found {
            Some(_) => None,
            None => Some(TempDir::with_prefix("redpak-cache-").map_err(|error| {
                PackagesError::io("mkdtemp(redpak-cache-)", error)
                    .with_hint("set TMPDIR to a place with room")
            })?),
        };
        let temporary_path = || temporary.as_ref().map(|dir| dir.path().to_owned()).unwrap_or_default();
        let root = found.unwrap_or_else(temporary_path);
        let seen = choose(&family.persistdir, SEEN).unwrap_or_else(|| root.clone()).join("seen");
        Ok(Self { root, seen, _temporary: temporary })
    }

    /// A cache in a directory, for tests and for `--store`.
    pub fn at(directory: &Path) -> Self {
        Self { root: directory.join("cache"), seen: directory.join("seen"), _temporary: None }
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Metadata of a repository.
    pub fn metadata(&self, repo: &RepoConfig) -> PathBuf {
        self.root.join("repos").join(key(repo))
    }

    /// Package files of a repository.
    pub fn packages(&self, repo: &RepoConfig) -> PathBuf {
        self.root.join("packages").join(key(repo))
    }

    /// What was seen of a repository.
    pub fn seen(&self, repo: &RepoConfig) -> PathBuf {
        self.seen.join(key(repo))
    }

    /// What the host offers, and databases of ancestors, as `.solv`.
    pub fn offers(&self) -> PathBuf {
        self.root.join("host")
    }

    /// Removes metadata or packages, or both. What was seen stays. Returns how many files there were.
    pub fn clean(&self, metadata: bool, packages: bool) -> Result<usize> {
        let mut count = 0;
        let chosen = [(metadata, "repos"), (metadata, "host"), (packages, "packages")];
        for (_, name) in chosen.iter().filter(|(chosen, _)| *chosen) {
            let directory = self.root.join(name);
            count += count_files(&directory);
            match fs::remove_dir_all(&directory) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(PackagesError::io(format!("rm({})", directory.display()), error));
                }
                _ => {}
            }
        }
        Ok(count)
    }
}

/// Makes a directory of the cache, for its owner to write in.
pub fn make(directory: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)
        .map_err(|error| PackagesError::io(format!("mkdir({})", directory.display()), error))
}

/// Puts a file in place atomically: written beside, then renamed.
pub fn put(path: &Path, content: &[u8]) -> Result<()> {
    let beside = beside(path);
    let write = || -> std::io::Result<()> {
        fs::write(&beside, content)?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| PackagesError::io(format!("write({})", path.display()), error))
}

/// A name beside a file, for this process.
pub fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

/// The id and what distinguishes two repositories of one id: a prefix of the SHA-256 of where it is.
fn key(repo: &RepoConfig) -> String {
    let place = repo
        .metalink
        .iter()
        .chain(&repo.mirrorlist)
        .chain(&repo.baseurl)
        .fold(String::new(), |all, url| all + url + "\n");
    format!("{}-{}", repo.id, &sha256(place.as_bytes())[..16])
}

/// Whether this process may write in a directory, or make it; and nobody else may.
fn can_write(directory: &Path) -> bool {
    for place in directory.ancestors() {
        let Ok(metadata) = fs::symlink_metadata(place) else { continue };
        let own = [0, rustix::process::geteuid().as_raw()].contains(&metadata.uid());
        let closed = metadata.mode() & 0o022 == 0 || metadata.mode() & 0o1000 != 0;
        return metadata.is_dir()
            && own
            && closed
            && access(place, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    }
    false
}

fn count_files(directory: &Path) -> usize {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    entries
        .flatten()
        .map(
            |entry| {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) { count_files(&entry.path()) } else { 1 }
            },
        )
        .sum()
}
