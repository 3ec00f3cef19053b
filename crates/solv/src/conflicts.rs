//! `pool_findfileconflicts`: files that two packages have, and that are not the same.

use std::ffi::c_void;
use std::path::Path;

use libsolv_sys::ffi as sys;

use crate::SolvError;
use crate::ffi;
use crate::header::Headers;
use crate::id::{DepId, PackageId};
use crate::pool::Pool;
use crate::queue::Queue;

/// A file that two packages have, with another content, kind, mode or link target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileConflict {
    /// The path in the first package.
    pub path: String,
    /// A new package.
    pub package: PackageId,
    /// The path in the other package: another text where one of its directories is a link.
    pub other_path: String,
    /// The other package, new too or installed.
    pub other: PackageId,
}

/// What the callback is given.
struct Lookup<'h>(&'h mut Headers);

unsafe extern "C" fn handle(pool: *mut sys::Pool, id: sys::Id, data: *mut c_void) -> *mut c_void {
    // SAFETY: `data` is the `Lookup` that `file_conflicts` passes, used by nobody else during the call, and `pool` is
    // the live pool; nothing in there panics.
    unsafe { (*data.cast::<Lookup>()).0.header(pool, id) }
}

impl Pool {
    /// The file conflicts between new packages, and of new packages with those that are there. Directories and equal
    /// files are none. Headers that cannot be read are an error. Links of directories (`bin -> usr/bin`) are followed
    /// as they stand below `root`.
    pub fn file_conflicts(
        &self,
        new: &[PackageId],
        others: &[PackageId],
        headers: &mut Headers,
        root: &Path,
    ) -> Result<Vec<FileConflict>, SolvError> {
        let all = new.iter().chain(others).filter(|id| self.has(**id)).map(|id| id.0);
        let cutoff = new.iter().filter(|id| self.has(**id)).count();
        if cutoff == 0 {
            return Ok(Vec::new());
        }
        let (mut packages, mut conflicts) = (Queue::from_ids(all), Queue::new());
        let mut lookup = Lookup(headers);
        // libsolv copies from a null pointer when it follows links and no root is set.
        self.set_rootdir(&root.to_string_lossy());
        // SAFETY: the pool is live, both queues are initialised, the packages were checked, and the callback gets a
        // pointer to `lookup`, which outlives the call.
        unsafe {
            ffi::pool_findfileconflicts(
                self.as_ptr(),
                packages.as_mut_ptr(),
                cutoff as i32,
                conflicts.as_mut_ptr(),
                ffi::FINDFILECONFLICTS_CHECK_DIRALIASING | ffi::FINDFILECONFLICTS_USE_ROOTDIR,
                handle,
                (&raw mut lookup).cast(),
            );
        }
        self.set_rootdir("");
        if let Some(error) = headers.failure() {
            return Err(error);
        }
        Ok(conflicts
            .as_slice()
            .chunks_exact(6)
            .map(|found| FileConflict {
                path: self.dep_text(DepId(found[0])),
                package: PackageId(found[1]),
                other_path: self.dep_text(DepId(found[3])),
                other: PackageId(found[4]),
            })
            .collect())
    }
}
