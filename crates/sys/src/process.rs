//! Processes: guarded `clone3`, `execve`, waiting, death signal, dumpable.
//!
//! Forking is only sound in a process with one thread: another thread's locks would stay taken for ever in the
//! child. [`SingleThread`] is the proof of that, made by looking, or given to the child of a fork. A child never
//! returns into its parent's stack: a panic ends at the guard and becomes an exit code.

use std::ffi::{CStr, CString, c_char};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions, WaitStatus,
};

use crate::error::{Name, Result, SysError, fd};

/// Exit code of a child that panicked.
pub const PANICKED: u8 = 125;

/// Proof that the process has one thread.
#[derive(Debug)]
pub struct SingleThread(PhantomData<*mut ()>);

impl SingleThread {
    /// Looks at the number of links of `/proc/self/task`, which is two and one a thread (proc(5)).
    ///
    /// # Errors
    /// `EBUSY` when there are other threads, and what `stat` says when there is no `/proc`.
    pub fn check() -> Result<Self> {
        let stat = rustix::fs::stat("/proc/self/task").named("stat", || "/proc/self/task".to_owned())?;
        if stat.st_nlink == 3 {
            Ok(Self(PhantomData))
        } else {
            let threads = stat.st_nlink.saturating_sub(2);
            Err(SysError::new("clone3", format!("with {threads} threads running"), Errno::BUSY))
        }
    }
}

/// The namespaces and options of a new process: `CLONE_NEW*` of clone(2).
#[derive(Clone, Copy, Debug, Default)]
pub struct Clone {
    /// `CLONE_NEWUSER`
    pub user: bool,
    /// `CLONE_NEWNS`
    pub mount: bool,
    /// `CLONE_NEWPID`
    pub pid: bool,
    /// `CLONE_NEWNET`
    pub net: bool,
    /// `CLONE_NEWIPC`
    pub ipc: bool,
    /// `CLONE_NEWUTS`
    pub uts: bool,
    /// `CLONE_NEWCGROUP`
    pub cgroup: bool,
}

impl Clone {
    const NAMES: [(i32, &'static str); 7] = [
        (libc::CLONE_NEWUSER, "CLONE_NEWUSER"),
        (libc::CLONE_NEWNS, "CLONE_NEWNS"),
        (libc::CLONE_NEWPID, "CLONE_NEWPID"),
        (libc::CLONE_NEWNET, "CLONE_NEWNET"),
        (libc::CLONE_NEWIPC, "CLONE_NEWIPC"),
        (libc::CLONE_NEWUTS, "CLONE_NEWUTS"),
        (libc::CLONE_NEWCGROUP, "CLONE_NEWCGROUP"),
    ];

    fn each(self) -> impl Iterator<Item = (i32, &'static str)> {
        let set = [self.user, self.mount, self.pid, self.net, self.ipc, self.uts, self.cgroup];
        Self::NAMES.into_iter().zip(set).filter_map(|(name, set)| set.then_some(name))
    }

    fn text(self) -> String {
        self.each().fold("CLONE_PIDFD".to_owned(), |text, (_, name)| text + "|" + name)
    }
}

/// A child process.
#[derive(Debug)]
pub struct Child {
    /// Its id in the caller's pid namespace.
    pub pid: Pid,
    /// A descriptor that stands for it (close-on-exec).
    pub pidfd: OwnedFd,
}

/// `clone3(2)` without `CLONE_VM`: runs `child` in a copy of the process; its result is the exit code.
///
/// # Errors
/// `EPERM` and `ENOSPC` where namespaces are not allowed, and the others of clone(2).
pub fn fork(_: &SingleThread, how: Clone, child: impl FnOnce(SingleThread) -> u8) -> Result<Child> {
    let mut pidfd: libc::c_int = -1;
    let namespaces = how.each().fold(0, |flags, (flag, _)| flags | flag);
    // SAFETY: an all-zero clone_args is valid: no stack, no tls, no cgroup, no chosen pids.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = (namespaces | libc::CLONE_PIDFD) as u32 as u64;
    arguments.pidfd = (&raw mut pidfd) as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM the child has a copy of the memory, so the call is a fork; `SingleThread` says that no
    // other thread can hold a lock; the size is that of the structure; `pidfd` outlives the call.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone3, &raw mut arguments, std::mem::size_of::<libc::clone_args>())
    };
    match pid {
        0 => {
            let code =
                catch_unwind(AssertUnwindSafe(|| child(SingleThread(PhantomData)))).unwrap_or(PANICKED);
            exit_now(code)
        }
        pid if pid > 0 => {
            // A pid is positive and fits: the kernel's limit is 2^22.
            let pid = Pid::from_raw(pid as i32)
                .ok_or_else(|| SysError::new("clone3", how.text(), Errno::OVERFLOW))?;
            // SAFETY: CLONE_PIDFD stored a new descriptor there, which nobody else owns.
            Ok(Child { pid, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
        }
        _ => Err(SysError::new("clone3", how.text(), last_errno())),
    }
}

/// `_exit(2)`: no destructor, no handler runs.
pub fn exit_now(code: u8) -> ! {
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(i32::from(code)) }
}

pub(crate) fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// A null-terminated array of C strings, as `execve` wants it.
#[derive(Debug)]
pub struct CStrings {
    pointers: Vec<*const c_char>,
    strings: Vec<CString>,
}

impl CStrings {
    /// Builds the array.
    pub fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect();
        Self { pointers, strings }
    }

    /// Replaces one string.
    pub fn replace(&mut self, index: usize, with: CString) {
        if let Some(slot) = self.strings.get_mut(index) {
            self.pointers[index] = with.as_ptr();
            *slot = with;
        }
    }

    /// The strings.
    pub fn strings(&self) -> &[CString] {
        &self.strings
    }
}

/// `execve(2)`. Returns only when it failed.
pub fn execve(path: &CStr, arguments: &CStrings, environment: &CStrings) -> SysError {
    // SAFETY: both arrays end with a null pointer, and their strings live in the same structures.
    unsafe { libc::execve(path.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr()) };
    let errno = last_errno();
    SysError::new("execve", path.to_string_lossy(), errno)
}

/// `execveat(2)` of an open file (`AT_EMPTY_PATH`): what was looked at is what runs. Returns only when it failed;
/// `ENOENT` for a script, when the descriptor is close-on-exec.
pub fn execute_file(file: impl AsFd, arguments: &CStrings, environment: &CStrings) -> SysError {
    // SAFETY: the path is an empty C string; both arrays end with a null pointer, and their strings live in the same
    // structures; the descriptor is open for the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_fd().as_raw_fd(),
            c"".as_ptr(),
            arguments.pointers.as_ptr(),
            environment.pointers.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    let errno = last_errno();
    SysError::new("execveat", format!("{}, \"\", AT_EMPTY_PATH", fd(&file)), errno)
}

/// `waitid(2)` for one child; `None` when `WNOHANG` is given and nothing has happened. Retried on `EINTR`.
///
/// # Errors
/// `ECHILD` when it is not a child.
pub fn wait_child(pid: Pid, options: WaitIdOptions) -> Result<Option<WaitIdStatus>> {
    rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::Pid(pid), options))
        .named("waitid", || format!("P_PID {}, {options:?}", pid.as_raw_nonzero()))
}

/// `wait4(2)` for any child, stopped ones included. Retried on `EINTR`.
///
/// # Errors
/// `ECHILD` when there are no children.
pub fn wait_any() -> Result<(Pid, WaitStatus)> {
    let waited = rustix::io::retry_on_intr(|| rustix::process::wait(WaitOptions::UNTRACED))
        .named("wait4", || "-1, WUNTRACED".to_owned())?;
    // Without WNOHANG there always is a child in the answer.
    waited.ok_or_else(|| SysError::new("wait4", "-1, WUNTRACED", Errno::CHILD))
}

/// `prctl(PR_SET_PDEATHSIG, SIGKILL)`: the kernel kills the caller when its parent dies.
///
/// # Errors
/// None are known (prctl(2)).
pub fn die_with_parent() -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .named("prctl", || "PR_SET_PDEATHSIG, SIGKILL".to_owned())
}

/// `pidfd_open(2)` on the caller: readable once it is dead (pidfd_open(2)), for children that must not outlive it.
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn own_pidfd() -> Result<OwnedFd> {
    rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty())
        .named("pidfd_open", || "the caller".to_owned())
}

/// `prctl(PR_SET_DUMPABLE, 0)`: no other process attaches to the caller or reads its memory without
/// `CAP_SYS_PTRACE` over the user namespace it started in.
///
/// # Errors
/// None are known (prctl(2)).
pub fn not_dumpable() -> Result<()> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .named("prctl", || "PR_SET_DUMPABLE, 0".to_owned())
}

/// `setsid(2)`.
///
/// # Errors
/// `EPERM` when the caller leads a process group.
pub fn setsid() -> Result<Pid> {
    rustix::process::setsid().named("setsid", String::new)
}

/// `setpgid(0, 0)`: the caller leads a process group of its own.
///
/// # Errors
/// `EPERM` when it leads a session.
pub fn setpgid_self() -> Result<()> {
    rustix::process::setpgid(None, None).named("setpgid", || "0, 0".to_owned())
}

/// `sethostname(2)` in the caller's uts namespace.
///
/// # Errors
/// `EINVAL` when it is longer than 64 bytes, `EPERM` without rights over the namespace.
pub fn sethostname(name: &str) -> Result<()> {
    rustix::system::sethostname(name.as_bytes()).named("sethostname", || format!("{name:?}"))
}

/// `fchdir(2)`.
///
/// # Errors
/// `EACCES`, `ENOTDIR`.
pub fn fchdir(directory: impl rustix::fd::AsFd) -> Result<()> {
    rustix::process::fchdir(directory.as_fd()).named("fchdir", || fd(&directory))
}

/// `poll(2)` on what is readable; waits for ever, or not at all.
///
/// # Errors
/// `EINVAL` beyond `RLIMIT_NOFILE`.
pub fn poll_readable<const N: usize>(descriptors: [&OwnedFd; N], wait: bool) -> Result<[bool; N]> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut polled = descriptors.map(|fd| PollFd::new(fd, PollFlags::IN));
    let timeout = (!wait).then_some(Timespec { tv_sec: 0, tv_nsec: 0 });
    rustix::io::retry_on_intr(|| poll(&mut polled, timeout.as_ref())).named("poll", || {
        descriptors.iter().map(|fd| fd.as_raw_fd().to_string()).collect::<Vec<_>>().join(", ")
    })?;
    Ok(polled.map(|fd| !fd.revents().is_empty()))
}

/// Whether the kernel started this program with rights that its caller did not have: setuid, setgid or file
/// capabilities (`AT_SECURE` of getauxval(3)).
pub fn started_privileged() -> bool {
    // SAFETY: getauxval only reads what the kernel handed over at the start.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_thread_is_noticed() {
        // The test harness runs tests in threads of their own: at least two are there.
        let error = SingleThread::check().unwrap_err();
        assert_eq!(error.errno, Errno::BUSY);
        assert!(error.arguments.contains("threads running"), "{error}");
    }

    #[test]
    fn the_flags_of_clone_are_named() {
        let how = Clone { user: true, net: true, ..Clone::default() };
        assert_eq!(how.text(), "CLONE_PIDFD|CLONE_NEWUSER|CLONE_NEWNET");
    }

    #[test]
    fn a_replaced_string_is_what_execve_sees() {
        let mut strings = CStrings::new(vec![c"a".to_owned(), c"b".to_owned()]);
        strings.replace(1, c"c".to_owned());
        assert_eq!(strings.strings(), [c"a".to_owned(), c"c".to_owned()]);
        assert_eq!(strings.pointers[1], strings.strings[1].as_ptr());
        assert!(strings.pointers[2].is_null());
    }
}
