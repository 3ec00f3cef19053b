//! The codes of findings about nodes on disk.

/// A directory or file is owned by somebody who is not trusted.
pub const OWNER: &str = "RP0410";
/// A directory or file can be written by others.
pub const WRITABLE: &str = "RP0411";
/// A symbolic link where none may be.
pub const LINK: &str = "RP0412";
/// A path cannot be opened or read.
pub const UNREADABLE: &str = "RP0413";
/// The path is not a node.
pub const NOT_A_NODE: &str = "RP0414";
/// A file is not a regular file, or is too large.
pub const NOT_REGULAR: &str = "RP0415";
/// The node is disabled.
pub const DISABLED: &str = "RP0416";
/// The node is not where it was registered.
pub const MOVED: &str = "RP0417";
/// The node's recorded parent is not the one above it.
pub const WRONG_PARENT: &str = "RP0418";
/// The node has no record of its parent.
pub const NO_PARENT_RECORD: &str = "RP0419";
/// Too many levels.
pub const TOO_DEEP: &str = "RP0420";
/// The node exists already.
pub const EXISTS: &str = "RP0421";
/// The node could not be written.
pub const WRITE: &str = "RP0422";
/// No such template.
pub const TEMPLATE: &str = "RP0423";
/// The alias is not allowed.
pub const ALIAS: &str = "RP0424";
/// `current` does not lead to a generation.
pub const GENERATION: &str = "RP0425";
/// A place in a node's own directories, where no node can be.
pub const NOT_FOR_NODES: &str = "RP0426";
/// The node is in use.
pub const IN_USE: &str = "RP0427";
/// A node stands inside itself.
pub const INSIDE_ITSELF: &str = "RP0428";
/// A directory has a node's configuration and no status.
pub const LOST_STATUS: &str = "RP0429";
/// A configuration has the name that red-pak 2.5 wrote by mistake.
pub const LEGACY_NAME: &str = "RP0430";
