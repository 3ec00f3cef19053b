//! Changes of `.rednode.yaml`: enable, disable, register anew. Each is one atomic rename.

use std::path::Path;

use redpak_diagnostics::Finding;
use redpak_model::status::{Parent, State, Status, render};

use crate::create::{milliseconds, write, write_error};
use crate::family::{Family, LoadOptions, Refused};
use crate::walk::STATUS;

/// Enables or disables the node at `path`.
pub fn set_state(path: &Path, uid: u32, state: State) -> Result<(), Refused> {
    // The node and its ancestors may be disabled: that is what is to be changed.
    let family = Family::load(path, uid, LoadOptions { force: true })?;
    let leaf = family.leaf();
    let status = Status { state, timestamp: milliseconds(), ..leaf.status.clone() };
    replace(&leaf.path, &status).map_err(Refused::from)
}

/// Records where the node is and which parent it has.
pub fn register(path: &Path, uid: u32) -> Result<(), Refused> {
    let family = Family::load(path, uid, LoadOptions { force: true })?;
    let leaf = family.leaf();
    let parent = match family.nodes.len() {
        1 => Parent::None,
        count => Parent::Redpath(family.nodes[count - 2].path.clone()),
    };
    let status = Status {
        realpath: leaf.path.clone(),
        timestamp: milliseconds(),
        parent: Some(parent),
        ..leaf.status.clone()
    };
    replace(&leaf.path, &status).map_err(Refused::from)
}

fn replace(node: &Path, status: &Status) -> Result<(), Finding> {
    let (path, fresh) = (node.join(STATUS), node.join(format!("{STATUS}.new")));
    // Left by a command that was cut off: it was never in force.
    let _ = std::fs::remove_file(&fresh);
    write(&fresh, &render(status))?;
    std::fs::rename(&fresh, &path).map_err(|error| write_error("rename", &path, &error))?;
    std::fs::File::open(node)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| write_error("sync", node, &error))
}
