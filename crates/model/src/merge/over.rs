//! What an export may be put over: something inherited only where the result is no wider.

use redpak_diagnostics::Finding;

use super::Family;
use super::environ::overridden;
use super::exports::{Placed, Tree};
use crate::codes;
use crate::effective::{Access, Lies};
use crate::paths;
use crate::resolve::{Entry, Mounted, What};
use crate::source::Report;

/// Judges an export against what the tree shows at its mount path.
pub(super) fn judge(
    family: &Family,
    tree: &Tree,
    level: usize,
    entry: &Entry<Mounted>,
    lies: Option<&Lies>,
    report: &mut Report,
) {
    if level == 0 {
        return;
    }
    let mount = &entry.value.mount;
    let governing = mount.ancestors().find_map(|path| tree.at(path).last()).map(|index| tree.get(*index));
    if let Some(placed) = governing {
        if placed.mount() == mount {
            overridden(&placed.entry, &entry.origin, report);
        }
        if let Some((code, hint)) = refusal(entry, placed) {
            report.push(complaint(family, entry, placed, code, hint));
            return;
        }
    }
    // A bind of the very place brings along what is mounted below it; an overlay has it bound again.
    let in_place = matches!(lies, Some(Lies::Inherited { inside, .. }) if inside == mount);
    if let Some(hidden) =
        tree.below(mount).filter(|_| !in_place && !matches!(entry.value.what, What::Overlay { .. }))
    {
        let (mount, below) = (mount.display(), hidden.mount().display());
        let message =
            format!("an export at {mount} would hide {below}, which `{}` inherits", family.alias(level));
        report.push(
            Finding::error(codes::MOUNT_HIDES_INHERITED, message)
                .with_place(entry.origin.place.clone())
                .with_related(
                    format!("`{}` exports it here", family.alias(hidden.level)),
                    hidden.entry.origin.place.clone(),
                )
                .with_hint("mount it elsewhere, or lay it over with the mode `Overlay`"),
        );
    }
}

/// Why the export may not be put over the inherited one: code and hint.
fn refusal(entry: &Entry<Mounted>, inherited: &Placed) -> Option<(&'static str, &'static str)> {
    const ELSEWHERE: (&str, &str) =
        (codes::MOUNT_OVER_INHERITED, "mount it elsewhere, or lay it over with the mode `Overlay`");
    const INHERITED: (&str, &str) =
        (codes::MOUNT_OVER_INHERITED, "remove the entry: what an ancestor exports is inherited");
    const NO_DIRECTORY: (&str, &str) = (
        codes::OVERLAY_KIND,
        "an overlay is a directory, and is laid over a directory: lay it over the one that is meant",
    );
    let value = &entry.value;
    let at = value.mount == inherited.mount();
    match (&value.what, inherited.what()) {
        // Leading through a link or a file is another finding.
        (_, What::Symlink { .. }) if !at => None,
        (_, below) if below.is_file() && !at => None,
        _ if same_source(value, inherited) => None,
        (What::Overlay { .. }, What::Bind { file: false, .. } | What::Anonymous | What::Tmpfs { .. }) => None,
        (What::Overlay { .. }, What::Overlay { .. }) if at => None,
        (What::Overlay { .. }, What::Overlay { .. }) => Some((
            codes::MOUNT_OVER_INHERITED,
            "lay it over the directory that the ancestor's overlay is mounted at",
        )),
        (What::Overlay { .. }, _) => Some(NO_DIRECTORY),
        // An empty place: what is put there replaces nothing, but is not of another kind.
        (What::Symlink { .. }, What::Anonymous | What::Tmpfs { .. }) if at => Some(ELSEWHERE),
        (what, What::Anonymous | What::Tmpfs { .. }) if at && what.is_file() => Some(ELSEWHERE),
        (_, What::Anonymous | What::Tmpfs { .. }) => None,
        (what, same) if at && what == same => Some(INHERITED),
        _ => Some(ELSEWHERE),
    }
}

/// The same source, with no more access.
fn same_source(value: &Mounted, inherited: &Placed) -> bool {
    let What::Bind { host, access, .. } = &value.what else { return false };
    let (Some((source, given)), Some(rest)) =
        (inherited.what().source(), paths::beneath(&value.mount, inherited.mount()))
    else {
        return false;
    };
    *host == paths::joined(source, rest) && (*access <= given || *access == Access::ReadOnly)
}

fn complaint(
    family: &Family,
    entry: &Entry<Mounted>,
    inherited: &Placed,
    code: &'static str,
    hint: &str,
) -> Finding {
    let (mode, theirs) = (entry.value.mode.word(), inherited.entry.value.mode.word());
    let node = family.alias(entry.origin.node);
    let mount = entry.value.mount.display();
    let message = match inherited.mount() == entry.value.mount {
        true => format!("`{node}` puts {mode} over {mount}, which it inherits as {theirs}"),
        false => format!(
            "`{node}` puts {mode} at {mount}, inside of {}, which it inherits as {theirs}",
            inherited.mount().display()
        ),
    };
    Finding::error(code, message)
        .with_place(entry.origin.place.clone())
        .with_related(
            format!("`{}` exports it here", family.alias(inherited.level)),
            inherited.entry.origin.place.clone(),
        )
        .with_hint(hint)
}
