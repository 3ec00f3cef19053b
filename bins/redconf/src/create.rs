//! `redconf create`.

use std::path::Path;

use redpak_model::Names;
use redpak_nodes::templates::{self, Template};
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
    let created = redpak_nodes::create(&creation, names, names.uid)?;
    report(&created.findings);
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

fn register(path: &Path, names: &Names) -> Result<(), Refused> {
    let registered = status_file::register(path, names)?;
    report(&registered.findings);
    let (path, parent) = (registered.path.display(), registered.parent);
    let parent = parent.map_or("a root node".to_owned(), |parent| format!("child of {}", parent.display()));
    let renewed = if registered.renewed { ", with a new status that enables it" } else { "" };
    crate::print(&format!("registered {path}, {parent}{renewed}"))?;
    Ok(())
}
