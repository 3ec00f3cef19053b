//! Random families: each line knows what it says, so that a judge can compare it with what the model makes of it.
//!
//! What is random comes from a seed, which a failing test prints with the family's files. `REDPAK_SEED` sets the
//! first seed, `REDPAK_FAMILIES` how many there are.

pub mod judge;
pub mod lines;
pub mod printer;
pub mod section10;
pub mod sourced;
pub mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use redpak_diagnostics::{Finding, Place};
use redpak_model::{Effective, Layer, Names, NodeText, SourceText};

/// Random numbers (SplitMix64, Steele and others 2014).
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).expect("it is below a usize")
    }

    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// A setting of the environment of tests, or this.
pub fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// One line of a file: a key of `config`, or an entry.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// `config`, `capabilities`, `environ` or `exports`.
    pub section: &'static str,
    /// The key, or what an entry is of: two lines of a file never have the same.
    pub key: String,
    pub text: String,
    /// What it says, as [`sourced`] shows it: key and value, `$LEAF_…` not replaced.
    pub says: Vec<(String, String)>,
    /// Keys of the schema in it, as `section.key`, and modes.
    pub uses: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, Default)]
pub struct File {
    pub headers: Vec<&'static str>,
    pub lines: Vec<Line>,
}

impl File {
    /// The text, and which of the lines stand where.
    fn text(&self, level: usize) -> (String, BTreeMap<u32, usize>) {
        let mut text = format!("headers:\n  alias: n{level}\n");
        self.headers.iter().for_each(|line| text.extend(["  ", line, "\n"]));
        let mut at = BTreeMap::new();
        let mut number = u32::try_from(3 + self.headers.len()).expect("few lines");
        for (section, opens, indent) in [
            ("config", "config:", "  "),
            ("capabilities", "  capabilities:", "  - "),
            ("environ", "environ:", "- "),
            ("exports", "exports:", "- "),
        ] {
            let of: Vec<usize> =
                (0..self.lines.len()).filter(|index| self.lines[*index].section == section).collect();
            // `capabilities` stand in `config`.
            let opened = section == "config" && self.lines.iter().any(|line| line.section == "capabilities");
            if of.is_empty() && !opened {
                continue;
            }
            writeln!(text, "{opens}").expect("a text");
            number += 1;
            for index in of {
                writeln!(text, "{indent}{}", self.lines[index].text).expect("a text");
                at.insert(number, index);
                number += 1;
            }
        }
        (text, at)
    }

    pub fn has(&self, section: &str, key: &str) -> bool {
        self.lines.iter().any(|line| line.section == section && line.key == key)
    }

    pub fn add(&mut self, line: Line) {
        if !self.has(line.section, &line.key) {
            self.lines.push(line);
        }
    }
}

/// A node's files.
#[derive(Clone, Debug, Default)]
pub struct Node {
    pub normal: File,
    pub admin: Option<File>,
}

impl Node {
    /// The files that count, in order.
    pub fn files(&self, admin: bool) -> impl Iterator<Item = (Layer, &File)> {
        let laid_on_top = self.admin.iter().filter(move |_| admin).map(|file| (Layer::Admin, file));
        std::iter::once((Layer::Normal, &self.normal)).chain(laid_on_top)
    }

    fn file_mut(&mut self, layer: Layer) -> Option<&mut File> {
        match layer {
            Layer::Normal => Some(&mut self.normal),
            Layer::Admin => self.admin.as_mut(),
        }
    }
}

/// Nodes, root first.
#[derive(Clone, Debug, Default)]
pub struct RandomFamily {
    pub seed: u64,
    pub nodes: Vec<Node>,
}

/// The directory of a node.
pub fn redpath(level: usize) -> String {
    (0..=level).fold(String::new(), |path, n| format!("{path}/n{n}"))
}

/// A text with the leaf's names replaced.
pub fn of_leaf(text: &str, leaf: usize) -> String {
    text.replace("$LEAF_PATH", &redpath(leaf)).replace("$LEAF_ALIAS", &format!("n{leaf}"))
}

/// With and without administration: the configuration of each node, root first, where there is no error.
pub type Runs = Vec<(bool, Vec<Option<Effective>>)>;

/// A family's files as texts, and which of the lines stand where.
pub struct Written<'f> {
    pub family: &'f RandomFamily,
    pub nodes: Vec<NodeText>,
    at: Vec<[BTreeMap<u32, usize>; 2]>,
}

impl Written<'_> {
    /// The effective configuration of the node at that level.
    pub fn run(&self, levels: usize, admin: bool) -> (Option<Effective>, Vec<Finding>) {
        redpak_model::effective(&self.nodes[..levels], admin, &Names::default())
    }

    /// The effective configurations of all nodes.
    pub fn runs(&self) -> Runs {
        let of_levels = |admin| (1..=self.nodes.len()).map(|levels| self.run(levels, admin).0).collect();
        self.family.layers(self.nodes.len()).iter().map(|admin| (*admin, of_levels(*admin))).collect()
    }

    /// The line that stands at a place.
    pub fn line_at(&self, place: &Place) -> Option<(usize, Layer, usize)> {
        let directory = place.file.split("/etc/").next()?;
        let level = directory.matches('/').count().checked_sub(1)?;
        let admin = place.file.ends_with("redpak-admin.yaml");
        let layer = if admin { Layer::Admin } else { Layer::Normal };
        Some((level, layer, *self.at.get(level)?[usize::from(admin)].get(&place.line)?))
    }
}

impl RandomFamily {
    /// Its files, as the model takes them.
    pub fn written(&self) -> Written<'_> {
        let (mut nodes, mut at) = (Vec::new(), Vec::new());
        for (level, node) in self.nodes.iter().enumerate() {
            let path = redpath(level);
            let (normal, lines) = node.normal.text(level);
            let normal = SourceText::new(format!("{path}/etc/redpak.yaml"), normal);
            let admin = node.admin.as_ref().map(|file| file.text(level));
            let (admin, admin_lines) = admin.map_or((None, BTreeMap::new()), |(text, at)| (Some(text), at));
            let admin = admin.map(|text| SourceText::new(format!("{path}/etc/redpak-admin.yaml"), text));
            nodes.push(NodeText { redpath: path.into(), normal, admin });
            at.push([lines, admin_lines]);
        }
        Written { family: self, nodes, at }
    }

    /// All files, to show.
    pub fn show(&self) -> String {
        let mut shown = format!("REDPAK_SEED={} REDPAK_FAMILIES=1\n", self.seed);
        for node in self.written().nodes {
            for source in std::iter::once(&node.normal).chain(&node.admin) {
                write!(shown, "--- {}\n{}", source.file, source.text).expect("a text");
            }
        }
        shown
    }

    /// For what the first nodes are run: administration is another thing only where one has an admin file.
    pub fn layers(&self, levels: usize) -> &'static [bool] {
        let laid_on_top = self.nodes.iter().take(levels).any(|node| node.admin.is_some());
        if laid_on_top { &[false, true] } else { &[false] }
    }

    /// Takes the lines away that the model refuses, until nothing is refused of any node, with and without
    /// administration: random lines are seldom sound. The nodes' configurations, when that was reached.
    pub fn repair(&mut self) -> Option<Runs> {
        loop {
            let refused = match self.refused() {
                Ok(runs) => return Some(runs),
                Err(refused) if refused.is_empty() => return None,
                Err(refused) => refused,
            };
            // From the end, so that the others keep their index.
            for (level, admin, index) in refused.into_iter().rev() {
                let layer = if admin { Layer::Admin } else { Layer::Normal };
                if let Some(file) = self.nodes[level].file_mut(layer) {
                    file.lines.remove(index);
                }
            }
        }
    }

    /// All nodes' configurations, or the lines that the first run refuses that refuses any.
    fn refused(&self) -> Result<Runs, BTreeSet<(usize, bool, usize)>> {
        let written = self.written();
        let mut runs = Runs::new();
        for admin in self.layers(self.nodes.len()) {
            let mut of_levels = Vec::new();
            // Most is found where the leaf is judged, which tells of all others but for their private exports.
            for levels in (1..=self.nodes.len()).rev() {
                let (effective, findings) = written.run(levels, *admin);
                if effective.is_none() {
                    let errors = findings.iter().filter(|finding| finding.is_error());
                    let places = errors.filter_map(|finding| written.line_at(finding.place.as_ref()?));
                    return Err(places.map(|(level, layer, n)| (level, layer == Layer::Admin, n)).collect());
                }
                of_levels.push(effective);
            }
            of_levels.reverse();
            runs.push((*admin, of_levels));
        }
        Ok(runs)
    }

    /// Keys of the schema that occur.
    pub fn uses(&self) -> BTreeSet<String> {
        let mut uses = BTreeSet::from(["file.headers".to_owned(), "headers.alias".to_owned()]);
        for (_, file) in self.nodes.iter().flat_map(|node| node.files(true)) {
            for header in &file.headers {
                uses.insert(format!("headers.{}", header.split(':').next().unwrap_or_default()));
            }
            for line in &file.lines {
                let section = if line.section == "capabilities" { "config" } else { line.section };
                uses.insert(format!("file.{section}"));
                uses.extend(line.uses.iter().cloned());
            }
        }
        uses
    }

    /// The keys that a node's files speak of, as [`sourced`] has them; `*` behind a word is all that starts with it.
    pub fn mentioned(&self, level: usize, admin: bool) -> BTreeSet<String> {
        let lines = self.nodes[level].files(admin).flat_map(|(_, file)| &file.lines);
        lines.map(|line| line.key.clone()).collect()
    }
}
