//! `redconf create`.

use std::path::Path;
use std::sync::Arc;

use redpak_diagnostics::Finding;
use redpak_model::Names;
use redpak_nodes::templates::{self, Template};
use redpak_nodes::walk::STATUS;
use redpak_nodes::{Creation, Refused, status_file};

use crate::arguments::CreateArguments;
use crate::{absolute, report};

pub fn run(arguments: &CreateArguments, names: &Names) -> Result<(), Refused> {
    let path = match &arguments.redroot {
        Some(redroot) => {
            absolute(&redroot.join(arguments.path.strip_prefix("/").unwrap_or(&arguments.path)))?
        }
        None => absolute(&arguments.path)?,
    };
    if arguments.update && status_file::is_registrable(&path) {
        return register(&path, names);
    }
    let template = match &arguments.config {
        Some(file) => Some(Template {
            normal: templates::read(file)?,
            admin: arguments.config_admin.as_deref().map(templates::read).transpose()?,
        }),
        None => None,
    };
    let flag = [(arguments.full, "full"), (arguments.leaf, "leaf"), (arguments.root, "root")];
    let model = arguments
        .model
        .clone()
        .or_else(|| flag.iter().find(|(set, _)| *set).map(|(_, name)| (*name).to_owned()));
    let creation = Creation {
        path,
        alias: arguments.alias.clone(),
        template,
        model,
        template_dir: templates::directory(arguments.template_dir.as_deref(), None),
    };
    let created = redpak_nodes::create(&creation, names, names.uid).map_err(|Refused(findings)| {
        Refused(findings.into_iter().map(|finding| not_created(given(finding, arguments, None))).collect())
    })?;
    let warnings: Vec<Finding> =
        created.findings.into_iter().map(|finding| given(finding, arguments, Some(&created.path))).collect();
    report(&warnings);
    let model = created.model.map_or("a file of your own".to_owned(), |model| format!("the model {model}"));
    match created.parent {
        Some(parent) => crate::print(&format!(
            "created {} ({}) from {model}, child of {}",
            created.path.display(),
            created.alias,
            parent.display()
        ))?,
        None => crate::print(&format!(
            "created {} ({}) from {model}, a root node",
            created.path.display(),
            created.alias
        ))?,
    }
    Ok(())
}

/// A finding in the file that was given, where it was to become a file of the node. `created`: the node, if it is there.
fn given(mut finding: Finding, arguments: &CreateArguments, created: Option<&Path>) -> Finding {
    let related = finding.related.iter_mut().map(|(_, place)| place);
    for place in finding.place.iter_mut().chain(related) {
        let file = Path::new(&*place.file);
        let node = file.parent().and_then(Path::parent);
        // The files above are those of nodes that exist.
        let new =
            node.is_some_and(|node| created.map_or(!node.join(STATUS).exists(), |created| created == node));
        let admin = file.ends_with("etc/redpak-admin.yaml");
        let given = if admin { &arguments.config_admin } else { &arguments.config };
        if let Some(given) = given.as_ref().filter(|_| new && (admin || file.ends_with("etc/redpak.yaml"))) {
            place.file = Arc::from(given.to_string_lossy().as_ref());
        }
    }
    finding
}

/// An error in a file may look as if the node were there.
fn not_created(finding: Finding) -> Finding {
    if !finding.is_error() || finding.place.is_none() {
        return finding;
    }
    let hint = finding.hint.as_ref().map_or(String::new(), |hint| format!("{hint} "));
    finding.with_hint(format!("{hint}(nothing was created)"))
}

fn register(path: &Path, names: &Names) -> Result<(), Refused> {
    let registered = status_file::register(path, names)?;
    report(&registered.findings);
    let (path, parent) = (registered.path.display(), registered.parent);
    let parent = parent.map_or("a root node".to_owned(), |parent| format!("child of {}", parent.display()));
    let renewed = if registered.renewed { ", with a new status that enables it" } else { "" };
    crate::print(&format!("registered {path}, {parent}{renewed}"))?;
    Ok(())
}
