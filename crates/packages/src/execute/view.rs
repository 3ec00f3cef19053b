//! The merged view of a transaction, looked at from outside: where a path of a package leads, and what stands there.
//!
//! The view's overlays do not exist yet when packages are judged, and not any more when their result is committed;
//! their layers do.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use redpak_plan::launch_plan::{LaunchPlan, MountKind, Source};
use redpak_store::{Ancestors, Kind};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2, readlinkat, stat};
use rustix::io::Errno;

use super::error::{ExecuteError, ExecuteErrorKind, Result};

/// Links that are followed before a path counts as a loop (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// The overlays that a transaction writes into.
#[derive(Debug, Default)]
pub(crate) struct View {
    tops: Vec<Top>,
    /// Links of the root, without the leading slash.
    links: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Top {
    name: String,
    /// Topmost first.
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    root: OwnedFd,
    /// The node's own generation.
    own: bool,
}

/// What stands at a path, and its mode.
#[derive(Clone, Copy, Debug)]
struct Found {
    kind: Kind,
    mode: u32,
}

impl View {
    /// Opens the layers of a plan; `base` is the generation, in the leaf's directory, that is being changed.
    pub(crate) fn open(plan: &LaunchPlan, base: &Path) -> Result<Self> {
        let mut view = Self::default();
        for mount in &plan.mounts {
            let Some(name) = mount.at.to_str().and_then(|at| at.strip_prefix('/')) else { continue };
            match &mount.kind {
                MountKind::Symlink { target } => {
                    view.links.insert(name.to_owned(), target.clone());
                }
                MountKind::Overlay { layers, upper: Some(_), .. } => {
                    let own = stat(base.join(name)).ok().map(|stat| (stat.st_dev, stat.st_ino));
                    let layers = layers.iter().map(|layer| open_layer(plan, layer, own));
                    view.tops.push(Top { name: name.to_owned(), layers: layers.collect::<Result<_>>()? });
                }
                _ => {}
            }
        }
        if view.tops.is_empty() {
            let kind = ExecuteErrorKind::Sandbox;
            return Err(ExecuteError::new(kind, "the plan has no directory that packages may write into"));
        }
        Ok(view)
    }

    #[cfg(test)]
    pub(crate) fn of_links<'a>(links: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let tops = redpak_store::TOPS.map(|name| Top { name: name.into(), layers: vec![] }).into();
        Self { tops, links: links.into_iter().map(|(at, to)| (at.into(), to.into())).collect() }
    }

    /// Whether packages may write below `/top`.
    pub(crate) fn is_top(&self, top: &OsStr) -> bool {
        self.tops.iter().any(|known| top == known.name.as_str())
    }

    /// The text of a link at the root of the view.
    pub(crate) fn link(&self, path: &Path) -> Option<&str> {
        self.links.get(path.to_str()?).map(String::as_str)
    }

    /// Where a directory's path leads when all links on the way are followed; what is not there stays as it is
    /// spelled. Both are relative to the view's root.
    pub(crate) fn directory(&self, path: &Path) -> PathBuf {
        let mut done = PathBuf::new();
        let mut rest: Vec<_> = path.components().rev().map(|part| part.as_os_str().to_owned()).collect();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == ".." {
                done.pop();
                continue;
            }
            if part == "." || part == "/" {
                continue;
            }
            let next = done.join(&part);
            match self.link_text(&next) {
                Some(text) if links < MAX_LINKS => {
                    links += 1;
                    if text.is_absolute() {
                        done.clear();
                    }
                    rest.extend(text.components().rev().map(|part| part.as_os_str().to_owned()));
                }
                _ => done = next,
            }
        }
        done
    }

    fn link_text(&self, path: &Path) -> Option<PathBuf> {
        if let Some(text) = self.link(path) {
            return Some(text.into());
        }
        let (top, rest) = self.split(path)?;
        for layer in &top.layers {
            match open_beneath(&layer.root, rest, OFlags::PATH | OFlags::NOFOLLOW) {
                Ok(fd) => {
                    let stat = fstat(&fd).ok()?;
                    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                        return None;
                    }
                    let text = readlinkat(&fd, c"", Vec::new()).ok()?;
                    return text.into_string().ok().map(PathBuf::from);
                }
                Err(Errno::NOENT) => {}
                Err(_) => return None,
            }
        }
        None
    }

    fn split<'p>(&self, path: &'p Path) -> Option<(&Top, &'p Path)> {
        let mut components = path.components();
        let Some(Component::Normal(first)) = components.next() else { return None };
        let top = self.tops.iter().find(|top| first == top.name.as_str())?;
        Some((top, components.as_path()))
    }

    fn look(&self, path: &Path, ancestors_only: bool) -> Option<Found> {
        let (top, rest) = self.split(path)?;
        for layer in top.layers.iter().filter(|layer| !(ancestors_only && layer.own)) {
            match open_beneath(&layer.root, rest, OFlags::PATH | OFlags::NOFOLLOW) {
                Ok(fd) => {
                    let mode = fstat(&fd).ok()?.st_mode;
                    let kind = match FileType::from_raw_mode(mode) {
                        FileType::Directory => Kind::Directory,
                        FileType::Symlink => Kind::Symlink,
                        _ => Kind::File,
                    };
                    return Some(Found { kind, mode: mode & 0o7777 });
                }
                Err(Errno::NOENT) => {}
                // A file or link of a higher layer stands where this layer may have a directory: it hides it.
                Err(_) => return None,
            }
        }
        None
    }

    /// The mode of a directory of an ancestor's, as the view shows it; `None` when no ancestor has it.
    pub(crate) fn ancestors_directory(&self, path: &Path) -> Option<u32> {
        let ancestors = self.look(path, true)?;
        (ancestors.kind == Kind::Directory)
            .then(|| self.look(path, false).map_or(ancestors.mode, |found| found.mode))
    }

    /// The names of directories directly below one of an ancestor's.
    pub(crate) fn ancestors_below(&self, path: &Path) -> Vec<PathBuf> {
        let Some((top, rest)) = self.split(path) else { return Vec::new() };
        let mut found = std::collections::BTreeSet::new();
        for layer in top.layers.iter().filter(|layer| !layer.own) {
            let Ok(fd) = open_beneath(&layer.root, rest, OFlags::RDONLY | OFlags::DIRECTORY) else {
                continue;
            };
            let Ok(entries) = rustix::fs::Dir::read_from(&fd) else { continue };
            for entry in entries.flatten() {
                let name = OsStr::from_bytes(entry.file_name().to_bytes());
                if name != "." && name != ".." && self.ancestors_directory(&path.join(name)).is_some() {
                    found.insert(path.join(name));
                }
            }
        }
        found.into_iter().collect()
    }
}

impl Ancestors for View {
    fn at(&self, path: &Path) -> Option<Kind> {
        self.look(path, true).map(|found| found.kind)
    }

    fn may_reappear(&self, path: &Path) -> bool {
        let library = path.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"));
        library && self.at(path) == Some(Kind::Symlink) && self.look(&self.directory(path), true).is_none()
    }
}

fn open_beneath(root: &OwnedFd, path: &Path, flags: OFlags) -> std::result::Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let mut tries = 0;
    loop {
        // A rename somewhere on the system makes the kernel ask for another try (openat2(2)).
        match openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if tries < 64 => tries += 1,
            // NO_SYMLINKS gives ELOOP for the last component too, although it is only looked at.
            Err(Errno::LOOP) if flags.contains(OFlags::NOFOLLOW) && tries < 64 => {
                let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                    return Err(Errno::LOOP);
                };
                let parent = open_beneath(root, parent, OFlags::PATH | OFlags::DIRECTORY)?;
                return rustix::fs::openat(&parent, name, flags | OFlags::CLOEXEC, Mode::empty());
            }
            other => return other,
        }
    }
}

/// `own` is the device and inode of the generation's directory: paths can be spelled in many ways.
fn open_layer(plan: &LaunchPlan, source: &Source, own: Option<(u64, u64)>) -> Result<Layer> {
    let path = match source {
        Source::Host { path } => path.clone(),
        Source::Node { node, beneath } => {
            let dir = plan.nodes.get(*node).ok_or_else(|| {
                ExecuteError::new(ExecuteErrorKind::Sandbox, format!("the plan has no node {node}"))
            })?;
            dir.path.join(beneath)
        }
        Source::Tree { inside, .. } => {
            let text = format!("the layer {} is known only within the sandbox", inside.display());
            return Err(ExecuteError::new(ExecuteErrorKind::Sandbox, text));
        }
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(&path, flags, Mode::empty())
        .map_err(|e| ExecuteError::system(format!("open({path:?}, O_PATH|O_DIRECTORY)"), e))?;
    let found = fstat(&root).map_err(|e| ExecuteError::system(format!("fstat({path:?})"), e))?;
    Ok(Layer { root, own: own == Some((found.st_dev, found.st_ino)) })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn layered() -> (tempfile::TempDir, View) {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path();
        for directory in
            ["own/share/own", "below/bin", "below/share/doc", "below/share/own", "below/share/hidden"]
        {
            fs::create_dir_all(path.join(directory)).unwrap();
        }
        symlink("bin", path.join("below/sbin")).unwrap();
        symlink("/usr/share/doc", path.join("below/docs")).unwrap();
        symlink("loop", path.join("below/loop")).unwrap();
        fs::write(path.join("own/share/hidden"), "").unwrap();
        fs::create_dir(path.join("below/lib")).unwrap();
        symlink("libx.so.1.0", path.join("below/lib/libx.so.1")).unwrap();
        symlink("../bin", path.join("below/lib/liby.so.1")).unwrap();
        let layer = |name: &str, own| {
            let root = open(path.join(name), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
            Layer { root, own }
        };
        let mut view = View::of_links([("bin", "usr/bin"), ("sbin", "usr/sbin")]);
        view.tops[0].layers = vec![layer("own", true), layer("below", false)];
        (temporary, view)
    }

    #[test]
    fn links_are_followed_through_the_layers() {
        let (_temporary, view) = layered();
        for (path, leads) in [
            ("usr/lib/libx.so.1", "usr/lib/libx.so.1.0"),
            ("usr/sbin", "usr/bin"),
            ("sbin", "usr/bin"),
            ("usr/docs/x", "usr/share/doc/x"),
            ("usr/share/none/y", "usr/share/none/y"),
            ("usr/loop", "usr/loop"),
            ("etc/x", "etc/x"),
            ("srv", "srv"),
        ] {
            assert_eq!(view.directory(Path::new(path)), Path::new(leads), "{path}");
        }
    }

    #[test]
    fn ancestors_are_what_is_not_the_nodes_own() {
        let (_temporary, view) = layered();
        let at = |path: &str| view.at(Path::new(path));
        assert_eq!(at("usr/sbin"), Some(Kind::Symlink));
        assert_eq!(at("usr/share/own"), Some(Kind::Directory));
        assert_eq!(at("usr/share/none"), None);
        assert_eq!(at("usr/sbin/x"), None);
        assert!(view.ancestors_directory(Path::new("usr/share/doc")).is_some());
        assert!(view.ancestors_directory(Path::new("usr/docs")).is_none());
        assert!(view.may_reappear(Path::new("usr/lib/libx.so.1")));
        assert!(!view.may_reappear(Path::new("usr/lib/liby.so.1")));
        assert!(!view.may_reappear(Path::new("usr/sbin")));
        let below = view.ancestors_below(Path::new("usr/share"));
        assert_eq!(below, ["usr/share/doc", "usr/share/hidden", "usr/share/own"].map(PathBuf::from));
    }
}
