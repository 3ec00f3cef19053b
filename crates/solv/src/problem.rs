//! Problems: the rules that cannot hold together.

use std::collections::BTreeSet;

use libsolv_sys::ffi as sys;

use crate::id::{DepId, PackageId};
use crate::queue::Queue;
use crate::solver::Solver;

/// What a rule of a problem says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleKind {
    /// `source` cannot be installed (architecture, excluded).
    NotInstallable,
    /// Nothing provides `dep`, which `source` requires.
    NothingProvides,
    /// `source` requires `dep`, and none of its providers can be installed.
    Requires,
    /// `source` conflicts with itself by `dep`.
    SelfConflict,
    /// `source` conflicts by `dep` with `target`.
    Conflicts,
    /// `source` and `target` have the same name.
    SameName,
    /// `source` obsoletes `target` by `dep`.
    Obsoletes,
    /// `source`, installed, obsoletes `target` by `dep`.
    InstalledObsoletes,
    /// `source`, installed, has a problem with what replaces it.
    Update,
    /// A job cannot be done.
    Job,
    /// Nothing provides what a job asks for.
    JobNothingProvides,
    /// A job asks for a package that there is not.
    JobUnknown,
    /// `source` has an architecture that is not the best.
    InferiorArch,
    /// Not the best candidate for `source`.
    Best,
    /// `source` is never chosen.
    Blacklisted,
    /// Anything else.
    Other,
}

/// A rule of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleInfo {
    /// What it says.
    pub kind: RuleKind,
    /// The package that it is about.
    pub source: Option<PackageId>,
    /// The other package.
    pub target: Option<PackageId>,
    /// The dependency.
    pub dep: Option<DepId>,
}

/// One problem: its rules, the most telling first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The rules.
    pub rules: Vec<RuleInfo>,
}

impl Solver<'_> {
    /// The problems of the last [`solve`](Solver::solve).
    pub fn problems(&self) -> Vec<Problem> {
        // SAFETY: the solver is live.
        let count = unsafe { sys::solver_problem_count(self.as_ptr()) };
        (1..=count).map(|number| self.problem(number as sys::Id)).collect()
    }

    fn problem(&self, number: sys::Id) -> Problem {
        let mut ids = Queue::new();
        // SAFETY: the solver is live, the number is one of its problems.
        let main = unsafe {
            sys::solver_findallproblemrules(self.as_ptr(), number, ids.as_mut_ptr());
            sys::solver_findproblemrule(self.as_ptr(), number)
        };
        let mut seen = BTreeSet::new();
        let rules = std::iter::once(main)
            .chain(ids.as_slice().iter().copied())
            .filter(|rule| *rule != 0)
            .flat_map(|rule| self.rule_infos(rule))
            .filter(|info| seen.insert(*info))
            .collect();
        Problem { rules }
    }

    fn rule_infos(&self, rule: sys::Id) -> Vec<RuleInfo> {
        let mut infos = Queue::new();
        // SAFETY: the solver is live and gave the rule's number.
        unsafe { sys::solver_allruleinfos(self.as_ptr(), rule, infos.as_mut_ptr()) };
        infos
            .as_slice()
            .chunks_exact(4)
            .map(|info| RuleInfo {
                kind: kind(info[0] as sys::SolverRuleinfo),
                source: Some(PackageId(info[1])).filter(|id| self.pool().has(*id)),
                target: Some(PackageId(info[2])).filter(|id| self.pool().has(*id)),
                dep: (info[3] != 0).then_some(DepId(info[3])),
            })
            .collect()
    }
}

fn kind(raw: sys::SolverRuleinfo) -> RuleKind {
    match raw {
        sys::SolverRuleinfo_SOLVER_RULE_PKG_NOT_INSTALLABLE => RuleKind::NotInstallable,
        sys::SolverRuleinfo_SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP => RuleKind::NothingProvides,
        sys::SolverRuleinfo_SOLVER_RULE_PKG_REQUIRES => RuleKind::Requires,
        sys::SolverRuleinfo_SOLVER_RULE_PKG_SELF_CONFLICT => RuleKind::SelfConflict,
        sys::SolverRuleinfo_SOLVER_RULE_PKG_CONFLICTS => RuleKind::Conflicts,
        sys::SolverRuleinfo_SOLVER_RULE_PKG_SAME_NAME => RuleKind::SameName,
        sys::SolverRuleinfo_SOLVER_RULE_PKG_OBSOLETES
        | sys::SolverRuleinfo_SOLVER_RULE_PKG_IMPLICIT_OBSOLETES
        | sys::SolverRuleinfo_SOLVER_RULE_YUMOBS => RuleKind::Obsoletes,
        sys::SolverRuleinfo_SOLVER_RULE_PKG_INSTALLED_OBSOLETES => RuleKind::InstalledObsoletes,
        sys::SolverRuleinfo_SOLVER_RULE_UPDATE | sys::SolverRuleinfo_SOLVER_RULE_FEATURE => RuleKind::Update,
        sys::SolverRuleinfo_SOLVER_RULE_JOB => RuleKind::Job,
        sys::SolverRuleinfo_SOLVER_RULE_JOB_NOTHING_PROVIDES_DEP => RuleKind::JobNothingProvides,
        sys::SolverRuleinfo_SOLVER_RULE_JOB_UNKNOWN_PACKAGE => RuleKind::JobUnknown,
        sys::SolverRuleinfo_SOLVER_RULE_INFARCH => RuleKind::InferiorArch,
        sys::SolverRuleinfo_SOLVER_RULE_BEST => RuleKind::Best,
        sys::SolverRuleinfo_SOLVER_RULE_BLACK => RuleKind::Blacklisted,
        _ => RuleKind::Other,
    }
}
