//! The codes of the planner's findings.

/// A source does not exist.
pub const MISSING_SOURCE: &str = "RP0501";
/// A source is a directory where a file is wanted.
pub const NOT_A_FILE: &str = "RP0502";
/// A writable export of what packages own, or of a node's configuration: mounted read-only.
pub const SNIPPET_READ_ONLY: &str = "RP0503";
/// The caller cannot have what the configuration asks for.
pub const NEEDS_ROOT: &str = "RP0504";
/// A mount that cannot be made where it is asked for.
pub const CANNOT_PLACE: &str = "RP0505";
/// An overlay's layer is not a directory.
pub const NOT_A_DIRECTORY: &str = "RP0506";
/// The source of a `Device` is no device node.
pub const NOT_A_DEVICE: &str = "RP0507";
/// A lock is held on a file that nobody else sees.
pub const LOCK_UNSEEN: &str = "RP0508";
