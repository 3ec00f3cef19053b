//! The configuration language in words: one text for every key, mode and name of [`crate::schema`].
//!
//! The JSON Schema and the reference are generated from these tables and those of the schema (`cargo xtask`), so that a
//! key is described in one place. Nothing that launches reads them.

mod entries;
mod limits;
mod settings;

pub use entries::{EXPORT_MODE_TEXTS, NAMES, VARIABLE_MODE_TEXTS};

use crate::schema::{self, CgroupText, Key, Kind, Rule};

/// What is said of one key.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The key.
    pub key: &'static str,
    /// What it does, in sentences.
    pub text: &'static str,
    /// What holds when nobody in the family sets it; empty where that is nothing.
    pub default: &'static str,
    /// A value as it stands in a file; empty for sections.
    pub example: &'static str,
}

const fn say(key: &'static str, text: &'static str, default: &'static str, example: &'static str) -> Text {
    Text { key, text, default, example }
}

/// One mapping of the language.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Where it stands: `config.cgroups.mem`; empty for the file itself.
    pub path: &'static str,
    /// What is to be known before its keys.
    pub intro: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// What is said of them, in the same order.
    pub texts: &'static [Text],
}

impl Section {
    /// The keys, each with its text.
    pub fn described(&self) -> impl Iterator<Item = (&'static Key, &'static Text)> {
        self.keys.iter().zip(self.texts)
    }

    /// Whether it is written as a sequence of mappings, not as one.
    pub fn is_sequence(&self) -> bool {
        let (above, name) = self.path.rsplit_once('.').unwrap_or(("", self.path));
        SECTIONS
            .iter()
            .filter(|section| section.path == above)
            .flat_map(|section| section.keys)
            .any(|key| key.name == name && matches!(key.kind, Kind::Entries(_)))
    }
}

/// Every mapping of a configuration file, in the order of the reference.
pub const SECTIONS: &[Section] = &[
    Section { path: "", intro: entries::FILE_INTRO, keys: schema::FILE, texts: entries::FILE },
    Section {
        path: "headers",
        intro: entries::HEADERS_INTRO,
        keys: schema::HEADERS,
        texts: entries::HEADERS,
    },
    Section { path: "config", intro: settings::CONFIG_INTRO, keys: schema::CONFIG, texts: settings::CONFIG },
    Section {
        path: "config.capabilities",
        intro: settings::CAPABILITIES_INTRO,
        keys: schema::CAPABILITIES,
        texts: settings::CAPABILITIES,
    },
    Section {
        path: "config.time-offsets",
        intro: settings::TIME_OFFSETS_INTRO,
        keys: schema::TIME_OFFSETS,
        texts: settings::TIME_OFFSETS,
    },
    Section {
        path: "config.cgroups",
        intro: limits::CGROUPS_INTRO,
        keys: schema::CGROUPS,
        texts: limits::CGROUPS,
    },
    Section { path: "config.cgroups.cpuset", intro: "", keys: schema::CPUSET, texts: limits::CPUSET },
    Section { path: "config.cgroups.mem", intro: limits::MEM_INTRO, keys: schema::MEM, texts: limits::MEM },
    Section { path: "config.cgroups.cpu", intro: "", keys: schema::CPU, texts: limits::CPU },
    Section { path: "config.cgroups.io", intro: "", keys: schema::IO, texts: limits::IO },
    Section { path: "config.cgroups.pids", intro: "", keys: schema::PIDS, texts: limits::PIDS },
    Section {
        path: "config.seccomp",
        intro: limits::SECCOMP_INTRO,
        keys: schema::SECCOMP,
        texts: limits::SECCOMP,
    },
    Section {
        path: "config.seccomp.rules",
        intro: limits::SECCOMP_RULES_INTRO,
        keys: schema::SECCOMP_RULES,
        texts: limits::SECCOMP_RULES,
    },
    Section {
        path: "config.landlock",
        intro: limits::LANDLOCK_INTRO,
        keys: schema::LANDLOCK,
        texts: limits::LANDLOCK,
    },
    Section {
        path: "config.rlimits",
        intro: limits::RLIMITS_INTRO,
        keys: schema::RLIMITS,
        texts: limits::RLIMITS,
    },
    Section {
        path: "environ",
        intro: entries::ENVIRON_INTRO,
        keys: schema::ENVIRON,
        texts: entries::ENVIRON,
    },
    Section {
        path: "exports",
        intro: entries::EXPORTS_INTRO,
        keys: schema::EXPORTS,
        texts: entries::EXPORTS,
    },
];

/// The status file, `.rednode.yaml`.
pub const STATUS: Section =
    Section { path: "", intro: entries::STATUS_INTRO, keys: schema::STATUS, texts: entries::STATUS };

/// Keys of `config` that are judged and merged in full, and that this version's launches cannot put in force: the
/// plan refuses a family that sets one, by name. Of the other `share_` keys it refuses the path of a namespace.
pub const LAUNCH_REFUSES: &[&str] = &[
    "set-user",
    "set-group",
    "smack",
    "selinux",
    "apparmor",
    "share_time",
    "time-offsets",
    "cgrouproot",
    "cgroups",
    "seccomp",
    "landlock",
    "rlimits",
];

/// What a key takes, in words; texts as Markdown.
pub fn kind(kind: Kind) -> String {
    let words = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let bounds = |min: i64, max: i64| match (min, max) {
        (i64::MIN, i64::MAX) => "integer".to_owned(),
        (min, i64::MAX) => format!("integer, at least {min}"),
        (min, max) => format!("integer, {min} to {max}"),
    };
    match kind {
        Kind::Section(_) => "mapping".to_owned(),
        Kind::Entries(_) => "sequence of mappings".to_owned(),
        Kind::Texts => "sequence of texts, expanded".to_owned(),
        Kind::Alias => "letters, digits and `+ - _ @ :`".to_owned(),
        Kind::Literal => "text".to_owned(),
        Kind::Text => "text, expanded".to_owned(),
        Kind::Value => "text; by the mode expanded, a command, or as it stands".to_owned(),
        Kind::Variable => "name of a variable".to_owned(),
        Kind::Path => "path, expanded".to_owned(),
        Kind::PathList => "paths separated by `:`, expanded".to_owned(),
        Kind::Octal => "octal number up to 0777, quoted or not".to_owned(),
        Kind::Integer(min, max) => bounds(min, max),
        Kind::Boolean => words(&["true", "false"]),
        Kind::Switch => words(&["enabled", "disabled", "unset"]),
        Kind::Share => {
            format!("{}, or the path of a namespace to join", words(&["enabled", "disabled", "unset"]))
        }
        Kind::Account => "name or number".to_owned(),
        Kind::Size(0) => "bytes, or with `K`, `M`, `G`".to_owned(),
        Kind::Size(min) => format!("bytes, or with `K`, `M`, `G`; at least {min}"),
        Kind::Limit => "bytes, or with `K`, `M`, `G`; or `max`".to_owned(),
        Kind::IntegerOrMax(min, max) => format!("{}, or `max`", bounds(min, max)),
        Kind::NumberList => "numbers and ranges: `0-3,5`".to_owned(),
        Kind::CgroupText(text) => cgroup_text(text).to_owned(),
        Kind::Rlimit => {
            "`soft:hard`, or one value for both; numbers, with `K`, `M` or `G`, or `max`".to_owned()
        }
        Kind::Errno => "name of an error number, as errno(3) has it".to_owned(),
        Kind::Calls => "sequence of system calls and groups (`@module`)".to_owned(),
        Kind::Ports => "sequence of ports, 0 to 65535".to_owned(),
        Kind::Word(list) => words(list),
        Kind::Capability => "name of a capability, with or without `CAP_`, or `ALL`".to_owned(),
        Kind::VariableMode | Kind::ExportMode => "mode".to_owned(),
    }
}

fn cgroup_text(text: CgroupText) -> &'static str {
    match text {
        CgroupText::CpuMax => "quota in microseconds or `max`, then the period: `50000 100000`",
        CgroupText::IoMax => "`MAJOR:MINOR` and limits: `8:0 rbps=1048576 wiops=max`",
        CgroupText::IoWeight => "weight from 1 to 10000, `default WEIGHT`, or `MAJOR:MINOR WEIGHT`",
        CgroupText::IoCost => "`MAJOR:MINOR` and settings: `8:0 ctrl=auto`",
    }
}

/// A rule of inheritance, where it is strict: its name in the reference, and what it says in a sentence.
pub fn rule(rule: Rule) -> (&'static str, &'static str) {
    match rule {
        Rule::Own => ("own", "Each node has its own; children do not inherit it."),
        Rule::Joined => {
            ("joined", "The child's items first, then the parent's; admin before normal; no item twice.")
        }
        Rule::Free => ("free", "A child may set it anew; admin over normal."),
        Rule::Stays(true) => ("stays on", "Once an ancestor has turned it on, it stays on."),
        Rule::Stays(false) => ("stays off", "Once an ancestor has turned it off, it stays off."),
        Rule::Namespace => (
            "namespace",
            "What an ancestor isolates stays isolated. A child may share what an ancestor shares, or leaves open with \
             `unset`; a key that is absent everywhere above leaves nothing open. What an ancestor joins, a child can \
             isolate or join again, nothing else.",
        ),
        Rule::Capabilities => {
            ("capabilities", "A child may drop what its parent keeps, never keep what its parent does not.")
        }
        Rule::OwnDirectory => ("own directory", "A child's lies below its own directory."),
        Rule::Exports => (
            "exports",
            "A child sees what its ancestors export, but for their `Private…` entries. It adds exports whose source is \
             its own, or is something that an ancestor exports, with no more access.",
        ),
        Rule::ByKey => ("by key", "Variable by variable: the child's wins, admin over normal."),
        Rule::Fixed => ("fixed", "Once an ancestor has set it, it is not changed."),
        Rule::Together => ("together", "Each node has its own, and those of all the family apply together."),
        Rule::RootOnly => ("root only", "The root node alone may set it."),
    }
}

/// Every rule, in the order of the reference.
pub const RULES: &[Rule] = &[
    Rule::Free,
    Rule::Joined,
    Rule::ByKey,
    Rule::Stays(true),
    Rule::Stays(false),
    Rule::Fixed,
    Rule::Namespace,
    Rule::Capabilities,
    Rule::Exports,
    Rule::OwnDirectory,
    Rule::Together,
    Rule::RootOnly,
    Rule::Own,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effective::NodeHead;
    use crate::{Names, commands};
    use std::collections::BTreeSet;

    /// Every section that a table of the schema leads to, from the file on.
    fn reached(path: &str, keys: &'static [Key], found: &mut Vec<(String, &'static [Key])>) {
        found.push((path.to_owned(), keys));
        for key in keys {
            if let Kind::Section(below) | Kind::Entries(below) = key.kind {
                let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
                reached(&path, below, found);
            }
        }
    }

    #[test]
    fn every_section_is_described_and_no_other() {
        let mut found = Vec::new();
        reached("", schema::FILE, &mut found);
        let known: BTreeSet<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        let described: BTreeSet<&str> = SECTIONS.iter().map(|section| section.path).collect();
        assert_eq!(described, known);
        for (path, keys) in &found {
            let section = SECTIONS.iter().find(|section| section.path == path).expect("just compared");
            assert!(std::ptr::eq(section.keys, *keys), "{path} is described by another table");
        }
    }

    #[test]
    fn every_key_is_described_in_order_and_no_other() {
        for section in SECTIONS.iter().chain([&STATUS]) {
            let keys: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
            let texts: Vec<&str> = section.texts.iter().map(|text| text.key).collect();
            assert_eq!(texts, keys, "section `{}`", section.path);
            for (key, text) in section.described() {
                let name = format!("{}.{}", section.path, key.name);
                assert!(text.text.ends_with('.') && text.text.len() > 5, "{name}: {}", text.text);
                let nested = matches!(key.kind, Kind::Section(_) | Kind::Entries(_));
                assert_eq!(
                    text.example.is_empty(),
                    nested,
                    "{name}: a value has an example, a section has none"
                );
            }
        }
    }

    #[test]
    fn what_launches_refuse_are_keys() {
        for refused in LAUNCH_REFUSES {
            assert!(schema::CONFIG.iter().any(|key| key.name == *refused), "{refused}");
        }
    }

    #[test]
    fn every_rule_is_in_the_reference() {
        for section in SECTIONS {
            for key in section.keys {
                assert!(RULES.contains(&key.rule), "{}: {:?}", key.name, key.rule);
            }
        }
    }

    #[test]
    fn every_mode_is_described_in_order_and_no_other() {
        let exports: Vec<&str> = EXPORT_MODE_TEXTS.iter().map(|(word, _)| *word).collect();
        assert_eq!(exports, schema::EXPORT_MODES.iter().map(|(word, _)| *word).collect::<Vec<_>>());
        let variables: Vec<&str> = VARIABLE_MODE_TEXTS.iter().map(|(word, _)| *word).collect();
        assert_eq!(variables, schema::VARIABLE_MODES.iter().map(|(word, _)| *word).collect::<Vec<_>>());
    }

    #[test]
    fn every_name_is_described_and_no_other() {
        let names = Names {
            cgroups_mount_point: Some("/sys/fs/cgroup".into()),
            redpesk_version: Some("1".into()),
            ..Names::default()
        };
        let head = NodeHead { alias: "a".into(), name: "n".into(), info: "i".into(), redpath: "/n".into() };
        let known: Vec<String> =
            commands::environment(&names, &head, &head).into_iter().map(|(name, _)| name).collect();
        let described: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        assert_eq!(described, known);
    }
}
