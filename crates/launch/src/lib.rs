//! Executes a launch plan: namespaces, mounts, rights, init, supervisor.
//!
//! [`launch`] takes no decision. What a [`LaunchPlan`](redpak_plan::launch_plan::LaunchPlan) says is done, or the
//! command does not start and a [`LaunchError`] says what failed.
//!
//! ```text
//! caller = supervisor          blocks and forwards signals, hands the terminal over, waits
//!   └─ clone3 ─ child          new namespaces: builds the tree, pivots into it; with a pid namespace it stays as init
//!        └─ clone3 ─ command   gives up rights, then execve
//! ```
//!
//! Without a pid namespace the child becomes the command itself.
//!
//! | module | what |
//! | --- | --- |
//! | `supervisor` | [`launch`]: the caller's side |
//! | `child` | the other side: order of the set-up, init |
//! | `contents` | what files inside hold that is read from the caller's descriptors |
//! | `tree` | the root tmpfs and the mounts |
//! | `locks` | files inside that are locked while the launch lasts |
//! | `command` | the last steps before the command runs |
//! | `prepare` | what is checked and made ready before anything happens |
//! | `job` | the terminal and process groups |
//! | `pts` | a devpts for callers that have no user 0 inside |
//! | `report` | what the child tells the supervisor |
//! | `filter` | the seccomp filter of every command |
//! | `error`, `outcome` | what comes back |

#![forbid(unsafe_code)]

mod child;
mod command;
mod contents;
mod error;
mod filter;
mod job;
mod locks;
mod outcome;
mod prepare;
mod privileged;
mod pts;
mod report;
mod supervisor;
mod tree;

pub use contents::Inputs;
pub use error::{Cause, LaunchError, MountPlace, Stage};
pub use outcome::Outcome;
pub use prepare::{Options, Payload};
pub use privileged::refuse_privileged_binary;
pub use supervisor::launch;
