//! The model from outside: texts in, configurations and findings out.

#![allow(
    clippy::disallowed_methods,
    reason = "the crate is pure; its tests may look at the clock and read files"
)]

mod doll;
mod family;
mod golden;
mod happy;
mod inheritance;
mod noise;
mod random;
mod schema;
mod status;
mod syntax;
mod threats;
mod widening;
mod within;
