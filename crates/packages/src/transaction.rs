//! A transaction as a value: what the solver decided, what `--assumeno` prints, and what is executed.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Name, epoch, version, release, architecture of a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Nevra {
    /// Name.
    pub name: String,
    /// Epoch; 0 when the package has none.
    pub epoch: u32,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture, `noarch` included.
    pub arch: String,
}

impl Nevra {
    /// `[epoch:]version-release`, the epoch only when it is not 0.
    pub fn evr(&self) -> String {
        match self.epoch {
            0 => format!("{}-{}", self.version, self.release),
            epoch => format!("{epoch}:{}-{}", self.version, self.release),
        }
    }
}

impl fmt::Display for Nevra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}.{}", self.name, self.evr(), self.arch)
    }
}

/// Why a package is installed; kept with the generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Somebody asked for it by name.
    User,
    /// Something installed requires it.
    Dependency,
    /// Something installed recommends or is supplemented by it.
    Weak,
}

/// What happens to a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// New in the node.
    Install,
    /// Replaces a lower version.
    Upgrade,
    /// Replaces a higher version.
    Downgrade,
    /// The same version again.
    Reinstall,
    /// Leaves the node.
    Remove,
}

/// One package and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What happens.
    pub action: Action,
    /// To which package.
    pub nevra: Nevra,
    /// Why it is (or was) there.
    pub reason: Reason,
    /// Packages of this node that it replaces (upgrade, downgrade, obsoletes).
    pub replaces: Vec<Nevra>,
    /// Where the new package comes from; `None` for a removal.
    pub source: Option<PackageSource>,
    /// Installed size in bytes.
    pub install_size: u64,
}

/// A package file to be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageSource {
    /// Id of the repository, or `@commandline`.
    pub repo: String,
    /// URLs to try in order (`http`, `https`, `file`); empty for a local file.
    pub urls: Vec<String>,
    /// The local file: a command-line argument, or the place in the cache.
    pub path: PathBuf,
    /// Algorithm and hexadecimal digest of the file as the repository's metadata has it; `None` for local files.
    pub checksum: Option<(String, String)>,
    /// Size of the file in bytes, as the metadata has it; 0 when unknown.
    pub size: u64,
    /// A signature by one of `keys` is demanded.
    pub gpgcheck: bool,
    /// `gpgkey` of the repository: URLs.
    pub keys: Vec<String>,
}

/// What the solver decided for one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// The node's directory.
    pub node: PathBuf,
    /// The generation that it was solved against; it is not executed on another.
    pub base: Option<u64>,
    /// The steps, in no order that matters: librpm orders them.
    pub steps: Vec<Step>,
    /// Reasons that change without a step (a dependency that is now asked for by name).
    pub marks: Vec<(Nevra, Reason)>,
}
