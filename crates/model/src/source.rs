//! A text, its lines, and what is found in it. Places are made here; no file is read.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use redpak_diagnostics::{Finding, Place, Severity};

use crate::codes;

/// A file is at most this many bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Findings of one severity that are kept of one file; the rest is summed up in one note.
const MAX_FINDINGS: usize = 100;

/// Characters of a line that a place keeps; longer lines help nobody, and would be kept once for each finding.
const MAX_LINE: usize = 500;

/// The text of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// The file's path, to show.
    pub file: Arc<str>,
    /// Its text.
    pub text: String,
}

impl SourceText {
    /// Pairs a text with the file that it comes from.
    pub fn new(file: impl Into<Arc<str>>, text: impl Into<String>) -> Self {
        Self { file: file.into(), text: text.into() }
    }

    /// As [`SourceText::new`], from bytes.
    ///
    /// # Errors
    /// The bytes are more than [`MAX_BYTES`], or not UTF-8: the finding names the first bad byte's place.
    pub fn from_bytes(file: impl Into<Arc<str>>, bytes: Vec<u8>) -> Result<Self, Box<Finding>> {
        let file = file.into();
        if bytes.len() > MAX_BYTES {
            return Err(Box::new(too_large(file)));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { file, text }),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let bytes = error.as_bytes();
                let start = bytes[..at].iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
                let end = bytes[at..].iter().position(|&b| b == b'\n').map_or(bytes.len(), |i| at + i);
                let line = bytes[..start].iter().filter(|&&b| b == b'\n').count() + 1;
                let column = String::from_utf8_lossy(&bytes[start..at]).chars().count() + 1;
                let place = Place {
                    file,
                    line: number(line),
                    column: number(column),
                    length: 1,
                    source: clipped(&String::from_utf8_lossy(&bytes[start..end])),
                };
                Err(Box::new(
                    Finding::error(codes::NOT_UTF8, format!("byte 0x{:02x} is not UTF-8", bytes[at]))
                        .with_place(place)
                        .with_hint("write the file in UTF-8"),
                ))
            }
        }
    }
}

/// The finding for a text of more than [`MAX_BYTES`].
pub(crate) fn too_large(file: Arc<str>) -> Finding {
    Finding::error(codes::TOO_LARGE, "the file is larger than 1 MiB")
        .with_place(Place { file, line: 1, column: 1, length: 1, source: "".into() })
        .with_hint("a node's configuration is a few KiB: is this the right file?")
}

/// Where a YAML node stands: line from 1 and column in characters from 0 of its start and end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub start: Mark,
    pub end: Mark,
}

/// One end of a [`Span`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub line: usize,
    pub column: usize,
}

/// The lines of a text. A line's text is made once, however many places show it.
pub(crate) struct Lines<'a> {
    file: Arc<str>,
    text: &'a str,
    /// Where lines start; not looked for in a text that nothing is found in.
    starts: OnceCell<Vec<usize>>,
    shown: RefCell<BTreeMap<usize, Arc<str>>>,
}

impl<'a> Lines<'a> {
    pub fn new(source: &'a SourceText) -> Self {
        Self {
            file: Arc::clone(&source.file),
            text: &source.text,
            starts: OnceCell::new(),
            shown: RefCell::default(),
        }
    }

    /// The whole text.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Lines end as YAML has it: at `\n`, `\r\n` and a lone `\r`.
    fn starts(&self) -> &[usize] {
        self.starts.get_or_init(|| {
            let bytes = self.text.as_bytes();
            let mut starts = vec![0];
            for (i, byte) in bytes.iter().enumerate() {
                if *byte == b'\n' || (*byte == b'\r' && bytes.get(i + 1) != Some(&b'\n')) {
                    starts.push(i + 1);
                }
            }
            starts
        })
    }

    /// The mark of a byte offset.
    pub fn mark(&self, at: usize) -> Mark {
        let line = self.starts().partition_point(|&start| start <= at);
        let start = self.starts().get(line.saturating_sub(1)).copied().unwrap_or(0);
        Mark { line, column: self.text[start..at].chars().count() }
    }

    fn line(&self, line: usize) -> Arc<str> {
        let mut shown = self.shown.borrow_mut();
        Arc::clone(shown.entry(line).or_insert_with(|| {
            let index = line.saturating_sub(1);
            let start = self.starts().get(index).copied().unwrap_or(self.text.len());
            let end = self.starts().get(index + 1).copied().unwrap_or(self.text.len());
            clipped(self.text[start..end].trim_end_matches(['\r', '\n']))
        }))
    }

    /// The place of a span; the part on its first line.
    pub fn place(&self, span: Span) -> Place {
        let source = self.line(span.start.line);
        let length = if span.end.line == span.start.line {
            span.end.column.saturating_sub(span.start.column)
        } else {
            source.trim_end().chars().count().saturating_sub(span.start.column)
        };
        Place {
            file: Arc::clone(&self.file),
            line: number(span.start.line.max(1)),
            column: number(span.start.column + 1),
            length: number(length.max(1)),
            source,
        }
    }
}

fn clipped(line: &str) -> Arc<str> {
    match line.char_indices().nth(MAX_LINE) {
        Some((end, _)) => line[..end].into(),
        None => line.into(),
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The findings of one file: all of them, up to a bound that hostile input cannot pass.
#[derive(Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    errors: usize,
    others: usize,
}

impl Report {
    pub fn push(&mut self, finding: Finding) {
        let count = if finding.is_error() { &mut self.errors } else { &mut self.others };
        *count += 1;
        if *count <= MAX_FINDINGS {
            self.findings.push(finding);
        }
    }

    /// Takes an error, which is made only when it will be shown: hostile input has many.
    pub fn error(&mut self, make: impl FnOnce() -> Finding) {
        if self.errors < MAX_FINDINGS {
            self.push(make());
        } else {
            self.errors += 1;
        }
    }

    /// How many errors there are so far.
    pub fn errors(&self) -> usize {
        self.errors
    }

    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The findings, and a note on those that were left out.
    pub fn finish(mut self) -> Vec<Finding> {
        for (count, severity) in [(self.errors, Severity::Error), (self.others, Severity::Warning)] {
            if count > MAX_FINDINGS {
                let more = count - MAX_FINDINGS;
                self.findings.push(Finding::note(
                    codes::MORE,
                    format!("{more} more findings ({severity}) are not shown"),
                ));
            }
        }
        self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_utf8_is_found_with_its_place() {
        let finding = SourceText::from_bytes("f", b"ok\nab \xff x\n".to_vec()).unwrap_err();
        let place = finding.place.as_ref().unwrap();
        assert_eq!((finding.code, place.line, place.column), (codes::NOT_UTF8, 2, 4));
        assert_eq!(&*place.source, "ab \u{fffd} x");
        assert!(SourceText::from_bytes("f", "é".into()).is_ok());
    }

    #[test]
    fn too_large_is_refused_before_it_is_looked_at() {
        let finding = SourceText::from_bytes("f", vec![0xff; MAX_BYTES + 1]).unwrap_err();
        assert_eq!(finding.code, codes::TOO_LARGE);
    }

    #[test]
    fn lines_end_as_yaml_has_it() {
        let source = SourceText::new("f", "a\r\nb\rc\nd");
        let lines = Lines::new(&source);
        let shown: Vec<_> = (1..=5).map(|n| lines.line(n).to_string()).collect();
        assert_eq!(shown, ["a", "b", "c", "d", ""]);
    }

    #[test]
    fn findings_are_bounded_by_severity_and_no_error_is_lost_behind_warnings() {
        let mut report = Report::default();
        for _ in 0..150 {
            report.push(Finding::warning("RP0000", "w"));
        }
        report.push(Finding::error("RP0000", "e"));
        assert!(report.has_errors());
        let findings = report.finish();
        assert_eq!(findings.iter().filter(|f| f.is_error()).count(), 1);
        assert_eq!(findings.len(), 102);
        assert!(findings[101].message.starts_with("50 more"));
    }
}
