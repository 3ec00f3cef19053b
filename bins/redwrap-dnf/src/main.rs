//! redwrap-dnf

#![forbid(unsafe_code)]

fn main() {}
