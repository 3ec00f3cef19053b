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
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{paint}{}[{}]{reset}{bold}: {}{reset}",
        finding.severity,
        finding.code,
        printable(&finding.message)
    );
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
    let pad: String = place
        .source
        .chars()
        .take(place.column.saturating_sub(1) as usize)
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    let _ = writeln!(out, "{:width$} |", "");
    let _ = writeln!(out, "{:>width$} | {source}", place.line);
    let _ = writeln!(out, "{:width$} | {pad}{}", "", "^".repeat(place.length.clamp(1, 120) as usize));
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
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\tc"), "a\\u{1b}[2Jb\tc");
    }
}
