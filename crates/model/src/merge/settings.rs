//! `config`, key by key: free ones, those that stay, lists, and what only the root node may say.

use std::path::PathBuf;

use redpak_diagnostics::{Finding, Place};

use super::{Family, Stated, capabilities, limits, shares};
use crate::codes;
use crate::config::{Located, Switch};
use crate::effective::{Account, Layer, Origin, Settings, Sourced, TimeOffsets};
use crate::paths;
use crate::resolve::Resolved;
use crate::source::Report;
use crate::walk::short;

pub(super) fn merge(family: &Family, report: &mut Report) -> Settings {
    root_only(family, report);
    let switch = |value: &Option<Located<bool>>| {
        value.clone().map(|value| value.map(|on| if on { Switch::Enabled } else { Switch::Disabled }))
    };
    Settings {
        rpmdir: directory(family, report, "rpmdir", |file| file.rpmdir.clone()),
        persistdir: directory(family, report, "persistdir", |file| file.persistdir.clone()),
        cachedir: directory(family, report, "cachedir", |file| file.cachedir.clone()),
        path: joined(family, |file| &file.path),
        ldpath: joined(family, |file| &file.ldpath),
        umask: free(family, |file| file.config.umask.clone()),
        map_root_user: free(family, |file| file.config.map_root_user.clone()),
        verbose: free(family, |file| file.config.verbose.clone()),
        gpgcheck: stays(family, report, ("gpgcheck", true), |file| switch(&file.config.gpgcheck)),
        r#unsafe: free(family, |file| file.config.r#unsafe.clone()),
        inherit_env: stays(family, report, ("inherit-env", false), |file| switch(&file.config.inherit_env)),
        die_with_parent: stays(family, report, ("die-with-parent", true), |file| {
            file.config.die_with_parent.clone()
        }),
        new_session: stays(family, report, ("new-session", true), |file| file.config.new_session.clone()),
        share: shares::merge(family, report),
        hostname: free(family, |file| file.hostname.clone()),
        chdir: free(family, |file| file.chdir.clone()),
        capabilities: capabilities::merge(family, report),
        host_provides: host_provides(family),
        inheritance: free(family, |file| file.config.inheritance.clone()),
        set_user: fixed(family, report, "set-user", |file| file.set_user.clone()),
        set_group: fixed(family, report, "set-group", |file| file.set_group.clone()),
        smack: fixed(family, report, "smack", |file| file.smack.clone()),
        selinux: fixed(family, report, "selinux", |file| file.selinux.clone()),
        apparmor: fixed(family, report, "apparmor", |file| file.apparmor.clone()),
        time_offsets: TimeOffsets {
            monotonic: free(family, |file| file.config.monotonic.clone()),
            boottime: free(family, |file| file.config.boottime.clone()),
        },
        cgrouproot: free(family, |file| file.cgrouproot.clone()),
        cgroups: limits::cgroups(family),
        seccomp: limits::seccomp(family, report),
        landlock: limits::landlock(family, report),
        rlimits: limits::rlimits(family, report),
    }
}

/// The last wins, admin over normal.
pub(super) fn free<T: Clone>(
    family: &Family,
    get: impl Fn(&Resolved) -> Option<Located<T>>,
) -> Option<Sourced<T>> {
    let mut last: Option<Sourced<T>> = None;
    for (node, layer, file) in family.files() {
        if let Some(Located { value, place }) = get(file) {
            last = Some(over(last, Stated { value, origin: Origin { node, layer, place } }));
        }
    }
    last
}

/// A statement over what was in force.
pub(super) fn over<T>(before: Option<Sourced<T>>, stated: Stated<T>) -> Sourced<T> {
    let overrode = before
        .map_or_else(Vec::new, |before| std::iter::once(before.origin).chain(before.overrode).collect());
    Sourced { value: stated.value, origin: stated.origin, overrode }
}

/// A node's own statement: the last of its files. What that overrode within the node counts as overridden.
pub(super) fn own<T>(stated: Vec<Stated<T>>) -> Option<(Stated<T>, Vec<Origin>)> {
    let mut stated = stated;
    let last = stated.pop()?;
    Some((last, stated.into_iter().rev().map(|stated| stated.origin).collect()))
}

/// As [`over`], for a node's own statement.
pub(super) fn over_own<T>(
    before: Option<Sourced<T>>,
    (stated, within): (Stated<T>, Vec<Origin>),
) -> Sourced<T> {
    let mut sourced = over(before, stated);
    sourced.overrode.splice(0..0, within);
    sourced
}

/// Once an ancestor has set the value, a child cannot take it back.
fn stays(
    family: &Family,
    report: &mut Report,
    (key, stays): (&str, bool),
    get: impl Fn(&Resolved) -> Option<Located<Switch>>,
) -> Option<Sourced<bool>> {
    let mut force: Option<Sourced<bool>> = None;
    for node in 0..family.heads.len() {
        let Some((Stated { value, origin }, within)) = own(family.stated(node, &get)) else { continue };
        let value = match value {
            Switch::Enabled => true,
            Switch::Disabled => false,
            Switch::Unset => continue,
        };
        // What nobody above says is as it is by default: verified, and not passed on.
        let by_default = matches!(key, "gpgcheck" | "inherit-env") && force.is_none();
        if by_default && node > 0 && value != stays {
            if !family.doubtful(node, key) {
                report.push(widens_default(family, node, key, stays, origin.place));
            }
            continue;
        }
        match &force {
            Some(set) if set.value == stays && value != stays => {
                if family.doubtful(node, key) {
                    continue;
                }
                let message =
                    format!("`{key}` was set by the ancestor `{}`, and stays", family.alias(set.origin.node));
                report.push(
                    Finding::error(codes::SETTING_STAYS, message)
                        .with_place(origin.place)
                        .with_related("it was set here", set.origin.place.clone())
                        .with_hint("remove the line"),
                );
            }
            _ => force = Some(over_own(force, (Stated { value, origin }, within))),
        }
    }
    force
}

fn widens_default(family: &Family, node: usize, key: &str, default: bool, place: Place) -> Finding {
    let root = family.alias(0);
    let message = format!(
        "`{}` sets `{key}` to `{}`; no ancestor does, and the default, `{default}`, stays",
        family.alias(node),
        !default
    );
    Finding::error(codes::SETTING_STAYS, message)
        .with_place(place)
        .with_related("the root node says nothing of it", family.files[0].normal.head.clone())
        .with_hint(format!("remove the line; the root node `{root}` would have to set it first"))
}

/// Once an ancestor has set it, a child may only say the same.
fn fixed<T: Clone + PartialEq + Shown>(
    family: &Family,
    report: &mut Report,
    key: &str,
    get: impl Fn(&Resolved) -> Option<Located<T>>,
) -> Option<Sourced<T>> {
    let mut force: Option<Sourced<T>> = None;
    for node in 0..family.heads.len() {
        let Some((stated, within)) = own(family.stated(node, &get)) else { continue };
        match &force {
            Some(set) if set.value != stated.value => {
                let message = format!(
                    "`{}` sets `{key}` to `{}`, and its ancestor `{}` has set it to `{}`",
                    family.alias(node),
                    stated.value.shown(),
                    family.alias(set.origin.node),
                    set.value.shown()
                );
                report.push(
                    Finding::error(codes::SETTING_FIXED, message)
                        .with_place(stated.origin.place)
                        .with_related("it was set here", set.origin.place.clone())
                        .with_hint("remove the line: once set, it is not changed"),
                );
            }
            _ => force = Some(over_own(force, (stated, within))),
        }
    }
    force
}

/// A value in a message.
trait Shown {
    fn shown(&self) -> String;
}

impl Shown for String {
    fn shown(&self) -> String {
        short(self)
    }
}

impl Shown for Account {
    fn shown(&self) -> String {
        match self {
            Self::Name(name) => short(name),
            Self::Id(id) => id.to_string(),
        }
    }
}

/// The child's items first, then the parent's; a node's admin items before its normal ones; no item twice.
pub(super) fn joined(
    family: &Family,
    get: impl Fn(&Resolved) -> &Vec<Located<String>>,
) -> Vec<Sourced<String>> {
    let mut items: Vec<Sourced<String>> = Vec::new();
    for node in (0..family.heads.len()).rev() {
        let mut files: Vec<(Layer, &Resolved)> = family.of(node).collect();
        files.reverse();
        for (layer, file) in files {
            for Located { value, place } in get(file) {
                let origin = Origin { node, layer, place: place.clone() };
                match items.iter_mut().find(|item| item.value == *value) {
                    Some(item) => item.overrode.push(origin),
                    None => items.push(Sourced { value: value.clone(), origin, overrode: Vec::new() }),
                }
            }
        }
    }
    items
}

/// A child's directory lies below its own node. One that an ancestor states is the leaf's only when it does, as
/// `$LEAF_PATH/…` does: nobody works on the packages of an ancestor by saying nothing.
fn directory(
    family: &Family,
    report: &mut Report,
    key: &str,
    get: impl Fn(&Resolved) -> Option<Located<PathBuf>>,
) -> Option<Sourced<PathBuf>> {
    for node in 1..family.heads.len() {
        let redpath = &family.heads[node].redpath;
        for stated in family.stated(node, &get) {
            let inside =
                paths::beneath(&stated.value, redpath).is_some_and(|rest| !rest.as_os_str().is_empty());
            if !inside {
                let message = format!(
                    "`{key}` of the node `{}` does not lie below {}",
                    family.alias(node),
                    redpath.display()
                );
                report.push(
                    Finding::error(codes::DIRECTORY_OUTSIDE, message)
                        .with_place(stated.origin.place)
                        .with_related("a child of this node", family.files[node - 1].normal.head.clone())
                        .with_hint("write a path that starts with `$NODE_PATH/`"),
                );
            }
        }
    }
    leafs_directory(family, get)
}

/// A directory that an ancestor states is the leaf's only when it lies below the leaf's own.
fn leafs_directory(
    family: &Family,
    get: impl Fn(&Resolved) -> Option<Located<PathBuf>>,
) -> Option<Sourced<PathBuf>> {
    let leaf = family.leaf();
    let redpath = &family.heads[leaf].redpath;
    free(family, |file| get(file).filter(|path| leaf == 0 || paths::beneath(&path.value, redpath).is_some()))
}

pub(super) fn host_provides(family: &Family) -> Vec<Sourced<String>> {
    let mut provides: Vec<Sourced<String>> = Vec::new();
    for (layer, file) in family.of(0) {
        for Located { value, place } in &file.host_provides {
            let origin = Origin { node: 0, layer, place: place.clone() };
            match provides.iter_mut().find(|known| known.value == *value) {
                Some(known) => known.overrode.push(origin),
                None => provides.push(Sourced { value: value.clone(), origin, overrode: Vec::new() }),
            }
        }
    }
    provides
}

fn root_only(family: &Family, report: &mut Report) {
    for (node, _, file) in family.files().filter(|(node, ..)| *node > 0) {
        for key in &file.config.root_only {
            let message = format!(
                "`{}` stands in `{}`, and only the root node `{}` may set it",
                key.value,
                family.alias(node),
                family.alias(0)
            );
            report.push(
                Finding::error(codes::ROOT_ONLY, message)
                    .with_place(key.place.clone())
                    .with_related("the root node", family.files[0].normal.head.clone())
                    .with_hint("remove the line here, or move it to the root node's file"),
            );
        }
    }
}
