//! Nodes on disk: families read through descriptors with owners checked, facts for the planner, creation.
//!
//! A [`Family`] is what was opened and checked; its text goes to the model, its descriptors and identities to the
//! facts. Nothing is read twice by path.

#![forbid(unsafe_code)]

pub mod accounts;
pub mod checked;
pub mod codes;
pub mod create;
pub mod delete;
pub mod descend;
pub mod directories;
pub mod facts;
pub mod family;
mod leftovers;
pub mod names;
mod node;
mod placement;
pub mod status_file;
pub mod templates;
pub mod tree;
pub mod walk;

pub use create::{Creation, create};
pub use descend::{Descendant, descendants};
pub use facts::host_facts;
pub use family::{Family, LoadOptions, Node, Refused};
pub use tree::Tree;
