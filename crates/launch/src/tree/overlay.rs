//! Overlays: one flat overlayfs a mount, its layers named by descriptor.
//!
//! Always `userxattr`, as root too: a tree then means the same to root and to an ordinary user. Always
//! `redirect_dir=nofollow`, not `off`: `off` still follows redirects on kernels built so, and conflicts with
//! `userxattr` there.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use redpak_plan::launch_plan::{Attrs, FileKind, Mount, MountPoint, Source, Tmpfs, Upper};
use redpak_sys::file::{self, Kind, Resolve, Status};
use redpak_sys::mount::{self, FsContext};
use redpak_sys::{AsRawFd, Errno, OwnedFd, process};

use super::{RESERVED, Tree, attributes, is_directory, new_tmpfs, sources};
use crate::error::{Explain, Step, refuse};

/// The open layers of one overlay.
pub(super) struct Layers {
    /// Topmost first, each with what to call it.
    lower: Vec<(OwnedFd, String)>,
    upper: Option<(OwnedFd, OwnedFd)>,
    attrs: Attrs,
}

/// A tmpfs that is attached while the tree is built: directories in it are the layers that hold mount points.
pub(super) struct Scratch {
    mount: OwnedFd,
    used: usize,
}

/// `fsconfig` takes values of up to 255 bytes.
const LONGEST_VALUE: usize = 255;

/// With metacopy and index off, nothing but whole files is ever copied up, and layers need not stay put.
const OPTIONS: [(&str, &str); 3] = [("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off")];

const LAYER_HINT: &str = "overlayfs refuses a layer that has another file system mounted below it (for an ordinary \
                          user), or that is itself an overlay of overlays: export the parts one by one";

impl Scratch {
    /// Leaves the tree; the overlays keep what they use of it.
    pub(super) fn remove(self, root: &OwnedFd) -> Step<()> {
        let place = place();
        mount::detach(&place)?;
        Ok(file::remove_directory(root, &place)?)
    }
}

/// Where it is attached, relative to the root.
fn place() -> PathBuf {
    Path::new(RESERVED).join("layers")
}

impl Tree<'_> {
    pub(super) fn open_layers(
        &mut self,
        layers: &[Source],
        mount_points: &[(PathBuf, MountPoint)],
        upper: Option<&Upper>,
        attrs: Attrs,
    ) -> Step<Layers> {
        let mut lower = Vec::with_capacity(layers.len() + 1);
        for layer in layers {
            lower.push((self.open_directory_of(layer)?, sources::text(layer)));
        }
        agree(&lower)?;
        if !mount_points.is_empty() {
            let layer = self.mount_point_layer(&lower, mount_points)?;
            lower.insert(0, (layer, "the mount points".to_owned()));
        }
        let upper = match upper {
            Some(Upper { upper, work }) => {
                Some((self.open_directory_of(upper)?, self.open_directory_of(work)?))
            }
            None => None,
        };
        Ok(Layers { lower, upper, attrs })
    }

    fn open_directory_of(&self, source: &Source) -> Step<OwnedFd> {
        let opened = self.open_source(source)?;
        let found = file::status(&opened)?;
        if is_directory(found.kind) {
            return Ok(opened);
        }
        refuse(format!("the layer {} is {}, not a directory", sources::text(source), found.kind.words()))
    }

    /// Mounts the overlay on its place; its id.
    pub(super) fn assemble(&self, layers: Layers, entry: &Mount) -> Step<u64> {
        // Descriptors are names in this directory: short ones, which is what option texts need.
        process::fchdir(&self.descriptors)?;
        let names: Vec<_> = layers.lower.iter().map(|(layer, _)| layer.as_raw_fd().to_string()).collect();
        let lower = names.join(":");
        if lower.len() > LONGEST_VALUE {
            return self.assemble_many(&lower, &layers, entry);
        }
        let context = FsContext::open("overlay")?;
        context.set("source", "overlay")?;
        context.set("lowerdir", &lower).hint(&[Errno::INVAL], LAYER_HINT)?;
        if let Some((upper, work)) = &layers.upper {
            context.set("upperdir", &upper.as_raw_fd().to_string())?;
            context.set("workdir", &work.as_raw_fd().to_string())?;
        }
        context.set_flag("userxattr")?;
        for (key, value) in OPTIONS {
            context.set(key, value)?;
        }
        let mount = context.mount(attributes(layers.attrs)).hint(&[Errno::INVAL, Errno::LOOP], LAYER_HINT)?;
        self.place_directory(&mount, entry)
    }

    /// mount(2) takes a page of options, on every kernel.
    fn assemble_many(&self, lower: &str, layers: &Layers, entry: &Mount) -> Step<u64> {
        let mut options = format!("lowerdir={lower},userxattr");
        if let Some((upper, work)) = &layers.upper {
            options += &format!(",upperdir={},workdir={}", upper.as_raw_fd(), work.as_raw_fd());
        }
        for (key, value) in OPTIONS {
            options += &format!(",{key}={value}");
        }
        let options = CString::new(options).or_else(|_| refuse("an option holds a NUL character"))?;
        let target = self.mount_point(&entry.at, FileKind::Directory)?;
        mount::mount_overlay(&target.as_raw_fd().to_string(), &options, attributes(layers.attrs))
            .hint(&[Errno::INVAL, Errno::LOOP], LAYER_HINT)?;
        let mounted = self.mount_point(&entry.at, FileKind::Directory)?;
        Ok(file::status(&mounted)?.mount)
    }

    /// A layer with nothing but mount points, directories as they are in the layers below.
    fn mount_point_layer(
        &mut self,
        lower: &[(OwnedFd, String)],
        mount_points: &[(PathBuf, MountPoint)],
    ) -> Step<OwnedFd> {
        let scratch = match self.scratch.take() {
            Some(scratch) => scratch,
            None => self.new_scratch()?,
        };
        let scratch = self.scratch.insert(scratch);
        let name = scratch.used.to_string();
        scratch.used += 1;
        let like = appearance(lower, Path::new(""))?;
        make_like(&scratch.mount, Path::new(&name), like.as_ref())?;
        let layer = file::open_directory(&scratch.mount, Path::new(&name), Resolve::BeneathNoLinks)?;
        for (path, kind) in mount_points {
            let mut ancestors: Vec<_> =
                path.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
            ancestors.reverse();
            for path in &ancestors[..ancestors.len() - 1] {
                mount_point(&layer, lower, path, &MountPoint::Directory)?;
            }
            mount_point(&layer, lower, path, kind)?;
        }
        Ok(layer)
    }

    fn new_scratch(&self) -> Step<Scratch> {
        let mount = new_tmpfs(Tmpfs { size: 4 << 20, mode: 0o700 })?;
        let place = place();
        file::make_directory(&self.root, &place, 0o700)?;
        let at = file::open_directory(&self.root, &place, Resolve::InRootNoLinks)?;
        mount::move_mount(&mount, &at)?;
        Ok(Scratch { mount, used: 0 })
    }
}

/// Makes one mount point, one directory on the way to it, or a link, unless it was made before.
fn mount_point(layer: &OwnedFd, lower: &[(OwnedFd, String)], path: &Path, what: &MountPoint) -> Step<()> {
    let fits = |kind| match what {
        MountPoint::Directory => kind == Kind::Directory,
        MountPoint::File => !matches!(kind, Kind::Directory | Kind::Symlink),
        MountPoint::Symlink(_) => kind == Kind::Symlink,
    };
    if let Ok(found) = file::status_at(layer, path) {
        return match fits(found.kind) && !matches!(what, MountPoint::Symlink(_)) {
            true => Ok(()),
            false => refuse(format!("{} is wanted twice, as different things", path.display())),
        };
    }
    let below = appearance(lower, path)?;
    if let Some((found, layer)) = &below
        && !fits(found.kind)
    {
        return refuse(format!(
            "{} is {} in {layer}: what is to be there would hide it",
            path.display(),
            found.kind.words()
        ));
    }
    match what {
        MountPoint::Directory => make_like(layer, path, below.as_ref()),
        MountPoint::File => Ok(file::make_file(layer, path, 0o644)?),
        MountPoint::Symlink(target) => Ok(file::make_symlink(target, layer, path)?),
    }
}

/// What shows at a path of the merged layers: the topmost layer that has it, without following links.
fn appearance<'l>(lower: &'l [(OwnedFd, String)], path: &Path) -> Step<Option<(Status, &'l str)>> {
    let parent = path.parent().unwrap_or(Path::new(""));
    for (layer, name) in lower {
        let found = match file::open_directory(layer, parent, Resolve::BeneathNoLinks) {
            Ok(parent) => file::status_at(&parent, path.file_name().map(Path::new).unwrap_or(path)),
            Err(error) => Err(error),
        };
        match found {
            Ok(status) => return Ok(Some((status, name))),
            Err(error) if matches!(error.errno, Errno::NOENT | Errno::NOTDIR) => {}
            // A link on the way was found, and refused, when the directory above was looked at.
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Makes a directory with the mode and, where the user namespace can give it, the owner of the one below.
fn make_like(at: &OwnedFd, path: &Path, like: Option<&(Status, &str)>) -> Step<()> {
    let mode = like.map_or(0o755, |(status, _)| status.mode);
    file::make_directory(at, path, mode)?;
    if let Some((below, _)) = like {
        let made = file::status_at(at, path)?;
        if (made.uid, made.gid) != (below.uid, below.gid) {
            match file::change_owner(at, path, below.uid, below.gid) {
                // An ordinary user cannot give it away; it stays the user's own, in a read-only layer.
                Err(error) if matches!(error.errno, Errno::PERM | Errno::INVAL | Errno::OVERFLOW) => {}
                changed => changed?,
            }
        }
    }
    Ok(())
}

/// A layer's top entries have the kinds that the layers below show: a directory over a link (`sbin` over
/// `sbin -> bin`) would hide what the link leads to.
fn agree(lower: &[(OwnedFd, String)]) -> Step<()> {
    for (index, (layer, name)) in lower.iter().enumerate() {
        let below = &lower[index + 1..];
        if below.is_empty() {
            break;
        }
        let listed = file::open_to_list(layer, Path::new(""), Resolve::BeneathNoLinks)?;
        for entry in file::names(&listed)? {
            let entry = Path::new(&entry);
            let own = file::status_at(layer, entry)?;
            let Some((found, under)) = appearance(below, entry)? else { continue };
            let bound = |kind| matches!(kind, Kind::Directory | Kind::Symlink);
            // A whiteout is not of a kind of its own: what may be whited out is decided elsewhere.
            let whiteout = own.kind == Kind::CharacterDevice && own.rdev == (0, 0);
            if own.kind != found.kind && (bound(own.kind) || bound(found.kind)) && !whiteout {
                return refuse(format!(
                    "{} is {} in {name} and {} in {under}: a layer keeps the kind of what is below it",
                    entry.display(),
                    own.kind.words(),
                    found.kind.words()
                ));
            }
        }
    }
    Ok(())
}
