//! A family's files, root first, to the leaf's effective configuration: by the rules of strict inheritance, or as
//! red-pak 2.5 merges.
//!
//! All findings of a family are found in one run: what is sound of a file is judged whatever else is wrong. Only what
//! follows from an error further up is left out ([`Family::doubtful`]), since it helps nobody.

mod capabilities;
mod compatible;
mod environ;
mod exports;
mod limits;
mod mounts;
mod over;
mod settings;
mod shares;
mod sources;

use std::path::PathBuf;

use redpak_diagnostics::{Finding, Severity};

use crate::codes;
use crate::config::Located;
use crate::effective::{
    Effective, Export, Inheritance, Layer, NodeHead, Origin, Settings, Sourced, Unjudged, Variable,
};
use crate::expand::{Expander, Names};
use crate::parse::{self, Draft};
use crate::parsed::ParsedFiles;
use crate::paths;
use crate::resolve::{Resolved, Resolver};
use crate::source::{Report, SourceText};

/// The files of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeText {
    /// The node's directory, absolute.
    pub redpath: PathBuf,
    /// `etc/redpak.yaml`.
    pub normal: SourceText,
    /// `etc/redpak-admin.yaml`, where there is one.
    pub admin: Option<SourceText>,
}

/// The effective configuration of the last node of a family, root node first. `None` when there is an error among
/// the findings. Admin files are read only for `admin`.
pub fn effective(family: &[NodeText], admin: bool, names: &Names) -> (Option<Effective>, Vec<Finding>) {
    judged(family, admin, names, None)
}

/// As [`effective`], for many families that share files: each is parsed once.
pub fn effective_of(
    family: &[NodeText],
    admin: bool,
    names: &Names,
    parsed: &ParsedFiles,
) -> (Option<Effective>, Vec<Finding>) {
    judged(family, admin, names, Some(parsed))
}

fn judged(
    family: &[NodeText],
    admin: bool,
    names: &Names,
    parsed: Option<&ParsedFiles>,
) -> (Option<Effective>, Vec<Finding>) {
    let mut findings = Vec::new();
    let effective = Family::read(family, admin, names, parsed, &mut findings).map(|family| {
        let mut report = Report::default();
        let merged = family.merged(family.inheritance, &mut report);
        findings.extend(report.finish());
        Effective {
            settings: merged.settings,
            environ: merged.environ,
            exports: merged.exports,
            nodes: family.heads,
            admin,
            unjudged: family.unjudged,
        }
    });
    let effective = effective.filter(|_| !findings.iter().any(Finding::is_error));
    (effective, findings)
}

/// What strict inheritance would refuse of a compatible family, as warnings. Nothing for a strict one.
pub fn strictly(family: &[NodeText], admin: bool, names: &Names) -> Vec<Finding> {
    let Some(family) = Family::read(family, admin, names, None, &mut Vec::new()) else { return Vec::new() };
    if family.inheritance == Inheritance::Strict {
        return Vec::new();
    }
    let findings = |inheritance| {
        let mut report = Report::default();
        family.merged(inheritance, &mut report);
        report.finish()
    };
    // What is refused all the same is no warning.
    let refused = findings(Inheritance::Compatible);
    let told = |finding: &Finding| {
        refused.iter().any(|known| known.code == finding.code && known.place == finding.place)
    };
    let strict = findings(Inheritance::Strict).into_iter().filter(Finding::is_error);
    let mut warnings: Vec<Finding> = strict.filter(|finding| !told(finding)).collect();
    for finding in &mut warnings {
        finding.severity = Severity::Warning;
    }
    warnings
}

/// One node's files, as far as they could be parsed.
struct Drafts {
    normal: Draft,
    admin: Option<Draft>,
}

fn drafts(node: &NodeText, admin: bool, parsed: Option<&ParsedFiles>, findings: &mut Vec<Finding>) -> Drafts {
    let mut read = |source, layer| {
        let (draft, found) =
            parsed.map_or_else(|| parse::draft(source, layer), |parsed| parsed.draft(source, layer));
        findings.extend(found);
        draft
    };
    let normal = read(&node.normal, Layer::Normal);
    let admin = node.admin.as_ref().filter(|_| admin).map(|source| read(source, Layer::Admin));
    if let Some(admin) = &admin {
        let (ours, theirs) = (&admin.config.headers.alias, &normal.config.headers.alias);
        let known = !normal.damage.has("headers") && !admin.damage.has("headers");
        if known && ours.value != theirs.value {
            findings.push(
                Finding::warning(
                    codes::ALIAS_DIFFERS,
                    "the admin file names the node differently; its alias is not used",
                )
                .with_place(ours.place.clone())
                .with_related("the node's alias", theirs.place.clone())
                .with_hint("give both files the same alias"),
            );
        }
    }
    Drafts { normal, admin }
}

fn head(draft: &Draft, redpath: PathBuf) -> NodeHead {
    let text =
        |text: &Option<Located<String>>| text.as_ref().map(|text| text.value.clone()).unwrap_or_default();
    let headers = &draft.config.headers;
    // A node without a name has an error; the findings on others call it by its directory.
    let alias = match headers.alias.value.as_str() {
        "" => redpath.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        alias => alias.to_owned(),
    };
    NodeHead { alias, name: text(&headers.name), info: text(&headers.info), redpath }
}

/// The nodes' directories, normalised: each below the one of its parent.
fn redpaths(family: &[NodeText], findings: &mut Vec<Finding>) -> Option<Vec<PathBuf>> {
    let refuse = |message: String| {
        Finding::error(codes::BAD_FAMILY, message)
            .with_hint("hand over a node and its ancestors, root node first")
    };
    let mut redpaths: Vec<PathBuf> = Vec::new();
    for node in family {
        let text = node.redpath.to_str();
        let Some(path) = text.and_then(|text| paths::normalized(text).ok()) else {
            findings.push(refuse(format!(
                "the node's path `{}` is not absolute, holds `..`, or is not UTF-8",
                node.redpath.display()
            )));
            return None;
        };
        if let Some(parent) = redpaths.last().filter(|parent| path == **parent || !path.starts_with(parent)) {
            findings.push(refuse(format!(
                "the node {} does not lie below {}",
                path.display(),
                parent.display()
            )));
            return None;
        }
        redpaths.push(path);
    }
    if redpaths.is_empty() {
        findings.push(refuse("there is no node".to_owned()));
        return None;
    }
    Some(redpaths)
}

/// One node's files, expanded.
struct Files {
    normal: Resolved,
    admin: Option<Resolved>,
}

/// A family, expanded.
struct Family {
    heads: Vec<NodeHead>,
    files: Vec<Files>,
    /// As the root node says.
    inheritance: Inheritance,
    unjudged: Vec<Unjudged>,
}

/// What a family's files come to.
struct Merged {
    settings: Settings,
    environ: Vec<Sourced<Variable>>,
    exports: Vec<Export>,
}

/// A statement of one file, with its origin.
#[derive(Clone, Debug)]
struct Stated<T> {
    value: T,
    origin: Origin,
}

impl Family {
    /// Parses and expands all files. `None` when these are not the nodes of a family.
    fn read(
        family: &[NodeText],
        admin: bool,
        names: &Names,
        parsed: Option<&ParsedFiles>,
        findings: &mut Vec<Finding>,
    ) -> Option<Self> {
        let paths = redpaths(family, findings)?;
        let drafts: Vec<Drafts> = family.iter().map(|node| drafts(node, admin, parsed, findings)).collect();
        let heads: Vec<NodeHead> =
            drafts.iter().zip(paths).map(|(node, path)| head(&node.normal, path)).collect();
        let leaf = heads.last()?;
        let mut unjudged = Vec::new();
        let mut files = Vec::with_capacity(drafts.len());
        for (index, (node, head)) in drafts.into_iter().zip(&heads).enumerate() {
            let mut file = |draft: Draft| {
                let mut report = Report::default();
                let layer = draft.config.layer;
                let expander = Expander { names, node: head, leaf, file: (index, layer) };
                let resolver = Resolver {
                    expander,
                    node: index,
                    layer,
                    report: &mut report,
                    unjudged: &mut unjudged,
                    damage: draft.damage,
                };
                let resolved = resolver.file(draft.config);
                findings.extend(report.finish());
                resolved
            };
            files.push(Files { normal: file(node.normal), admin: node.admin.map(file) });
        }
        let root = files.first()?;
        let stated = [root.admin.as_ref(), Some(&root.normal)].into_iter().flatten();
        let inheritance = stated.filter_map(|file| file.config.inheritance.as_ref()).next();
        let inheritance = inheritance.map_or(Inheritance::Strict, |stated| stated.value);
        if inheritance == Inheritance::Compatible {
            parse::tolerate(findings);
        }
        Some(Self { heads, files, inheritance, unjudged })
    }

    fn merged(&self, inheritance: Inheritance, report: &mut Report) -> Merged {
        let strict = inheritance == Inheritance::Strict;
        let settings =
            if strict { settings::merge(self, report) } else { compatible::settings(self, report) };
        capabilities::undoing(self, &settings.capabilities, report);
        Merged {
            settings,
            environ: environ::merge(self, report),
            exports: if strict { exports::merge(self, report) } else { compatible::exports(self, report) },
        }
    }

    /// Whether what an ancestor of a node says of a key is not known. Then it is not known either whether the node
    /// may say what it says: the ancestor's file is mended first.
    fn doubtful(&self, node: usize, key: &str) -> bool {
        let damaged = |file: &Resolved| file.damage.has(key);
        self.files[..node]
            .iter()
            .any(|files| damaged(&files.normal) || files.admin.as_ref().is_some_and(damaged))
    }

    /// All files in the order of the rule "the last wins, admin over normal": normal ones, root first, then admin ones.
    fn files(&self) -> impl Iterator<Item = (usize, Layer, &Resolved)> {
        let normal = self.files.iter().enumerate().map(|(node, files)| (node, Layer::Normal, &files.normal));
        let admin = self.files.iter().enumerate();
        normal.chain(admin.filter_map(|(node, files)| Some((node, Layer::Admin, files.admin.as_ref()?))))
    }

    /// The files of one node, normal before admin.
    fn of(&self, node: usize) -> impl Iterator<Item = (Layer, &Resolved)> {
        let files = &self.files[node];
        std::iter::once((Layer::Normal, &files.normal))
            .chain(files.admin.iter().map(|file| (Layer::Admin, file)))
    }

    /// What one node's files state, normal before admin.
    fn stated<T: Clone>(&self, node: usize, get: impl Fn(&Resolved) -> Option<Located<T>>) -> Vec<Stated<T>> {
        let state = |(layer, file): (Layer, &Resolved)| {
            let Located { value, place } = get(file)?;
            Some(Stated { value, origin: Origin { node, layer, place } })
        };
        self.of(node).filter_map(state).collect()
    }

    fn alias(&self, node: usize) -> &str {
        &self.heads[node].alias
    }

    fn leaf(&self) -> usize {
        self.heads.len() - 1
    }
}
