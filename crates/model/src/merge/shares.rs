//! Namespaces: what an ancestor isolates stays isolated, and what nobody above leaves open stays closed.

use redpak_diagnostics::Finding;

use super::settings::{over_own, own};
use super::{Family, Stated};
use crate::codes;
use crate::config::{Located, ShareEntries, Switch};
use crate::effective::{Origin, Shares, Sourced};
use crate::resolve::Resolved;
use crate::source::Report;

type Pick = fn(&ShareEntries) -> Option<Located<Switch>>;

/// A child's share that its parent does not leave to it.
struct Widened {
    key: &'static str,
    at: Origin,
    isolated: Option<Origin>,
}

pub(super) fn merge(family: &Family, report: &mut Report) -> Shares {
    let mut widened = Vec::new();
    let mut one = |key, pick: Pick| namespace(family, key, pick, &mut widened);
    let shares = Shares {
        user: one("share_user", |shares| shares.user.clone().or_else(|| shares.all.clone())),
        cgroup: one("share_cgroup", |shares| shares.cgroup.clone().or_else(|| shares.all.clone())),
        net: one("share_net", |shares| shares.net.clone().or_else(|| shares.all.clone())),
        pid: one("share_pid", |shares| shares.pid.clone().or_else(|| shares.all.clone())),
        ipc: one("share_ipc", |shares| shares.ipc.clone().or_else(|| shares.all.clone())),
        time: one("share_time", |shares| shares.time.clone()),
    };
    complain(family, widened, report);
    shares
}

/// What the ancestors leave to a node.
enum Left {
    /// Nobody said anything: nothing is left.
    Nothing,
    /// Somebody said `unset`: the choice.
    Choice,
    /// Shared or isolated.
    Set(Sourced<bool>),
}

fn namespace(
    family: &Family,
    key: &'static str,
    pick: Pick,
    widened: &mut Vec<Widened>,
) -> Option<Sourced<bool>> {
    let get = |file: &Resolved| pick(&file.config.shares);
    let mut left = Left::Nothing;
    for node in 0..family.heads.len() {
        let Some((stated, within)) = own(family.stated(node, get)) else { continue };
        let refuse = |isolated| Widened { key, at: stated.origin.clone(), isolated };
        left = match (left, stated.value) {
            // The root node speaks for the host, and may leave the choice.
            (Left::Nothing, Switch::Unset) if node == 0 => Left::Choice,
            (left, Switch::Unset) => left,
            (Left::Nothing, Switch::Enabled) if node > 0 => {
                widened.push(refuse(None));
                Left::Nothing
            }
            (Left::Set(set), Switch::Enabled) if !set.value => {
                widened.push(refuse(Some(set.origin.clone())));
                Left::Set(set)
            }
            (left, value) => {
                let before = if let Left::Set(set) = left { Some(set) } else { None };
                let stated = Stated { value: value == Switch::Enabled, origin: stated.origin };
                Left::Set(over_own(before, (stated, within)))
            }
        };
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
        let isolated: Vec<&Origin> = widened.iter().filter_map(|wide| wide.isolated.as_ref()).collect();
        let (why, hint) = match isolated.first() {
            Some(origin) => (
                format!("the ancestor `{}` isolates it", family.alias(origin.node)),
                "a namespace that an ancestor isolates stays isolated: remove the line".to_owned(),
            ),
            None => (
                "no ancestor shares it or leaves the choice".to_owned(),
                format!(
                    "the root node `{}` would have to set it to `enabled`, or to `unset`",
                    family.alias(0)
                ),
            ),
        };
        let message = format!("`{}` shares more than its parent: {keys}; {why}", family.alias(at.node));
        let mut finding =
            Finding::error(codes::NAMESPACE_WIDENED, message).with_place(at.place).with_hint(hint);
        let mut shown: Vec<&Origin> = Vec::new();
        for origin in isolated {
            if !shown.contains(&origin) {
                finding = finding.with_related("it is isolated here", origin.place.clone());
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
