//! `remove` and `autoremove`: from the leaf's packages only.

use std::collections::BTreeSet;

use redpak_solv::{Job, JobAction, JobFlags, PackageId, Select};

use super::Session;
use super::outcome::{Notes, Resolution};
use crate::error::{Kind, PackagesError, Result};
use crate::spec::{Spec, select, select_path};
use crate::universe::Owner;

impl Session {
    /// Solves the removal of packages of the leaf, of what requires them, and of what only they required.
    pub fn remove(&mut self, specs: &[String]) -> Result<Resolution> {
        self.check_leaf()?;
        let ids = self.leaf_packages(specs)?;
        self.erase(ids)
    }

    /// Solves the removal of packages of the leaf that nobody asked for and nothing requires.
    pub fn autoremove(&mut self) -> Result<Resolution> {
        self.check_leaf()?;
        let mut solver = self.solver()?;
        let unneeded = match solver.solve(&self.standing_jobs(&BTreeSet::new(), true)) {
            0 => solver.unneeded(),
            _ => return Err(super::explain::explain(self, &solver.problems())),
        };
        drop(solver);
        let own = |id: &PackageId| self.universe.owner(*id) == Some(Owner::Node(self.leaf()));
        let mut ids: Vec<PackageId> = unneeded.into_iter().filter(own).collect();
        // What a descendant requires stays.
        loop {
            match self.erase(ids.clone()) {
                Err(error) if error.kind == Kind::Refused => {
                    let needed = self.needed_below(&ids)?;
                    if needed.is_empty() {
                        return Err(error);
                    }
                    ids.retain(|id| !needed.contains(id));
                }
                result => return result,
            }
        }
    }

    fn erase(&self, ids: Vec<PackageId>) -> Result<Resolution> {
        let flags = JobFlags { clean_deps: self.options.clean_deps, ..JobFlags::default() };
        let pool = &self.universe.pool;
        let has_ancestors = |id: &PackageId| {
            self.universe
                .shadowed
                .iter()
                .any(|below| pool.package(*below).name_id() == pool.package(*id).name_id())
        };
        let jobs: Vec<Job> = ids
            .into_iter()
            .map(|id| {
                // To erase one package is, for libsolv, to erase its name; where an ancestor's comes to light, the name
                // stays.
                let select = if has_ancestors(&id) { Select::OneOf(vec![id]) } else { Select::Package(id) };
                Job { action: JobAction::Erase, select, flags }
            })
            .collect();
        self.resolve(&jobs, Notes { erase_dependents: true, ..Notes::default() })
    }

    /// The leaf's packages that texts select. What is an ancestor's or the host's is refused by name.
    pub(super) fn leaf_packages(&self, specs: &[String]) -> Result<Vec<PackageId>> {
        let mut chosen = BTreeSet::new();
        for text in specs {
            let spec = Spec::parse(text);
            let found = match &spec {
                Spec::Path(path) => select_path(&self.universe, path),
                Spec::Group(_) => {
                    let message = format!("`{spec}`: groups are not supported by this version");
                    return Err(PackagesError::new(Kind::NotSupported, message));
                }
                _ => select(&self.universe, text).map(|(_, found)| found).unwrap_or_default(),
            };
            let own: Vec<PackageId> = found
                .iter()
                .copied()
                .filter(|id| self.universe.owner(*id) == Some(Owner::Node(self.leaf())))
                .collect();
            if own.is_empty() {
                let above = found.iter().find_map(|id| match self.universe.owner(*id)? {
                    Owner::Node(node) => Some((*id, node)),
                    Owner::Host => None,
                });
                return Err(match above {
                    Some((id, node)) => self.is_of_ancestor(id, node),
                    None => PackagesError::new(
                        Kind::NotFound,
                        format!("no package of `{}` matches: {text}", self.family.leaf().alias),
                    )
                    .with_hint("see `list --installed`"),
                });
            }
            chosen.extend(own);
        }
        Ok(chosen.into_iter().collect())
    }

    /// The refusal to change what an ancestor has.
    pub(super) fn is_of_ancestor(&self, id: PackageId, node: usize) -> PackagesError {
        let (nevra, node_of) = (self.universe.nevra(id), &self.family.nodes[node]);
        let message = format!(
            "{nevra} belongs to the node `{}`, and is not changed from `{}`",
            node_of.alias,
            self.family.leaf().alias
        );
        let hint = match node == 0 && !self.family.bare {
            true => "the root node's packages are the host's: use the host's package manager".to_owned(),
            false => format!("redwrap-dnf --redpath {} …", node_of.redpath.display()),
        };
        PackagesError::new(Kind::Refused, message).with_hint(hint)
    }
}
