//! What is found: severity, code, message, places, hint.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is refused.
    Note,
    /// Probably not what was meant; nothing is refused.
    Warning,
    /// Refused.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A place in a text: file, line and column from 1, and the line itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Place {
    /// The file, as a path to show.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Length in characters on that line, at least 1.
    pub length: u32,
    /// The text of the line, without its end.
    pub source: Arc<str>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One finding. Built with [`Finding::error`], [`Finding::warning`] or [`Finding::note`] and the `with_` methods.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Finding {
    /// How grave.
    pub severity: Severity,
    /// Stable code, `RP` and four digits.
    pub code: &'static str,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// Other places that explain it, each with a few words.
    pub related: Vec<(String, Place)>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self { severity, code, message: message.into(), place: None, related: Vec::new(), hint: None }
    }

    /// A finding that is refused.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// A finding that warns.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// A finding that informs.
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message)
    }

    /// An error of a library as a finding: its text and those of its sources, each said once, and a hint where there
    /// is one.
    pub fn from_error(code: &'static str, error: &dyn Error, hint: Option<&str>) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            message.push_str(": ");
            message.push_str(&error.to_string());
            source = error.source();
        }
        let finding = Self::error(code, message);
        match hint {
            Some(hint) => finding.with_hint(hint),
            None => finding,
        }
    }

    /// Sets the place.
    #[must_use]
    pub fn with_place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Adds a place that explains.
    #[must_use]
    pub fn with_related(mut self, label: impl Into<String>, place: Place) -> Self {
        self.related.push((label.into(), place));
        self
    }

    /// Sets the hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether this finding refuses.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The message alone, for a chain of errors; [`crate::render`] shows the rest.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}", self.message)
    }
}

impl std::error::Error for Finding {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Failed(&'static str, Option<Box<Failed>>);

    impl fmt::Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Failed {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    #[test]
    fn an_error_says_its_whole_chain_once() {
        let error = Failed(
            "no tree",
            Some(Box::new(Failed("mount(2) of `/x`", Some(Box::new(Failed("EPERM", None)))))),
        );
        let finding = Finding::from_error("RP0600", &error, Some("run as root"));
        assert_eq!(finding.message, "no tree: mount(2) of `/x`: EPERM");
        assert_eq!(finding.hint.as_deref(), Some("run as root"));
        assert_eq!(Finding::from_error("RP0600", &Failed("alone", None), None).hint, None);
    }
}
