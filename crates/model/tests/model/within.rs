//! Random families: what is accepted never gives a child more than its parent. The judge is a small kernel of its
//! own, which attaches mounts one by one and looks at what each path shows; it shares no code with the model.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::select;
use redpak_model::effective::{
    Access, Effective, Export, ExportKind, Lies, Settings, Share, Source, Sourced,
};

use crate::family::Family;

/// A mount that can be seen: the directories of the host that it shows, topmost first; none is an empty place.
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
            (
                mount
                    .layers
                    .iter()
                    .map(|layer| layer.components().chain(rest.components()).collect())
                    .collect(),
                mount.writable,
            )
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

    /// Whether a thing of the host can be reached somewhere, with this access.
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
fn taken(before: &View, source: &Source, writable: bool) -> (Vec<Mount>, PathBuf) {
    match &source.lies {
        Lies::Inherited { inside, .. } => {
            let (things, given) = before.look(inside);
            assert_eq!(things.first(), Some(&source.host), "{} shows the source", inside.display());
            assert!(given || !writable, "{} would be writable", source.host.display());
            (before.subtree(inside, writable), inside.clone())
        }
        _ => (vec![Mount { at: "/".into(), layers: vec![source.host.clone()], writable }], "/".into()),
    }
}

/// The tree behind one level's exports.
fn level(before: &View, exports: &[&Export]) -> View {
    let mut after = before.clone();
    for export in exports {
        let at = &export.mount;
        match &export.kind {
            ExportKind::Bind { source, access, .. } => {
                let (mounts, from) = taken(before, source, *access == Access::ReadWrite);
                after.attach(at, mounts, &from);
            }
            ExportKind::Overlay { source } => {
                taken(before, source, false);
                after.lay_over(at, source.host.clone());
            }
            _ => after.attach(
                at,
                vec![Mount { at: "/".into(), layers: vec![], writable: true }],
                Path::new("/"),
            ),
        }
    }
    after
}

/// Judges the last level of an effective configuration against what its ancestors put into the tree.
fn judge_exports(effective: &Effective) {
    let of =
        |level: usize| effective.exports.iter().filter(|export| export.level == level).collect::<Vec<_>>();
    let leaf = effective.nodes.len() - 1;
    let before = (0..leaf).fold(View::default(), |view, n| level(&view, &of(n)));
    let after = level(&before, &of(leaf));
    if leaf == 0 {
        return;
    }
    for export in of(leaf) {
        match &export.kind {
            ExportKind::Bind { source, .. } | ExportKind::Overlay { source } => match &source.lies {
                Lies::Host => panic!("a child reaches the host"),
                Lies::Own { beneath } => assert_eq!(
                    effective.nodes[leaf].redpath.join(beneath).components(),
                    source.host.components()
                ),
                Lies::Inherited { export, .. } => {
                    assert!(effective.exports[*export].level < leaf && !effective.exports[*export].private)
                }
            },
            _ => {}
        }
    }
    for path in paths() {
        let (things, writable) = after.look(&path);
        for thing in &things {
            let own = thing.starts_with(&effective.nodes[leaf].redpath);
            assert!(
                own || before.shows(thing, writable),
                "{} at {} is more than the parent has",
                thing.display(),
                path.display()
            );
        }
        let (inherited, given) = before.look(&path);
        if !inherited.is_empty() {
            // Put over something inherited: the same with less access, or a layer over it.
            assert!(things.ends_with(&inherited), "{}: {inherited:?} is not in {things:?}", path.display());
            assert!(given || !writable, "{} is writable", path.display());
        }
    }
}

fn judge_settings(parent: &Settings, child: &Settings, choice_left: impl Fn(&str) -> bool) {
    let kept = |settings: &Settings| -> Vec<String> {
        settings.capabilities.iter().filter(|(_, kept)| kept.value).map(|(name, _)| name.clone()).collect()
    };
    let parents = kept(parent);
    assert!(kept(child).iter().all(|cap| parents.contains(cap)), "capabilities");
    let value = |setting: &Option<Sourced<bool>>| setting.as_ref().map(|setting| setting.value);
    for (name, parents, childs) in [
        ("user", &parent.share.user, &child.share.user),
        ("cgroup", &parent.share.cgroup, &child.share.cgroup),
        ("net", &parent.share.net, &child.share.net),
        ("pid", &parent.share.pid, &child.share.pid),
        ("ipc", &parent.share.ipc, &child.share.ipc),
    ] {
        let open = |set: &Option<Sourced<Share>>| set.as_ref().map(|set| set.value != Share::Isolated);
        if open(childs) == Some(true) {
            let left = open(parents).is_none() && choice_left(name);
            assert!(open(parents) == Some(true) || left, "share_{name}");
        }
    }
    assert!(value(&parent.gpgcheck) != Some(true) || value(&child.gpgcheck) == Some(true), "gpgcheck");
    assert!(
        value(&parent.inherit_env) != Some(false) || value(&child.inherit_env) == Some(false),
        "inherit-env"
    );
    assert!(
        value(&parent.die_with_parent) != Some(true) || value(&child.die_with_parent) == Some(true),
        "die-with-parent"
    );
    assert!(
        value(&parent.new_session) != Some(true) || value(&child.new_session) == Some(true),
        "new-session"
    );
}

/// All paths of up to three components of the alphabet.
fn paths() -> Vec<PathBuf> {
    let one = || ["a", "b"].into_iter();
    let mut all: Vec<PathBuf> = Vec::new();
    for x in one() {
        all.push(format!("/{x}").into());
        for y in one() {
            all.push(format!("/{x}/{y}").into());
            all.extend(one().map(|z| PathBuf::from(format!("/{x}/{y}/{z}"))));
        }
    }
    all
}

fn line_of_config() -> impl Strategy<Value = String> {
    let edu = select(vec!["enabled", "disabled", "unset"]);
    let key = select(vec![
        "share_all",
        "share_user",
        "share_net",
        "share_pid",
        "share_ipc",
        "share_cgroup",
        "die-with-parent",
        "new-session",
    ]);
    let boolean = (select(vec!["gpgcheck", "inherit-env"]), any::<bool>());
    let cap = (select(vec!["ALL", "CAP_KILL", "CAP_CHOWN"]), 0..2);
    prop_oneof![
        4 => (key, edu).prop_map(|(key, value)| format!("{key}: {value}")),
        1 => boolean.prop_map(|(key, value)| format!("{key}: {value}")),
        2 => prop::collection::vec(cap, 1..3).prop_map(|caps| {
            let caps: Vec<String> = caps.iter().map(|(cap, add)| format!("{{cap: {cap}, add: {add}}}")).collect();
            format!("capabilities: [{}]", caps.join(", "))
        }),
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(select(vec!["a", "b"]), 1..4).prop_map(|parts| format!("/{}", parts.join("/")))
}

fn line_of_exports() -> impl Strategy<Value = String> {
    let mode = select(vec![
        "Restricted",
        "Restricted",
        "Public",
        "Public",
        "PrivateRestricted",
        "Private",
        "Overlay",
        "Overlay",
        "Tmpfs",
        "Anonymous",
        "Procfs",
        "RestrictedFile",
    ]);
    // Mostly what the file leaves out: the source is the mount path.
    let source = prop_oneof![3 => Just(None), 2 => path().prop_map(Some), 2 => path().prop_map(|path| Some(format!("$NODE_PATH{path}")))];
    (mode, path(), source).prop_map(|(mode, mount, source)| {
        let source = source.filter(|_| !["Tmpfs", "Anonymous", "Procfs"].contains(&mode));
        let source = source.map_or_else(String::new, |source| format!(", path: {source}"));
        format!("{{mount: {mount}, mode: {mode}{source}}}")
    })
}

/// A file's lines: `config` and `exports`.
#[derive(Clone, Debug, Default)]
struct Lines(Vec<String>, Vec<String>);

impl Lines {
    fn body(&self) -> String {
        format!("config: {{{}}}\nexports: [{}]", self.0.join(", "), self.1.join(", "))
    }
}

fn file() -> impl Strategy<Value = Lines> {
    let exports = prop::collection::vec(line_of_exports(), 0..7);
    (prop::collection::vec(line_of_config(), 0..4), exports)
        .prop_map(|(config, exports)| Lines(config, exports))
}

fn family(files: &[(Lines, Option<Lines>)]) -> Family {
    files.iter().fold(Family::default(), |family, (normal, admin)| {
        let family = family.node(&normal.body());
        admin.iter().fold(family, |family, admin| family.admin(&admin.body()))
    })
}

/// The files' lines one after another, without those that the model refuses: random files are seldom sound.
fn accepted(files: &[(Lines, Option<Lines>)]) -> Vec<(Lines, Option<Lines>)> {
    let mut kept: Vec<(Lines, Option<Lines>)> = Vec::new();
    let sound = |files: &[(Lines, Option<Lines>)]| {
        let family = family(files);
        family.run(false).0.is_some() && family.run(true).0.is_some()
    };
    for (normal, admin) in files {
        kept.push((Lines::default(), admin.as_ref().map(|_| Lines::default())));
        let node = kept.len() - 1;
        let of_admin = admin.iter().map(|lines| (true, lines));
        for (is_admin, lines) in std::iter::once((false, normal)).chain(of_admin) {
            for (is_export, line) in
                lines.0.iter().map(|line| (false, line)).chain(lines.1.iter().map(|line| (true, line)))
            {
                let mut with = kept.clone();
                let file =
                    if is_admin { with[node].1.as_mut().expect("an admin file") } else { &mut with[node].0 };
                if is_export {
                    file.1.push(line.clone())
                } else {
                    file.0.push(line.clone())
                }
                if sound(&with) {
                    kept = with;
                }
            }
        }
    }
    kept
}

/// How many families: `PROPTEST_CASES`, or few enough for each run of the tests.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_child_never_has_more_than_its_parent(
        files in prop::collection::vec((file(), prop::option::weighted(0.3, file())), 2..5)
    ) {
        let files = accepted(&files);
        for admin in [false, true] {
            let run = |levels: usize| family(&files[..levels]).run(admin).0.expect("accepted");
            let mut parent = run(1);
            for levels in 2..=files.len() {
                let child = run(levels);
                judge_exports(&child);
                let root = &files[0];
                let says_unset = |lines: &Lines, name: &str| {
                    lines.0.iter().any(|line| *line == format!("share_{name}: unset") || line == "share_all: unset")
                };
                judge_settings(&parent.settings, &child.settings, |name| {
                    says_unset(&root.0, name) || (admin && root.1.as_ref().is_some_and(|lines| says_unset(lines, name)))
                });
                parent = child;
            }
        }
    }
}

/// The judge judges: effective configurations that the model would never give are refused.
#[test]
fn the_judge_finds_what_is_wider() {
    let family = Family::root("exports: [{mount: /a, mode: Restricted}]")
        .node("exports: [{mount: /b, mode: Restricted, path: /a/b}, {mount: /a, mode: Overlay, path: $NODE_PATH/a}]");
    let sound = family.ok();
    judge_exports(&sound);
    let wider = |change: fn(&mut Effective)| {
        let mut effective = sound.clone();
        change(&mut effective);
        let judged = std::panic::catch_unwind(|| judge_exports(&effective));
        assert!(judged.is_err(), "{:?}", effective.exports);
    };
    wider(|e| {
        e.exports[2].kind =
            ExportKind::Bind { source: inherited("/a/b", "/a/b"), access: Access::ReadWrite, file: false }
    });
    wider(|e| {
        e.exports[2].kind =
            ExportKind::Bind { source: inherited("/a/b", "/b"), access: Access::ReadOnly, file: false }
    });
    wider(|e| {
        e.exports[2].kind =
            ExportKind::Bind { source: inherited("/c", "/a"), access: Access::ReadOnly, file: false }
    });
    wider(|e| {
        e.exports[2].kind = ExportKind::Bind {
            source: Source { host: "/c".into(), lies: Lies::Host },
            access: Access::ReadOnly,
            file: false,
        }
    });
    wider(|e| e.exports[1].kind = ExportKind::Tmpfs { size: None });
}

fn inherited(host: &str, inside: &str) -> Source {
    Source { host: host.into(), lies: Lies::Inherited { export: 0, inside: inside.into() } }
}
