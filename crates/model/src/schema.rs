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
    /// A mapping whose keys are not known yet.
    Mapping,
    /// A node's alias.
    Alias,
    /// Free text, taken as it stands.
    Literal,
    /// Free text in which names are replaced.
    Text,
    /// As [`Kind::Text`]; whether names and commands are replaced depends on the entry's mode.
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
    /// One of these words.
    Word(&'static [&'static str]),
    /// A capability or `ALL`.
    Capability,
    /// An environment mode.
    VariableMode,
    /// An export mode.
    ExportMode,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It has its effect.
    Full,
    /// It is checked, and refused as not supported yet.
    NotYet,
    /// Only `unset` is taken; other values are refused as not supported yet.
    UnsetOnly,
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
    /// The root node alone may set it. The rule of keys that have no other.
    RootOnly,
}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, mandatory: false, support: Support::Full, rule: Rule::RootOnly }
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
    key("set-user", Kind::Account).support(Support::NotYet).rule(Rule::Own),
    key("set-group", Kind::Account).support(Support::NotYet).rule(Rule::Own),
    key("smack", Kind::Text).support(Support::NotYet).rule(Rule::Own),
    key("selinux", Kind::Text).support(Support::NotYet).rule(Rule::Own),
    key("apparmor", Kind::Text).support(Support::NotYet).rule(Rule::Own),
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
    key("share_time", Kind::Share).support(Support::UnsetOnly).rule(Rule::Namespace),
    key("time-offsets", Kind::Section(TIME_OFFSETS)).support(Support::NotYet),
    key("hostname", Kind::Text).rule(Rule::Free),
    key("chdir", Kind::Path).rule(Rule::Free),
    key("cgrouproot", Kind::Path).support(Support::NotYet),
    key("cgroups", Kind::Section(CGROUPS)).support(Support::NotYet).rule(Rule::Own),
    key("capabilities", Kind::Entries(CAPABILITIES)).rule(Rule::Capabilities),
    key("inheritance", Kind::Word(&["strict", "compatible"])),
    key("host-provides", Kind::Texts),
    key("seccomp", Kind::Mapping).support(Support::NotYet).rule(Rule::Own),
    key("landlock", Kind::Mapping).support(Support::NotYet).rule(Rule::Own),
    key("rlimits", Kind::Mapping).support(Support::NotYet).rule(Rule::Own),
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
    key("cpuset", Kind::Section(CPUSET)),
    key("mem", Kind::Section(MEM)),
    key("cpu", Kind::Section(CPU)),
    key("io", Kind::Section(IO)),
    key("pids", Kind::Section(PIDS)),
];

/// `config.cgroups.cpuset`.
pub const CPUSET: &[Key] = &[
    key("cpus", Kind::NumberList),
    key("mems", Kind::NumberList),
    key("cpus_partition", Kind::Word(&["member", "root", "isolated"])),
];

/// `config.cgroups.mem`.
pub const MEM: &[Key] = &[
    key("min", Kind::Limit),
    key("low", Kind::Limit),
    key("high", Kind::Limit),
    key("max", Kind::Limit),
    key("swap_high", Kind::Limit),
    key("swap_max", Kind::Limit),
    key("oom_group", Kind::Integer(0, 1)),
];

/// `config.cgroups.cpu`.
pub const CPU: &[Key] = &[
    key("max", Kind::Text),
    key("weight", Kind::Integer(1, 10_000)),
    key("weight_nice", Kind::Integer(-20, 19)),
];

/// `config.cgroups.io`.
pub const IO: &[Key] = &[
    key("max", Kind::Text),
    key("weight", Kind::Text),
    key("cost_qos", Kind::Text),
    key("cost_model", Kind::Text),
];

/// `config.cgroups.pids`.
pub const PIDS: &[Key] = &[key("max", Kind::IntegerOrMax(0, 4_194_304))];

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
    key("path", Kind::Path).rule(Rule::Exports),
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
pub const VARIABLE_MODES: &[(&str, VariableMode, Support)] = &[
    ("Default", VariableMode::Default, Support::Full),
    ("Static", VariableMode::Static, Support::Full),
    ("Execfd", VariableMode::Execfd, Support::NotYet),
    ("Inherit", VariableMode::Inherit, Support::Full),
    ("Remove", VariableMode::Remove, Support::Full),
];

/// The words of export modes.
pub const EXPORT_MODES: &[(&str, ExportMode, Support)] = &[
    ("Restricted", ExportMode::Restricted, Support::Full),
    ("Public", ExportMode::Public, Support::Full),
    ("PrivateRestricted", ExportMode::PrivateRestricted, Support::Full),
    ("Private", ExportMode::Private, Support::Full),
    ("RestrictedFile", ExportMode::RestrictedFile, Support::Full),
    ("PublicFile", ExportMode::PublicFile, Support::Full),
    ("PrivateFile", ExportMode::PrivateFile, Support::Full),
    ("Symlink", ExportMode::Symlink, Support::Full),
    ("Execfd", ExportMode::Execfd, Support::NotYet),
    ("Internal", ExportMode::Internal, Support::NotYet),
    ("Anonymous", ExportMode::Anonymous, Support::Full),
    ("Tmpfs", ExportMode::Tmpfs, Support::Full),
    ("Procfs", ExportMode::Procfs, Support::Full),
    ("Mqueue", ExportMode::Mqueue, Support::NotYet),
    ("Devfs", ExportMode::Devfs, Support::Full),
    ("Lock", ExportMode::Lock, Support::NotYet),
    ("Overlay", ExportMode::Overlay, Support::Full),
    ("Device", ExportMode::Device, Support::NotYet),
    ("Passwd", ExportMode::Passwd, Support::Full),
    ("Group", ExportMode::Group, Support::Full),
];

/// The nearest of the words to one that is none of them, when it is near.
pub fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    const LONGEST: usize = 64;
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let lower = word.to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&lower, &known.to_lowercase());
    let (distance, known) =
        words.into_iter().map(|known| (distance(known), known)).min_by_key(|(d, _)| *d)?;
    let allowed = (word.chars().count().max(known.chars().count()) / 3).max(1);
    (distance <= allowed).then_some(known)
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
