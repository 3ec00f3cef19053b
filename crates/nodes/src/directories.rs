//! Makes the directories that a plan wants in nodes' own directories, before the launch.

use redpak_diagnostics::Finding;
use redpak_plan::LaunchPlan;
use rustix::fs::{Mode, OFlags, mkdirat};
use rustix::io::Errno;

use crate::codes;
use crate::facts::beneath;
use crate::family::Family;

/// Makes what is missing, parents included, beneath the descriptors of `family`; no link is followed.
pub fn make(family: &Family, plan: &LaunchPlan) -> Result<(), Finding> {
    for wanted in &plan.new_directories {
        let node = &family.nodes[wanted.node];
        let failed = |errno: Errno| {
            Finding::error(
                codes::WRITE,
                format!(
                    "cannot create `{}`: {}",
                    node.path.join(&wanted.beneath).display(),
                    crate::checked::said(errno)
                ),
            )
            .with_hint("create it as the node's owner, or say `optional: true` in the export")
        };
        let mut dir =
            beneath(&node.dir, std::path::Path::new(""), OFlags::PATH | OFlags::DIRECTORY).map_err(failed)?;
        for name in &wanted.beneath {
            match mkdirat(&dir, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno)),
            }
            dir = beneath(&dir, name.as_ref(), OFlags::PATH | OFlags::DIRECTORY).map_err(failed)?;
        }
    }
    Ok(())
}

/// Takes a shared lock on each generation of the plan, so that it is not collected while the node runs.
pub fn hold_generations(plan: &LaunchPlan) -> Result<Vec<redpak_store::GenerationLock>, Finding> {
    plan.nodes
        .iter()
        .filter_map(|node| Some((node, node.generation?)))
        .map(|(node, number)| {
            redpak_store::Node::open(&node.path)
                .and_then(|opened| opened.lock_generation_shared(number))
                .map_err(|error| {
                    Finding::error(
                        codes::GENERATION,
                        format!("generation {number} of `{}` cannot be held: {error}", node.path.display()),
                    )
                    .with_hint("it changed just now: try again")
                })
        })
        .collect()
}
