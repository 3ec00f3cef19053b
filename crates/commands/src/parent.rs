//! The plan of a parent's launch: as `redwrap` launches that node, and nothing is left of it.

use redpak_diagnostics::Finding;
use redpak_model::Names;
use redpak_nodes::{Family, Node, Refused};
use redpak_plan::{LaunchPlan, Request};

use crate::codes;

/// Plans the launch of the node at `index` of a family with its normal configuration, and makes the directories that
/// it wants in its own. `names` holds the answers for this node as the leaf.
///
/// # Errors
/// What is wrong with that node.
pub(crate) fn plan(family: &Family, index: usize, names: &Names) -> Result<LaunchPlan, Refused> {
    let family = ancestor(family, index)?;
    let (effective, mut findings) = family.effective(false, names)?;
    let facts = redpak_nodes::host_facts(&family, &effective, names.env.clone())?;
    // The payload is a function; the name is for the renderings.
    let request = Request { command: vec!["bash".to_owned()], ..Request::default() };
    let (plan, found) = redpak_plan::launch_plan(&effective, &facts, &request);
    findings.extend(found);
    let Some(mut plan) = plan else {
        findings.retain(Finding::is_error);
        return Err(Refused(findings));
    };
    redpak_nodes::directories::make(&family, &plan)?;
    narrow(&mut plan);
    Ok(plan)
}

/// The family of the node at `index`: what was opened and checked, nothing is read again.
fn ancestor(family: &Family, index: usize) -> Result<Family, Finding> {
    let again = |node: &Node| {
        let dir = rustix::io::fcntl_dupfd_cloexec(&node.dir, 3).map_err(|errno| {
            let path = node.path.display();
            let message = format!("`{path}` cannot be used: fcntl(F_DUPFD_CLOEXEC): {errno}");
            Finding::error(codes::PARENT_CANNOT_LAUNCH, message).with_hint("see `ulimit -n`")
        })?;
        let Node { path, dev, ino, status, text, .. } = node;
        Ok(Node { path: path.clone(), dir, dev: *dev, ino: *ino, status: status.clone(), text: text.clone() })
    };
    let nodes = family.nodes.iter().take(index + 1).map(again).collect::<Result<_, Finding>>()?;
    Ok(Family { nodes, findings: Vec::new(), uid: family.uid })
}

/// Nothing of a command is left when its launch ends, and it has no terminal.
fn narrow(plan: &mut LaunchPlan) {
    plan.namespaces.pid = true;
    plan.new_session = true;
    plan.die_with_parent = true;
}
