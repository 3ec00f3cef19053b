//! `Solvable`: what is known of one package.

use std::ffi::c_char;

use libsolv_sys::ffi as sys;

use crate::id::{DepId, PackageId, RepoId};
use crate::pool::{Pool, text};
use crate::queue::Queue;

/// A package, to look at. Everything is empty for one that was taken out.
#[derive(Clone, Copy)]
pub struct Package<'p> {
    pool: &'p Pool,
    id: PackageId,
}

/// The dependencies that a package has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepKind {
    /// `Provides`, and the files that were asked for.
    Provides,
    /// `Requires`
    Requires,
    /// `Conflicts`
    Conflicts,
    /// `Obsoletes`
    Obsoletes,
    /// `Recommends`
    Recommends,
    /// `Suggests`
    Suggests,
    /// `Supplements`
    Supplements,
    /// `Enhances`
    Enhances,
}

impl DepKind {
    pub(crate) fn key(self) -> sys::Id {
        (match self {
            Self::Provides => sys::solv_knownid_SOLVABLE_PROVIDES,
            Self::Requires => sys::solv_knownid_SOLVABLE_REQUIRES,
            Self::Conflicts => sys::solv_knownid_SOLVABLE_CONFLICTS,
            Self::Obsoletes => sys::solv_knownid_SOLVABLE_OBSOLETES,
            Self::Recommends => sys::solv_knownid_SOLVABLE_RECOMMENDS,
            Self::Suggests => sys::solv_knownid_SOLVABLE_SUGGESTS,
            Self::Supplements => sys::solv_knownid_SOLVABLE_SUPPLEMENTS,
            Self::Enhances => sys::solv_knownid_SOLVABLE_ENHANCES,
        }) as sys::Id
    }
}

impl Pool {
    /// A package, to look at.
    pub fn package(&self, id: PackageId) -> Package<'_> {
        Package { pool: self, id }
    }

    /// libsolv's package; package 0, which is empty, when there is none of this id.
    pub(crate) fn package_ptr(&self, id: PackageId) -> *mut sys::Solvable {
        let index = if self.has(id) { id.index() } else { 0 };
        // SAFETY: `has` checked the index; entry 0 always exists.
        unsafe { (*self.as_ptr()).solvables.add(index) }
    }
}

impl Package<'_> {
    /// Its id.
    pub fn id(self) -> PackageId {
        self.id
    }

    fn exists(self) -> bool {
        self.pool.has(self.id)
    }

    /// Its repository.
    pub fn repo(self) -> Option<RepoId> {
        // SAFETY: the package exists, so it has a repository.
        self.exists().then(|| unsafe { RepoId((*(*self.pool.package_ptr(self.id)).repo).repoid) })
    }

    fn field(self, read: impl FnOnce(&sys::Solvable) -> sys::Id) -> DepId {
        // SAFETY: `package_ptr` always gives an entry of the table.
        DepId(unsafe { read(&*self.pool.package_ptr(self.id)) })
    }

    /// Name.
    pub fn name(self) -> String {
        self.pool.dep_text(self.name_id())
    }

    /// Name, as a dependency on any version.
    pub fn name_id(self) -> DepId {
        self.field(|raw| raw.name)
    }

    /// `[epoch:]version-release`
    pub fn evr(self) -> String {
        self.pool.dep_text(self.evr_id())
    }

    /// The version's id: equal ids are equal versions.
    pub fn evr_id(self) -> DepId {
        self.field(|raw| raw.evr)
    }

    /// Architecture.
    pub fn arch(self) -> String {
        self.pool.dep_text(self.arch_id())
    }

    /// The architecture's id.
    pub fn arch_id(self) -> DepId {
        self.field(|raw| raw.arch)
    }

    /// Vendor, or empty.
    pub fn vendor(self) -> String {
        self.pool.dep_text(self.field(|raw| raw.vendor))
    }

    /// Its dependencies of one kind. Libsolv's markers between them are left out.
    pub fn dependencies(self, kind: DepKind) -> Vec<DepId> {
        if !self.exists() {
            return Vec::new();
        }
        let mut queue = Queue::new();
        // SAFETY: the package exists; marker 0 asks for both parts of an array that a marker divides.
        unsafe {
            sys::solvable_lookup_deparray(self.pool.package_ptr(self.id), kind.key(), queue.as_mut_ptr(), 0);
        }
        let markers = [sys::solv_knownid_SOLVABLE_PREREQMARKER, sys::solv_knownid_SOLVABLE_FILEMARKER];
        queue.as_slice().iter().filter(|id| !markers.contains(&(**id as u32))).map(|id| DepId(*id)).collect()
    }

    fn string(self, key: sys::solv_knownid) -> Option<String> {
        self.copied(|raw| {
            // SAFETY: the package exists; libsolv returns null or a string, copied at once.
            unsafe { sys::solvable_lookup_str(raw, key as sys::Id) }
        })
    }

    fn copied(self, lookup: impl FnOnce(*mut sys::Solvable) -> *const c_char) -> Option<String> {
        if !self.exists() {
            return None;
        }
        let found = lookup(self.pool.package_ptr(self.id));
        // SAFETY: null is checked, and nothing touches libsolv's scratch space in between.
        (!found.is_null()).then(|| unsafe { text(found) })
    }

    fn number(self, key: sys::solv_knownid) -> u64 {
        if !self.exists() {
            return 0;
        }
        // SAFETY: the package exists.
        unsafe { sys::solvable_lookup_num(self.pool.package_ptr(self.id), key as sys::Id, 0) }
    }

    /// One line on what it is.
    pub fn summary(self) -> Option<String> {
        self.string(sys::solv_knownid_SOLVABLE_SUMMARY)
    }

    /// What it is, at length.
    pub fn description(self) -> Option<String> {
        self.string(sys::solv_knownid_SOLVABLE_DESCRIPTION)
    }

    /// License.
    pub fn license(self) -> Option<String> {
        self.string(sys::solv_knownid_SOLVABLE_LICENSE)
    }

    /// Home page.
    pub fn url(self) -> Option<String> {
        self.string(sys::solv_knownid_SOLVABLE_URL)
    }

    /// The source package's file name.
    pub fn source_package(self) -> Option<String> {
        self.copied(|raw| {
            // SAFETY: the package exists; libsolv returns null or a string, copied at once.
            unsafe { sys::solvable_lookup_sourcepkg(raw) }
        })
    }

    /// Installed size in bytes.
    pub fn install_size(self) -> u64 {
        self.number(sys::solv_knownid_SOLVABLE_INSTALLSIZE)
    }

    /// Size of the package file in bytes.
    pub fn download_size(self) -> u64 {
        self.number(sys::solv_knownid_SOLVABLE_DOWNLOADSIZE)
    }

    /// Seconds since 1970.
    pub fn build_time(self) -> u64 {
        self.number(sys::solv_knownid_SOLVABLE_BUILDTIME)
    }

    /// Seconds since 1970; 0 for a package that is not installed.
    pub fn install_time(self) -> u64 {
        self.number(sys::solv_knownid_SOLVABLE_INSTALLTIME)
    }

    /// `location href` of the metadata: foreign text, relative to the repository.
    pub fn location(self) -> Option<String> {
        self.copied(|raw| {
            // SAFETY: the package exists; no medium number is asked for; the text is copied at once.
            unsafe { sys::solvable_lookup_location(raw, std::ptr::null_mut()) }
        })
    }

    /// `xml:base` of the location, when the metadata has one: foreign text.
    pub fn location_base(self) -> Option<String> {
        self.string(sys::solv_knownid_SOLVABLE_MEDIABASE)
    }

    /// Algorithm (`sha256`) and hexadecimal digest of the package file.
    pub fn checksum(self) -> Option<(String, String)> {
        let mut kind = 0;
        let digest = self.copied(|raw| {
            // SAFETY: the package exists; the type is written into a variable that outlives the call.
            unsafe {
                sys::solvable_lookup_checksum(raw, sys::solv_knownid_SOLVABLE_CHECKSUM as sys::Id, &mut kind)
            }
        })?;
        // SAFETY: `kind` is what libsolv said; an unknown one gives null.
        let algorithm = unsafe { text(sys::solv_chksum_type2str(kind)) };
        (!algorithm.is_empty()).then_some((algorithm, digest))
    }
}
