//! A node and all nodes below it, each directory walked and each file read once.
//!
//! What [`Family::load`](crate::Family::load) checks for one family is checked here for all of a tree: children are
//! opened from their parent's descriptor, and ancestors are shared. Descriptors are held on the way down only, so that
//! the size of a tree is not bounded by their number.

use std::ffi::{CStr, OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use redpak_diagnostics::{Finding, Severity};
use redpak_model::NodeText;
use redpak_model::status::Status;
use rustix::fs::{AtFlags, Dir, FileType, statat};
use rustix::io::Errno;

use crate::codes;
use crate::descend::{DEPTH, is_place_for_nodes};
use crate::family::Refused;
use crate::node::{Node, has_lost_status, is_closed, lost_status, not_a_node};
use crate::placement::{Placed, of_leaf};
use crate::walk::{self, STATUS, Step, enter, walk};

/// Nodes, parents before children, children by name.
#[derive(Debug)]
pub struct Tree<T> {
    /// The ancestors of the topmost node, root node first, then it and all below it.
    pub nodes: Vec<TreeNode<T>>,
    /// Index of the topmost node that was asked for.
    pub top: usize,
}

/// A node of a tree.
#[derive(Debug)]
pub struct TreeNode<T> {
    /// Its path, without links.
    pub path: PathBuf,
    /// Index of the node above it.
    pub parent: Option<usize>,
    /// What could be read of it; `None` when something is wrong with its files or the way to it.
    pub read: Option<Read<T>>,
    /// What is wrong with it: its files, its state, its place. What concerns its ancestors stands with them.
    pub findings: Vec<Finding>,
}

/// What was read of a node.
#[derive(Debug)]
pub struct Read<T> {
    /// Its status.
    pub status: Status,
    /// Its configuration.
    pub text: NodeText,
    /// What the caller looked at while it was open.
    pub seen: T,
    identity: (u64, u64),
}

impl<T> Tree<T> {
    /// Loads the node at `path`, an absolute path, its ancestors, and all nodes below it, for the user `uid`. `look` is
    /// called once a node while it is open.
    ///
    /// # Errors
    /// The way to the node itself is refused, or it is no node. What is wrong with a node is among its findings.
    pub fn load(path: &Path, uid: u32, mut look: impl FnMut(&Node) -> T) -> Result<Self, Refused> {
        let steps = walk(path, uid)?;
        if !steps.last().is_some_and(|step| step.node) {
            return Err(not_a_node(steps.last(), path).into());
        }
        let mut loader = Loader { tree: Self { nodes: Vec::new(), top: 0 }, uid, look: &mut look };
        let mut parent = None;
        let mut last = None;
        for step in steps.into_iter().filter(|step| step.node) {
            let (index, dir) = loader.node(step, parent);
            parent = Some(index);
            last = Some((index, dir));
        }
        if let Some((top, Some(dir))) = last {
            loader.tree.top = top;
            let path = loader.tree.nodes[top].path.clone();
            loader.below(dir, Place { path, parent: top, depth: 0, refused: None });
        }
        Ok(loader.tree)
    }

    /// Indices of a node's family, root node first.
    pub fn family(&self, index: usize) -> Vec<usize> {
        let mut family = vec![index];
        while let Some(parent) = self.nodes[family[family.len() - 1]].parent {
            family.push(parent);
        }
        family.reverse();
        family
    }

    /// The texts of a node's family, for the model; `None` when one of it could not be read.
    pub fn texts(&self, index: usize) -> Option<Vec<NodeText>> {
        self.family(index)
            .into_iter()
            .map(|member| self.nodes[member].read.as_ref().map(|read| read.text.clone()))
            .collect()
    }
}

/// A directory whose entries are looked at.
struct Place {
    path: PathBuf,
    /// The nearest node at or above it.
    parent: usize,
    /// Directories between that node and it.
    depth: usize,
    /// Why no node below it is believed.
    refused: Option<Finding>,
}

/// A directory on the way down, and the names in it that are still to be looked at.
struct Level {
    dir: OwnedFd,
    place: Place,
    names: std::vec::IntoIter<OsString>,
}

struct Loader<'a, T> {
    tree: Tree<T>,
    uid: u32,
    look: &'a mut dyn FnMut(&Node) -> T,
}

impl<T> Loader<'_, T> {
    /// Reads a node; its directory is given back for what is below it.
    fn node(&mut self, step: Step, parent: Option<usize>) -> (usize, Option<OwnedFd>) {
        let mut findings = Vec::new();
        let path = step.path.clone();
        // Its files may be unusable, and its children are looked for all the same.
        let again = step.dir.try_clone();
        let node = Node::open(step, self.uid, &mut findings);
        let read = node.map(|node| Read {
            identity: (node.dev, node.ino),
            seen: (self.look)(&node),
            status: node.status,
            text: node.text,
        });
        if let Err(error) = &again {
            let message = format!("cannot list `{}`: {error}", path.display());
            findings.push(Finding::error(codes::UNREADABLE, message));
        }
        let index = self.tree.nodes.len();
        self.tree.nodes.push(TreeNode { path, parent, read, findings });
        let judged = self.placement(index);
        self.tree.nodes[index].findings.extend(judged);
        (index, again.ok())
    }

    fn placement(&self, index: usize) -> Vec<Finding> {
        let nodes = &self.tree.nodes;
        let family: Option<Vec<Placed>> = self
            .tree
            .family(index)
            .into_iter()
            .map(|member| {
                let node = &nodes[member];
                let read = node.read.as_ref()?;
                Some(Placed {
                    path: &node.path,
                    identity: read.identity,
                    status: &read.status,
                    text: &read.text,
                })
            })
            .collect();
        let mut findings = family.map_or(Vec::new(), |family| of_leaf(&family));
        for finding in findings.iter_mut().filter(|finding| finding.code == codes::DISABLED) {
            // Somebody's will, and not a mistake.
            finding.severity = Severity::Warning;
        }
        findings
    }

    /// All nodes below a directory. Not by recursion: how deep a tree is, is for others to say.
    fn below(&mut self, dir: OwnedFd, place: Place) {
        let mut way: Vec<Level> = self.level(dir, place).into_iter().collect();
        while let Some(level) = way.last_mut() {
            let Some(name) = level.names.next() else {
                way.pop();
                continue;
            };
            if let Some((dir, place)) = self.directory(&level.dir, &name, &level.place) {
                way.extend(self.level(dir, place));
            }
        }
    }

    fn level(&mut self, dir: OwnedFd, place: Place) -> Option<Level> {
        match directories(&dir) {
            Ok(mut names) => {
                names.retain(|name| is_place_for_nodes(name, place.depth == 0));
                Some(Level { dir, place, names: names.into_iter() })
            }
            Err(errno) => {
                let finding = match errno {
                    // BADF: it could be opened to pass through only.
                    Errno::ACCESS | Errno::BADF => closed(&place.path),
                    errno => walk::cannot_list(&place.path, errno),
                };
                self.tree.nodes[place.parent].findings.push(finding);
                None
            }
        }
    }

    /// Looks at a directory; gives it back when there is more to be looked for in it.
    fn directory(&mut self, above: &OwnedFd, name: &OsStr, place: &Place) -> Option<(OwnedFd, Place)> {
        let path = place.path.join(name);
        let opened = match enter(above, name) {
            Ok(opened) => opened,
            // Removed meanwhile, or a link by now: not a node's directory.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => return None,
            Err(errno) => {
                let finding = walk::cannot_list(&path, errno);
                self.tree.nodes[place.parent].findings.push(finding);
                return None;
            }
        };
        let is_node = statat(&opened, STATUS, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        let lost = !is_node && has_lost_status(&opened);
        if is_closed(&opened) {
            // What a file system has at its top is root's alone, and no node.
            if name != "lost+found" {
                self.refuse(path.clone(), place.parent, closed(&path));
            }
            return None;
        }
        if !is_node && !lost && place.depth >= DEPTH {
            return None;
        }
        if (is_node || lost) && path.components().count() > walk::DEPTH + 1 {
            self.refuse(path.clone(), place.parent, walk::too_deep(&path));
            return None;
        }
        let again = opened.try_clone().ok();
        match (walk::step(path.clone(), opened, self.uid), &place.refused) {
            (Ok(step), None) if is_node => {
                let (parent, dir) = self.node(step, Some(place.parent));
                Some((dir?, Place { path, parent, depth: 0, refused: None }))
            }
            (judged, refused) => {
                let refused = refused.clone().or(judged.err());
                let mut parent = place.parent;
                let told = refused.clone().or_else(|| lost.then(|| lost_status(&path)));
                if let (true, Some(told)) = (is_node || lost, told) {
                    parent = self.refuse(path.clone(), parent, told);
                }
                let depth = if is_node || lost { 0 } else { place.depth + 1 };
                Some((again?, Place { path, parent, depth, refused }))
            }
        }
    }

    fn refuse(&mut self, path: PathBuf, parent: usize, finding: Finding) -> usize {
        let node = TreeNode { path, parent: Some(parent), read: None, findings: vec![finding] };
        self.tree.nodes.push(node);
        self.tree.nodes.len() - 1
    }
}

/// The finding for a directory that the caller may not look into. It may be somebody's private data, and no mistake.
fn closed(path: &Path) -> Finding {
    let message = format!("permission denied: nodes in `{}` are not looked for", path.display());
    Finding::warning(codes::UNREADABLE, message)
        .with_hint("run it as the owner of that directory, or as root")
}

/// Names of the directories in a directory, sorted. Links are not among them.
fn directories(dir: &OwnedFd) -> Result<Vec<OsString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name: &CStr = entry.file_name();
        let is_directory = match entry.file_type() {
            FileType::Directory => true,
            FileType::Unknown => statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()),
            _ => false,
        };
        if is_directory && !matches!(name.to_bytes(), b"." | b"..") {
            names.push(OsStr::from_bytes(name.to_bytes()).to_owned());
        }
    }
    names.sort();
    Ok(names)
}
