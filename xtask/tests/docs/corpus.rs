//! Files made of the examples of the reference.

use redpak_model::describe::{SECTIONS, Section};
use redpak_model::schema::Kind;

const HEADERS: &str = "headers: {alias: a}\n";

fn section(path: &str) -> &'static Section {
    SECTIONS.iter().find(|section| section.path == path).unwrap_or_else(|| panic!("no section {path}"))
}

/// A file with one key of a section, by its example, and what must stand beside it.
pub fn alone(path: &str, key: &str) -> String {
    let fields = fields(path, &|name, mandatory| name == key || mandatory);
    wrapped(path, &fields)
}

/// A file with all keys below a nested key: `config.cgroups`.
pub fn nested(path: &str, key: &str) -> String {
    let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    wrapped(&path, &fields(&path, &|_, _| true))
}

/// `key: example` of the keys that are wanted, in flow style; sections below with all of theirs.
fn fields(path: &str, wanted: &dyn Fn(&str, bool) -> bool) -> Vec<String> {
    let mut fields = Vec::new();
    for (key, text) in section(path).described() {
        let beside = path == "environ" && key.name == "value";
        if !wanted(key.name, key.mandatory || beside) {
            continue;
        }
        // A size goes with a tmpfs.
        let example = match (path, key.name) {
            ("exports", "mode") if wanted("size", false) && !wanted("path", false) => "Tmpfs",
            _ => text.example,
        };
        if path == "exports" && key.name == "size" && wanted("path", false) {
            continue;
        }
        match key.kind {
            Kind::Section(_) | Kind::Entries(_) => {
                let below =
                    if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
                fields.push(format!("{}: {}", key.name, flow(&below, &self::fields(&below, &|_, _| true))));
            }
            _ => fields.push(format!("{}: {}", key.name, in_flow(example))),
        }
    }
    fields
}

/// A plain scalar as it can stand in flow style.
fn in_flow(example: &str) -> String {
    let quoted = example.starts_with(['"', '[']);
    if quoted || !example.contains([',', '[', ']', '{', '}', ':', '#']) {
        return example.to_owned();
    }
    format!("\"{example}\"")
}

fn flow(path: &str, fields: &[String]) -> String {
    let mapping = format!("{{{}}}", fields.join(", "));
    if section(path).is_sequence() { format!("[{mapping}]") } else { mapping }
}

/// The sections around.
fn wrapped(path: &str, fields: &[String]) -> String {
    let mut text = flow(path, fields);
    let mut names: Vec<&str> = path.split('.').collect();
    while let Some(name) = names.pop() {
        text = match name {
            "" => return fields.join("\n") + "\n",
            _ if names.is_empty() => format!("{name}: {text}\n"),
            _ => {
                let above = names.join(".");
                let mapping = format!("{{{name}: {text}}}");
                if section(&above).is_sequence() { format!("[{mapping}]") } else { mapping }
            }
        };
    }
    if path == "headers" { text } else { format!("{HEADERS}{text}") }
}

/// One file for each key of every section, and one with all of each section.
pub fn all() -> Vec<String> {
    let mut files = Vec::new();
    for section in SECTIONS.iter().filter(|section| !section.path.is_empty()) {
        for (key, text) in section.described() {
            files.push(match text.example {
                "" => nested(section.path, key.name),
                _ => alone(section.path, key.name),
            });
        }
    }
    files
}
