//! `redconf tree`: nodes below a node, with alias, state and package count.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use redpak_diagnostics::render::printable;
use redpak_model::effective::Layer;
use redpak_model::status::State;
use redpak_nodes::{Family, LoadOptions, Refused, descendants};
use serde_json::{Value, json};

/// What is shown of a node.
struct Shown {
    path: PathBuf,
    alias: String,
    state: &'static str,
    generation: Option<u64>,
    packages: Option<usize>,
}

pub fn run(path: &Path, as_json: bool) -> Result<(), Refused> {
    let uid = rustix_uid();
    let family = Family::load(path, uid, LoadOptions { force: true })?;
    let top = family.leaf().path.clone();
    let mut children: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for node in descendants(&top)? {
        children.entry(node.parent).or_default().push(node.path);
    }
    if as_json {
        crate::print(&format!("{}", json!({ "version": 1, "tree": value(&top, &children, uid) })))?;
        return Ok(());
    }
    let mut rows = Vec::new();
    rows_below(&top, &children, uid, "", "", &mut rows);
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, about) in rows {
        crate::print(&printable(&format!("{name:width$}  {about}")))?;
    }
    Ok(())
}

fn rustix_uid() -> u32 {
    redpak_nodes::names::caller().0
}

fn rows_below(
    path: &Path,
    children: &BTreeMap<PathBuf, Vec<PathBuf>>,
    uid: u32,
    lead: &str,
    below: &str,
    rows: &mut Vec<(String, String)>,
) {
    let shown = look(path, uid);
    let packages = shown.packages.map_or("the host's packages".to_owned(), |count| match count {
        1 => "1 package".to_owned(),
        count => format!("{count} packages"),
    });
    rows.push((
        format!("{lead}{}", shown.alias),
        format!("{:8}  {packages:20}  {}", shown.state, shown.path.display()),
    ));
    let list = children.get(path).map_or(&[][..], Vec::as_slice);
    for (index, child) in list.iter().enumerate() {
        let last = index + 1 == list.len();
        let (lead, next) = if last { ("└── ", "    ") } else { ("├── ", "│   ") };
        rows_below(child, children, uid, &format!("{below}{lead}"), &format!("{below}{next}"), rows);
    }
}

fn value(path: &Path, children: &BTreeMap<PathBuf, Vec<PathBuf>>, uid: u32) -> Value {
    let shown = look(path, uid);
    let below: Vec<Value> = children
        .get(path)
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .map(|child| value(child, children, uid))
        .collect();
    json!({
        "alias": shown.alias,
        "path": shown.path,
        "state": shown.state,
        "generation": shown.generation,
        "packages": shown.packages,
        "children": below,
    })
}

/// A node that cannot be read is shown all the same: the tree is for finding out.
fn look(path: &Path, uid: u32) -> Shown {
    let fallback = || {
        path.file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
    };
    let Ok(family) = Family::load(path, uid, LoadOptions { force: true }) else {
        return Shown {
            path: path.to_owned(),
            alias: fallback(),
            state: "broken",
            generation: None,
            packages: None,
        };
    };
    let leaf = family.leaf();
    let (parsed, _) = redpak_model::parse(&leaf.text.normal, Layer::Normal);
    let generation = redpak_nodes::facts::generation(leaf).ok().flatten();
    Shown {
        path: leaf.path.clone(),
        alias: parsed.map_or_else(fallback, |config| config.headers.alias.value),
        state: if leaf.status.state == State::Enable { "enabled" } else { "disabled" },
        generation,
        packages: generation.map(|number| redpak_nodes::facts::package_count(leaf, number)),
    }
}
