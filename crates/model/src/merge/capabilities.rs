//! Capabilities: the root node may keep any, a child only what its parent keeps.

use std::collections::BTreeMap;

use redpak_diagnostics::Finding;

use super::settings::{over_own, own};
use super::{Family, Stated};
use crate::capability::{COUNT, Capability, NAMES};
use crate::codes;
use crate::effective::{Layer, Origin, Sourced};
use crate::resolve::{Entry, Resolved};
use crate::source::Report;
use crate::walk::listed;

pub(super) type Kept = Vec<Option<Sourced<bool>>>;

pub(super) fn merge(family: &Family, report: &mut Report) -> Vec<(String, Sourced<bool>)> {
    let mut kept: Kept = vec![None; COUNT];
    let mut warns: BTreeMap<Capability, Entry<(Capability, bool)>> = BTreeMap::new();
    for node in 0..family.heads.len() {
        for (_, file) in family.of(node) {
            overridden(file, &mut warns, report);
        }
        let files: Vec<_> = family.of(node).map(|(layer, file)| one_file(node, layer, file)).collect();
        let mut refused: Vec<(Origin, Vec<usize>)> = Vec::new();
        for number in 0..COUNT {
            let stated = files.iter().filter_map(|file| file[number].clone()).collect();
            let Some((stated, within)) = own(stated) else { continue };
            let parent_keeps = kept[number].as_ref().is_some_and(|kept| kept.value);
            if stated.value && node > 0 && !parent_keeps {
                if family.doubtful(node, "capabilities") {
                    continue;
                }
                match refused.iter_mut().find(|(at, _)| *at == stated.origin) {
                    Some((_, numbers)) => numbers.push(number),
                    None => refused.push((stated.origin, vec![number])),
                }
                continue;
            }
            kept[number] = Some(over_own(kept[number].take(), (stated, within)));
        }
        for (at, numbers) in refused {
            report.push(widened(family, &at, &numbers, &kept));
        }
    }
    let named = |(number, kept): (usize, Option<Sourced<bool>>)| Some((NAMES[number].to_owned(), kept?));
    kept.into_iter().enumerate().filter_map(named).collect()
}

/// What one file says of each capability: `ALL` first, then the others.
fn one_file(node: usize, layer: Layer, file: &Resolved) -> Vec<Option<Stated<bool>>> {
    let mut stated = vec![None; COUNT];
    let state = |entry: &Entry<(Capability, bool)>| {
        let origin = Origin { node, layer, place: entry.origin.place.clone() };
        Some(Stated { value: entry.value.1, origin })
    };
    if let Some(all) = file.capabilities.iter().find(|entry| entry.value.0 == Capability::All) {
        stated = vec![state(all); COUNT];
    }
    for entry in &file.capabilities {
        if let Capability::One(number) = entry.value.0 {
            stated[number] = state(entry);
        }
    }
    stated
}

/// The `warn` of an entry is shown when another entry for the same capability follows.
pub(super) fn overridden(
    file: &Resolved,
    warns: &mut BTreeMap<Capability, Entry<(Capability, bool)>>,
    report: &mut Report,
) {
    for entry in &file.capabilities {
        if let Some(before) = warns.insert(entry.value.0, entry.clone()) {
            super::environ::overridden(&before, &entry.origin, report);
        }
    }
}

/// The mounts of a launch belong to its user namespace: who has this capability there can make writable what is mounted
/// read-only, and unmount what hides something (mount_namespaces(7)).
pub(super) fn undoing(family: &Family, kept: &[(String, Sourced<bool>)], report: &mut Report) {
    const UNDOES: &str = "CAP_SYS_ADMIN";
    let Some((_, kept)) = kept.iter().find(|(name, kept)| name == UNDOES && kept.value) else { return };
    let message = format!(
        "`{}` keeps {UNDOES}: what runs in `{}` can undo every mount, the read-only ones too",
        family.alias(kept.origin.node),
        family.alias(family.leaf())
    );
    report.push(
        Finding::warning(codes::MOUNTS_UNDONE, message)
            .with_place(kept.origin.place.clone())
            .with_hint("drop it, or run only what you trust with all that the family's exports name"),
    );
}

fn widened(family: &Family, at: &Origin, numbers: &[usize], kept: &Kept) -> Finding {
    const SHOWN: usize = 4;
    let mut names = listed(numbers.iter().take(SHOWN).map(|number| NAMES[*number]));
    if numbers.len() > SHOWN {
        names = format!("{names} and {} more", numbers.len() - SHOWN);
    }
    let parent = family.alias(at.node.saturating_sub(1));
    let message =
        format!("`{}` keeps {names}, which its parent `{parent}` does not keep", family.alias(at.node));
    let finding = Finding::error(codes::CAPABILITY_WIDENED, message).with_place(at.place.clone());
    let dropped = numbers.iter().find_map(|number| kept[*number].as_ref().filter(|kept| !kept.value));
    match dropped {
        Some(dropped) => finding
            .with_related(
                format!("`{}` drops it here", family.alias(dropped.origin.node)),
                dropped.origin.place.clone(),
            )
            .with_hint("remove the entry: a capability that an ancestor dropped stays dropped"),
        None => finding
            .with_related(
                "no ancestor keeps it: the parent",
                family.files[at.node.saturating_sub(1)].normal.head.clone(),
            )
            .with_hint("remove the entry, or keep the capability in each ancestor, from the root node on"),
    }
}
