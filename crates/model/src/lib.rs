//! The configuration of nodes: YAML text → layers → family → effective configuration, each value with its origin.
//!
//! Pure: no file system, no environment, no clock. A loader hands over text and names, gets values and
//! [`Finding`](redpak_diagnostics::Finding)s back.

#![forbid(unsafe_code)]

pub mod effective;
