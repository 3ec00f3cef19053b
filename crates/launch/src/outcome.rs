//! How a launch ended, and the exit code that stands for it.

use redpak_diagnostics::exit;

/// How the command ended, or why it could not be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It exited with this code.
    Exited(u8),
    /// This signal ended it.
    Signaled(i32),
    /// There is no such command inside.
    NotFound {
        /// The command as asked for.
        program: String,
    },
    /// It was found and could not be executed.
    NotExecutable {
        /// The file that was found.
        program: String,
        /// Why, in words.
        why: String,
    },
}

impl Outcome {
    /// The exit code of `redwrap`: the command's, 128 and the signal's number, 127 or 126.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Exited(code) => *code,
            Self::Signaled(signal) => exit::SIGNAL_BASE.wrapping_add((*signal & 0x7f) as u8),
            Self::NotFound { .. } => exit::NOT_FOUND,
            Self::NotExecutable { .. } => exit::NOT_EXECUTABLE,
        }
    }

    /// What to tell the user, when the command did not run: its own failures are its own to tell.
    pub fn message(&self) -> Option<String> {
        match self {
            Self::Exited(_) | Self::Signaled(_) => None,
            Self::NotFound { program } => Some(format!("{program}: command not found inside")),
            Self::NotExecutable { program, why } => Some(format!("{program}: cannot be executed: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_shells() {
        let program = String::from("x");
        let why = String::from("no");
        for (outcome, code) in [
            (Outcome::Exited(7), 7),
            (Outcome::Signaled(9), 137),
            (Outcome::Signaled(64), 192),
            (Outcome::NotFound { program: program.clone() }, 127),
            (Outcome::NotExecutable { program, why }, 126),
        ] {
            assert_eq!(outcome.exit_code(), code, "{outcome:?}");
        }
    }
}
