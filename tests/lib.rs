//! End-to-end tests: the ground that they stand on.

#![forbid(unsafe_code)]
