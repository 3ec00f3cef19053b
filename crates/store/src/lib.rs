//! Generations: stage, commit, recover, collect. Knows nothing of rpm.

#![forbid(unsafe_code)]
