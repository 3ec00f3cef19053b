//! The configuration language as tables: every key, what it takes, whether it must be there, whether this version
//! supports it, and by what rule a family's values are merged.
//!
//! The walker ([`crate::walk`]) and the merge read these tables, so that a key is known in one place.

use crate::config::{ExportMode, VariableMode};

/// One key of a mapping.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written; case does not matter in files.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it must be there.
    pub mandatory: bool,
    /// What becomes of it.
    pub support: Support,
    /// How a family's values are merged.
    pub rule: Rule,
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A mapping with these keys.
    Section(&'static [Key]),
    /// A sequence of mappings with these keys.
    Entries(&'static [Key]),
    /// A sequence of texts in which names are replaced.
    Texts,
    /// A node's alias.
    Alias,
    /// Free text, taken as it stands.
    Literal,
    /// Free text in which names are replaced.
    Text,
    /// As [`Kind::Text`]; what it takes, and whether names and commands are replaced, depends on the entry's mode.
    Value,
    /// The name of a variable of the environment.
    Variable,
    /// A path in which names are replaced.
    Path,
    /// Paths separated by `:` in which names are replaced.
    PathList,
    /// An octal number up to 0777.
    Octal,
    /// An integer within these bounds.
    Integer(i64, i64),
    /// `true` or `false`.
    Boolean,
    /// `enabled`, `disabled` or `unset`.
    Switch,
    /// As [`Kind::Switch`], or the path of a namespace to join.
    Share,
    /// A name or number of a user or group.
    Account,
    /// Bytes, with `K`, `M` or `G`; at least this many.
    Size(u64),
    /// As [`Kind::Size`], or `max`.
    Limit,
    /// An integer within these bounds, or `max`.
    IntegerOrMax(i64, i64),
    /// A list of numbers: `0-3,5`.
    NumberList,
    /// Text of a control group file (Linux, `admin-guide/cgroup-v2.rst`).
    CgroupText(CgroupText),
    /// A resource limit: `soft:hard`, or one value for both, each a number, with `K`, `M` or `G`, or `max`.
    Rlimit,
    /// Name of an error number (errno(3)): `EPERM`.
    Errno,
    /// A sequence of names of system calls, and groups of them (`@module`).
    Calls,
    /// A sequence of TCP ports.
    Ports,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A capability or `ALL`.
    Capability,
    /// An environment mode.
    VariableMode,
    /// An export mode.
    ExportMode,
}

/// What a text of a control group file looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupText {
    /// `cpu.max`: quota in microseconds or `max`, then optionally the period: `50000 100000`.
    CpuMax,
    /// `io.max`: `MAJOR:MINOR` and limits: `8:0 rbps=1048576 wiops=max`.
    IoMax,
    /// `io.weight`: a weight from 1 to 10000, `default WEIGHT`, or `MAJOR:MINOR WEIGHT`.
    IoWeight,
    /// `io.cost.qos` and `io.cost.model`: `MAJOR:MINOR` and settings: `8:0 ctrl=auto`.
    IoCost,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It has its effect.
    Full,
    /// red-pak 2.5 knows it and ignores it: a warning.
    Ignored,
}

/// How a family's values of a key are merged (SPEC section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Not merged: each node has its own.
    Own,
    /// The child's items first, then the parent's.
    Joined,
    /// The last wins, admin over normal.
    Free,
    /// Once it has this value, it stays (`true` stands for `enabled`).
    Stays(bool),
    /// A namespace that an ancestor isolates stays isolated; what nobody leaves open stays closed.
    Namespace,
    /// What an ancestor does not keep stays dropped.
    Capabilities,
    /// A child's lies below its own directory.
    OwnDirectory,
    /// By the rules of exports.
    Exports,
    /// By key, the child's wins, admin over normal.
    ByKey,
    /// Once an ancestor has set it, it is not changed.
    Fixed,
    /// Each node's own; those of all the family apply together.
    Together,
    /// The root node alone may set it. The rule of keys that have no other.
    RootOnly,
}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, mandatory: false, support: Support::Full, rule: Rule::RootOnly }
}

const fn together(name: &'static str, kind: Kind) -> Key {
    Key { rule: Rule::Together, ..key(name, kind) }
}

impl Key {
    const fn must(self) -> Self {
        Self { mandatory: true, ..self }
    }

    const fn support(self, support: Support) -> Self {
        Self { support, ..self }
    }

    const fn rule(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }
}

/// The file.
pub const FILE: &[Key] = &[
    key("headers", Kind::Section(HEADERS)).must().rule(Rule::Own),
    key("config", Kind::Section(CONFIG)).rule(Rule::Own),
    key("environ", Kind::Entries(ENVIRON)).rule(Rule::ByKey),
    key("exports", Kind::Entries(EXPORTS)).rule(Rule::Exports),
];

/// `headers`.
pub const HEADERS: &[Key] = &[
    key("alias", Kind::Alias).must().rule(Rule::Own),
    key("name", Kind::Literal).rule(Rule::Own),
    key("info", Kind::Literal).rule(Rule::Own),
];

/// `config`.
pub const CONFIG: &[Key] = &[
    key("rpmdir", Kind::Path).rule(Rule::OwnDirectory),
    key("persistdir", Kind::Path).rule(Rule::OwnDirectory),
    key("cachedir", Kind::Path).rule(Rule::OwnDirectory),
    key("path", Kind::PathList).rule(Rule::Joined),
    key("ldpath", Kind::PathList).rule(Rule::Joined),
    key("umask", Kind::Octal).rule(Rule::Free),
    key("set-user", Kind::Account).rule(Rule::Fixed),
    key("set-group", Kind::Account).rule(Rule::Fixed),
    key("smack", Kind::Text).rule(Rule::Fixed),
    key("selinux", Kind::Text).rule(Rule::Fixed),
    key("apparmor", Kind::Text).rule(Rule::Fixed),
    key("map-root-user", Kind::Integer(0, 1)).rule(Rule::Free),
    key("verbose", Kind::Integer(0, 99)).rule(Rule::Free),
    key("gpgcheck", Kind::Boolean).rule(Rule::Stays(true)),
    key("unsafe", Kind::Boolean),
    key("inherit-env", Kind::Boolean).rule(Rule::Stays(false)),
    key("die-with-parent", Kind::Switch).rule(Rule::Stays(true)),
    key("new-session", Kind::Switch).rule(Rule::Stays(true)),
    key("share_all", Kind::Switch).rule(Rule::Namespace),
    key("share_user", Kind::Share).rule(Rule::Namespace),
    key("share_cgroup", Kind::Share).rule(Rule::Namespace),
    key("share_net", Kind::Share).rule(Rule::Namespace),
    key("share_pid", Kind::Share).rule(Rule::Namespace),
    key("share_ipc", Kind::Share).rule(Rule::Namespace),
    key("share_time", Kind::Share).rule(Rule::Namespace),
    key("time-offsets", Kind::Section(TIME_OFFSETS)),
    key("hostname", Kind::Text).rule(Rule::Free),
    key("chdir", Kind::Path).rule(Rule::Free),
    key("cgrouproot", Kind::Path),
    key("cgroups", Kind::Section(CGROUPS)).rule(Rule::Together),
    key("capabilities", Kind::Entries(CAPABILITIES)).rule(Rule::Capabilities),
    key("inheritance", Kind::Word(&["strict", "compatible"])),
    key("host-provides", Kind::Texts),
    key("seccomp", Kind::Section(SECCOMP)).rule(Rule::Together),
    key("landlock", Kind::Section(LANDLOCK)).rule(Rule::Together),
    key("rlimits", Kind::Section(RLIMITS)).rule(Rule::Together),
    key("maxage", Kind::Literal).support(Support::Ignored).rule(Rule::Own),
    key("inherit", Kind::Literal).support(Support::Ignored).rule(Rule::Own),
];

/// `config.capabilities`.
pub const CAPABILITIES: &[Key] = &[
    key("cap", Kind::Capability).must().rule(Rule::Capabilities),
    key("add", Kind::Integer(0, 1)).must().rule(Rule::Capabilities),
    key("info", Kind::Text).rule(Rule::Own),
    key("warn", Kind::Text).rule(Rule::Own),
];

/// `config.time-offsets`: seconds that are added to the clocks of a new time namespace.
pub const TIME_OFFSETS: &[Key] = &[
    key("monotonic", Kind::Integer(i64::MIN, i64::MAX)),
    key("boottime", Kind::Integer(i64::MIN, i64::MAX)),
];

/// `config.cgroups`: each value is for the cgroup v2 file of that name (Linux, `admin-guide/cgroup-v2.rst`).
pub const CGROUPS: &[Key] = &[
    together("cpuset", Kind::Section(CPUSET)),
    together("mem", Kind::Section(MEM)),
    together("cpu", Kind::Section(CPU)),
    together("io", Kind::Section(IO)),
    together("pids", Kind::Section(PIDS)),
];

/// `config.cgroups.cpuset`.
pub const CPUSET: &[Key] = &[
    together("cpus", Kind::NumberList),
    together("mems", Kind::NumberList),
    together("cpus_partition", Kind::Word(&["member", "root", "isolated"])),
];

/// `config.cgroups.mem`.
pub const MEM: &[Key] = &[
    together("min", Kind::Limit),
    together("low", Kind::Limit),
    together("high", Kind::Limit),
    together("max", Kind::Limit),
    together("swap_high", Kind::Limit),
    together("swap_max", Kind::Limit),
    together("oom_group", Kind::Integer(0, 1)),
];

/// `config.cgroups.cpu`.
pub const CPU: &[Key] = &[
    together("max", Kind::CgroupText(CgroupText::CpuMax)),
    together("weight", Kind::Integer(1, 10_000)),
    together("weight_nice", Kind::Integer(-20, 19)),
];

/// `config.cgroups.io`.
pub const IO: &[Key] = &[
    together("max", Kind::CgroupText(CgroupText::IoMax)),
    together("weight", Kind::CgroupText(CgroupText::IoWeight)),
    together("cost_qos", Kind::CgroupText(CgroupText::IoCost)),
    together("cost_model", Kind::CgroupText(CgroupText::IoCost)),
];

/// `config.cgroups.pids`.
pub const PIDS: &[Key] = &[together("max", Kind::IntegerOrMax(0, 4_194_304))];

/// `config.seccomp`: a filter of system calls (seccomp(2)). All filters of a family apply; the strictest answer holds.
pub const SECCOMP: &[Key] = &[
    together("default", Kind::Word(CALL_ACTIONS)),
    together("errno", Kind::Errno),
    together("rules", Kind::Entries(SECCOMP_RULES)),
];

/// What becomes of a system call: done; done and logged; fails with the error number of `errno` (`EPERM` without one);
/// the process is killed.
pub const CALL_ACTIONS: &[&str] = &["allow", "log", "errno", "kill"];

/// `config.seccomp.rules`: the first rule that names a call holds.
pub const SECCOMP_RULES: &[Key] = &[
    together("calls", Kind::Calls).must(),
    together("action", Kind::Word(CALL_ACTIONS)).must(),
    together("errno", Kind::Errno),
    together("info", Kind::Text).rule(Rule::Own),
];

/// `config.landlock`: rules of Landlock (landlock(7)). Those of a family apply together.
pub const LANDLOCK: &[Key] = &[
    together("abi", Kind::Integer(1, 99)),
    together("files", Kind::Switch),
    together("tcp-bind", Kind::Ports),
    together("tcp-connect", Kind::Ports),
    together("abstract-sockets", Kind::Switch),
    together("signals", Kind::Switch),
];

/// `config.rlimits`: resource limits by the kernel's names (getrlimit(2)), in its units: bytes, seconds (`cpu`),
/// microseconds (`rttime`) or a count. Of all nodes of a family the smallest holds.
pub const RLIMITS: &[Key] = &[
    together("as", Kind::Rlimit),
    together("core", Kind::Rlimit),
    together("cpu", Kind::Rlimit),
    together("data", Kind::Rlimit),
    together("fsize", Kind::Rlimit),
    together("locks", Kind::Rlimit),
    together("memlock", Kind::Rlimit),
    together("msgqueue", Kind::Rlimit),
    together("nice", Kind::Rlimit),
    together("nofile", Kind::Rlimit),
    together("nproc", Kind::Rlimit),
    together("rss", Kind::Rlimit),
    together("rtprio", Kind::Rlimit),
    together("rttime", Kind::Rlimit),
    together("sigpending", Kind::Rlimit),
    together("stack", Kind::Rlimit),
];

/// `environ`.
pub const ENVIRON: &[Key] = &[
    key("key", Kind::Variable).must().rule(Rule::ByKey),
    key("mode", Kind::VariableMode).rule(Rule::ByKey),
    key("value", Kind::Value).rule(Rule::ByKey),
    key("info", Kind::Text).rule(Rule::Own),
    key("warn", Kind::Text).rule(Rule::Own),
];

/// `exports`.
pub const EXPORTS: &[Key] = &[
    key("mount", Kind::Path).must().rule(Rule::Exports),
    key("mode", Kind::ExportMode).must().rule(Rule::Exports),
    key("path", Kind::Value).rule(Rule::Exports),
    key("info", Kind::Text).rule(Rule::Own),
    key("warn", Kind::Text).rule(Rule::Own),
    key("optional", Kind::Boolean).rule(Rule::Exports),
    key("size", Kind::Size(4096)).rule(Rule::Exports),
];

/// `.rednode.yaml`, the status of a node.
pub const STATUS: &[Key] = &[
    key("version", Kind::Integer(1, i64::MAX)).rule(Rule::Own),
    key("state", Kind::Word(&["Enable", "Disable", "Unknown", "Error"])).must().rule(Rule::Own),
    key("realpath", Kind::Literal).must().rule(Rule::Own),
    key("timestamp", Kind::Integer(0, i64::MAX)).must().rule(Rule::Own),
    key("info", Kind::Literal).rule(Rule::Own),
    key("parent", Kind::Literal).rule(Rule::Own),
];

/// The words of environment modes.
pub const VARIABLE_MODES: &[(&str, VariableMode)] = &[
    ("Default", VariableMode::Default),
    ("Static", VariableMode::Static),
    ("Execfd", VariableMode::Execfd),
    ("Inherit", VariableMode::Inherit),
    ("Remove", VariableMode::Remove),
];

/// The words of export modes.
pub const EXPORT_MODES: &[(&str, ExportMode)] = &[
    ("Restricted", ExportMode::Restricted),
    ("Public", ExportMode::Public),
    ("PrivateRestricted", ExportMode::PrivateRestricted),
    ("Private", ExportMode::Private),
    ("RestrictedFile", ExportMode::RestrictedFile),
    ("PublicFile", ExportMode::PublicFile),
    ("PrivateFile", ExportMode::PrivateFile),
    ("Symlink", ExportMode::Symlink),
    ("Execfd", ExportMode::Execfd),
    ("Internal", ExportMode::Internal),
    ("Anonymous", ExportMode::Anonymous),
    ("Tmpfs", ExportMode::Tmpfs),
    ("Procfs", ExportMode::Procfs),
    ("Mqueue", ExportMode::Mqueue),
    ("Devfs", ExportMode::Devfs),
    ("Lock", ExportMode::Lock),
    ("Overlay", ExportMode::Overlay),
    ("Device", ExportMode::Device),
    ("Passwd", ExportMode::Passwd),
    ("Group", ExportMode::Group),
];

/// The key of that name, and where it stands, when there is just one place for it.
pub fn home(name: &str) -> Option<(&'static str, &'static str)> {
    const HOMES: [(&str, &[Key]); 8] = [
        ("the file itself", FILE),
        ("`headers`", HEADERS),
        ("`config`", CONFIG),
        ("an entry of `capabilities`", CAPABILITIES),
        ("an entry of `environ`", ENVIRON),
        ("an entry of `exports`", EXPORTS),
        ("`cgroups`", CGROUPS),
        ("`rlimits`", RLIMITS),
    ];
    let mut homes = HOMES.iter().filter_map(|(home, keys)| {
        let key = keys.iter().find(|key| key.name.eq_ignore_ascii_case(name))?;
        Some((key.name, *home))
    });
    homes.next().filter(|_| homes.next().is_none())
}

/// The nearest of the words to one that is none of them, when it is near.
pub fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    const LONGEST: usize = 64;
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    const TELLING: usize = 5;
    let lower = word.to_lowercase();
    let words: Vec<&str> = words.into_iter().collect();
    // Half a word says more than one that looks like it: `CAP_NET_BIND`.
    let mut longer = words.iter().filter(|known| known.to_lowercase().starts_with(&lower));
    if let (Some(only), None, true) = (longer.next(), longer.next(), lower.len() >= TELLING) {
        return Some(only);
    }
    let distance = |known: &str| strsim::damerau_levenshtein(&lower, &known.to_lowercase());
    let (distance, known) = words.iter().map(|known| (distance(known), *known)).min_by_key(|(d, _)| *d)?;
    let allowed = (word.chars().count().max(known.chars().count()) / 3).max(1);
    if distance <= allowed {
        return Some(known);
    }
    // `environment` for `environ`.
    let begins = |known: &&&str| known.len() >= TELLING && lower.starts_with(&known.to_lowercase());
    words.iter().find(begins).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["umask", "hostname", "share_net", "die-with-parent"];
        for (word, found) in [
            ("umsk", Some("umask")),
            ("UMSAK", Some("umask")),
            ("share-net", Some("share_net")),
            ("diewithparent", Some("die-with-parent")),
            ("hostname-of-it", Some("hostname")),
            ("die-w", Some("die-with-parent")),
            ("die", None),
            ("x", None),
            ("", None),
            ("completely", None),
        ] {
            assert_eq!(nearest(word, words), found, "{word}");
        }
        assert_eq!(nearest(&"u".repeat(1000), words), None);
    }

    #[test]
    fn names_are_lower_case_and_stand_once() {
        for keys in [
            FILE,
            HEADERS,
            CONFIG,
            CAPABILITIES,
            CGROUPS,
            CPUSET,
            MEM,
            CPU,
            IO,
            PIDS,
            SECCOMP,
            SECCOMP_RULES,
            LANDLOCK,
            RLIMITS,
            ENVIRON,
            EXPORTS,
            STATUS,
        ] {
            for (i, key) in keys.iter().enumerate() {
                assert_eq!(key.name, key.name.to_lowercase());
                assert!(!keys[..i].iter().any(|other| other.name == key.name), "{}", key.name);
            }
        }
    }
}
