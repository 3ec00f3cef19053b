//! What goes wrong between a `.repo` file and a transaction: a kind, a sentence, a hint.

use std::error::Error as StdError;
use std::fmt;

use redpak_diagnostics::Finding;

/// What sort of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, directory or descriptor could not be read or written.
    Io,
    /// A `.repo` file, a variable or an option is wrong.
    Config,
    /// A server does not answer, or not with what was asked for.
    Network,
    /// Content is not what its checksum, size or signature says.
    Integrity,
    /// Metadata does not parse, or does not belong together.
    Metadata,
    /// An RPM database cannot be read, or is not the one that was committed.
    Database,
    /// A request names nothing that exists.
    NotFound,
    /// The request cannot be solved.
    Unsolvable,
    /// The rules of the family refuse the request.
    Refused,
    /// A feature that this version does not have.
    NotSupported,
}

/// An error of this crate's repository and solving side.
#[derive(Debug)]
pub struct PackagesError {
    /// What sort of trouble.
    pub kind: Kind,
    /// What is wrong and where; several lines for a list of problems.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What lies below it.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
    /// What is wrong in files, each with its code and place: shown instead of the message.
    pub findings: Vec<Finding>,
}

impl PackagesError {
    /// An error of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None, findings: Vec::new() }
    }

    /// A failed call on a file: the call and its arguments, and what the system says.
    pub fn io(call: impl Into<String>, error: std::io::Error) -> Self {
        Self { source: Some(Box::new(error)), ..Self::new(Kind::Io, call) }
    }

    /// Adds a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// An error that findings in files amount to.
    pub fn of_findings(kind: Kind, findings: Vec<Finding>) -> Self {
        let message = findings.first().map(ToString::to_string).unwrap_or_default();
        let hint = findings.first().and_then(|finding| finding.hint.clone());
        Self { hint, findings, ..Self::new(kind, message) }
    }

    /// As findings for people: those in files, or the one of [`PackagesError::finding`].
    pub fn findings(&self) -> Vec<Finding> {
        if self.findings.is_empty() { vec![self.finding()] } else { self.findings.clone() }
    }

    /// As one finding for people: the chain of sources in the message.
    pub fn finding(&self) -> Finding {
        let code = match self.kind {
            Kind::Io => "RP0621",
            Kind::Config => "RP0622",
            Kind::Network => "RP0623",
            Kind::Integrity => "RP0624",
            Kind::Metadata => "RP0625",
            Kind::Database => "RP0626",
            Kind::NotFound => "RP0627",
            Kind::Unsolvable => "RP0628",
            Kind::Refused => "RP0629",
            Kind::NotSupported => "RP0630",
        };
        Finding::from_error(code, self, self.hint.as_deref())
    }

    /// Adds what lies below.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}

impl fmt::Display for PackagesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for PackagesError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// `Result` with this crate's error.
pub type Result<T> = std::result::Result<T, PackagesError>;
