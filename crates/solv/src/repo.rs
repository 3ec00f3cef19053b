//! `Repo`: filled from metadata, from RPM databases, from `.solv` caches, or package by package.

use std::ffi::CString;
use std::path::Path;

use libsolv_sys::ffi as sys;

use crate::SolvError;
use crate::file::CFile;
use crate::id::{DepId, PackageId, RepoId};
use crate::package::DepKind;
use crate::pool::{Pool, cstring, text};

/// A repository, to look at.
#[derive(Clone, Copy)]
pub struct Repo<'p> {
    pool: &'p Pool,
    id: RepoId,
}

/// A package made by hand, with what it provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPackage<'t> {
    /// Name.
    pub name: &'t str,
    /// `[epoch:]version-release`
    pub evr: &'t str,
    /// Architecture.
    pub arch: &'t str,
}

impl Pool {
    /// Makes an empty repository.
    pub fn add_repo(&mut self, name: &str) -> RepoId {
        self.touch();
        let name = cstring(name);
        // SAFETY: the pool is live, libsolv copies the name, and the returned repository is read at once.
        unsafe { RepoId((*sys::repo_create(self.as_ptr(), name.as_ptr())).repoid) }
    }

    /// A repository, to look at.
    pub fn repo(&self, id: RepoId) -> Repo<'_> {
        Repo { pool: self, id }
    }

    /// libsolv's repository, or null when the pool has none of this id.
    pub(crate) fn repo_ptr(&self, id: RepoId) -> *mut sys::Repo {
        // SAFETY: the pool is live, the index is checked before the table is read.
        unsafe {
            let pool = self.as_ptr();
            if id.0 > 0 && id.0 < (*pool).nrepos {
                *(*pool).repos.add(id.0.unsigned_abs() as usize)
            } else {
                std::ptr::null_mut()
            }
        }
    }

    /// As [`repo_ptr`](Self::repo_ptr), before a change.
    fn repo_to_change(&mut self, id: RepoId, call: &str) -> Result<*mut sys::Repo, SolvError> {
        self.touch();
        let raw = self.repo_ptr(id);
        if raw.is_null() {
            return Err(SolvError { call: call.to_owned(), reason: "no such repository".into() });
        }
        Ok(raw)
    }

    /// The priority of a repository: the higher is preferred (dnf's is the other way round).
    pub fn set_priority(&mut self, repo: RepoId, priority: i32, subpriority: i32) {
        if let Ok(raw) = self.repo_to_change(repo, "priority") {
            // SAFETY: the repository is live.
            unsafe {
                (*raw).priority = priority;
                (*raw).subpriority = subpriority;
            }
        }
    }

    /// Reads `primary.xml`.
    pub fn load_primary(&mut self, repo: RepoId, mut file: CFile) -> Result<Vec<PackageId>, SolvError> {
        self.load(repo, "repo_add_rpmmd(primary)", |raw| {
            // SAFETY: repository and stream are live; no language is asked for.
            unsafe { sys::repo_add_rpmmd(raw, file.as_ptr().cast(), std::ptr::null(), 0) }
        })
    }

    /// Reads `filelists.xml` for the packages that are there.
    pub fn load_filelists(&mut self, repo: RepoId, mut file: CFile) -> Result<(), SolvError> {
        let flags = sys::REPO_EXTEND_SOLVABLES | sys::REPO_LOCALPOOL;
        let language = c"FL";
        self.load(repo, "repo_add_rpmmd(filelists)", |raw| {
            // SAFETY: repository and stream are live; the language is libsolv's own word for file lists.
            unsafe { sys::repo_add_rpmmd(raw, file.as_ptr().cast(), language.as_ptr(), flags as i32) }
        })
        .map(drop)
    }

    /// Reads a `.solv` file that [`write_solv`](Self::write_solv) wrote; one of anybody else's is never to be given.
    pub fn load_solv(&mut self, repo: RepoId, mut file: CFile) -> Result<Vec<PackageId>, SolvError> {
        self.load(repo, "repo_add_solv()", |raw| {
            // SAFETY: repository and stream are live.
            unsafe { sys::repo_add_solv(raw, file.as_ptr().cast(), sys::SOLV_ADD_NO_STUBS as i32) }
        })
    }

    /// Reads a `.solv` file with more data of packages that are there, in the same order.
    pub fn load_solv_extension(&mut self, repo: RepoId, mut file: CFile) -> Result<(), SolvError> {
        let flags = sys::REPO_EXTEND_SOLVABLES | sys::REPO_LOCALPOOL;
        self.load(repo, "repo_add_solv(extension)", |raw| {
            // SAFETY: repository and stream are live.
            unsafe { sys::repo_add_solv(raw, file.as_ptr().cast(), flags as i32) }
        })
        .map(drop)
    }

    /// Reads the RPM database below `root` (see [`RpmDatabase`](crate::RpmDatabase) for what must lie there).
    pub fn load_rpmdb(&mut self, repo: RepoId, root: &Path) -> Result<Vec<PackageId>, SolvError> {
        let root = path_text(root, "repo_add_rpmdb()")?;
        let _lock = crate::rpm_lock();
        self.set_rootdir(&root);
        let result = self.load(repo, &format!("repo_add_rpmdb({root})"), |raw| {
            // SAFETY: the repository is live; there is no reference repository.
            unsafe { sys::repo_add_rpmdb(raw, std::ptr::null_mut(), sys::REPO_USE_ROOTDIR as i32) }
        });
        self.set_rootdir("");
        result
    }

    /// Reads the header of a package file.
    pub fn load_rpm(&mut self, repo: RepoId, file: &Path) -> Result<PackageId, SolvError> {
        let call = format!("repo_add_rpm({})", file.display());
        let name = cstring(&path_text(file, &call)?);
        let raw = self.repo_to_change(repo, &call)?;
        let flags = sys::RPM_ADD_WITH_SHA256SUM;
        let _lock = crate::rpm_lock();
        // SAFETY: the repository is live, the name ends with NUL; 0 means that it cannot be read.
        match unsafe { sys::repo_add_rpm(raw, name.as_ptr(), flags as i32) } {
            0 => Err(self.error(call)),
            id => Ok(PackageId(id)),
        }
    }

    /// Adds a package by hand.
    pub fn add_package(&mut self, repo: RepoId, new: &NewPackage) -> Result<PackageId, SolvError> {
        let raw = self.repo_to_change(repo, "repo_add_solvable()")?;
        let (name, evr, arch) = (self.name(new.name), self.name(new.evr), self.name(new.arch));
        // SAFETY: the repository is live, `repo_add_solvable` returns an id in the table, and the three ids were made
        // in this pool.
        unsafe {
            let id = sys::repo_add_solvable(raw);
            let package = (*self.as_ptr()).solvables.add(id.unsigned_abs() as usize);
            (*package).name = name.0;
            (*package).evr = evr.0;
            (*package).arch = arch.0;
            Ok(PackageId(id))
        }
    }

    /// Adds a dependency to a package that was added by hand.
    pub fn add_dependency(&mut self, package: PackageId, kind: DepKind, dep: DepId) {
        self.touch();
        if !self.has(package) || !self.knows(dep) {
            return;
        }
        // SAFETY: both ids were checked.
        unsafe {
            let raw = (*self.as_ptr()).solvables.add(package.index());
            sys::solvable_add_deparray(raw, kind.key(), dep.0, 0);
        }
    }

    /// Makes what was added by hand readable.
    pub fn finish_repo(&mut self, repo: RepoId) {
        if let Ok(raw) = self.repo_to_change(repo, "repo_internalize()") {
            // SAFETY: the repository is live.
            unsafe { sys::repo_internalize(raw) }
        }
    }

    /// Takes a package out: it does not exist any more, for whatever is asked.
    pub fn take_out(&mut self, package: PackageId) {
        self.touch();
        if self.has(package) {
            // SAFETY: the package exists, so its repository does; ids are not used again.
            unsafe {
                let repo = (*(*self.as_ptr()).solvables.add(package.index())).repo;
                sys::repo_free_solvable(repo, package.0, 0);
            }
        }
    }

    /// Writes a repository as a `.solv` file.
    pub fn write_solv(&mut self, repo: RepoId, mut file: CFile) -> Result<(), SolvError> {
        let raw = self.repo_to_change(repo, "repo_write()")?;
        // SAFETY: repository and stream are live.
        let status = unsafe { sys::repo_write(raw, file.as_ptr().cast()) };
        self.written("repo_write()", status, file)
    }

    /// Writes the data that was loaded last (file lists) as a `.solv` file, to be read by
    /// [`load_solv_extension`](Self::load_solv_extension).
    pub fn write_last_data(&mut self, repo: RepoId, mut file: CFile) -> Result<(), SolvError> {
        let call = "repodata_write(the last)";
        let raw = self.repo_to_change(repo, call)?;
        // SAFETY: repository and stream are live; null is checked.
        let status = unsafe {
            match sys::repo_last_repodata(raw) {
                data if data.is_null() => -1,
                data => sys::repodata_write(data, file.as_ptr().cast()),
            }
        };
        self.written(call, status, file)
    }

    fn written(&self, call: &str, status: i32, file: CFile) -> Result<(), SolvError> {
        if status != 0 {
            return Err(self.error(call.into()));
        }
        file.finish().map_err(|error| SolvError { call: call.into(), reason: error.to_string() })
    }

    /// Runs a loader and returns the packages that it added.
    fn load(
        &mut self,
        repo: RepoId,
        call: &str,
        loader: impl FnOnce(*mut sys::Repo) -> i32,
    ) -> Result<Vec<PackageId>, SolvError> {
        let raw = self.repo_to_change(repo, call)?;
        // SAFETY: the pool is live.
        let first = unsafe { (*self.as_ptr()).nsolvables };
        if loader(raw) != 0 {
            return Err(self.error(call.into()));
        }
        Ok(self.repo(repo).packages().filter(|id| id.0 >= first).collect())
    }
}

impl<'p> Repo<'p> {
    /// Its name.
    pub fn name(self) -> String {
        let raw = self.pool.repo_ptr(self.id);
        // SAFETY: null is checked; the name is copied at once.
        if raw.is_null() { String::new() } else { unsafe { text((*raw).name) } }
    }

    /// Its packages.
    pub fn packages(self) -> impl Iterator<Item = PackageId> + 'p {
        let raw = self.pool.repo_ptr(self.id);
        // SAFETY: null is checked.
        let (start, end) = if raw.is_null() { (0, 0) } else { unsafe { ((*raw).start, (*raw).end) } };
        (start..end).map(PackageId).filter(move |id| self.pool.package(*id).repo() == Some(self.id))
    }
}

/// A path for C.
fn path_text(path: &Path, call: &str) -> Result<String, SolvError> {
    let refuse = |reason: &str| SolvError { call: call.to_owned(), reason: reason.to_owned() };
    let text = path.to_str().ok_or_else(|| refuse("the path is not UTF-8"))?;
    CString::new(text).map_err(|_| refuse("the path holds a NUL"))?;
    Ok(text.to_owned())
}
