//! Packages of a node: repositories, solving to a [`Transaction`](transaction::Transaction), executing it.

#![forbid(unsafe_code)]

pub mod transaction;
