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
const BUILT_IN: [(&str, &str); 6] = [
    ("root", include_str!("../../../templates/root-normal.yaml")),
    ("leaf", include_str!("../../../templates/leaf-normal.yaml")),
    ("full", include_str!("../../../templates/full-normal.yaml")),
    ("bare", include_str!("../../../templates/bare-normal.yaml")),
    ("redpak25", include_str!("../../../templates/redpak25-normal.yaml")),
    ("redpak25-leaf", include_str!("../../../templates/redpak25-leaf-normal.yaml")),
];

/// Names of the built-in models.
pub fn built_in() -> impl Iterator<Item = &'static str> {
    BUILT_IN.into_iter().map(|(name, _)| name)
}

/// Finds a model for a root node, or for a node `below` another: there `NAME-leaf` is preferred, so that one name does
/// for both. `Err` tells of what there is.
pub fn find(name: &str, below: bool, directory: &Path) -> Result<Template, Finding> {
    if name.is_empty() || name.contains('/') {
        return Err(Finding::error(codes::TEMPLATE, format!("`{name}` is no name of a model"))
            .with_hint("give a file with -c FILE, a model by its name with -m"));
    }
    if below && let Some(template) = named(&format!("{name}-leaf"), directory)? {
        return Ok(template);
    }
    named(name, directory)?.ok_or_else(|| {
        let models = models(directory);
        let near = redpak_model::schema::nearest(name, models.iter().map(String::as_str));
        let near = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
        Finding::error(codes::TEMPLATE, format!("there is no model `{name}`")).with_hint(format!(
            "{near}built in, or files in {}: {}",
            directory.display(),
            models.join(", ")
        ))
    })
}

/// `NAME`, `NAME.yaml` or `NAME-normal.yaml` (with `NAME-admin.yaml`) in `directory`, else built in.
fn named(name: &str, directory: &Path) -> Result<Option<Template>, Finding> {
    for candidate in [name.to_owned(), format!("{name}.yaml"), format!("{name}-normal.yaml")] {
        let path = directory.join(candidate);
        if path.is_file() {
            let admin = directory.join(format!("{name}-admin.yaml"));
            let admin = if admin.is_file() { Some(read(&admin)?) } else { None };
            return Ok(Some(Template { normal: read(&path)?, admin }));
        }
    }
    let built_in = BUILT_IN.into_iter().find(|(model, _)| *model == name);
    Ok(built_in.map(|(_, normal)| Template { normal: normal.to_owned(), admin: None }))
}

/// Names of all models, sorted.
fn models(directory: &Path) -> Vec<String> {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut models: Vec<String> = files
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_suffix("-normal.yaml").or(name.strip_suffix(".yaml"))?;
            (!name.ends_with("-admin")).then(|| name.to_owned())
        })
        .chain(built_in().map(str::to_owned))
        .collect();
    models.sort();
    models.dedup();
    models
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

/// A template with the headers in place, each as a double-quoted scalar.
pub fn fill(text: &str, headers: &Headers) -> String {
    use redpak_model::status::quoted;
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
