//! Changes of `.rednode.yaml`: enable, disable, register anew. Each is one atomic rename.

use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;
use redpak_model::Names;
use redpak_model::codes::STATUS_NEWER;
use redpak_model::status::{Parent, State, Status, render};

use crate::codes;
use crate::create::{info, milliseconds, write, write_error};
use crate::family::{Family, LoadOptions, Refused};
use crate::node;
use crate::walk::{STATUS, Step, walk};

/// Enables or disables the node at `path`.
pub fn set_state(path: &Path, uid: u32, state: State) -> Result<(), Refused> {
    // The node and its ancestors may be disabled: that is what is to be changed.
    let family = Family::load(path, uid, LoadOptions { force: true })?;
    let leaf = family.leaf();
    let status = Status { state, timestamp: milliseconds(), ..leaf.status.clone() };
    replace(&leaf.path, &status).map_err(Refused::from)
}

/// What [`register`] did.
#[derive(Debug)]
pub struct Registered {
    /// The node's path, without links.
    pub path: PathBuf,
    /// The parent that is recorded now.
    pub parent: Option<PathBuf>,
    /// There was no status that could be used: a new one was written, and enables the node.
    pub renewed: bool,
    /// Warnings.
    pub findings: Vec<Finding>,
}

/// Whether there is something to register at `path`: a status, or a configuration that has lost its status.
pub fn is_registrable(path: &Path) -> bool {
    path.join(STATUS).symlink_metadata().is_ok()
        || std::fs::File::open(path).is_ok_and(|dir| node::has_lost_status(&dir.into()))
}

/// Records where the node is and which parent it has. A status that is lost or cannot be read is written anew, once the
/// family was judged with the node in it.
///
/// # Errors
/// A directory above has lost its status itself: registered past it, the node would be free of that one's rules.
pub fn register(path: &Path, names: &Names) -> Result<Registered, Refused> {
    let mut steps = walk(path, names.uid)?;
    let Some(leaf) = steps.pop().filter(|leaf| leaf.node || node::has_lost_status(&leaf.dir)) else {
        return Err(node::not_a_node(None, path).into());
    };
    if let Some(lost) = steps.iter().skip(1).find(|step| node::has_lost_status(&step.dir)) {
        return Err(node::lost_status(&lost.path).into());
    }
    let parent = steps.iter().rev().find(|step| step.node).map(|step| step.path.clone());
    let mut findings = Vec::new();
    let (kept, judged) = match node::status(&leaf, names.uid, &mut findings) {
        Ok(_) => {
            let family = Family::load(path, names.uid, LoadOptions { force: true })?;
            (Some(family.leaf().status.clone()), Vec::new())
        }
        Err(found) if found.iter().all(is_renewable) => (None, judge(&leaf, parent.as_deref(), names)?),
        Err(found) => return Err(Refused(found)),
    };
    let renewed = kept.is_none();
    let recorded = parent.clone().map_or(Parent::None, Parent::Redpath);
    let status = Status {
        state: kept.as_ref().map_or(State::Enable, |kept| kept.state),
        realpath: leaf.path.clone(),
        timestamp: milliseconds(),
        info: kept.map_or_else(|| info("registered", names), |kept| kept.info),
        parent: Some(recorded),
    };
    replace(&leaf.path, &status)?;
    Ok(Registered { path: leaf.path, parent, renewed, findings: judged })
}

/// Whether a status with this error may be replaced: not one of a newer redpak, nor one of somebody else.
fn is_renewable(finding: &Finding) -> bool {
    ![STATUS_NEWER, codes::OWNER, codes::WRITABLE, codes::UNREADABLE].contains(&finding.code)
}

/// Judges the family with a node in it that has no status; warnings are given back.
fn judge(leaf: &Step, parent: Option<&Path>, names: &Names) -> Result<Vec<Finding>, Refused> {
    let force = LoadOptions { force: true };
    let above = parent.map(|parent| Family::load(parent, names.uid, force)).transpose()?;
    let mut family = above.as_ref().map(Family::texts).unwrap_or_default();
    let mut warnings = Vec::new();
    family.push(node::text(leaf, names.uid, &mut warnings).map_err(Refused)?);
    let (effective, findings) = redpak_model::effective(&family, false, names);
    if effective.is_none() {
        return Err(Refused(findings));
    }
    if family.iter().any(|node| node.admin.is_some()) {
        let (admin, found) = redpak_model::effective(&family, true, names);
        if admin.is_none() {
            return Err(Refused(found));
        }
    }
    warnings.extend(findings);
    Ok(warnings)
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
