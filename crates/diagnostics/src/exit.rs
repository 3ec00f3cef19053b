//! Exit codes of the three programs, in one place.

/// All went well.
pub const OK: u8 = 0;
/// The program did what it could, and there was an error (`redconf`, `redwrap-dnf`).
pub const ERROR: u8 = 1;
/// The command line was not understood (`redconf`, `redwrap-dnf`).
pub const USAGE: u8 = 2;
/// `redwrap-dnf check-upgrade`: upgrades are available, as dnf has it.
pub const UPGRADES_AVAILABLE: u8 = 100;
/// `redwrap`: redpak itself failed; the command did not start.
pub const SANDBOX: u8 = 125;
/// `redwrap`: the command was found and could not be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// `redwrap`: the command was not found.
pub const NOT_FOUND: u8 = 127;
/// Added to the number of the signal that ended the command.
pub const SIGNAL_BASE: u8 = 128;
