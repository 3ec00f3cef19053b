//! Sources: opened on the host, beneath a node's directory, or in the tree so far.

use std::path::Path;

use redpak_plan::launch_plan::{Attrs, FileKind, Source};
use redpak_sys::file::{self, Kind, Resolve, Status};
use redpak_sys::{Errno, OwnedFd, mount};

use super::{Tree, attributes, is_directory};
use crate::error::{Explain, Failure, Step, refuse};

impl Tree<'_> {
    /// A detached recursive copy of a source, with its attributes.
    pub(super) fn open_bind(&self, source: &Source, attrs: Attrs, kind: FileKind) -> Step<OwnedFd> {
        let opened = self.open_source(source)?;
        let found = file::status(&opened)?;
        match kind {
            FileKind::Directory if !is_directory(found.kind) => {
                return refuse(format!(
                    "the source {} is {}, not a directory",
                    text(source),
                    found.kind.words()
                ));
            }
            FileKind::File if is_directory(found.kind) => {
                return refuse(format!("the source {} is a directory, not a file", text(source)));
            }
            FileKind::Device => must_be_device(source, found)?,
            FileKind::Directory | FileKind::File => {}
        }
        let mount = mount::open_tree_clone(&opened, true)?;
        mount::mount_setattr(&mount, attributes(attrs), true)?;
        Ok(mount)
    }

    /// A detached copy of a device node's place that gives access to the device. What was looked at is what is cloned,
    /// whatever stands at the path meanwhile.
    pub(super) fn open_device(&self, source: &Source) -> Step<OwnedFd> {
        let attrs = Attrs { read_only: false, nosuid: true, nodev: false, noexec: true };
        self.open_bind(source, attrs, FileKind::Device)
    }

    /// The place that a source names.
    pub(super) fn open_source(&self, source: &Source) -> Step<OwnedFd> {
        match source {
            Source::Host { path } => {
                let inside = path.strip_prefix("/").unwrap_or(path);
                file::open_path(&self.old, inside, Resolve::InRoot)
                    .hint(&[Errno::NOENT], "the source was removed since the launch was planned")
            }
            Source::Node { node, beneath } => {
                file::open_path(&self.nodes[*node], beneath, Resolve::BeneathNoLinks).hint(
                    &[Errno::LOOP, Errno::XDEV],
                    "a source in a node's directory may not lie behind a symbolic link",
                )
            }
            Source::Tree { inside, entry } => self.open_in_tree(inside, *entry),
        }
    }

    fn open_in_tree(&self, path: &Path, entry: usize) -> Step<OwnedFd> {
        let inside = path.strip_prefix("/").unwrap_or(path);
        let opened = file::open_path(&self.root, inside, Resolve::InRoot)?;
        let status = file::status(&opened)?;
        let expected = self.mounts.get(entry).copied().unwrap_or(0);
        if expected != 0 && self.lies_in(&opened, status, expected)? {
            return Ok(opened);
        }
        let other = self.mounts.iter().position(|&mount| mount == status.mount);
        let found = match other {
            Some(other) => format!("in {}", self.entry(other)),
            None if self.own.contains(&status.mount) => "in the launch's own tmpfs".to_owned(),
            None => "in a mount of another entry".to_owned(),
        };
        Err(Box::new(Failure {
            cause: crate::error::Cause::Refused(format!(
                "{} must lie in {}, and was found {found}",
                path.display(),
                self.entry(entry)
            )),
            hint: Some("another export hides it, or a symbolic link leads away".to_owned()),
        }))
    }

    /// Whether a place lies in this mount, or in one that came along with it (below a recursive bind).
    fn lies_in(&self, place: &OwnedFd, status: Status, expected: u64) -> Step<bool> {
        if status.mount == expected {
            return Ok(true);
        }
        let is_ours = |mount: u64| self.own.contains(&mount) || self.mounts.contains(&mount);
        if is_ours(status.mount) || !is_directory(status.kind) {
            return Ok(false);
        }
        // Up, until a mount that this launch made: `..` of a mount's root is in the mount that it lies on.
        let mut directory = file::open_parent(place)?;
        loop {
            let mount = file::status(&directory)?.mount;
            if is_ours(mount) {
                return Ok(mount == expected);
            }
            directory = file::open_parent(&directory)?;
        }
    }

    fn entry(&self, index: usize) -> String {
        match self.plan.mounts.get(index) {
            Some(entry) => format!("{} ({})", entry.at.display(), entry.origin),
            None => format!("entry {index}"),
        }
    }
}

fn must_be_device(source: &Source, found: Status) -> Step<()> {
    match found.kind {
        Kind::CharacterDevice | Kind::BlockDevice => Ok(()),
        other => refuse(format!("the source {} is {}, and no device node", text(source), other.words())),
    }
}

/// A source to show.
pub(super) fn text(source: &Source) -> String {
    match source {
        Source::Host { path } => path.display().to_string(),
        Source::Node { beneath, .. } => format!("{} of the node", beneath.display()),
        Source::Tree { inside, .. } => format!("{} inside", inside.display()),
    }
}
