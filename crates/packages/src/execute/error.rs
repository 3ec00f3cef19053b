//! Why a transaction was not carried out. In each case the old generation stands.

use std::error::Error as StdError;
use std::fmt;

use redpak_diagnostics::Finding;

/// What sort of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecuteErrorKind {
    /// A system call failed, or a process could not be started.
    System,
    /// A package file is not what its checksum, digests or signature say.
    Integrity,
    /// A package is not signed by a key that its repository has.
    Signature,
    /// A package wants to install what a node may not have.
    Payload,
    /// There is not enough room.
    NoSpace,
    /// The sandbox could not be made.
    Sandbox,
    /// librpm refused, or failed.
    Rpm,
    /// A scriptlet failed, or took too long.
    Scriptlet,
    /// What was left behind cannot be a generation.
    Result,
    /// The store could not begin or commit.
    Store,
}

/// An error of the execution. Its text does not hold the text of its source.
#[derive(Debug)]
pub struct ExecuteError {
    /// What sort of trouble.
    pub kind: ExecuteErrorKind,
    /// What is wrong and where; several lines for a list.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The last lines that librpm and scriptlets wrote.
    pub output: Vec<String>,
    /// What lies below it.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Results of the execution.
pub type Result<T> = std::result::Result<T, ExecuteError>;

impl ExecuteError {
    pub(crate) fn new(kind: ExecuteErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, output: Vec::new(), source: None }
    }

    /// A failed call: its name and arguments, and what the system says.
    pub(crate) fn system(call: impl Into<String>, error: impl Into<std::io::Error>) -> Self {
        let error: std::io::Error = error.into();
        let full = error.kind() == std::io::ErrorKind::StorageFull;
        let kind = if full { ExecuteErrorKind::NoSpace } else { ExecuteErrorKind::System };
        Self { source: Some(Box::new(error)), ..Self::new(kind, call) }
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn with_output(mut self, output: Vec<String>) -> Self {
        self.output = output;
        self
    }

    #[must_use]
    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// As a finding for people: the chain of sources in the message, the last lines of output in the hint.
    pub fn finding(&self) -> Finding {
        let code = match self.kind {
            ExecuteErrorKind::System => "RP0801",
            ExecuteErrorKind::Integrity => "RP0802",
            ExecuteErrorKind::Signature => "RP0803",
            ExecuteErrorKind::Payload => "RP0804",
            ExecuteErrorKind::NoSpace => "RP0805",
            ExecuteErrorKind::Sandbox => "RP0806",
            ExecuteErrorKind::Rpm => "RP0807",
            ExecuteErrorKind::Scriptlet => "RP0808",
            ExecuteErrorKind::Result => "RP0809",
            ExecuteErrorKind::Store => "RP0810",
        };
        Finding::from_error(code, self, self.hint.as_deref())
    }
}

impl From<redpak_store::Error> for ExecuteError {
    fn from(error: redpak_store::Error) -> Self {
        let kind = match error.kind() {
            redpak_store::ErrorKind::NoSpace => ExecuteErrorKind::NoSpace,
            redpak_store::ErrorKind::Refused => ExecuteErrorKind::Result,
            _ => ExecuteErrorKind::Store,
        };
        let message = match kind {
            ExecuteErrorKind::NoSpace => "no room for the new generation",
            ExecuteErrorKind::Result => "the packages' result cannot become a generation",
            _ => "the new generation could not be made",
        };
        let hint = error.hint().map(str::to_owned);
        Self { hint, ..Self::new(kind, message).with_source(error) }
    }
}

impl fmt::Display for ExecuteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for ExecuteError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
