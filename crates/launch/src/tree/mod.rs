//! The tree: the root tmpfs, the nodes' directories, and the mounts, level by level; then the old root goes.
//!
//! The new root is pivoted to before anything is mounted in it, and the old one waits in a directory with a reserved
//! name. So paths inside are walked in what they will be when the command runs, and a bind of the host's `/` does not
//! show the new tree. The old root cannot wait on the new root itself: `..` would lead into it.

mod dev;
mod overlay;
mod places;
mod sources;

use std::path::Path;

use redpak_plan::launch_plan::{Attrs, Content, LaunchPlan, Mount, MountKind, NodeDir, Tmpfs};
use redpak_sys::file::{self, Kind, Resolve};
use redpak_sys::mount::{self, Attributes, FsContext};
use redpak_sys::{Errno, OwnedFd, error, process};

pub(crate) use dev::new_devpts;

use crate::contents::Contents;
use crate::error::{Explain, LaunchError, Stage, Step, refuse};
use crate::tree::overlay::Scratch;

/// The directory in the root tmpfs that is there while the tree is built, and that nothing may be mounted in.
pub(crate) const RESERVED: &str = ".redpak-launch";
/// Where the host's root is, meanwhile.
pub(crate) const OLD_ROOT: &str = ".redpak-launch/host";

/// The tree being built.
pub(crate) struct Tree<'a> {
    plan: &'a LaunchPlan,
    /// What files hold.
    contents: &'a Contents,
    /// The host's root.
    old: OwnedFd,
    /// The host's `/proc/self/fd`: names by which overlayfs finds layers.
    descriptors: OwnedFd,
    /// The root tmpfs.
    root: OwnedFd,
    /// The nodes' directories.
    nodes: Vec<OwnedFd>,
    /// The mount made for each entry of the plan, 0 where none was.
    mounts: Vec<u64>,
    /// The tmpfs mounts of this launch: mount points are made there and nowhere else.
    own: Vec<u64>,
    /// Where overlays' mount points lie until all is assembled.
    scratch: Option<Scratch>,
    /// Where a devpts comes from.
    pts: Option<OwnedFd>,
}

/// A mount whose sources are open.
enum Opened {
    Bind(OwnedFd),
    Overlay(overlay::Layers),
    NoSource,
}

/// Builds the tree in the caller's mount namespace; `old` is its root. Afterwards the working directory is `/`.
pub(crate) fn build(
    plan: &LaunchPlan,
    contents: &Contents,
    old: OwnedFd,
    pts: Option<OwnedFd>,
) -> Result<(), LaunchError> {
    let mut tree = Tree::start(plan, contents, old, pts).stage(Stage::Root)?;
    let mut index = 0;
    for level in plan.mounts.chunk_by(|one, next| one.level == next.level) {
        let opened: Vec<Opened> =
            level.iter().map(|entry| tree.open(entry).mount(entry)).collect::<Result<_, _>>()?;
        for (entry, opened) in level.iter().zip(opened) {
            tree.attach(index, entry, opened).mount(entry)?;
            index += 1;
        }
    }
    tree.finish().stage(Stage::OldRoot)
}

impl<'a> Tree<'a> {
    fn start(plan: &'a LaunchPlan, contents: &'a Contents, old: OwnedFd, pts: Option<OwnedFd>) -> Step<Self> {
        let descriptors = file::open_directory(&old, Path::new("proc/self/fd"), Resolve::InRoot)
            .hint(&[Errno::NOENT], "procfs must be mounted on the host's /proc")?;
        error::describe_through(Some(file::open_path(&descriptors, Path::new(""), Resolve::BeneathNoLinks)?));
        let nodes = plan.nodes.iter().map(|node| open_node(&old, node)).collect::<Step<_>>()?;
        let root = new_tmpfs(plan.root)?;
        mount::move_mount(&root, &old)?;
        process::fchdir(&root)?;
        file::make_directory(&root, Path::new(RESERVED), 0o700)?;
        file::make_directory(&root, Path::new(OLD_ROOT), 0o700)?;
        mount::pivot_root_here(Path::new(OLD_ROOT)).hint(
            &[Errno::INVAL],
            "the host's root must be a mounted file system: on one that still runs from its initramfs, switch_root first",
        )?;
        let own = vec![file::status(&root)?.mount];
        if own == [0] {
            return refuse(
                "the kernel does not tell mounts apart (statx without STATX_MNT_ID): Linux 5.8 is needed",
            );
        }
        let mounts = Vec::with_capacity(plan.mounts.len());
        Ok(Self { plan, contents, old, descriptors, root, nodes, mounts, own, scratch: None, pts })
    }

    fn open(&mut self, entry: &Mount) -> Step<Opened> {
        match &entry.kind {
            MountKind::Bind { source, attrs, file } => {
                self.open_bind(source, *attrs, *file).map(Opened::Bind)
            }
            MountKind::Device { source } => self.open_device(source).map(Opened::Bind),
            MountKind::Overlay { layers, mount_points, upper: None, attrs }
                if layers.len() == 1 && mount_points.is_empty() =>
            {
                let directory = redpak_plan::launch_plan::FileKind::Directory;
                self.open_bind(&layers[0], *attrs, directory).map(Opened::Bind)
            }
            MountKind::Overlay { layers, mount_points, upper, attrs } => {
                let opened = self.open_layers(layers, mount_points, upper.as_ref(), *attrs)?;
                Ok(Opened::Overlay(opened))
            }
            _ => Ok(Opened::NoSource),
        }
    }

    fn attach(&mut self, index: usize, entry: &Mount, opened: Opened) -> Step<()> {
        debug_assert_eq!(index, self.mounts.len());
        let mount = match (&entry.kind, opened) {
            (MountKind::Bind { file, .. }, Opened::Bind(mount)) => self.place(&mount, entry, *file)?,
            (MountKind::Device { .. }, Opened::Bind(mount)) => {
                self.place(&mount, entry, redpak_plan::launch_plan::FileKind::Device)?
            }
            (MountKind::Overlay { .. }, Opened::Bind(mount)) => self.place_directory(&mount, entry)?,
            (MountKind::Overlay { .. }, Opened::Overlay(layers)) => self.assemble(layers, entry)?,
            (MountKind::Symlink { target }, _) => self.symlink(&entry.at, target)?,
            (MountKind::Directory { mode }, _) => self.directory(&entry.at, *mode)?,
            (MountKind::Tmpfs(options), _) => {
                let id = self.place_directory(&new_tmpfs(*options)?, entry)?;
                self.own.push(id);
                id
            }
            (MountKind::Proc { read_only }, _) => self.proc(entry, read_only)?,
            (MountKind::Dev { devices, shm_size }, _) => {
                let id = self.dev(entry, devices, *shm_size)?;
                self.own.push(id);
                id
            }
            (MountKind::File { content, mode }, _) => self.file(entry, content, *mode)?,
            (MountKind::Mqueue, _) => self.place_directory(&new_mqueue()?, entry)?,
            // `open` pairs them.
            (MountKind::Bind { .. } | MountKind::Overlay { .. } | MountKind::Device { .. }, _) => {
                return refuse("no source was opened");
            }
        };
        self.mounts.push(mount);
        Ok(())
    }

    /// A read-only file: one of the root tmpfs, bound where it is to be, and its name removed. It keeps a name until
    /// then, for what has none cannot be mounted.
    fn file(&self, entry: &Mount, content: &Content, mode: u32) -> Step<u64> {
        let content = self.contents.bytes(content)?;
        let name = Path::new(RESERVED).join("file");
        let file = file::make_file_with(&self.root, &name, content, mode).hint(
            &[Errno::NOSPC],
            "the root tmpfs is too small for the files that the configuration asks for",
        )?;
        let mount = mount::open_tree_clone(&file, false)?;
        let attributes = Attributes { read_only: true, nosuid: true, nodev: true, noexec: false };
        mount::mount_setattr(&mount, attributes, false)?;
        let id = self.place(&mount, entry, redpak_plan::launch_plan::FileKind::File)?;
        file::remove_file(&self.root, &name)?;
        Ok(id)
    }

    /// A new procfs, with parts of it read-only.
    fn proc(&self, entry: &Mount, read_only: &[String]) -> Step<u64> {
        let id = self.place_directory(&new_proc()?, entry)?;
        if read_only.is_empty() {
            return Ok(id);
        }
        let inside = entry.at.strip_prefix("/").unwrap_or(&entry.at);
        let proc = file::open_directory(&self.root, inside, Resolve::InRootNoLinks)?;
        for name in read_only {
            if name.is_empty() || name.contains('/') || name == "." || name == ".." {
                return refuse(format!("{name:?} is not a name in a procfs"));
            }
            let part = match mount::open_tree_clone_at(&proc, name) {
                // What is not there needs no protection: a module was unloaded since the plan was made.
                Err(error) if error.errno == Errno::NOENT => continue,
                part => part?,
            };
            let attributes = Attributes { read_only: true, nosuid: true, nodev: true, noexec: true };
            mount::mount_setattr(&part, attributes, true)?;
            mount::move_mount_at(&part, &proc, name)?;
        }
        Ok(id)
    }

    /// The host's root leaves the namespace.
    fn finish(mut self) -> Step<()> {
        process::fchdir(&self.root)?;
        if let Some(scratch) = self.scratch.take() {
            scratch.remove(&self.root)?;
        }
        mount::detach(Path::new(OLD_ROOT))?;
        file::remove_directory(&self.root, Path::new(OLD_ROOT))?;
        Ok(file::remove_directory(&self.root, Path::new(RESERVED))?)
    }
}

fn open_node(old: &OwnedFd, node: &NodeDir) -> Step<OwnedFd> {
    let path = node.path.strip_prefix("/").unwrap_or(&node.path);
    let opened = file::open_directory(old, path, Resolve::InRootNoLinks)
        .hint(&[Errno::LOOP], "no part of a node's path may be a symbolic link")?;
    let found = file::status(&opened)?;
    if (found.dev, found.ino) != (node.dev, node.ino) {
        return refuse(format!(
            "the node's directory {} changed: it was device {}, inode {}, and is device {}, inode {}",
            node.path.display(),
            node.dev,
            node.ino,
            found.dev,
            found.ino
        ));
    }
    Ok(opened)
}

/// A detached tmpfs, nosuid and nodev. An inode costs the kernel about a KiB, which the size alone does not limit.
fn new_tmpfs(Tmpfs { size, mode }: Tmpfs) -> Step<OwnedFd> {
    let context = FsContext::open("tmpfs")?;
    context.set("size", &size.to_string())?;
    context.set("nr_inodes", &(size / 1024).max(4096).to_string())?;
    context.set("mode", &format!("{mode:o}"))?;
    Ok(context.mount(Attributes { nosuid: true, nodev: true, ..Attributes::default() })?)
}

fn new_proc() -> Step<OwnedFd> {
    let attributes = Attributes { nosuid: true, nodev: true, noexec: true, read_only: false };
    FsContext::open("proc")?.mount(attributes).hint(
        &[Errno::PERM],
        "a new procfs needs a pid namespace of its own, and for an ordinary user a host /proc without mounts over \
         parts of it",
    )
}

/// A detached mqueue: the queues of the ipc namespace that this process is in.
fn new_mqueue() -> Step<OwnedFd> {
    let attributes = Attributes { nosuid: true, nodev: true, noexec: true, read_only: false };
    let mounted = FsContext::open("mqueue").and_then(|context| context.mount(attributes));
    mounted
        .hint(
            &[Errno::PERM],
            "in a user namespace, a mqueue needs an ipc namespace of its own (share_ipc: disabled)",
        )
        .hint(&[Errno::NODEV], "the kernel lacks CONFIG_POSIX_MQUEUE")
}

fn attributes(attrs: Attrs) -> Attributes {
    let Attrs { read_only, nosuid, nodev, noexec } = attrs;
    Attributes { read_only, nosuid, nodev, noexec }
}

fn is_directory(kind: Kind) -> bool {
    kind == Kind::Directory
}
