//! The model from outside: texts in, configurations and findings out.

mod doll;
mod family;
mod golden;
mod happy;
mod inheritance;
mod noise;
mod schema;
mod status;
mod syntax;
mod widening;
mod within;
