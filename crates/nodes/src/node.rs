//! One node on disk: its directory, status and configuration, each opened once, checked, and read whole.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;
use redpak_model::status::Status;
use redpak_model::{NodeText, SourceText};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use crate::checked;
use crate::codes;
use crate::walk::{STATUS, Step};

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

impl Node {
    /// Opens the node at a step of the way. `None` when it cannot be used: all that is wrong with it is among the
    /// findings then.
    pub(crate) fn open(step: Step, uid: u32, findings: &mut Vec<Finding>) -> Option<Self> {
        let status = kept(status(&step, uid, findings), findings);
        let text = kept(text(&step, uid), findings);
        Some(Self {
            text: text?,
            status: status?,
            dev: step.stat.st_dev,
            ino: step.stat.st_ino,
            path: step.path,
            dir: step.dir,
        })
    }
}

fn kept<T>(read: Result<T, Vec<Finding>>, findings: &mut Vec<Finding>) -> Option<T> {
    read.map_err(|found| findings.extend(found)).ok()
}

fn status(step: &Step, uid: u32, findings: &mut Vec<Finding>) -> Result<Status, Vec<Finding>> {
    let shown = step.path.join(STATUS);
    let bytes = checked::read(&step.dir, STATUS, &shown, uid).map_err(|finding| vec![finding])?;
    let bytes = bytes.ok_or_else(|| vec![not_a_node(&step.path)])?;
    let source = source_text(&shown, bytes).map_err(|finding| vec![finding])?;
    let (status, found) = redpak_model::status::parse(&source);
    match status {
        Some(status) => {
            findings.extend(found);
            Ok(status)
        }
        None => Err(found),
    }
}

fn text(step: &Step, uid: u32) -> Result<NodeText, Vec<Finding>> {
    let etc = step.path.join("etc");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = openat(&step.dir, "etc", flags, Mode::empty()).map_err(|errno| {
        vec![match errno {
            Errno::NOTDIR | Errno::LOOP => {
                Finding::error(codes::LINK, format!("`{}` is not a directory of its own", etc.display()))
                    .with_hint("a node's `etc` is a real directory that holds redpak.yaml")
            }
            Errno::NOENT => without_configuration(&etc, "`etc`"),
            errno => checked::unreadable(&etc, errno),
        }]
    })?;
    let stat = rustix::fs::fstat(&dir).map_err(|errno| vec![checked::unreadable(&etc, errno)])?;
    checked::owner(&etc, &stat, uid).map_err(|finding| vec![finding])?;
    let read = |name: &str| -> Result<Option<SourceText>, Finding> {
        let shown = etc.join(name);
        checked::read(&dir, name, &shown, uid)?.map(|bytes| source_text(&shown, bytes)).transpose()
    };
    // The second is the name that red-pak 2.5 wrote by mistake in some releases.
    let normal = match read("redpak.yaml") {
        Ok(None) => read("redpack.yaml"),
        read => read,
    };
    let normal = normal.and_then(|text| {
        text.ok_or_else(|| without_configuration(&etc.join("redpak.yaml"), "`etc/redpak.yaml`"))
    });
    match (normal, read("redpak-admin.yaml")) {
        (Ok(normal), Ok(admin)) => Ok(NodeText { redpath: step.path.clone(), normal, admin }),
        (normal, admin) => Err(normal.err().into_iter().chain(admin.err()).collect()),
    }
}

fn without_configuration(path: &Path, what: &str) -> Finding {
    Finding::error(codes::UNREADABLE, format!("the node has no {what}: `{}` does not exist", path.display()))
        .with_hint(
            "put the node's configuration there; `redconf create` in an empty directory shows what one looks like",
        )
}

/// Text of a file, with the file's name to show.
pub(crate) fn source_text(shown: &Path, bytes: Vec<u8>) -> Result<SourceText, Finding> {
    SourceText::from_bytes(shown.to_string_lossy().as_ref(), bytes).map_err(|finding| *finding)
}

/// The finding for a directory without a status file.
pub(crate) fn not_a_node(path: &Path) -> Finding {
    Finding::error(codes::NOT_A_NODE, format!("`{}` is not a node: it has no {STATUS}", path.display()))
        .with_hint(
            "check the path; `redconf tree` shows nodes, `redconf create` makes one in a new directory",
        )
}
