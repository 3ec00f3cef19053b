//! `redconf config`: a node's own configuration, after it was found to be valid.

use redpak_diagnostics::Finding;
use redpak_model::{Layer, Names};
use redpak_nodes::{Family, LoadOptions, Refused};
use serde_json::json;

use crate::arguments::ShowArguments;
use crate::{absolute, report};

/// Version of the JSON: `{version, file, text, config}`, `config` as the types of the model are.
const VERSION: u32 = 1;

pub fn run(arguments: &ShowArguments, names: &Names) -> Result<(), Refused> {
    let family = Family::load(&absolute(&arguments.path)?, names.uid, LoadOptions { force: true })?;
    let leaf = family.leaf();
    let (layer, source) = match (arguments.admin, &leaf.text.admin) {
        (true, Some(admin)) => (Layer::Admin, admin),
        (true, None) if arguments.json => {
            crate::print_json(&json!({ "version": VERSION, "file": null, "text": null, "config": null }))?;
            return Ok(());
        }
        (true, None) => {
            crate::print("# the node has no admin configuration")?;
            return Ok(());
        }
        (false, _) => (Layer::Normal, &leaf.text.normal),
    };
    let (parsed, findings) = redpak_model::parse(source, layer);
    let Some(parsed) = parsed else { return Err(Refused(findings)) };
    report(&findings);
    if arguments.json {
        let config = serde_json::to_value(&parsed)
            .map_err(|error| Finding::error("RP0422", format!("cannot print: {error}")))?;
        crate::print_json(
            &json!({ "version": VERSION, "file": &*source.file, "text": source.text, "config": config }),
        )?;
        return Ok(());
    }
    let text = source.text.strip_suffix('\n').unwrap_or(&source.text);
    match arguments.yaml {
        true => crate::print(text)?,
        false => crate::print(&format!("# {}\n{text}", source.file))?,
    }
    Ok(())
}
