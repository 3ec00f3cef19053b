//! From an effective configuration and the facts of the host to a [`LaunchPlan`], and the plan's renderings.
//!
//! Pure: no file system, no environment, no clock. Every decision of a launch is taken here; the executor of
//! the plan (crate `launch`) chooses nothing.

#![forbid(unsafe_code)]

pub mod bwrap;
pub mod codes;
pub mod environment;
pub mod facts;
pub mod identity;
pub mod launch_plan;
mod mounts;
pub mod planner;
pub mod refused;
pub mod transaction_view;

pub use facts::{HostFacts, NodeFacts, OwnFact};
pub use launch_plan::LaunchPlan;
pub use planner::{Request, launch_plan};
pub use transaction_view::{TransactionView, transaction_plan};
