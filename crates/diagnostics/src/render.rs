//! Findings as text: `error[RP0101]: …`, the place with a caret, related places, one hint.

use std::fmt::Write;

use crate::finding::{Finding, Place, Severity};

/// Whether escape sequences for colour are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Never,
    /// ANSI SGR sequences.
    Always,
}

/// Renders findings one after another, each ended by a line end.
pub fn text(findings: &[Finding], color: Color) -> String {
    let mut out = String::new();
    for finding in findings {
        one(&mut out, finding, color);
    }
    out
}

fn one(out: &mut String, finding: &Finding, color: Color) {
    let (paint, bold, reset) = match color {
        Color::Never => ("", "", ""),
        Color::Always => (
            match finding.severity {
                Severity::Error => "\x1b[1;31m",
                Severity::Warning => "\x1b[1;33m",
                Severity::Note => "\x1b[1;36m",
            },
            "\x1b[1m",
            "\x1b[0m",
        ),
    };
    let mut lines = finding.message.lines().map(printable);
    let first = lines.next().unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{paint}{}[{}]{reset}{bold}: {first}{reset}", finding.severity, finding.code);
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
    let width = finding
        .place
        .iter()
        .chain(finding.related.iter().map(|(_, place)| place))
        .map(|place| place.line.to_string().len())
        .max()
        .unwrap_or(0);
    if let Some(place) = &finding.place {
        snippet(out, place, "", width);
    }
    for (label, place) in &finding.related {
        snippet(out, place, label, width);
    }
    if let Some(hint) = &finding.hint {
        let _ = writeln!(out, "{:width$} = help: {}", "", printable(hint));
    }
}

fn snippet(out: &mut String, place: &Place, label: &str, width: usize) {
    let _ = writeln!(
        out,
        "{:width$}--> {}{}{}",
        "",
        printable(&place.to_string()),
        if label.is_empty() { "" } else { ": " },
        printable(label)
    );
    let source = printable(&place.source);
    let _ = writeln!(out, "{:width$} |", "");
    let _ = writeln!(out, "{:>width$} | {source}", place.line);
    if let Some((pad, carets)) = caret(place) {
        let _ = writeln!(out, "{:width$} | {pad}{carets}", "");
    }
}

/// What stands below a line to point at a place: blanks as wide as what is shown before it, and carets. `None` when
/// the place lies behind what was kept of the line.
fn caret(place: &Place) -> Option<(String, String)> {
    const LONGEST: usize = 120;
    let before = place.column.saturating_sub(1) as usize;
    if before > place.source.chars().count() {
        return None;
    }
    let shown = |from: usize, count: usize| {
        printable(&place.source.chars().skip(from).take(count).collect::<String>())
    };
    let pad = shown(0, before).chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let length = (place.length as usize).clamp(1, LONGEST);
    Some((pad, "^".repeat(shown(before, length).chars().count().clamp(1, LONGEST))))
}

/// Hostile text cannot drive the terminal: control characters other than a tab are shown as `\u{..}`.
pub fn printable(text: &str) -> String {
    if !text.chars().any(|c| c.is_control() && c != '\t') {
        return text.to_owned();
    }
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_control() && c != '\t' {
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_shows_place_caret_related_and_hint() {
        let place = |line: u32, column: u32, length: u32, source: &str| Place {
            file: "/n/etc/redpak.yaml".into(),
            line,
            column,
            length,
            source: source.into(),
        };
        let finding = Finding::error("RP0104", "unknown key `umsk`")
            .with_place(place(12, 3, 4, "  umsk: 027"))
            .with_related("the section", place(3, 1, 6, "config:"))
            .with_hint("did you mean `umask`?");
        assert_eq!(
            text(&[finding], Color::Never),
            "error[RP0104]: unknown key `umsk`\n  --> /n/etc/redpak.yaml:12:3\n   |\n12 |   umsk: 027\n   |   ^^^^\n  \
             --> /n/etc/redpak.yaml:3:1: the section\n   |\n 3 | config:\n   | ^^^^^^\n   = help: did you mean `umask`?\n"
        );
    }

    #[test]
    fn the_caret_stands_below_what_is_shown() {
        let below = |column, length, source: &str| {
            let place = Place { file: "f".into(), line: 1, column, length, source: source.into() };
            caret(&place).map(|(pad, carets)| pad + &carets)
        };
        assert_eq!(below(1, 3, "abc").as_deref(), Some("^^^"));
        assert_eq!(below(3, 1, "\tbc").as_deref(), Some("\t ^"));
        assert_eq!(below(2, 1, "\u{1b}x").as_deref(), Some("      ^"));
        assert_eq!(below(1, 1, "\0").as_deref(), Some("^^^^^"));
        assert_eq!(below(4, 1, "abc").as_deref(), Some("   ^"), "behind the end of the line");
        assert_eq!(below(900, 1, "abc"), None, "behind what was kept of it");
    }

    #[test]
    fn a_message_of_several_lines_keeps_them() {
        let finding = Finding::error("RP0600", "two things:\n one\n t\x1bwo");
        assert_eq!(text(&[finding], Color::Never), "error[RP0600]: two things:\n   one\n   t\\u{1b}wo\n");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\tc"), "a\\u{1b}[2Jb\tc");
    }
}
