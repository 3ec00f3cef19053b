//! One node on disk: its directory, status and configuration, each opened once, checked, and read whole.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;
use redpak_model::codes::{MISSING_KEY, STATUS_NEWER};
use redpak_model::status::Status;
use redpak_model::{NodeText, SourceText};
use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use crate::checked;
use crate::codes;
use crate::walk::{STATUS, Step};

/// A node's normal configuration in its `etc`, and the name that red-pak 2.5 wrote by mistake in some releases.
const CONFIGURATIONS: [&str; 2] = ["redpak.yaml", "redpack.yaml"];

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
        let read = text(&step, uid, findings);
        let text = kept(read, findings);
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

/// The status of the node at a step.
pub(crate) fn status(step: &Step, uid: u32, findings: &mut Vec<Finding>) -> Result<Status, Vec<Finding>> {
    let shown = step.path.join(STATUS);
    let bytes = checked::read(&step.dir, STATUS, &shown, uid).map_err(|finding| vec![finding])?;
    let bytes = bytes.ok_or_else(|| vec![not_a_node(Some(step), &step.path)])?;
    let source = source_text(&shown, bytes).map_err(|finding| vec![renewable(finding, &step.path)])?;
    let (status, found) = redpak_model::status::parse(&source);
    match status {
        Some(status) => {
            findings.extend(found);
            Ok(status)
        }
        None => Err(why_broken(found, &step.path)),
    }
}

/// What is wrong with a status file that cannot be used, without what follows from its being nothing of the sort.
fn why_broken(found: Vec<Finding>, node: &Path) -> Vec<Finding> {
    if let Some(newer) = found.iter().find(|finding| finding.code == STATUS_NEWER) {
        return vec![newer.clone()];
    }
    let mut errors: Vec<Finding> = Vec::new();
    for finding in found.into_iter().filter(Finding::is_error) {
        match errors.first() {
            None => errors.push(renewable(finding, node)),
            Some(first) if first.code == finding.code && finding.code == MISSING_KEY => {}
            Some(_) => errors.push(finding),
        }
    }
    errors
}

fn renewable(finding: Finding, node: &Path) -> Finding {
    let way = format!("`redconf create --update {}` writes a new status", node.display());
    let hint = finding.hint.as_ref().map_or_else(|| way.clone(), |hint| format!("{hint}, or {way}"));
    finding.with_hint(hint)
}

/// The configuration of the node at a step.
pub(crate) fn text(step: &Step, uid: u32, findings: &mut Vec<Finding>) -> Result<NodeText, Vec<Finding>> {
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
    let [name, legacy] = CONFIGURATIONS;
    let normal = match read(name) {
        Ok(None) => read(legacy),
        read => read,
    };
    findings.extend(legacy_name(&dir, &etc));
    let normal = normal.and_then(|text| {
        text.ok_or_else(|| without_configuration(&etc.join("redpak.yaml"), "`etc/redpak.yaml`"))
    });
    match (normal, read("redpak-admin.yaml")) {
        (Ok(normal), Ok(admin)) => Ok(NodeText { redpath: step.path.clone(), normal, admin }),
        (normal, admin) => Err(normal.err().into_iter().chain(admin.err()).collect()),
    }
}

/// A warning where a configuration has the name of red-pak 2.5, whether it is read or not.
fn legacy_name(dir: &OwnedFd, etc: &Path) -> Option<Finding> {
    let there = |name: &str| statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    let [name, legacy] = CONFIGURATIONS;
    let (new, old) = (etc.join(name), etc.join(legacy));
    let (new, old) = (new.display(), old.display());
    there(legacy).then(|| match there(name) {
        true => Finding::warning(codes::LEGACY_NAME, format!("`{old}` is not read: `{new}` is there too"))
            .with_hint(format!("take what is still wanted from it, then `rm {old}`")),
        false => Finding::warning(
            codes::LEGACY_NAME,
            format!("the configuration is read from `{old}`, a mistake of red-pak 2.5"),
        )
        .with_hint(format!("give it its name: `mv {old} {new}`")),
    })
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

/// The finding for a directory without a status file, which was opened at the last step of the way to it.
pub(crate) fn not_a_node(step: Option<&Step>, path: &Path) -> Finding {
    match step {
        Some(step) if has_lost_status(&step.dir) => return lost_status(&step.path),
        Some(step) if is_closed(&step.dir) => return checked::unreadable(&step.path, Errno::ACCESS),
        _ => {}
    }
    Finding::error(codes::NOT_A_NODE, format!("`{}` is not a node: it has no {STATUS}", path.display()))
        .with_hint(
            "check the path; `redconf tree` shows nodes, `redconf create` makes one in a new directory",
        )
}

/// Whether the caller may not even ask what is in a directory.
pub(crate) fn is_closed(dir: &OwnedFd) -> bool {
    statat(dir, STATUS, AtFlags::SYMLINK_NOFOLLOW).err() == Some(Errno::ACCESS)
}

/// Whether a directory is a node's but for its status.
pub(crate) fn has_lost_status(dir: &OwnedFd) -> bool {
    let there = |name: &str| statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    statat(dir, STATUS, AtFlags::SYMLINK_NOFOLLOW).err() == Some(Errno::NOENT)
        && CONFIGURATIONS.iter().any(|name| there(&format!("etc/{name}")))
}

/// The finding for [`has_lost_status`].
pub(crate) fn lost_status(path: &Path) -> Finding {
    let path = path.display();
    Finding::error(codes::LOST_STATUS, format!("`{path}` has a node's configuration and no {STATUS}"))
        .with_hint(format!(
            "`redconf create --update {path}` writes one, before anything below it is registered"
        ))
}
