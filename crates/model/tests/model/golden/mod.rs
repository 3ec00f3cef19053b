//! Golden values: what a family of a root node and a child makes, each written by hand from SPEC sections 4 and 10.
//!
//! The tables are text. A head says of what the rows below it are, several heads share the rows behind the last:
//!
//! - `[config KEY …]`: a cell is the key's value, or `OTHER: value`; `;` goes before the next line of the file.
//! - `[cap NAME …]`: a cell holds `1` or `0` for that capability, or `OTHER 1`.
//! - `[environ]`: `KEY=value`, `KEY:Mode`, `KEY:Mode=value`. `[exports]`: `MODE MOUNT [PATH] [optional] [size=…]`;
//!   `./x` is `$NODE_PATH/x`. A word `warn` gives the entry one.
//!
//! Words behind the key: `x=in>out` are letters for values in the cells (`in`) and in what is expected (`out`);
//! `origin` leaves out what a value overrode, `value` also where it comes from.
//!
//! A row is `root's file | its admin file | the child's | its admin file | expected | expected for administration`;
//! the last is left out where there is no admin file, `?` is not judged, `~` is no child at all. Expected is
//! `value@node [what it overrode]`, an `a` for an admin file, then ` ! CODE place [related places]` for each finding;
//! lines of files are those that entries stand on, from 3. An error leaves no value and no warning.

pub mod show;

use std::collections::BTreeMap;

use redpak_diagnostics::{Finding, Severity};

use crate::family::{Family, line};

/// What the rows behind a head are of.
#[derive(Clone, Debug, Default)]
struct Head<'t> {
    kind: &'t str,
    key: &'t str,
    /// Letters and what they stand for: in files, and in what is expected.
    letters: BTreeMap<&'t str, (&'t str, &'t str)>,
    detail: show::Detail,
}

impl<'t> Head<'t> {
    fn of(text: &'t str) -> Self {
        let mut words = text.split(' ');
        let kind = words.next().expect("a kind");
        let mut head = Self { kind, ..Self::default() };
        for word in words {
            match (word, word.split_once('=')) {
                ("origin", _) => head.detail = show::Detail::Origin,
                ("value", _) => head.detail = show::Detail::Value,
                (_, Some((letter, values))) => {
                    head.letters.insert(letter, values.split_once('>').unwrap_or((values, values)));
                }
                (key, None) => head.key = key,
            }
        }
        head
    }

    /// The section that a cell stands for, and what opens and closes it. Entries stand on lines of their own.
    fn body(&self, cell: &str, inheritance: &str) -> String {
        let entries: Vec<String> = cell
            .split("; ")
            .filter(|entry| !entry.is_empty())
            .map(|entry| self.entry(entry.trim()))
            .collect();
        let entries = entries.join("\n ");
        match self.kind {
            "config" => format!("config: {{\n {entries}\n {inheritance}}}"),
            "cap" => format!("config: {{capabilities: [\n {entries}\n ], {inheritance}}}"),
            kind => format!("{kind}: [\n {entries}\n ]\nconfig: {{{inheritance}}}"),
        }
    }

    fn entry(&self, entry: &str) -> String {
        let (entry, warn) = match entry.strip_suffix(" warn") {
            Some(entry) => (entry, ", warn: told"),
            None => (entry, ""),
        };
        match self.kind {
            "config" => {
                let (key, value) = match entry.split_once(": ") {
                    Some((key, value)) if !entry.starts_with(['{', '[', '\'']) => (key, value),
                    _ => (self.key, entry),
                };
                let value = self.letters.get(value).map_or(value, |(value, _)| value);
                format!("{key}: {value},")
            }
            "cap" => {
                let (cap, add) = entry.split_once(' ').unwrap_or((self.key, entry));
                format!("{{cap: {cap}, add: {add}{warn}}},")
            }
            "environ" => {
                let (name, value) = entry.split_once('=').map_or((entry, None), |(n, v)| (n, Some(v)));
                let (key, mode) = name.split_once(':').unwrap_or((name, "Default"));
                let value = value.map_or_else(String::new, |value| format!(", value: '{value}'"));
                format!("{{key: {key}, mode: {mode}{value}{warn}}},")
            }
            "exports" => {
                let mut words = entry.split(' ');
                let (mode, mount) = (words.next().expect("a mode"), words.next().expect("a mount path"));
                let rest = words.map(|word| match (word.split_once('='), word.strip_prefix("./")) {
                    (Some((key, value)), _) => format!(", {key}: {value}"),
                    (_, Some(own)) => format!(", path: $NODE_PATH/{own}"),
                    _ if word == "optional" => ", optional: true".to_owned(),
                    _ => format!(", path: {word}"),
                });
                format!("{{mount: {mount}, mode: {mode}{}{warn}}},", rest.collect::<String>())
            }
            kind => panic!("no rows of {kind}"),
        }
    }

    /// What is expected, with the letters replaced.
    fn expected(&self, text: &str) -> String {
        let word = |word: &str| {
            let (value, rest) =
                word.split_once('@').map_or((word, None), |(value, rest)| (value, Some(rest)));
            let value = self.letters.get(value).map_or(value, |(_, shown)| shown);
            rest.map_or_else(|| value.to_owned(), |rest| format!("{value}@{rest}"))
        };
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    }
}

/// A row with one of its heads.
struct Pair<'t> {
    head: Head<'t>,
    number: usize,
    cells: Vec<&'t str>,
}

/// All rows of a table, each with each of its heads.
fn pairs(table: &str) -> Vec<Pair<'_>> {
    let (mut heads, mut rows): (Vec<Head<'_>>, bool) = (Vec::new(), false);
    let mut pairs = Vec::new();
    for (number, text) in
        table.lines().enumerate().filter(|(_, text)| !text.is_empty() && !text.starts_with('#'))
    {
        if let Some(head) =
            text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).filter(|_| !text.contains('|'))
        {
            if std::mem::take(&mut rows) {
                heads.clear();
            }
            heads.push(Head::of(head));
            continue;
        }
        rows = true;
        let cells: Vec<&str> = text.split('|').map(str::trim).collect();
        assert!(cells.len() == 5 || cells.len() == 6, "line {}: {text}", number + 1);
        let administration = !cells[1].is_empty() || !cells[3].is_empty();
        assert_eq!(cells.len() == 6, administration, "line {}: an admin file, and what it makes", number + 1);
        pairs.extend(heads.iter().map(|head| Pair { head: head.clone(), number, cells: cells.clone() }));
    }
    pairs
}

impl Pair<'_> {
    fn family(&self, inheritance: &str) -> Family {
        let [root, root_admin, child, child_admin] = [0, 1, 2, 3].map(|cell| self.cells[cell]);
        let admin = |family: Family, cell: &str| match cell {
            "" => family,
            cell => family.admin(&self.head.body(cell, "")),
        };
        let family = admin(Family::root(&self.head.body(root, inheritance)), root_admin);
        if child == "~" { family } else { admin(family.node(&self.head.body(child, "")), child_admin) }
    }

    fn found(&self, family: &Family, admin: bool) -> String {
        let (effective, mut findings) = family.run(admin);
        findings.extend(family.strictly(admin));
        let wanted = |finding: &&Finding| match effective {
            // Said of whoever keeps CAP_SYS_ADMIN; it has a test of its own.
            _ if finding.code == "RP0321" => false,
            Some(_) => finding.severity != Severity::Note,
            None => finding.is_error(),
        };
        let mut told: Vec<String> =
            findings.iter().filter(wanted).map(|finding| format!("! {}", line(finding))).collect();
        told.sort();
        let value = effective.map(|effective| match self.head.kind {
            "config" => show::setting(&effective.settings, self.head.key, self.head.detail),
            "cap" => show::capability(&effective.settings, self.head.key, self.head.detail),
            "environ" => show::environ(&effective, self.head.detail),
            _ => show::exports(&effective),
        });
        value.filter(|value| !value.is_empty()).into_iter().chain(told).collect::<Vec<_>>().join(" ")
    }
}

/// Judges all pairs of a table; at least this many.
#[track_caller]
fn judge(table: &str, inheritance: &str, at_least: usize) {
    let (mut judged, mut wrong) = (0, Vec::new());
    for pair in pairs(table) {
        let family = pair.family(inheritance);
        for (admin, expected) in [(false, pair.cells[4]), (true, *pair.cells.last().expect("cells"))] {
            if expected == "?" {
                continue;
            }
            judged += 1;
            let expected = pair.head.expected(expected);
            let found = pair.found(&family, admin);
            if found != expected {
                let (line, key) = (pair.number + 1, format!("{} {}", pair.head.kind, pair.head.key));
                let cells = pair.cells[..4].join(" | ");
                wrong.push(format!(
                    "line {line}, {key}{}: {cells}\n  expected {expected}\n  found    {found}",
                    if admin { ", administration" } else { "" }
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {judged} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(judged >= at_least, "{judged} pairs are fewer than {at_least}");
}

#[test]
fn strict() {
    judge(include_str!("strict.txt"), "", 1_000);
}

#[test]
fn compatible() {
    judge(include_str!("compatible.txt"), "inheritance: compatible", 1_000);
}
