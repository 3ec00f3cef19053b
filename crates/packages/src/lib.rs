//! Packages of a node: repositories, solving to a [`Transaction`](transaction::Transaction), executing it.

#![forbid(unsafe_code)]

pub mod error;
pub mod execute;
pub mod family;
pub mod fetch;
pub mod repos;
pub mod transaction;

pub use error::{Kind, PackagesError, Result};
