//! Attempts to widen: a key or mode of the schema without one fails here (THREATS 23).
//!
//! Each attempt is a family of two: the ancestor's line and the child's stand on line 3 of their files. It is answered
//! with its code and both places; without the child's line the family is accepted.

use redpak_diagnostics::Severity;
use redpak_model::schema::{self, Key, Kind};

use crate::family::{Family, line};

/// What becomes of a child's line.
enum Answer {
    /// An error, as `CODE child's place [ancestor's place]`.
    Refused(&'static str),
    /// A warning, as above: the ancestor's stays in force.
    Narrowed(&'static str),
    /// There is nothing to widen: why, in the words of SPEC.
    Free(&'static str),
}
use Answer::{Free, Narrowed, Refused};

/// Section, key, the ancestor's line, the child's, and what becomes of it.
type Attempt = (&'static str, &'static str, &'static str, &'static str, Answer);

const ROOT_SAYS_NOTHING: &str = "[n0:1]";

const CONFIG: &[Attempt] = &[
    ("config", "rpmdir", "", "rpmdir: /var/lib/rpm", Refused("RP0312 n1:3 [n0:1]")),
    ("config", "persistdir", "", "persistdir: /n0/var", Refused("RP0312 n1:3 [n0:1]")),
    ("config", "cachedir", "", "cachedir: $NODE_PATH", Refused("RP0312 n1:3 [n0:1]")),
    ("config", "path", "path: /a", "path: /b", Free("`path`, `ldpath` are free")),
    ("config", "ldpath", "ldpath: /a", "ldpath: /b", Free("`path`, `ldpath` are free")),
    ("config", "umask", "umask: 077", "umask: 0", Free("`umask` … are free")),
    ("config", "map-root-user", "map-root-user: 0", "map-root-user: 1", Free("`map-root-user` … are free")),
    ("config", "verbose", "verbose: 0", "verbose: 9", Free("`verbose` … are free")),
    ("config", "hostname", "hostname: a", "hostname: b", Free("`hostname` … are free")),
    ("config", "chdir", "chdir: /a", "chdir: /b", Free("`chdir` … are free")),
    ("config", "set-user", "set-user: daemon", "set-user: root", Refused("RP0319 n1:3 [n0:3]")),
    ("config", "set-group", "set-group: 100", "set-group: 0", Refused("RP0319 n1:3 [n0:3]")),
    ("config", "smack", "smack: User", "smack: _", Refused("RP0319 n1:3 [n0:3]")),
    ("config", "selinux", "selinux: u:r:a", "selinux: u:r:unconfined", Refused("RP0319 n1:3 [n0:3]")),
    ("config", "apparmor", "apparmor: a", "apparmor: unconfined", Refused("RP0319 n1:3 [n0:3]")),
    ("config", "gpgcheck", "gpgcheck: true", "gpgcheck: false", Refused("RP0310 n1:3 [n0:3]")),
    ("config", "unsafe", "unsafe: false", "unsafe: true", Refused("RP0311 n1:3 [n0:1]")),
    ("config", "inherit-env", "inherit-env: false", "inherit-env: true", Refused("RP0310 n1:3 [n0:3]")),
    (
        "config",
        "die-with-parent",
        "die-with-parent: enabled",
        "die-with-parent: disabled",
        Refused("RP0310 n1:3 [n0:3]"),
    ),
    ("config", "new-session", "new-session: enabled", "new-session: disabled", Refused("RP0310 n1:3 [n0:3]")),
    ("config", "share_all", "share_net: disabled", "share_all: enabled", Refused("RP0301 n1:3 [n0:3]")),
    ("config", "share_user", "share_all: disabled", "share_user: enabled", Refused("RP0301 n1:3 [n0:3]")),
    ("config", "share_user", "share_user: disabled", "share_user: /j", Refused("RP0301 n1:3 [n0:3]")),
    ("config", "share_cgroup", "share_all: disabled", "share_cgroup: enabled", Refused("RP0301 n1:3 [n0:3]")),
    ("config", "share_net", "", "share_net: enabled", Refused("RP0301 n1:3 [n0:1]")),
    ("config", "share_net", "share_net: /a", "share_net: /b", Refused("RP0301 n1:3 [n0:3]")),
    ("config", "share_net", "share_net: /a", "share_net: enabled", Refused("RP0301 n1:3 [n0:3]")),
    ("config", "share_pid", "share_pid: disabled", "share_pid: enabled", Refused("RP0301 n1:3 [n0:3]")),
    ("config", "share_ipc", "share_all: disabled", "share_ipc: /j", Refused("RP0301 n1:3 [n0:3]")),
    ("config", "share_time", "share_time: disabled", "share_time: enabled", Refused("RP0301 n1:3 [n0:3]")),
    ("config", "share_time", "share_all: enabled", "share_time: enabled", Refused("RP0301 n1:3 [n0:1]")),
    (
        "config",
        "inheritance",
        "inheritance: strict",
        "inheritance: compatible",
        Refused("RP0311 n1:3 [n0:1]"),
    ),
    ("config", "host-provides", "", "host-provides: [glibc]", Refused("RP0311 n1:3 [n0:1]")),
    ("config", "cgrouproot", "cgrouproot: /a", "cgrouproot: /", Refused("RP0311 n1:3 [n0:1]")),
    ("config", "time-offsets", "", "time-offsets: {monotonic: -1}", Refused("RP0311 n1:3 [n0:1]")),
    (
        "config",
        "cgroups",
        "cgroups: {mem: {max: 1M}}",
        "cgroups: {mem: {max: max}}",
        Free("one nested cgroup a node, so that the kernel applies all"),
    ),
    (
        "config",
        "seccomp",
        "seccomp: {rules: [{calls: [mount], action: kill}]}",
        "seccomp: {rules: [{calls: [mount], action: allow}]}",
        Narrowed("RP0318 n1:3 [n0:3]"),
    ),
    (
        "config",
        "landlock",
        "landlock: {tcp-connect: [80]}",
        "landlock: {tcp-connect: [80, 443]}",
        Narrowed("RP0318 n1:3 [n0:3]"),
    ),
    ("config", "rlimits", "rlimits: {nofile: 5}", "rlimits: {nofile: max}", Narrowed("RP0318 n1:3 [n0:3]")),
    (
        "config",
        "capabilities",
        "capabilities: [{cap: ALL, add: 0}]",
        "capabilities: [{cap: SYS_ADMIN, add: 1}]",
        Refused("RP0302 n1:3 [n0:3]"),
    ),
];

const CAPABILITIES: &[Attempt] = &[
    ("capabilities", "cap", "- {cap: KILL, add: 1}", "- {cap: CHOWN, add: 1}", Refused("RP0302 n1:3 [n0:1]")),
    ("capabilities", "add", "- {cap: KILL, add: 0}", "- {cap: KILL, add: 1}", Refused("RP0302 n1:3 [n0:3]")),
    ("capabilities", "cap", "- {cap: KILL, add: 0}", "- {cap: ALL, add: 1}", Refused("RP0302 n1:3 [n0:3]")),
    ("capabilities", "info", "", "- {cap: KILL, add: 0, info: x}", Free("a text")),
    ("capabilities", "warn", "", "- {cap: KILL, add: 0, warn: x}", Free("a text")),
];

const ENVIRON: &[Attempt] = &[
    ("environ", "key", "- {key: A, value: x}", "- {key: B, value: y}", Free("the child's value wins")),
    ("environ", "mode", "- {key: A, value: x}", "- {key: A, mode: Remove}", Free("the child's value wins")),
    ("environ", "value", "- {key: A, value: x}", "- {key: A, value: y}", Free("the child's value wins")),
    ("environ", "info", "", "- {key: A, value: x, info: x}", Free("a text")),
    ("environ", "warn", "- {key: A, value: x}", "- {key: A, value: x, warn: x}", Free("a text")),
];

const VARIABLE_MODES: &[Attempt] = &[
    ("environ", "Default", "- {key: A, value: x}", "- {key: A, value: $B}", Free("the child's value wins")),
    (
        "environ",
        "Static",
        "- {key: A, value: x}",
        "- {key: A, mode: Static, value: y}",
        Free("the child's value wins"),
    ),
    (
        "environ",
        "Execfd",
        "- {key: A, value: x}",
        "- {key: A, mode: Execfd, value: id}",
        Free("Commands in any other node's file run inside its parent"),
    ),
    (
        "environ",
        "Inherit",
        "- {key: A, value: x}",
        "- {key: A, mode: Inherit}",
        Free("`Inherit`: the caller's value"),
    ),
    ("environ", "Remove", "- {key: A, value: x}", "- {key: A, mode: Remove}", Free("the child's value wins")),
];

const EXPORTS: &[Attempt] = &[
    (
        "exports",
        "mount",
        "- {mount: /usr, mode: Restricted}",
        "- {mount: /usr/lib, mode: Restricted, path: $NODE_PATH/lib}",
        Refused("RP0306 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "mount",
        "- {mount: /opt/x, mode: Tmpfs}",
        "- {mount: /opt, mode: Tmpfs}",
        Refused("RP0308 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "mount",
        "- {mount: /bin, mode: Symlink, path: usr/bin}",
        "- {mount: /bin/x, mode: Tmpfs}",
        Refused("RP0307 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "mode",
        "- {mount: /data, mode: Restricted}",
        "- {mount: /data, mode: Public}",
        Refused("RP0304 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "path",
        "- {mount: /usr, mode: Restricted}",
        "- {mount: /x, mode: Restricted, path: /usrx}",
        Refused("RP0303 n1:3 [n0:1]"),
    ),
    (
        "exports",
        "path",
        "- {mount: /d, mode: Private, path: /data}",
        "- {mount: /x, mode: Restricted, path: /data}",
        Refused("RP0303 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "optional",
        "",
        "- {mount: /x, mode: Restricted, path: /x, optional: true}",
        Refused("RP0303 n1:3 [n0:1]"),
    ),
    (
        "exports",
        "size",
        "- {mount: /t, mode: Tmpfs, size: 4K}",
        "- {mount: /t, mode: Tmpfs, size: 1G}",
        Refused("RP0306 n1:3 [n0:3]"),
    ),
    ("exports", "info", "", "- {mount: /t, mode: Tmpfs, info: x}", Free("a text")),
    ("exports", "warn", "", "- {mount: /t, mode: Tmpfs, warn: x}", Free("a text")),
];

const EXPORT_MODES: &[Attempt] = &[
    ("exports", "Restricted", "", "- {mount: /x, mode: Restricted}", Refused("RP0303 n1:3 [n0:1]")),
    (
        "exports",
        "Public",
        "- {mount: /x, mode: Restricted}",
        "- {mount: /y, mode: Public, path: /x/y}",
        Refused("RP0304 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "PrivateRestricted",
        "- {mount: /x, mode: PrivateRestricted}",
        "- {mount: /y, mode: PrivateRestricted, path: /x}",
        Refused("RP0303 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "Private",
        "- {mount: /x, mode: Overlay}",
        "- {mount: /y, mode: Private, path: /x}",
        Refused("RP0304 n1:3 [n0:3]"),
    ),
    ("exports", "RestrictedFile", "", "- {mount: /x, mode: RestrictedFile}", Refused("RP0303 n1:3 [n0:1]")),
    (
        "exports",
        "PublicFile",
        "- {mount: /x, mode: RestrictedFile}",
        "- {mount: /y, mode: PublicFile, path: /x}",
        Refused("RP0304 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "PrivateFile",
        "- {mount: /x, mode: Restricted}",
        "- {mount: /y, mode: PrivateFile, path: /x/y}",
        Refused("RP0304 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "Symlink",
        "- {mount: /etc, mode: Restricted}",
        "- {mount: /etc/x, mode: Symlink, path: y}",
        Refused("RP0306 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "Execfd",
        "- {mount: /etc, mode: Restricted}",
        "- {mount: /etc/x, mode: Execfd, path: id}",
        Refused("RP0306 n1:3 [n0:3]"),
    ),
    ("exports", "Internal", "", "- {mount: /x, mode: Internal, path: 3}", Refused("RP0311 n1:3 [n0:1]")),
    (
        "exports",
        "Anonymous",
        "- {mount: /x, mode: Restricted}",
        "- {mount: /x, mode: Anonymous}",
        Refused("RP0306 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "Tmpfs",
        "- {mount: /x, mode: Restricted}",
        "- {mount: /x, mode: Tmpfs}",
        Refused("RP0306 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "Procfs",
        "- {mount: /proc, mode: Procfs}",
        "- {mount: /proc, mode: Procfs}",
        Refused("RP0306 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "Mqueue",
        "- {mount: /dev, mode: Devfs}",
        "- {mount: /dev/mqueue, mode: Mqueue}",
        Refused("RP0306 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "Devfs",
        "- {mount: /dev, mode: Devfs}",
        "- {mount: /dev, mode: Devfs}",
        Refused("RP0306 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "Lock",
        "- {mount: /x, mode: Lock}",
        "- {mount: /y, mode: Lock}",
        Free("`Lock` opens its path inside the node"),
    ),
    ("exports", "Overlay", "", "- {mount: /x, mode: Overlay}", Refused("RP0303 n1:3 [n0:1]")),
    (
        "exports",
        "Overlay",
        "- {mount: /sbin, mode: Symlink, path: bin}",
        "- {mount: /sbin, mode: Overlay, path: $NODE_PATH/sbin}",
        Refused("RP0309 n1:3 [n0:3]"),
    ),
    ("exports", "Device", "", "- {mount: /x, mode: Device, path: /dev/x}", Refused("RP0320 n1:3 [n0:1]")),
    (
        "exports",
        "Passwd",
        "- {mount: /etc, mode: Restricted}",
        "- {mount: /etc/passwd, mode: Passwd}",
        Refused("RP0306 n1:3 [n0:3]"),
    ),
    (
        "exports",
        "Group",
        "- {mount: /etc/group, mode: Group}",
        "- {mount: /etc/group, mode: Group}",
        Refused("RP0306 n1:3 [n0:3]"),
    ),
];

/// Keys that are not the doll's: the node's own.
const OWN: &[(&str, &str)] = &[
    ("headers.alias", "the node's name"),
    ("headers.name", "a UUID given at creation"),
    ("headers.info", "free text"),
    ("config.maxage", "ignored there and accepted here with a warning"),
    ("config.inherit", "ignored there and accepted here with a warning"),
];

const ALL: [&[Attempt]; 6] = [CONFIG, CAPABILITIES, ENVIRON, VARIABLE_MODES, EXPORTS, EXPORT_MODES];

/// A file with the line on line 3.
fn body(section: &str, line: &str) -> String {
    match section {
        "capabilities" => format!("config: {{capabilities: [\n {}]}}", line.trim_start_matches("- ")),
        "config" => format!("config: {{\n {line}}}"),
        section => format!("{section}: [\n {}]", line.trim_start_matches("- ")),
    }
}

/// What the model says of a child's line.
#[track_caller]
fn told(section: &str, parent: &str, child: &str) -> (bool, Vec<String>) {
    let (effective, findings) = Family::root(&body(section, parent)).node(&body(section, child)).run(false);
    let told = findings.iter().filter(|finding| finding.severity != Severity::Note).map(line);
    (effective.is_some(), told.collect())
}

#[test]
fn each_attempt_is_answered_with_its_code_and_both_places() {
    for (section, key, parent, child, answer) in ALL.into_iter().flatten() {
        let (accepted, told) = told(section, parent, child);
        let known: Vec<String> = told.iter().filter(|told| !told.starts_with("RP0202")).cloned().collect();
        let (sound, expected) = match answer {
            Refused(expected) => (false, vec![(*expected).to_owned()]),
            Narrowed(expected) => (true, vec![(*expected).to_owned()]),
            Free(_) => (true, vec![]),
        };
        let why = if let Free(why) = answer { why } else { "" };
        assert_eq!((accepted, known), (sound, expected), "{section} {key}: {parent} <- {child} {why}");
        let without = Family::root(&body(section, parent)).node(&body(section, ""));
        assert_eq!(without.errors(), Vec::<String>::new(), "{section} {key} without the line");
        // The same line of the root node is nobody's to refuse: it is the doll that answers, not the parser.
        let alone = Family::root(&body(section, child));
        assert_eq!(alone.errors(), Vec::<String>::new(), "{section} {key} in the root node");
        // The same one level further down: silence in between widens nothing.
        let deeper = Family::root(&body(section, parent)).node("").node(&body(section, child)).run(false);
        if let Refused(expected) = answer {
            let deeper: Vec<String> =
                deeper.1.iter().filter(|finding| finding.is_error()).map(line).collect();
            let expected = expected.replace("n1:", "n2:");
            // Where no ancestor has a line on it, the parent is shown.
            let expected = [expected.clone(), expected.replace(ROOT_SAYS_NOTHING, "[n1:1]")];
            assert!(
                deeper.len() == 1 && expected.contains(&deeper[0]),
                "{section} {key} below a silent node: {deeper:?}"
            );
        }
    }
}

#[test]
fn each_key_and_mode_has_an_attempt() {
    let attempted = |section: &str, name: &str| {
        let lists: &[&[Attempt]] = match section {
            "config" => &[CONFIG],
            "capabilities" => &[CAPABILITIES],
            "environ" => &[ENVIRON],
            "exports" => &[EXPORTS],
            "variable modes" => &[VARIABLE_MODES],
            _ => &[EXPORT_MODES],
        };
        let own = format!("{section}.{name}");
        lists.iter().copied().flatten().any(|(_, key, ..)| *key == name)
            || OWN.iter().any(|(key, _)| *key == own)
    };
    let keys = |section: &'static str, keys: &'static [Key]| keys.iter().map(move |key| (section, key.name));
    let file = schema::FILE.iter().flat_map(|key| match key.kind {
        Kind::Section(below) | Kind::Entries(below) => keys(key.name, below),
        _ => panic!("`{}` of a file is no section", key.name),
    });
    let all = file
        .chain(keys("capabilities", schema::CAPABILITIES))
        .chain(schema::VARIABLE_MODES.iter().map(|(name, _)| ("variable modes", *name)))
        .chain(schema::EXPORT_MODES.iter().map(|(name, _)| ("export modes", *name)));
    let missing: Vec<_> = all.filter(|(section, name)| !attempted(section, name)).collect();
    assert!(missing.is_empty(), "no attempt to widen: {missing:?}");
}

/// What is free takes effect; what is nested or joined leaves the ancestor's in force.
#[test]
fn limits_and_filters_of_an_ancestor_stay_in_force() {
    let family = |key: &str, parent: &str, child: &str| {
        let file = |value: &str| body("config", &format!("{key}: {value}"));
        Family::root(&file(parent)).node(&file(child)).ok().settings
    };
    let cgroups = family("cgroups", "{mem: {max: 1M}}", "{mem: {max: max}}").cgroups;
    assert_eq!((cgroups[0].node, cgroups[0].files[0].1.value.as_str()), (0, "1048576"));
    let filters = family(
        "seccomp",
        "{rules: [{calls: [mount], action: kill}]}",
        "{rules: [{calls: [mount], action: allow}]}",
    );
    assert_eq!(filters.seccomp.len(), 2);
    let rules = family("landlock", "{tcp-connect: [80]}", "{tcp-connect: [80, 443]}").landlock;
    assert_eq!(rules[0].value.tcp_connect, Some(vec![80]));
    let limits = family("rlimits", "{nofile: 5}", "{nofile: max}").rlimits;
    assert_eq!((limits[0].1.value.soft, limits[0].1.value.hard), (Some(5), Some(5)));
}
