//! What `libsolv-sys` leaves out: `rpm_*`, `pool_findfileconflicts`, `solv_xfopen_fd`, `pool_evrcmp_str`.
//!
//! Sources: `solv/repo_rpmdb.h`, `solv/pool_fileconflicts.h`, `solv/solv_xfopen.h`, `solv/evr.h`,
//! `solv/pool_parserpmrichdep.h` of libsolv 0.7.

use std::ffi::{c_char, c_int, c_void};

use libsolv_sys::ffi as sys;

pub(crate) const FINDFILECONFLICTS_CHECK_DIRALIASING: c_int = 1 << 1;
pub(crate) const FINDFILECONFLICTS_USE_ROOTDIR: c_int = 1 << 2;
pub(crate) const EVRCMP_COMPARE: c_int = 0;

/// `handle_cb` of `pool_findfileconflicts`: the header of a package, or null.
pub(crate) type HandleCallback = unsafe extern "C" fn(*mut sys::Pool, sys::Id, *mut c_void) -> *mut c_void;

unsafe extern "C" {
    pub(crate) fn solv_xfopen_fd(name: *const c_char, fd: c_int, mode: *const c_char) -> *mut libc::FILE;
    pub(crate) fn rpm_state_create(pool: *mut sys::Pool, rootdir: *const c_char) -> *mut c_void;
    pub(crate) fn rpm_state_free(state: *mut c_void) -> *mut c_void;
    pub(crate) fn rpm_byrpmdbid(state: *mut c_void, rpmdbid: sys::Id) -> *mut c_void;
    pub(crate) fn rpm_byfp(state: *mut c_void, file: *mut libc::FILE, name: *const c_char) -> *mut c_void;
    pub(crate) fn pool_findfileconflicts(
        pool: *mut sys::Pool,
        packages: *mut sys::Queue,
        cutoff: c_int,
        conflicts: *mut sys::Queue,
        flags: c_int,
        handle: HandleCallback,
        data: *mut c_void,
    ) -> c_int;
    pub(crate) fn pool_evrcmp_str(
        pool: *const sys::Pool,
        first: *const c_char,
        second: *const c_char,
        mode: c_int,
    ) -> c_int;
    pub(crate) fn pool_parserpmrichdep(pool: *mut sys::Pool, dependency: *const c_char) -> sys::Id;
}
