//! Templates of node configurations: those of the template directory, else the built-in copies.
//!
//! `@ALIAS@`, `@NAME@` and `@INFO@` stand for the new node's headers; everything else is the text of the node's file.

use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;

use crate::codes;

/// The two files of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// For `etc/redpak.yaml`.
    pub normal: String,
    /// For `etc/redpak-admin.yaml`, where the model has one.
    pub admin: Option<String>,
}

/// A model by name, with its file.
const BUILT_IN: [(&str, &str); 4] = [
    ("root", include_str!("../../../templates/root-normal.yaml")),
    ("leaf", include_str!("../../../templates/leaf-normal.yaml")),
    ("full", include_str!("../../../templates/full-normal.yaml")),
    ("bare", include_str!("../../../templates/bare-normal.yaml")),
];

/// Names of the built-in models.
pub fn built_in() -> impl Iterator<Item = &'static str> {
    BUILT_IN.into_iter().map(|(name, _)| name)
}

/// Finds a model: `NAME`, `NAME.yaml` or `NAME-normal.yaml` (with `NAME-admin.yaml`) in `directory`, else built in.
pub fn find(name: &str, directory: &Path) -> Result<Template, Finding> {
    if name.is_empty() || name.contains('/') {
        return Err(Finding::error(codes::TEMPLATE, format!("`{name}` is no name of a model"))
            .with_hint("give a file with -c FILE, a model by its name with -m"));
    }
    for candidate in [name.to_owned(), format!("{name}.yaml"), format!("{name}-normal.yaml")] {
        let path = directory.join(candidate);
        if path.is_file() {
            let admin = directory.join(format!("{name}-admin.yaml"));
            let admin = if admin.is_file() { Some(read(&admin)?) } else { None };
            return Ok(Template { normal: read(&path)?, admin });
        }
    }
    match BUILT_IN.into_iter().find(|(model, _)| *model == name) {
        Some((_, normal)) => Ok(Template { normal: normal.to_owned(), admin: None }),
        None => {
            Err(Finding::error(codes::TEMPLATE, format!("there is no model `{name}`")).with_hint(format!(
                "built in are {}; others are files in {}",
                built_in().collect::<Vec<_>>().join(", "),
                directory.display()
            )))
        }
    }
}

/// Reads a template from a file that the caller names.
pub fn read(path: &Path) -> Result<String, Finding> {
    std::fs::read_to_string(path).map_err(|error| {
        Finding::error(codes::TEMPLATE, format!("cannot read `{}`: {error}", path.display()))
    })
}

/// The headers of a new node.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    /// `headers.alias`.
    pub alias: &'a str,
    /// `headers.name`, a UUID.
    pub name: &'a str,
    /// `headers.info`: who, where, when.
    pub info: &'a str,
}

/// A template with the headers in place, each as a double-quoted scalar (YAML 1.2, 7.3.1).
pub fn fill(text: &str, headers: &Headers) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    text.replace("@ALIAS@", &quoted(headers.alias))
        .replace("@NAME@", &quoted(headers.name))
        .replace("@INFO@", &quoted(headers.info))
}

/// Where models are searched.
pub fn directory(given: Option<&Path>, env: Option<&str>) -> PathBuf {
    match (given, env) {
        (Some(path), _) => path.to_owned(),
        (None, Some(path)) if !path.is_empty() => path.into(),
        _ => crate::names::TEMPLATE_DIR.into(),
    }
}
