//! Everything that the solver sees: the family's packages, what the host offers, and the repositories.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;
use redpak_solv::{PackageId, Pool, RepoId};

use crate::cache::Cache;
use crate::error::{Kind, PackagesError, Result};
use crate::family::FamilyContext;
use crate::fetch::{Client, Progress};
use crate::host;
use crate::installed::{self, Installed};
use crate::metadata::{self, Loaded, Synced};
use crate::options::{Options, glob};
use crate::repos::{self, RepoConfig};
use crate::transaction::{Nevra, Reason};

/// Whose an installed package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A node's, by its index in the family.
    Node(usize),
    /// An offer of the host's: no package, but what it provides is there.
    Host,
}

/// A repository in the pool.
pub struct Available {
    /// Its metadata.
    pub synced: Synced,
    /// Its packages.
    pub loaded: Loaded,
    /// How it is reached.
    pub client: Client,
}

/// Everything that the solver sees.
pub struct Universe {
    /// libsolv's pool.
    pub pool: Pool,
    /// All that is installed in the family, and the host's offers.
    pub installed: RepoId,
    /// Whose an installed package is.
    pub owners: HashMap<PackageId, Owner>,
    /// What is installed, by node, root node first.
    pub nodes: Vec<Installed>,
    /// The repositories.
    pub available: Vec<Available>,
    /// Local package files, and their repository in the pool.
    pub files: HashMap<PackageId, PathBuf>,
    command_line: Option<RepoId>,
    /// Packages of ancestors that a nearer node has a copy of: not installed for the solver, but what is there again
    /// once the copy goes.
    pub shadowed: Vec<PackageId>,
    /// Packages that were excluded, by name.
    pub excluded: BTreeSet<String>,
    /// Warnings of `.repo` files, and of repositories that could not be brought up to date.
    pub findings: Vec<Finding>,
    /// Warnings that have no place in a file.
    pub warnings: Vec<String>,
}

/// The repositories of a family under options: merged, chosen, `--setopt` applied.
pub fn configured(family: &FamilyContext, options: &mut Options) -> Result<(Vec<RepoConfig>, Vec<Finding>)> {
    let left = options.apply_main();
    let variables = repos::variables(family, options.releasever.as_deref())?;
    let merged = repos::merge(&repos::read_files(family)?, family, &variables);
    if merged.findings.iter().any(Finding::is_error) {
        return Err(PackagesError::of_findings(Kind::Config, merged.findings));
    }
    let mut all = merged.repos;
    let label = Path::new("--repofrompath");
    for (id, url) in &options.from_path {
        if !repos::config::is_id(id) {
            return Err(PackagesError::new(
                Kind::Config,
                format!("--repofrompath: `{id}` is no id of a repository"),
            ));
        }
        let mut repo = RepoConfig::new(id, label, &family.leaf().alias);
        let (url, _) = variables.expand(url);
        set(&mut repo, "baseurl", &url)?;
        all.retain(|known| &known.id != id);
        all.push(repo);
    }
    choose(&mut all, options)?;
    for (key, value) in &left {
        let applied = match key.rsplit_once('.') {
            Some((pattern, key)) => {
                let mut any = false;
                for repo in all.iter_mut().filter(|repo| glob(pattern, &repo.id)) {
                    set(repo, key, value)?;
                    any = true;
                }
                any
            }
            None => false,
        };
        if !applied {
            let message = format!("--setopt={key}={value}: no such option or repository");
            return Err(PackagesError::new(Kind::Config, message));
        }
    }
    Ok((all, merged.findings))
}

fn set(repo: &mut RepoConfig, key: &str, value: &str) -> Result<()> {
    match repo.set(key, value) {
        Ok(true) => Ok(()),
        Ok(false) => Err(PackagesError::new(Kind::Config, format!("`{}.{key}`: no such key", repo.id))),
        Err(reason) => Err(PackagesError::new(Kind::Config, format!("`{}.{key}`: {reason}", repo.id))),
    }
}

/// Turns repositories on and off as the options say.
fn choose(all: &mut [RepoConfig], options: &Options) -> Result<()> {
    let patterns =
        [(&options.only, "--repo"), (&options.enable, "--enable-repo"), (&options.disable, "--disable-repo")];
    for (patterns, option) in patterns {
        for pattern in patterns {
            if !all.iter().any(|repo| glob(pattern, &repo.id)) {
                let message = format!("{option}: no repository is called `{pattern}`");
                let known: Vec<&str> = all.iter().map(|repo| repo.id.as_str()).collect();
                let hint = match known.is_empty() {
                    true => {
                        "the family has no repository: put a file in etc/yum.repos.d of a node".to_owned()
                    }
                    false => format!("there are: {}", known.join(", ")),
                };
                return Err(PackagesError::new(Kind::Config, message).with_hint(hint));
            }
        }
    }
    let any = |patterns: &[String], id: &str| patterns.iter().any(|pattern| glob(pattern, id));
    for repo in all {
        if !options.only.is_empty() {
            repo.enabled = any(&options.only, &repo.id);
        }
        repo.enabled |= any(&options.enable, &repo.id);
        repo.enabled &= !any(&options.disable, &repo.id);
    }
    Ok(())
}

impl Universe {
    /// Loads what is installed in the family and what the host offers.
    pub fn installed(family: &FamilyContext, cache: &Cache) -> Result<Self> {
        let solv = |error: redpak_solv::SolvError| {
            PackagesError::new(Kind::NotSupported, "libsolv cannot be used").with_source(error)
        };
        let mut pool = Pool::new(&family.arch).map_err(solv)?;
        let installed = pool.add_repo("@installed");
        pool.set_installed(installed);
        let mut universe = Self {
            pool,
            installed,
            owners: HashMap::new(),
            nodes: Vec::new(),
            available: Vec::new(),
            files: HashMap::new(),
            command_line: None,
            shadowed: Vec::new(),
            excluded: BTreeSet::new(),
            findings: Vec::new(),
            warnings: Vec::new(),
        };
        for (index, node) in family.nodes.iter().enumerate() {
            let speaks_for_host = index == 0 && !family.bare;
            let found = match speaks_for_host {
                true => universe.host(family, cache)?,
                false => installed::load_node(&mut universe.pool, installed, node)?,
            };
            universe.owners.extend(found.packages.iter().map(|id| (*id, Owner::Node(index))));
            universe.nodes.push(found);
        }
        universe.hide_shadowed(family)?;
        Ok(universe)
    }

    /// The root node's packages are the host's; a host without RPMs makes offers.
    fn host(&mut self, family: &FamilyContext, cache: &Cache) -> Result<Installed> {
        if let Some(found) = installed::load_host(&mut self.pool, self.installed, family.rpmdir.as_deref())? {
            let declared = host::declared(&mut self.pool, self.installed, family)?;
            self.owners.extend(declared.into_iter().map(|id| (id, Owner::Host)));
            return Ok(found);
        }
        let offers = host::offers(&mut self.pool, self.installed, family, &cache.offers())?;
        self.owners.extend(offers.into_iter().map(|id| (id, Owner::Host)));
        Ok(Installed::default())
    }

    /// What a nearer node has a copy of is not seen: the copy is what a launched node runs.
    fn hide_shadowed(&mut self, family: &FamilyContext) -> Result<()> {
        let mut nearest: HashMap<(String, String), usize> = HashMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            for id in &node.packages {
                let package = self.pool.package(*id);
                nearest.insert((package.name(), package.arch()), index);
            }
        }
        let mut aside = None;
        for index in 0..self.nodes.len() {
            let (hidden, kept): (Vec<_>, Vec<_>) = self.nodes[index].packages.iter().partition(|id| {
                let package = self.pool.package(**id);
                nearest.get(&(package.name(), package.arch())) != Some(&index)
            });
            if hidden.is_empty() {
                continue;
            }
            let names: BTreeSet<Nevra> = hidden.iter().map(|id| self.nevra(*id)).collect();
            self.nodes[index].packages = kept;
            hidden.into_iter().for_each(|id| self.take_out(id));
            // Once more, beside what is installed. (libsolv cannot move a package to another repository.)
            let repo = match aside {
                Some(repo) => repo,
                None => *aside.insert(self.pool.add_repo("@shadowed")),
            };
            let again = match index == 0 && !family.bare {
                true => {
                    installed::load_host(&mut self.pool, repo, family.rpmdir.as_deref())?.unwrap_or_default()
                }
                false => installed::load_node(&mut self.pool, repo, &family.nodes[index])?,
            };
            for id in again.packages {
                if names.contains(&self.nevra(id)) {
                    self.shadowed.push(id);
                } else {
                    self.pool.take_out(id);
                }
            }
        }
        Ok(())
    }

    /// Takes an installed package out of what the solver sees.
    pub fn take_out(&mut self, id: PackageId) {
        self.owners.remove(&id);
        for node in &mut self.nodes {
            node.packages.retain(|known| *known != id);
        }
        self.pool.take_out(id);
    }

    /// Loads the enabled repositories.
    pub fn load_repositories(
        &mut self,
        configs: &[RepoConfig],
        options: &Options,
        cache: &Cache,
        progress: &Progress,
    ) -> Result<()> {
        let enabled: Vec<(RepoConfig, Client)> = configs
            .iter()
            .filter(|repo| repo.enabled)
            .map(|repo| (repo.clone(), metadata::client_of(repo)))
            .collect();
        // The network's part runs for all repositories at once; libsolv's part cannot.
        let synced: Vec<Result<Synced>> = std::thread::scope(|scope| {
            let threads: Vec<_> = enabled
                .iter()
                .map(|(repo, client)| scope.spawn(|| metadata::sync(repo, cache, client, options.freshness)))
                .collect();
            threads
                .into_iter()
                .map(|thread| {
                    thread.join().unwrap_or_else(|_| {
                        Err(PackagesError::new(Kind::Network, "a repository's download failed unexpectedly"))
                    })
                })
                .collect()
        });
        for ((repo, client), synced) in enabled.into_iter().zip(synced) {
            let loaded = synced.and_then(|synced| {
                let loaded = metadata::load(&mut self.pool, &synced, &client, options.filelists, progress)?;
                Ok((synced, loaded))
            });
            match loaded {
                Ok((synced, loaded)) => {
                    self.warnings.extend(synced.warning.clone());
                    // libsolv prefers the higher priority and dnf the lower; cost decides among equals.
                    self.pool.set_priority(loaded.repo, -repo.priority, -repo.cost);
                    self.exclude(&repo, &loaded, &options.exclude);
                    self.available.push(Available { synced, loaded, client });
                }
                Err(error) if repo.skip_if_unavailable => {
                    self.warnings.push(format!("the repository `{}` is left out: {error}", repo.id));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes excluded packages out.
    fn exclude(&mut self, repo: &RepoConfig, loaded: &Loaded, more: &[String]) {
        let patterns: Vec<&String> = repo.exclude.iter().chain(more).collect();
        if patterns.is_empty() && repo.include.is_empty() {
            return;
        }
        for id in &loaded.packages {
            let hit = |pattern: &&String| self.matches(*id, pattern);
            let included =
                repo.include.is_empty() || repo.include.iter().any(|pattern| self.matches(*id, pattern));
            if !included || patterns.iter().any(hit) {
                self.excluded.insert(self.pool.package(*id).name());
                self.pool.take_out(*id);
            }
        }
    }

    /// Whether a pattern of `excludepkgs` means a package: name, name.arch or NEVRA.
    fn matches(&self, id: PackageId, pattern: &str) -> bool {
        let nevra = self.nevra(id);
        glob(pattern, &nevra.name)
            || glob(pattern, &format!("{}.{}", nevra.name, nevra.arch))
            || glob(pattern, &nevra.to_string())
    }

    /// Loads a local package file.
    pub fn load_file(&mut self, path: &Path) -> Result<PackageId> {
        let repo = match self.command_line {
            Some(repo) => repo,
            None => *self.command_line.insert(self.pool.add_repo("@commandline")),
        };
        let path = std::path::absolute(path)
            .map_err(|error| PackagesError::io(format!("getcwd() for {}", path.display()), error))?;
        let id = self.pool.load_rpm(repo, &path).map_err(|error| {
            PackagesError::new(Kind::NotFound, format!("{} is no package file", path.display()))
                .with_source(error)
        })?;
        self.pool.finish_repo(repo);
        let arch = self.pool.package(id).arch();
        if !self.pool.arch_fits(&arch) {
            let message = format!("{} is for {arch}, not for this machine", path.display());
            return Err(PackagesError::new(Kind::NotFound, message));
        }
        self.files.insert(id, path);
        Ok(id)
    }

    /// Name, epoch, version, release, architecture.
    pub fn nevra(&self, id: PackageId) -> Nevra {
        let package = self.pool.package(id);
        split_evr(package.name(), &package.evr(), package.arch())
    }

    /// Whose an installed package is; `None` for what is not installed.
    pub fn owner(&self, id: PackageId) -> Option<Owner> {
        self.owners.get(&id).copied()
    }

    /// The repository that a package is available in.
    pub fn available_in(&self, id: PackageId) -> Option<&Available> {
        let repo = self.pool.package(id).repo()?;
        self.available.iter().find(|available| available.loaded.repo == repo)
    }

    /// Whether a package can be installed: it is in a repository, or a local file.
    pub fn is_available(&self, id: PackageId) -> bool {
        self.files.contains_key(&id) || self.available_in(id).is_some()
    }

    /// Why a package of the leaf is installed.
    pub fn reason(&self, id: PackageId) -> Reason {
        let leaf = self.nodes.last();
        leaf.and_then(|leaf| leaf.reasons.get(&self.nevra(id).to_string())).copied().unwrap_or(Reason::User)
    }
}

/// Splits `[epoch:]version-release`.
pub fn split_evr(name: String, evr: &str, arch: String) -> Nevra {
    let (epoch, rest) = match evr.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
        None => (0, evr),
    };
    let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
    Nevra { name, epoch, version: version.to_owned(), release: release.to_owned(), arch }
}
