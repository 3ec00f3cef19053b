//! `manager`: creates a node, and its system node above it.

use std::path::Path;

use redpak_diagnostics::exit;
use redpak_model::Names;
use redpak_nodes::templates::{self, Template};
use redpak_nodes::{Creation, Refused};

use crate::arguments::ManagerArguments;
use crate::report;

pub fn run(redpath: &Path, arguments: &ManagerArguments, names: &Names) -> Result<u8, Refused> {
    let status = |path: &Path| path.join(redpak_nodes::walk::STATUS).exists();
    if arguments.update && status(redpath) {
        redpak_nodes::status_file::register(redpath, names)?;
        println!("registered {}", redpath.display());
        return Ok(exit::OK);
    }
    let template_dir = templates::directory(None, names.env.get("REDNODE_TEMPLATE_DIR").map(String::as_str));
    let above = redpath.ancestors().skip(1).any(status);
    if let (false, false, Some(parent)) = (above, arguments.no_system_node, redpath.parent()) {
        let system = Creation {
            path: parent.to_owned(),
            alias: None,
            template: None,
            model: Some("root".to_owned()),
            template_dir: template_dir.clone(),
        };
        create(&system, names)?;
    }
    let template = match &arguments.template {
        Some(file) => Some(Template {
            normal: templates::read(file)?,
            admin: arguments.template_admin.as_deref().map(templates::read).transpose()?,
        }),
        None => None,
    };
    // A node alone, without a system node, is a root node: below one, a leaf.
    let node = Creation {
        path: redpath.to_owned(),
        alias: arguments.alias.clone(),
        template,
        model: None,
        template_dir,
    };
    create(&node, names)?;
    Ok(exit::OK)
}

fn create(creation: &Creation, names: &Names) -> Result<(), Refused> {
    let created = redpak_nodes::create(creation, names, names.uid)?;
    report(&created.findings);
    let kind = match &created.parent {
        Some(parent) => format!("child of {}", parent.display()),
        None => "a root node".to_owned(),
    };
    println!("created {} ({}), {kind}", created.path.display(), created.alias);
    Ok(())
}
