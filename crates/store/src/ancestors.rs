//! What lies below a node's own layer, as far as a commit has to know.

use std::path::Path;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Anything else.
    File,
}

/// What the ancestors' layers have at a path; the node's own generation is not asked about.
pub trait Ancestors {
    /// `path` is relative to the root of the view (`usr/lib/x`), and no link in it is followed.
    fn at(&self, path: &Path) -> Option<Kind>;

    /// Whether the removal of an ancestor's `path` means nothing and may be forgotten: ldconfig(8) tidies away library
    /// links that lead nowhere, in every directory that it knows.
    fn may_reappear(&self, _path: &Path) -> bool {
        false
    }
}

/// There is nothing below: a root node that shows nothing of the host's.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAncestors;

impl Ancestors for NoAncestors {
    fn at(&self, _path: &Path) -> Option<Kind> {
        None
    }
}
