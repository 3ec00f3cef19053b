//! Whether findings are coloured: on a terminal, unless the caller says NO_COLOR.

use std::io::IsTerminal;

/// Whether escape sequences for colour are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Never,
    /// ANSI SGR sequences.
    Always,
}

impl Color {
    /// What suits a stream of this process: colour on a terminal, unless `NO_COLOR` is set to anything but the empty
    /// text (no-color.org) or the terminal is `dumb`.
    pub fn of(stream: &impl IsTerminal) -> Self {
        let set = |key: &str| std::env::var_os(key).filter(|value| !value.is_empty());
        Self::choose(
            stream.is_terminal(),
            set("NO_COLOR").is_some(),
            set("TERM").is_some_and(|t| t == "dumb"),
        )
    }

    fn choose(terminal: bool, refused: bool, dumb: bool) -> Self {
        if terminal && !refused && !dumb { Self::Always } else { Self::Never }
    }
}

#[cfg(test)]
mod tests {
    use super::Color;

    #[test]
    fn colour_is_for_terminals_whose_user_wants_it() {
        assert_eq!(Color::choose(true, false, false), Color::Always);
        for (terminal, refused, dumb) in [(false, false, false), (true, true, false), (true, false, true)] {
            assert_eq!(Color::choose(terminal, refused, dumb), Color::Never);
        }
    }
}
