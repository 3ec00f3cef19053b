//! Families written down shortly: a node is its path and the sections of its files.

use std::time::{Duration, Instant};

use redpak_diagnostics::render::{self, Color};
use redpak_diagnostics::{Finding, Place};
use redpak_model::{Effective, Layer, Names, NodeText, SourceText, config};

/// A family under construction, root node first. Node `n` lives at `/n0/n1/…`.
#[derive(Clone, Default)]
pub struct Family {
    nodes: Vec<NodeText>,
    env: Vec<(String, String)>,
}

impl Family {
    /// A family whose root node's file has these lines behind its headers.
    pub fn root(body: &str) -> Self {
        Self::default().node(body)
    }

    /// Adds a child.
    pub fn node(mut self, body: &str) -> Self {
        let level = self.nodes.len();
        let redpath = (0..=level).fold(String::new(), |path, n| format!("{path}/n{n}"));
        let normal = SourceText::new(format!("{redpath}/etc/redpak.yaml"), file(level, body));
        self.nodes.push(NodeText { redpath: redpath.into(), normal, admin: None });
        self
    }

    /// Gives the last node an admin file.
    pub fn admin(mut self, body: &str) -> Self {
        let level = self.nodes.len() - 1;
        let last = self.nodes.last_mut().expect("a node");
        let path = format!("{}/etc/redpak-admin.yaml", last.redpath.display());
        last.admin = Some(SourceText::new(path, file(level, body)));
        self
    }

    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    pub fn nodes(&self) -> &[NodeText] {
        &self.nodes
    }

    fn names(&self) -> Names {
        Names {
            env: self.env.iter().cloned().collect(),
            uid: 1000,
            prefix: "/prefix".into(),
            ..Names::default()
        }
    }

    pub fn run(&self, admin: bool) -> (Option<Effective>, Vec<Finding>) {
        redpak_model::effective(&self.nodes, admin, &self.names())
    }

    /// What strict inheritance would refuse of a compatible family.
    pub fn strictly(&self, admin: bool) -> Vec<Finding> {
        redpak_model::strictly(&self.nodes, admin, &self.names())
    }

    /// The effective configuration; there must be no error.
    #[track_caller]
    pub fn ok(&self) -> Effective {
        sound(self.run(false))
    }

    /// As [`Family::ok`], for administration.
    #[track_caller]
    pub fn ok_admin(&self) -> Effective {
        sound(self.run(true))
    }

    /// The codes and places of all errors, as `CODE file:line [related file:line …]`, files by node and layer.
    #[track_caller]
    pub fn errors(&self) -> Vec<String> {
        errors(self.run(false))
    }

    /// As [`Family::errors`], for administration.
    #[track_caller]
    pub fn errors_admin(&self) -> Vec<String> {
        errors(self.run(true))
    }
}

fn file(level: usize, body: &str) -> String {
    format!("headers: {{alias: n{level}}}\n{body}\n")
}

#[track_caller]
fn sound((effective, findings): (Option<Effective>, Vec<Finding>)) -> Effective {
    effective.unwrap_or_else(|| panic!("{}", render::text(&findings, Color::Never)))
}

#[track_caller]
fn errors((effective, findings): (Option<Effective>, Vec<Finding>)) -> Vec<String> {
    let errors: Vec<_> = findings.iter().filter(|finding| finding.is_error()).map(line).collect();
    assert_eq!(effective.is_none(), !errors.is_empty(), "a configuration exactly when there is no error");
    errors
}

/// `CODE place [related places]`: nodes are written `n0`, admin files `n0a`.
pub fn line(finding: &Finding) -> String {
    let related: Vec<String> = finding.related.iter().map(|(_, place)| short(place)).collect();
    let place = finding.place.as_ref().map_or_else(String::new, short);
    format!("{} {place} [{}]", finding.code, related.join(" "))
}

fn short(place: &Place) -> String {
    let directory = place.file.split("/etc/").next().unwrap_or_default();
    let node = directory.rsplit('/').next().unwrap_or_default();
    let layer = if place.file.contains("admin") { "a" } else { "" };
    format!("{node}{layer}:{}", place.line)
}

/// Parses one file's text; the codes of all findings with line and column.
pub fn parse(text: &str) -> (Option<config::NodeConfig>, Vec<String>) {
    let (config, findings) = redpak_model::parse(&SourceText::new("f.yaml", text), Layer::Normal);
    let lines = findings.iter().map(|finding| {
        let place = finding.place.as_ref();
        format!("{} {}:{}", finding.code, place.map_or(0, |p| p.line), place.map_or(0, |p| p.column))
    });
    (config, lines.collect())
}

/// A result, and the shortest time it took: the machine is not ours alone.
pub fn best_of_three<T>(run: impl Fn() -> T) -> (T, Duration) {
    let timed = || {
        let start = Instant::now();
        (run(), start.elapsed())
    };
    let (result, first) = timed();
    (result, first.min(timed().1).min(timed().1))
}
