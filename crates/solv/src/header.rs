//! RPM headers, of package files and of databases: `rpm_state`.

use std::collections::BTreeMap;
use std::ffi::{CString, c_void};
use std::path::{Path, PathBuf};

use libsolv_sys::ffi as sys;

use crate::SolvError;
use crate::ffi;
use crate::id::PackageId;
use crate::pool::{Pool, cstring};

/// An RPM database, opened when it is first asked. The directory holds it at `var/lib/rpm`, and nobody else's at
/// `usr/lib/sysimage/rpm` or `usr/share/rpm`; give a private copy, since librpm makes a database where there is none.
pub struct RpmDatabase {
    root: PathBuf,
    state: *mut c_void,
}

impl RpmDatabase {
    /// A database below `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), state: std::ptr::null_mut() }
    }
}

/// Where the header of a package is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderPlace {
    /// In the database of this index.
    Database(usize),
    /// In a package file.
    File(PathBuf),
}

/// Headers of packages, found by id.
pub struct Headers {
    databases: Vec<RpmDatabase>,
    places: BTreeMap<i32, HeaderPlace>,
    files: *mut c_void,
    failed: Option<String>,
}

impl Headers {
    /// Headers in these databases and files.
    pub fn new(
        databases: Vec<RpmDatabase>,
        places: impl IntoIterator<Item = (PackageId, HeaderPlace)>,
    ) -> Self {
        Self {
            databases,
            places: places.into_iter().map(|(id, place)| (id.0, place)).collect(),
            files: std::ptr::null_mut(),
            failed: None,
        }
    }

    /// The first header that could not be read.
    pub(crate) fn failure(&mut self) -> Option<SolvError> {
        self.failed.take().map(|call| SolvError { call, reason: "the header cannot be read".into() })
    }

    /// The header of a package, or null and a note of the failure. It lives until the next call.
    ///
    /// # Safety
    /// `pool` is live, and the same at each call.
    pub(crate) unsafe fn header(&mut self, pool: *mut sys::Pool, id: sys::Id) -> *mut c_void {
        let _lock = crate::rpm_lock();
        let header = match self.places.get(&id) {
            // SAFETY: the caller vouches for the pool.
            Some(HeaderPlace::Database(index)) => unsafe {
                from_database(&mut self.databases, *index, pool, id)
            },
            // SAFETY: as above.
            Some(HeaderPlace::File(path)) => unsafe { from_file(&mut self.files, path, pool) },
            None => std::ptr::null_mut(),
        };
        if header.is_null() && self.failed.is_none() {
            self.failed = Some(match self.places.get(&id) {
                Some(HeaderPlace::File(path)) => format!("rpm_byfp({})", path.display()),
                place => format!("rpm_byrpmdbid({place:?}, package {id})"),
            });
        }
        header
    }
}

/// # Safety
/// `pool` is live and has a package `id`.
unsafe fn from_database(
    databases: &mut [RpmDatabase],
    index: usize,
    pool: *mut sys::Pool,
    id: sys::Id,
) -> *mut c_void {
    let Some(database) = databases.get_mut(index) else { return std::ptr::null_mut() };
    // SAFETY: the caller vouches for pool and id; the number of the header is read from the table that the
    // repository keeps beside its packages, which has an entry for each of them.
    unsafe {
        if database.state.is_null() {
            let root = cstring(&database.root.to_string_lossy());
            database.state = ffi::rpm_state_create(pool, root.as_ptr());
        }
        let repo = (*(*pool).solvables.add(id.unsigned_abs() as usize)).repo;
        if database.state.is_null() || repo.is_null() || (*repo).rpmdbid.is_null() {
            return std::ptr::null_mut();
        }
        let number = *(*repo).rpmdbid.add((id - (*repo).start).unsigned_abs() as usize);
        ffi::rpm_byrpmdbid(database.state, number)
    }
}

/// # Safety
/// `pool` is live.
unsafe fn from_file(state: &mut *mut c_void, path: &Path, pool: *mut sys::Pool) -> *mut c_void {
    let Some(name) = path.to_str().and_then(|path| CString::new(path).ok()) else {
        return std::ptr::null_mut();
    };
    // SAFETY: the caller vouches for the pool; the stream is opened, read and closed here.
    unsafe {
        if state.is_null() {
            *state = ffi::rpm_state_create(pool, std::ptr::null());
        }
        let file = libc::fopen(name.as_ptr(), c"re".as_ptr());
        if file.is_null() || state.is_null() {
            return std::ptr::null_mut();
        }
        let header = ffi::rpm_byfp(*state, file, name.as_ptr());
        libc::fclose(file);
        header
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        let states = self.databases.iter().map(|database| database.state).chain([self.files]);
        let _lock = crate::rpm_lock();
        for state in states.filter(|state| !state.is_null()) {
            // SAFETY: made by `rpm_state_create`, freed once. It does not touch the pool.
            unsafe { ffi::rpm_state_free(state) };
        }
    }
}

impl Pool {
    /// Whether a package's header can be found in a database: it has a number there.
    pub fn has_database_number(&self, package: PackageId) -> bool {
        let raw = self.package_ptr(package);
        // SAFETY: `package_ptr` always gives an entry of the table; null is checked.
        unsafe { !(*raw).repo.is_null() && !(*(*raw).repo).rpmdbid.is_null() }
    }
}
