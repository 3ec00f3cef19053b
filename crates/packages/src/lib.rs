//! Packages of a node: repositories, solving to a [`Transaction`](transaction::Transaction), executing it.

#![forbid(unsafe_code)]

pub mod cache;
pub mod descendants;
pub mod download;
pub mod error;
pub mod execute;
pub mod family;
pub mod fetch;
pub mod files;
pub mod host;
pub mod installed;
pub mod metadata;
pub mod options;
pub mod queries;
pub mod repos;
pub mod solve;
pub mod spec;
pub mod transaction;
pub mod universe;

pub use error::{Kind, PackagesError, Result};
