//! The place where the next generation is made, and the switch to it.
//!
//! The order of a commit: the tree is complete, syncfs(2), renamed to its number, fsync(2) of that directory, the
//! link is renamed, fsync(2) of its directory, and only then success. A sync that fails is not tried again: the
//! kernel reports each loss once.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use rustix::fs::FileType;
use serde_json::{Map, Value};

use crate::ancestors::Ancestors;
use crate::collect::{CURRENT_NEXT, STAGING, abandon};
use crate::create::now;
use crate::dir::Dir;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::ExclusiveLock;
use crate::manifest::{MANIFEST_VERSION, Manifest};
use crate::merge::{Merge, Sharing};
use crate::metadata::{copy_directory, copy_tree, is_whiteout};
use crate::node::{CURRENT, GENERATIONS, Node};
use crate::{DATABASE, REDPAK_DIR, TOPS, edits};

/// A generation in the making. Dropped without [`Stage::commit`], it leaves nothing.
#[derive(Debug)]
pub struct Stage {
    node: PathBuf,
    redpak: Dir,
    generations: Dir,
    base: Dir,
    base_number: u64,
    parent: u64,
    number: u64,
    name: String,
    dir: Dir,
    prepared: HashSet<PathBuf>,
}

/// Something that stands in the upper directories.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Written {
    /// Relative to the root of the view.
    pub path: PathBuf,
    /// What it is.
    pub kind: WrittenKind,
    /// Size in bytes.
    pub size: u64,
    /// The mode's permission bits, set-id bits included.
    pub mode: u32,
}

/// What something written is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WrittenKind {
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A regular file, or anything else.
    File,
    /// The mark that something below was removed.
    Removal,
}

/// What a commit is given beside the tree.
pub struct Commit<'a> {
    /// The command line, for the manifest.
    pub command: &'a str,
    /// What the caller wants in the manifest; its keys may not be the store's own.
    pub payload: Map<String, Value>,
    /// What lies below the node's own layer.
    pub ancestors: &'a dyn Ancestors,
    /// Directories given to [`Stage::prepare`] that stay though they are empty.
    pub keep: HashSet<PathBuf>,
}

/// A commit that will survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The new generation's number.
    pub number: u64,
    /// The one before.
    pub parent: u64,
}

impl Stage {
    /// Starts from the current generation, after recovering from what an interrupted command left.
    pub fn begin(node: &Node, lock: &ExclusiveLock) -> Result<Self> {
        Self::begin_from(node, lock, None)
    }

    /// Starts from the content of generation `base`: what is committed is numbered as any other, and its parent is
    /// the current one. What people edited in the current one's `etc` is merged into it ([`crate::edits`]).
    pub fn begin_from(node: &Node, lock: &ExclusiveLock, base: Option<u64>) -> Result<Self> {
        node.recover(lock)?;
        let parent = node.current()?.ok_or_else(|| {
            Error::new(ErrorKind::Missing, format!("{} has no current generation", node.path().display()))
        })?;
        let number = parent + 1;
        let base_number = base.unwrap_or(parent);
        let name = format!("{STAGING}{number}");
        let stage = Self {
            node: node.path().to_owned(),
            redpak: node.redpak.try_clone()?,
            generations: node.generations.try_clone()?,
            base: node.open_generation(base_number)?,
            base_number,
            parent,
            number,
            // Not for other users' eyes before it is complete.
            dir: node.redpak.make(&name, 0o700)?,
            name,
            prepared: HashSet::new(),
        };
        stage.fill()?;
        if base_number != parent {
            let upper = stage.dir.open_beneath("upper/etc")?;
            edits::carry(&node.open_generation(parent)?, &stage.base, &upper)?;
        }
        Ok(stage)
    }

    fn fill(&self) -> Result<()> {
        let (upper, work) = (self.dir.make("upper", 0o755)?, self.dir.make("work", 0o755)?);
        for top in TOPS {
            let made = upper.make(top, 0o755)?;
            if let Some(base) = self.base.open_if_there(top)? {
                copy_directory(&base.stat()?, &base, &made)?;
            }
            work.make(top, 0o755)?;
        }
        let database = self.dir.make("db", 0o755)?;
        copy_tree(&self.base.open_beneath(DATABASE)?, &database)
    }

    /// The node's directory.
    pub fn node(&self) -> &Path {
        &self.node
    }

    /// The number that the new generation will have.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The generation whose content is the start.
    pub fn base(&self) -> u64 {
        self.base_number
    }

    /// The generation whose content is the start, as a path.
    pub fn base_path(&self) -> &Path {
        self.base.path()
    }

    /// Relative to the node's directory: where overlayfs writes for `top`.
    pub fn upper(&self, top: &str) -> PathBuf {
        self.relative("upper").join(top)
    }

    /// Relative to the node's directory: overlayfs's work directory for `top`.
    pub fn work(&self, top: &str) -> PathBuf {
        self.relative("work").join(top)
    }

    /// Relative to the node's directory: the copy of the database that becomes the new generation's.
    pub fn database(&self) -> PathBuf {
        self.relative("db")
    }

    fn relative(&self, what: &str) -> PathBuf {
        Path::new(REDPAK_DIR).join(&self.name).join(what)
    }

    /// The staging directory itself, as a path: a place for files without a name.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Makes a directory in the upper layer before it is mounted, with the mode that it has in the view: an ordinary
    /// user cannot write into an ancestor's. `path` is relative to the view's root (`usr/share/doc`), without links;
    /// its parent is there or was prepared. It goes again when it stays empty.
    pub fn prepare(&mut self, path: &Path, mode: u32) -> Result<()> {
        let mut components = path.components().map(Component::as_os_str);
        let (Some(top), Some(name)) = (components.next(), path.file_name()) else {
            return Err(Error::refused(path, "is not in a generation"));
        };
        if !TOPS.iter().any(|t| top == *t) || !path.components().all(|c| matches!(c, Component::Normal(_))) {
            return Err(Error::refused(path, "is not in a generation"));
        }
        let parent = path.parent().unwrap_or(Path::new(""));
        if parent.as_os_str().is_empty() {
            return Ok(());
        }
        let upper = self.dir.open_beneath(Path::new("upper").join(parent))?;
        match upper.make(name, mode & 0o7777 | 0o700) {
            Ok(_) => {
                self.prepared.insert(path.to_owned());
                Ok(())
            }
            Err(e) if e.errno() == Some(rustix::io::Errno::EXIST) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Everything that stands in the upper directories, sorted. The tops themselves and empty prepared directories
    /// are left out.
    pub fn written(&self) -> Result<Vec<Written>> {
        let upper = self.dir.open("upper")?;
        let mut found = Vec::new();
        for top in TOPS {
            self.walk(&upper.open(top)?, Path::new(top), 0, &mut found)?;
        }
        found.sort_unstable();
        Ok(found)
    }

    fn walk(&self, dir: &Dir, at: &Path, depth: usize, found: &mut Vec<Written>) -> Result<()> {
        if depth > crate::merge::MAX_DEPTH {
            return Err(Error::refused(at, "is too deep"));
        }
        for entry in dir.entries()? {
            let path = at.join(&entry.name);
            let stat = dir.stat_entry(&entry.name)?;
            let before = found.len();
            let kind = match entry.file_type {
                FileType::Directory => {
                    self.walk(&dir.open(&entry.name)?, &path, depth + 1, found)?;
                    WrittenKind::Directory
                }
                FileType::Symlink => WrittenKind::Symlink,
                other if is_whiteout(dir, &entry.name, other)? => WrittenKind::Removal,
                _ => WrittenKind::File,
            };
            if kind == WrittenKind::Directory && found.len() == before && self.prepared.contains(&path) {
                continue;
            }
            // A size is never negative.
            let size = u64::try_from(stat.st_size).unwrap_or(0);
            found.push(Written { path, kind, size, mode: stat.st_mode & 0o7777 });
        }
        Ok(())
    }

    /// Opens a file that was written, for reading; no link is followed.
    pub fn open_written(&self, path: &Path) -> Result<std::fs::File> {
        self.open_in(&Path::new("upper").join(path))
    }

    /// Opens a file of the database for reading.
    pub fn open_database_file(&self, name: &str) -> Result<std::fs::File> {
        self.open_in(&Path::new("db").join(name))
    }

    /// The names of what is in the database's directory.
    pub fn database_files(&self) -> Result<Vec<OsString>> {
        Ok(self.dir.open("db")?.entries()?.into_iter().map(|entry| entry.name).collect())
    }

    fn open_in(&self, path: &Path) -> Result<std::fs::File> {
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => self.dir.open_beneath(parent)?.open_file(name),
            _ => Err(Error::refused(path, "is not a file's path")),
        }
    }

    /// Makes the staged state the node's current generation.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when what was written cannot be part of a node; [`ErrorKind::Unsynced`] when the switch
    /// was made and the kernel cannot promise that it survives a power cut: the old generation is current again.
    /// In each case the old state stands.
    pub fn commit(self, commit: Commit<'_>) -> Result<Committed> {
        let tree = self.dir.make("tree", 0o755)?;
        self.merge(&tree, &commit)?;
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            number: self.number,
            parent: Some(self.parent),
            timestamp: now(),
            command: commit.command.to_owned(),
            payload: commit.payload,
        };
        edits::record(&tree)?;
        manifest.write(&tree)?;
        tree.sync_file_system()?;
        self.dir.rename("tree", &self.generations, self.number.to_string())?;
        self.generations.sync().and_then(|()| self.switch()).inspect_err(|error| {
            // After a failed fsync the disk may still have the new link: then its generation stays for `recover`.
            if error.kind() != ErrorKind::Unsynced {
                abandon(&self.generations, &self.number.to_string());
            }
        })?;
        Ok(Committed { number: self.number, parent: self.parent })
    }

    fn merge(&self, tree: &Dir, commit: &Commit<'_>) -> Result<()> {
        let merge = Merge {
            ancestors: commit.ancestors,
            prepared: &self.prepared,
            keep: &commit.keep,
            replaced: Path::new(DATABASE),
        };
        let upper = self.dir.open("upper")?;
        for top in TOPS {
            let target = tree.make(top, 0o755)?;
            let sharing = if top == "etc" { Sharing::Copy } else { Sharing::Link };
            merge.top(self.base.open_if_there(top)?, upper.open(top)?, &target, Path::new(top), sharing)?;
        }
        let database = Path::new(DATABASE);
        let (Some(parent), Some(name)) = (database.parent(), database.file_name()) else {
            return Err(Error::refused(database, "has no parent"));
        };
        let mut dir = tree.try_clone()?;
        for component in parent.components() {
            dir = dir.make_if_missing(component.as_os_str(), 0o755)?;
        }
        self.dir.rename("db", &dir, name)
    }

    fn switch(&self) -> Result<()> {
        self.point(self.number)
            .inspect_err(|_| abandon(&self.redpak, &format!("{CURRENT_NEXT}{}", self.number)))?;
        let Err(error) = self.redpak.sync() else { return Ok(()) };
        // In memory the node is the old one again; on the disk it is one of the two, each of them whole.
        let restored = self.point(self.parent);
        let hint = match restored {
            Ok(()) => "look at the kernel's log; the disk may be failing",
            Err(_) => "look at the kernel's log; the disk may be failing, and the link could not be set back",
        };
        Err(error.with_kind(ErrorKind::Unsynced).with_hint(hint))
    }

    fn point(&self, number: u64) -> Result<()> {
        let next = format!("{CURRENT_NEXT}{number}");
        self.redpak.make_link(format!("{GENERATIONS}/{number}"), &next)?;
        self.redpak.rename(&next, &self.redpak, CURRENT)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        abandon(&self.redpak, &self.name);
    }
}
