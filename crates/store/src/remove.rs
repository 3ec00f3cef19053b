//! Removal of a whole tree, however deep, through directory descriptors.

use std::ffi::{OsStr, OsString};

use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;

use crate::dir::Dir;
use crate::error::Result;

/// Levels that are walked down before a subtree is moved up: bounds descriptors and stack.
const DEPTH: usize = 48;
/// How often a tree is tried again into which a dying process still writes, and the pause between.
const TRIES: usize = 20;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(25);

/// Removes `name` from `parent`, and all below it. Nothing is no error. The processes of a sandbox that was killed
/// may live a moment longer than whoever held the lock.
pub(crate) fn remove_tree(parent: &Dir, name: impl AsRef<OsStr>) -> Result<()> {
    let name = name.as_ref();
    for _ in 1..TRIES {
        match remove_once(parent, name) {
            Err(e) if matches!(e.errno(), Some(Errno::NOTEMPTY | Errno::NOENT)) => std::thread::sleep(PAUSE),
            other => return other,
        }
    }
    remove_once(parent, name)
}

fn remove_once(parent: &Dir, name: &OsStr) -> Result<()> {
    let mut waiting = vec![name.to_owned()];
    let mut moved = 0_u64;
    while let Some(name) = waiting.pop() {
        let Some(dir) = open_for_removal(parent, &name)? else { continue };
        let mut deep = Deep { parent, base: &name, moved: &mut moved, found: Vec::new() };
        empty(&dir, 0, &mut deep)?;
        waiting.append(&mut deep.found);
        parent.remove_empty(&name)?;
    }
    Ok(())
}

/// Subtrees that were too deep, moved beside the tree that is being removed.
struct Deep<'a> {
    parent: &'a Dir,
    base: &'a OsStr,
    moved: &'a mut u64,
    found: Vec<OsString>,
}

/// Opens a directory that is to be emptied; anything else is unlinked at once.
fn open_for_removal(parent: &Dir, name: &OsStr) -> Result<Option<Dir>> {
    let dir = match parent.open(name) {
        Ok(dir) => dir,
        Err(e) if e.errno() == Some(Errno::NOENT) => return Ok(None),
        Err(e) if matches!(e.errno(), Some(Errno::NOTDIR | Errno::LOOP)) => {
            parent.unlink(name)?;
            return Ok(None);
        }
        // overlayfs's own `work/work` has mode 0; so may directories of packages.
        Err(e) if e.errno() == Some(Errno::ACCESS) => {
            rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())
                .map_err(|e| parent.failed("fchmodat", &[name, OsStr::new("0700")], e))?;
            parent.open(name)?
        }
        Err(e) => return Err(e),
    };
    if dir.stat()?.st_mode & 0o700 != 0o700 {
        dir.set_mode(0o700)?;
    }
    Ok(Some(dir))
}

fn empty(dir: &Dir, depth: usize, deep: &mut Deep<'_>) -> Result<()> {
    for entry in dir.entries()? {
        if entry.file_type != FileType::Directory {
            dir.unlink(&entry.name)?;
        } else if depth == DEPTH {
            let mut name = deep.base.to_owned();
            name.push(format!(".deep.{}", *deep.moved));
            *deep.moved += 1;
            dir.rename(&entry.name, deep.parent, &name)?;
            deep.found.push(name);
        } else if let Some(below) = open_for_removal(dir, &entry.name)? {
            empty(&below, depth + 1, deep)?;
            dir.remove_empty(&entry.name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_of_a_thousand_levels_is_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let root = Dir::open_path(temporary.path()).unwrap();
        let mut dir = root.make("trash.1", 0o755).unwrap();
        for _ in 0..1000 {
            dir.write_file("file", b"x", 0o644).unwrap();
            dir.make_link("/nowhere", "link").unwrap();
            dir = dir.make("d", 0o500).unwrap_or_else(|_| dir.open("d").unwrap());
            dir.set_mode(0o700).unwrap();
        }
        remove_tree(&root, "trash.1").unwrap();
        assert!(root.entries().unwrap().is_empty());
        remove_tree(&root, "trash.1").unwrap();
    }

    #[test]
    fn a_link_is_removed_and_not_what_it_leads_to() {
        let temporary = tempfile::tempdir().unwrap();
        let root = Dir::open_path(temporary.path()).unwrap();
        root.make("kept", 0o755).unwrap().write_file("file", b"x", 0o644).unwrap();
        root.make_link("kept", "trash.1").unwrap();
        remove_tree(&root, "trash.1").unwrap();
        assert!(temporary.path().join("kept/file").exists());
        assert!(!temporary.path().join("trash.1").exists());
    }
}
