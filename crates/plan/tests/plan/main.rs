//! Tables for the planner. Pure values, no file system.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the crate is pure; its tests may look at files and run programs"
)]

mod bwrap;
mod compatible;
mod modes;
mod mounts;
mod refused;
mod world;
