//! [`LaunchError`]: what failed, at which step, for which mount, and what to do about it.

use std::fmt;
use std::path::PathBuf;

use redpak_plan::launch_plan::{FileLock, Mount};
use redpak_sys::SysError;

/// The steps of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Looking at the plan and at what the caller handed over.
    Prepare,
    /// Making the namespaces.
    Namespaces,
    /// Writing the id maps.
    IdMaps,
    /// Opening the nodes' directories and making the root tmpfs.
    Root,
    /// Making the mounts.
    Mounts,
    /// Giving up the old root.
    OldRoot,
    /// Locking files inside.
    Locks,
    /// Bringing up the loopback interface.
    Network,
    /// Setting the host name.
    Hostname,
    /// Starting the command's process.
    Command,
    /// Process group, session and terminal.
    Terminal,
    /// Giving up rights.
    Rights,
    /// Entering the working directory.
    Directory,
    /// Sorting out the descriptors.
    Descriptors,
    /// Waiting for the command.
    Supervise,
}

impl Stage {
    pub(crate) const ALL: [Self; 15] = [
        Self::Prepare,
        Self::Namespaces,
        Self::IdMaps,
        Self::Root,
        Self::Mounts,
        Self::OldRoot,
        Self::Locks,
        Self::Network,
        Self::Hostname,
        Self::Command,
        Self::Terminal,
        Self::Rights,
        Self::Directory,
        Self::Descriptors,
        Self::Supervise,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Prepare => "the launch cannot be prepared",
            Self::Namespaces => "the namespaces cannot be made",
            Self::IdMaps => "the users and groups cannot be mapped",
            Self::Root => "the root directory cannot be made",
            Self::Mounts => "a mount cannot be made",
            Self::OldRoot => "the host's root cannot be given up",
            Self::Locks => "a file cannot be locked",
            Self::Network => "the loopback interface cannot be brought up",
            Self::Hostname => "the host name cannot be set",
            Self::Command => "the command's process cannot be started",
            Self::Terminal => "the command's session and terminal cannot be set",
            Self::Rights => "the command's rights cannot be set",
            Self::Directory => "the working directory cannot be entered",
            Self::Descriptors => "the descriptors cannot be sorted out",
            Self::Supervise => "the command cannot be waited for",
        }
    }
}

/// The mount, or the lock, that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPlace {
    /// Where it is to appear inside.
    pub at: PathBuf,
    /// The configuration line that asks for it.
    pub origin: String,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A system call failed.
    System(SysError),
    /// What was found is not what the plan says, or is refused.
    Refused(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => error.fmt(f),
            Self::Refused(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Cause {}

/// Why a launch failed: the command did not start (or, at [`Stage::Supervise`], was lost).
///
/// Its text says what could not be done; its source says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchError {
    /// At which step.
    pub stage: Stage,
    /// For which mount; at [`Stage::Locks`], for which lock.
    pub mount: Option<MountPlace>,
    /// Why.
    pub cause: Cause,
    /// What to do about it.
    pub hint: Option<String>,
}

impl LaunchError {
    /// The host's paths as the host has them: while the tree is built, its root is found in a directory of it.
    pub(crate) fn with_host_paths(mut self) -> Self {
        if let Cause::System(error) = &mut self.cause {
            error.arguments = error.arguments.replace(&format!("/{}", crate::tree::OLD_ROOT), "");
        }
        self
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = if self.stage == Stage::Locks { "locked" } else { "mounted" };
        match &self.mount {
            None => f.write_str(self.stage.words()),
            Some(MountPlace { at, origin }) => write!(f, "{} cannot be {done} ({origin})", at.display()),
        }
    }
}

impl std::error::Error for LaunchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// What the steps of a launch return; boxed, for the success is what is moved about.
pub(crate) type Step<T> = Result<T, Box<Failure>>;

/// A failure on its way to becoming a [`LaunchError`].
#[derive(Debug)]
pub(crate) struct Failure {
    pub cause: Cause,
    pub hint: Option<String>,
}

impl From<SysError> for Box<Failure> {
    fn from(error: SysError) -> Self {
        Box::new(Failure { cause: Cause::System(error), hint: None })
    }
}

/// A refusal with its reason.
pub(crate) fn refuse<T>(reason: impl Into<String>) -> Step<T> {
    Err(Box::new(Failure { cause: Cause::Refused(reason.into()), hint: None }))
}

/// Adds a hint to a failure, or its stage.
pub(crate) trait Explain<T> {
    /// Sets the hint where the failure is this error.
    fn hint(self, errno: &[redpak_sys::Errno], hint: &str) -> Step<T>;
    /// Sets the step.
    fn stage(self, stage: Stage) -> Result<T, LaunchError>;
    /// Sets the step and the mount.
    fn mount(self, mount: &Mount) -> Result<T, LaunchError>;
    /// Sets the step and the lock.
    fn lock(self, lock: &FileLock) -> Result<T, LaunchError>;
}

impl<T, E: Into<Box<Failure>>> Explain<T> for Result<T, E> {
    fn hint(self, errno: &[redpak_sys::Errno], hint: &str) -> Step<T> {
        self.map_err(|error| {
            let mut failure: Box<Failure> = error.into();
            if matches!(&failure.cause, Cause::System(error) if errno.contains(&error.errno)) {
                failure.hint = Some(hint.to_owned());
            }
            failure
        })
    }

    fn stage(self, stage: Stage) -> Result<T, LaunchError> {
        self.map_err(|error| {
            let Failure { cause, hint } = *error.into();
            LaunchError { stage, mount: None, cause, hint }
        })
    }

    fn mount(self, mount: &Mount) -> Result<T, LaunchError> {
        let place = MountPlace { at: mount.at.clone(), origin: mount.origin.clone() };
        self.stage(Stage::Mounts).map_err(|error| LaunchError { mount: Some(place), ..error })
    }

    fn lock(self, lock: &FileLock) -> Result<T, LaunchError> {
        let place = MountPlace { at: lock.at.clone(), origin: lock.origin.clone() };
        self.stage(Stage::Locks).map_err(|error| LaunchError { mount: Some(place), ..error })
    }
}
