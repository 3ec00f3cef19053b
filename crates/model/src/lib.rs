//! The configuration of nodes: YAML text → layers → family → effective configuration, each value with its origin.
//!
//! Pure: no file system, no environment, no clock. A loader hands over text and names, gets values and
//! [`Finding`](redpak_diagnostics::Finding)s back. The stages, each with types of its own:
//!
//! 1. [`parse`]: one file to [`config::NodeConfig`], by the tables of [`schema`].
//! 2. expansion: names replaced, paths absolute and normalised.
//! 3. [`effective()`]: the family merged by the rules of strict inheritance (the russian doll) to
//!    [`effective::Effective`](crate::effective::Effective).
//!
//! [`status`] reads and writes `.rednode.yaml`. All codes of findings are in [`codes`].

#![forbid(unsafe_code)]

pub mod calls;
pub mod capability;
mod cgroup_text;
pub mod codes;
pub mod commands;
pub mod config;
pub mod describe;
pub mod effective;
pub mod error_numbers;
mod expand;
mod limits;
mod merge;
mod parse;
mod parsed;
mod paths;
mod pieces;
mod resolve;
mod scalar;
pub mod schema;
mod slips;
mod source;
pub mod status;
mod tree;
mod walk;

pub use effective::{Effective, Layer};
pub use expand::Names;
pub use merge::{NodeText, effective, effective_of, strictly};
pub use parse::parse;
pub use parsed::ParsedFiles;
pub use source::{MAX_BYTES, SourceText};
pub use tree::{MAX_ALIAS_NODES, MAX_DEPTH, MAX_NODES};
