//! Repositories of a family: `.repo` files in `etc/yum.repos.d` of each node, inherited downwards.
//!
//! A child needs no copy of its ancestors' files. A section with the id of an ancestor's repository changes it key by
//! key for the child and its descendants; a signature check that is on stays on.

pub mod codes;
pub mod config;
pub mod ini;
pub mod vars;

use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;
use redpak_nodes::checked;
use rustix::fs::{Mode, OFlags, fstat, open, openat};
use rustix::io::Errno;

pub use config::RepoConfig;
pub use vars::Variables;

use crate::error::{Kind, PackagesError, Result};
use crate::family::FamilyContext;

/// A `.repo` file, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoFile {
    /// Index of its node in the family.
    pub node: usize,
    /// Where it lies.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// The repositories of a family, and what there is to say about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repositories {
    /// In the order of their ids.
    pub repos: Vec<RepoConfig>,
    /// Warnings and errors with their places. Errors mean that packages cannot be worked with.
    pub findings: Vec<Finding>,
}

/// Reads the variables of a family: `etc/dnf/vars` of each node, root node first; `releasever` of the command line wins.
pub fn variables(family: &FamilyContext, releasever: Option<&str>) -> Result<Variables> {
    let mut variables = Variables::of_arch(&family.arch);
    for (_, node) in family.directories() {
        for (path, text) in checked_files(&node.redpath, "etc/dnf/vars", |_| true)? {
            if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
                variables.set(name, text.lines().next().unwrap_or_default().trim());
            }
        }
    }
    if let Some(releasever) = releasever {
        variables.set("releasever", releasever);
    }
    Ok(variables)
}

/// Reads the `.repo` files of a family, root node first, in the order of their names.
pub fn read_files(family: &FamilyContext) -> Result<Vec<RepoFile>> {
    let mut files = Vec::new();
    for (node, place) in family.directories() {
        let is_repo = |name: &Path| name.extension().is_some_and(|extension| extension == "repo");
        for (path, text) in checked_files(&place.redpath, "etc/yum.repos.d", is_repo)? {
            files.push(RepoFile { node, path, text });
        }
    }
    Ok(files)
}

/// Merges the files of a family. Pure.
pub fn merge(files: &[RepoFile], family: &FamilyContext, variables: &Variables) -> Repositories {
    let mut all = Repositories::default();
    // Where each repository was last defined, for the finding that it has no source.
    let mut places = Vec::new();
    for file in files {
        let (sections, findings) = ini::parse(&file.text, &file.path.to_string_lossy());
        all.findings.extend(findings);
        // `[main]` is dnf's own section.
        for section in sections.iter().filter(|section| section.name != "main") {
            let (id, _) = variables.expand(&section.name);
            if !config::is_id(&id) {
                let message = format!("`{id}` is no id of a repository");
                let hint = "letters, digits and `- _ . :`, not beginning with a dot";
                let finding = Finding::error(codes::BAD_VALUE, message);
                all.findings.push(finding.with_place(section.place.clone()).with_hint(hint));
                continue;
            }
            let at = match all.repos.iter().position(|repo| repo.id == id) {
                Some(at) => at,
                None => {
                    all.repos.push(RepoConfig::new(&id, &file.path, &family.nodes[file.node].alias));
                    places.push(section.place.clone());
                    all.repos.len() - 1
                }
            };
            let before = all.repos[at].clone();
            config::apply(&mut all.repos[at], section, variables, &mut all.findings);
            keep_checks(&mut all.repos[at], &before, section, file.node, family, &mut all.findings);
        }
    }
    for (repo, place) in all.repos.iter().zip(places) {
        if repo.enabled && repo.baseurl.is_empty() && repo.mirrorlist.is_none() && repo.metalink.is_none() {
            let message =
                format!("the repository `{}` has neither baseurl nor mirrorlist nor metalink", repo.id);
            let finding = Finding::error(codes::NO_SOURCE, message);
            all.findings.push(finding.with_place(place).with_hint("`baseurl=https://…`, or `enabled=0`"));
        }
    }
    all.repos.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

/// A check that an ancestor has on stays on: for a repository of an ancestor's, and for all repositories below the
/// node whose configuration says `gpgcheck: true`.
fn keep_checks(
    repo: &mut RepoConfig,
    before: &RepoConfig,
    section: &ini::Section,
    node: usize,
    family: &FamilyContext,
    findings: &mut Vec<Finding>,
) {
    let inherited = before.node != family.nodes[node].alias;
    let demanded = family.gpgcheck.is_some_and(|check| check.value && check.node < node);
    let was_on = |value: Option<bool>| value.unwrap_or(family.gpgcheck_default());
    let mut refuse = |key: &str, owner: &str| {
        let place =
            section.entries.iter().find(|entry| entry.key.ends_with(key)).map(|entry| entry.place.clone());
        let mut finding = Finding::error(
            codes::CHECK_STAYS,
            format!(
                "`{}` turns off `{key}` of the repository `{}`, which {owner} has on",
                family.nodes[node].alias, repo.id
            ),
        )
        .with_hint("a child may turn a check on, never off: leave the line out");
        finding.place = place;
        findings.push(finding);
    };
    let weakens = |old: bool, new: Option<bool>| old && new == Some(false);
    if (demanded || (inherited && was_on(before.gpgcheck))) && weakens(true, repo.gpgcheck) {
        let owner =
            if inherited { format!("`{}`", before.node) } else { "an ancestor's configuration".to_owned() };
        refuse("gpgcheck", &owner);
    }
    if inherited && weakens(before.repo_gpgcheck == Some(true), repo.repo_gpgcheck) {
        refuse("repo_gpgcheck", &format!("`{}`", before.node));
    }
    if inherited && before.sslverify && !repo.sslverify {
        refuse("sslverify", &format!("`{}`", before.node));
    }
}

/// The files of a directory of redpak's in a node, in the order of their names, with their text: those whose name
/// `wanted` takes. Directories and files are judged as the node's own configuration is: whoever may write them decides
/// what is installed and whether it is checked.
fn checked_files(
    node: &Path,
    directory: &str,
    wanted: impl Fn(&Path) -> bool,
) -> Result<Vec<(PathBuf, String)>> {
    let uid = rustix::process::geteuid().as_raw();
    let mut shown = node.to_owned();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fail = |call: &str, path: &Path, errno: Errno| {
        PackagesError::io(format!("{call}({})", path.display()), errno.into())
    };
    let mut dir = open(node, flags, Mode::empty()).map_err(|e| fail("open", node, e))?;
    for part in Path::new(directory) {
        shown.push(part);
        dir = match openat(&dir, part, flags | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(below) => below,
            Err(Errno::NOENT) => return Ok(Vec::new()),
            Err(e) => return Err(fail("openat", &shown, e)),
        };
        let stat = fstat(&dir).map_err(|e| fail("fstat", &shown, e))?;
        checked::owner(&shown, &stat, uid).map_err(refused)?;
    }
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(&dir).map_err(|e| fail("getdents64", &shown, e))? {
        let entry = entry.map_err(|e| fail("getdents64", &shown, e))?;
        // What is not text is no name of a file of dnf's.
        if let Ok(name) = entry.file_name().to_str()
            && !matches!(name, "." | "..")
            && wanted(Path::new(name))
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    let mut files = Vec::new();
    for name in names {
        let path = shown.join(&name);
        let Some(bytes) = checked::read(&dir, &name, &path, uid).map_err(refused)? else { continue };
        let text = String::from_utf8(bytes)
            .map_err(|_| PackagesError::new(Kind::Config, format!("{} is not UTF-8 text", path.display())))?;
        files.push((path, text));
    }
    Ok(files)
}

fn refused(finding: Finding) -> PackagesError {
    PackagesError::of_findings(Kind::Config, vec![finding])
}

#[cfg(test)]
mod tests;
