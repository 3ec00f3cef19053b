//! As red-pak 2.5 merges (SPEC section 10): leaf to root, admin before normal. What a descendant has is kept; there is
//! no russian doll but for namespaces and capabilities, and that between files of the same kind only.

use std::collections::BTreeMap;
use std::path::PathBuf;

use redpak_diagnostics::Finding;

use super::environ::overridden;
use super::settings::{free, host_provides, joined, over};
use super::{Family, Stated, capabilities, exports, limits, shares};
use crate::capability::{COUNT, Capability, NAMES};
use crate::codes;
use crate::config::{Located, Switch};
use crate::effective::{Export, Layer, Lies, Origin, Settings, Share, Shares, Sourced, TimeOffsets};
use crate::paths;
use crate::resolve::{Entry, Mounted, Resolved, Stance, What};
use crate::source::Report;

pub(super) fn settings(family: &Family, report: &mut Report) -> Settings {
    let switch = |get: fn(&Resolved) -> &Option<Located<Switch>>| {
        free(family, |file| match get(file).clone()? {
            Located { value: Switch::Unset, .. } => None,
            set => Some(set.map(|value| value == Switch::Enabled)),
        })
    };
    // Limits are redpak's own: they hold together, whatever else is compatible. Nobody is told of what has no effect.
    let silent = &mut Report::default();
    Settings {
        rpmdir: directory(family, |file| &file.rpmdir),
        persistdir: directory(family, |file| &file.persistdir),
        cachedir: directory(family, |file| &file.cachedir),
        path: joined(family, |file| &file.path),
        ldpath: joined(family, |file| &file.ldpath),
        umask: free(family, |file| file.config.umask.clone()),
        map_root_user: free(family, |file| file.config.map_root_user.clone()),
        verbose: free(family, |file| file.config.verbose.clone()),
        gpgcheck: anywhere(family, |file| &file.config.gpgcheck),
        r#unsafe: anywhere(family, |file| &file.config.r#unsafe),
        inherit_env: anywhere(family, |file| &file.config.inherit_env),
        die_with_parent: switch(|file| &file.config.die_with_parent),
        new_session: switch(|file| &file.config.new_session),
        share: namespaces(family, report),
        hostname: free(family, |file| file.hostname.clone()),
        chdir: free(family, |file| file.chdir.clone()),
        capabilities: capabilities(family, report),
        host_provides: host_provides(family),
        inheritance: free(family, |file| file.config.inheritance.clone().filter(|_| is_root(family, file))),
        set_user: free(family, |file| file.set_user.clone()),
        set_group: free(family, |file| file.set_group.clone()),
        smack: free(family, |file| file.smack.clone()),
        selinux: free(family, |file| file.selinux.clone()),
        apparmor: free(family, |file| file.apparmor.clone()),
        time_offsets: TimeOffsets {
            monotonic: free(family, |file| file.config.monotonic.clone()),
            boottime: free(family, |file| file.config.boottime.clone()),
        },
        cgrouproot: free(family, |file| file.cgrouproot.clone()),
        cgroups: limits::cgroups(family),
        seccomp: limits::seccomp(family, silent),
        landlock: limits::landlock(family, silent),
        rlimits: limits::rlimits(family, silent),
    }
}

/// The last wins; an ancestor's is the leaf's only when it lies below the leaf's own directory.
fn directory(family: &Family, get: fn(&Resolved) -> &Option<Located<PathBuf>>) -> Option<Sourced<PathBuf>> {
    let leaf = family.leaf();
    let mut last: Option<Sourced<PathBuf>> = None;
    for (node, layer, file) in family.files() {
        let Some(Located { value, place }) = get(file).clone() else { continue };
        if node == leaf || paths::beneath(&value, &family.heads[leaf].redpath).is_some() {
            last = Some(over(last, Stated { value, origin: Origin { node, layer, place } }));
        }
    }
    last
}

/// How the family is merged is the root node's to say.
fn is_root(family: &Family, file: &Resolved) -> bool {
    family.of(0).any(|(_, root)| std::ptr::eq(root, file))
}

/// True when it is true anywhere; the nearest to the leaf that says so is named.
fn anywhere(family: &Family, get: fn(&Resolved) -> &Option<Located<bool>>) -> Option<Sourced<bool>> {
    let mut force: Option<Sourced<bool>> = None;
    for (node, layer, file) in family.files() {
        let Some(Located { value, place }) = get(file).clone() else { continue };
        let stated = Stated { value, origin: Origin { node, layer, place } };
        match &mut force {
            Some(set) if set.value && !stated.value => {}
            _ => force = Some(over(force, stated)),
        }
    }
    force
}

/// Makes the finding of a value that gives, and of the one that takes.
type Complaint = Box<dyn Fn(&Family, &Origin, &Origin) -> Finding>;

/// What a key gives or takes: a namespace shared or isolated, a capability kept or dropped.
struct Switchable<T> {
    /// Whether a value gives.
    gives: fn(&T) -> bool,
    /// The finding for a value that gives what an ancestor has taken.
    complaint: Complaint,
}

/// One key for itself: a normal child cannot give what a normal ancestor took, nor an admin child what an admin
/// ancestor took; what admin files say holds over all normal ones.
fn alone<T: Clone>(
    family: &Family,
    report: &mut Report,
    rule: &Switchable<T>,
    stated: &[Stated<T>],
) -> Option<Sourced<T>> {
    let topmost = stated.iter().filter(|stated| stated.origin.layer == Layer::Admin);
    let topmost = topmost.map(|stated| stated.origin.node).min();
    let mut force: Option<Sourced<T>> = None;
    for layer in [Layer::Normal, Layer::Admin] {
        let mut of_layer: Option<Sourced<T>> = None;
        for stated in stated.iter().filter(|stated| stated.origin.layer == layer) {
            // Below an admin setting a normal file changes nothing.
            let below_admin = topmost.is_some_and(|admin| stated.origin.node > admin);
            if layer == Layer::Normal && below_admin {
                continue;
            }
            match &of_layer {
                Some(set) if (rule.gives)(&stated.value) && !(rule.gives)(&set.value) => {
                    report.push((rule.complaint)(family, &stated.origin, &set.origin));
                }
                _ => of_layer = Some(over(of_layer, stated.clone())),
            }
        }
        if let Some(Sourced { value, origin, overrode }) = of_layer {
            let mut sourced = over(force, Stated { value, origin });
            sourced.overrode.splice(0..0, overrode);
            force = Some(sourced);
        }
    }
    force
}

fn namespaces(family: &Family, report: &mut Report) -> Shares {
    let all = namespace(family, report, "share_all", |file| file.shares.all.clone());
    shares::shares(shares::KEYS.map(|(key, pick)| {
        let own = namespace(family, report, key, |file| pick(&file.shares).clone());
        own.or_else(|| all.clone().filter(|_| key != "share_time"))
    }))
}

fn namespace(
    family: &Family,
    report: &mut Report,
    key: &'static str,
    get: impl Fn(&Resolved) -> Option<Located<Stance>>,
) -> Option<Sourced<Share>> {
    let mut stated = Vec::new();
    for (node, layer, file) in family.files() {
        if let Some(Located { value: Stance::Is(value), place }) = get(file) {
            stated.push(Stated { value, origin: Origin { node, layer, place } });
        }
    }
    let complaint = move |family: &Family, at: &Origin, isolated: &Origin| {
        let (node, ancestor) = (family.alias(at.node), family.alias(isolated.node));
        let message = format!("`{node}` enables `{key}`, which its ancestor `{ancestor}` disables");
        Finding::error(codes::NAMESPACE_WIDENED, message)
            .with_place(at.place.clone())
            .with_related("it is disabled here", isolated.place.clone())
            .with_hint("remove the line, or enable it in the node's admin file for administration")
    };
    let rule = Switchable { gives: |share| *share != Share::Isolated, complaint: Box::new(complaint) };
    alone(family, report, &rule, &stated)
}

/// `ALL` is a key like the others, and applied first.
fn capabilities(family: &Family, report: &mut Report) -> Vec<(String, Sourced<bool>)> {
    let mut warns = BTreeMap::new();
    let mut stated: BTreeMap<Capability, Vec<Stated<bool>>> = BTreeMap::new();
    for (node, layer, file) in family.files() {
        capabilities::overridden(file, &mut warns, report);
        for Entry { value: (cap, keep), origin, .. } in &file.capabilities {
            let origin = Origin { node, layer, place: origin.place.clone() };
            stated.entry(*cap).or_default().push(Stated { value: *keep, origin });
        }
    }
    let mut kept: capabilities::Kept = vec![None; COUNT];
    let mut merged = |cap: Capability| {
        let complaint = move |family: &Family, at: &Origin, dropped: &Origin| {
            let (node, ancestor) = (family.alias(at.node), family.alias(dropped.node));
            let message = format!("`{node}` keeps {}, which its ancestor `{ancestor}` drops", cap.name());
            Finding::error(codes::CAPABILITY_WIDENED, message)
                .with_place(at.place.clone())
                .with_related("it is dropped here", dropped.place.clone())
                .with_hint("remove the entry, or keep it in the node's admin file for administration")
        };
        let rule = Switchable { gives: |keep| *keep, complaint: Box::new(complaint) };
        alone(family, report, &rule, stated.get(&cap)?)
    };
    if let Some(all) = merged(Capability::All) {
        kept = vec![Some(all); COUNT];
    }
    for (number, kept) in kept.iter_mut().enumerate() {
        if let Some(one) = u8::try_from(number).ok().and_then(|number| merged(Capability::One(number.into())))
        {
            *kept = Some(one);
        }
    }
    let named = |(number, kept): (usize, Option<Sourced<bool>>)| Some((NAMES[number].to_owned(), kept?));
    kept.into_iter().enumerate().filter_map(named).collect()
}

/// What is exported at one mount path.
#[derive(Default)]
struct Place {
    base: Option<Entry<Mounted>>,
    lock: Option<Entry<Mounted>>,
    /// Laid over it, root's first: overlays do not give way to each other.
    layers: Vec<Entry<Mounted>>,
}

pub(super) fn exports(family: &Family, report: &mut Report) -> Vec<Export> {
    let mut places: BTreeMap<PathBuf, Place> = BTreeMap::new();
    for (node, _, file) in family.files() {
        for entry in &file.exports {
            if node < family.leaf() && entry.value.mode.is_private() {
                continue;
            }
            places.entry(entry.value.mount.clone()).or_default().take(entry.clone(), report);
        }
    }
    let all: Vec<Entry<Mounted>> = places.into_values().flat_map(Place::entries).collect();
    exports::crossings(&all, |_| None, report);
    let placed = all.into_iter().map(|entry| {
        let level = entry.origin.node;
        let lies = entry.value.what.source().map(|(host, _)| {
            let own = paths::beneath(host, &family.heads[level].redpath);
            match own.filter(|_| !matches!(entry.value.what, What::Device { .. })) {
                Some(beneath) => Lies::Own { beneath: beneath.to_owned() },
                None => Lies::Host,
            }
        });
        exports::made(entry, level, lies)
    });
    placed.collect()
}

impl Place {
    /// The entry takes the place of what files before it have there.
    fn take(&mut self, entry: Entry<Mounted>, report: &mut Report) {
        match entry.value.what {
            What::Overlay { .. } => {
                self.layers.retain(|before| {
                    let stays = before.origin.node != entry.origin.node;
                    if !stays {
                        overridden(before, &entry.origin, report);
                    }
                    stays
                });
                self.layers.push(entry);
            }
            What::Lock => replace(&mut self.lock, entry, report),
            _ => {
                // What it is put over shows no more; a node's own layers lie on top of it.
                self.layers.retain(|before| {
                    let stays = before.origin.node >= entry.origin.node;
                    if !stays {
                        overridden(before, &entry.origin, report);
                    }
                    stays
                });
                replace(&mut self.base, entry, report);
            }
        }
    }

    fn entries(self) -> impl Iterator<Item = Entry<Mounted>> {
        let mut layers = self.layers;
        layers.sort_by_key(|layer| layer.origin.node);
        self.base.into_iter().chain(layers).chain(self.lock)
    }
}

fn replace(there: &mut Option<Entry<Mounted>>, entry: Entry<Mounted>, report: &mut Report) {
    if let Some(before) = there.replace(entry)
        && let Some(after) = there
    {
        overridden(&before, &after.origin, report);
    }
}
