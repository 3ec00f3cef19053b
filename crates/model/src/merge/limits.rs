//! What limits: control groups, system call filters, Landlock rules and resource limits. Those of all the family apply
//! together, so nothing of it widens; what a child says in vain is a warning.

use std::collections::BTreeMap;

use redpak_diagnostics::{Finding, Place};

use super::settings::{over_own, own};
use super::{Family, Stated};
use crate::calls;
use crate::codes;
use crate::config::{LandlockEntry, Located, SeccompEntry, Switch};
use crate::effective::{CallAction, CallRule, Landlock, NodeLimits, Origin, Rlimit, Seccomp, Sourced};
use crate::resolve::Resolved;
use crate::schema;
use crate::source::Report;

/// Each node's own, admin over normal by file of the control group.
pub(super) fn cgroups(family: &Family) -> Vec<NodeLimits> {
    let of_node = |node: usize| {
        let mut files: Vec<(String, Sourced<String>)> = Vec::new();
        let names = family.of(node).flat_map(|(_, file)| &file.config.cgroups).map(|(name, _)| *name);
        let mut names: Vec<&str> = names.collect();
        names.sort_by_key(|name| crate::limits::rank(name));
        names.dedup();
        for name in names {
            let get = |file: &Resolved| {
                let found = file.config.cgroups.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.clone())
            };
            if let Some(stated) = own(family.stated(node, get)) {
                files.push((name.to_owned(), over_own(None, stated)));
            }
        }
        (!files.is_empty()).then_some(NodeLimits { node, files })
    };
    (0..family.heads.len()).filter_map(of_node).collect()
}

/// What a child says in vain: what it would widen, and the line of the ancestor that holds.
struct Vain<'a> {
    key: &'a str,
    what: String,
    place: &'a Place,
    holds: &'a Origin,
    by: &'a Place,
}

fn in_vain(family: &Family, node: usize, vain: Vain<'_>, report: &mut Report) {
    let Vain { key, what, place, holds, by } = vain;
    if family.doubtful(node, key) {
        return;
    }
    let (node, ancestor) = (family.alias(node), family.alias(holds.node));
    let message = format!("{what} of `{node}` has no effect: what its ancestor `{ancestor}` says holds");
    report.push(
        Finding::warning(codes::NARROWED, message)
            .with_place(place.clone())
            .with_related("it is narrower here", by.clone())
            .with_hint("remove it, or make it narrower than the ancestor's"),
    );
}

/// Of all nodes the smallest, soft and hard each for itself.
pub(super) fn rlimits(family: &Family, report: &mut Report) -> Vec<(String, Sourced<Rlimit>)> {
    let limits = schema::RLIMITS.iter().filter_map(|key| {
        let get = |file: &Resolved| {
            let found = file.config.rlimits.iter().find(|(known, _)| *known == key.name);
            found.map(|(_, limit)| limit.clone())
        };
        let mut force: Option<Sourced<Rlimit>> = None;
        for node in 0..family.heads.len() {
            let Some((stated, within)) = own(family.stated(node, get)) else { continue };
            let Some(set) = &force else {
                force = Some(over_own(None, (stated, within)));
                continue;
            };
            let wanted = stated.value;
            let value = smaller(set.value, wanted);
            if value != wanted {
                let what = format!("the limit `{}`", key.name);
                let (place, holds) = (&stated.origin.place, &set.origin);
                let vain = Vain { key: "rlimits", what, place, holds, by: &set.origin.place };
                in_vain(family, node, vain, report);
            }
            if value != set.value {
                force = Some(over_own(force, (Stated { value, origin: stated.origin }, within)));
            }
        }
        Some((key.name.to_owned(), force?))
    });
    limits.collect()
}

fn smaller(one: Rlimit, other: Rlimit) -> Rlimit {
    // No limit is above each.
    let least = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    let hard = least(one.hard, other.hard);
    Rlimit { soft: least(least(one.soft, other.soft), hard), hard }
}

/// The filter of each node that has one.
pub(super) fn seccomp(family: &Family, report: &mut Report) -> Vec<Sourced<Seccomp>> {
    let mut filters: Vec<Sourced<Seccomp>> = Vec::new();
    for node in 0..family.heads.len() {
        let get = |file: &Resolved| file.config.seccomp.clone();
        let Some((stated, within)) = own(family.stated(node, get)) else { continue };
        for ancestor in &filters {
            allowed_in_vain(family, node, &stated.value, ancestor, report);
        }
        let filter = Stated { value: filter(&stated.value), origin: stated.origin };
        filters.push(over_own(None, (filter, within)));
    }
    filters
}

fn filter(entry: &SeccompEntry) -> Seccomp {
    let rules = entry.rules.iter().map(|rule| CallRule { calls: named(&rule.calls), action: rule.action });
    let default = entry.default.as_ref().map_or(CallAction::Allow, |default| default.value);
    Seccomp { default, rules: rules.collect() }
}

/// Groups resolved, sorted, none twice.
fn named(words: &[Located<String>]) -> Vec<String> {
    let calls = words.iter().filter_map(|word| calls::named(&word.value)).flatten();
    let mut calls: Vec<String> = calls.map(str::to_owned).collect();
    calls.sort_unstable();
    calls.dedup();
    calls
}

/// How strict an action is, as the kernel ranks them (seccomp(2)).
fn strictness(action: CallAction) -> u8 {
    match action {
        CallAction::Allow => 0,
        CallAction::Log => 1,
        CallAction::Errno(_) => 2,
        CallAction::Kill => 3,
    }
}

/// One warning for each word of a rule that asks for more than an ancestor's filter gives, and for the default.
fn allowed_in_vain(
    family: &Family,
    node: usize,
    entry: &SeccompEntry,
    ancestor: &Sourced<Seccomp>,
    report: &mut Report,
) {
    let filter = &ancestor.value;
    let mut given: BTreeMap<&str, CallAction> = BTreeMap::new();
    for rule in &filter.rules {
        for call in &rule.calls {
            given.entry(call).or_insert(rule.action);
        }
    }
    let weaker = |action, call: &str| {
        strictness(action) < strictness(given.get(call).copied().unwrap_or(filter.default))
    };
    let mut told = |what: String, place: &Place| {
        let (holds, by) = (&ancestor.origin, &ancestor.origin.place);
        in_vain(family, node, Vain { key: "seccomp", what, place, holds, by }, report);
    };
    for rule in &entry.rules {
        for word in &rule.calls {
            let calls = calls::named(&word.value).unwrap_or_default();
            if calls.iter().any(|call| weaker(rule.action, call)) {
                told(format!("the rule for `{}`", word.value), &word.place);
            }
        }
    }
    if let Some(default) = entry.default.as_ref()
        && strictness(default.value) < strictness(filter.default)
    {
        told("the `default`".into(), &default.place);
    }
}

/// The rules of each node that has some.
pub(super) fn landlock(family: &Family, report: &mut Report) -> Vec<Sourced<Landlock>> {
    let mut rules: Vec<Sourced<Landlock>> = Vec::new();
    let mut entries: Vec<LandlockEntry> = Vec::new();
    for node in 0..family.heads.len() {
        let get = |file: &Resolved| file.config.landlock.clone();
        let Some((stated, within)) = own(family.stated(node, get)) else { continue };
        for (entry, ancestor) in entries.iter().zip(&rules) {
            let told = |key: &str, place: &Place, by: &Place| {
                let what = format!("`{key}` in `landlock`");
                let vain = Vain { key: "landlock", what, place, holds: &ancestor.origin, by };
                in_vain(family, node, vain, report);
            };
            ruled_in_vain(&stated.value, entry, told);
        }
        let value = landlock_of(&stated.value);
        entries.push(stated.value);
        rules.push(over_own(None, (Stated { value, origin: stated.origin }, within)));
    }
    rules
}

/// What is said of a key for the node's own, and where its ancestor says what holds.
fn ruled_in_vain(
    child: &LandlockEntry,
    ancestor: &LandlockEntry,
    mut told: impl FnMut(&str, &Place, &Place),
) {
    let mut ports = |key, child: &Option<Located<Vec<u16>>>, ancestor: &Option<Located<Vec<u16>>>| {
        if let (Some(child), Some(ancestor)) = (child, ancestor)
            && child.value.iter().any(|port| !ancestor.value.contains(port))
        {
            told(key, &child.place, &ancestor.place);
        }
    };
    ports("tcp-bind", &child.tcp_bind, &ancestor.tcp_bind);
    ports("tcp-connect", &child.tcp_connect, &ancestor.tcp_connect);
    let mut against =
        |key, child: &Option<Located<Switch>>, ancestor: &Option<Located<Switch>>, strict: Switch| {
            if let (Some(child), Some(ancestor)) = (child, ancestor)
                && ancestor.value == strict
                && child.value != strict
                && child.value != Switch::Unset
            {
                told(key, &child.place, &ancestor.place);
            }
        };
    against("files", &child.files, &ancestor.files, Switch::Enabled);
    against("abstract-sockets", &child.abstract_sockets, &ancestor.abstract_sockets, Switch::Disabled);
    against("signals", &child.signals, &ancestor.signals, Switch::Disabled);
}

fn landlock_of(entry: &LandlockEntry) -> Landlock {
    let is = |switch: &Option<Located<Switch>>, value| switch.as_ref().is_some_and(|set| set.value == value);
    let ports = |ports: &Option<Located<Vec<u16>>>| ports.as_ref().map(|ports| ports.value.clone());
    Landlock {
        abi: entry.abi.as_ref().and_then(|abi| u32::try_from(abi.value).ok()),
        files: is(&entry.files, Switch::Enabled),
        tcp_bind: ports(&entry.tcp_bind),
        tcp_connect: ports(&entry.tcp_connect),
        abstract_sockets: !is(&entry.abstract_sockets, Switch::Disabled),
        signals: !is(&entry.signals, Switch::Disabled),
    }
}
