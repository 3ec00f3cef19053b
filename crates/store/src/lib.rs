//! Generations of a node on disk: created, staged, committed, recovered, collected.
//!
//! A generation is one complete committed state of what packages put into a node. This crate knows directories,
//! locks and the order of syncs; what a package is, it does not know: the caller's part of a manifest is a JSON
//! object to it, and the database a directory that is copied at the start and moved at the end.
//!
//! - [`Node`]: a node's directory, its generations and locks ([`node`], [`lock`])
//! - [`Stage`]: the place where the next generation is made ([`stage`]), merged ([`merge`]) and switched to
//! - [`Manifest`]: what a generation says of itself ([`manifest`])
//! - [`Error`]: what went wrong, as a kind, a text and a hint ([`error`])
//!
//! On disk, below the node's directory:
//!
//! ```text
//! .redpak/lock                 flock(2): exclusive while the node is changed, shared while it is judged
//! .redpak/gen/7/{usr,etc,opt}  a generation's snippet; its directory is flock(2)ed shared while it is mounted
//! .redpak/gen/7/manifest.json  what it is made of
//! .redpak/gen/7/etc.json       digests of its etc, to tell what people edited
//! .redpak/current -> gen/7     the one link that is switched
//! .redpak/staging.8/           upper and work directories, the copied database, then the merged tree
//! .redpak/trash.3/             a collected generation that is being removed
//! usr -> .redpak/current/usr   and opt; var/lib/rpm -> ../../.redpak/current/usr/lib/sysimage/rpm
//! ```

#![forbid(unsafe_code)]

pub mod ancestors;
mod collect;
mod create;
mod dir;
pub mod edits;
pub mod error;
pub mod lock;
pub mod manifest;
pub mod merge;
mod metadata;
pub mod node;
mod remove;
pub mod stage;

pub use ancestors::{Ancestors, Kind, NoAncestors};
pub use error::{Error, ErrorKind};
pub use lock::{ExclusiveLock, GenerationLock, SharedLock, Wait};
pub use manifest::{MANIFEST_VERSION, Manifest};
pub use node::Node;
pub use stage::{Commit, Committed, Stage, Written, WrittenKind};

/// The directories of a generation that appear in a launched node.
pub const TOPS: [&str; 3] = ["usr", "etc", "opt"];

/// Of [`TOPS`], those that people find as a link in the node's directory. `etc` is not: there, the node's own
/// directory holds its configuration.
pub const LINKED_TOPS: [&str; 2] = ["usr", "opt"];

/// Where a generation keeps its database, relative to the generation.
pub const DATABASE: &str = "usr/lib/sysimage/rpm";

/// redpak's directory in a node.
pub const REDPAK_DIR: &str = ".redpak";

/// How many generations are kept when nobody says otherwise, the current one included.
pub const DEFAULT_KEEP: usize = 3;
