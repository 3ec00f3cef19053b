//! What is removed: leftovers of an interrupted command, and generations that nobody needs.

use std::ffi::OsStr;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::node::{CURRENT, Node};
use crate::remove::remove_tree;

/// Prefixes of what a command makes in [`crate::REDPAK_DIR`] and takes away again.
const TRANSIENT: [&str; 3] = [STAGING, TRASH, CURRENT_NEXT];
/// Where the next generation is made; its number follows.
pub(crate) const STAGING: &str = "staging.";
const TRASH: &str = "trash.";
/// The link before it is renamed over [`CURRENT`]; its number follows.
pub(crate) const CURRENT_NEXT: &str = "current.";

pub(crate) fn recover(node: &Node) -> Result<()> {
    for entry in node.redpak.entries()? {
        let transient = entry.name.to_str().is_some_and(|name| TRANSIENT.iter().any(|p| name.starts_with(p)));
        if transient {
            remove_tree(&node.redpak, &entry.name)?;
        }
    }
    let Some(current) = node.current()? else { return Ok(()) };
    if node.generations.open_if_there(current.to_string())?.is_none() {
        let text = format!("leads to generation {current}, which is not there");
        return Err(Error::damaged(&node.redpak.join(CURRENT), text));
    }
    // Numbers only grow: one above the current was renamed into place, and the power went before the switch.
    for number in node.generations()?.into_iter().filter(|number| *number > current) {
        discard(node, number)?;
    }
    Ok(())
}

pub(crate) fn collect(node: &Node, keep: usize) -> Result<Vec<u64>> {
    let Some(current) = node.current()? else { return Ok(Vec::new()) };
    let all = node.generations()?;
    let surplus = all.len().saturating_sub(keep.max(1));
    let mut removed = Vec::new();
    for number in all.into_iter().take(surplus).filter(|number| *number != current) {
        let dir = node.open_generation(number)?;
        match flock(&dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN) => continue,
            Err(e) => return Err(dir.failed("flock", &[OsStr::new("LOCK_EX|LOCK_NB")], e)),
        }
        discard(node, number)?;
        removed.push(number);
    }
    Ok(removed)
}

/// Away from its name first, so that nobody ever sees half a generation.
fn discard(node: &Node, number: u64) -> Result<()> {
    let trash = format!("{TRASH}{number}");
    node.generations.rename(number.to_string(), &node.redpak, &trash)?;
    remove_tree(&node.redpak, &trash)
}

/// Removes a staging directory as far as that goes; what remains, [`recover`] removes.
pub(crate) fn abandon(redpak: &Dir, name: &str) {
    // Nothing can be reported from a drop, and nothing depends on it.
    let _ = remove_tree(redpak, name);
}
