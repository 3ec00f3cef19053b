//! Whether a child's effective configuration is within its parent's, key by key, and whether what it says of itself
//! is true. Written from SPEC section 4; it shares no code with the merge.

use std::collections::BTreeSet;

use redpak_model::effective::{Settings, Share, Sourced};
use redpak_model::{Effective, Layer};

use super::sourced::{Item, items};
use super::tree::{Judged, ensure};
use super::{RandomFamily, Written, of_leaf, tree};

/// All of it: the child's parent is the same family without the leaf.
pub fn within(family: &RandomFamily, parent: &Effective, child: &Effective) -> Judged {
    settings(family, parent, child)?;
    // Where a command decides an export, and was not run, nobody knows what is seen; nothing can be launched.
    if !child.unjudged.iter().any(|unjudged| unjudged.left_out && unjudged.what.contains("export")) {
        tree::judge(child)?;
    }
    silence(family, parent, child)
}

/// `config`, key by key. What is free is not here: nothing of it is more.
fn settings(family: &RandomFamily, parent: &Effective, child: &Effective) -> Judged {
    let (p, c) = (&parent.settings, &child.settings);
    stays("gpgcheck", &p.gpgcheck, &c.gpgcheck, true)?;
    stays("inherit-env", &p.inherit_env, &c.inherit_env, false)?;
    stays("die-with-parent", &p.die_with_parent, &c.die_with_parent, true)?;
    stays("new-session", &p.new_session, &c.new_session, true)?;
    fixed("set-user", &p.set_user, &c.set_user)?;
    fixed("set-group", &p.set_group, &c.set_group)?;
    fixed("smack", &p.smack, &c.smack)?;
    fixed("selinux", &p.selinux, &c.selinux)?;
    fixed("apparmor", &p.apparmor, &c.apparmor)?;
    ensure!(p.r#unsafe == c.r#unsafe, "unsafe");
    ensure!(p.inheritance == c.inheritance, "inheritance");
    ensure!(p.cgrouproot == c.cgrouproot, "cgrouproot");
    ensure!(p.time_offsets == c.time_offsets, "time-offsets");
    ensure!(p.host_provides == c.host_provides, "host-provides");
    capabilities(p, c)?;
    namespaces(family, child.admin, p, c)?;
    limits(p, c)?;
    let own = &child.nodes[child.nodes.len() - 1].redpath;
    for directory in [&c.rpmdir, &c.persistdir, &c.cachedir].into_iter().flatten() {
        let path = &directory.value;
        ensure!(path.starts_with(own) && path != own, "{} is not below the node", path.display());
    }
    Ok(())
}

fn stays(key: &str, p: &Option<Sourced<bool>>, c: &Option<Sourced<bool>>, value: bool) -> Judged {
    let is = |set: &Option<Sourced<bool>>| set.as_ref().is_some_and(|set| set.value == value);
    ensure!(!is(p) || is(c), "{key} does not stay");
    Ok(())
}

fn fixed<T: PartialEq>(key: &str, p: &Option<Sourced<T>>, c: &Option<Sourced<T>>) -> Judged {
    let same = p.as_ref().is_none_or(|p| c.as_ref().is_some_and(|c| c.value == p.value));
    ensure!(same, "{key} is changed");
    Ok(())
}

fn capabilities(p: &Settings, c: &Settings) -> Judged {
    let kept = |settings: &Settings| -> BTreeSet<String> {
        settings.capabilities.iter().filter(|(_, kept)| kept.value).map(|(name, _)| name.clone()).collect()
    };
    let more: Vec<String> = kept(c).difference(&kept(p)).cloned().collect();
    ensure!(more.is_empty(), "{more:?} are kept");
    Ok(())
}

fn namespaces(family: &RandomFamily, admin: bool, p: &Settings, c: &Settings) -> Judged {
    for (key, parents, childs) in [
        ("share_user", &p.share.user, &c.share.user),
        ("share_cgroup", &p.share.cgroup, &c.share.cgroup),
        ("share_net", &p.share.net, &c.share.net),
        ("share_pid", &p.share.pid, &c.share.pid),
        ("share_ipc", &p.share.ipc, &c.share.ipc),
        ("share_time", &p.share.time, &c.share.time),
    ] {
        let Some(child) = childs.as_ref().map(|set| &set.value).filter(|value| **value != Share::Isolated)
        else {
            ensure!(parents.is_none() || childs.is_some(), "{key} is not said any more");
            continue;
        };
        let fine = match parents.as_ref().map(|set| &set.value) {
            // Only the root node can leave the choice.
            None => says_unset(family, admin, key),
            Some(Share::Isolated) => false,
            Some(Share::Shared) => true,
            Some(join) => join == child,
        };
        ensure!(fine, "{key} is {child:?} below {parents:?}");
    }
    Ok(())
}

fn says_unset(family: &RandomFamily, admin: bool, key: &str) -> bool {
    let unset = |line: &super::Line| {
        let all = key != "share_time" && line.text == "share_all: unset";
        all || line.text == format!("{key}: unset")
    };
    family.nodes[0].files(admin).flat_map(|(_, file)| &file.lines).any(unset)
}

fn limits(p: &Settings, c: &Settings) -> Judged {
    ensure!(c.cgroups.starts_with(&p.cgroups), "the parent's control groups are not all there");
    ensure!(c.cgroups.len() <= p.cgroups.len() + 1, "a node has two control groups");
    ensure!(c.seccomp.starts_with(&p.seccomp), "the parent's filters are not all there");
    ensure!(c.landlock.starts_with(&p.landlock), "the parent's Landlock rules are not all there");
    // No limit is the largest.
    let number = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    for (name, theirs) in &p.rlimits {
        let ours = c.rlimits.iter().find(|(known, _)| known == name).map(|(_, limit)| limit.value);
        let Some(ours) = ours else { return Err(format!("the limit {name} is not there any more")) };
        let within =
            number(ours.soft) <= number(theirs.value.soft) && number(ours.hard) <= number(theirs.value.hard);
        ensure!(within, "{name} is {ours:?} below {:?}", theirs.value);
    }
    Ok(())
}

/// THREATS 24: of what a child's files do not speak, everything is the parent's.
fn silence(family: &RandomFamily, parent: &Effective, child: &Effective) -> Judged {
    let leaf = child.nodes.len() - 1;
    let mentioned = family.mentioned(leaf, child.admin);
    let spoken = |key: &str| {
        let all = match key.split(' ').next().unwrap_or_default() {
            // Private exports of the parent, directories of package work: not the child's by saying nothing.
            "exports" | "rpmdir" | "persistdir" | "cachedir" => return true,
            "cap" => "cap ALL",
            "share_time" => "share_time",
            share if share.starts_with("share_") => "share_all",
            "cgroups" | "rlimits" | "time-offsets" => key.split(' ').next().unwrap_or_default(),
            _ => key,
        };
        mentioned.contains(all) || mentioned.contains(key)
    };
    let unspoken = |effective| -> Vec<Item<'_>> {
        let mut found = items(effective);
        found.retain(|item| !spoken(&item.key));
        found
    };
    let (theirs, ours) = (unspoken(parent), unspoken(child));
    ensure!(theirs.len() == ours.len(), "silence changed something: {theirs:?} is not {ours:?}");
    for (theirs, ours) in theirs.iter().zip(&ours) {
        let same = theirs.key == ours.key && theirs.origin == ours.origin && theirs.overrode == ours.overrode;
        // What names the leaf is another's text.
        let value = theirs.value == ours.value || theirs.origin.place.source.contains("$LEAF_");
        ensure!(same && value, "silence changed {theirs:?} to {ours:?}");
    }
    Ok(())
}

/// Every value stands where it says that it stands.
pub fn origins(written: &Written<'_>, effective: &Effective) -> Judged {
    let leaf = effective.nodes.len() - 1;
    let (family, texts) = (written.family, &written.nodes);
    for item in items(effective) {
        for (nth, origin) in std::iter::once(item.origin).chain(item.overrode).enumerate() {
            let place = &origin.place;
            let line = written.line_at(place);
            let Some((node, layer, index)) = line else {
                return Err(format!("{item:?}: no line stands at {place}"));
            };
            ensure!((node, layer) == (origin.node, origin.layer), "{item:?}: {place} is another node's");
            let node = &texts[node];
            let (source, file) = match layer {
                Layer::Normal => (Some(&node.normal), Some(&family.nodes[origin.node].normal)),
                Layer::Admin => (node.admin.as_ref(), family.nodes[origin.node].admin.as_ref()),
            };
            let (source, file) =
                source.zip(file).ok_or_else(|| format!("{item:?}: there is no such file"))?;
            let text = source.text.lines().nth(place.line as usize - 1).unwrap_or_default();
            ensure!(*place.source == *text, "{item:?}: the line is {text}");
            ensure!(
                (place.column + place.length - 1) as usize <= text.chars().count(),
                "{item:?}: {place} is behind the line's end"
            );
            let line = &file.lines[index];
            if nth > 0 {
                // What is overridden had another value, or left the choice.
                let key = item.key.split(' ').next().unwrap_or_default();
                let known = same_key(&line.key, &item.key) || line.key == key;
                ensure!(known, "{item:?}: {place} speaks of {}", line.key);
                continue;
            }
            let said = line.says.iter().any(|(key, value)| {
                same_key(&of_leaf(key, leaf), &item.key) && same_value(&item, &of_leaf(value, leaf))
            });
            ensure!(said, "{item:?}: {place} says {:?}", line.says);
        }
    }
    Ok(())
}

/// Whether a line of that key speaks of the item.
fn same_key(said: &str, key: &str) -> bool {
    let all = (said == "share_all" && key.starts_with("share_") && key != "share_time")
        || (said == "cap ALL" && key.starts_with("cap "));
    all || said == key
}

fn same_value(item: &Item<'_>, said: &str) -> bool {
    if !item.key.starts_with("rlimits ") {
        return item.value == said;
    }
    // Soft and hard are the smallest each for itself.
    let halves = |text: &str| text.split_once(':').map(|(soft, hard)| (soft.to_owned(), hard.to_owned()));
    halves(&item.value).zip(halves(said)).is_some_and(|(is, said)| is.0 == said.0 || is.1 == said.1)
}
