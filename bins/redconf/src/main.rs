//! redconf

#![forbid(unsafe_code)]

fn main() {}
