//! A family's files, root first, to the leaf's effective configuration, by the rules of strict inheritance.
//!
//! Each stage reports all that it finds; the next one starts only when there is no error, since what follows from
//! an error helps nobody.

mod capabilities;
mod environ;
mod exports;
mod mounts;
mod over;
mod settings;
mod shares;
mod sources;

use std::path::PathBuf;

use redpak_diagnostics::Finding;

use crate::codes;
use crate::config::{self, Located, NodeConfig};
use crate::effective::{Effective, Layer, NodeHead, Origin};
use crate::expand::{Expander, Names};
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
    let mut findings = Vec::new();
    let effective = stages(family, admin, names, &mut findings);
    let effective = effective.filter(|_| !findings.iter().any(Finding::is_error));
    (effective, findings)
}

fn stages(family: &[NodeText], admin: bool, names: &Names, findings: &mut Vec<Finding>) -> Option<Effective> {
    let paths = redpaths(family, findings)?;
    let parsed: Vec<Option<Parsed>> = family.iter().map(|node| parsed(node, admin, findings)).collect();
    let parsed: Vec<Parsed> = parsed.into_iter().collect::<Option<_>>()?;
    let heads: Vec<NodeHead> =
        parsed.iter().zip(paths).map(|(node, path)| head(&node.normal, path)).collect();
    let files = resolved(parsed, &heads, names, findings)?;
    let family = Family { heads, files };
    let mut report = Report::default();
    let merged = Effective {
        settings: settings::merge(&family, &mut report),
        environ: environ::merge(&family, &mut report),
        exports: exports::merge(&family, &mut report),
        nodes: family.heads,
        admin,
    };
    findings.extend(report.finish());
    Some(merged)
}

/// One node's files, parsed.
struct Parsed {
    normal: NodeConfig,
    admin: Option<NodeConfig>,
}

fn parsed(node: &NodeText, admin: bool, findings: &mut Vec<Finding>) -> Option<Parsed> {
    let mut read = |source, layer| {
        let (config, found) = config::parse(source, layer);
        findings.extend(found);
        config
    };
    let normal = read(&node.normal, Layer::Normal);
    let Some(source) = node.admin.as_ref().filter(|_| admin) else {
        return Some(Parsed { normal: normal?, admin: None });
    };
    let laid_on_top = read(source, Layer::Admin)?;
    let normal = normal?;
    if laid_on_top.headers.alias.value != normal.headers.alias.value {
        findings.push(
            Finding::warning(
                codes::ALIAS_DIFFERS,
                "the admin file names the node differently; its alias is not used",
            )
            .with_place(laid_on_top.headers.alias.place.clone())
            .with_related("the node's alias", normal.headers.alias.place.clone())
            .with_hint("give both files the same alias"),
        );
    }
    Some(Parsed { normal, admin: Some(laid_on_top) })
}

fn head(config: &NodeConfig, redpath: PathBuf) -> NodeHead {
    let text =
        |text: &Option<Located<String>>| text.as_ref().map(|text| text.value.clone()).unwrap_or_default();
    let headers = &config.headers;
    NodeHead {
        alias: headers.alias.value.clone(),
        name: text(&headers.name),
        info: text(&headers.info),
        redpath,
    }
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

fn resolved(
    parsed: Vec<Parsed>,
    heads: &[NodeHead],
    names: &Names,
    findings: &mut Vec<Finding>,
) -> Option<Vec<Files>> {
    let leaf = heads.last()?;
    let mut sound = true;
    let mut files = Vec::with_capacity(parsed.len());
    for (index, (node, head)) in parsed.into_iter().zip(heads).enumerate() {
        let mut file = |config: NodeConfig| {
            let mut report = Report::default();
            let expander = Expander { names, node: head, leaf };
            let layer = config.layer;
            let resolved = Resolver { expander, node: index, layer, report: &mut report }.file(config);
            sound &= !report.has_errors();
            findings.extend(report.finish());
            resolved
        };
        files.push(Files { normal: file(node.normal), admin: node.admin.map(file) });
    }
    sound.then_some(files)
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
}

/// A statement of one file, with its origin.
#[derive(Clone, Debug)]
struct Stated<T> {
    value: T,
    origin: Origin,
}

impl Family {
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
