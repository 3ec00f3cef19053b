//! What is installed: RPM databases of nodes and of the host, read from private copies.
//!
//! librpm makes an empty database where none is, as root, and writes beside one that is there; so it is never shown the
//! original. A generation's database must be the one that its manifest describes.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use redpak_solv::{PackageId, Pool, RepoId};
use redpak_store::{DATABASE, Node, REDPAK_DIR};
use serde::Deserialize;
use tempfile::TempDir;

use crate::error::{Kind, PackagesError, Result};
use crate::execute::installed_packages;
use crate::family::FamilyNode;
use crate::fetch::digest::sha256;
use crate::transaction::Reason;

/// Files that are a database, by backend: SQLite, NDB, Berkeley DB.
const DATABASE_FILES: [&str; 3] = ["rpmdb.sqlite", "Packages.db", "Packages"];
/// Where hosts keep their database.
const HOST_DATABASES: [&str; 2] = ["/var/lib/rpm", "/usr/lib/sysimage/rpm"];

/// A database, copied to where libsolv and librpm find it and can do no harm.
#[derive(Debug)]
pub struct PrivateCopy {
    directory: TempDir,
}

/// What is installed in one node, or on the host.
#[derive(Debug, Default)]
pub struct Installed {
    /// The generation that was read.
    pub generation: Option<u64>,
    /// The packages, in the pool.
    pub packages: Vec<PackageId>,
    /// Why they are installed, by NEVRA; who is not named was asked for.
    pub reasons: HashMap<String, Reason>,
    /// The database, for headers.
    pub database: Option<PrivateCopy>,
}

/// What a manifest says of the database.
#[derive(Debug, Default, Deserialize)]
struct DatabaseRecord {
    /// SHA-256 of `rpmdb.sqlite`, in hexadecimal.
    #[serde(default)]
    sha256: Option<String>,
    /// How many packages there are.
    #[serde(default)]
    packages: Option<usize>,
}

impl PrivateCopy {
    /// Copies a database directory.
    pub(crate) fn of(database: &Path) -> Result<Self> {
        let directory = TempDir::with_prefix("redpak-rpmdb-")
            .map_err(|error| PackagesError::io("mkdtemp(redpak-rpmdb-)", error))?;
        let inside = directory.path().join("var/lib/rpm");
        let fail = |call: &str, path: &Path| {
            let call = format!("{call}({})", path.display());
            move |error| PackagesError::io(call, error)
        };
        fs::create_dir_all(&inside).map_err(fail("mkdir", &inside))?;
        // Distributions differ in where librpm looks below a root; all lead to the copy.
        for (link, target) in
            [("usr/lib/sysimage/rpm", "../../../var/lib/rpm"), ("usr/share/rpm", "../../var/lib/rpm")]
        {
            let link = directory.path().join(link);
            let parent = link.parent().unwrap_or(directory.path());
            fs::create_dir_all(parent).map_err(fail("mkdir", parent))?;
            symlink(target, &link).map_err(fail("symlink", &link))?;
        }
        for entry in fs::read_dir(database).map_err(fail("opendir", database))? {
            let entry = entry.map_err(fail("readdir", database))?;
            let from = entry.path();
            let lock = entry.file_name().to_string_lossy().contains(".lock");
            if entry.file_type().is_ok_and(|kind| kind.is_file()) && !lock {
                fs::copy(&from, inside.join(entry.file_name())).map_err(fail("copy", &from))?;
            }
        }
        Ok(Self { directory })
    }

    /// The directory that has the database at `var/lib/rpm`.
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root().join("var/lib/rpm").join(name)
    }
}

/// The current generation of a node.
pub fn current(node: &FamilyNode) -> Result<Option<u64>> {
    if fs::symlink_metadata(node.redpath.join(REDPAK_DIR).join("current")).is_err() {
        return Ok(None);
    }
    Node::open(&node.redpath).and_then(|store| store.current()).map_err(|error| store_error(node, error))
}

/// Loads what is installed in a node into `repo`.
pub fn load_node(pool: &mut Pool, repo: RepoId, node: &FamilyNode) -> Result<Installed> {
    let Some(generation) = current(node)? else { return Ok(Installed::default()) };
    let store = Node::open(&node.redpath).map_err(|error| store_error(node, error))?;
    let payload = store.manifest(generation).map_err(|error| store_error(node, error))?.payload;
    let unreadable = |error| damaged(node, generation, "its manifest cannot be read").with_source(error);
    let recorded = installed_packages(&payload).map_err(unreadable)?;
    let record = match payload.get("rpmdb") {
        None | Some(serde_json::Value::Null) => DatabaseRecord::default(),
        Some(record) => serde_json::from_value(record.clone()).map_err(unreadable)?,
    };
    let reasons = recorded.iter().map(|package| (package.nevra.to_string(), package.reason)).collect();
    let database = store.generation_path(generation).join(DATABASE);
    if !has_database(&database) {
        return match recorded.is_empty() {
            true => Ok(Installed { generation: Some(generation), reasons, ..Installed::default() }),
            false => Err(damaged(node, generation, "its RPM database is not there")),
        };
    }
    let copy = PrivateCopy::of(&database)?;
    if let Some(expected) = &record.sha256 {
        let content = fs::read(copy.file("rpmdb.sqlite")).map_err(|error| {
            damaged(node, generation, "its RPM database cannot be read").with_source(error)
        })?;
        if &sha256(&content) != expected {
            return Err(damaged(node, generation, "its RPM database was changed after it was committed"));
        }
    }
    let packages = pool
        .load_rpmdb(repo, copy.root())
        .map_err(|error| damaged(node, generation, "its RPM database cannot be read").with_source(error))?;
    let expected = record.packages.unwrap_or(recorded.len());
    if packages.len() != expected {
        let reason = format!("its RPM database has {} packages, and should have {expected}", packages.len());
        return Err(damaged(node, generation, &reason));
    }
    Ok(Installed { generation: Some(generation), packages, reasons, database: Some(copy) })
}

fn store_error(node: &FamilyNode, error: redpak_store::Error) -> PackagesError {
    let hint = error.hint().map(str::to_owned);
    let mut wrapped = PackagesError::new(
        Kind::Database,
        format!("the generations of the node `{}` cannot be read", node.alias),
    )
    .with_source(error);
    wrapped.hint = hint;
    wrapped
}

/// Loads the host's database, when it has one with packages.
pub fn load_host(pool: &mut Pool, repo: RepoId, rpmdir: Option<&Path>) -> Result<Option<Installed>> {
    let places = rpmdir.into_iter().chain(HOST_DATABASES.iter().map(Path::new));
    for place in places.filter(|place| has_database(place)) {
        let copy = PrivateCopy::of(place)?;
        let packages = pool.load_rpmdb(repo, copy.root()).map_err(|error| {
            PackagesError::new(
                Kind::Database,
                format!("the host's RPM database in {} cannot be read", place.display()),
            )
            .with_source(error)
        })?;
        if !packages.is_empty() {
            return Ok(Some(Installed { packages, database: Some(copy), ..Installed::default() }));
        }
    }
    Ok(None)
}

fn has_database(directory: &Path) -> bool {
    DATABASE_FILES.iter().any(|name| directory.join(name).is_file())
}

fn damaged(node: &FamilyNode, generation: u64, reason: &str) -> PackagesError {
    let message = format!("generation {generation} of the node `{}` is damaged: {reason}", node.alias);
    PackagesError::new(Kind::Database, message).with_hint(format!(
        "`redwrap-dnf --redpath {} history rollback` to an older one",
        node.redpath.display()
    ))
}
