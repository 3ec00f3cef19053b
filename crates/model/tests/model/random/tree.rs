//! A small kernel of the tests' own: it attaches exports one by one, and looks at what each path shows. It shares no
//! code with the model.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use redpak_model::Effective;
use redpak_model::effective::{Access, Export, ExportKind, Lies, Source};

/// What is wrong, in a sentence.
pub type Judged = Result<(), String>;

/// Ends a judgement with a sentence unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}
pub(crate) use ensure;

/// A mount that can be seen: the things that it shows, topmost first; none is an empty place. What is no path of the
/// host, a procfs or the output of a command, is a path of its own below `/special`.
#[derive(Clone, Debug)]
struct Mount {
    at: PathBuf,
    layers: Vec<PathBuf>,
    writable: bool,
}

/// The mounts that can be seen.
#[derive(Clone, Debug, Default)]
struct View(Vec<Mount>);

impl View {
    /// What a path shows: none is an empty place.
    fn look(&self, path: &Path) -> (Vec<PathBuf>, bool) {
        let found = self
            .0
            .iter()
            .filter(|mount| path.starts_with(&mount.at))
            .max_by_key(|mount| mount.at.components().count());
        found.map_or((vec![], true), |mount| {
            let rest = path.strip_prefix(&mount.at).expect("a prefix");
            let layers =
                mount.layers.iter().map(|layer| layer.components().chain(rest.components()).collect());
            (layers.collect(), mount.writable)
        })
    }

    /// The mounts at and below a path, as a recursive bind takes them along.
    fn subtree(&self, path: &Path, writable: bool) -> Vec<Mount> {
        let (layers, given) = self.look(path);
        let below = self.0.iter().filter(|mount| mount.at != path && mount.at.starts_with(path));
        let below = below.map(|mount| Mount { writable: mount.writable && writable, ..mount.clone() });
        std::iter::once(Mount { at: path.to_owned(), layers, writable: given && writable })
            .chain(below)
            .collect()
    }

    fn attach(&mut self, at: &Path, mounts: Vec<Mount>, from: &Path) {
        self.0.retain(|mount| !mount.at.starts_with(at));
        self.0.extend(mounts.into_iter().map(|mount| {
            let rest = mount.at.strip_prefix(from).expect("below").to_owned();
            Mount { at: at.components().chain(rest.components()).collect(), ..mount }
        }));
    }

    /// Lays a directory over what is there; mounts below are bound again.
    fn lay_over(&mut self, at: &Path, layer: PathBuf) {
        let mut layers = vec![layer];
        layers.extend(self.look(at).0);
        self.0.retain(|mount| mount.at != at);
        self.0.push(Mount { at: at.to_owned(), layers, writable: false });
    }

    /// Whether a thing can be reached somewhere, with this access.
    fn shows(&self, thing: &Path, writable: bool) -> bool {
        let places = self.0.iter().flat_map(|mount| {
            let inside = |layer: &PathBuf| thing.strip_prefix(layer).ok().map(|rest| mount.at.join(rest));
            mount.layers.iter().filter_map(inside).collect::<Vec<_>>()
        });
        places.into_iter().any(|place| {
            let (things, given) = self.look(place.components().as_path());
            things.iter().any(|shown| shown == thing) && (given || !writable)
        })
    }
}

/// Where a source is taken from, in the tree before its level.
fn taken(before: &View, source: &Source, writable: bool) -> Result<(Vec<Mount>, PathBuf), String> {
    match &source.lies {
        Lies::Inherited { inside, .. } => {
            let (things, given) = before.look(inside);
            ensure!(
                things.first() == Some(&source.host),
                "{} does not show {}",
                inside.display(),
                source.host.display()
            );
            ensure!(given || !writable, "{} would be writable", source.host.display());
            Ok((before.subtree(inside, writable), inside.clone()))
        }
        _ => Ok((vec![Mount { at: "/".into(), layers: vec![source.host.clone()], writable }], "/".into())),
    }
}

/// The tree behind one level's exports.
fn level(before: &View, exports: &[&Export]) -> Result<View, String> {
    let mut after = before.clone();
    for export in exports {
        let at = &export.mount;
        let special = || PathBuf::from(format!("/special/{}{}", export.level, at.display()));
        let layers = match &export.kind {
            ExportKind::Bind { source, access, .. } => {
                let (mounts, from) = taken(before, source, *access == Access::ReadWrite)?;
                after.attach(at, mounts, &from);
                continue;
            }
            ExportKind::Overlay { source } => {
                taken(before, source, false)?;
                after.lay_over(at, source.host.clone());
                continue;
            }
            ExportKind::Device { source } => {
                let (mounts, from) = taken(before, source, true)?;
                after.attach(at, mounts, &from);
                continue;
            }
            ExportKind::Lock => continue,
            ExportKind::Anonymous | ExportKind::Tmpfs { .. } => vec![],
            ExportKind::Symlink { .. }
            | ExportKind::Execfd { .. }
            | ExportKind::Internal { .. }
            | ExportKind::Procfs
            | ExportKind::Mqueue
            | ExportKind::Devfs
            | ExportKind::Passwd
            | ExportKind::Group => vec![special()],
        };
        after.attach(at, vec![Mount { at: "/".into(), layers, writable: true }], Path::new("/"));
    }
    Ok(after)
}

/// Judges the last level of an effective configuration against what its ancestors put into the tree.
pub fn judge(effective: &Effective) -> Judged {
    let of =
        |level: usize| effective.exports.iter().filter(|export| export.level == level).collect::<Vec<_>>();
    let leaf = effective.nodes.len() - 1;
    let before = (0..leaf).try_fold(View::default(), |view, n| level(&view, &of(n)))?;
    let after = level(&before, &of(leaf))?;
    if leaf == 0 {
        return Ok(());
    }
    for export in of(leaf) {
        source(effective, export)?;
    }
    let ours = |thing: &Path| {
        thing.starts_with(&effective.nodes[leaf].redpath) || thing.starts_with(format!("/special/{leaf}"))
    };
    for path in paths(effective) {
        let (things, writable) = after.look(&path);
        for thing in things.iter().filter(|thing| !ours(thing)) {
            let (thing_shown, path) = (thing.display(), path.display());
            ensure!(before.shows(thing, writable), "{thing_shown} at {path} is more than the parent has");
        }
        let (inherited, given) = before.look(&path);
        if !inherited.is_empty() {
            // Put over something inherited: the same with less access, or a layer over it.
            let path = path.display();
            ensure!(things.ends_with(&inherited), "{path}: {inherited:?} is not in {things:?}");
            ensure!(given || !writable, "{path} is writable");
        }
    }
    Ok(())
}

/// Where the source of the leaf's export lies.
fn source(effective: &Effective, export: &Export) -> Judged {
    let (leaf, mount) = (export.level, export.mount.display());
    let (source, device) = match &export.kind {
        ExportKind::Bind { source, .. } | ExportKind::Overlay { source } => (source, false),
        ExportKind::Device { source } => (source, true),
        ExportKind::Internal { .. } => return Err(format!("{mount}: a child reads from the caller")),
        _ => return Ok(()),
    };
    match &source.lies {
        Lies::Host => Err(format!("{mount}: a child reaches the host")),
        Lies::Own { beneath } => {
            let own = effective.nodes[leaf].redpath.join(beneath);
            ensure!(!device, "{mount}: a device of the child's own");
            ensure!(
                own.components().eq(source.host.components()),
                "{mount}: {} is not its own",
                own.display()
            );
            Ok(())
        }
        Lies::Inherited { export, .. } => {
            let from = &effective.exports[*export];
            ensure!(from.level < leaf, "{mount}: {} is not an ancestor's", from.mount.display());
            ensure!(!from.private, "{mount}: {} is private", from.mount.display());
            let exported = match &from.kind {
                ExportKind::Device { source: theirs } => theirs.host == source.host,
                _ => false,
            };
            ensure!(!device || exported, "{mount}: no ancestor exports the device");
            Ok(())
        }
    }
}

/// Paths worth a look: all of up to three components of the alphabet, and all that is mounted somewhere.
fn paths(effective: &Effective) -> BTreeSet<PathBuf> {
    let one = || ["a", "b"].into_iter();
    let mut all = BTreeSet::new();
    for x in one() {
        all.insert(format!("/{x}").into());
        for y in one() {
            all.insert(format!("/{x}/{y}").into());
            all.extend(one().map(|z| PathBuf::from(format!("/{x}/{y}/{z}"))));
        }
    }
    for export in &effective.exports {
        all.insert(export.mount.clone());
        all.insert(export.mount.join("a"));
    }
    all
}
