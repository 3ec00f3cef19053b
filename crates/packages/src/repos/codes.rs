//! Codes of findings about repositories.

/// A line of a `.repo` file does not parse.
pub const SYNTAX: &str = "RP0601";
/// A key of a `.repo` file is not known.
pub const UNKNOWN_KEY: &str = "RP0602";
/// A value of a `.repo` file is outside of what its key takes.
pub const BAD_VALUE: &str = "RP0603";
/// A repository has no baseurl, mirrorlist or metalink.
pub const NO_SOURCE: &str = "RP0604";
/// A key of a `.repo` file that this version does not support.
pub const NOT_SUPPORTED: &str = "RP0605";
/// A child's `.repo` file takes back a signature check.
pub const CHECK_STAYS: &str = "RP0606";
/// A variable is not defined.
pub const UNDEFINED_VARIABLE: &str = "RP0607";
