//! Files that would stand in each other's way: of new packages among themselves, with the family's, and with those of
//! descendants.
//!
//! Judged by the headers, once the package files are at hand: the same content, mode and kind is no conflict, and
//! neither are directories. Host files that no RPM owns may be overlaid.

use std::os::unix::fs::symlink;

use redpak_solv::{FileConflict, HeaderPlace, Headers, PackageId, Pool, RpmDatabase};
use tempfile::TempDir;

use crate::descendants::World;
use crate::error::{Kind, PackagesError, Result};
use crate::installed::Installed;
use crate::solve::{Resolution, Session};
use crate::transaction::{Action, Nevra};

/// More conflicts than this are not listed.
const MAX_LISTED: usize = 20;

impl Session {
    /// Refuses a resolution whose packages have files that would stand in each other's way. The package files are
    /// where the transaction says ([`Session::download`]).
    pub fn check_files(&self, resolution: &Resolution) -> Result<()> {
        let new = new_files(resolution);
        if new.is_empty() {
            return Ok(());
        }
        let gone: Vec<&Nevra> = gone(resolution);
        let all: Vec<&Installed> = self.universe.nodes.iter().collect();
        let conflicts =
            conflicts(&self.universe.pool, &new, &all, &|id| !gone.contains(&&self.universe.nevra(id)))?;
        let mut lines: Vec<String> = conflicts.iter().map(|conflict| self.line(conflict)).collect();
        if let Some(world) = World::of(self, resolution)? {
            lines.extend(world.file_conflicts(resolution)?);
        }
        if lines.is_empty() {
            return Ok(());
        }
        let more = lines.len().saturating_sub(MAX_LISTED);
        lines.truncate(MAX_LISTED);
        if more > 0 {
            lines.push(format!("  … and {more} files more"));
        }
        Err(PackagesError::new(
            Kind::Refused,
            format!("files stand in each other's way:\n{}", lines.join("\n")),
        )
        .with_hint("leave one of the packages out, or install it in a sibling node"))
    }

    fn line(&self, conflict: &FileConflict) -> String {
        let other = match self.universe.owner(conflict.other) {
            Some(crate::universe::Owner::Node(node)) => {
                format!(
                    "{} of the node {}",
                    self.universe.nevra(conflict.other),
                    self.family.nodes[node].alias
                )
            }
            _ => self.universe.nevra(conflict.other).to_string(),
        };
        format!("  {} of {} is in {other} too", shown(conflict), self.universe.nevra(conflict.package))
    }
}

/// The path, and the other one where a link makes them the same place.
pub(crate) fn shown(conflict: &FileConflict) -> String {
    match conflict.path == conflict.other_path {
        true => conflict.path.clone(),
        false => format!("{} (the same place as {})", conflict.path, conflict.other_path),
    }
}

/// The new packages of a resolution, and their files.
pub(crate) fn new_files(resolution: &Resolution) -> Vec<(PackageId, HeaderPlace)> {
    let sources = resolution
        .transaction
        .steps
        .iter()
        .filter(|step| step.action != Action::Remove)
        .filter_map(|step| step.source.as_ref());
    let places = sources.map(|source| HeaderPlace::File(source.path.clone()));
    resolution.new.iter().copied().zip(places).collect()
}

/// What a resolution takes away.
pub(crate) fn gone(resolution: &Resolution) -> Vec<&Nevra> {
    resolution
        .transaction
        .steps
        .iter()
        .flat_map(|step| step.replaces.iter().chain((step.action == Action::Remove).then_some(&step.nevra)))
        .collect()
}

/// Conflicts of new packages among themselves and with installed ones that stay.
pub(crate) fn conflicts(
    pool: &Pool,
    new: &[(PackageId, HeaderPlace)],
    installed: &[&Installed],
    stays: &dyn Fn(PackageId) -> bool,
) -> Result<Vec<FileConflict>> {
    let (mut databases, mut others, mut places) = (Vec::new(), Vec::new(), new.to_vec());
    for found in installed {
        let Some(copy) = &found.database else { continue };
        let index = databases.len();
        databases.push(RpmDatabase::new(copy.root()));
        for id in found.packages.iter().copied().filter(|id| stays(*id)) {
            others.push(id);
            places.push((id, HeaderPlace::Database(index)));
        }
    }
    let ids: Vec<PackageId> = new.iter().map(|(id, _)| *id).collect();
    let mut headers = Headers::new(databases, places);
    let root = merged_root()?;
    pool.file_conflicts(&ids, &others, &mut headers, root.path()).map_err(|error| {
        PackagesError::new(Kind::Database, "the files of the packages cannot be compared").with_source(error)
    })
}

/// A root with the links of a system with a merged `/usr`: what the view of package work has (`/bin/x` and `/usr/bin/x`
/// are one file there).
fn merged_root() -> Result<TempDir> {
    let root = TempDir::with_prefix("redpak-root-")
        .map_err(|error| PackagesError::io("mkdtemp(redpak-root-)", error))?;
    for name in ["bin", "lib", "lib64", "sbin"] {
        let link = root.path().join(name);
        symlink(format!("usr/{name}"), &link)
            .map_err(|error| PackagesError::io(format!("symlink(usr/{name}, {})", link.display()), error))?;
    }
    Ok(root)
}
