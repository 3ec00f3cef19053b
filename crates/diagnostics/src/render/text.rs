//! Findings as text: `error[RP0101]: …`, the place with a caret, related places, one hint.

use std::fmt::Write;

use crate::finding::{Finding, Place, Severity};
use crate::render::Color;

/// Renders findings one after another, each ended by a line end.
pub fn text(findings: &[Finding], color: Color) -> String {
    let mut out = String::new();
    for finding in findings {
        one(&mut out, finding, color);
    }
    out
}

/// The sequences around what is painted; empty without colour.
struct Paint {
    severity: &'static str,
    bold: &'static str,
    frame: &'static str,
    reset: &'static str,
}

impl Paint {
    fn of(severity: Severity, color: Color) -> Self {
        if color == Color::Never {
            return Self { severity: "", bold: "", frame: "", reset: "" };
        }
        let severity = match severity {
            Severity::Error => "\x1b[1;31m",
            Severity::Warning => "\x1b[1;33m",
            Severity::Note => "\x1b[1;36m",
        };
        Self { severity, bold: "\x1b[1m", frame: "\x1b[34m", reset: "\x1b[0m" }
    }
}

fn one(out: &mut String, finding: &Finding, color: Color) {
    let Paint { severity, bold, frame, reset } = Paint::of(finding.severity, color);
    let mut lines = finding.message.lines().map(printable);
    let first = lines.next().unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{severity}{}[{}]{reset}{bold}: {first}{reset}", finding.severity, finding.code);
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
    let places = || finding.place.iter().chain(finding.related.iter().map(|(_, place)| place));
    let width = places().map(|place| place.line.to_string().len()).max().unwrap_or(0);
    if let Some(place) = &finding.place {
        snippet(out, place, "", width, &Paint::of(finding.severity, color));
    }
    for (label, place) in &finding.related {
        // What explains is not what is wrong.
        snippet(out, place, label, width, &Paint { severity: frame, ..Paint::of(finding.severity, color) });
    }
    if let Some(hint) = &finding.hint {
        let _ = writeln!(out, "{:width$} {frame}={reset} {bold}help{reset}: {}", "", printable(hint));
    }
}

/// The place, and below it the line with carets, where the file has a text to show.
fn snippet(out: &mut String, place: &Place, label: &str, width: usize, paint: &Paint) {
    let Paint { severity, frame, reset, .. } = paint;
    let _ = writeln!(
        out,
        "{:width$}{frame}-->{reset} {}{}{}",
        "",
        printable(&place.to_string()),
        if label.is_empty() { "" } else { ": " },
        printable(label)
    );
    if place.source.is_empty() {
        return;
    }
    let source = printable(&place.source);
    let _ = writeln!(out, "{:width$} {frame}|{reset}", "");
    let _ = writeln!(out, "{frame}{:>width$} |{reset} {source}", place.line);
    if let Some((pad, carets)) = caret(place) {
        let _ = writeln!(out, "{:width$} {frame}|{reset} {pad}{severity}{carets}{reset}", "");
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

/// Hostile text cannot drive the terminal: control characters other than a tab, and those that turn the direction of
/// writing (UAX #9), are shown as `\u{..}`.
pub fn printable(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control() && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.chars().any(hostile) {
        return text.to_owned();
    }
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if hostile(c) {
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
    fn a_place_without_text_is_said_without_a_caret() {
        let place = Place { file: "/n/x".into(), line: 1, column: 1, length: 1, source: "".into() };
        let finding = Finding::error("RP0102", "too large").with_place(place).with_hint("look");
        assert_eq!(
            text(&[finding], Color::Never),
            "error[RP0102]: too large\n --> /n/x:1:1\n  = help: look\n"
        );
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let place = Place { file: "/n/x".into(), line: 1, column: 2, length: 1, source: "a b".into() };
        let finding = Finding::error("RP0101", "wrong").with_place(place.clone()).with_related("here", place);
        let painted = text(std::slice::from_ref(&finding), Color::Always);
        let mut plain = String::new();
        let mut rest = painted.as_str();
        while let Some(start) = rest.find('\x1b') {
            plain.push_str(&rest[..start]);
            rest = &rest[start + rest[start..].find('m').expect("an SGR sequence") + 1..];
        }
        plain.push_str(rest);
        assert_ne!(painted, plain);
        assert_eq!(plain, text(&[finding], Color::Never));
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
        assert_eq!(printable("a\u{202e}b\nc"), "a\\u{202e}b\\nc");
    }
}
