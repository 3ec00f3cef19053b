//! Lines of YAML with comments that stand in one column, and texts as YAML scalars.

use std::fmt::Write;

use redpak_diagnostics::render::printable;
use redpak_model::status::quoted;

/// Comments are not pushed further to the right than this by one long line.
const COLUMN: usize = 80;

/// A text in the language of the files.
#[derive(Debug, Default)]
pub struct Sheet {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    text: String,
    comment: String,
    /// Stays where comments are left out: without it, something would be missing.
    must: bool,
}

impl Sheet {
    /// A line, and what is said behind it.
    pub fn line(&mut self, text: impl Into<String>, comment: impl Into<String>) {
        self.lines.push(Line { text: text.into(), comment: comment.into(), must: false });
    }

    /// A line that is a comment, this far to the right.
    pub fn note(&mut self, indent: usize, comment: &str) {
        self.lines.push(Line { text: " ".repeat(indent), comment: comment.to_owned(), must: false });
    }

    /// As [`Sheet::note`], of what cannot be said otherwise: it is printed in any case.
    pub fn must_note(&mut self, indent: usize, comment: &str) {
        self.lines.push(Line { text: " ".repeat(indent), comment: comment.to_owned(), must: true });
    }

    /// The text. Comments behind the lines of a section, which begins at the left edge, stand in one column.
    pub fn render(&self, comments: bool) -> String {
        let starts = |line: &Line| !line.text.is_empty() && !line.text.starts_with(' ');
        self.lines.chunk_by(|_, next| !starts(next)).map(|section| render(section, comments)).collect()
    }
}

fn render(section: &[Line], comments: bool) -> String {
    let width = |line: &Line| printable(&line.text).chars().count();
    let column = section
        .iter()
        .filter(|line| !line.comment.is_empty() && !line.text.trim().is_empty())
        .map(width)
        .filter(|width| *width <= COLUMN)
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for line in section {
        let (text, comment) = (printable(&line.text), printable(&line.comment));
        let shown = (comments || line.must) && !comment.is_empty();
        // Writing to a String cannot fail.
        let _ = match (shown, text.trim().is_empty()) {
            (true, true) => writeln!(out, "{text}# {comment}"),
            (true, false) => writeln!(out, "{text:column$}  # {comment}"),
            (false, true) if !line.comment.is_empty() => Ok(()),
            (false, _) => writeln!(out, "{text}"),
        };
    }
    out
}

/// A text as a YAML scalar, quoted where it could be taken for something else.
pub fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_.-+@".contains(c);
    if text.starts_with('/') && text.split(':').all(|item| !item.is_empty() && item.chars().all(plain)) {
        return text.to_owned();
    }
    let word = !["true", "false", "null", "yes", "no", "on", "off", "y", "n", "."]
        .contains(&text.to_ascii_lowercase().as_str());
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_');
    if first && word && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// A text in which names were replaced, as a scalar in which they would be: a dollar is a dollar.
pub fn literal(text: &str) -> String {
    scalar(&text.replace('$', "\\$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_quoted_where_they_must_be() {
        for (text, written) in [
            ("/usr/bin", "/usr/bin"),
            ("/usr/bin:/bin", "/usr/bin:/bin"),
            ("/usr/bin:", "\"/usr/bin:\""),
            ("disabled", "disabled"),
            ("027", "\"027\""),
            ("No", "\"No\""),
            ("", "\"\""),
            ("a: b # c", "\"a: b # c\""),
            ("a,b", "\"a,b\""),
            ("1e3", "\"1e3\""),
            ("-x", "\"-x\""),
            ("a\"\\\n", "\"a\\\"\\\\\\n\""),
        ] {
            assert_eq!(scalar(text), written);
        }
        assert_eq!(literal("a$b"), "\"a\\\\$b\"");
    }

    #[test]
    fn comments_stand_in_one_column_and_can_be_left_out() {
        let mut sheet = Sheet::default();
        sheet.line("a:", "");
        sheet.line("  b: 1", "x");
        sheet.line("  long: 12", "y");
        sheet.note(2, "alone");
        sheet.must_note(2, "kept");
        sheet.line("c: 1", "z");
        let text = "a:\n  b: 1      # x\n  long: 12  # y\n  # alone\n  # kept\nc: 1  # z\n";
        assert_eq!(sheet.render(true), text);
        assert_eq!(sheet.render(false), "a:\n  b: 1\n  long: 12\n  # kept\nc: 1\n");
    }
}
