//! Refusing to run with rights that the caller does not have.

use crate::error::{Explain, LaunchError, Stage, refuse};

/// Refuses when the program was started setuid, setgid or with file capabilities (`AT_SECURE`, getauxval(3)): redpak
/// reads files and runs commands for its caller, with nothing but the caller's rights.
///
/// # Errors
/// A refusal, with what to do.
pub fn refuse_privileged_binary() -> Result<(), LaunchError> {
    if !redpak_sys::process::started_privileged() {
        return Ok(());
    }
    refuse("the program is setuid, setgid or has file capabilities").stage(Stage::Prepare).map_err(|error| {
        LaunchError { hint: Some("remove them: chmod ug-s PROGRAM; setcap -r PROGRAM".to_owned()), ..error }
    })
}
