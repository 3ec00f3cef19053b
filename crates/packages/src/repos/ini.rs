//! The ini dialect of `.repo` files: sections, `key = value`, continuation lines that begin with a blank, comments
//! with `#` or `;`. Source: dnf.conf(5), and Python's configparser, which wrote the existing files.

use std::sync::Arc;

use redpak_diagnostics::{Finding, Place};

use super::codes;

/// `[id]` and what stands below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The text in brackets.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Its keys in order.
    pub entries: Vec<Entry>,
}

/// `key = value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key, as written.
    pub key: String,
    /// The value; continuation lines are joined with a line end.
    pub value: String,
    /// Where the key stands.
    pub place: Place,
}

/// Parses a text. What does not parse is an error among the findings; the rest is returned all the same.
pub fn parse(text: &str, file: &str) -> (Vec<Section>, Vec<Finding>) {
    let file: Arc<str> = file.into();
    let (mut sections, mut findings): (Vec<Section>, Vec<Finding>) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let place = |column: usize, length: usize| Place {
            file: file.clone(),
            line: u32::try_from(number + 1).unwrap_or(u32::MAX),
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
            length: u32::try_from(length.max(1)).unwrap_or(u32::MAX),
            source: line.into(),
        };
        let trimmed = line.trim();
        if trimmed.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            match sections.last_mut().and_then(|section| section.entries.last_mut()) {
                Some(entry) if !trimmed.starts_with(['#', ';']) => {
                    entry.value.push('\n');
                    entry.value.push_str(trimmed);
                }
                Some(_) => {}
                None => findings.push(
                    Finding::error(codes::SYNTAX, "a continuation line without a key above it")
                        .with_place(place(0, trimmed.chars().count())),
                ),
            }
            continue;
        }
        if let Some(rest) = trimmed.strip_prefix('[') {
            match rest.split_once(']') {
                Some((name, "")) if !name.trim().is_empty() => sections.push(Section {
                    name: name.trim().to_owned(),
                    place: place(0, trimmed.chars().count()),
                    entries: Vec::new(),
                }),
                _ => findings.push(
                    Finding::error(codes::SYNTAX, "a section does not read `[id]`")
                        .with_place(place(0, trimmed.chars().count())),
                ),
            }
            continue;
        }
        let Some((key, value)) = trimmed.split_once(['=', ':']) else {
            findings.push(
                Finding::error(codes::SYNTAX, "a line is no `key = value`")
                    .with_place(place(0, trimmed.chars().count()))
                    .with_hint("a comment begins with `#`, a section reads `[id]`"),
            );
            continue;
        };
        let (key, value) = (key.trim_end(), value.trim());
        let entry =
            Entry { key: key.to_owned(), value: value.to_owned(), place: place(0, key.chars().count()) };
        match sections.last_mut() {
            Some(section) => section.entries.push(entry),
            None => findings.push(
                Finding::error(codes::SYNTAX, format!("the key `{key}` stands above the first section"))
                    .with_place(entry.place)
                    .with_hint("the first line of a repository reads `[id]`"),
            ),
        }
    }
    (sections, findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(text: &str) -> (Vec<(String, String, String)>, usize) {
        let (sections, findings) = parse(text, "x.repo");
        let entries = sections
            .iter()
            .flat_map(|s| s.entries.iter().map(|e| (s.name.clone(), e.key.clone(), e.value.clone())))
            .collect();
        (entries, findings.len())
    }

    #[test]
    fn sections_keys_and_continuations() {
        let (entries, bad) =
            flat("# c\n[a]\nname=A B\nbaseurl = http://x/\n  http://y/\n; c\n\n[b]\nenabled: 0\n");
        assert_eq!(bad, 0);
        let expected =
            [("a", "name", "A B"), ("a", "baseurl", "http://x/\nhttp://y/"), ("b", "enabled", "0")];
        assert_eq!(entries, expected.map(|(s, k, v)| (s.to_owned(), k.to_owned(), v.to_owned())));
    }

    #[test]
    fn what_does_not_parse_has_a_place() {
        for (text, line) in [
            ("key = 1\n", 1),
            ("[a]\nnonsense\n", 2),
            ("[a\n", 1),
            ("[]\n", 1),
            ("[a] x\n", 1),
            ("[a]\n  more\n", 2),
        ] {
            let (_, findings) = parse(text, "x.repo");
            assert_eq!(findings.len(), 1, "{text:?}");
            assert_eq!(findings[0].place.as_ref().map(|p| p.line), Some(line), "{text:?}");
            assert!(findings[0].is_error());
        }
    }
}
