//! A text taken apart: literals, names (`$NAME`, `${NAME}`) and commands (`$(…)`), as the files' language has them.

use crate::codes;

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Literal(&'a str),
    Name(&'a str),
    /// What stands between `$(` and its `)`.
    Command(&'a str),
    /// `$(` that no `)` closes.
    Open,
    /// `${` that no name and `}` follow.
    Bad,
}

/// Code, message (behind the key's name) and hint when `${` or `$(` is not written as it must be.
pub(crate) fn wrong(text: &str) -> Option<(&'static str, &'static str, &'static str)> {
    Pieces(text).find_map(|piece| match piece {
        Piece::Bad => Some((
            codes::BAD_REFERENCE,
            "holds `${`, which no name and `}` follow",
            "write `${NAME}`, or `\\$` for a dollar",
        )),
        Piece::Open => Some((
            codes::BAD_COMMAND,
            "holds `$(`, which no `)` closes",
            "close the command with `)`, or write `\\$(` for the characters themselves",
        )),
        Piece::Command(command) if command.trim().is_empty() => Some((
            codes::BAD_COMMAND,
            "holds `$()`: a command without words",
            "write a command, or `\\$(` for the characters themselves",
        )),
        _ => None,
    })
}

/// The commands of a text, in order.
pub(crate) fn commands(text: &str) -> impl Iterator<Item = &str> {
    Pieces(text).filter_map(|piece| if let Piece::Command(command) = piece { Some(command) } else { None })
}

/// Length of the command that `text` starts with, without the `)` that closes it, as a shell reads it: quotes and
/// nested parentheses count.
fn command_length(text: &str) -> Option<usize> {
    let mut open = vec![b'('];
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        let quoted = open.last() == Some(&b'"');
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' if quoted => {
                open.pop();
            }
            b'"' => open.push(b'"'),
            b'\'' if !quoted => {
                bytes.find(|(_, byte)| *byte == b'\'')?;
            }
            b'(' if !quoted || text.as_bytes()[..at].ends_with(b"$") => open.push(b'('),
            b')' if !quoted => {
                open.pop();
                if open.is_empty() {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The pieces of a text, in order.
pub(crate) struct Pieces<'a>(pub &'a str);

impl<'a> Pieces<'a> {
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.0.is_empty() {
            return None;
        }
        if self.0.starts_with("\\$") {
            self.take(1);
            return Some(Piece::Literal(self.take(1)));
        }
        if let Some(rest) = self.0.strip_prefix("$(") {
            let length = command_length(rest);
            self.take(2);
            let Some(length) = length else { return Some(Piece::Open) };
            let command = self.take(length);
            self.take(1);
            return Some(Piece::Command(command));
        }
        if let Some(rest) = self.0.strip_prefix("${") {
            let length = name_length(rest);
            if length == 0 || !rest[length..].starts_with('}') {
                self.take(2);
                return Some(Piece::Bad);
            }
            self.take(2);
            let name = self.take(length);
            self.take(1);
            return Some(Piece::Name(name));
        }
        if let Some(rest) = self.0.strip_prefix('$') {
            let length = name_length(rest);
            self.take(1);
            // A dollar that no name follows is a dollar: prompts end with one.
            return Some(if length == 0 { Piece::Literal("$") } else { Piece::Name(self.take(length)) });
        }
        if self.0.starts_with('\\') {
            return Some(Piece::Literal(self.take(1)));
        }
        let length = self.0.find(['$', '\\']).unwrap_or(self.0.len());
        Some(Piece::Literal(self.take(length)))
    }
}

fn name_length(text: &str) -> usize {
    match text.bytes().next() {
        Some(first) if first.is_ascii_alphabetic() || first == b'_' => {
            text.bytes().position(|b| !b.is_ascii_alphanumeric() && b != b'_').unwrap_or(text.len())
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_seen_where_they_stand() {
        for (text, seen) in [
            ("$(x)", &["x"][..]),
            ("a $(x y)b$(z)", &["x y", "z"]),
            ("\\$(x)", &[]),
            ("$x(", &[]),
            ("$$(x)", &["x"]),
            ("$(a $(b) c)", &["a $(b) c"]),
            ("$(a ')' b)", &["a ')' b"]),
            (r#"$(a ")" b)"#, &[r#"a ")" b"#]),
            (r#"$(a "$(b ")")" c)"#, &[r#"a "$(b ")")" c"#]),
            (r"$(a \) b)", &[r"a \) b"]),
            ("$((1+2))", &["(1+2)"]),
            ("$(é)", &["é"]),
        ] {
            assert_eq!(commands(text).collect::<Vec<_>>(), seen, "{text}");
            assert_eq!(wrong(text), None, "{text}");
        }
        for (text, code) in [
            ("$(", codes::BAD_COMMAND),
            ("$(a", codes::BAD_COMMAND),
            ("$(a ' )", codes::BAD_COMMAND),
            ("$(a \" )", codes::BAD_COMMAND),
            ("$(a \\)", codes::BAD_COMMAND),
            ("$()", codes::BAD_COMMAND),
            ("${", codes::BAD_REFERENCE),
        ] {
            assert_eq!(wrong(text).map(|(code, ..)| code), Some(code), "{text}");
        }
    }
}
