//! How long commands may take, and how much they may write.

use std::time::Duration;

/// The limits of commands. What one writes as text or as a file's content has the limits of the model
/// ([`MAX_TEXT`](redpak_model::commands::MAX_TEXT), [`MAX_FILE`](redpak_model::commands::MAX_FILE)).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All commands of one file together.
    pub file: Duration,
    /// All commands of a family together.
    pub family: Duration,
    /// Bytes that all commands of one file together may write.
    pub output: usize,
    /// Bytes of a failed command's error output that are kept, from its end.
    pub errors: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file: Duration::from_secs(10),
            family: Duration::from_secs(60),
            output: 16 << 20,
            errors: 4 << 10,
        }
    }
}
