//! The commands that files name (`$(…)`, `Execfd`): found here, never run. Whoever runs them hands their output over
//! in [`Names::answers`](crate::Names::answers).
//!
//! A command of the root node's files runs on the host as the caller; one of any other node's files inside its
//! parent, launched with its normal configuration, all of one file in one launch (SPEC section 3).

use std::collections::BTreeMap;

use redpak_diagnostics::Place;

use crate::effective::{Layer, NodeHead};
use crate::expand::{Expander, Names};
use crate::merge::NodeText;

/// The output of commands, by node (index in the family), file, and the command's text as it stands there.
pub type Answers = BTreeMap<(usize, Layer, String), Vec<u8>>;

/// The text of `$(…)` and of a variable is at most this long, in bytes; it is UTF-8 without NUL.
pub const MAX_TEXT: usize = 64 * 1024;
/// The content of a file (`exports`, `Execfd`) is at most this long, in bytes: it lies in the launch's small tmpfs.
pub const MAX_FILE: usize = 1 << 20;

/// A command that stands in a file of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Index of the node in the family.
    pub node: usize,
    /// Which of the node's files.
    pub layer: Layer,
    /// The command, for `bash -r -c` (`sh -c` where there is no bash).
    pub text: String,
    /// What becomes of its output.
    pub output: Output,
    /// Where it stands.
    pub place: Place,
}

/// What becomes of a command's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Output {
    /// Text, at most [`MAX_TEXT`] bytes; line ends at its end are removed, as a shell does.
    Text,
    /// Content of a file as it comes, at most [`MAX_FILE`] bytes.
    File,
}

/// The commands of a family's files: root node first, normal before admin, in the order of the file, each once a file.
/// Files that are not valid have none.
pub fn commands(family: &[NodeText], admin: bool) -> Vec<Command> {
    let files = family.iter().enumerate().flat_map(|(node, texts)| {
        let admin = texts.admin.as_ref().filter(|_| admin).map(|text| (node, Layer::Admin, text));
        std::iter::once((node, Layer::Normal, &texts.normal)).chain(admin)
    });
    let mut commands = Vec::new();
    for (node, layer, source) in files {
        // A command cannot be written without one of these; most files have neither, and need not be read for it.
        let text = &source.text;
        let possible =
            text.contains("$(") || text.contains('\\') || text.to_ascii_lowercase().contains("execfd");
        if !possible {
            continue;
        }
        let (Some(file), _) = crate::parse(source, layer) else { continue };
        let first = commands.len();
        file.commands(|text, output, place| {
            // What two entries ask for is run once; the larger limit holds.
            let known = commands[first..].iter_mut().find(|known: &&mut Command| known.text == text);
            match known {
                Some(known) => known.output = known.output.max(output),
                None => {
                    let place = place.clone();
                    commands.push(Command { node, layer, text: text.to_owned(), output, place });
                }
            }
        });
    }
    commands
}

/// The names of SPEC section 3 as variables for a command of a file of `node` (index in the family), with the leaf
/// `leaf`: `NODE_ALIAS`, `LEAF_PATH`, …; what is not defined is left out.
pub fn environment(names: &Names, node: &NodeHead, leaf: &NodeHead) -> Vec<(String, String)> {
    Expander { names, node, leaf, file: (0, Layer::Normal) }.variables()
}
