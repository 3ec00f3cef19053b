//! Findings and errors for people.
//!
//! A [`Finding`] is what redpak has to say about one thing: how grave it is, a stable code, a sentence, the
//! place in a file that it stands for, other places that explain it, and one hint. [`render`] makes text, JSON or SARIF
//! of them; exit codes are in [`exit`]. Nothing here reads a file or prints.

#![forbid(unsafe_code)]

pub mod exit;
pub mod finding;
pub mod render;

pub use finding::{Finding, Place, Severity};
