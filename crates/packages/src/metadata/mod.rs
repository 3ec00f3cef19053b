//! Metadata of repositories: fetched, verified, kept, and loaded into the solver's pool.
//!
//! `repomd.xml` is where trust begins: it is checked against the metalink and the signature where the repository has
//! them, and an older one than was seen is not used. All else is checked against it. What libsolv made of the XML is
//! kept as `.solv`, by the SHA-256 of the `repomd.xml`; nobody else's `.solv` is ever read.

pub mod metalink;
pub mod repomd;
mod sync;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use redpak_solv::{CFile, PackageId, Pool, RepoId};

pub use repomd::{DataFile, Repomd};
pub use sync::{Freshness, Synced, client_of, sync};

use crate::cache;
use crate::error::{Kind, PackagesError, Result};
use crate::fetch::{self, Client, Progress, Want};

/// File lists up to this compressed size are loaded at once; larger ones only when a path needs them.
const SMALL_FILELISTS: u64 = 4 << 20;
/// Compressed metadata is not larger than this.
const MAX_COMPRESSED: u64 = 1 << 30;
/// Decompressed metadata is not larger than this, whatever `open-size` says.
const MAX_OPEN: u64 = 4 << 30;

/// A loaded repository.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// In the pool.
    pub repo: RepoId,
    /// Its packages.
    pub packages: Vec<PackageId>,
    /// Whether file lists were loaded.
    pub filelists: bool,
}

/// Loads a repository's packages into the pool; its file lists too when they are small or wanted.
pub fn load(
    pool: &mut Pool,
    synced: &Synced,
    client: &Client,
    want_filelists: bool,
    progress: &Progress,
) -> Result<Loaded> {
    let repo = pool.add_repo(&synced.repo.id);
    let primary = synced.file("primary")?;
    let cached = synced.directory.join(format!("{}.solv", synced.key));
    let packages = match reuse(&cached, |file| pool.load_solv(repo, file)) {
        Some(packages) => packages,
        None => {
            let xml = get(synced, primary, client, progress)?;
            let packages =
                pool.load_primary(repo, open(&xml, primary)?).map_err(|error| damaged(synced, error))?;
            keep(&cached, |file| pool.write_solv(repo, file));
            remove_others(&synced.directory, &synced.key);
            let _ = fs::remove_file(&xml);
            packages
        }
    };
    let lists = synced.repomd.file("filelists");
    let small = lists.and_then(|lists| lists.size).is_some_and(|size| size <= SMALL_FILELISTS);
    let filelists = match lists {
        Some(lists) if small || want_filelists => {
            load_filelists(pool, repo, synced, lists, client, progress)?;
            true
        }
        _ => false,
    };
    Ok(Loaded { repo, packages, filelists })
}

fn load_filelists(
    pool: &mut Pool,
    repo: RepoId,
    synced: &Synced,
    lists: &DataFile,
    client: &Client,
    progress: &Progress,
) -> Result<()> {
    let cached = synced.directory.join(format!("{}-filelists.solv", synced.key));
    if reuse(&cached, |file| pool.load_solv_extension(repo, file)).is_some() {
        return Ok(());
    }
    let xml = get(synced, lists, client, progress)?;
    pool.load_filelists(repo, open(&xml, lists)?).map_err(|error| damaged(synced, error))?;
    keep(&cached, |file| pool.write_last_data(repo, file));
    let _ = fs::remove_file(&xml);
    Ok(())
}

/// Loads a cache file when there is one; a failure means that it is made anew.
fn reuse<T>(
    path: &Path,
    load: impl FnOnce(CFile) -> std::result::Result<T, redpak_solv::SolvError>,
) -> Option<T> {
    let file = File::open(path).ok()?;
    load(CFile::reader(file, "plain").ok()?).ok()
}

/// Writes a cache file; a failure only costs time later.
fn keep(path: &Path, write: impl FnOnce(CFile) -> std::result::Result<(), redpak_solv::SolvError>) {
    let beside = cache::beside(path);
    let written = File::create(&beside)
        .and_then(CFile::writer)
        .ok()
        .and_then(|file| write(file).ok())
        .and_then(|()| fs::rename(&beside, path).ok());
    if written.is_none() {
        let _ = fs::remove_file(&beside);
    }
}

/// Removes what was kept of other states of the repository.
fn remove_others(directory: &Path, key: &str) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".solv") && !name.starts_with(key) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Fetches a file of metadata and returns where it is.
fn get(synced: &Synced, data: &DataFile, client: &Client, progress: &Progress) -> Result<PathBuf> {
    let name = fetch::url::file_name(&data.href).unwrap_or("metadata");
    let want = Want {
        urls: synced.bases.iter().filter_map(|base| fetch::url::join(base, &data.href)).collect(),
        path: synced.directory.join(name),
        digest: data.digest.clone(),
        size: data.size,
        limit: MAX_COMPRESSED,
    };
    if want.digest.is_none() {
        let message = format!("the repository `{}` gives no checksum of its {}", synced.repo.id, data.kind);
        return Err(PackagesError::new(Kind::Integrity, message));
    }
    fetch::fetch(client, &want, progress)?;
    Ok(want.path)
}

/// Opens a file of metadata for libsolv, after measuring that it does not decompress without end.
fn open(path: &Path, data: &DataFile) -> Result<CFile> {
    let name = path.to_string_lossy();
    let fail = |error| PackagesError::io(format!("open({name})"), error);
    let limit = data.open_size.unwrap_or(MAX_OPEN).min(MAX_OPEN);
    let measured = CFile::reader(File::open(path).map_err(fail)?, &name).map_err(fail)?.measure(limit);
    let bad = |reason: &str| PackagesError::new(Kind::Metadata, format!("{name}: {reason}"));
    match measured.map_err(fail)? {
        None => Err(bad("decompresses to more than the repository says")),
        Some(size) if data.open_size.is_some_and(|expected| expected != size) => {
            Err(bad("does not decompress to what the repository says"))
        }
        Some(_) => CFile::reader(File::open(path).map_err(fail)?, &name).map_err(fail),
    }
}

fn damaged(synced: &Synced, error: redpak_solv::SolvError) -> PackagesError {
    PackagesError::new(
        Kind::Metadata,
        format!("the metadata of the repository `{}` does not parse", synced.repo.id),
    )
    .with_source(error)
    .with_hint("tell who keeps the repository; `enabled=0` leaves it out")
}
