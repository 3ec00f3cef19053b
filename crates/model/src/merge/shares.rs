//! Namespaces: what an ancestor isolates stays isolated, and what nobody above leaves open stays closed.

use redpak_diagnostics::Finding;

use super::settings::{over_own, own};
use super::{Family, Stated};
use crate::codes;
use crate::config::Located;
use crate::effective::{Origin, Share, Shares, Sourced};
use crate::resolve::{self, Resolved, Stance};
use crate::source::Report;

type Pick = fn(&resolve::Shares) -> &Option<Located<Stance>>;

/// The keys, and where a file has them. `share_all` is the default of all but the last.
pub(super) const KEYS: [(&str, Pick); 6] = [
    ("share_user", |shares| &shares.user),
    ("share_cgroup", |shares| &shares.cgroup),
    ("share_net", |shares| &shares.net),
    ("share_pid", |shares| &shares.pid),
    ("share_ipc", |shares| &shares.ipc),
    ("share_time", |shares| &shares.time),
];

/// By key, in the order of [`KEYS`].
pub(super) fn shares([user, cgroup, net, pid, ipc, time]: [Option<Sourced<Share>>; 6]) -> Shares {
    Shares { user, cgroup, net, pid, ipc, time }
}

/// A child's share that its parent does not leave to it.
struct Widened {
    key: &'static str,
    at: Origin,
    /// What it wants.
    wants: Share,
    /// What an ancestor has set, and where.
    set: Option<(Share, Origin)>,
}

pub(super) fn merge(family: &Family, report: &mut Report) -> Shares {
    let mut widened = Vec::new();
    let merged = shares(KEYS.map(|(key, pick)| namespace(family, key, pick, &mut widened)));
    complain(family, widened, report);
    merged
}

/// What the ancestors leave to a node.
enum Left {
    /// Nobody said anything: nothing is left.
    Nothing,
    /// Somebody said `unset`: the choice.
    Choice,
    /// It is this.
    Set(Sourced<Share>),
}

/// Whether a child may have `value` where its ancestors have `set`.
fn within(set: &Share, value: &Share) -> bool {
    match (set, value) {
        (_, Share::Isolated) | (Share::Shared, Share::Shared) => true,
        (Share::Join(set), Share::Join(value)) => set == value,
        // What lies in another namespace is more than what the parent sees, also where that is the host's.
        _ => false,
    }
}

fn namespace(
    family: &Family,
    key: &'static str,
    pick: Pick,
    widened: &mut Vec<Widened>,
) -> Option<Sourced<Share>> {
    let get = |file: &Resolved| {
        let all = file.shares.all.clone().filter(|_| key != "share_time");
        pick(&file.shares).clone().or(all)
    };
    let mut left = Left::Nothing;
    for node in 0..family.heads.len() {
        let Some((stated, overrode)) = own(family.stated(node, get)) else { continue };
        let value = match stated.value {
            // The root node speaks for the host, and may leave the choice.
            Stance::Unset => {
                if node == 0 {
                    left = Left::Choice;
                }
                continue;
            }
            Stance::Is(value) => value,
        };
        let refused = match &left {
            _ if node == 0 => None,
            Left::Nothing if value != Share::Isolated => Some(None),
            Left::Set(set) if !within(&set.value, &value) => {
                Some(Some((set.value.clone(), set.origin.clone())))
            }
            _ => None,
        };
        if let Some(set) = refused {
            if !family.doubtful(node, key) && !family.doubtful(node, "share_all") {
                widened.push(Widened { key, at: stated.origin, wants: value, set });
            }
            continue;
        }
        let before = if let Left::Set(set) = left { Some(set) } else { None };
        left = Left::Set(over_own(before, (Stated { value, origin: stated.origin }, overrode)));
    }
    if let Left::Set(set) = left { Some(set) } else { None }
}

/// One finding for each line, however many namespaces it stands for.
fn complain(family: &Family, widened: Vec<Widened>, report: &mut Report) {
    let mut lines: Vec<(Origin, Vec<Widened>)> = Vec::new();
    for wide in widened {
        match lines.iter_mut().find(|(at, _)| *at == wide.at) {
            Some((_, known)) => known.push(wide),
            None => lines.push((wide.at.clone(), vec![wide])),
        }
    }
    for (at, widened) in lines {
        let keys = crate::walk::listed(widened.iter().map(|wide| wide.key));
        let set: Vec<&(Share, Origin)> = widened.iter().filter_map(|wide| wide.set.as_ref()).collect();
        let joins = widened.iter().any(|wide| matches!(wide.wants, Share::Join(_)));
        let (why, hint) = match set.first() {
            Some((Share::Isolated, origin)) => (
                format!("the ancestor `{}` isolates it", family.alias(origin.node)),
                "a namespace that an ancestor isolates stays isolated: remove the line".to_owned(),
            ),
            Some((Share::Join(path), origin)) => (
                format!("the ancestor `{}` joins {}", family.alias(origin.node), path.display()),
                "a child may join the same namespace, or isolate its own: remove the line".to_owned(),
            ),
            Some((Share::Shared, origin)) => (
                format!(
                    "the ancestor `{}` shares the host's, which is another one",
                    family.alias(origin.node)
                ),
                "to let a descendant join one, an ancestor leaves the choice with `unset`".to_owned(),
            ),
            None => (
                "no ancestor shares it or leaves the choice".to_owned(),
                format!(
                    "the root node `{}` would have to set it to `enabled`, or to `unset`",
                    family.alias(0)
                ),
            ),
        };
        let verb = if joins { "joins" } else { "shares" };
        let message = format!("`{}` {verb} more than its parent: {keys}; {why}", family.alias(at.node));
        let mut finding =
            Finding::error(codes::NAMESPACE_WIDENED, message).with_place(at.place).with_hint(hint);
        let mut shown: Vec<&Origin> = Vec::new();
        for (value, origin) in set {
            if !shown.contains(&origin) {
                let done = match value {
                    Share::Isolated => "isolated",
                    Share::Join(_) => "joined",
                    Share::Shared => "shared",
                };
                finding = finding.with_related(format!("it is {done} here"), origin.place.clone());
                shown.push(origin);
            }
        }
        if shown.is_empty() {
            finding =
                finding.with_related("the root node says nothing of it", family.files[0].normal.head.clone());
        }
        report.push(finding);
    }
}
