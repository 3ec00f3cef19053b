//! Ids: numbers that mean something in the pool that gave them.

use libsolv_sys::ffi as sys;

/// A package (libsolv's solvable).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId(pub(crate) sys::Id);

/// A repository of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoId(pub(crate) sys::Id);

/// A dependency: a name, or a relation such as `a >= 2` or `(a or b)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DepId(pub(crate) sys::Id);

impl PackageId {
    /// The number, to index tables with.
    pub fn index(self) -> usize {
        // Ids of packages are never negative; 0 is no package.
        usize::try_from(self.0).unwrap_or(0)
    }
}
