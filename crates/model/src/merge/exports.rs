//! Exports: the tree is built node by node, root first. Each node's exports are judged against what its ancestors
//! have put there, before its own are added: where their sources lie ([`super::sources`]), and what they may be
//! put over ([`super::over`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;

use super::environ::overridden;
use super::{Family, over, sources};
use crate::codes;
use crate::effective::{Export, ExportKind, Lies, Origin, Source};
use crate::paths;
use crate::resolve::{Entry, Mounted, What};
use crate::source::Report;

/// What the ancestors put into the tree, in the order in which it is attached: by level, then by mount path.
#[derive(Default)]
pub(super) struct Tree {
    exports: Vec<Placed>,
    /// Indexes of exports by mount path, in order.
    mounts: BTreeMap<PathBuf, Vec<usize>>,
    /// Indexes of exports by source on the host, in order.
    sources: BTreeMap<PathBuf, Vec<usize>>,
    /// What ancestors export for themselves only: source and place, for hints.
    hidden: Vec<(PathBuf, Origin)>,
}

/// An export whose source is decided.
pub(super) struct Placed {
    pub entry: Entry<Mounted>,
    pub level: usize,
    pub lies: Option<Lies>,
}

impl Placed {
    pub fn mount(&self) -> &Path {
        &self.entry.value.mount
    }

    pub fn what(&self) -> &What {
        &self.entry.value.what
    }
}

impl Tree {
    pub fn get(&self, index: usize) -> &Placed {
        &self.exports[index]
    }

    /// Exports whose source is `source`, in the order in which they are attached.
    pub fn of_source(&self, source: &Path) -> &[usize] {
        self.sources.get(source).map_or(&[], Vec::as_slice)
    }

    /// Exports mounted at `path`, in the order in which they are attached.
    pub fn at(&self, path: &Path) -> &[usize] {
        self.mounts.get(path).map_or(&[], Vec::as_slice)
    }

    /// The first export that is mounted strictly below `path`.
    pub fn below(&self, path: &Path) -> Option<&Placed> {
        let from = (std::ops::Bound::Excluded(path), std::ops::Bound::Unbounded);
        let (mount, indexes) = self.mounts.range::<Path, _>(from).next()?;
        if !mount.starts_with(path) {
            return None;
        }
        indexes.first().map(|index| self.get(*index))
    }

    /// What an ancestor exports for itself only, and `source` lies in.
    pub fn hidden(&self, source: &Path) -> Option<&Origin> {
        self.hidden
            .iter()
            .find(|(hidden, _)| paths::beneath(source, hidden).is_some())
            .map(|(_, origin)| origin)
    }

    fn add(&mut self, placed: Placed) {
        let index = self.exports.len();
        self.mounts.entry(placed.mount().to_owned()).or_default().push(index);
        if let Some((source, _)) = placed.what().source() {
            self.sources.entry(source.to_owned()).or_default().push(index);
        }
        self.exports.push(placed);
    }
}

pub(super) fn merge(family: &Family, report: &mut Report) -> Vec<Export> {
    let mut tree = Tree::default();
    for level in 0..family.heads.len() {
        let own = own(family, level, report);
        let (own, private): (Vec<_>, Vec<_>) =
            own.into_iter().partition(|entry| level == family.leaf() || !entry.value.mode.is_private());
        crossings(&own, &tree, report);
        let mut placed = Vec::with_capacity(own.len());
        for entry in own {
            let lies = sources::lies(family, &tree, level, &entry, report);
            over::judge(family, &tree, level, &entry, lies.as_ref(), report);
            placed.push(Placed { entry, level, lies });
        }
        for placed in placed {
            tree.add(placed);
        }
        let hidden = private
            .into_iter()
            .filter_map(|entry| Some((entry.value.what.source()?.0.to_owned(), entry.origin)));
        tree.hidden.extend(hidden);
    }
    tree.exports.into_iter().map(export).collect()
}

/// A node's exports by mount path; an admin one replaces the normal one at the same path.
fn own(family: &Family, level: usize, report: &mut Report) -> Vec<Entry<Mounted>> {
    let mut own: BTreeMap<&Path, &Entry<Mounted>> = BTreeMap::new();
    for entry in family.of(level).flat_map(|(_, file)| &file.exports) {
        if let Some(before) = own.insert(&entry.value.mount, entry) {
            overridden(before, &entry.origin, report);
        }
    }
    own.into_values().cloned().collect()
}

/// No mount path leads through a link or a file: of the node itself, or of an ancestor.
fn crossings(own: &[Entry<Mounted>], tree: &Tree, report: &mut Report) {
    let closed = |what: &What| matches!(what, What::Symlink { .. }) || what.is_file();
    let of_node: BTreeMap<&Path, &Entry<Mounted>> = own
        .iter()
        .filter(|entry| closed(&entry.value.what))
        .map(|entry| (entry.value.mount.as_path(), entry))
        .collect();
    for entry in own {
        let crossed = entry.value.mount.ancestors().skip(1).find_map(|path| {
            let inherited = tree.at(path).last().map(|index| &tree.get(*index).entry);
            of_node.get(path).copied().or(inherited.filter(|entry| closed(&entry.value.what)))
        });
        if let Some(crossed) = crossed {
            let kind = if crossed.value.what.is_file() { "file" } else { "symbolic link" };
            let message = format!(
                "the mount path {} leads through {}, which is a {kind}",
                entry.value.mount.display(),
                crossed.value.mount.display()
            );
            report.push(
                Finding::error(codes::MOUNT_CROSSES_LINK, message)
                    .with_place(entry.origin.place.clone())
                    .with_related(format!("the {kind}"), crossed.origin.place.clone())
                    .with_hint("mount it at the path that is meant"),
            );
        }
    }
}

fn export(placed: Placed) -> Export {
    let Placed { entry: Entry { value, origin, info, .. }, level, lies } = placed;
    // Without a place for a source there was an error, and nobody sees the value.
    let source = |host: PathBuf| Source { host, lies: lies.unwrap_or(Lies::Host) };
    let kind = match value.what {
        What::Bind { host, access, file } => ExportKind::Bind { source: source(host), access, file },
        What::Overlay { host } => ExportKind::Overlay { source: source(host) },
        What::Symlink { target } => ExportKind::Symlink { target },
        What::Anonymous => ExportKind::Anonymous,
        What::Tmpfs { size } => ExportKind::Tmpfs { size },
        What::Procfs => ExportKind::Procfs,
        What::Devfs => ExportKind::Devfs,
        What::Passwd => ExportKind::Passwd,
        What::Group => ExportKind::Group,
    };
    let private = value.mode.is_private();
    Export { mount: value.mount, kind, level, private, optional: value.optional, origin, info }
}
