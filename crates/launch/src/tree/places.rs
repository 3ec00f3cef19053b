//! Mount points: found without following links, made in the launch's own tmpfs and nowhere else.

use std::path::Path;

use redpak_plan::launch_plan::{FileKind, Mount};
use redpak_sys::file::{self, Resolve};
use redpak_sys::{AsRawFd, Errno, OwnedFd, SysError, mount};

use super::{Tree, is_directory};
use crate::error::{Cause, Explain, Failure, Step, refuse};

impl Tree<'_> {
    /// Attaches a detached mount; its id.
    pub(super) fn place(&self, mount: &OwnedFd, entry: &Mount, kind: FileKind) -> Step<u64> {
        let target = self.mount_point(&entry.at, kind)?;
        let status = file::status(mount)?;
        if let Err(error) = mount::move_mount(mount, &target) {
            let found = file::status(&target)?.kind;
            if is_directory(found) != is_directory(status.kind) {
                return refuse(format!(
                    "what is there already is {}, and the source is {}",
                    found.words(),
                    status.kind.words()
                ));
            }
            return Err(error.into());
        }
        Ok(status.mount)
    }

    pub(super) fn place_directory(&self, mount: &OwnedFd, entry: &Mount) -> Step<u64> {
        self.place(mount, entry, FileKind::Directory)
    }

    /// The place to mount on, made where it is missing.
    pub(super) fn mount_point(&self, at: &Path, kind: FileKind) -> Step<OwnedFd> {
        let inside = at.strip_prefix("/").unwrap_or(at);
        match file::open_path(&self.root, inside, Resolve::InRootNoLinks) {
            Err(error) if error.errno == Errno::NOENT => {
                let parent = self.directory_at(inside.parent().unwrap_or(Path::new("")))?;
                let name = inside.file_name().map(Path::new).unwrap_or(inside);
                self.make(&parent, name, kind)?;
                Ok(file::open_path(&parent, name, Resolve::BeneathNoLinks)?)
            }
            found => explain_link(found),
        }
    }

    /// An empty directory in the launch's own tmpfs; there is no mount of its own for it.
    pub(super) fn directory(&self, at: &Path, mode: u32) -> Step<u64> {
        let (parent, name) = self.parent(at)?;
        match file::make_directory(&parent, name, mode) {
            Err(error) if error.errno == Errno::EXIST => {
                let found = file::status_at(&parent, name)?;
                if !is_directory(found.kind) {
                    return refuse(format!("{} is {} there already", at.display(), found.kind.words()));
                }
                file::change_mode(&parent, name, mode)?;
            }
            made => made?,
        }
        Ok(0)
    }

    /// A symbolic link in the launch's own tmpfs.
    pub(super) fn symlink(&self, at: &Path, target: &str) -> Step<u64> {
        let (parent, name) = self.parent(at)?;
        match file::make_symlink(target, &parent, name) {
            Err(error) if error.errno == Errno::EXIST => match file::read_link(&parent, name) {
                Ok(found) if found == target.as_bytes() => Ok(0),
                _ => refuse(format!("{} is there already", at.display())),
            },
            made => {
                made?;
                Ok(0)
            }
        }
    }

    /// The directory that holds `at`, which must lie in the launch's own tmpfs.
    fn parent<'p>(&self, at: &'p Path) -> Step<(OwnedFd, &'p Path)> {
        let inside = at.strip_prefix("/").unwrap_or(at);
        let parent = self.directory_at(inside.parent().unwrap_or(Path::new("")))?;
        self.must_be_own(&parent, at)?;
        Ok((parent, inside.file_name().map(Path::new).unwrap_or(inside)))
    }

    /// Opens a directory of the tree, making what is missing of its path.
    fn directory_at(&self, inside: &Path) -> Step<OwnedFd> {
        match file::open_directory(&self.root, inside, Resolve::InRootNoLinks) {
            Err(error) if error.errno == Errno::NOENT => {}
            found => return explain_link(found),
        }
        let mut reached: Option<OwnedFd> = None;
        for name in inside.iter().map(Path::new) {
            let from = reached.as_ref().unwrap_or(&self.root);
            let next = match file::open_directory(from, name, Resolve::BeneathNoLinks) {
                Err(error) if error.errno == Errno::NOENT => {
                    self.make(from, name, FileKind::Directory)?;
                    file::open_directory(from, name, Resolve::BeneathNoLinks)?
                }
                found => explain_link(found)?,
            };
            reached = Some(next);
        }
        match reached {
            Some(directory) => Ok(directory),
            None => Ok(file::open_directory(&self.root, Path::new(""), Resolve::BeneathNoLinks)?),
        }
    }

    fn make(&self, parent: &OwnedFd, name: &Path, kind: FileKind) -> Step<()> {
        self.must_be_own(parent, name)?;
        let full =
            "the launch's own tmpfs is full: its size or number of files is too small for the mount points";
        match kind {
            FileKind::Directory => file::make_directory(parent, name, 0o755).hint(&[Errno::NOSPC], full),
            FileKind::File | FileKind::Device => {
                file::make_file(parent, name, 0o644).hint(&[Errno::NOSPC], full)
            }
        }
    }

    fn must_be_own(&self, parent: &OwnedFd, name: &Path) -> Step<()> {
        if self.own.contains(&file::status(parent)?.mount) {
            return Ok(());
        }
        let lies = self.show(parent);
        Err(Box::new(Failure {
            cause: Cause::Refused(format!("{} does not exist in {lies}", name.display())),
            hint: Some(
                "make it there, or mount elsewhere: redpak makes mount points only in its own tmpfs"
                    .to_owned(),
            ),
        }))
    }

    /// A directory of the tree, as the launched node sees it.
    pub(super) fn show(&self, directory: &OwnedFd) -> String {
        let name = directory.as_raw_fd().to_string();
        match file::read_link(&self.descriptors, Path::new(&name)) {
            Ok(path) => String::from_utf8_lossy(&path).into_owned(),
            Err(_) => "that directory".to_owned(),
        }
    }
}

fn explain_link(found: Result<OwnedFd, SysError>) -> Step<OwnedFd> {
    found.hint(
        &[Errno::LOOP],
        "a mount path may not cross a symbolic link: name the directory that it leads to",
    )
}
