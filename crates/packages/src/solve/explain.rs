//! Problems of the solver in words, with nodes and repositories named.

use redpak_solv::{PackageId, Problem, RuleInfo, RuleKind};

use super::Session;
use crate::error::{Kind, PackagesError};
use crate::universe::Owner;

/// More problems than this are not listed.
const MAX_PROBLEMS: usize = 20;

/// The error for what cannot be solved.
pub(super) fn explain(session: &Session, problems: &[Problem]) -> PackagesError {
    let mut lines = Vec::new();
    for (number, problem) in problems.iter().take(MAX_PROBLEMS).enumerate() {
        let mut texts: Vec<String> = Vec::new();
        for text in problem.rules.iter().filter_map(|rule| sentence(session, rule)) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        if texts.is_empty() {
            texts.push("the requests exclude each other".to_owned());
        }
        lines.push(format!(" Problem {}: {}", number + 1, texts.join("\n  - ")));
    }
    if problems.len() > MAX_PROBLEMS {
        lines.push(format!(" … and {} problems more", problems.len() - MAX_PROBLEMS));
    }
    let rules = || problems.iter().flat_map(|problem| &problem.rules);
    let fixed = |id: Option<PackageId>| id.filter(|id| is_fixed(session, *id));
    let against_family = rules()
        .filter(|rule| {
            matches!(
                rule.kind,
                RuleKind::SameName | RuleKind::Obsoletes | RuleKind::InstalledObsoletes | RuleKind::Conflicts
            )
        })
        .find_map(|rule| fixed(rule.source).or(fixed(rule.target)));
    let refused = against_family.is_some() || rules().any(|rule| rule.kind == RuleKind::Blacklisted);
    let kind = if refused { Kind::Refused } else { Kind::Unsolvable };
    let error = PackagesError::new(kind, format!("the request cannot be satisfied:\n{}", lines.join("\n")));
    match against_family {
        Some(id) => {
            let name = session.universe.nevra(id).name;
            error.with_hint(format!(
                "packages of ancestors are fixed; a copy of its own: install --forcenode {name} …"
            ))
        }
        None if refused => error,
        None if session.options.best => {
            error.with_hint("--no-best takes older versions, --skip-unavailable skips names")
        }
        None => error.with_hint("--allowerasing lets packages of this node go"),
    }
}

fn is_fixed(session: &Session, id: PackageId) -> bool {
    session.universe.owner(id).is_some_and(|owner| owner != Owner::Node(session.leaf()))
}

/// A package, and where it is.
pub(super) fn describe(session: &Session, id: PackageId) -> String {
    let universe = &session.universe;
    match universe.owner(id) {
        Some(Owner::Host) => {
            let name = universe.pool.package(id).name();
            let inner = name.strip_prefix("host(").and_then(|name| name.strip_suffix(')')).unwrap_or(&name);
            format!("the host ({inner})")
        }
        Some(Owner::Node(node)) => {
            format!("{} of the node {}", universe.nevra(id), session.family.nodes[node].alias)
        }
        None if universe.files.contains_key(&id) => format!("{} from the command line", universe.nevra(id)),
        None => format!("{} from repository {}", universe.nevra(id), universe.pool.repo_name(id)),
    }
}

fn sentence(session: &Session, rule: &RuleInfo) -> Option<String> {
    let name = |id: Option<PackageId>| id.map(|id| describe(session, id));
    let dep = rule.dep.map(|dep| session.universe.pool.dep_text(dep)).unwrap_or_default();
    let (source, target) = (name(rule.source), name(rule.target));
    Some(match (rule.kind, source, target) {
        (RuleKind::NothingProvides, Some(source), _) => format!("nothing provides {dep} needed by {source}"),
        (RuleKind::Requires, Some(source), _) => {
            format!("{source} requires {dep}, but none of the providers can be installed")
        }
        (RuleKind::SelfConflict, Some(source), _) => {
            format!("{source} conflicts with {dep} that it provides itself")
        }
        (RuleKind::Conflicts, Some(source), Some(target)) => {
            format!("{source} conflicts with {dep} provided by {target}")
        }
        (RuleKind::SameName, Some(source), Some(target)) => match is_fixed(session, rule.source?) {
            true => format!("{target} cannot be installed beside {source}"),
            false => format!("{source} cannot be installed beside {target}"),
        },
        (RuleKind::Obsoletes | RuleKind::InstalledObsoletes, Some(source), Some(target)) => {
            format!("{source} obsoletes {dep} provided by {target}")
        }
        (RuleKind::NotInstallable, Some(source), _) => {
            format!("{source} cannot be installed on this machine")
        }
        (RuleKind::InferiorArch, Some(source), _) => format!("{source} has an inferior architecture"),
        (RuleKind::Blacklisted, Some(source), _) => {
            format!("{source} brings the C library or its loader, which {} has", session.libc_owner())
        }
        (RuleKind::Best, Some(source), _) => format!("the best candidate for {source} cannot be installed"),
        (RuleKind::Update, Some(source), _) => format!("{source} cannot be kept or replaced"),
        (RuleKind::JobNothingProvides | RuleKind::JobUnknown, ..) => {
            format!("nothing provides the requested {dep}")
        }
        _ => return None,
    })
}
