//! Executes a launch plan: namespaces, mounts, rights, init, supervisor.

#![forbid(unsafe_code)]
