//! `selection_make`: packages by what a person types.

use libsolv_sys::ffi as sys;

use crate::id::PackageId;
use crate::pool::{Pool, cstring};
use crate::queue::Queue;

/// What a text is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectBy {
    /// Names.
    Name,
    /// `name-[epoch:]version-release.arch` and its shorter forms.
    Canonical,
    /// What is provided.
    Provides,
}

/// How it is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelectFlags {
    /// The text is a shell pattern.
    pub glob: bool,
    /// `.arch` may end it.
    pub dot_arch: bool,
    /// ` >= 1.2` may end it.
    pub relation: bool,
    /// Upper and lower case are the same.
    pub ignore_case: bool,
}

impl Pool {
    /// The packages that a text selects, of all repositories; none when the pool is not prepared.
    pub fn select(&self, what: &str, by: SelectBy, flags: SelectFlags) -> Vec<PackageId> {
        if !self.is_ready() {
            return Vec::new();
        }
        let mut bits = match by {
            SelectBy::Name => sys::SELECTION_NAME,
            SelectBy::Canonical => sys::SELECTION_CANON,
            SelectBy::Provides => sys::SELECTION_PROVIDES,
        };
        for (set, bit) in [
            (flags.glob, sys::SELECTION_GLOB),
            (flags.dot_arch, sys::SELECTION_DOTARCH),
            (flags.relation, sys::SELECTION_REL),
            (flags.ignore_case, sys::SELECTION_NOCASE),
        ] {
            if set {
                bits |= bit;
            }
        }
        let what = cstring(what);
        let (mut selection, mut packages) = (Queue::new(), Queue::new());
        // SAFETY: the pool is prepared, the text ends with NUL, both queues are initialised.
        unsafe {
            sys::selection_make(self.as_ptr(), selection.as_mut_ptr(), what.as_ptr(), bits as i32);
            sys::selection_solvables(self.as_ptr(), selection.as_mut_ptr(), packages.as_mut_ptr());
        }
        packages.as_slice().iter().map(|id| PackageId(*id)).filter(|id| self.has(*id)).collect()
    }
}
