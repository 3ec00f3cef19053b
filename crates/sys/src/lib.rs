//! System calls: one function a call, its name and arguments kept in the error.
//!
//! The only place of redpak, beside the libsolv wrapper, with `unsafe`: what rustix has is called through rustix,
//! the rest ([`process::fork`], [`mount::mount_setattr`], [`rights::seccomp_set_filter`], [`signal`], …) is done here.
//! Nothing here decides anything; sequences of calls live with those who need them.
//!
//! | module | what |
//! | --- | --- |
//! | [`error`] | [`SysError`]: call, arguments, errno |
//! | [`process`] | guarded `clone3`, `execve`, `waitid`, death signal, dumpable |
//! | [`mount`] | the descriptor-based mount API, `pivot_root`, `umount2` |
//! | [`file`] | `openat2`, `mkdirat`, `statx`, and what else mount points need |
//! | [`descriptor`] | `close_range`, flags and kinds of descriptors, reading one |
//! | [`lock`] | locks of open files |
//! | [`rights`] | capabilities, users, groups, `no_new_privs`, seccomp |
//! | [`signal`] | masks, `signalfd`, `pidfd_send_signal` |
//! | [`channel`] | a `SOCK_SEQPACKET` pair that passes descriptors and process ids |
//! | [`terminal`] | foreground process groups |
//! | [`network`] | the loopback interface |

pub mod channel;
pub mod descriptor;
pub mod error;
pub mod file;
pub mod lock;
pub mod mount;
pub mod network;
pub mod process;
pub mod rights;
pub mod signal;
pub mod terminal;

pub use error::{Result, SysError};
pub use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
pub use rustix::io::Errno;
pub use rustix::process::Pid;
