//! What the ancestors put into the tree: exports, where they are mounted, and what recursive binds bring along.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use crate::effective::{Lies, Origin};
use crate::paths;
use crate::resolve::{Entry, Mounted, What};

/// A tree has at most this many mounts. An honest one has a few dozen, and the kernel's own limit is 100,000
/// (`fs.mount-max`, proc_sys_fs(5)).
pub(super) const MAX_MOUNTS: usize = 4096;

/// The mounts of the levels so far, in the order in which they are attached: by level, then by mount path.
#[derive(Default)]
pub(super) struct Tree {
    exports: Vec<Placed>,
    /// What is mounted at a path, in order.
    mounts: BTreeMap<PathBuf, Vec<Seen>>,
    count: usize,
    /// Indexes of exports by source on the host, in order.
    sources: BTreeMap<PathBuf, Vec<usize>>,
    /// What ancestors export for themselves only: source and place, for hints.
    hidden: Vec<(PathBuf, Origin)>,
}

/// A mount as it is seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// The export that it comes from.
    pub export: usize,
    /// The export that put it there: the same, or a bind that brought it along.
    pub by: usize,
}

/// An export whose source is decided.
pub(super) struct Placed {
    pub entry: Entry<Mounted>,
    pub level: usize,
    pub lies: Option<Lies>,
    /// An overlay with layers below its own: it shows more than its source.
    pub merged: bool,
    /// Mounts that a recursive bind brings along to another place: path below the mount, and export.
    along: Vec<(PathBuf, usize)>,
}

impl Placed {
    pub fn mount(&self) -> &Path {
        &self.entry.value.mount
    }

    pub fn what(&self) -> &What {
        &self.entry.value.what
    }

    /// How many mounts it makes.
    pub fn mounts(&self) -> usize {
        1 + self.along.len()
    }
}

impl Tree {
    pub fn get(&self, index: usize) -> &Placed {
        &self.exports[index]
    }

    /// How many mounts there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Exports whose source is `source`, in the order in which they are attached.
    pub fn of_source(&self, source: &Path) -> &[usize] {
        self.sources.get(source).map_or(&[], Vec::as_slice)
    }

    /// What is mounted at `path`, in the order in which it is attached: the last is what is seen.
    pub fn at(&self, path: &Path) -> &[Seen] {
        self.mounts.get(path).map_or(&[], Vec::as_slice)
    }

    /// The nearest mount at or above `path`, and where it is.
    pub fn governing<'p>(&self, path: &'p Path) -> Option<(&'p Path, Seen)> {
        path.ancestors().find_map(|path| Some((path, *self.at(path).last()?)))
    }

    /// The first mount strictly below `path`.
    pub fn below(&self, path: &Path) -> Option<(&Path, &Placed)> {
        let (mount, export) = self.all_below(path).next()?;
        Some((mount, self.get(export)))
    }

    /// Mounts that are seen strictly below `path`. None is out of sight: nothing is put over inherited mounts that
    /// does not show them again.
    fn all_below<'t>(&'t self, path: &Path) -> impl Iterator<Item = (&'t Path, usize)> {
        let from = (Bound::Excluded(path), Bound::Unbounded);
        let path = path.to_owned();
        self.mounts
            .range::<Path, _>(from)
            .take_while(move |(mount, _)| mount.starts_with(&path))
            .filter_map(|(mount, seen)| Some((mount.as_path(), seen.last()?.export)))
    }

    /// What an ancestor exports for itself only, and `source` lies in.
    pub fn hidden(&self, source: &Path) -> Option<&Origin> {
        let hides = |(hidden, _): &&(PathBuf, Origin)| paths::beneath(source, hidden).is_some();
        self.hidden.iter().find(hides).map(|(_, origin)| origin)
    }

    /// Looks at what a new export would bring along. It is not added yet: its siblings are judged without it.
    pub fn placed(&self, entry: Entry<Mounted>, level: usize, lies: Option<Lies>) -> Placed {
        let along = match (&lies, &entry.value.what) {
            (Some(Lies::Inherited { inside, .. }), What::Bind { .. }) if *inside != entry.value.mount => {
                let rest = |mount: &Path| paths::beneath(mount, inside).map(Path::to_owned);
                self.all_below(inside)
                    .take(MAX_MOUNTS)
                    .filter_map(|(mount, export)| Some((rest(mount)?, export)))
                    .collect()
            }
            _ => Vec::new(),
        };
        Placed { entry, level, lies, merged: false, along }
    }

    /// Attaches an export.
    pub fn add(&mut self, mut placed: Placed) {
        let shows_something =
            |path| self.at(path).iter().any(|seen| self.get(seen.export).what().source().is_some());
        placed.merged =
            matches!(placed.what(), What::Overlay { .. }) && placed.mount().ancestors().any(shows_something);
        let by = self.exports.len();
        if *placed.what() == What::Lock {
            self.exports.push(placed);
            return;
        }
        self.count += placed.mounts();
        self.mounts.entry(placed.mount().to_owned()).or_default().push(Seen { export: by, by });
        for (rest, export) in &placed.along {
            self.mounts.entry(placed.mount().join(rest)).or_default().push(Seen { export: *export, by });
        }
        if let Some((source, _)) = placed.what().source() {
            self.sources.entry(source.to_owned()).or_default().push(by);
        }
        self.exports.push(placed);
    }

    /// Remembers what an ancestor exports for itself only.
    pub fn hide(&mut self, entry: &Entry<Mounted>) {
        if let Some((source, _)) = entry.value.what.source() {
            self.hidden.push((source.to_owned(), entry.origin.clone()));
        }
    }

    /// All exports, in order.
    pub fn into_exports(self) -> Vec<Placed> {
        self.exports
    }
}
