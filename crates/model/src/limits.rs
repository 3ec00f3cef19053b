//! The sections of `config` that limit: `cgroups`, `seccomp`, `landlock`, `rlimits`, from checked fields to values.

use redpak_diagnostics::Place;

use crate::config::{CallRuleEntry, LandlockEntry, Located, SeccompEntry};
use crate::effective::{CallAction, Rlimit};
use crate::schema;
use crate::walk::{Fields, Value};

/// `EPERM` (errno(3)): what a refused call answers when the file names no other.
const EPERM: u16 = 1;

/// Section and key of `cgroups`, and the file of the control group (Linux, `admin-guide/cgroup-v2.rst`).
const FILES: [(&str, &str, &str); 18] = [
    ("cpuset", "cpus", "cpuset.cpus"),
    ("cpuset", "mems", "cpuset.mems"),
    ("cpuset", "cpus_partition", "cpuset.cpus.partition"),
    ("mem", "min", "memory.min"),
    ("mem", "low", "memory.low"),
    ("mem", "high", "memory.high"),
    ("mem", "max", "memory.max"),
    ("mem", "swap_high", "memory.swap.high"),
    ("mem", "swap_max", "memory.swap.max"),
    ("mem", "oom_group", "memory.oom.group"),
    ("cpu", "max", "cpu.max"),
    ("cpu", "weight", "cpu.weight"),
    ("cpu", "weight_nice", "cpu.weight.nice"),
    ("io", "max", "io.max"),
    ("io", "weight", "io.weight"),
    ("io", "cost_qos", "io.cost.qos"),
    ("io", "cost_model", "io.cost.model"),
    ("pids", "max", "pids.max"),
];

/// Place of a control group's file in the order of the schema.
pub(crate) fn rank(file: &str) -> usize {
    FILES.iter().position(|(.., known)| *known == file).unwrap_or(FILES.len())
}

pub(crate) fn cgroups(config: &Fields) -> Vec<(&'static str, Located<String>)> {
    let Some(cgroups) = config.section("cgroups") else { return Vec::new() };
    let text = |(section, key, file): &(&str, &str, &'static str)| {
        let text = cgroups.section(section)?.get(key, |value| match value {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Word(index) => partition(*index),
            _ => None,
        })?;
        Some((*file, text))
    };
    FILES.iter().filter_map(text).collect()
}

fn partition(index: usize) -> Option<String> {
    let key = schema::CPUSET.iter().find(|key| key.name == "cpus_partition")?;
    match key.kind {
        schema::Kind::Word(words) => words.get(index).map(|word| (*word).to_owned()),
        _ => None,
    }
}

pub(crate) fn rlimits(config: &Fields) -> Vec<(&'static str, Located<Rlimit>)> {
    let Some(limits) = config.section("rlimits") else { return Vec::new() };
    let limit = |key: &schema::Key| {
        let limit = limits
            .get(key.name, |value| if let Value::Rlimit(limit) = value { Some(*limit) } else { None })?;
        Some((key.name, limit))
    };
    schema::RLIMITS.iter().filter_map(limit).collect()
}

pub(crate) fn seccomp(config: &Fields) -> Option<Located<SeccompEntry>> {
    let section = config.section("seccomp")?;
    let rules = section.entries("rules").iter().filter_map(|rule| {
        Some(CallRuleEntry {
            calls: rule.texts("calls"),
            action: action(rule, "action")?.value,
            info: rule.text("info"),
        })
    });
    let value = SeccompEntry { default: action(section, "default"), rules: rules.collect() };
    Some(Located { value, place: config.key_place("seccomp")? })
}

/// An action, with the error number beside it.
fn action(fields: &Fields, key: &str) -> Option<Located<CallAction>> {
    let errno =
        fields.get("errno", |value| if let Value::Errno(number) = value { Some(*number) } else { None });
    let errno = errno.map_or(EPERM, |errno| errno.value);
    let action = fields.word(key)?;
    Some(action.map(|index| match schema::CALL_ACTIONS.get(index) {
        Some(&"allow") => CallAction::Allow,
        Some(&"log") => CallAction::Log,
        Some(&"errno") => CallAction::Errno(errno),
        _ => CallAction::Kill,
    }))
}

pub(crate) fn landlock(config: &Fields) -> Option<Located<LandlockEntry>> {
    let section = config.section("landlock")?;
    let ports = |key: &str| -> Option<Located<Vec<u16>>> {
        let mut ports: Vec<u16> =
            section.integers(key)?.into_iter().filter_map(|port| u16::try_from(port).ok()).collect();
        ports.sort_unstable();
        ports.dedup();
        let place: Place = section.key_place(key)?;
        Some(Located { value: ports, place })
    };
    let value = LandlockEntry {
        abi: section.integer("abi"),
        files: section.switch("files"),
        tcp_bind: ports("tcp-bind"),
        tcp_connect: ports("tcp-connect"),
        abstract_sockets: section.switch("abstract-sockets"),
        signals: section.switch("signals"),
    };
    Some(Located { value, place: config.key_place("landlock")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_cgroups_has_its_file() {
        for section in schema::CGROUPS {
            let schema::Kind::Section(keys) = section.kind else { panic!("{}", section.name) };
            for key in keys {
                let known = FILES.iter().any(|(of, name, _)| *of == section.name && *name == key.name);
                assert!(known, "{}.{}", section.name, key.name);
            }
        }
    }
}
