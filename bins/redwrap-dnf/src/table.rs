//! Tables and sizes for people.

use std::fmt::Write;

use redpak_diagnostics::render::printable;
use redpak_packages::solve::Resolution;
use redpak_packages::transaction::{Action, Reason, Step, Transaction};

/// Columns aligned by their widest cell; `right` columns to the right. Foreign text is made printable.
pub struct Table {
    heading: Vec<String>,
    rows: Vec<Row>,
    right: Vec<usize>,
}

enum Row {
    Group(String),
    Cells(Vec<String>),
    Indented(Vec<String>),
}

impl Table {
    pub fn new(heading: &[&str], right: &[usize]) -> Self {
        Self {
            heading: heading.iter().map(|cell| (*cell).to_owned()).collect(),
            rows: Vec::new(),
            right: right.to_vec(),
        }
    }

    pub fn group(&mut self, title: &str) {
        self.rows.push(Row::Group(title.to_owned()));
    }

    pub fn row(&mut self, cells: &[String]) {
        self.rows.push(Row::Cells(cells.iter().map(|cell| printable(cell)).collect()));
    }

    /// A row below a group.
    pub fn indented(&mut self, cells: &[String]) {
        let mut cells: Vec<String> = cells.iter().map(|cell| printable(cell)).collect();
        if let Some(first) = cells.first_mut() {
            first.insert(0, ' ');
        }
        self.rows.push(Row::Indented(cells));
    }

    pub fn render(&self) -> String {
        let heading = Row::Cells(self.heading.clone());
        let shown = !self.heading.is_empty();
        let all = || shown.then_some(&heading).into_iter().chain(&self.rows);
        let mut widths: Vec<usize> = Vec::new();
        for row in all() {
            if let Row::Cells(cells) | Row::Indented(cells) = row {
                widths.resize(widths.len().max(cells.len()), 0);
                for (width, cell) in widths.iter_mut().zip(cells) {
                    *width = (*width).max(cell.chars().count());
                }
            }
        }
        let mut out = String::new();
        for row in all() {
            match row {
                Row::Group(title) => out.push_str(title),
                Row::Cells(cells) | Row::Indented(cells) => {
                    let mut line = String::new();
                    for (column, cell) in cells.iter().enumerate() {
                        let width = widths[column];
                        // Writing to a String cannot fail.
                        let _ = match self.right.contains(&column) {
                            true => write!(line, "{cell:>width$} "),
                            false => write!(line, "{cell:<width$} "),
                        };
                    }
                    out.push_str(line.trim_end());
                }
            }
            out.push('\n');
        }
        out
    }
}

/// Bytes as dnf5 writes them: `117.6 KiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A title, and what belongs below it.
type Group = (&'static str, fn(&Step, &Resolution) -> bool);

/// The groups of a transaction in dnf5's order.
const GROUPS: [Group; 9] = [
    ("Installing:", |step, _| step.action == Action::Install && step.reason == Reason::User),
    ("Installing dependencies:", |step, _| {
        step.action == Action::Install && step.reason == Reason::Dependency
    }),
    ("Installing weak dependencies:", |step, _| {
        step.action == Action::Install && step.reason == Reason::Weak
    }),
    ("Upgrading:", |step, _| step.action == Action::Upgrade),
    ("Downgrading:", |step, _| step.action == Action::Downgrade),
    ("Reinstalling:", |step, _| step.action == Action::Reinstall),
    ("Removing:", |step, all| {
        step.action == Action::Remove
            && !all.dependents.contains(&step.nevra)
            && !all.unneeded.contains(&step.nevra)
    }),
    ("Removing dependent packages:", |step, all| {
        step.action == Action::Remove && all.dependents.contains(&step.nevra)
    }),
    ("Removing unused dependencies:", |step, all| {
        step.action == Action::Remove && all.unneeded.contains(&step.nevra)
    }),
];

/// What a transaction will change, as a table and a summary. `node` is the alias of the node.
pub fn transaction(resolution: &Resolution, node: &str, download: u64) -> String {
    let transaction = &resolution.transaction;
    let mut table = Table::new(&["Package", "Arch", "Version", "Repository", "Size"], &[4]);
    let mut summary = String::new();
    for (title, belongs) in GROUPS {
        let steps: Vec<&Step> = transaction.steps.iter().filter(|step| belongs(step, resolution)).collect();
        if steps.is_empty() {
            continue;
        }
        table.group(title);
        for step in &steps {
            let repo = step.source.as_ref().map_or(node, |source| source.repo.as_str());
            let nevra = &step.nevra;
            table.indented(&[
                nevra.name.clone(),
                nevra.arch.clone(),
                nevra.evr(),
                repo.to_owned(),
                size(step.install_size),
            ]);
            for replaced in &step.replaces {
                let text = format!("   replacing {}", replaced.name);
                table.indented(&[
                    text,
                    replaced.arch.clone(),
                    replaced.evr(),
                    node.to_owned(),
                    String::new(),
                ]);
            }
        }
        let plural = if steps.len() == 1 { "" } else { "s" };
        let _ = writeln!(summary, " {title:<30} {:>4} package{plural}", steps.len());
    }
    let mut out = if transaction.steps.is_empty() { String::new() } else { table.render() };
    if !summary.is_empty() {
        let _ = write!(out, "\nTransaction Summary:\n{summary}");
    }
    for (nevra, reason) in &transaction.marks {
        let _ = writeln!(out, "{nevra}: the reason becomes {}", format!("{reason:?}").to_lowercase());
    }
    let _ = write!(out, "\n{}", totals(transaction, download));
    out
}

fn totals(transaction: &Transaction, download: u64) -> String {
    let arriving = || transaction.steps.iter().filter(|step| step.action != Action::Remove);
    let inbound: u64 = arriving().filter_map(|step| step.source.as_ref()).map(|source| source.size).sum();
    let comes: u64 = arriving().map(|step| step.install_size).sum();
    let goes: u64 = transaction
        .steps
        .iter()
        .filter(|step| step.action == Action::Remove)
        .map(|step| step.install_size)
        .sum();
    let mut out = String::new();
    if inbound > 0 {
        let _ = writeln!(
            out,
            "Total size of inbound packages is {}. Need to download {}.",
            size(inbound),
            size(download)
        );
    }
    if comes > 0 {
        let _ = writeln!(out, "Installed size: {}.", size(comes));
    }
    if goes > 0 {
        let _ = writeln!(out, "Freed by removals: {}.", size(goes));
    }
    out
}

#[cfg(test)]
mod tests {
    use redpak_packages::transaction::{Nevra, PackageSource};

    use super::*;

    fn step(action: Action, name: &str, reason: Reason) -> Step {
        let nevra = Nevra {
            name: name.into(),
            epoch: 0,
            version: "1.6".into(),
            release: "2.1".into(),
            arch: "x86_64".into(),
        };
        let source = PackageSource {
            repo: "demo".into(),
            urls: Vec::new(),
            path: "/x".into(),
            checksum: None,
            size: 2048,
            gpgcheck: true,
            keys: Vec::new(),
        };
        let source = (action != Action::Remove).then_some(source);
        Step { action, nevra, reason, replaces: Vec::new(), source, install_size: 120_000 }
    }

    #[test]
    fn the_table_before_a_transaction() {
        let value = Transaction {
            node: "/n".into(),
            base: Some(1),
            steps: vec![
                step(Action::Install, "jq", Reason::User),
                step(Action::Install, "libonig5", Reason::Dependency),
                step(Action::Remove, "old", Reason::User),
                step(Action::Remove, "of-old", Reason::User),
                step(Action::Remove, "for-old", Reason::Dependency),
            ],
            marks: Vec::new(),
        };
        let named = |name: &str| {
            value.steps.iter().map(|step| step.nevra.clone()).filter(|nevra| nevra.name == name).collect()
        };
        let value = Resolution {
            dependents: named("of-old"),
            unneeded: named("for-old"),
            transaction: value.clone(),
            provided: Vec::new(),
            already: Vec::new(),
            skipped: Vec::new(),
            new: Vec::new(),
        };
        let expected = "\
Package   Arch   Version Repository      Size
Installing:
 jq       x86_64 1.6-2.1 demo       117.2 KiB
Installing dependencies:
 libonig5 x86_64 1.6-2.1 demo       117.2 KiB
Removing:
 old      x86_64 1.6-2.1 platform   117.2 KiB
Removing dependent packages:
 of-old   x86_64 1.6-2.1 platform   117.2 KiB
Removing unused dependencies:
 for-old  x86_64 1.6-2.1 platform   117.2 KiB

Transaction Summary:
 Installing:                       1 package
 Installing dependencies:          1 package
 Removing:                         1 package
 Removing dependent packages:      1 package
 Removing unused dependencies:     1 package

Total size of inbound packages is 4.0 KiB. Need to download 2.0 KiB.
Installed size: 234.4 KiB.
Freed by removals: 351.6 KiB.
";
        assert_eq!(transaction(&value, "platform", 2048), expected);
    }

    #[test]
    fn sizes() {
        for (bytes, text) in
            [(0, "0.0 B"), (999, "999.0 B"), (1000, "1.0 KiB"), (1 << 20, "1.0 MiB"), (5 << 30, "5.0 GiB")]
        {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn foreign_text_does_not_reach_the_terminal() {
        let mut table = Table::new(&[], &[]);
        table.row(&["a\x1b[2J".to_owned()]);
        assert_eq!(table.render(), "a\\u{1b}[2J\n");
    }
}
