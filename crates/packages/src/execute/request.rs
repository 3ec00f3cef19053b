//! What the execution of a transaction is given, what it tells meanwhile, and what it gives back.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use redpak_plan::LaunchPlan;
use redpak_store::{ExclusiveLock, Stage};

use crate::transaction::Transaction;

/// The time that one step (a package's files, a scriptlet) may take without a sign of progress.
pub const STEP_LIMIT: Duration = Duration::from_secs(600);

/// A transaction and all that its execution needs. Ancestors and descendants are locked by the caller meanwhile, as far
/// as the solving looked at them.
pub struct ExecuteRequest<'a> {
    /// What is done. Its base is the stage's.
    pub transaction: &'a Transaction,
    /// The sandbox: `redpak_plan::transaction_plan` for this stage.
    pub plan: LaunchPlan,
    /// The node's lock. The sandbox holds it too: if this process is killed, the lock stays until all is gone.
    pub lock: &'a ExclusiveLock,
    /// Where the next generation is made; the package files are where [`crate::transaction::PackageSource::path`]
    /// says.
    pub stage: Stage,
    /// The content of each key URL that the packages' repositories name.
    pub keys: &'a HashMap<String, Vec<u8>>,
    /// The command line, for the manifest.
    pub command: &'a str,
    /// Choices.
    pub options: ExecuteOptions,
    /// Told what happens.
    pub progress: &'a mut dyn FnMut(&Event),
}

/// Choices of whoever asked.
#[derive(Clone, Debug)]
pub struct ExecuteOptions {
    /// Scriptlets whose failure is only a warning. librpm does not install a package whose `%pre` or `%pretrans`
    /// failed, whatever stands here.
    pub ignore_scriptlets: BTreeSet<Scriptlet>,
    /// Files of other packages of the node may be replaced.
    pub replace_files: bool,
    /// Documentation is left out.
    pub no_docs: bool,
    /// [`STEP_LIMIT`].
    pub step_limit: Duration,
    /// The program that calls [`super::worker_main`] first in its `main`.
    pub program: PathBuf,
}

impl Default for ExecuteOptions {
    fn default() -> Self {
        Self {
            ignore_scriptlets: BTreeSet::new(),
            replace_files: false,
            no_docs: false,
            step_limit: STEP_LIMIT,
            // This very program, whatever has its path by now.
            program: "/proc/self/exe".into(),
        }
    }
}

/// Kinds of scriptlets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scriptlet {
    /// `%pretrans`
    Pretrans,
    /// `%pre`
    Pre,
    /// `%post`
    Post,
    /// `%preun`
    Preun,
    /// `%postun`
    Postun,
    /// `%posttrans`
    Posttrans,
    /// `%preuntrans`
    Preuntrans,
    /// `%postuntrans`
    Postuntrans,
    /// Any kind of trigger.
    Trigger,
}

impl Scriptlet {
    const NAMES: [(Self, &'static str); 9] = [
        (Self::Pretrans, "pretrans"),
        (Self::Pre, "pre"),
        (Self::Post, "post"),
        (Self::Preun, "preun"),
        (Self::Postun, "postun"),
        (Self::Posttrans, "posttrans"),
        (Self::Preuntrans, "preuntrans"),
        (Self::Postuntrans, "postuntrans"),
        (Self::Trigger, "trigger"),
    ];

    /// From librpm's tag of the scriptlet (rpmtag.h).
    pub(crate) fn from_tag(tag: u64) -> Self {
        match tag {
            1023 => Self::Pre,
            1024 => Self::Post,
            1025 => Self::Preun,
            1026 => Self::Postun,
            1151 => Self::Pretrans,
            1152 => Self::Posttrans,
            5104 => Self::Preuntrans,
            5105 => Self::Postuntrans,
            _ => Self::Trigger,
        }
    }
}

impl fmt::Display for Scriptlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(kind, _)| kind == self).map_or("", |(_, name)| name);
        write!(f, "%{name}")
    }
}

/// `post` and `%post` are the same.
impl FromStr for Scriptlet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix('%').unwrap_or(text);
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind).ok_or_else(|| {
            format!("`{text}` is no scriptlet; there are {}", Self::NAMES.map(|(_, name)| name).join(", "))
        })
    }
}

/// What happens, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A package file was checked; so many of so many.
    Verified {
        /// The package.
        nevra: String,
        /// Checked so far.
        done: usize,
        /// To check.
        total: usize,
    },
    /// librpm begins; each element is an installation or a removal.
    Begin {
        /// How many.
        elements: usize,
    },
    /// A package's files are being installed.
    Install {
        /// The package.
        nevra: String,
    },
    /// A package's files are being removed.
    Erase {
        /// The package.
        nevra: String,
    },
    /// How far the current package is.
    Progress {
        /// Bytes done.
        amount: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A scriptlet begins.
    Script {
        /// The package.
        nevra: String,
        /// Which.
        kind: Scriptlet,
    },
    /// The loader's cache is made.
    LdConfig,
    /// A line that librpm or a scriptlet wrote. Foreign text: not for a terminal as it is.
    Output(String),
    /// The result is being checked, merged and synced.
    Commit,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecuteReport {
    /// The new generation.
    pub generation: u64,
    /// The one before.
    pub parent: u64,
    /// Worth knowing: ignored failures of scriptlets, librpm's warnings, owners that could not be given.
    pub messages: Vec<String>,
    /// Files that no package of the node owns, relative to the generation.
    pub unowned: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scriptlets_have_names() {
        assert_eq!("post".parse(), Ok(Scriptlet::Post));
        assert_eq!("%preun".parse(), Ok(Scriptlet::Preun));
        assert!("postinst".parse::<Scriptlet>().unwrap_err().contains("posttrans"));
        assert_eq!(Scriptlet::from_tag(1024).to_string(), "%post");
        assert_eq!(Scriptlet::from_tag(4711), Scriptlet::Trigger);
    }
}
