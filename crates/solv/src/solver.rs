//! `Solver`: jobs in; decisions, problems or a transaction out.

use std::ptr::NonNull;

use libsolv_sys::ffi as sys;

use crate::SolvError;
use crate::id::{DepId, PackageId};
use crate::pool::Pool;
use crate::queue::Queue;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobAction {
    /// One of the selected packages is to be installed.
    Install,
    /// The selected packages are to go.
    Erase,
    /// The selected installed packages are to be brought to the newest version.
    Update,
    /// The selected packages are to be brought to the version in the repositories, lower ones included.
    DistUpgrade,
    /// The selected packages stay as they are.
    Lock,
    /// The selected packages were asked for: nothing removes them as not needed any more.
    UserInstalled,
    /// The selected packages are never chosen.
    Blacklist,
    /// Of equal candidates, the selected ones are preferred.
    Favor,
    /// The selected packages are not chosen for weak dependencies.
    ExcludeFromWeak,
}

/// The packages that a job is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// One package.
    Package(PackageId),
    /// All packages of a name (or `name = evr`).
    Name(DepId),
    /// All packages that provide this.
    Provides(DepId),
    /// One of these.
    OneOf(Vec<PackageId>),
    /// All installed packages.
    All,
}

/// Details of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobFlags {
    /// What only the erased packages needed goes too.
    pub clean_deps: bool,
    /// Not the best candidate is no solution.
    pub force_best: bool,
    /// The job may be left undone.
    pub weak: bool,
    /// The selected packages are the target of an update, not what is updated.
    pub targeted: bool,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What is to be done.
    pub action: JobAction,
    /// To which packages.
    pub select: Select,
    /// Details.
    pub flags: JobFlags,
}

impl Job {
    /// A job without details.
    pub fn new(action: JobAction, select: Select) -> Self {
        Self { action, select, flags: JobFlags::default() }
    }
}

/// Switches of the solver (`SOLVER_FLAG_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// Lower versions may replace higher ones.
    AllowDowngrade,
    /// Another architecture may replace.
    AllowArchChange,
    /// Another vendor may replace.
    AllowVendorChange,
    /// Installed packages may go to solve a conflict.
    AllowUninstall,
    /// Weak dependencies are not followed.
    IgnoreRecommended,
    /// Weak dependencies of what is installed already are followed too.
    AddAlreadyRecommended,
    /// The best candidate keeps to the policy on architectures and vendors.
    BestObeyPolicy,
    /// Packages that no repository has are kept.
    KeepOrphans,
    /// Obsoletes as yum has them: a package split is followed.
    YumObsoletes,
}

/// Why the solver decided on a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionReason {
    /// Recommended or supplemented.
    Weak,
    /// Removed as not needed any more.
    CleanDeps,
    /// Anything else.
    Other,
}

/// A solver and its last result.
pub struct Solver<'p> {
    pool: &'p Pool,
    raw: NonNull<sys::Solver>,
    jobs: Queue,
}

impl<'p> Solver<'p> {
    /// A solver for a prepared pool.
    pub fn new(pool: &'p Pool) -> Result<Self, SolvError> {
        let fail = |reason: &str| SolvError { call: "solver_create()".into(), reason: reason.into() };
        if !pool.is_ready() {
            return Err(fail("the pool is not prepared"));
        }
        // SAFETY: the pool is live and prepared; null is checked.
        let raw = unsafe { sys::solver_create(pool.as_ptr()) };
        let raw = NonNull::new(raw).ok_or_else(|| fail("out of memory"))?;
        Ok(Self { pool, raw, jobs: Queue::new() })
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::Solver {
        self.raw.as_ptr()
    }

    pub(crate) fn pool(&self) -> &'p Pool {
        self.pool
    }

    /// Sets a switch.
    pub fn set(&mut self, flag: Flag, on: bool) {
        let flag = match flag {
            Flag::AllowDowngrade => sys::SOLVER_FLAG_ALLOW_DOWNGRADE,
            Flag::AllowArchChange => sys::SOLVER_FLAG_ALLOW_ARCHCHANGE,
            Flag::AllowVendorChange => sys::SOLVER_FLAG_ALLOW_VENDORCHANGE,
            Flag::AllowUninstall => sys::SOLVER_FLAG_ALLOW_UNINSTALL,
            Flag::IgnoreRecommended => sys::SOLVER_FLAG_IGNORE_RECOMMENDED,
            Flag::AddAlreadyRecommended => sys::SOLVER_FLAG_ADD_ALREADY_RECOMMENDED,
            Flag::BestObeyPolicy => sys::SOLVER_FLAG_BEST_OBEY_POLICY,
            Flag::KeepOrphans => sys::SOLVER_FLAG_KEEP_ORPHANS,
            Flag::YumObsoletes => sys::SOLVER_FLAG_YUM_OBSOLETES,
        };
        // SAFETY: the solver is live.
        unsafe { sys::solver_set_flag(self.as_ptr(), flag as i32, i32::from(on)) };
    }

    /// Solves. Returns how many problems there are; 0 is solved.
    pub fn solve(&mut self, jobs: &[Job]) -> usize {
        let mut queue = Queue::new();
        for job in jobs {
            if let Some((how, what)) = self.encode(job) {
                queue.push(how as sys::Id);
                queue.push(what);
            }
        }
        self.jobs = queue;
        // SAFETY: solver and queue are live, and every id in the queue was checked by `encode`.
        let problems = unsafe { sys::solver_solve(self.as_ptr(), self.jobs.as_mut_ptr()) };
        problems.unsigned_abs() as usize
    }

    /// The two numbers of a job; `None` for one about packages that the pool has not.
    fn encode(&self, job: &Job) -> Option<(u32, sys::Id)> {
        let (select, what) = match &job.select {
            Select::Package(id) => (sys::SOLVER_SOLVABLE, self.pool.has(*id).then_some(id.0)?),
            Select::Name(dep) => (sys::SOLVER_SOLVABLE_NAME, self.pool.knows(*dep).then_some(dep.0)?),
            Select::Provides(dep) => (sys::SOLVER_SOLVABLE_PROVIDES, self.pool.knows(*dep).then_some(dep.0)?),
            Select::OneOf(ids) => (sys::SOLVER_SOLVABLE_ONE_OF, self.pool.package_set(ids)),
            Select::All => (sys::SOLVER_SOLVABLE_ALL, 0),
        };
        let action = match job.action {
            JobAction::Install => sys::SOLVER_INSTALL,
            JobAction::Erase => sys::SOLVER_ERASE,
            JobAction::Update => sys::SOLVER_UPDATE,
            JobAction::DistUpgrade => sys::SOLVER_DISTUPGRADE,
            JobAction::Lock => sys::SOLVER_LOCK,
            JobAction::UserInstalled => sys::SOLVER_USERINSTALLED,
            JobAction::Blacklist => sys::SOLVER_BLACKLIST,
            JobAction::Favor => sys::SOLVER_FAVOR,
            JobAction::ExcludeFromWeak => sys::SOLVER_EXCLUDEFROMWEAK,
        };
        let mut how = action | select;
        for (set, bit) in [
            (job.flags.clean_deps, sys::SOLVER_CLEANDEPS),
            (job.flags.force_best, sys::SOLVER_FORCEBEST),
            (job.flags.weak, sys::SOLVER_WEAK),
            (job.flags.targeted, sys::SOLVER_TARGETED),
        ] {
            if set {
                how |= bit;
            }
        }
        Some((how, what))
    }

    /// Why a package was decided on, after a solution.
    pub fn reason(&self, package: PackageId) -> DecisionReason {
        if !self.pool.has(package) {
            return DecisionReason::Other;
        }
        let mut info = 0;
        // SAFETY: solver and package are live; `info` outlives the call.
        let reason = unsafe { sys::solver_describe_decision(self.as_ptr(), package.0, &mut info) };
        match reason as u32 {
            sys::SOLVER_REASON_WEAKDEP => DecisionReason::Weak,
            sys::SOLVER_REASON_CLEANDEPS_ERASE => DecisionReason::CleanDeps,
            _ => DecisionReason::Other,
        }
    }

    /// Installed packages that nothing which was asked for needs, after a solution.
    pub fn unneeded(&self) -> Vec<PackageId> {
        let mut queue = Queue::new();
        // SAFETY: the solver is live, the queue initialised.
        unsafe { sys::solver_get_unneeded(self.as_ptr(), queue.as_mut_ptr(), 0) };
        queue.as_slice().iter().map(|id| PackageId(*id)).collect()
    }
}

impl Drop for Solver<'_> {
    fn drop(&mut self) {
        // SAFETY: made in `new`, freed once.
        unsafe { sys::solver_free(self.as_ptr()) }
    }
}
