//! The model from outside: texts in, configurations and findings out.

mod family;
mod happy;
mod schema;
mod syntax;
