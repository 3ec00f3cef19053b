//! Ten thousand random families: what is accepted never gives a child more than its parent, every value stands where
//! it says, nothing changes by being merged again, and a file that is printed is read as the same.

use std::collections::BTreeSet;

use redpak_model::effective::{
    Access, Account, Effective, ExportKind, Layer, Lies, NodeLimits, Origin, Rlimit, Share, Source, Sourced,
};
use redpak_model::schema::{self, Key};
use redpak_model::{Names, NodeText, SourceText};

use crate::family::Family;
use crate::random::sourced::items;
use crate::random::{RandomFamily, Runs, Written, judge, lines, printer, redpath, section10, setting, tree};

/// How many families are judged at a time: of each such block every key of the schema must be part.
const BLOCK: u64 = 100;

/// Judges a family; whether all of its nodes are accepted.
fn judged(family: &RandomFamily, runs: Option<Runs>) -> Result<bool, String> {
    let mut all = true;
    let written = family.written();
    for (_, runs) in runs.unwrap_or_else(|| written.runs()) {
        all &= runs.iter().all(Option::is_some);
        for pair in runs.windows(2) {
            if let [Some(parent), Some(child)] = pair {
                judge::within(family, parent, child)?;
            }
        }
        for effective in runs.iter().flatten() {
            judge::origins(&written, effective)?;
        }
        if let Some(Some(effective)) = runs.last().filter(|_| family.seed.is_multiple_of(3)) {
            empty_leaf(&written, effective)?;
            restated(&written, effective)?;
        }
    }
    for node in written.nodes.iter().filter(|_| family.seed % 3 == 1) {
        printer::same_when_printed(&node.normal, Layer::Normal)?;
        node.admin.iter().try_for_each(|file| printer::same_when_printed(file, Layer::Admin))?;
    }
    Ok(all)
}

#[test]
fn random_families() {
    let (first, count) = (setting("REDPAK_SEED", 1), setting("REDPAK_FAMILIES", 10_000));
    let (mut sound, mut uses) = (0, BTreeSet::new());
    for seed in first..first + count {
        let mut family = lines::family(seed);
        // One in four stays as it is: what is refused must not be judged worse than what is sound.
        let runs = if seed.is_multiple_of(4) { None } else { family.repair() };
        match judged(&family, runs) {
            Ok(all) => sound += u64::from(all),
            Err(why) => panic!("{why}\n{}", family.show()),
        }
        uses.append(&mut family.uses());
        if (seed - first + 1).is_multiple_of(BLOCK) {
            let missing: Vec<String> = keys().into_iter().filter(|key| !uses.contains(key)).collect();
            assert!(missing.is_empty(), "none of the {BLOCK} families up to seed {seed} has {missing:?}");
            uses.clear();
        }
    }
    assert!(sound * 2 >= count, "{sound} of {count} families are sound, from seed {first}");
}

/// Compatible families against the tests' own implementation of SPEC section 10.
#[test]
fn random_compatible_families() {
    let (first, count) = (setting("REDPAK_SEED", 1), setting("REDPAK_FAMILIES", 10_000) / 4);
    let mut accepted = 0;
    for seed in first..=first + count {
        let family = section10::family(seed);
        let written = family.written();
        for admin in [false, true] {
            let compared = section10::compare(&written, admin).and_then(|()| {
                let Some(effective) = written.run(family.nodes.len(), admin).0 else { return Ok(()) };
                accepted += 1;
                section10::layers(&written, &effective)?;
                judge::origins(&written, &effective)
            });
            if let Err(why) = compared {
                panic!("{why}{}\n{}", if admin { "for administration\n" } else { "" }, family.show());
            }
        }
    }
    assert!(accepted >= count / 2, "of {count} families {accepted} are accepted, from seed {first}");
}

/// All keys of the schema and all modes, as [`RandomFamily::uses`] has them.
fn keys() -> Vec<String> {
    let sections: [(&str, &[Key]); 17] = [
        ("file", schema::FILE),
        ("headers", schema::HEADERS),
        ("config", schema::CONFIG),
        ("capabilities", schema::CAPABILITIES),
        ("time-offsets", schema::TIME_OFFSETS),
        ("cgroups", schema::CGROUPS),
        ("cpuset", schema::CPUSET),
        ("mem", schema::MEM),
        ("cpu", schema::CPU),
        ("io", schema::IO),
        ("pids", schema::PIDS),
        ("seccomp", schema::SECCOMP),
        ("rules", schema::SECCOMP_RULES),
        ("landlock", schema::LANDLOCK),
        ("rlimits", schema::RLIMITS),
        ("environ", schema::ENVIRON),
        ("exports", schema::EXPORTS),
    ];
    let keys = sections.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (section, key.name)));
    let modes = schema::EXPORT_MODES.iter().map(|(word, _)| word);
    let modes = modes.chain(schema::VARIABLE_MODES.iter().map(|(word, _)| word));
    let keys = keys.map(|(section, key)| format!("{section}.{key}"));
    keys.chain(modes.map(|word| format!("mode {}", word.to_lowercase()))).collect()
}

/// A node with that text.
fn leaf(level: usize, text: String) -> NodeText {
    let path = redpath(level);
    let normal = SourceText::new(format!("{path}/etc/redpak.yaml"), text);
    NodeText { redpath: path.into(), normal, admin: None }
}

/// Whether something in the files is another thing for another leaf.
fn names_the_leaf(written: &Written<'_>) -> bool {
    let files = written.nodes.iter().flat_map(|node| std::iter::once(&node.normal).chain(&node.admin));
    files.into_iter().any(|file| file.text.contains("$LEAF_"))
}

/// A leaf that says nothing changes nothing but who the leaf is.
fn empty_leaf(written: &Written<'_>, effective: &Effective) -> Result<(), String> {
    let levels = written.nodes.len();
    let mut nodes = written.nodes.clone();
    nodes.push(leaf(levels, format!("headers: {{alias: n{levels}}}\n")));
    let Some(mut leaf) = redpak_model::effective(&nodes, effective.admin, &Names::default()).0 else {
        return Err("a leaf that says nothing is refused".to_owned());
    };
    if names_the_leaf(written) {
        return Ok(());
    }
    let mut before = effective.clone();
    // Directories of package work and private exports are the node's own.
    for settings in [&mut before.settings, &mut leaf.settings] {
        (settings.rpmdir, settings.persistdir, settings.cachedir) = (None, None, None);
    }
    let private: Vec<Origin> =
        before.exports.iter().filter(|e| e.private).map(|e| e.origin.clone()).collect();
    before.exports.retain(|export| !export.private);
    before.unjudged.retain(|unjudged| !private.contains(&unjudged.origin));
    leaf.unjudged.retain(|unjudged| !private.contains(&unjudged.origin));
    before.nodes.push(leaf.nodes[levels].clone());
    // What a command decides is told for private entries too, wherever the entry is named.
    before.unjudged.clear();
    leaf.unjudged.clear();
    (before == leaf).then_some(()).ok_or_else(|| format!("{before:#?}\nis not\n{leaf:#?}"))
}

/// A child that says again what its parent has changes nothing but where it stands.
fn restated(written: &Written<'_>, effective: &Effective) -> Result<(), String> {
    let level = written.nodes.len();
    let body = format!("headers: {{alias: n{level}}}\n{}", printer::restated(effective));
    let mut nodes = written.nodes.clone();
    nodes.push(leaf(level, body.clone()));
    let (child, findings) = redpak_model::effective(&nodes, effective.admin, &Names::default());
    let Some(child) = child else { return Err(format!("{findings:#?}\n{body}")) };
    let own = ["rpmdir", "persistdir", "cachedir"];
    let values = |effective: &Effective| -> Vec<(String, String)> {
        let mut values: Vec<_> = items(effective).into_iter().map(|item| (item.key, item.value)).collect();
        values.retain(|(key, _)| !own.contains(&key.as_str()) && !key.starts_with("exports "));
        values
    };
    if names_the_leaf(written) {
        return Ok(());
    }
    let (before, after) = (values(effective), values(&child));
    (before == after).then_some(()).ok_or_else(|| format!("{before:?}\nis not\n{after:?}\n{body}"))
}

/// The judge judges: effective configurations that the model would never give are refused, each kind of widening.
#[test]
fn the_judge_finds_what_is_wider() {
    let root = "config: {gpgcheck: true, inherit-env: false, die-with-parent: enabled, new-session: enabled,
  set-user: u, set-group: g, smack: s, selinux: 'u:r:t', apparmor: p, unsafe: false, inheritance: strict, cgrouproot: /c,
  time-offsets: {monotonic: 1}, host-provides: [a], share_all: disabled, share_net: /ns/a, share_time: disabled,
  cgroups: {pids: {max: 5}}, seccomp: {default: allow}, landlock: {tcp-bind: []}, rlimits: {nofile: 5},
  capabilities: [{cap: KILL, add: 1}], hostname: h}
environ: [{key: A, value: x}]
exports: [{mount: /a, mode: Restricted}, {mount: /dev/x, mode: Device}, {mount: /p, mode: Procfs}]";
    let child =
        "exports: [{mount: /b, mode: Restricted, path: /a/b}, {mount: /a, mode: Overlay, path: $NODE_PATH/a},
  {mount: /y, mode: Device, path: /dev/x}, {mount: /e, mode: Tmpfs}]";
    let parent = Family::root(root).ok();
    let sound = Family::root(root).node(child).ok();
    let silent = RandomFamily { seed: 0, nodes: vec![Default::default(), Default::default()] };
    judge::within(&silent, &parent, &sound).expect("it is sound");
    let wider = |what: &str, change: &dyn Fn(&mut Effective)| {
        let mut effective = sound.clone();
        change(&mut effective);
        assert!(judge::within(&silent, &parent, &effective).is_err(), "{what} is not found");
    };
    let origin = sound.nodes.len() - 1;
    let of_child = |value: bool| {
        let mut origin_of_child = sound.environ[0].origin.clone();
        origin_of_child.node = origin;
        Some(Sourced { value, origin: origin_of_child, overrode: Vec::new() })
    };
    fn set<T: Clone, U>(of: &Option<Sourced<T>>, value: U) -> Option<Sourced<U>> {
        of.as_ref().map(|set| Sourced { value, origin: set.origin.clone(), overrode: Vec::new() })
    }
    wider("gpgcheck", &|e| e.settings.gpgcheck = of_child(false));
    wider("gpgcheck by silence", &|e| e.settings.gpgcheck = None);
    wider("inherit-env", &|e| e.settings.inherit_env = of_child(true));
    wider("die-with-parent", &|e| e.settings.die_with_parent = of_child(false));
    wider("new-session", &|e| e.settings.new_session = None);
    wider("unsafe", &|e| e.settings.r#unsafe = of_child(true));
    wider("set-user", &|e| e.settings.set_user = set(&e.settings.hostname, Account::Id(0)));
    wider("set-group", &|e| e.settings.set_group = None);
    wider("smack", &|e| e.settings.smack = set(&e.settings.hostname, "_".to_owned()));
    wider("selinux", &|e| e.settings.selinux = None);
    wider("apparmor", &|e| e.settings.apparmor = None);
    wider("inheritance", &|e| e.settings.inheritance = None);
    wider("cgrouproot", &|e| e.settings.cgrouproot = set(&e.settings.hostname, "/".into()));
    wider("time-offsets", &|e| e.settings.time_offsets.monotonic = set(&e.settings.hostname, 9));
    wider("host-provides", &|e| e.settings.host_provides.clear());
    wider("rpmdir", &|e| e.settings.rpmdir = set(&e.settings.hostname, "/var/lib/rpm".into()));
    wider("persistdir", &|e| e.settings.persistdir = set(&e.settings.hostname, "/n0/n1".into()));
    wider("cachedir", &|e| e.settings.cachedir = set(&e.settings.hostname, "/n0/n1x/y".into()));
    wider("share_user", &|e| e.settings.share.user = set(&e.settings.hostname, Share::Shared));
    wider("share_cgroup", &|e| e.settings.share.cgroup = set(&e.settings.hostname, Share::Shared));
    wider("share_net", &|e| e.settings.share.net = set(&e.settings.hostname, Share::Join("/ns/b".into())));
    wider("share_net shared", &|e| e.settings.share.net = set(&e.settings.hostname, Share::Shared));
    wider("share_pid", &|e| e.settings.share.pid = set(&e.settings.hostname, Share::Join("/j".into())));
    wider("share_ipc", &|e| e.settings.share.ipc = set(&e.settings.hostname, Share::Shared));
    wider("share_time", &|e| e.settings.share.time = None);
    wider("capabilities", &|e| {
        let mut kept = e.settings.capabilities[0].clone();
        kept.0 = "CAP_SYS_ADMIN".to_owned();
        e.settings.capabilities.push(kept);
    });
    wider("cgroups", &|e| e.settings.cgroups.clear());
    wider("cgroups' value", &|e| e.settings.cgroups[0].files[0].1.value = "max".to_owned());
    wider("cgroups twice", &|e| {
        let more = NodeLimits { node: 1, files: vec![] };
        e.settings.cgroups.extend([more.clone(), more]);
    });
    wider("seccomp", &|e| e.settings.seccomp.clear());
    wider("landlock", &|e| e.settings.landlock[0].value.tcp_bind = Some(vec![80]));
    wider("rlimits", &|e| e.settings.rlimits.clear());
    wider("rlimits' soft", &|e| {
        e.settings.rlimits[0].1.value = Rlimit { soft: None, hard: Some(5) };
    });
    wider("rlimits' hard", &|e| {
        e.settings.rlimits[0].1.value = Rlimit { soft: Some(5), hard: Some(6) };
    });
    wider("a free key by silence", &|e| e.settings.hostname = None);
    wider("environ by silence", &|e| e.environ.clear());
    let at = |effective: &Effective, mount: &str| {
        effective.exports.iter().rposition(|export| export.mount.as_os_str() == mount).expect("an export")
    };
    let bind = |source, access| ExportKind::Bind { source, access, file: false };
    let mut exports: Vec<(&str, &str, ExportKind)> = vec![
        ("more access", "/b", bind(inherited("/a/b", "/a/b"), Access::ReadWrite)),
        ("another place", "/b", bind(inherited("/a/b", "/b"), Access::ReadOnly)),
        ("another source", "/b", bind(inherited("/c", "/a"), Access::ReadOnly)),
        ("a mount that covers", "/a", ExportKind::Tmpfs { size: None }),
        ("a command that covers", "/a", ExportKind::Execfd { command: "x".into(), output: None }),
        ("the caller's descriptor", "/e", ExportKind::Internal { descriptor: 3 }),
        ("a device of nobody", "/y", ExportKind::Device { source: inherited("/dev/y", "/dev/x") }),
        ("a device of a bind", "/y", ExportKind::Device { source: inherited("/a", "/a") }),
    ];
    for lies in [Lies::Host, Lies::Own { beneath: "c".into() }] {
        let source = Source { host: "/c".into(), lies };
        exports.push(("a source of the host", "/b", bind(source.clone(), Access::ReadOnly)));
        exports.push(("a layer of the host", "/a", ExportKind::Overlay { source: source.clone() }));
        exports.push(("a device of the host", "/y", ExportKind::Device { source }));
    }
    for (what, mount, kind) in exports {
        wider(what, &|e| {
            let index = at(e, mount);
            e.exports[index].kind = kind.clone();
        });
    }
    wider("a mount over a procfs", &|e| {
        let index = at(e, "/e");
        e.exports[index].mount = "/p".into();
    });
    wider("a private export", &|e| e.exports[0].private = true);
    // And what is no wider is not.
    let mut narrower = sound.clone();
    narrower.settings.capabilities.clear();
    let silence = judge::within(&silent, &parent, &narrower).expect_err("silence takes nothing away");
    assert!(silence.contains("silence"), "{silence}");
    tree::judge(&narrower).expect("nothing is mounted otherwise");
}

fn inherited(host: &str, inside: &str) -> Source {
    Source { host: host.into(), lies: Lies::Inherited { export: 0, inside: inside.into() } }
}

/// The judge of origins judges: a value that stands elsewhere is found.
#[test]
fn the_judge_finds_an_origin_that_is_not_real() {
    let mut family = lines::family(7);
    assert!(family.repair().is_some());
    let written = family.written();
    let sound = written.run(2, false).0.expect("it is sound");
    judge::origins(&written, &sound).expect("its origins are real");
    let found = |change: &dyn Fn(&mut Effective)| {
        let mut effective = sound.clone();
        change(&mut effective);
        judge::origins(&written, &effective).is_err()
    };
    let export = sound.exports.first().expect("an export").clone();
    assert!(found(&|e| e.exports[0].origin.place.line += 40));
    assert!(found(&|e| e.exports[0].origin.node += 1));
    assert!(found(&|e| e.exports[0].origin.layer = Layer::Admin));
    assert!(found(&|e| e.exports[0].mount = export.mount.join("x")));
    assert!(found(&|e| e.exports[0].origin.place.source = "".into()));
    assert!(found(&|e| e.exports[0].origin.place.length += 400));
}
