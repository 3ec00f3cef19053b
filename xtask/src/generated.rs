//! The files of `docs` that are generated.

use std::path::{Path, PathBuf};

use crate::{json_schema, reference};

/// One generated file.
pub struct Generated {
    /// Its name in `docs`.
    pub name: &'static str,
    /// Makes its text.
    pub text: fn() -> String,
}

/// All of them.
pub const FILES: &[Generated] = &[
    Generated { name: "redpak.schema.json", text: || pretty(&json_schema::configuration()) },
    Generated { name: "rednode.schema.json", text: || pretty(&json_schema::status()) },
    Generated { name: "configuration.md", text: reference::configuration },
];

fn pretty(value: &serde_json::Value) -> String {
    // A value without maps of other keys than texts cannot fail to be written.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// `docs` of this source tree.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Compares what stands in `docs` with what would be generated.
///
/// # Errors
/// Names the files that differ, each with the first line that does.
pub fn check() -> Result<(), String> {
    let mut wrong = Vec::new();
    for file in FILES {
        let stands = std::fs::read_to_string(directory().join(file.name)).unwrap_or_default();
        let wanted = (file.text)();
        if stands != wanted {
            let line = 1 + stands.lines().zip(wanted.lines()).take_while(|(a, b)| a == b).count();
            wrong.push(format!("docs/{}:{line} is not what would be generated", file.name));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    wrong.push("run `cargo xtask generate`, and look at what changed".to_owned());
    Err(wrong.join("\n"))
}
