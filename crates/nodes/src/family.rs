//! A family as opened and checked: every directory, status and configuration file, root node first.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;
use redpak_model::effective::Effective;
use redpak_model::status::{Parent, State, Status};
use redpak_model::{Names, NodeText, SourceText};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use crate::checked;
use crate::codes;
use crate::walk::{STATUS, Step, walk};

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

/// A node on disk.
#[derive(Debug)]
pub struct Node {
    /// Its path, without links.
    pub path: PathBuf,
    /// Its directory.
    pub dir: OwnedFd,
    /// Device number of the directory.
    pub dev: u64,
    /// Inode number of the directory.
    pub ino: u64,
    /// Its status.
    pub status: Status,
    /// Its configuration.
    pub text: NodeText,
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
            return Err(not_a_node(redpath).into());
        }
        let mut findings = Vec::new();
        let mut nodes: Vec<Node> = Vec::new();
        for step in steps.into_iter().filter(|step| step.node) {
            let parent = nodes.last().map(|node| node.path.clone());
            match Node::open(step, uid, &mut findings) {
                Ok(node) => {
                    let judged = place_in_tree(&node, parent.as_deref(), options.force);
                    findings.extend(judged);
                    nodes.push(node);
                }
                Err(finding) => {
                    findings.push(finding);
                    return Err(Refused(findings));
                }
            }
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

impl Node {
    fn open(step: Step, uid: u32, findings: &mut Vec<Finding>) -> Result<Self, Finding> {
        let shown = step.path.join(STATUS);
        let bytes = checked::read(&step.dir, STATUS, &shown, uid)?.ok_or_else(|| not_a_node(&step.path))?;
        let source = source_text(&shown, bytes)?;
        let (status, found) = redpak_model::status::parse(&source);
        findings.extend(found);
        let status = status.ok_or_else(|| {
            Finding::error(
                codes::NOT_A_NODE,
                format!("the status of `{}` cannot be used", step.path.display()),
            )
        })?;
        let etc = step.path.join("etc");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = openat(&step.dir, "etc", flags, Mode::empty()).map_err(|errno| match errno {
            Errno::NOTDIR | Errno::LOOP => {
                Finding::error(codes::LINK, format!("`{}` is not a directory of its own", etc.display()))
            }
            errno => checked::unreadable(&etc, errno),
        })?;
        let stat = rustix::fs::fstat(&dir).map_err(|errno| checked::unreadable(&etc, errno))?;
        checked::owner(&etc, &stat, uid)?;
        let read = |name: &str| -> Result<Option<SourceText>, Finding> {
            let shown = etc.join(name);
            checked::read(&dir, name, &shown, uid)?.map(|bytes| source_text(&shown, bytes)).transpose()
        };
        let normal = match read("redpak.yaml")? {
            Some(text) => text,
            // The name that red-pak 2.5 wrote by mistake in some releases.
            None => read("redpack.yaml")?
                .ok_or_else(|| checked::unreadable(&etc.join("redpak.yaml"), Errno::NOENT))?,
        };
        let admin = read("redpak-admin.yaml")?;
        Ok(Self {
            text: NodeText { redpath: step.path.clone(), normal, admin },
            dev: step.stat.st_dev,
            ino: step.stat.st_ino,
            path: step.path,
            dir: step.dir,
            status,
        })
    }
}

fn source_text(shown: &Path, bytes: Vec<u8>) -> Result<SourceText, Finding> {
    SourceText::from_bytes(shown.to_string_lossy().as_ref(), bytes).map_err(|finding| *finding)
}

fn not_a_node(path: &Path) -> Finding {
    Finding::error(codes::NOT_A_NODE, format!("`{}` is not a node: it has no {STATUS}", path.display()))
        .with_hint(
            "check the path; `redconf tree` shows nodes, `redconf create` makes one in a new directory",
        )
}

/// Whether a node is enabled, where it was registered, and below the parent that it recorded.
fn place_in_tree(node: &Node, parent: Option<&Path>, force: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let path = node.path.display();
    let status = &node.status;
    let register = format!("`redconf create --update {path}` registers it here, `--force` takes it as it is");
    if status.state != State::Enable {
        findings.push(
            Finding::error(codes::DISABLED, format!("the node `{path}` is disabled"))
                .with_hint(format!("`redconf enable {path}`")),
        );
    }
    if status.realpath != node.path {
        findings.push(
            Finding::error(
                codes::MOVED,
                format!(
                    "the node `{path}` was registered at `{}`: it was moved or copied",
                    status.realpath.display()
                ),
            )
            .with_hint(register.clone()),
        );
    }
    let now = |parent: Option<&Path>| {
        parent.map_or("a root node".to_owned(), |path| format!("a child of `{}`", path.display()))
    };
    match &status.parent {
        None => findings.push(
            Finding::warning(
                codes::NO_PARENT_RECORD,
                format!("the node `{path}` has no record of its parent"),
            )
            .with_hint(format!("`redconf create --update {path}` writes one")),
        ),
        Some(Parent::None) if parent.is_none() => {}
        Some(Parent::Redpath(recorded)) if Some(recorded.as_path()) == parent => {}
        Some(recorded) => {
            let was = match recorded {
                Parent::None => None,
                Parent::Redpath(path) => Some(path.as_path()),
            };
            findings.push(
                Finding::error(
                    codes::WRONG_PARENT,
                    format!("the node `{path}` was created as {}, and is now {}", now(was), now(parent)),
                )
                .with_hint(register),
            );
        }
    }
    if force {
        for finding in &mut findings {
            finding.severity = redpak_diagnostics::Severity::Warning;
        }
    }
    findings
}
