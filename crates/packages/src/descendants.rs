//! What a change would do to the nodes below the leaf.
//!
//! Their databases are read, and each of their packages is judged before and after: a requirement that held and would
//! not hold any more, a conflict or an obsolete that would arise, a name that an ancestor would gain. What was broken
//! before is not this change's fault.

use std::collections::{BTreeSet, HashSet};

use redpak_solv::{Dep, DepId, DepKind, PackageId, Pool};

use crate::error::{Kind, PackagesError, Result};
use crate::family::Descendant;
use crate::host;
use crate::installed;
use crate::metadata;
use crate::solve::{Resolution, Session};
use crate::transaction::{Action, Nevra};
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
struct World {
    pool: Pool,
    /// The family above the leaf, and the host's offers.
    fixed: HashSet<PackageId>,
    /// The leaf's packages before and after.
    before: HashSet<PackageId>,
    after: HashSet<PackageId>,
    /// Each descendant, and its packages.
    below: Vec<(Descendant, HashSet<PackageId>)>,
}

impl Session {
    /// What a resolution would break below the leaf.
    pub(crate) fn broken_descendants(&self, resolution: &Resolution) -> Result<Vec<Broken>> {
        let changes = !resolution.transaction.steps.is_empty();
        let any = self
            .family
            .descendants
            .iter()
            .any(|below| matches!(installed::current(&below.node), Ok(Some(_)) | Err(_)));
        if !changes || !any {
            return Ok(Vec::new());
        }
        let world = World::build(self, resolution)?;
        let mut broken = Vec::new();
        for index in 0..world.below.len() {
            world.judge(self, index, &mut broken);
        }
        Ok(broken)
    }

    /// Those of `ids` that a descendant requires.
    pub(crate) fn needed_below(&self, ids: &[PackageId]) -> Result<BTreeSet<PackageId>> {
        let mut resolution = Resolution {
            transaction: crate::transaction::Transaction {
                node: self.family.leaf().redpath.clone(),
                base: None,
                steps: Vec::new(),
                marks: Vec::new(),
            },
            provided: Vec::new(),
            already: Vec::new(),
            skipped: Vec::new(),
            new: Vec::new(),
        };
        resolution.transaction.steps = ids
            .iter()
            .map(|id| crate::transaction::Step {
                action: Action::Remove,
                nevra: self.universe.nevra(*id),
                reason: self.universe.reason(*id),
                replaces: Vec::new(),
                source: None,
                install_size: 0,
            })
            .collect();
        Ok(self.broken_descendants(&resolution)?.into_iter().filter_map(|broken| broken.lost).collect())
    }
}

impl World {
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
        let mut below = Vec::new();
        for descendant in &family.descendants {
            // Nodes between are descendants themselves, and each is loaded once.
            let found = installed::load_node(&mut pool, repo, &descendant.node)?.packages;
            below.push((descendant.clone(), found.into_iter().collect()));
        }
        let new = load_new(&mut pool, session, resolution)?;
        fixed.extend(host::offer_files(&mut pool, repo, family)?);
        pool.prepare();
        let gone: HashSet<&Nevra> = resolution
            .transaction
            .steps
            .iter()
            .flat_map(|step| {
                step.replaces.iter().chain((step.action == Action::Remove).then_some(&step.nevra))
            })
            .collect();
        let mut after: HashSet<PackageId> =
            before.iter().copied().filter(|id| !gone.contains(&nevra(&pool, *id))).collect();
        after.extend(new);
        Ok(Self { pool, fixed, before, after, below })
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

/// Loads the new packages of a resolution: from their repositories' caches, or from their files.
fn load_new(pool: &mut Pool, session: &Session, resolution: &Resolution) -> Result<Vec<PackageId>> {
    let universe = &session.universe;
    let mut new = Vec::new();
    for available in &universe.available {
        let wanted: HashSet<Nevra> = resolution
            .new
            .iter()
            .filter(|id| universe.pool.package(**id).repo() == Some(available.loaded.repo))
            .map(|id| universe.nevra(*id))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let filelists = available.loaded.filelists;
        let loaded = metadata::load(pool, &available.synced, &available.client, filelists, &|_, _| {})?;
        new.extend(loaded.packages.into_iter().filter(|id| wanted.contains(&nevra(pool, *id))));
    }
    let files = pool.add_repo("@commandline");
    for path in resolution.new.iter().filter_map(|id| universe.files.get(id)) {
        new.push(pool.load_rpm(files, path).map_err(|error| {
            PackagesError::new(Kind::Io, format!("{} cannot be read any more", path.display()))
                .with_source(error)
        })?);
    }
    pool.finish_repo(files);
    Ok(new)
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
