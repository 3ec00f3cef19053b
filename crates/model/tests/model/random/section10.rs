//! SPEC section 10 once more, small and by itself: how a compatible family is merged. It works on what the lines of
//! random files say, and shares no code with the model.

use std::collections::BTreeMap;

use redpak_model::{Effective, Layer};

use super::lines::{capability, config, export_at, variable};
use super::sourced::items;
use super::{File, Line, Node, RandomFamily, Rng, Written, of_leaf, redpath};

/// A value and where it stands: node and layer.
type Stands = (String, usize, Layer);

/// What a family makes.
#[derive(Debug)]
pub enum Expected {
    /// These values by key, as [`super::sourced`] has them.
    Values(BTreeMap<String, Stands>),
    /// An error: a right that an ancestor took away.
    Refused(&'static str),
    /// The rules do not say.
    Silent,
}

/// Keys that a compatible family has in random files.
const KEYS: [&str; 26] = [
    "umask",
    "hostname",
    "chdir",
    "verbose",
    "map-root-user",
    "set-user",
    "set-group",
    "smack",
    "selinux",
    "apparmor",
    "cgrouproot",
    "rpmdir",
    "persistdir",
    "cachedir",
    "gpgcheck",
    "inherit-env",
    "unsafe",
    "die-with-parent",
    "new-session",
    "share_all",
    "share_user",
    "share_cgroup",
    "share_net",
    "share_pid",
    "share_ipc",
    "share_time",
];

const NAMESPACES: [&str; 6] =
    ["share_user", "share_cgroup", "share_net", "share_pid", "share_ipc", "share_time"];

/// A compatible family of two or three nodes.
pub fn family(seed: u64) -> RandomFamily {
    let mut rng = Rng::new(seed);
    let levels = 2 + rng.below(2);
    let mut nodes = Vec::new();
    for level in 0..levels {
        let normal = file(&mut rng, level, true);
        let admin = rng.percent(50).then(|| file(&mut rng, level, false));
        nodes.push(Node { normal, admin });
    }
    nodes[0].normal.lines.push(Line {
        section: "config",
        key: "inheritance".to_owned(),
        text: "inheritance: compatible".to_owned(),
        says: vec![("inheritance".to_owned(), "compatible".to_owned())],
        ..Line::default()
    });
    RandomFamily { seed, nodes }
}

fn file(rng: &mut Rng, level: usize, normal: bool) -> File {
    let mut file = File::default();
    for key in KEYS {
        let line = config(rng, key, level);
        // What a command decides is no matter of merging.
        if rng.percent(25) && !line.text.contains("$(") {
            file.add(line);
        }
    }
    for _ in 0..rng.below(4) {
        file.add(capability(rng));
    }
    for _ in 0..rng.below(3) {
        file.add(variable(rng, level));
    }
    for _ in 0..rng.below(4) {
        // Paths that do not lie in one another: what leads through a link is an error in both inheritances.
        let mount = format!("/m{}", rng.below(4));
        let modes =
            ["Restricted", "Public", "Private", "PrivateFile", "Tmpfs", "Symlink", "Execfd", "Passwd"];
        let mode = rng.pick(&modes);
        file.add(export_at(rng, level, mode, &mount));
    }
    if normal && rng.percent(40) {
        // A layer of its own over a directory that nobody else is at.
        file.add(export_at(rng, level, "Overlay", "/layers"));
    }
    file
}

/// What the rules make of a family.
pub fn expected(family: &RandomFamily, admin: bool) -> Expected {
    let leaf = family.nodes.len() - 1;
    let mut values = BTreeMap::new();
    for key in KEYS.iter().filter(|key| !key.starts_with("share_")) {
        let found = match *key {
            "gpgcheck" | "inherit-env" | "unsafe" => true_anywhere(family, key, admin),
            "rpmdir" | "persistdir" | "cachedir" => directory(family, key, admin),
            key => last(&statements(family, key, admin)),
        };
        values.extend(found.map(|found| ((*key).to_owned(), found)));
    }
    match rights(family, admin, &mut values) {
        Ok(()) => {}
        Err(answer) => return answer,
    }
    for key in ["A", "B", "a"].map(|key| format!("environ {key}")) {
        values.extend(last(&statements(family, &key, admin)).map(|found| (key, found)));
    }
    for mount in (0..4).map(|n| format!("exports /m{n}")) {
        let of_others = |stands: &Stands, line: &Line| stands.1 == leaf || !is_private(line);
        let seen = lines(family, &mount, admin).into_iter().filter(|(stands, line)| of_others(stands, line));
        let seen: Vec<Stands> = seen.map(|(stands, _)| stands).collect();
        values.extend(last(&seen).map(|found| (mount, found)));
    }
    Expected::Values(values)
}

fn is_private(line: &Line) -> bool {
    line.text.contains("mode: Private")
}

/// The lines of that key in the order in which the last one wins: normal files root first, then admin files.
fn lines<'f>(family: &'f RandomFamily, key: &str, admin: bool) -> Vec<(Stands, &'f Line)> {
    let leaf = family.nodes.len() - 1;
    let mut found = Vec::new();
    for layer in [Layer::Normal, Layer::Admin] {
        for (node, files) in family.nodes.iter().enumerate() {
            let file = files.files(admin).find(|(known, _)| *known == layer);
            let lines = file.into_iter().flat_map(|(_, file)| &file.lines).filter(|line| line.key == key);
            found.extend(lines.flat_map(|line| {
                line.says.iter().map(move |(_, value)| ((of_leaf(value, leaf), node, layer), line))
            }));
        }
    }
    found
}

fn statements(family: &RandomFamily, key: &str, admin: bool) -> Vec<Stands> {
    lines(family, key, admin).into_iter().map(|(stands, _)| stands).collect()
}

fn last(statements: &[Stands]) -> Option<Stands> {
    statements.last().cloned()
}

fn true_anywhere(family: &RandomFamily, key: &str, admin: bool) -> Option<Stands> {
    let all = statements(family, key, admin);
    let truth = all.iter().rev().find(|(value, ..)| value == "true");
    truth.or(all.last()).cloned()
}

/// The last wins; an ancestor's counts for the leaf where it lies below the leaf's directory.
fn directory(family: &RandomFamily, key: &str, admin: bool) -> Option<Stands> {
    let leaf = family.nodes.len() - 1;
    let own = format!("{}/", redpath(leaf));
    last(
        &statements(family, key, admin)
            .into_iter()
            .filter(|(path, node, _)| *node == leaf || path.starts_with(&own))
            .collect::<Vec<_>>(),
    )
}

/// Namespaces and capabilities, each key for itself; all of them first, the single ones on top.
fn rights(family: &RandomFamily, admin: bool, values: &mut BTreeMap<String, Stands>) -> Result<(), Expected> {
    let shut = |value: &str| value == "isolated" || value == "0";
    let merged = |key: &str| right(&statements(family, key, admin), shut);
    let all = merged("share_all");
    let singles = NAMESPACES.map(|key| (key, merged(key)));
    let (all_caps, caps) = (
        merged("cap ALL"),
        ["CAP_KILL", "CAP_CHOWN", "CAP_NET_RAW"].map(|cap| (cap, merged(&format!("cap {cap}")))),
    );
    let answers = || {
        let caps = caps.iter().map(|(_, right)| right).chain([&all_caps]).map(|right| ("RP0302", right));
        singles.iter().map(|(_, right)| right).chain([&all]).map(|right| ("RP0301", right)).chain(caps)
    };
    if answers().any(|(_, right)| matches!(right, Right::Silent)) {
        return Err(Expected::Silent);
    }
    if let Some((code, _)) = answers().find(|(_, right)| matches!(right, Right::Refused)) {
        return Err(Expected::Refused(code));
    }
    for (key, single) in &singles {
        let of_all = if *key == "share_time" { None } else { all.value() };
        values.extend(single.value().or(of_all).map(|found| ((*key).to_owned(), found)));
    }
    for (cap, single) in &caps {
        values.extend(single.value().or(all_caps.value()).map(|found| (format!("cap {cap}"), found)));
    }
    Ok(())
}

/// What becomes of one right.
enum Right {
    Set(Option<Stands>),
    Refused,
    Silent,
}

impl Right {
    fn value(&self) -> Option<Stands> {
        match self {
            Self::Set(stands) => stands.clone(),
            _ => None,
        }
    }
}

/// A normal child cannot enable what a normal ancestor disabled, an admin child not what an admin ancestor disabled;
/// an admin file may enable what a normal file disabled, and a normal file below an admin setting changes nothing.
fn right(statements: &[Stands], shut: impl Fn(&str) -> bool) -> Right {
    let of = |layer: Layer| statements.iter().filter(move |(_, _, known)| *known == layer);
    let refused = |layer: Layer| {
        let mut before: Option<&Stands> = None;
        for stands in of(layer) {
            if before.is_some_and(|before| shut(&before.0)) && !shut(&stands.0) {
                return true;
            }
            before = Some(stands);
        }
        false
    };
    let admin_speaks = of(Layer::Admin).next().is_some();
    match (refused(Layer::Normal), refused(Layer::Admin)) {
        (_, true) => Right::Refused,
        // Whether what an admin file covers is refused all the same, the rules do not say.
        (true, false) if admin_speaks => Right::Silent,
        (true, false) => Right::Refused,
        // Nearest to the leaf; of one node the admin file.
        (false, false) => {
            let mut force: Option<&Stands> = None;
            let mut by_node: Vec<&Stands> = statements.iter().collect();
            by_node.sort_by_key(|(_, node, layer)| (*node, *layer));
            for stands in by_node {
                let below_admin = force.is_some_and(|(_, _, layer)| *layer == Layer::Admin);
                if stands.2 == Layer::Admin || !below_admin {
                    force = Some(stands);
                }
            }
            Right::Set(force.cloned())
        }
    }
}

/// Compares what the model makes with what the rules say.
pub fn compare(written: &Written<'_>, admin: bool) -> Result<(), String> {
    let levels = written.nodes.len();
    let (effective, findings) = written.run(levels, admin);
    let errors: Vec<&str> =
        findings.iter().filter(|found| found.is_error()).map(|found| found.code).collect();
    match (expected(written.family, admin), effective) {
        (Expected::Silent, _) => Ok(()),
        (Expected::Refused(code), None) if errors.contains(&code) => Ok(()),
        (Expected::Values(expected), Some(effective)) => {
            let found = found(&effective);
            (found == expected).then_some(()).ok_or_else(|| differ(&expected, &found))
        }
        (expected, _) => Err(format!("{expected:?}, and the model says {findings:#?}")),
    }
}

fn differ(expected: &BTreeMap<String, Stands>, found: &BTreeMap<String, Stands>) -> String {
    let keys: std::collections::BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let wrong = keys.into_iter().filter(|key| expected.get(*key) != found.get(*key));
    wrong.map(|key| format!("{key}: {:?}, not {:?}\n", found.get(key), expected.get(key))).collect()
}

/// What the model makes, for the keys that are judged here.
fn found(effective: &Effective) -> BTreeMap<String, Stands> {
    let named = ["cap CAP_KILL", "cap CAP_CHOWN", "cap CAP_NET_RAW"];
    let judged = |key: &str| match key.split(' ').next().unwrap_or_default() {
        "cap" => named.contains(&key),
        "exports" => key != "exports /layers",
        key => key != "inheritance",
    };
    let items = items(effective).into_iter().filter(|item| judged(&item.key));
    items.map(|item| (item.key, (item.value, item.origin.node, item.origin.layer))).collect()
}

/// Exports are sorted by mount path, and all layers stand over one another, the root node's first.
pub fn layers(written: &Written<'_>, effective: &Effective) -> Result<(), String> {
    let mounts: Vec<_> = effective.exports.iter().map(|export| &export.mount).collect();
    if !mounts.is_sorted() {
        return Err(format!("{mounts:?} are not sorted"));
    }
    let layers = effective.exports.iter().filter(|export| export.mount.as_os_str() == "/layers");
    let levels: Vec<usize> = layers.map(|export| export.level).collect();
    let nodes = written.family.nodes.iter().enumerate();
    let said: Vec<usize> = nodes
        .filter(|(_, node)| node.normal.has("exports", "exports /layers overlay"))
        .map(|(n, _)| n)
        .collect();
    (levels == said).then_some(()).ok_or_else(|| format!("layers of {levels:?}, not {said:?}"))
}
