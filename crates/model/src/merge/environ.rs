//! Variables: by key, the child's wins, admin over normal.

use std::collections::HashMap;

use redpak_diagnostics::Finding;

use super::settings::over;
use super::{Family, Stated};
use crate::codes;
use crate::effective::{Origin, Sourced, Variable};
use crate::resolve::Entry;
use crate::source::Report;

pub(super) fn merge(family: &Family, report: &mut Report) -> Vec<Sourced<Variable>> {
    let mut merged: Vec<Sourced<Variable>> = Vec::new();
    let mut known: HashMap<&str, (usize, &Entry<Variable>)> = HashMap::new();
    for entry in family.files().flat_map(|(_, _, file)| &file.environ) {
        let stated = Stated { value: entry.value.clone(), origin: entry.origin.clone() };
        match known.get(entry.value.key.as_str()).copied() {
            None => {
                known.insert(&entry.value.key, (merged.len(), entry));
                merged.push(over(None, stated));
            }
            Some((index, before)) => {
                overridden(before, &entry.origin, report);
                let sourced = over(Some(merged[index].clone()), stated);
                merged[index] = sourced;
                known.insert(&entry.value.key, (index, entry));
            }
        }
    }
    merged
}

/// Shows the `warn` of an entry that another one overrides.
pub(super) fn overridden<T>(before: &Entry<T>, by: &Origin, report: &mut Report) {
    if let Some(warn) = &before.warn {
        report.push(
            Finding::warning(codes::OVERRIDDEN, format!("this overrides an entry that warns: {warn}"))
                .with_place(by.place.clone())
                .with_related("the entry that is overridden", before.origin.place.clone())
                .with_hint("the warning is the file's own: see whether it concerns you"),
        );
    }
}
