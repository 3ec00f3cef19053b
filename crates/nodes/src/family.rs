//! A family as opened and checked: every directory, status and configuration file, root node first.

use std::path::Path;

use redpak_diagnostics::Finding;
use redpak_model::effective::Effective;
use redpak_model::{Names, NodeText};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::checked;
use crate::node::{not_a_node, source_text};
use crate::placement;
use crate::walk::walk;

pub use crate::node::Node;

/// A node refuses to be loaded: at least one finding is an error.
#[derive(Debug)]
pub struct Refused(pub Vec<Finding>);

impl From<Finding> for Refused {
    fn from(finding: Finding) -> Self {
        Self(vec![finding])
    }
}

/// What is tolerated.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadOptions {
    /// A disabled, moved or newly parented node is taken all the same (`--force`, `redconf create --update`).
    pub force: bool,
}

/// A node and all its ancestors.
#[derive(Debug)]
pub struct Family {
    /// Root node first, the leaf last; never empty.
    pub nodes: Vec<Node>,
    /// Warnings of loading.
    pub findings: Vec<Finding>,
    /// The user for whom owners were checked.
    pub uid: u32,
}

impl Family {
    /// Loads the family of the node at `redpath`, an absolute path, for the user `uid`.
    pub fn load(redpath: &Path, uid: u32, options: LoadOptions) -> Result<Self, Refused> {
        let steps = walk(redpath, uid)?;
        if !steps.last().is_some_and(|step| step.node) {
            return Err(not_a_node(steps.last(), redpath).into());
        }
        let mut findings = Vec::new();
        let mut nodes: Vec<Node> = Vec::new();
        let mut whole = true;
        for step in steps.into_iter().filter(|step| step.node) {
            match Node::open(step, uid, &mut findings) {
                Some(node) => nodes.push(node),
                // What is wrong with the others is told all the same.
                None => whole = false,
            }
        }
        if whole {
            findings.extend(placement::of_family(&nodes, options.force));
        }
        if findings.iter().any(Finding::is_error) {
            return Err(Refused(findings));
        }
        Ok(Self { nodes, findings, uid })
    }

    /// The node itself.
    pub fn leaf(&self) -> &Node {
        &self.nodes[self.nodes.len() - 1]
    }

    /// The texts, for the model.
    pub fn texts(&self) -> Vec<NodeText> {
        self.nodes.iter().map(|node| node.text.clone()).collect()
    }

    /// Takes the leaf's admin configuration from `file`, which is checked like the node's own.
    pub fn replace_admin(&mut self, file: &Path) -> Result<(), Finding> {
        let above = file.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(above, flags, Mode::empty())
            .map_err(|errno| checked::unreadable(above, errno))?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let bytes = checked::read(&dir, &name, file, self.uid)?
            .ok_or_else(|| checked::unreadable(file, Errno::NOENT))?;
        let last = self.nodes.len() - 1;
        self.nodes[last].text.admin = Some(source_text(file, bytes)?);
        Ok(())
    }

    /// The effective configuration. Warnings of loading are among the findings.
    pub fn effective(&self, admin: bool, names: &Names) -> Result<(Effective, Vec<Finding>), Refused> {
        let (effective, mut findings) = redpak_model::effective(&self.texts(), admin, names);
        findings.splice(0..0, self.findings.iter().cloned());
        match effective {
            Some(effective) => Ok((effective, findings)),
            None => Err(Refused(findings)),
        }
    }
}
