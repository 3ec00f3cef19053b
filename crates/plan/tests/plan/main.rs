//! Tables for the planner. Pure values, no file system.

mod bwrap;
mod compatible;
mod modes;
mod mounts;
mod refused;
mod world;
