//! `redconf check`: every finding of the nodes at and below each path, normal and admin. Nothing is launched, and no
//! command of a file is run.

use std::collections::HashSet;
use std::io::stdout;
use std::num::NonZero;
use std::path::PathBuf;

use redpak_diagnostics::render::{self, Color, Tool};
use redpak_diagnostics::{Finding, Severity, exit};
use redpak_model::effective::Inheritance;
use redpak_model::{Layer, Names, NodeText, ParsedFiles};
use redpak_nodes::{Refused, Tree};
use serde_json::{Map, json};

use crate::arguments::{CheckArguments, Format};
use crate::{absolute, explain};

/// Judges, prints, and gives the exit code.
pub fn run(arguments: &CheckArguments, names: &Names) -> Result<u8, Refused> {
    let mut nodes: HashSet<PathBuf> = HashSet::new();
    let mut found = Once::default();
    for path in &arguments.paths {
        match Tree::load(&absolute(path)?, names.uid, |_| ()) {
            Ok(tree) => {
                nodes.extend(tree.nodes[tree.top..].iter().map(|node| node.path.clone()));
                judge(&tree, names).into_iter().for_each(|finding| found.add(finding));
            }
            // What is wrong with one path says nothing about the others.
            Err(Refused(findings)) => findings.into_iter().for_each(|finding| found.add(finding)),
        }
    }
    let findings = found.findings;
    match if arguments.json { Format::Json } else { arguments.format } {
        Format::Text => text(&findings, nodes.len())?,
        Format::Json => {
            let more = Map::from_iter([("nodes".to_owned(), json!(nodes.len()))]);
            crate::print_json(&render::json(&findings, more))?;
        }
        Format::Sarif => {
            let tool = Tool { name: "redconf", version: env!("CARGO_PKG_VERSION"), title: explain::title };
            crate::print_json(&render::sarif(&findings, &tool))?;
        }
    }
    Ok(if findings.iter().any(Finding::is_error) { exit::ERROR } else { exit::OK })
}

fn text(findings: &[Finding], nodes: usize) -> Result<(), Finding> {
    let mut out = render::text(findings, Color::of(&stdout()));
    if let Some(error) = findings.iter().find(|finding| finding.is_error()) {
        out.push_str(&explain::more(error));
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let counted =
        |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let mut sums =
        vec![counted(count(Severity::Error), "error"), counted(count(Severity::Warning), "warning")];
    match count(Severity::Note) {
        0 => {}
        notes => sums.push(counted(notes, "note")),
    }
    out.push_str(&format!("{} checked: {}", counted(nodes, "node"), sums.join(", ")));
    crate::print(&out)
}

/// Findings in the order in which they come, each kept once: families share their ancestors'.
#[derive(Default)]
struct Once {
    findings: Vec<Finding>,
    seen: HashSet<Finding>,
}

impl Once {
    fn add(&mut self, finding: Finding) {
        if self.seen.insert(finding.clone()) {
            self.findings.push(finding);
        }
    }
}

/// The findings of all nodes of a tree, in its order, whatever thread found them.
fn judge(tree: &Tree<()>, names: &Names) -> Vec<Finding> {
    let root = tree.nodes.first().and_then(|root| root.read.as_ref());
    let judge = Judge { names, compatible: root.is_none_or(|root| may_be_compatible(&root.text)) };
    let above = tree.nodes[..tree.top].iter().flat_map(|node| node.findings.clone());
    let nodes: Vec<usize> = (tree.top..tree.nodes.len()).collect();
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = nodes.len().div_ceil(threads).max(1);
    let of_nodes = std::thread::scope(|scope| {
        let workers: Vec<_> = nodes
            .chunks(share)
            .map(|nodes| {
                scope.spawn(move || {
                    let mut found = Once::default();
                    let parsed = ParsedFiles::default();
                    for finding in nodes.iter().flat_map(|node| judge.of_node(tree, *node, &parsed)) {
                        found.add(finding);
                    }
                    found.findings
                })
            })
            .collect();
        // A panic there is a panic here.
        workers
            .into_iter()
            .flat_map(|worker| match worker.join() {
                Ok(findings) => findings,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect::<Vec<_>>()
    });
    above.chain(of_nodes).collect()
}

/// Whether a root node's files may say that its family is merged as red-pak 2.5 does.
fn may_be_compatible(root: &NodeText) -> bool {
    let says = |source, layer| match redpak_model::parse(source, layer).0 {
        Some(file) => file.config.inheritance.is_some_and(|set| set.value == Inheritance::Compatible),
        None => true,
    };
    says(&root.normal, Layer::Normal) || root.admin.as_ref().is_some_and(|admin| says(admin, Layer::Admin))
}

/// What is the same for all nodes of a tree.
#[derive(Clone, Copy)]
struct Judge<'a> {
    names: &'a Names,
    /// What strict inheritance would refuse is worth asking.
    compatible: bool,
}

impl Judge<'_> {
    fn of_node(self, tree: &Tree<()>, index: usize, parsed: &ParsedFiles) -> Vec<Finding> {
        let node = &tree.nodes[index];
        let mut findings = node.findings.clone();
        match tree.texts(index) {
            Some(family) => {
                let broken = findings.iter().any(Finding::is_error);
                findings.extend(self.of_family(&family, broken, parsed));
            }
            // The family is not whole; what the node's own files say can be judged by itself.
            None => findings.extend(node.read.iter().flat_map(|read| of_files(&read.text))),
        }
        findings
    }

    /// `broken`: something keeps the node from being launched anyway.
    fn of_family(self, family: &[NodeText], broken: bool, parsed: &ParsedFiles) -> Vec<Finding> {
        // Without an admin file anywhere, administration finds the same.
        let admin = family.iter().any(|node| node.admin.is_some());
        let mut findings = Vec::new();
        for admin in [false, true].into_iter().take(1 + usize::from(admin)) {
            let (effective, found) = redpak_model::effective_of(family, admin, self.names, parsed);
            findings.extend(found);
            if let Some(effective) = effective.filter(|_| !broken) {
                findings.extend(redpak_plan::refused::refused(&effective).into_iter().map(not_launched));
            }
            if self.compatible {
                findings.extend(redpak_model::strictly(family, admin, self.names));
            }
        }
        findings
    }
}

/// What a plan refuses is no mistake in a file: another release launches it.
fn not_launched(finding: Finding) -> Finding {
    Finding { severity: Severity::Warning, ..finding }
        .with_hint("nothing is launched with it: remove it to launch without it")
}

fn of_files(text: &NodeText) -> Vec<Finding> {
    let mut findings = redpak_model::parse(&text.normal, Layer::Normal).1;
    findings.extend(text.admin.iter().flat_map(|admin| redpak_model::parse(admin, Layer::Admin).1));
    findings
}
