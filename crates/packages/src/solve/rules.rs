//! The rules of the family that are not dependencies: whose names are taken, who has the C library.

use std::collections::BTreeSet;

use redpak_solv::{DepKind, PackageId};

use super::Session;
use crate::error::{Kind, PackagesError, Result};
use crate::transaction::{Action, Transaction};
use crate::universe::Owner;

/// What only the C library or its loader provides.
const LIBC: [&str; 8] = [
    "rtld(GNU_HASH)",
    "libc.so.6()(64bit)",
    "libc.so.6",
    "ld-linux-x86-64.so.2()(64bit)",
    "ld-linux-aarch64.so.1()(64bit)",
    "ld-linux-armhf.so.3",
    "libc.musl-x86_64.so.1()(64bit)",
    "libc.musl-aarch64.so.1()(64bit)",
];

impl Session {
    /// The packages that bring a C library or loader where the family above the leaf has one.
    pub(super) fn libc_bringers(&self) -> BTreeSet<PackageId> {
        let pool = &self.universe.pool;
        let mut bringers = BTreeSet::new();
        let mut taken = false;
        for name in LIBC.iter().filter_map(|name| pool.find_name(name)) {
            for id in pool.providers(name) {
                match self.universe.owner(id) {
                    Some(Owner::Node(node)) if node == self.leaf() => {}
                    Some(_) => taken = true,
                    None => {
                        bringers.insert(id);
                    }
                }
            }
        }
        if taken { bringers } else { BTreeSet::new() }
    }

    /// Who above the leaf has the C library: to say so.
    pub(super) fn libc_owner(&self) -> String {
        let pool = &self.universe.pool;
        LIBC.iter()
            .filter_map(|name| pool.find_name(name))
            .flat_map(|name| pool.providers(name))
            .find_map(|id| match self.universe.owner(id)? {
                Owner::Host => Some("the host".to_owned()),
                Owner::Node(node) if node != self.leaf() => {
                    Some(format!("the node `{}`", self.family.nodes[node].alias))
                }
                Owner::Node(_) => None,
            })
            .unwrap_or_else(|| "the family".to_owned())
    }

    /// The package of an ancestor that has this name.
    pub(super) fn ancestor_with(&self, name: &str) -> Option<(usize, PackageId)> {
        let pool = &self.universe.pool;
        let id = pool.find_name(name)?;
        pool.providers(id).into_iter().find_map(|provider| match self.universe.owner(provider)? {
            Owner::Node(node) if node != self.leaf() && pool.package(provider).name_id() == id => {
                Some((node, provider))
            }
            _ => None,
        })
    }

    /// Packages that weak dependencies of what is installed ask for, and that are not there: somebody did not want
    /// them, and an upgrade does not bring them in after all (dnf's `exclude_from_weak_autodetect`).
    pub(super) fn declined(&self) -> BTreeSet<PackageId> {
        let pool = &self.universe.pool;
        let is_installed = |id: &PackageId| self.universe.owner(*id).is_some();
        let mut declined = BTreeSet::new();
        for id in self.universe.owners.keys() {
            for dep in pool.package(*id).dependencies(DepKind::Recommends) {
                let providers = pool.providers(dep);
                if !providers.iter().any(is_installed) {
                    declined.extend(providers);
                }
            }
        }
        for id in self.universe.available.iter().flat_map(|repo| &repo.loaded.packages) {
            let supplements = pool.package(*id).dependencies(DepKind::Supplements);
            if supplements.into_iter().any(|dep| pool.providers(dep).iter().any(is_installed)) {
                declined.insert(*id);
            }
        }
        declined
    }

    /// Judges what the solver decided: no name of an ancestor's comes again. The solver sees to it but for packages of
    /// another architecture, which RPM lets stand side by side.
    pub(super) fn judge(&self, transaction: &Transaction) -> Result<()> {
        for step in transaction.steps.iter().filter(|step| step.action != Action::Remove) {
            if let Some((node, id)) = self.ancestor_with(&step.nevra.name) {
                return Err(self.name_is_taken(&step.nevra.to_string(), node, id));
            }
        }
        Ok(())
    }

    /// The refusal of a package whose name an ancestor has.
    pub(super) fn name_is_taken(&self, wanted: &str, node: usize, id: PackageId) -> PackagesError {
        let (alias, has) = (&self.family.nodes[node].alias, self.universe.nevra(id));
        PackagesError::new(
            Kind::Refused,
            format!("{wanted} cannot be installed: the node `{alias}` has {has}"),
        )
        .with_hint(format!(
            "change it in `{alias}`, or insist on a copy of its own for `{}`: install --forcenode {}",
            self.family.leaf().alias,
            has.name
        ))
    }
}
