//! From requests to a [`Transaction`]: a [`Session`] holds what the solver sees of one family.
//!
//! Installed, for the solver, is every package of the family. Those of ancestors are locked one by one, and so are the
//! host's offers; only the leaf's may change. What comes out is judged once more by the family's rules before it
//! becomes a transaction.

mod explain;
mod install;
mod outcome;
mod remove;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use redpak_diagnostics::Finding;
use redpak_solv::{Flag, Job, JobAction, JobFlags, PackageId, Select, Solver};

pub use install::names_paths;
pub use outcome::{AlreadyInstalled, Provided, Resolution};

use crate::cache::Cache;
use crate::error::{Kind, PackagesError, Result};
use crate::family::FamilyContext;
use crate::fetch::Progress;
use crate::host;
use crate::options::Options;
use crate::repos::RepoConfig;
use crate::transaction::Reason;
use crate::universe::{Owner, Universe, configured};

/// What to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What is installed in the family, and nothing of repositories.
    Installed,
    /// The repositories too.
    All,
}

/// What the solver sees of a family, and what is asked of it.
pub struct Session {
    /// The family.
    pub family: FamilyContext,
    /// The options.
    pub options: Options,
    /// Where things are kept.
    pub cache: Cache,
    /// The repositories, enabled or not.
    pub repos: Vec<RepoConfig>,
    /// Everything that the solver sees.
    pub universe: Universe,
}

impl Session {
    /// Loads a family.
    pub fn open(family: FamilyContext, options: Options, scope: Scope, progress: &Progress) -> Result<Self> {
        let cache = Cache::of(&family)?;
        Self::open_with(family, options, cache, scope, progress)
    }

    /// As [`open`](Self::open), with a cache of the caller's.
    pub fn open_with(
        family: FamilyContext,
        mut options: Options,
        cache: Cache,
        scope: Scope,
        progress: &Progress,
    ) -> Result<Self> {
        let (repos, findings) = configured(&family, &mut options)?;
        let mut universe = Universe::installed(&family, &cache)?;
        universe.findings = findings;
        if scope == Scope::All {
            universe.load_repositories(&repos, &options, &cache, progress)?;
        }
        let mut session = Self { family, options, cache, repos, universe };
        session.prepare()?;
        Ok(session)
    }

    /// Indexes the pool; to be called again when packages were added.
    fn prepare(&mut self) -> Result<()> {
        if !self.family.bare {
            let universe = &mut self.universe;
            let offered = host::offer_files(&mut universe.pool, universe.installed, &self.family)?;
            universe.owners.extend(offered.map(|id| (id, Owner::Host)));
        }
        self.universe.pool.prepare();
        Ok(())
    }

    /// Whether file lists of a repository were left out for their size.
    pub fn lacks_filelists(&self) -> bool {
        self.universe
            .available
            .iter()
            .any(|repo| !repo.loaded.filelists && repo.synced.repomd.file("filelists").is_some())
    }

    /// Warnings with a place in a file.
    pub fn findings(&self) -> &[Finding] {
        &self.universe.findings
    }

    /// Warnings without.
    pub fn warnings(&self) -> &[String] {
        &self.universe.warnings
    }

    /// Index of the leaf in the family.
    pub(crate) fn leaf(&self) -> usize {
        self.family.nodes.len() - 1
    }

    /// A solver with dnf's switches.
    fn solver(&self) -> Result<Solver<'_>> {
        let mut solver = Solver::new(&self.universe.pool).map_err(|error| {
            PackagesError::new(Kind::NotSupported, "libsolv cannot be used").with_source(error)
        })?;
        solver.set(Flag::AllowVendorChange, true);
        solver.set(Flag::BestObeyPolicy, true);
        solver.set(Flag::KeepOrphans, true);
        solver.set(Flag::YumObsoletes, true);
        solver.set(Flag::AddAlreadyRecommended, false);
        solver.set(Flag::IgnoreRecommended, !self.options.weak_deps);
        solver.set(Flag::AllowUninstall, self.options.allow_erasing);
        solver.set(Flag::AllowDowngrade, self.options.allow_erasing);
        Ok(solver)
    }

    /// The jobs that hold for every request: what is fixed, what was asked for, what is never chosen. `needed` are
    /// packages of the leaf that stay though nobody asked for them.
    fn standing_jobs(&self, needed: &BTreeSet<PackageId>, erasing: bool) -> Vec<Job> {
        let mut jobs = Vec::new();
        // The order of a map is by chance; the solver's result must not be.
        let owners: BTreeMap<PackageId, Owner> =
            self.universe.owners.iter().map(|(id, owner)| (*id, *owner)).collect();
        for (id, owner) in owners {
            let fixed = owner != Owner::Node(self.leaf());
            if fixed {
                jobs.push(Job::new(JobAction::Lock, Select::Package(id)));
            }
            if fixed || needed.contains(&id) || self.universe.reason(id) == Reason::User {
                jobs.push(Job::new(JobAction::UserInstalled, Select::Package(id)));
            }
        }
        let never: Vec<PackageId> = match erasing {
            // A removal installs nothing; a copy that goes gives way to the ancestor's.
            true => {
                let repos = self.universe.available.iter().flat_map(|repo| &repo.loaded.packages);
                repos.chain(self.universe.files.keys()).copied().collect()
            }
            false => self.libc_bringers().into_iter().chain(self.universe.shadowed.iter().copied()).collect(),
        };
        jobs.extend(never.into_iter().map(|id| Job::new(JobAction::Blacklist, Select::Package(id))));
        if !erasing && self.options.weak_deps {
            let unwanted = self.declined().into_iter();
            jobs.extend(unwanted.map(|id| Job::new(JobAction::ExcludeFromWeak, Select::Package(id))));
        }
        jobs
    }

    /// Brings the installed packages of the leaf to the newest version: all, or those that the texts select.
    pub fn upgrade(&mut self, specs: &[String]) -> Result<Resolution> {
        self.check_leaf()?;
        let mut jobs = Vec::new();
        let flags = JobFlags { force_best: self.options.best, ..JobFlags::default() };
        let chosen = match specs.is_empty() {
            true => self.universe.nodes[self.leaf()].packages.clone(),
            false => self.leaf_packages(specs)?,
        };
        for id in chosen {
            jobs.push(Job { action: JobAction::Update, select: Select::Package(id), flags });
        }
        self.resolve(&jobs, outcome::Notes::default())
    }

    /// The root node of a host has no packages of its own to change.
    fn check_leaf(&self) -> Result<()> {
        if self.family.leaf_is_host() {
            let alias = &self.family.leaf().alias;
            return Err(PackagesError::new(
                Kind::Refused,
                format!("the root node's packages are the host's: nothing is installed into `{alias}`"),
            )
            .with_hint("create a child node and install there, or a root node of the model `bare`"));
        }
        Ok(())
    }
}
