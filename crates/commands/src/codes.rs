//! The codes of findings about commands.

/// A command ended with an error.
pub const COMMAND_FAILED: &str = "RP0901";
/// The commands of a file took too long.
pub const COMMAND_TIMEOUT: &str = "RP0902";
/// A command writes too much.
pub const COMMAND_OUTPUT: &str = "RP0903";
/// There is no shell where a command is to run.
pub const NO_SHELL: &str = "RP0904";
/// The parent, in which a command is to run, cannot be launched.
pub const PARENT_CANNOT_LAUNCH: &str = "RP0905";
