//! `Transaction`: the difference between what is installed and what was decided.

use std::ptr::NonNull;

use libsolv_sys::ffi as sys;

use crate::SolvError;
use crate::id::PackageId;
use crate::pool::Pool;
use crate::queue::Queue;
use crate::solver::Solver;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionStep {
    /// A package comes, and replaces these installed ones (same name, or obsoleted).
    Install {
        /// What comes.
        package: PackageId,
        /// What it replaces.
        replaces: Vec<PackageId>,
    },
    /// An installed package goes, and nothing replaces it.
    Erase {
        /// What goes.
        package: PackageId,
    },
}

/// libsolv's transaction.
pub struct Transaction<'p> {
    pool: &'p Pool,
    raw: NonNull<sys::Transaction>,
}

impl<'p> Transaction<'p> {
    /// What a solver that found no problem decided.
    pub fn new(solver: &Solver<'p>) -> Result<Self, SolvError> {
        // SAFETY: the solver is live; null is checked.
        let raw = unsafe { sys::solver_create_transaction(solver.as_ptr()) };
        let raw = NonNull::new(raw).ok_or_else(|| SolvError {
            call: "solver_create_transaction()".into(),
            reason: "out of memory".into(),
        })?;
        Ok(Self { pool: solver.pool(), raw })
    }

    /// The steps, in libsolv's order.
    pub fn steps(&self) -> Vec<TransactionStep> {
        // SAFETY: the transaction is live, and its queue holds `count` ids.
        let ids: Vec<sys::Id> = unsafe {
            let steps = &self.raw.as_ref().steps;
            match steps.elements.is_null() {
                true => Vec::new(),
                false => {
                    std::slice::from_raw_parts(steps.elements, steps.count.unsigned_abs() as usize).to_vec()
                }
            }
        };
        ids.into_iter().filter_map(|id| self.step(PackageId(id))).collect()
    }

    fn step(&self, package: PackageId) -> Option<TransactionStep> {
        let mut others = Queue::new();
        // SAFETY: transaction and package are live, the queue initialised.
        unsafe { sys::transaction_all_obs_pkgs(self.raw.as_ptr(), package.0, others.as_mut_ptr()) };
        let others: Vec<PackageId> = others.as_slice().iter().map(|id| PackageId(*id)).collect();
        // SAFETY: the pool is live.
        let installed = unsafe { (*self.pool.as_ptr()).installed };
        // SAFETY: `package_ptr` always gives an entry of the table.
        let is_installed =
            !installed.is_null() && unsafe { (*self.pool.package_ptr(package)).repo } == installed;
        match is_installed {
            true if others.is_empty() => Some(TransactionStep::Erase { package }),
            true => None,
            false => Some(TransactionStep::Install { package, replaces: others }),
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // SAFETY: made in `new`, freed once.
        unsafe { sys::transaction_free(self.raw.as_ptr()) }
    }
}
