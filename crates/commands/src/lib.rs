//! Runs the commands that files name (`$(…)`, `Execfd`), and hands their output to the model (SPEC section 3).
//!
//! [`answer`] finds the commands of a family, runs them, and returns what they wrote. Nothing is run where a file is
//! wrong, and nothing is kept beyond the call.
//!
//! ```text
//! caller                       waits, with a time limit
//!   └─ runner                  one for each file that has commands, in a session of its own
//!        ├─ (root node) bash   on the host, as the caller; the runner ends whatever is left of it
//!        └─ (any other) the parent's launch, with a pid namespace
//!             └─ batch         as the payload
//!                  └─ bash
//! ```
//!
//! A runner that is killed takes the launch with it, and the runner on the host ends all that it started when the
//! caller is gone: whatever ends the caller, no process is left behind.
//!
//! | module | what |
//! | --- | --- |
//! | `answers` | [`answer`]: which commands, in which order, and the findings |
//! | `parent` | the plan of a parent's launch |
//! | `runner` | starts a runner, waits for it, ends it |
//! | `batch` | runs the commands of one file, one after the other |
//! | `shell` | the shell, as an open file |
//! | `leftovers` | ends what a command on the host left |
//! | `record` | what a batch says of each command |

#![forbid(unsafe_code)]

mod answers;
mod batch;
pub mod codes;
mod leftovers;
mod limits;
mod parent;
mod record;
mod runner;
mod shell;

pub use answers::{Handed, answer};
pub use limits::Limits;
pub use redpak_launch::Inputs;
