//! `Dataiterator`: file lists and texts, searched.

use std::ffi::CString;

use libsolv_sys::ffi as sys;

use crate::id::{PackageId, RepoId};
use crate::pool::{Pool, cstring, text};

/// How a text is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Equal.
    Exact,
    /// A shell pattern.
    Glob,
    /// Contained, upper and lower case being the same.
    Contains,
}

/// One iteration, freed at the end.
struct Iteration(Box<sys::Dataiterator>, Option<CString>);

impl Iteration {
    fn new(
        pool: &Pool,
        package: Option<PackageId>,
        key: sys::solv_knownid,
        pattern: Option<(&str, Match)>,
    ) -> Self {
        let flags = match pattern {
            None => 0,
            Some((_, Match::Exact)) => sys::SEARCH_STRING,
            Some((_, Match::Glob)) => sys::SEARCH_GLOB,
            Some((_, Match::Contains)) => sys::SEARCH_SUBSTRING | sys::SEARCH_NOCASE,
        } | sys::SEARCH_FILES;
        let pattern = pattern.map(|(text, _)| cstring(text));
        // SAFETY: an all-zero iterator is a valid argument for `dataiterator_init`, which fills it; it is boxed and so
        // keeps its address; the pattern lives beside it.
        unsafe {
            let mut raw: Box<sys::Dataiterator> = Box::new(std::mem::zeroed());
            sys::dataiterator_init(
                &mut *raw,
                pool.as_ptr(),
                std::ptr::null_mut(),
                package.map_or(0, |id| id.0),
                key as sys::Id,
                pattern.as_ref().map_or(std::ptr::null(), |text| text.as_ptr()),
                flags as i32,
            );
            Self(raw, pattern)
        }
    }

    fn step(&mut self) -> Option<(PackageId, String)> {
        // SAFETY: initialised in `new`; after a successful step `kv.str` is null or a string, copied at once.
        unsafe {
            if sys::dataiterator_step(&mut *self.0) == 0 {
                return None;
            }
            Some((PackageId(self.0.solvid), text(self.0.kv.str_)))
        }
    }
}

impl Drop for Iteration {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, freed once.
        unsafe { sys::dataiterator_free(&mut *self.0) }
        self.1.take();
    }
}

impl Pool {
    /// The files and directories of a package, as far as they are loaded.
    pub fn files(&self, package: PackageId) -> Vec<String> {
        if !self.has(package) {
            return Vec::new();
        }
        let mut iteration = Iteration::new(self, Some(package), sys::solv_knownid_SOLVABLE_FILELIST, None);
        std::iter::from_fn(|| iteration.step()).map(|(_, file)| file).collect()
    }

    /// The packages that have a file, with the path that matched. File lists that are not loaded are not seen.
    pub fn owners(&self, path: &str, how: Match) -> Vec<(PackageId, String)> {
        let mut iteration =
            Iteration::new(self, None, sys::solv_knownid_SOLVABLE_FILELIST, Some((path, how)));
        std::iter::from_fn(|| iteration.step()).filter(|(id, _)| self.has(*id)).collect()
    }

    /// The packages of a repository whose summary matches.
    pub fn search_summaries(&self, pattern: &str, how: Match) -> Vec<PackageId> {
        self.search_texts(sys::solv_knownid_SOLVABLE_SUMMARY, pattern, how)
    }

    /// The packages of a repository whose description matches.
    pub fn search_descriptions(&self, pattern: &str, how: Match) -> Vec<PackageId> {
        self.search_texts(sys::solv_knownid_SOLVABLE_DESCRIPTION, pattern, how)
    }

    fn search_texts(&self, key: sys::solv_knownid, pattern: &str, how: Match) -> Vec<PackageId> {
        let mut iteration = Iteration::new(self, None, key, Some((pattern, how)));
        std::iter::from_fn(|| iteration.step()).map(|(id, _)| id).filter(|id| self.has(*id)).collect()
    }

    /// The name of a package's repository.
    pub fn repo_name(&self, package: PackageId) -> String {
        self.package(package).repo().map(|id: RepoId| self.repo(id).name()).unwrap_or_default()
    }
}
