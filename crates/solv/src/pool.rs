//! `Pool`: names, dependencies, and all packages of all repositories.

use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;

use libsolv_sys::ffi as sys;

use crate::SolvError;
use crate::ffi;
use crate::id::{DepId, PackageId, RepoId};
use crate::queue::Queue;

/// A comparison in a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelOp {
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `=`
    Eq,
    /// `>=`
    Ge,
    /// `>`
    Gt,
}

impl RelOp {
    fn flags(self) -> u32 {
        match self {
            Self::Lt => sys::REL_LT,
            Self::Le => sys::REL_LT | sys::REL_EQ,
            Self::Eq => sys::REL_EQ,
            Self::Ge => sys::REL_GT | sys::REL_EQ,
            Self::Gt => sys::REL_GT,
        }
    }
}

/// A dependency, taken apart one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dep {
    /// A name, or a comparison of a name with a version: matched against providers.
    Plain,
    /// `(a and b)`
    And(DepId, DepId),
    /// `(a or b)`
    Or(DepId, DepId),
    /// `(a if b)`, `(a if b else c)`
    If(DepId, DepId, Option<DepId>),
    /// `(a unless b)`, `(a unless b else c)`
    Unless(DepId, DepId, Option<DepId>),
}

/// All packages, and what they provide.
pub struct Pool {
    raw: NonNull<sys::Pool>,
    ready: bool,
}

impl Pool {
    /// A pool of RPMs for an architecture (`x86_64`, …).
    ///
    /// # Errors
    /// The libsolv on this machine does not know RPM's rules.
    pub fn new(arch: &str) -> Result<Self, SolvError> {
        // SAFETY: no arguments; null is checked.
        let raw = unsafe { sys::pool_create() };
        let raw = NonNull::new(raw)
            .ok_or_else(|| SolvError { call: "pool_create()".into(), reason: "out of memory".into() })?;
        let pool = Self { raw, ready: false };
        let arch = cstring(arch);
        // SAFETY: the pool is live and still empty; the string ends with NUL.
        unsafe {
            if sys::pool_setdisttype(raw.as_ptr(), sys::DISTTYPE_RPM as i32) < 0 {
                return Err(SolvError {
                    call: "pool_setdisttype(DISTTYPE_RPM)".into(),
                    reason: "this libsolv was built without RPM's rules".into(),
                });
            }
            // What Fedora's own build of libsolv sets, and dnf relies on: a.x86_64 and a.i686 do not obsolete each
            // other, and their files do not conflict.
            sys::pool_set_flag(raw.as_ptr(), sys::POOL_FLAG_IMPLICITOBSOLETEUSESCOLORS as i32, 1);
            sys::pool_setdebuglevel(raw.as_ptr(), 0);
            sys::pool_setarch(raw.as_ptr(), arch.as_ptr());
        }
        Ok(pool)
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::Pool {
        self.raw.as_ptr()
    }

    /// Whether [`prepare`](Self::prepare) was called after the last change.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// To be called before every change: what was prepared no longer holds.
    pub(crate) fn touch(&mut self) {
        if self.ready {
            // SAFETY: the pool is live, and no solver exists, since it would borrow the pool.
            unsafe { sys::pool_freewhatprovides(self.as_ptr()) };
            self.ready = false;
        }
    }

    /// Indexes what is provided, files that dependencies name included.
    pub fn prepare(&mut self) {
        self.touch();
        // SAFETY: the pool is live and no solver exists, since it would borrow the pool.
        unsafe {
            sys::pool_addfileprovides(self.as_ptr());
            sys::pool_createwhatprovides(self.as_ptr());
        }
        self.ready = true;
    }

    /// Makes `repo` the one that counts as installed.
    pub fn set_installed(&mut self, repo: RepoId) {
        self.touch();
        let raw = self.repo_ptr(repo);
        // SAFETY: both are live; a null repository means none.
        unsafe { sys::pool_set_installed(self.as_ptr(), raw) }
    }

    /// The id of a name, made when there is none.
    pub fn name(&self, text: &str) -> DepId {
        let text = cstring(text);
        // SAFETY: the pool is live, the text ends with NUL.
        DepId(unsafe { sys::pool_str2id(self.as_ptr(), text.as_ptr(), 1) })
    }

    /// The id of a name, when the pool has it.
    pub fn find_name(&self, text: &str) -> Option<DepId> {
        let text = cstring(text);
        // SAFETY: the pool is live, the text ends with NUL.
        let id = unsafe { sys::pool_str2id(self.as_ptr(), text.as_ptr(), 0) };
        (id > 1).then_some(DepId(id))
    }

    /// `name OP evr`.
    pub fn relation(&self, name: &str, op: RelOp, evr: &str) -> DepId {
        let (name, evr) = (self.name(name), self.name(evr));
        // SAFETY: both ids were just made in this pool.
        DepId(unsafe { sys::pool_rel2id(self.as_ptr(), name.0, evr.0, op.flags() as i32, 1) })
    }

    /// A dependency as RPM writes it: `name`, `name >= 1.2`, or a rich one in parentheses. `None` when it is none.
    pub fn parse_dependency(&self, text: &str) -> Option<DepId> {
        let text = text.trim();
        if text.starts_with('(') {
            let c_text = cstring(text);
            // SAFETY: the pool is live, the text ends with NUL; 0 means that it does not parse.
            let id = unsafe { ffi::pool_parserpmrichdep(self.as_ptr(), c_text.as_ptr()) };
            return (id != 0).then_some(DepId(id));
        }
        let mut words = text.split_whitespace();
        let name = words.next()?;
        let Some(op) = words.next() else { return Some(self.name(name)) };
        let op = match op {
            "<" => RelOp::Lt,
            "<=" | "=<" => RelOp::Le,
            "=" | "==" => RelOp::Eq,
            ">=" | "=>" => RelOp::Ge,
            ">" => RelOp::Gt,
            _ => return None,
        };
        let evr = words.next()?;
        words.next().is_none().then(|| self.relation(name, op, evr))
    }

    /// A dependency as text.
    pub fn dep_text(&self, dep: DepId) -> String {
        if !self.knows(dep) {
            return String::new();
        }
        // SAFETY: the id was checked; libsolv returns a string in its scratch space, copied at once.
        unsafe { text(sys::pool_dep2str(self.as_ptr(), dep.0)) }
    }

    /// The name that a plain dependency is about; of a rich one, its whole text.
    pub fn dep_name(&self, dep: DepId) -> String {
        let mut id = dep;
        while let (Dep::Plain, Some((name, _, _))) = (self.take_apart(id), self.rel(id)) {
            id = name;
        }
        self.dep_text(id)
    }

    /// Takes a dependency apart, one level.
    pub fn take_apart(&self, dep: DepId) -> Dep {
        let Some((left, right, flags)) = self.rel(dep) else { return Dep::Plain };
        let or_else = |right: DepId| match self.rel(right) {
            Some((condition, other, sys::REL_ELSE)) => (condition, Some(other)),
            _ => (right, None),
        };
        match flags {
            sys::REL_AND => Dep::And(left, right),
            sys::REL_OR => Dep::Or(left, right),
            sys::REL_COND => {
                let (condition, other) = or_else(right);
                Dep::If(left, condition, other)
            }
            sys::REL_UNLESS => {
                let (condition, other) = or_else(right);
                Dep::Unless(left, condition, other)
            }
            _ => Dep::Plain,
        }
    }

    /// Name, evr and flags of a relation.
    fn rel(&self, dep: DepId) -> Option<(DepId, DepId, u32)> {
        if dep.0 >= 0 || !self.knows(dep) {
            return None;
        }
        let index = (dep.0 as u32 ^ 0x8000_0000) as usize;
        // SAFETY: `knows` checked that the index is below `nrels`.
        let rel = unsafe { &*(*self.as_ptr()).rels.add(index) };
        Some((DepId(rel.name), DepId(rel.evr), rel.flags as u32))
    }

    /// Whether an id lies in this pool's tables.
    pub(crate) fn knows(&self, dep: DepId) -> bool {
        // SAFETY: the pool is live.
        let pool = unsafe { self.raw.as_ref() };
        if dep.0 < 0 {
            ((dep.0 as u32) ^ 0x8000_0000) < pool.nrels.unsigned_abs()
        } else {
            dep.0 < pool.ss.nstrings
        }
    }

    /// The packages that provide `dep`; none when the pool is not prepared.
    pub fn providers(&self, dep: DepId) -> Vec<PackageId> {
        if !self.ready || !self.knows(dep) {
            return Vec::new();
        }
        let mut found = Vec::new();
        // SAFETY: the pool is prepared and the id is in range, so the tables have an entry for it (0 asks for
        // `pool_addrelproviders`, as the inline `pool_whatprovides` does); the list that it points to ends with 0.
        unsafe {
            let pool = self.as_ptr();
            let known = if dep.0 < 0 {
                *(*pool).whatprovides_rel.add((dep.0 as u32 ^ 0x8000_0000) as usize)
            } else {
                *(*pool).whatprovides.add(dep.0.unsigned_abs() as usize)
            };
            let offset = match known {
                0 => sys::pool_addrelproviders(pool, dep.0).unsigned_abs(),
                offset => offset,
            };
            let mut at = (*pool).whatprovidesdata.add(offset as usize);
            while *at != 0 {
                found.push(PackageId(*at));
                at = at.add(1);
            }
        }
        found
    }

    /// The id under which a set of packages can be named in a job.
    pub(crate) fn package_set(&self, packages: &[PackageId]) -> sys::Id {
        let mut queue = Queue::from_ids(packages.iter().filter(|id| self.has(**id)).map(|id| id.0));
        // SAFETY: the pool is prepared (a solver exists only then), the queue holds ids of this pool.
        unsafe { sys::pool_queuetowhatprovides(self.as_ptr(), queue.as_mut_ptr()) }
    }

    /// All packages of all repositories.
    pub fn packages(&self) -> impl Iterator<Item = PackageId> + '_ {
        // SAFETY: the pool is live.
        let count = unsafe { self.raw.as_ref() }.nsolvables;
        (2..count).map(PackageId).filter(|id| self.has(*id))
    }

    /// Whether there is such a package (it may have been taken out).
    pub fn has(&self, id: PackageId) -> bool {
        // SAFETY: the pool is live, and the index is checked before the table is read.
        unsafe {
            let pool = self.raw.as_ref();
            id.0 >= 2 && id.0 < pool.nsolvables && !(*pool.solvables.add(id.index())).repo.is_null()
        }
    }

    /// RPM's comparison of two `[epoch:]version-release` texts.
    pub fn compare_evr(&self, first: &str, second: &str) -> std::cmp::Ordering {
        let (first, second) = (cstring(first), cstring(second));
        // SAFETY: the pool is live, both texts end with NUL.
        let order = unsafe {
            ffi::pool_evrcmp_str(self.as_ptr(), first.as_ptr(), second.as_ptr(), ffi::EVRCMP_COMPARE)
        };
        order.cmp(&0)
    }

    /// Whether packages of this architecture can be installed.
    pub fn arch_fits(&self, arch: &str) -> bool {
        let Some(id) = self.find_name(arch) else { return false };
        // SAFETY: the index is checked against the table's size before it is read.
        unsafe {
            let pool = self.raw.as_ref();
            id.0 < pool.lastarch
                && !pool.id2arch.is_null()
                && *pool.id2arch.add(id.0.unsigned_abs() as usize) != 0
        }
    }

    /// Where the next database or file is read from.
    pub(crate) fn set_rootdir(&self, root: &str) {
        let root = cstring(root);
        // SAFETY: libsolv copies the text.
        unsafe { sys::pool_set_rootdir(self.as_ptr(), root.as_ptr()) }
    }

    /// An error of libsolv's, in its words.
    pub(crate) fn error(&self, call: String) -> SolvError {
        // SAFETY: the pool is live; the text is copied at once.
        let reason = unsafe { text(sys::pool_errstr(self.as_ptr())) };
        SolvError { call, reason }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: made in `new`, freed once; everything that borrows the pool is gone.
        unsafe { sys::pool_free(self.as_ptr()) }
    }
}

/// Text for C; what follows a NUL is cut off, as C would.
pub(crate) fn cstring(text: &str) -> CString {
    let bytes = text.as_bytes();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}

/// Copies a C string; null is empty.
///
/// # Safety
/// `raw` is null or points to a string that ends with NUL.
pub(crate) unsafe fn text(raw: *const c_char) -> String {
    if raw.is_null() {
        return String::new();
    }
    // SAFETY: the caller vouches for it.
    unsafe { CStr::from_ptr(raw) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;

    fn pool() -> Pool {
        Pool::new("x86_64").expect("libsolv with RPM's rules")
    }

    #[test]
    fn versions_compare_as_rpm_does() {
        let pool = pool();
        for (first, second, order) in [
            ("1.0-1", "1.0-2", Ordering::Less),
            ("1:1.0-1", "2.0-1", Ordering::Greater),
            ("1.0~rc1-1", "1.0-1", Ordering::Less),
            ("1.0^git1-1", "1.0-1", Ordering::Greater),
            ("1.10-1", "1.9-1", Ordering::Greater),
            ("1.0-1", "1.0-1", Ordering::Equal),
        ] {
            assert_eq!(pool.compare_evr(first, second), order, "{first} against {second}");
        }
    }

    #[test]
    fn dependencies_parse_and_print_alike() {
        let pool = pool();
        for text in ["bash", "libc.so.6(GLIBC_2.34)(64bit)", "git >= 1:2.39", "/bin/sh", "(a or b >= 2)"] {
            let dep = pool.parse_dependency(text).unwrap_or_else(|| panic!("{text} parses"));
            let printed = pool.dep_text(dep);
            assert_eq!(printed.trim_matches(['(', ')']), text.trim_matches(['(', ')']), "{text}");
        }
        for text in ["", "a ~ b", "a >=", "a = 1 2"] {
            assert_eq!(pool.parse_dependency(text), None, "{text:?}");
        }
    }

    #[test]
    fn rich_dependencies_are_taken_apart() {
        let pool = pool();
        let dep = pool.parse_dependency("(a if b else c)").expect("parses");
        let (a, b, c) = (pool.name("a"), pool.name("b"), pool.name("c"));
        assert_eq!(pool.take_apart(dep), Dep::If(a, b, Some(c)));
        let dep = pool.parse_dependency("(a and b)").expect("parses");
        assert_eq!(pool.take_apart(dep), Dep::And(a, b));
    }

    #[test]
    fn an_id_of_no_package_is_harmless() {
        let pool = pool();
        for id in [-5, 0, 1, 2, i32::MAX] {
            assert!(!pool.has(PackageId(id)), "{id}");
        }
        assert_eq!(pool.dep_text(DepId(i32::MAX)), "");
        assert_eq!(pool.dep_text(DepId(-1)), "");
    }

    #[test]
    fn foreign_architectures_do_not_fit() {
        let pool = pool();
        assert!(pool.arch_fits("x86_64") && pool.arch_fits("noarch") && pool.arch_fits("i686"));
        assert!(!pool.arch_fits("aarch64"));
    }
}
