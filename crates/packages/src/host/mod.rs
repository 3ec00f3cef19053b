//! What the host offers to a family whose root node speaks for it, where the host has no RPM database.
//!
//! Offers are not packages. They are entries of the installed repository whose names no package can have
//! (`host(dpkg:git)`), and that provide what is there: `git = 1:2.39`, `libc.so.6(GLIBC_2.34)(64bit)`, `/bin/sh`. So
//! the host satisfies requirements, and an explicit `install git` still installs the repository's git into the node.

pub mod apk;
pub mod dpkg;
mod elf;
mod loader;
mod view;

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use redpak_solv::{CFile, DepKind, NewPackage, PackageId, Pool, RepoId};

use crate::cache;
use crate::error::{Kind, PackagesError, Result};
use crate::family::FamilyContext;
use crate::fetch::digest::sha256;

/// Lists of installed packages: where, and the manager's name.
const STATUS_FILES: [(&str, &str); 4] = [
    ("/var/lib/dpkg/status", "dpkg"),
    ("/usr/lib/opkg/status", "opkg"),
    ("/var/lib/opkg/status", "opkg"),
    ("/lib/apk/db/installed", "apk"),
];
/// Changed when the same host is to be read anew by a newer redpak.
const FORMAT: u32 = 1;

/// One offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// `dpkg:git`; the pool's name is `host(dpkg:git)`.
    pub name: String,
    /// Its version, in RPM's terms.
    pub evr: String,
    /// What it provides: RPM dependency texts.
    pub provides: Vec<String>,
}

/// Adds everything that the host offers, but files, which [`offer_files`] adds once it is known which are asked for.
/// What was found is kept in `cache_dir` until a list of packages or a loader's directory changes.
pub fn offers(
    pool: &mut Pool,
    installed: RepoId,
    family: &FamilyContext,
    cache_dir: &Path,
) -> Result<Vec<PackageId>> {
    let directories = loader::directories(&family.host, &family.arch);
    let kept = cache_dir.join(format!("offers-{}.solv", &state(&directories)[..32]));
    let from_cache = File::open(&kept)
        .ok()
        .and_then(|file| CFile::reader(file, "plain").ok())
        .and_then(|file| pool.load_solv(installed, file).ok())
        .filter(|packages| !packages.is_empty());
    let mut packages = match from_cache {
        Some(packages) => packages,
        None => {
            let offers = gather(&directories, &family.arch);
            keep(&offers, &family.arch, &kept);
            add(pool, installed, &offers)?
        }
    };
    packages.extend(declared(pool, installed, family)?);
    Ok(packages)
}

/// Adds what the root node's configuration says that the host provides.
pub fn declared(pool: &mut Pool, installed: RepoId, family: &FamilyContext) -> Result<Vec<PackageId>> {
    if family.host_provides.is_empty() {
        return Ok(Vec::new());
    }
    for text in &family.host_provides {
        if pool.parse_dependency(text).is_none() {
            return Err(PackagesError::new(
                Kind::Config,
                format!("host-provides: `{text}` is no RPM dependency"),
            )
            .with_hint("write `name` or `name = version-release`"));
        }
    }
    let offer = Offer { name: "declared".into(), evr: "0-0".into(), provides: family.host_provides.clone() };
    add(pool, installed, &[offer])
}

/// Adds the files that packages ask for and that the host has where the root node exports them. Returns what was
/// added.
pub fn offer_files(pool: &mut Pool, installed: RepoId, family: &FamilyContext) -> Result<Option<PackageId>> {
    // Dependencies are many, and different ones few.
    let mut dependencies = HashSet::new();
    for id in pool.packages() {
        for kind in [DepKind::Requires, DepKind::Recommends] {
            dependencies.extend(pool.package(id).dependencies(kind));
        }
    }
    let mut asked = BTreeSet::new();
    dependencies.into_iter().for_each(|dep| files_in(pool, dep, &mut asked));
    let there: Vec<String> = asked.into_iter().filter(|file| family.host.has(Path::new(file))).collect();
    if there.is_empty() {
        return Ok(None);
    }
    let offer = Offer { name: "files".into(), evr: "0-0".into(), provides: there };
    Ok(add(pool, installed, &[offer])?.pop())
}

/// The paths in a dependency, rich ones included.
fn files_in(pool: &Pool, dep: redpak_solv::DepId, into: &mut BTreeSet<String>) {
    use redpak_solv::Dep;
    match pool.take_apart(dep) {
        Dep::Plain => {
            let text = pool.dep_text(dep);
            if text.starts_with('/') {
                into.insert(text);
            }
        }
        Dep::And(a, b) | Dep::Or(a, b) => [a, b].into_iter().for_each(|dep| files_in(pool, dep, into)),
        Dep::If(a, b, c) | Dep::Unless(a, b, c) => {
            [Some(a), Some(b), c].into_iter().flatten().for_each(|dep| files_in(pool, dep, into));
        }
    }
}

/// Reads lists of packages and libraries.
fn gather(directories: &[PathBuf], arch: &str) -> Vec<Offer> {
    let mut offers = Vec::new();
    for (file, manager) in STATUS_FILES {
        let Ok(bytes) = fs::read(file) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        offers.extend(match manager {
            "apk" => apk::offers(&text),
            manager => dpkg::offers(&text, manager),
        });
    }
    let provides: Vec<String> = loader::provides(directories, arch).into_iter().collect();
    if !provides.is_empty() {
        offers.push(Offer { name: "libraries".into(), evr: "0-0".into(), provides });
    }
    offers
}

fn add(pool: &mut Pool, repo: RepoId, offers: &[Offer]) -> Result<Vec<PackageId>> {
    let mut added = Vec::with_capacity(offers.len());
    for offer in offers {
        let name = format!("host({})", offer.name);
        let new = NewPackage { name: &name, evr: &offer.evr, arch: "noarch" };
        let id = pool.add_package(repo, &new).map_err(|error| {
            PackagesError::new(Kind::Database, "the host's offers cannot be taken in").with_source(error)
        })?;
        for text in &offer.provides {
            if let Some(dep) = pool.parse_dependency(text) {
                pool.add_dependency(id, DepKind::Provides, dep);
            }
        }
        added.push(id);
    }
    pool.finish_repo(repo);
    Ok(added)
}

/// Keeps the offers; a failure only costs time later.
fn keep(offers: &[Offer], arch: &str, path: &Path) {
    let Some(parent) = path.parent() else { return };
    let write = || -> Option<()> {
        let mut pool = Pool::new(arch).ok()?;
        let repo = pool.add_repo("host");
        add(&mut pool, repo, offers).ok()?;
        cache::make(parent).ok()?;
        for entry in fs::read_dir(parent).ok()?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("offers-") {
                let _ = fs::remove_file(entry.path());
            }
        }
        let beside = cache::beside(path);
        pool.write_solv(repo, CFile::writer(File::create(&beside).ok()?).ok()?).ok()?;
        fs::rename(&beside, path).ok()
    };
    write();
}

/// The state of everything that offers are read from: times and sizes.
fn state(directories: &[PathBuf]) -> String {
    let mut text = format!("format {FORMAT}\n");
    let paths =
        STATUS_FILES.iter().map(|(file, _)| Path::new(file)).chain(directories.iter().map(PathBuf::as_path));
    for path in paths {
        if let Ok(metadata) = fs::metadata(path) {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{} {}.{:09} {}",
                path.display(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.len()
            );
        }
    }
    sha256(text.as_bytes())
}
