//! What can go wrong, with a kind for programs and a text and a hint for people.

use std::fmt;
use std::path::Path;

use redpak_diagnostics::Finding;
use rustix::io::Errno;

/// What a caller may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A system call failed.
    System,
    /// No space, no inodes or no quota left; the old state stands.
    NoSpace,
    /// Somebody else holds the lock.
    Locked,
    /// There is no such node or generation.
    Missing,
    /// What is on disk is not what redpak writes.
    Damaged,
    /// Written by a newer redpak.
    Newer,
    /// What was staged may not become part of a node.
    Refused,
    /// The new state was written, and the kernel could not say that it will survive a power cut.
    Unsynced,
}

/// An error of the store. Its text does not hold the text of its source.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Errno>,
}

/// Results of the store.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// A failed system call, with its arguments as the text.
    pub(crate) fn call(call: impl Into<String>, errno: Errno) -> Self {
        let full = matches!(errno, Errno::NOSPC | Errno::DQUOT);
        Self {
            kind: if full { ErrorKind::NoSpace } else { ErrorKind::System },
            message: call.into(),
            hint: full.then(|| "free some space, or lower `--keep`; nothing was changed".to_owned()),
            source: Some(errno),
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Damaged, format!("{}: {what}", path.display()))
    }

    pub(crate) fn refused(path: &Path, what: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Refused, format!("/{}: {what}", path.display()))
    }

    /// What may be told apart.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The kernel's error, when a system call failed.
    pub fn errno(&self) -> Option<Errno> {
        self.source
    }

    /// As a finding for people, the system's words included.
    pub fn finding(&self) -> Finding {
        let code = match self.kind {
            ErrorKind::System => "RP0701",
            ErrorKind::NoSpace => "RP0702",
            ErrorKind::Locked => "RP0703",
            ErrorKind::Missing => "RP0704",
            ErrorKind::Damaged => "RP0705",
            ErrorKind::Newer => "RP0706",
            ErrorKind::Refused => "RP0707",
            ErrorKind::Unsynced => "RP0708",
        };
        let text = match self.source {
            Some(errno) => format!("{}: {errno}", self.message),
            None => self.message.clone(),
        };
        let finding = Finding::error(code, text);
        match &self.hint {
            Some(hint) => finding.with_hint(hint.clone()),
            None => finding,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|errno| errno as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_a_kind_and_a_hint_and_its_text_is_not_said_twice() {
        let error = Error::call("mkdirat(/n/.redpak, \"gen\")", Errno::NOSPC);
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        assert_eq!(error.to_string(), "mkdirat(/n/.redpak, \"gen\")");
        assert!(error.finding().message.contains("No space left"));
        assert!(error.hint().is_some());
    }
}
