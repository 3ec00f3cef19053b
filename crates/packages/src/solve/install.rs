//! `install`: requests to jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use redpak_solv::{Job, JobAction, JobFlags, PackageId, Select};

use super::Session;
use super::outcome::{Notes, Provided, Resolution};
use crate::error::{Kind, PackagesError, Result};
use crate::fetch::digest::sha256;
use crate::fetch::{self, Access, Client, Want, url};
use crate::spec::{Meaning, Spec, select, select_path};
use crate::transaction::{Action, Reason, Step, Transaction};
use crate::universe::Owner;

/// A package file from the command line is not larger than this.
const MAX_PACKAGE: u64 = 4 << 30;

/// Packages that a request selects, by whose they are.
#[derive(Default)]
struct Selected {
    ancestors: Vec<(usize, PackageId)>,
    leaf: Vec<PackageId>,
    available: Vec<PackageId>,
}

/// Whether requests name paths, for which file lists are needed.
pub fn names_paths(specs: &[String]) -> bool {
    specs.iter().any(|spec| matches!(Spec::parse(spec), Spec::Path(_)))
}

impl Session {
    /// Solves the installation of requests into the leaf.
    pub fn install(&mut self, specs: &[String]) -> Result<Resolution> {
        self.check_leaf()?;
        let specs: Vec<Spec> = specs.iter().map(|spec| Spec::parse(spec)).collect();
        let files = self.load_files(&specs)?;
        if self.options.force_node {
            self.hide_for_force(&specs, &files)?;
        }
        let (mut jobs, mut notes) = (Vec::new(), Notes::default());
        for (index, spec) in specs.iter().enumerate() {
            match self.wish(spec, files.get(&index).copied(), &mut notes) {
                Ok(wishes) => {
                    for ids in wishes {
                        jobs.push(self.install_job(ids.clone()));
                        notes.requested.push((spec.to_string(), ids));
                    }
                }
                Err(error) if error.kind == Kind::NotFound && self.options.skip_unavailable => {
                    notes.skipped.push(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        self.resolve(&jobs, notes)
    }

    fn install_job(&self, ids: Vec<PackageId>) -> Job {
        let flags = JobFlags { force_best: self.options.best, ..JobFlags::default() };
        Job { action: JobAction::Install, select: Select::OneOf(ids), flags }
    }

    /// Loads package files of the command line; returns them by the index of their request.
    fn load_files(&mut self, specs: &[Spec]) -> Result<BTreeMap<usize, PackageId>> {
        let mut files = BTreeMap::new();
        for (index, spec) in specs.iter().enumerate() {
            let path = match spec {
                Spec::File(path) => path.clone(),
                Spec::Url(address) => self.fetch_package(address)?,
                Spec::Group(name) => {
                    let message = format!("`@{name}`: groups are not supported by this version");
                    return Err(
                        PackagesError::new(Kind::NotSupported, message).with_hint("name its packages")
                    );
                }
                _ => continue,
            };
            files.insert(index, self.universe.load_file(&path)?);
        }
        if !files.is_empty() {
            self.prepare()?;
        }
        Ok(files)
    }

    /// Fetches a package file that a URL names. There is nothing to verify it by but its signature.
    fn fetch_package(&self, address: &str) -> Result<PathBuf> {
        let name = url::file_name(address.split(['?', '#']).next().unwrap_or(address))
            .filter(|name| name.ends_with(".rpm"))
            .ok_or_else(|| {
                PackagesError::new(Kind::NotFound, format!("{} is no package file", url::shown(address)))
            })?;
        let directory =
            self.cache.root().join("packages/@commandline").join(&sha256(address.as_bytes())[..16]);
        let want = Want {
            urls: vec![address.to_owned()],
            path: directory.join(name),
            digest: None,
            size: None,
            limit: MAX_PACKAGE,
        };
        fetch::fetch(&Client::new(Access::default()), &want, &|_, _| {})?;
        Ok(want.path)
    }

    /// `--forcenode`: what ancestors have of the names that are asked for is not seen.
    fn hide_for_force(&mut self, specs: &[Spec], files: &BTreeMap<usize, PackageId>) -> Result<()> {
        let mut hidden = BTreeSet::new();
        for (index, spec) in specs.iter().enumerate() {
            let Ok(selected) = self.selected(spec, files.get(&index).copied()) else { continue };
            let names: BTreeSet<String> =
                selected.1.available.iter().map(|id| self.universe.pool.package(*id).name()).collect();
            hidden.extend(names.iter().filter_map(|name| self.ancestor_with(name)).map(|(_, id)| id));
        }
        if hidden.is_empty() {
            return Ok(());
        }
        for id in hidden {
            self.universe.take_out(id);
        }
        self.prepare()
    }

    /// The packages that a request selects.
    fn selected(&self, spec: &Spec, file: Option<PackageId>) -> Result<(Meaning, Selected)> {
        let found = match (spec, file) {
            (_, Some(id)) => {
                // The same package, wherever it is, answers the request too.
                let pool = &self.universe.pool;
                let package = pool.package(id);
                let same = |other: &PackageId| {
                    let other = pool.package(*other);
                    other.evr_id() == package.evr_id()
                        && other.arch_id() == package.arch_id()
                        && other.name_id() == package.name_id()
                };
                let installed = pool.providers(package.name_id()).into_iter().filter(same);
                let installed = installed.filter(|other| self.universe.owner(*other).is_some());
                Some((Meaning::Version, installed.chain([id]).collect()))
            }
            (Spec::Path(path), None) => Some((Meaning::Provided, select_path(&self.universe, path))),
            (Spec::Text(text), None) => select(&self.universe, text),
            _ => None,
        };
        let Some((meaning, found)) = found.filter(|(_, found)| !found.is_empty()) else {
            return Err(self.not_found(spec));
        };
        let mut selected = Selected::default();
        for id in found {
            match self.universe.owner(id) {
                Some(Owner::Node(node)) if node == self.leaf() => selected.leaf.push(id),
                Some(Owner::Node(node)) => selected.ancestors.push((node, id)),
                Some(Owner::Host) => {}
                None if self.universe.is_available(id) => selected.available.push(id),
                None => {}
            }
        }
        Ok((meaning, selected))
    }

    /// What is to be installed for a request: each item is a choice. Empty when ancestors satisfy it.
    fn wish(&self, spec: &Spec, file: Option<PackageId>, notes: &mut Notes) -> Result<Vec<Vec<PackageId>>> {
        let (meaning, selected) = self.selected(spec, file)?;
        let name_of = |id: &PackageId| self.universe.pool.package(*id).name();
        let provided = |(node, id): &(usize, PackageId)| Provided {
            request: spec.to_string(),
            node: self.family.nodes[*node].alias.clone(),
            nevra: self.universe.nevra(*id),
        };
        let satisfied: BTreeSet<String> = selected.ancestors.iter().map(|(_, id)| name_of(id)).collect();
        notes.provided.extend(selected.ancestors.iter().map(provided));
        if meaning == Meaning::Provided && !selected.ancestors.is_empty() {
            return Ok(Vec::new());
        }
        let libc = self.libc_bringers();
        let (mut choices, mut refusal): (BTreeMap<String, Vec<PackageId>>, _) = (BTreeMap::new(), None);
        for id in selected.available.iter().chain(&selected.leaf) {
            let name = name_of(id);
            if satisfied.contains(&name) {
                continue;
            }
            if let Some((node, taken)) = self.ancestor_with(&name) {
                refusal = Some(self.name_is_taken(&self.universe.nevra(*id).to_string(), node, taken));
            } else if libc.contains(id) {
                let message = format!(
                    "{} cannot be installed: it brings the C library or its loader, which {} has",
                    self.universe.nevra(*id),
                    self.libc_owner()
                );
                refusal = Some(PackagesError::new(Kind::Refused, message).with_hint(
                    "programs of the family run on that one; a root node of the model `bare` brings its own",
                ));
            } else {
                // What provides something is one choice; each name that a glob means is a choice of its own.
                let key = if meaning == Meaning::Provided { String::new() } else { name };
                choices.entry(key).or_default().push(*id);
            }
        }
        match refusal {
            Some(refusal) if choices.is_empty() && satisfied.is_empty() => Err(refusal),
            _ if choices.is_empty() && satisfied.is_empty() => Err(self.not_found(spec)),
            _ => Ok(choices.into_values().collect()),
        }
    }

    /// The newest available package of each name that the specs select, as a transaction without dependencies: for
    /// `download`.
    pub fn as_they_are(&mut self, specs: &[String]) -> Result<Transaction> {
        let mut steps = Vec::new();
        for spec in specs.iter().map(|spec| Spec::parse(spec)) {
            let (_, selected) = self.selected(&spec, None)?;
            let chosen = self.newest(selected.available);
            if chosen.is_empty() {
                return Err(self.not_found(&spec));
            }
            for id in chosen {
                let nevra = self.universe.nevra(id);
                steps.push(Step {
                    action: Action::Install,
                    reason: Reason::User,
                    replaces: Vec::new(),
                    source: Some(self.source(id, &nevra)?),
                    install_size: self.universe.pool.package(id).install_size(),
                    nevra,
                });
            }
        }
        Ok(Transaction { node: self.family.leaf().redpath.clone(), base: None, steps, marks: Vec::new() })
    }

    /// Nothing is called so.
    pub(super) fn not_found(&self, spec: &Spec) -> PackagesError {
        let text = spec.to_string();
        let error = PackagesError::new(Kind::NotFound, format!("no match for argument: {text}"));
        if self.universe.excluded.contains(&text) {
            return error.with_hint(
                "there is a package of this name, and it is excluded (excludepkgs, includepkgs, -x)",
            );
        }
        if self.universe.available.is_empty() {
            return error.with_hint(match self.repos.is_empty() {
                true => {
                    let directory = self.family.leaf().redpath.join("etc/yum.repos.d");
                    format!(
                        "there is no repository: put a .repo file into {}, or an ancestor's",
                        directory.display()
                    )
                }
                false => {
                    "no repository is enabled: see `repo list`, or use one with --enable-repo".to_owned()
                }
            });
        }
        let pool = &self.universe.pool;
        let names: BTreeSet<String> = self
            .universe
            .available
            .iter()
            .flat_map(|repo| &repo.loaded.packages)
            .map(|id| pool.package(*id).name())
            .collect();
        let near = names
            .iter()
            .map(|name| (strsim::damerau_levenshtein(name, &text), name))
            .filter(|(distance, name)| *distance <= 1 + name.len() / 5)
            .min();
        match near {
            Some((_, name)) => error.with_hint(format!("did you mean `{name}`?")),
            None => error.with_hint(format!("look for it: search {text}, or provides '*/{text}'")),
        }
    }
}
