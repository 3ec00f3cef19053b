//! libsolv, wrapped: one file a C type.
//!
//! A [`Pool`] owns everything libsolv allocates. What the rest of redpak holds are ids ([`PackageId`], [`RepoId`],
//! [`DepId`]), which mean something in the pool that gave them and are checked against its size wherever they are
//! used; text is copied out, so nothing safe points into libsolv's tables, which move. Loading takes `&mut Pool`,
//! looking takes `&Pool`, and a [`Solver`] borrows the pool, so nothing is loaded under it.
//!
//! Where the safety ends: libsolv parses foreign metadata and RPM headers in C. Feed it only files whose checksum was
//! verified, and `.solv` files of our own making.
//!
//! Nothing here is `Send`: libsolv keeps per-pool scratch space that lookups write to.

mod conflicts;
mod ffi;
mod file;
mod header;
mod id;
mod iterate;
mod package;
mod pool;
mod problem;
mod queue;
mod repo;
mod selection;
mod solver;
mod transaction;

pub use conflicts::FileConflict;
pub use file::CFile;
pub use header::{HeaderPlace, Headers, RpmDatabase};
pub use id::{DepId, PackageId, RepoId};
pub use iterate::Match;
pub use package::{DepKind, Package};
pub use pool::{Dep, Pool, RelOp};
pub use problem::{Problem, RuleInfo, RuleKind};
pub use repo::{NewPackage, Repo};
pub use selection::{SelectBy, SelectFlags};
pub use solver::{DecisionReason, Flag, Job, JobAction, JobFlags, Select, Solver};
pub use transaction::{Transaction, TransactionStep};

/// librpm keeps macros, configuration and open databases for the whole process, without locks of its own: libsolv sets
/// `_dbpath` while it opens a database. One call at a time.
fn rpm_lock() -> std::sync::MutexGuard<'static, ()> {
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What libsolv says went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SolvError {
    /// The call, with its arguments.
    pub call: String,
    /// libsolv's (or the system's) text, without the call.
    pub reason: String,
}

impl std::fmt::Display for SolvError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.call, self.reason)
    }
}

impl std::error::Error for SolvError {}
