//! `redconf mergeconfig`: what is in force in a node, each value with its origin and what it overrode, and what holds
//! because nobody says anything.

mod defaults;
mod exports;
mod limits;
mod settings;
mod sheet;

use redpak_diagnostics::Finding;
use redpak_model::effective::{Effective, Export, Origin, Sourced, Unjudged, VariableAction};
use redpak_model::{Names, NodeText};
use redpak_nodes::{Family, LoadOptions, Refused};
use serde_json::json;

use crate::arguments::ShowArguments;
use crate::{absolute, report};
use sheet::{Sheet, literal, scalar};

pub use exports::{mode, source};

/// Version of the JSON: `{version, effective, overridden_exports, defaults}`; `effective` as the types of the model are,
/// `overridden_exports` a list of `{mount, origin}`, `defaults` a list of `{key, value}` for what nobody sets.
const VERSION: u32 = 1;

pub fn run(arguments: &ShowArguments, names: &Names) -> Result<(), Refused> {
    let family = Family::load(&absolute(&arguments.path)?, names.uid, LoadOptions { force: true })?;
    let (effective, findings) = family.effective(arguments.admin, names)?;
    report(&findings);
    let overridden = overridden_exports(&family.texts(), &effective, names);
    let cannot = |error| Finding::error("RP0422", format!("cannot print: {error}"));
    if arguments.json {
        let defaults: Vec<_> = defaults::all(&effective, names)
            .into_iter()
            .map(|default| json!({ "key": default.key, "value": default.value }))
            .collect();
        let overridden: Vec<_> = overridden
            .iter()
            .map(|export| json!({ "mount": export.mount, "origin": export.origin }))
            .collect();
        crate::print_json(&json!({
            "version": VERSION,
            "effective": serde_json::to_value(&effective).map_err(cannot)?,
            "overridden_exports": overridden,
            "defaults": defaults,
        }))?;
        return Ok(());
    }
    let text = Writer { effective: &effective, names, overridden: &overridden, sheet: Sheet::default() }
        .sheet()
        .render(!arguments.yaml);
    crate::print(text.trim_end())?;
    Ok(())
}

/// Writes an effective configuration in the language of the files.
struct Writer<'a> {
    effective: &'a Effective,
    names: &'a Names,
    overridden: &'a [Export],
    sheet: Sheet,
}

/// Exports that a file of the family asks for, and that another one at the same path takes the place of: they are in
/// force further up, or without the admin files.
fn overridden_exports(texts: &[NodeText], effective: &Effective, names: &Names) -> Vec<Export> {
    let leaf = texts.len().saturating_sub(1);
    let mut overridden: Vec<Export> = Vec::new();
    for admin in [true, false].into_iter().filter(|admin| *admin <= effective.admin) {
        for count in (1..=texts.len()).rev() {
            let above = redpak_model::effective(&texts[..count], admin, names).0;
            for export in above.into_iter().flat_map(|above| above.exports) {
                let reaches = !export.private || export.level == leaf;
                let known = |other: &Export| other.origin == export.origin;
                let replaced = effective.exports.iter().any(|other| other.mount == export.mount);
                if reaches && replaced && !effective.exports.iter().chain(&overridden).any(known) {
                    overridden.push(export);
                }
            }
        }
    }
    overridden
}

impl<'a> Writer<'a> {
    fn sheet(mut self) -> Sheet {
        self.head();
        self.settings();
        self.environ();
        self.exports();
        self.left_out();
        self.sheet
    }

    fn head(&mut self) {
        let nodes = &self.effective.nodes;
        let Some(leaf) = nodes.last() else { return };
        let layer = if self.effective.admin { "administration" } else { "an ordinary launch" };
        self.sheet.note(0, &format!("in force for {layer} of {}, root node first:", leaf.alias));
        let width = nodes.iter().map(|node| node.alias.chars().count()).max().unwrap_or(0);
        for node in nodes {
            self.sheet.note(0, &format!("  {:width$}  {}", node.alias, node.redpath.display()));
        }
        self.sheet.note(
            0,
            "behind each value: the node and the line that it comes from; `default`: nobody says it",
        );
        let exports = &self.effective.exports;
        let twice = |one: &Export| exports.iter().filter(|other| other.mount == one.mount).count() > 1;
        if exports.iter().any(twice) {
            let text =
                "for reading only: a file can have one export at a path, and the family has several overlays";
            self.sheet.must_note(0, text);
        }
        if self.effective.unjudged.iter().any(|one| one.origin.node > 0) {
            let text = "for reading only: commands of a child run in its parent, those of a root node's file on the host";
            self.sheet.must_note(0, text);
        }
        self.sheet.line("headers:", "");
        self.sheet.line(format!("  alias: {}", scalar(&leaf.alias)), "");
        for (key, text) in [("name", &leaf.name), ("info", &leaf.info)] {
            if !text.is_empty() {
                self.sheet.line(format!("  {key}: {}", scalar(text)), "");
            }
        }
    }

    /// `alias, file:line:column`.
    fn at(&self, origin: &Origin) -> String {
        let alias = self.effective.nodes.get(origin.node).map_or("?", |node| node.alias.as_str());
        format!("{alias}, {}", origin.place)
    }

    /// What was overridden, nearest first, each as it stands in its file.
    fn overrode(&mut self, indent: usize, origins: &[Origin]) {
        for origin in origins {
            let line = origin.place.source.trim();
            let line = if line.is_empty() { String::new() } else { format!("`{line}` ") };
            let text = format!("overrode {line}of {}", self.at(origin));
            self.sheet.note(indent, &text);
        }
    }

    /// What a command decides of something, by its name for people and the file that says it.
    fn unjudged(&self, what: &str, origin: &Origin) -> Option<&'a Unjudged> {
        self.effective.unjudged.iter().find(|unjudged| {
            let place = &unjudged.origin;
            !unjudged.left_out
                && unjudged.what == what
                && (place.node, place.layer) == (origin.node, origin.layer)
        })
    }

    fn environ(&mut self) {
        self.sheet.line("environ:", "");
        for default in defaults::environ(self.effective, self.names) {
            self.sheet.line(format!("  - {default}"), "default");
        }
        let key = |variable: &Sourced<redpak_model::effective::Variable>| scalar(&variable.value.key);
        let width =
            self.effective.environ.iter().map(|variable| key(variable).chars().count()).max().unwrap_or(0)
                + 1;
        for variable in &self.effective.environ {
            let key = format!("{},", key(variable));
            let what = format!("the variable `{}`", variable.value.key);
            let (action, decided) = match (&variable.value.action, self.unjudged(&what, &variable.origin)) {
                (VariableAction::Set(_), Some(unjudged)) => {
                    (format!("mode: Default, value: {}", scalar(&unjudged.text)), true)
                }
                (VariableAction::Set(value), None) => {
                    (format!("mode: Static, value: {}", scalar(value)), false)
                }
                (VariableAction::Command(command), _) => {
                    (format!("mode: Execfd, value: {}", scalar(command)), true)
                }
                (VariableAction::Inherit, _) => ("mode: Inherit".to_owned(), false),
                (VariableAction::Remove, _) => ("mode: Remove".to_owned(), false),
            };
            let comment = self.comment(&variable.origin, decided);
            self.sheet.line(format!("  - {{key: {key:width$} {action}}}"), comment);
            self.overrode(4, &variable.overrode);
        }
    }

    fn comment(&self, origin: &Origin, decided: bool) -> String {
        let judged = if decided { "not judged, a command decides it: " } else { "" };
        format!("{judged}{}", self.at(origin))
    }

    /// What is not known without running a command, and stands nowhere above.
    fn left_out(&mut self) {
        let effective = self.effective;
        let left: Vec<&Unjudged> = effective.unjudged.iter().filter(|unjudged| unjudged.left_out).collect();
        if left.is_empty() {
            return;
        }
        self.sheet.must_note(0, "not judged and left out, because a command decides it:");
        for unjudged in left {
            let text =
                format!("  {}: {}  ({})", unjudged.what, scalar(&unjudged.text), self.at(&unjudged.origin));
            self.sheet.must_note(0, &text);
        }
    }

    /// A list that is one scalar in files: each item with its origin.
    fn items(&mut self, key: &str, items: &[Sourced<String>]) {
        if items.is_empty() {
            return;
        }
        let joined: Vec<&str> = items.iter().map(|item| item.value.as_str()).collect();
        let one = items.iter().all(|item| item.origin == items[0].origin);
        let comment = if one { self.at(&items[0].origin) } else { String::new() };
        self.sheet.line(format!("  {key}: {}", literal(&joined.join(":"))), comment);
        for item in items.iter().filter(|_| !one) {
            let text = format!("{}  {}", item.value, self.at(&item.origin));
            self.sheet.note(4, &text);
        }
    }
}
