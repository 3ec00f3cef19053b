//! Questions that change nothing: list, info, search, provides, repoquery, repositories, upgrades.

use std::collections::BTreeMap;

use redpak_solv::{DepKind, Match, PackageId};
use serde::Serialize;

use crate::error::{Kind, PackagesError, Result};
use crate::options::glob;
use crate::solve::Session;
use crate::spec::{Spec, select, select_path};
use crate::transaction::{Action, Nevra, Reason};
use crate::universe::Owner;

/// A package in a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Row {
    /// Which package.
    #[serde(flatten)]
    pub nevra: Nevra,
    /// The node that has it, or the repository that has it.
    pub place: String,
    /// It is installed.
    pub installed: bool,
    /// One line on what it is.
    pub summary: String,
}

/// A package in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Info {
    /// Which package, and where.
    #[serde(flatten)]
    pub row: Row,
    /// What it is, at length.
    pub description: String,
    /// License.
    pub license: String,
    /// Home page.
    pub url: String,
    /// The source package's file name.
    pub source: String,
    /// Who built it.
    pub vendor: String,
    /// Installed size in bytes.
    pub install_size: u64,
    /// Size of the package file in bytes; 0 for what is installed.
    pub download_size: u64,
    /// Why it is installed.
    pub reason: Option<Reason>,
    /// Seconds since 1970; 0 when unknown.
    pub build_time: u64,
}

/// A repository in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RepoRow {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Alias of the node that it is of.
    pub node: String,
    /// It is used.
    pub enabled: bool,
    /// Signatures of its packages are verified.
    pub gpgcheck: bool,
    /// Where it is.
    pub source: String,
    /// How many packages it has, when it was loaded.
    pub packages: Option<usize>,
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    /// Packages of the leaf.
    pub installed: bool,
    /// Packages of all the family.
    pub family: bool,
    /// Packages of the repositories.
    pub available: bool,
}

/// A property of packages that `repoquery` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// Dependencies of a kind.
    Dependencies(DepKind),
    /// Files and directories.
    Files,
}

impl Session {
    /// Lists packages, by name and place; `patterns` are globs of names, `name.arch` or NEVRAs, none being all.
    pub fn list(&self, which: Which, patterns: &[String]) -> Vec<Row> {
        let mut ids: Vec<PackageId> = Vec::new();
        for (index, node) in self.universe.nodes.iter().enumerate() {
            if which.family || (which.installed && index == self.leaf()) {
                ids.extend(&node.packages);
            }
        }
        if which.available {
            ids.extend(self.universe.available.iter().flat_map(|repo| &repo.loaded.packages));
        }
        let mut rows: Vec<Row> = ids
            .into_iter()
            .filter(|id| self.universe.pool.has(*id) && self.matches_any(*id, patterns))
            .map(|id| self.row(id))
            .collect();
        rows.sort();
        rows.dedup();
        rows
    }

    fn matches_any(&self, id: PackageId, patterns: &[String]) -> bool {
        if patterns.is_empty() {
            return true;
        }
        let nevra = self.universe.nevra(id);
        let forms = [
            nevra.name.clone(),
            format!("{}.{}", nevra.name, nevra.arch),
            format!("{}-{}", nevra.name, nevra.version),
            format!("{}-{}", nevra.name, nevra.evr()),
            nevra.to_string(),
        ];
        patterns.iter().any(|pattern| forms.iter().any(|form| glob(pattern, form)))
    }

    fn row(&self, id: PackageId) -> Row {
        let universe = &self.universe;
        let place = match universe.owner(id) {
            Some(Owner::Node(node)) => self.family.nodes[node].alias.clone(),
            Some(Owner::Host) => "host".to_owned(),
            None => universe.pool.repo_name(id),
        };
        Row {
            nevra: universe.nevra(id),
            place,
            installed: universe.owner(id).is_some(),
            summary: universe.pool.package(id).summary().unwrap_or_default(),
        }
    }

    /// Packages in full: what specs select, installed ones first, and of each repository's packages the newest.
    pub fn info(&self, which: Which, specs: &[String]) -> Result<Vec<Info>> {
        let mut ids = Vec::new();
        for spec in specs {
            let found = self.chosen(spec)?;
            ids.extend(found.into_iter().filter(|id| match self.universe.owner(*id) {
                Some(Owner::Node(node)) => which.family || (which.installed && node == self.leaf()),
                Some(Owner::Host) => false,
                None => which.available,
            }));
        }
        let ids = self.newest(ids);
        if ids.is_empty() {
            return Err(PackagesError::new(
                Kind::NotFound,
                format!("no package matches: {}", specs.join(" ")),
            ));
        }
        Ok(ids.into_iter().map(|id| self.info_of(id)).collect())
    }

    fn info_of(&self, id: PackageId) -> Info {
        let package = self.universe.pool.package(id);
        let row = self.row(id);
        let own = self.universe.owner(id) == Some(Owner::Node(self.leaf()));
        Info {
            description: package.description().unwrap_or_default(),
            license: package.license().unwrap_or_default(),
            url: package.url().unwrap_or_default(),
            source: package.source_package().unwrap_or_default(),
            vendor: package.vendor(),
            install_size: package.install_size(),
            download_size: if row.installed { 0 } else { package.download_size() },
            reason: own.then(|| self.universe.reason(id)),
            build_time: package.build_time(),
            row,
        }
    }

    /// Of available packages of one name and architecture, the newest alone; installed ones all, and first.
    pub(crate) fn newest(&self, ids: Vec<PackageId>) -> Vec<PackageId> {
        let pool = &self.universe.pool;
        let (mut installed, mut best): (Vec<PackageId>, BTreeMap<(String, String), PackageId>) =
            Default::default();
        for id in ids {
            if self.universe.owner(id).is_some() {
                installed.push(id);
                continue;
            }
            let package = pool.package(id);
            let slot = best.entry((package.name(), package.arch())).or_insert(id);
            if pool.compare_evr(&pool.package(*slot).evr(), &package.evr()).is_lt() {
                *slot = id;
            }
        }
        installed.sort();
        installed.dedup();
        installed.into_iter().chain(best.into_values()).collect()
    }

    /// The packages that a spec selects.
    fn chosen(&self, spec: &str) -> Result<Vec<PackageId>> {
        Ok(match Spec::parse(spec) {
            Spec::Path(path) => select_path(&self.universe, &path),
            Spec::Group(_) => {
                let message = format!("`{spec}`: groups are not supported by this version");
                return Err(PackagesError::new(Kind::NotSupported, message));
            }
            _ => select(&self.universe, spec).map(|(_, found)| found).unwrap_or_default(),
        })
    }

    /// Packages in whose name or summary every term is found, and with `all` in any field: those whose name has all
    /// terms first.
    pub fn search(&self, terms: &[String], all: bool) -> Vec<Row> {
        let pool = &self.universe.pool;
        let mut hits: Option<std::collections::BTreeSet<PackageId>> = None;
        for term in terms {
            let term = term.to_lowercase();
            let mut found: std::collections::BTreeSet<PackageId> = pool
                .packages()
                .filter(|id| pool.package(*id).name().to_lowercase().contains(&term))
                .collect();
            found.extend(pool.search_summaries(&term, Match::Contains));
            if all {
                found.extend(pool.search_descriptions(&term, Match::Contains));
            }
            hits = Some(match hits {
                Some(hits) => hits.intersection(&found).copied().collect(),
                None => found,
            });
        }
        let ids = hits.unwrap_or_default();
        let real = ids.into_iter().filter(|id| self.universe.owner(*id) != Some(Owner::Host));
        let mut by_name: BTreeMap<(usize, String, String), Row> = BTreeMap::new();
        for id in self.newest(real.collect()) {
            let row = self.row(id);
            let name = row.nevra.name.to_lowercase();
            let misses = terms.iter().filter(|term| !name.contains(&term.to_lowercase())).count();
            let rank = if terms.iter().any(|term| name == term.to_lowercase()) { 0 } else { 1 + misses };
            by_name.insert((rank, row.nevra.name.clone(), row.nevra.arch.clone()), row);
        }
        by_name.into_values().collect()
    }

    /// The packages that provide a text or have a path (both may be globs), each with what matched.
    pub fn provides(&self, what: &str) -> Vec<(Row, String)> {
        let pool = &self.universe.pool;
        let how = if what.contains(['*', '?', '[']) { Match::Glob } else { Match::Exact };
        let mut found: BTreeMap<(Row, String), ()> = BTreeMap::new();
        let mut add = |id: PackageId, matched: String| {
            if self.universe.owner(id) != Some(Owner::Host) {
                found.insert((self.row(id), matched), ());
            }
        };
        if what.starts_with(['/', '*']) {
            pool.owners(what, how).into_iter().for_each(|(id, path)| add(id, path));
        } else {
            // A bare word may be a program too, as dnf has it.
            for directory in ["/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"] {
                pool.owners(&format!("{directory}{what}"), how)
                    .into_iter()
                    .for_each(|(id, path)| add(id, path));
            }
        }
        match how {
            Match::Exact => {
                let dep = pool.parse_dependency(what);
                for id in dep.into_iter().flat_map(|dep| pool.providers(dep)) {
                    add(id, self.matching_provide(id, what));
                }
            }
            _ => {
                for id in pool.packages() {
                    for dep in pool.package(id).dependencies(DepKind::Provides) {
                        if glob(what, &pool.dep_name(dep)) {
                            add(id, pool.dep_text(dep));
                        }
                    }
                }
            }
        }
        found.into_keys().collect()
    }

    fn matching_provide(&self, id: PackageId, what: &str) -> String {
        let pool = &self.universe.pool;
        let name = what.split_whitespace().next().unwrap_or(what);
        let provides = pool.package(id).dependencies(DepKind::Provides);
        provides
            .into_iter()
            .find(|dep| pool.dep_name(*dep) == name)
            .map_or_else(|| what.to_owned(), |dep| pool.dep_text(dep))
    }

    /// `repoquery` without a property: what specs select in the repositories, all versions.
    pub fn query(&self, which: Which, specs: &[String]) -> Result<Vec<Row>> {
        let mut ids = Vec::new();
        for spec in specs {
            ids.extend(self.chosen(spec)?);
        }
        let keep = |id: &PackageId| match self.universe.owner(*id) {
            Some(Owner::Node(node)) => which.family || (which.installed && node == self.leaf()),
            Some(Owner::Host) => false,
            None => which.available,
        };
        let mut rows: Vec<Row> = ids.into_iter().filter(keep).map(|id| self.row(id)).collect();
        rows.sort();
        rows.dedup();
        Ok(rows)
    }

    /// A property of what specs select, sorted, each line once.
    pub fn property(&self, which: Which, specs: &[String], property: Property) -> Result<Vec<String>> {
        let mut lines = std::collections::BTreeSet::new();
        for spec in specs {
            for id in self.chosen(spec)? {
                let seen = match self.universe.owner(id) {
                    Some(Owner::Node(node)) => which.family || (which.installed && node == self.leaf()),
                    Some(Owner::Host) => false,
                    None => which.available,
                };
                if !seen {
                    continue;
                }
                match property {
                    Property::Files => lines.extend(self.universe.pool.files(id)),
                    Property::Dependencies(kind) => {
                        let dependencies = self.universe.pool.package(id).dependencies(kind);
                        lines.extend(dependencies.into_iter().map(|dep| self.universe.pool.dep_text(dep)));
                    }
                }
            }
        }
        Ok(lines.into_iter().collect())
    }

    /// The packages that require something: a name, a provided text, a path, or what a package provides.
    pub fn what_requires(&self, which: Which, what: &str) -> Result<Vec<Row>> {
        let pool = &self.universe.pool;
        let targets = self.chosen(what)?;
        let mut rows = Vec::new();
        for id in pool.packages() {
            let seen = match self.universe.owner(id) {
                Some(Owner::Node(node)) => which.family || (which.installed && node == self.leaf()),
                Some(Owner::Host) => false,
                None => which.available,
            };
            let requires = |dep: &redpak_solv::DepId| {
                pool.dep_name(*dep) == what
                    || pool.providers(*dep).iter().any(|provider| targets.contains(provider))
            };
            if seen && pool.package(id).dependencies(DepKind::Requires).iter().any(requires) {
                rows.push(self.row(id));
            }
        }
        rows.sort();
        rows.dedup();
        Ok(rows)
    }

    /// The repositories of the family.
    pub fn repositories(&self) -> Vec<RepoRow> {
        let row = |repo: &crate::repos::RepoConfig| {
            let loaded = self.universe.available.iter().find(|known| known.synced.repo.id == repo.id);
            let source = repo.metalink.iter().chain(&repo.mirrorlist).chain(&repo.baseurl).next();
            RepoRow {
                id: repo.id.clone(),
                name: repo.name.clone(),
                node: repo.node.clone(),
                enabled: repo.enabled,
                gpgcheck: repo.gpgcheck.unwrap_or(self.family.gpgcheck_default()),
                source: source.map(|url| crate::fetch::url::shown(url)).unwrap_or_default(),
                packages: loaded.map(|known| known.loaded.packages.len()),
            }
        };
        self.repos.iter().map(row).collect()
    }

    /// What `upgrade` would bring into the leaf.
    pub fn upgrades(&mut self, patterns: &[String]) -> Result<Vec<Row>> {
        let resolution = self.upgrade(&[])?;
        let mut rows: Vec<Row> = resolution
            .transaction
            .steps
            .iter()
            .filter(|step| step.action != Action::Remove && !step.replaces.is_empty())
            .filter_map(|step| {
                let id = resolution.new.iter().copied().find(|id| self.universe.nevra(*id) == step.nevra)?;
                self.matches_any(id, patterns).then(|| self.row(id))
            })
            .collect();
        rows.sort();
        Ok(rows)
    }
}
