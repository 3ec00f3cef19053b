//! What the transaction left in the staging directory, judged before it becomes a generation.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use redpak_solv::Pool;
use redpak_store::{Stage, Written, WrittenKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::database;
use super::error::{ExecuteError, ExecuteErrorKind, Result};
use super::package::{VerifiedPackage, sha256_of};
use super::supervise::{Finished, PathSet};
use crate::installed::PrivateCopy;
use crate::transaction::{Action, Nevra, Reason, Transaction};

/// Account files: redpak handles users itself.
const ACCOUNTS: [&str; 6] =
    ["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid"];

/// One entry of `packages` in a generation's manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledPackage {
    /// Name, epoch, version, release, architecture.
    #[serde(flatten)]
    pub nevra: Nevra,
    /// Why it is there.
    pub reason: Reason,
    /// The repository that it came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub repo: String,
}

/// The packages of a manifest's payload.
///
/// # Errors
/// When `packages` is not what redpak writes.
pub fn installed_packages(
    payload: &Map<String, Value>,
) -> std::result::Result<Vec<InstalledPackage>, serde_json::Error> {
    match payload.get("packages") {
        Some(packages) => serde_json::from_value(packages.clone()),
        None => Ok(Vec::new()),
    }
}

/// The packages that the node has after a transaction.
pub(crate) fn packages_after(
    before: Vec<InstalledPackage>,
    transaction: &Transaction,
) -> Vec<InstalledPackage> {
    let mut after: BTreeMap<Nevra, InstalledPackage> =
        before.into_iter().map(|package| (package.nevra.clone(), package)).collect();
    for step in &transaction.steps {
        for replaced in &step.replaces {
            after.remove(replaced);
        }
        if step.action == Action::Remove {
            after.remove(&step.nevra);
        }
    }
    for step in transaction.steps.iter().filter(|step| step.action != Action::Remove) {
        let repo = step.source.as_ref().map(|source| source.repo.clone()).unwrap_or_default();
        let package = InstalledPackage { nevra: step.nevra.clone(), reason: step.reason, repo };
        after.insert(step.nevra.clone(), package);
    }
    for (nevra, reason) in &transaction.marks {
        if let Some(package) = after.get_mut(nevra) {
            package.reason = *reason;
        }
    }
    after.into_values().collect()
}

/// What a commit is given.
pub(crate) struct Judged {
    pub(crate) payload: Map<String, Value>,
    /// Prepared directories that a package owns.
    pub(crate) keep: HashSet<PathBuf>,
    pub(crate) unowned: Vec<String>,
}

/// Checks database, files and accounts, and describes the new generation.
pub(crate) fn judge(
    stage: &Stage,
    before: &Map<String, Value>,
    packages: Vec<InstalledPackage>,
    finished: &Finished,
    owners: BTreeMap<String, String>,
) -> Result<Judged> {
    let expected: Vec<Nevra> = packages.iter().map(|package| package.nevra.clone()).collect();
    if expected != finished.packages {
        return Err(differs(&expected, &finished.packages));
    }
    let rpmdb = database_record(stage, packages.len())?;
    database_as_it_lies(stage, &expected)?;
    let written = stage.written()?;
    accounts(&written, &finished.owned)?;
    let unowned = unowned(before, &written, &finished.owned);
    let keep = written
        .iter()
        .filter(|entry| {
            entry.kind == WrittenKind::Directory && finished.owned.contains(&entry.path.to_string_lossy())
        })
        .map(|entry| entry.path.clone())
        .collect();
    let mut payload = Map::new();
    let failed = |e: serde_json::Error| {
        ExecuteError::new(ExecuteErrorKind::Result, "the manifest cannot be written").with_source(e)
    };
    payload.insert("packages".into(), serde_json::to_value(packages).map_err(failed)?);
    payload.insert("unowned".into(), json!(unowned));
    payload.insert("owners".into(), json!(owners));
    payload.insert("rpmdb".into(), rpmdb);
    Ok(Judged { payload, keep, unowned })
}

fn differs(expected: &[Nevra], found: &[Nevra]) -> ExecuteError {
    let (expected, found): (BTreeSet<_>, BTreeSet<_>) = (expected.iter().collect(), found.iter().collect());
    let list = |nevras: Vec<&&Nevra>| nevras.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let missing = list(expected.difference(&found).collect());
    let surplus = list(found.difference(&expected).collect());
    let text = format!("the new database is not what was decided: missing [{missing}], surplus [{surplus}]");
    ExecuteError::new(ExecuteErrorKind::Result, text)
}

/// SHA-256 and number of packages: what readers of a committed database compare before they believe it.
fn database_record(stage: &Stage, packages: usize) -> Result<Value> {
    for name in stage.database_files()? {
        if name != database::FILE && name != "pubkeys" {
            let text = format!("{name:?} is beside the new database");
            return Err(ExecuteError::new(ExecuteErrorKind::Result, text));
        }
    }
    let file = stage.open_database_file(database::FILE)?;
    let (sha256, size) = sha256_of(file).map_err(|e| ExecuteError::system("read(the new database)", e))?;
    Ok(json!({ "sha256": sha256, "packages": packages, "size": size }))
}

/// What the next command will read: the file as it lies there, now that nobody is left who could change it. librpm's own
/// account comes from the sandbox, and from a file that a scriptlet may have put another one in the place of.
fn database_as_it_lies(stage: &Stage, expected: &[Nevra]) -> Result<()> {
    let place = stage.path().join("db");
    let failed = || ExecuteError::new(ExecuteErrorKind::Result, "the new database cannot be read");
    let copy = PrivateCopy::of(&place).map_err(|e| failed().with_source(e))?;
    let mut pool = Pool::new(std::env::consts::ARCH).map_err(|e| failed().with_source(e))?;
    let repo = pool.add_repo("@staged");
    let ids = pool.load_rpmdb(repo, copy.root()).map_err(|e| failed().with_source(e))?;
    let spelled = |id| {
        let package = pool.package(id);
        format!("{}-{}.{}", package.name(), package.evr(), package.arch())
    };
    let found: BTreeSet<String> = ids.iter().map(|id| spelled(*id)).collect();
    let wanted: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
    if ids.len() == expected.len() && found == wanted {
        return Ok(());
    }
    let text = format!(
        "the new database holds {} packages, and should hold {}: a scriptlet changed it",
        ids.len(),
        expected.len()
    );
    Err(ExecuteError::new(ExecuteErrorKind::Result, text))
}

fn accounts(written: &[Written], owned: &PathSet) -> Result<()> {
    let changed = written.iter().find(|entry| {
        // A package of a base system brings its own.
        let path = entry.path.to_string_lossy();
        ACCOUNTS.contains(&path.trim_end_matches('-')) && !owned.contains(&path)
    });
    match changed {
        None => Ok(()),
        Some(entry) => {
            let text = format!("a scriptlet changed /{}", entry.path.display());
            Err(ExecuteError::new(ExecuteErrorKind::Result, text)
                .with_hint("users and groups of a node are set in its configuration"))
        }
    }
}

/// Files that no package owns: those that were, as far as they are still there, and those that are new.
fn unowned(before: &Map<String, Value>, written: &[Written], owned: &PathSet) -> Vec<String> {
    let mut found = BTreeSet::new();
    let removed: Vec<&Path> = written
        .iter()
        .filter(|entry| entry.kind == WrittenKind::Removal)
        .map(|entry| entry.path.as_path())
        .collect();
    let old = before.get("unowned").and_then(Value::as_array).into_iter().flatten();
    for path in old.filter_map(Value::as_str) {
        if !owned.contains(path) && !removed.iter().any(|gone| Path::new(path).starts_with(gone)) {
            found.insert(path.to_owned());
        }
    }
    for entry in written {
        let path = entry.path.to_string_lossy();
        if matches!(entry.kind, WrittenKind::File | WrittenKind::Symlink) && !owned.contains(&path) {
            found.insert(path.into_owned());
        }
    }
    found.into_iter().collect()
}

/// Owners that an ordinary user cannot give to files, and set-id bits and capabilities, which no file of a node gets:
/// what they should be, by path. Those of earlier transactions stay as long as their package does.
pub(crate) fn owners(
    before: &Map<String, Value>,
    packages: &[VerifiedPackage],
    after: &PathSet,
    all_owners: bool,
) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (path, owner) in before.get("owners").and_then(Value::as_object).into_iter().flatten() {
        if let (Some(owner), true) = (owner.as_str(), after.contains(path)) {
            found.insert(path.clone(), owner.to_owned());
        }
    }
    for file in packages.iter().flat_map(|package| &package.files).filter(|file| !file.ghost) {
        let path = file.path.to_string_lossy().trim_start_matches('/').to_owned();
        let given = all_owners || file.owner == "root:root";
        // What is never given, whoever installs.
        let mut rights = file.capabilities.clone();
        if file.set_id != 0 {
            rights = format!("{rights} set-id={:o}", file.set_id).trim_start().to_owned();
        }
        match (given, rights.is_empty()) {
            (true, true) => drop(found.remove(&path)),
            (_, true) => drop(found.insert(path, file.owner.clone())),
            (_, false) => drop(found.insert(path, format!("{} {rights}", file.owner))),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::Step;

    fn nevra(name: &str, version: &str) -> Nevra {
        Nevra {
            name: name.into(),
            epoch: 0,
            version: version.into(),
            release: "1".into(),
            arch: "noarch".into(),
        }
    }

    fn installed(name: &str, version: &str, reason: Reason) -> InstalledPackage {
        InstalledPackage { nevra: nevra(name, version), reason, repo: String::new() }
    }

    #[test]
    fn packages_after_a_transaction() {
        let step = |action, name: &str, version: &str, replaces| Step {
            action,
            nevra: nevra(name, version),
            reason: Reason::Dependency,
            replaces,
            source: None,
            install_size: 0,
        };
        let transaction = Transaction {
            node: "/n".into(),
            base: Some(1),
            steps: vec![
                step(Action::Upgrade, "a", "2", vec![nevra("a", "1"), nevra("old-a", "1")]),
                step(Action::Remove, "b", "1", vec![]),
                step(Action::Install, "c", "1", vec![]),
            ],
            marks: vec![(nevra("d", "1"), Reason::User)],
        };
        let before = ["a", "old-a", "b", "d"].map(|name| installed(name, "1", Reason::Weak)).to_vec();
        assert_eq!(
            packages_after(before, &transaction),
            [
                installed("a", "2", Reason::Dependency),
                installed("c", "1", Reason::Dependency),
                installed("d", "1", Reason::User)
            ]
        );
    }

    #[test]
    fn the_manifests_entries_are_flat() {
        let value = serde_json::to_value(installed("a", "2", Reason::User)).unwrap();
        assert_eq!(
            value,
            json!({"name": "a", "epoch": 0, "version": "2", "release": "1", "arch": "noarch", "reason": "user"})
        );
    }
}
