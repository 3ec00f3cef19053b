//! What a change would do to the nodes below the leaf.
//!
//! Their databases are read, and each of their packages is judged before and after: a requirement that held and would
//! not hold any more, a conflict or an obsolete that would arise, a name that an ancestor would gain. What was broken
//! before is not this change's fault.

use std::collections::{BTreeSet, HashMap, HashSet};

use redpak_solv::{Dep, DepId, DepKind, PackageId, Pool};

use crate::error::{Kind, PackagesError, Result};
use crate::family::Descendant;
use crate::files;
use crate::host;
use crate::installed::{self, Installed};
use crate::metadata;
use crate::solve::{Resolution, Session};
use crate::transaction::{Action, Nevra, Step, Transaction};
use crate::universe::split_evr;

/// What would break in a descendant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// In words, the node named.
    pub text: String,
    /// The package of the leaf that would be missed, in the session's pool.
    pub lost: Option<PackageId>,
}

/// A pool with the family, the descendants and the new packages, and who is who in it.
pub(crate) struct World {
    pool: Pool,
    /// The family above the leaf, and the host's offers.
    fixed: HashSet<PackageId>,
    /// The leaf's packages before and after.
    before: HashSet<PackageId>,
    after: HashSet<PackageId>,
    /// Each descendant, and its packages.
    below: Vec<(Descendant, HashSet<PackageId>)>,
    /// The databases of the descendants, in the same order.
    databases: Vec<Installed>,
    /// What comes, in the order of the resolution's new packages.
    new: Vec<PackageId>,
}

impl Session {
    /// What a resolution would break below the leaf.
    pub(crate) fn broken_descendants(&self, resolution: &Resolution) -> Result<Vec<Broken>> {
        let Some(world) = World::of(self, resolution)? else { return Ok(Vec::new()) };
        let mut broken = Vec::new();
        for index in 0..world.below.len() {
            world.judge(self, index, &mut broken);
        }
        Ok(broken)
    }

    /// Those of `ids` that a descendant requires.
    pub(crate) fn needed_below(&self, ids: &[PackageId]) -> Result<BTreeSet<PackageId>> {
        let steps = ids
            .iter()
            .map(|id| Step {
                action: Action::Remove,
                nevra: self.universe.nevra(*id),
                reason: self.universe.reason(*id),
                replaces: Vec::new(),
                source: None,
                install_size: 0,
            })
            .collect();
        let leaf = &self.family.leaf().redpath;
        let transaction = Transaction { node: leaf.clone(), base: None, steps, marks: Vec::new() };
        let resolution = Resolution {
            transaction,
            provided: Vec::new(),
            already: Vec::new(),
            skipped: Vec::new(),
            dependents: Default::default(),
            unneeded: Default::default(),
            new: Vec::new(),
        };
        Ok(self.broken_descendants(&resolution)?.into_iter().filter_map(|broken| broken.lost).collect())
    }
}

impl World {
    /// The world of a resolution; `None` when it changes nothing, or there is nobody below whom it could concern.
    pub(crate) fn of(session: &Session, resolution: &Resolution) -> Result<Option<Self>> {
        let mut concerned = false;
        for below in &session.family.descendants {
            concerned |= installed::current(&below.node)?.is_some();
        }
        match concerned && !resolution.transaction.steps.is_empty() {
            true => Self::build(session, resolution).map(Some),
            false => Ok(None),
        }
    }

    /// Files of what comes that descendants' packages have otherwise, in words.
    pub(crate) fn file_conflicts(&self, resolution: &Resolution) -> Result<Vec<String>> {
        let places = files::new_files(resolution).into_iter().map(|(_, place)| place);
        let new: Vec<_> = self.new.iter().copied().zip(places).collect();
        let all: Vec<&Installed> = self.databases.iter().collect();
        let among_new = |conflict: &redpak_solv::FileConflict| self.new.contains(&conflict.other);
        let conflicts = files::conflicts(&self.pool, &new, &all, &|_| true)?;
        Ok(conflicts
            .iter()
            .filter(|conflict| !among_new(conflict))
            .map(|conflict| {
                let owner = self.below.iter().find(|(_, own)| own.contains(&conflict.other));
                let alias = owner.map_or("?", |(descendant, _)| descendant.node.alias.as_str());
                format!(
                    "  {} of {} is in {} of the node {alias} too",
                    files::shown(conflict),
                    nevra(&self.pool, conflict.package),
                    nevra(&self.pool, conflict.other)
                )
            })
            .collect())
    }

    fn build(session: &Session, resolution: &Resolution) -> Result<Self> {
        let family = &session.family;
        let mut pool = Pool::new(&family.arch).map_err(|error| {
            PackagesError::new(Kind::NotSupported, "libsolv cannot be used").with_source(error)
        })?;
        let repo = pool.add_repo("@all");
        let (mut fixed, mut before) = (HashSet::new(), HashSet::new());
        for (index, node) in family.nodes.iter().enumerate() {
            let leaf = index + 1 == family.nodes.len();
            if index == 0 && !family.bare {
                match installed::load_host(&mut pool, repo, family.rpmdir.as_deref())? {
                    Some(found) => {
                        fixed.extend(found.packages);
                        fixed.extend(host::declared(&mut pool, repo, family)?);
                    }
                    None => fixed.extend(host::offers(&mut pool, repo, family, &session.cache.offers())?),
                }
                continue;
            }
            let found = installed::load_node(&mut pool, repo, node)?.packages;
            if leaf { before.extend(found) } else { fixed.extend(found) }
        }
        let (mut below, mut databases) = (Vec::new(), Vec::new());
        for descendant in &family.descendants {
            // Nodes between are descendants themselves, and each is loaded once.
            let found = installed::load_node(&mut pool, repo, &descendant.node)?;
            below.push((descendant.clone(), found.packages.iter().copied().collect()));
            databases.push(found);
        }
        let new = load_new(&mut pool, session, resolution)?;
        fixed.extend(host::offer_files(&mut pool, repo, family)?);
        pool.prepare();
        let gone: HashSet<&Nevra> = files::gone(resolution).into_iter().collect();
        let mut after: HashSet<PackageId> =
            before.iter().copied().filter(|id| !gone.contains(&nevra(&pool, *id))).collect();
        after.extend(&new);
        Ok(Self { pool, fixed, before, after, below, databases, new })
    }

    /// The packages that a descendant sees, with the leaf as given.
    fn seen(&self, index: usize, leaf: &HashSet<PackageId>) -> HashSet<PackageId> {
        let (descendant, own) = &self.below[index];
        let mut seen: HashSet<PackageId> = self.fixed.union(leaf).copied().collect();
        for (other, packages) in &self.below {
            if descendant.between.contains(&other.node) {
                seen.extend(packages);
            }
        }
        seen.extend(own);
        seen
    }

    fn judge(&self, session: &Session, index: usize, broken: &mut Vec<Broken>) {
        let (descendant, own) = &self.below[index];
        let (before, after) = (self.seen(index, &self.before), self.seen(index, &self.after));
        let alias = &descendant.node.alias;
        let mut packages: Vec<PackageId> = own.iter().copied().collect();
        packages.sort();
        for id in packages {
            let name = nevra(&self.pool, id);
            for dep in self.pool.package(id).dependencies(DepKind::Requires) {
                if holds(&self.pool, dep, &before) && !holds(&self.pool, dep, &after) {
                    let lost = self.lost_provider(session, dep, &before, &after);
                    let text = format!("{name} of the node {alias} requires {}", self.pool.dep_text(dep));
                    broken.push(Broken { text, lost });
                }
            }
            for kind in [DepKind::Conflicts, DepKind::Obsoletes] {
                for dep in self.pool.package(id).dependencies(kind) {
                    self.clash(index, id, dep, kind, broken);
                }
            }
        }
        // What comes may conflict with, obsolete, or be what a descendant has.
        let mut new: Vec<PackageId> = self.after.difference(&self.before).copied().collect();
        new.sort();
        for id in new {
            for kind in [DepKind::Conflicts, DepKind::Obsoletes] {
                for dep in self.pool.package(id).dependencies(kind) {
                    if let Some(hit) = self.hit(dep, kind).into_iter().find(|hit| own.contains(hit)) {
                        let word = if kind == DepKind::Conflicts { "conflicts with" } else { "obsoletes" };
                        let text = format!(
                            "{} {word} {} of the node {alias}",
                            nevra(&self.pool, id),
                            nevra(&self.pool, hit)
                        );
                        broken.push(Broken { text, lost: None });
                    }
                }
            }
            let package = self.pool.package(id);
            // An upgrade of what the leaf has changes nothing about who has the name.
            let had = self.before.iter().any(|old| self.pool.package(*old).name_id() == package.name_id());
            let twin = own.iter().find(|other| self.pool.package(**other).name_id() == package.name_id());
            if let (Some(twin), false) = (twin, had) {
                let text = format!("the node {alias} has {} of its own", nevra(&self.pool, *twin));
                broken.push(Broken { text, lost: None });
            }
        }
    }

    /// A conflict of a descendant's package with what comes.
    fn clash(&self, index: usize, id: PackageId, dep: DepId, kind: DepKind, broken: &mut Vec<Broken>) {
        let new = |hit: &PackageId| self.after.contains(hit) && !self.before.contains(hit);
        if let Some(hit) = self.hit(dep, kind).into_iter().find(new) {
            let alias = &self.below[index].0.node.alias;
            let word = if kind == DepKind::Conflicts { "conflicts with" } else { "obsoletes" };
            let text =
                format!("{} of the node {alias} {word} {}", nevra(&self.pool, id), nevra(&self.pool, hit));
            broken.push(Broken { text, lost: None });
        }
    }

    /// What a conflict or an obsolete means: an obsolete means names alone.
    fn hit(&self, dep: DepId, kind: DepKind) -> Vec<PackageId> {
        let mut found = self.pool.providers(dep);
        if kind == DepKind::Obsoletes {
            let name = self.pool.dep_name(dep);
            found.retain(|id| self.pool.package(*id).name() == name);
        }
        found
    }

    /// The package of the leaf, in the session's pool, that satisfied a requirement and goes.
    fn lost_provider(
        &self,
        session: &Session,
        dep: DepId,
        before: &HashSet<PackageId>,
        after: &HashSet<PackageId>,
    ) -> Option<PackageId> {
        let lost =
            self.pool.providers(dep).into_iter().find(|id| before.contains(id) && !after.contains(id))?;
        let lost = nevra(&self.pool, lost);
        let leaf = session.universe.nodes.last()?;
        leaf.packages.iter().copied().find(|id| session.universe.nevra(*id) == lost)
    }
}

/// Loads the new packages of a resolution: from their repositories' caches, or from their files. They are in the
/// resolution's order.
fn load_new(pool: &mut Pool, session: &Session, resolution: &Resolution) -> Result<Vec<PackageId>> {
    let universe = &session.universe;
    let mut found = HashMap::new();
    for available in &universe.available {
        let of_repo = |id: &&PackageId| universe.pool.package(**id).repo() == Some(available.loaded.repo);
        let wanted: HashMap<Nevra, PackageId> =
            resolution.new.iter().filter(of_repo).map(|id| (universe.nevra(*id), *id)).collect();
        if wanted.is_empty() {
            continue;
        }
        let filelists = available.loaded.filelists;
        let loaded = metadata::load(pool, &available.synced, &available.client, filelists, &|_, _| {})?;
        found.extend(
            loaded
                .packages
                .into_iter()
                .filter_map(|id| wanted.get(&nevra(pool, id)).map(|original| (*original, id))),
        );
    }
    let files = pool.add_repo("@commandline");
    for (original, path) in resolution.new.iter().filter_map(|id| Some((*id, universe.files.get(id)?))) {
        let id = pool.load_rpm(files, path).map_err(|error| {
            PackagesError::new(Kind::Io, format!("{} cannot be read any more", path.display()))
                .with_source(error)
        })?;
        found.insert(original, id);
    }
    pool.finish_repo(files);
    let missing =
        || PackagesError::new(Kind::Metadata, "the repositories changed meanwhile: run the command again");
    resolution.new.iter().map(|id| found.get(id).copied().ok_or_else(missing)).collect()
}

fn nevra(pool: &Pool, id: PackageId) -> Nevra {
    let package = pool.package(id);
    split_evr(package.name(), &package.evr(), package.arch())
}

/// Whether a requirement holds among packages.
pub(crate) fn holds(pool: &Pool, dep: DepId, seen: &HashSet<PackageId>) -> bool {
    match pool.take_apart(dep) {
        // What rpm itself can do is no package's matter.
        Dep::Plain => {
            pool.dep_name(dep).starts_with("rpmlib(")
                || pool.providers(dep).iter().any(|id| seen.contains(id))
        }
        Dep::And(a, b) => holds(pool, a, seen) && holds(pool, b, seen),
        Dep::Or(a, b) => holds(pool, a, seen) || holds(pool, b, seen),
        Dep::If(a, condition, other) => match holds(pool, condition, seen) {
            true => holds(pool, a, seen),
            false => other.is_none_or(|other| holds(pool, other, seen)),
        },
        Dep::Unless(a, condition, other) => match holds(pool, condition, seen) {
            true => other.is_some_and(|other| holds(pool, other, seen)),
            false => holds(pool, a, seen),
        },
    }
}
