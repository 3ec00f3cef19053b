//! `.rednode.yaml`, the status of a node: the file that makes a directory a node.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;
use serde::Serialize;

use crate::codes;
use crate::config::Located;
use crate::paths;
use crate::schema;
use crate::source::SourceText;
use crate::tree::Reader;

/// Version of the format that is written. Files without one are red-pak 2.5's; newer ones are refused.
pub const VERSION: i64 = 1;

/// The word for the parent of a node that is a root node.
const NO_PARENT: &str = "none";

/// Whether a node may be launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum State {
    /// It may.
    Enable,
    /// It may not, nor may its descendants.
    Disable,
    /// A state of red-pak 2.5: not enabled.
    Unknown,
    /// A state of red-pak 2.5: not enabled.
    Error,
}

const STATES: [State; 4] = [State::Enable, State::Disable, State::Unknown, State::Error];

impl State {
    /// Whether a node in this state may be launched.
    pub fn is_enabled(self) -> bool {
        self == Self::Enable
    }
}

/// The parent that a node recorded when it was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Parent {
    /// It is a root node.
    None,
    /// The redpath of its parent.
    Redpath(PathBuf),
}

/// The status of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Whether it may be launched.
    pub state: State,
    /// Where the node was when it was registered.
    pub realpath: PathBuf,
    /// When that was, in milliseconds since 1970.
    pub timestamp: u64,
    /// Free text.
    pub info: String,
    /// Its parent then. `None` of a node of red-pak 2.5, which recorded none.
    pub parent: Option<Parent>,
}

/// Parses a status file. `None` when there is an error among the findings.
pub fn parse(source: &SourceText) -> (Option<Status>, Vec<Finding>) {
    let mut reader = Reader::new(source);
    let status = reader.tree(source).and_then(|tree| status(&mut reader, &tree, node_of(source)));
    let status = status.filter(|_| !reader.report.has_errors());
    (status, reader.report.finish())
}

/// The directory that a status file makes a node of, as it is shown.
fn node_of(source: &SourceText) -> &Path {
    Path::new(&*source.file).parent().filter(|node| !node.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn status(reader: &mut Reader<'_>, tree: &crate::tree::Node, node: &Path) -> Option<Status> {
    let fields = reader.section(tree, tree.span, schema::STATUS, "the status file");
    if let Some(version) = fields.integer("version").filter(|version| version.value > VERSION) {
        reader.report.push(
            Finding::error(
                codes::STATUS_NEWER,
                format!("the status has version {}, this redpak knows {VERSION}", version.value),
            )
            .with_place(version.place)
            .with_hint("use the redpak that wrote it, or a newer one"),
        );
        return None;
    }
    let parent = match fields.text("parent") {
        Some(text) if text.value.eq_ignore_ascii_case(NO_PARENT) => Some(Parent::None),
        Some(text) => Some(Parent::Redpath(absolute(reader, &text)?)),
        None if fields.key_place("parent").is_some() => None,
        None => {
            reader.report.push(
                Finding::warning(
                    codes::STATUS_WITHOUT_PARENT,
                    "the node does not record its parent: it is one of red-pak 2.5",
                )
                .with_place(fields.place.clone())
                .with_hint(format!("register it again: `redconf create --update {}`", node.display())),
            );
            None
        }
    };
    let state = fields.word("state")?;
    let value = STATES.get(state.value).copied()?;
    if matches!(value, State::Unknown | State::Error) {
        reader.report.push(
            Finding::warning(
                codes::STATUS_NOT_ENABLED,
                format!("the state `{value:?}` does not enable the node"),
            )
            .with_place(state.place)
            .with_hint(format!("enable it: `redconf enable {}`", node.display())),
        );
    }
    let realpath = absolute(reader, &fields.text("realpath")?)?;
    let timestamp = u64::try_from(fields.integer("timestamp")?.value).ok()?;
    let info = fields.text("info").map(|info| info.value).unwrap_or_default();
    Some(Status { state: value, realpath, timestamp, info, parent })
}

fn absolute(reader: &mut Reader<'_>, text: &Located<String>) -> Option<PathBuf> {
    match paths::normalized(&text.value) {
        Ok(path) => Some(path),
        Err(wrong) => {
            let (code, message, hint) = wrong.words(&text.value);
            reader.report.push(Finding::error(code, message).with_place(text.place.clone()).with_hint(hint));
            None
        }
    }
}

/// The text of a status file, which [`parse`] reads as the same status.
pub fn render(status: &Status) -> String {
    let path = |path: &Path| quoted(&path.display().to_string());
    let mut text =
        format!("version: {VERSION}\nstate: {:?}\nrealpath: {}\n", status.state, path(&status.realpath));
    // Writing to a String cannot fail.
    let _ = write!(text, "timestamp: {}\ninfo: {}\n", status.timestamp, quoted(&status.info));
    match &status.parent {
        Some(Parent::None) => text.push_str("parent: none\n"),
        Some(Parent::Redpath(redpath)) => {
            let _ = writeln!(text, "parent: {}", path(redpath));
        }
        None => {}
    }
    text
}

/// A text as a double-quoted YAML scalar on one line (YAML 1.2.2, section 7.3.1).
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // No text of ours holds one, and none is taken.
            '\0' => out.push('\u{fffd}'),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // What YAML does not allow as it stands, and what looks like nothing.
            c if c.is_control()
                || ('\u{2028}'..='\u{202e}').contains(&c)
                || ['\u{feff}', '\u{fffe}', '\u{ffff}'].contains(&c) =>
            {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
