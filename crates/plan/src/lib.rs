//! From an effective configuration and the facts of the host to a [`LaunchPlan`], and the plan's renderings.
//!
//! Pure: no file system, no environment, no clock. Every decision of a launch is taken here; the executor of
//! the plan (crate `launch`) chooses nothing.

#![forbid(unsafe_code)]

pub mod launch_plan;

pub use launch_plan::LaunchPlan;
