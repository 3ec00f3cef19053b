//! What the solver decided, as a [`Resolution`]: a transaction, and what else there is to say.

use std::collections::BTreeSet;

use redpak_solv::{DecisionReason, Job, JobAction, PackageId, Select, Solver, TransactionStep};

use super::Session;
use super::explain::explain;
use crate::error::{Kind, PackagesError, Result};
use crate::fetch::url;
use crate::repos::RepoConfig;
use crate::transaction::{Action, Nevra, PackageSource, Reason, Step, Transaction};
use crate::universe::Owner;

/// A request that an ancestor satisfies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provided {
    /// The request, as it was made.
    pub request: String,
    /// Alias of the node that has it.
    pub node: String,
    /// The package that satisfies it.
    pub nevra: Nevra,
}

impl std::fmt::Display for Provided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: provided by {} ({})", self.request, self.node, self.nevra)
    }
}

/// A request for what the node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlreadyInstalled {
    /// The request, as it was made.
    pub request: String,
    /// The package.
    pub nevra: Nevra,
}

impl std::fmt::Display for AlreadyInstalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} is already installed", self.request, self.nevra)
    }
}

/// What a request comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// What is to be executed; nothing when it is empty.
    pub transaction: Transaction,
    /// Requests that ancestors satisfy.
    pub provided: Vec<Provided>,
    /// Requests for what the node has.
    pub already: Vec<AlreadyInstalled>,
    /// Requests that were skipped, with the reason.
    pub skipped: Vec<String>,
    /// Of the packages that go, those that require one that goes.
    pub dependents: BTreeSet<Nevra>,
    /// Of the packages that go, those that nothing needs any more.
    pub unneeded: BTreeSet<Nevra>,
    /// The new packages, in the session's pool, in the order of the steps that bring them.
    pub new: Vec<PackageId>,
}

impl Resolution {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.transaction.steps.is_empty() && self.transaction.marks.is_empty()
    }
}

/// What is known of a request before it is solved.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    pub provided: Vec<Provided>,
    pub skipped: Vec<String>,
    /// Each request, and the packages any of which is what was asked for.
    pub requested: Vec<(String, Vec<PackageId>)>,
    /// The dependents of what is removed go too.
    pub erase_dependents: bool,
}

/// The packages that somebody wants to go, and not only what hangs on them.
fn explicit(jobs: &[Job]) -> BTreeSet<PackageId> {
    jobs.iter()
        .filter(|job| job.action == JobAction::Erase)
        .flat_map(|job| match &job.select {
            Select::Package(id) => vec![*id],
            Select::OneOf(ids) => ids.clone(),
            _ => Vec::new(),
        })
        .collect()
}

impl Session {
    /// Solves jobs, judges the result by the family's rules, and checks every descendant.
    pub(super) fn resolve(&self, jobs: &[Job], notes: Notes) -> Result<Resolution> {
        // Packages of the leaf that nobody asked for and that descendants need: found one round, kept in the next.
        let mut needed = BTreeSet::new();
        loop {
            let resolution = self.solve(jobs, &needed, &notes)?;
            self.judge(&resolution.transaction)?;
            let broken = self.broken_descendants(&resolution)?;
            if broken.is_empty() {
                return Ok(resolution);
            }
            let explicit = explicit(jobs);
            let cleaned: BTreeSet<PackageId> =
                broken.iter().filter_map(|broken| broken.lost).filter(|id| !explicit.contains(id)).collect();
            // Each round keeps one more package, or this is not about packages that are only cleaned up.
            if cleaned.is_subset(&needed) {
                let list: Vec<String> = broken.iter().map(|broken| format!("  {}", broken.text)).collect();
                let message = format!(
                    "this would break nodes below `{}`:\n{}",
                    self.family.leaf().alias,
                    list.join("\n")
                );
                return Err(PackagesError::new(Kind::Refused, message)
                    .with_hint("change the nodes named above first, from the lowest up"));
            }
            needed.extend(cleaned);
        }
    }

    fn solve(&self, jobs: &[Job], needed: &BTreeSet<PackageId>, notes: &Notes) -> Result<Resolution> {
        let mut solver = self.solver()?;
        if notes.erase_dependents {
            solver.set(redpak_solv::Flag::AllowUninstall, true);
        }
        let mut all = self.standing_jobs(needed, notes.erase_dependents);
        all.extend_from_slice(jobs);
        if solver.solve(&all) > 0 {
            return Err(explain(self, &solver.problems()));
        }
        let transaction = redpak_solv::Transaction::new(&solver).map_err(|error| {
            PackagesError::new(Kind::Unsolvable, "libsolv gives no transaction").with_source(error)
        })?;
        let mut resolution = self.outcome(&solver, transaction.steps(), notes)?;
        let explicit = explicit(jobs);
        for step in transaction.steps() {
            let TransactionStep::Erase { package } = step else { continue };
            if explicit.contains(&package) {
                continue;
            }
            let nevra = self.universe.nevra(package);
            match solver.reason(package) {
                DecisionReason::CleanDeps => resolution.unneeded.insert(nevra),
                _ => resolution.dependents.insert(nevra),
            };
        }
        Ok(resolution)
    }

    fn outcome(&self, solver: &Solver, decided: Vec<TransactionStep>, notes: &Notes) -> Result<Resolution> {
        let requested: BTreeSet<PackageId> =
            notes.requested.iter().flat_map(|(_, ids)| ids).copied().collect();
        let mut steps: Vec<(Step, Option<PackageId>)> = Vec::new();
        for step in decided {
            match step {
                TransactionStep::Erase { package } => steps.push((self.removal(package)?, None)),
                // The ancestor's comes to light again: nothing is installed for that.
                TransactionStep::Install { package, replaces }
                    if self.universe.shadowed.contains(&package) =>
                {
                    for old in replaces {
                        steps.push((self.removal(old)?, None));
                    }
                }
                TransactionStep::Install { package, replaces } => {
                    let step = self.arrival(solver, package, &replaces, requested.contains(&package))?;
                    steps.push((step, Some(package)));
                }
            }
        }
        steps.sort_by(|(a, _), (b, _)| (a.action, &a.nevra).cmp(&(b.action, &b.nevra)));
        let touched: BTreeSet<Nevra> =
            steps.iter().flat_map(|(step, _)| step.replaces.iter().chain([&step.nevra])).cloned().collect();
        let (mut already, mut marks) = (Vec::new(), Vec::new());
        for (request, ids) in &notes.requested {
            let kept = ids.iter().find(|id| self.universe.owner(**id) == Some(Owner::Node(self.leaf())));
            let Some(id) = kept else { continue };
            let nevra = self.universe.nevra(*id);
            if !touched.contains(&nevra) {
                if self.universe.reason(*id) != Reason::User {
                    marks.push((nevra.clone(), Reason::User));
                }
                already.push(AlreadyInstalled { request: request.clone(), nevra });
            }
        }
        let new = steps.iter().filter_map(|(_, id)| *id).collect();
        let leaf = self.family.leaf();
        Ok(Resolution {
            transaction: Transaction {
                node: leaf.redpath.clone(),
                base: self.universe.nodes[self.leaf()].generation,
                steps: steps.into_iter().map(|(step, _)| step).collect(),
                marks,
            },
            provided: notes.provided.clone(),
            already,
            skipped: notes.skipped.clone(),
            dependents: BTreeSet::new(),
            unneeded: BTreeSet::new(),
            new,
        })
    }

    fn removal(&self, package: PackageId) -> Result<Step> {
        self.check_own(package)?;
        Ok(Step {
            action: Action::Remove,
            nevra: self.universe.nevra(package),
            reason: self.universe.reason(package),
            replaces: Vec::new(),
            source: None,
            install_size: self.universe.pool.package(package).install_size(),
        })
    }

    /// What the solver changes must be the leaf's: the locks see to it, and this is the last look.
    fn check_own(&self, package: PackageId) -> Result<()> {
        match self.universe.owner(package) {
            Some(Owner::Node(node)) if node == self.leaf() => Ok(()),
            Some(Owner::Node(node)) => Err(self.is_of_ancestor(package, node)),
            _ => Err(PackagesError::new(
                Kind::Refused,
                format!("{} is the host's, and is not changed", self.universe.nevra(package)),
            )),
        }
    }

    fn arrival(
        &self,
        solver: &Solver,
        package: PackageId,
        replaces: &[PackageId],
        requested: bool,
    ) -> Result<Step> {
        for old in replaces {
            self.check_own(*old)?;
        }
        let pool = &self.universe.pool;
        let nevra = self.universe.nevra(package);
        let same =
            replaces.iter().find(|old| pool.package(**old).name_id() == pool.package(package).name_id());
        let action = match same {
            None => Action::Install,
            Some(old) => match pool.compare_evr(&pool.package(*old).evr(), &nevra.evr()) {
                std::cmp::Ordering::Less => Action::Upgrade,
                std::cmp::Ordering::Greater => Action::Downgrade,
                std::cmp::Ordering::Equal => Action::Reinstall,
            },
        };
        // Who replaces takes over why the other was there; the strongest reason wins.
        let inherited = replaces.iter().map(|old| self.universe.reason(*old)).min();
        let reason = match (requested, inherited) {
            (true, _) => Reason::User,
            (false, Some(reason)) => reason,
            (false, None) if solver.reason(package) == DecisionReason::Weak => Reason::Weak,
            (false, None) => Reason::Dependency,
        };
        Ok(Step {
            action,
            reason,
            replaces: replaces.iter().map(|old| self.universe.nevra(*old)).collect(),
            source: Some(self.source(package, &nevra)?),
            install_size: pool.package(package).install_size(),
            nevra,
        })
    }

    /// A key in the file system of the node that names it, else on the host.
    fn key_url(&self, repo: &RepoConfig, key: &str) -> String {
        let node = self.family.nodes.iter().find(|node| node.alias == repo.node);
        let inside = url::local_path(key)
            .zip(node)
            .map(|(path, node)| node.redpath.join(path.strip_prefix("/").unwrap_or(&path)));
        match inside.filter(|path| path.is_file()) {
            Some(path) => format!("file://{}", path.display()),
            None => key.to_owned(),
        }
    }

    /// Where a package comes from.
    pub fn source(&self, package: PackageId, nevra: &Nevra) -> Result<PackageSource> {
        if let Some(path) = self.universe.files.get(&package) {
            let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            return Ok(PackageSource {
                repo: "@commandline".into(),
                urls: Vec::new(),
                path: path.clone(),
                checksum: None,
                size,
                // Nobody's keys answer for a local file; `gpgcheck` of the configuration still demands a signature
                // where it is set in so many words.
                gpgcheck: !self.options.no_gpgcheck && self.family.gpgcheck.is_some_and(|check| check.value),
                keys: Vec::new(),
            });
        }
        let available = self
            .universe
            .available_in(package)
            .ok_or_else(|| PackagesError::new(Kind::Metadata, format!("{nevra} is in no repository")))?;
        let (repo, found) = (&available.synced.repo, self.universe.pool.package(package));
        let bad = |what: &str| {
            PackagesError::new(Kind::Integrity, format!("{nevra} of the repository `{}`: {what}", repo.id))
                .with_hint("tell who keeps the repository; -x leaves the package out")
        };
        let location = found.location().ok_or_else(|| bad("the metadata gives no location"))?;
        if found.location_base().is_some_and(|base| !base.is_empty()) {
            return Err(bad("its location leads to another server"));
        }
        let urls: Vec<String> =
            available.synced.bases.iter().filter_map(|base| url::join(base, &location)).collect();
        let name = url::file_name(&location).filter(|_| !urls.is_empty());
        let name =
            name.ok_or_else(|| bad(&format!("its location `{location}` leads out of the repository")))?;
        // What lies here already is used in place: its content is verified when it is used.
        let local = urls.iter().find_map(|url| url::local_path(url)).filter(|path| path.exists());
        let checksum = found.checksum().ok_or_else(|| bad("the metadata gives no checksum"))?;
        Ok(PackageSource {
            repo: repo.id.clone(),
            path: local.unwrap_or_else(|| self.cache.packages(repo).join(name)),
            urls,
            checksum: Some(checksum),
            size: found.download_size(),
            gpgcheck: !self.options.no_gpgcheck && repo.gpgcheck.unwrap_or(self.family.gpgcheck_default()),
            keys: repo.gpgkey.iter().map(|key| self.key_url(repo, key)).collect(),
        })
    }
}
