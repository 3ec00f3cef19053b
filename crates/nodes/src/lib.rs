//! Nodes on disk: families read through descriptors, owners checked; nodes created.

#![forbid(unsafe_code)]
