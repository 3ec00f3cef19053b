//! What an export may be put over: something inherited only where the result is no wider.

use std::path::Path;

use redpak_diagnostics::Finding;

use super::Family;
use super::environ::overridden;
use super::mounts::{Placed, Tree};
use crate::codes;
use crate::effective::{Lies, TMPFS_SIZE};
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
    let in_place = matches!(lies, Some(Lies::Inherited { inside, .. }) if inside == mount);
    if let Some((at, seen)) = tree.governing(mount) {
        let placed = tree.get(seen.export);
        if at == mount {
            overridden(&placed.entry, &entry.origin, report);
        }
        let inherited = Inherited { at, placed };
        let same = in_place || (lies.is_none() && inherited.is_path_of(&entry.value));
        if let Some((code, hint)) = inherited.refusal(entry, same) {
            report.error(|| inherited.complaint(family, entry, code, hint));
            return;
        }
    }
    // A bind of the very place brings along what is mounted below it; an overlay has it bound again.
    let stays = in_place || matches!(entry.value.what, What::Overlay { .. });
    if let Some((below, hidden)) = tree.below(mount).filter(|_| !stays) {
        report.error(|| {
            let (mount, below) = (mount.display(), below.display());
            let node = family.alias(level);
            let message = format!("an export at {mount} would hide {below}, which `{node}` inherits");
            Finding::error(codes::MOUNT_HIDES_INHERITED, message)
                .with_place(entry.origin.place.clone())
                .with_related(
                    format!("`{}` exports it here", family.alias(hidden.level)),
                    hidden.entry.origin.place.clone(),
                )
                .with_hint("mount it elsewhere, or lay it over with the mode `Overlay`")
        });
    }
}

/// What a node inherits, and where it is seen.
struct Inherited<'t> {
    at: &'t Path,
    placed: &'t Placed,
}

type Refusal = (&'static str, &'static str);

const ELSEWHERE: Refusal =
    (codes::MOUNT_OVER_INHERITED, "mount it elsewhere, or lay it over with the mode `Overlay`");
const PRIVATELY: Refusal = (
    codes::MOUNT_OVER_INHERITED,
    "use `Restricted`: what a node takes away from itself it takes away from its descendants",
);
const LARGER: Refusal =
    (codes::MOUNT_OVER_INHERITED, "give it at most the `size` that the ancestor gives it");
const ONLY_ELSEWHERE: Refusal =
    (codes::MOUNT_OVER_INHERITED, "mount it elsewhere: what an ancestor shows there stays");
const INHERITED: Refusal =
    (codes::MOUNT_OVER_INHERITED, "remove the entry: what an ancestor exports is inherited");
const BELOW_OVERLAY: Refusal =
    (codes::MOUNT_OVER_INHERITED, "lay it over the directory that the ancestor's overlay is mounted at");
const NO_DIRECTORY: Refusal = (
    codes::OVERLAY_KIND,
    "an overlay is a directory, and is laid over a directory: lay it over the one that is meant",
);

/// The limit of a tmpfs, in bytes.
fn limit(size: Option<u64>) -> u64 {
    size.unwrap_or(TMPFS_SIZE)
}

impl Inherited<'_> {
    /// Why an export may not be put over it: code and hint. `same` is a bind of what is seen there.
    fn refusal(&self, entry: &Entry<Mounted>, same: bool) -> Option<Refusal> {
        let value = &entry.value;
        let at = value.mount == self.at;
        match (&value.what, self.placed.what()) {
            // Leading through a link or a file is another finding.
            (_, What::Symlink { .. }) if !at => None,
            (_, below) if below.is_file() && !at => None,
            // It would hold for this node alone: its descendants would have more than it has.
            (What::Bind { .. }, _) if same && value.mode.is_private() => Some(PRIVATELY),
            (What::Bind { .. }, _) if same => None,
            (What::Tmpfs { size }, What::Tmpfs { size: theirs }) if at && limit(*size) > limit(*theirs) => {
                Some(LARGER)
            }
            (What::Overlay { .. }, What::Bind { file: false, .. } | What::Anonymous | What::Tmpfs { .. }) => {
                None
            }
            (What::Overlay { .. }, What::Overlay { .. }) if at => None,
            (What::Overlay { .. }, What::Overlay { .. }) => Some(BELOW_OVERLAY),
            (What::Overlay { .. }, _) => Some(NO_DIRECTORY),
            // An empty place: what is put there replaces nothing, but is not of another kind.
            (What::Symlink { .. }, What::Anonymous | What::Tmpfs { .. }) if at => Some(ONLY_ELSEWHERE),
            (what, What::Anonymous | What::Tmpfs { .. }) if at && what.is_file() => Some(ONLY_ELSEWHERE),
            (_, What::Anonymous | What::Tmpfs { .. }) => None,
            (what, same) if at && what == same => Some(INHERITED),
            (What::Bind { file: false, .. }, What::Bind { .. } | What::Overlay { .. }) => Some(ELSEWHERE),
            _ => Some(ONLY_ELSEWHERE),
        }
    }

    /// Whether it shows the path of the host that the export takes. Where a source is refused, that is finding
    /// enough.
    fn is_path_of(&self, value: &Mounted) -> bool {
        let there = self.placed.what().source().zip(paths::beneath(&value.mount, self.at));
        let taken = value.what.source().zip(there);
        taken.is_some_and(|((host, _), ((source, _), rest))| *host == paths::joined(source, rest))
    }

    fn complaint(&self, family: &Family, entry: &Entry<Mounted>, code: &'static str, hint: &str) -> Finding {
        let (mode, theirs) = (entry.value.mode.word(), self.placed.entry.value.mode.word());
        let node = family.alias(entry.origin.node);
        let mount = entry.value.mount.display();
        let message = match self.at == entry.value.mount {
            true => format!("`{node}` puts {mode} over {mount}, which it inherits as {theirs}"),
            false => {
                let at = self.at.display();
                format!("`{node}` puts {mode} at {mount}, inside of {at}, which it inherits as {theirs}")
            }
        };
        Finding::error(code, message)
            .with_place(entry.origin.place.clone())
            .with_related(
                format!("`{}` exports it here", family.alias(self.placed.level)),
                self.placed.entry.origin.place.clone(),
            )
            .with_hint(hint)
    }
}
