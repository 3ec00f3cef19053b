//! What people changed in a generation's `etc`, and how it gets into an older content that comes back.
//!
//! At commit the digests of `etc` are written down. When a generation is made from an older one, each file is merged
//! three ways: as it was committed last, as it is now, and as the older generation has it. What nobody edited is the
//! older one's; what was edited stays; where both differ from what was committed, the edited file stays and the other
//! one is put beside it with [`NEW_SUFFIX`].

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::dir::{Dir, errno_of};
use crate::error::{Error, Result};
use crate::merge::MAX_DEPTH;
use crate::metadata::{copy_directory, copy_file};

/// The file in a generation that holds the digests.
const RECORD: &str = "etc.json";
/// What is added to the name of an older generation's file where the edited one stays.
pub const NEW_SUFFIX: &str = ".redpaknew";
/// A record larger than this is not one.
const LIMIT: u64 = 64 << 20;

/// Digests of regular files and texts of links, by path relative to `etc`, escaped as in a byte string of Rust's.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    files: BTreeMap<String, String>,
}

/// Writes down what a new generation's `etc` holds.
pub(crate) fn record(tree: &Dir) -> Result<()> {
    let mut record = Record::default();
    if let Some(etc) = tree.open_if_there("etc")? {
        record.files = digests(&etc)?;
    }
    let text = serde_json::to_vec(&record)
        .map_err(|e| Error::damaged(&tree.join(RECORD), format!("cannot be written: {e}")))?;
    tree.write_file(RECORD, &text, 0o644)
}

/// Puts what was edited since `current` was committed into the upper layer over the older `base`.
pub(crate) fn carry(current: &Dir, base: &Dir, upper: &Dir) -> Result<()> {
    let Some(committed) = read(current)? else { return Ok(()) };
    let (Some(now_dir), Some(base_dir)) = (current.open_if_there("etc")?, base.open_if_there("etc")?) else {
        return Ok(());
    };
    let (now, older) = (digests(&now_dir)?, digests(&base_dir)?);
    let paths: BTreeSet<&String> = now.keys().chain(committed.keys()).collect();
    for path in paths {
        let (is, was, will) = (now.get(path), committed.get(path), older.get(path));
        if is == was || is == will {
            continue;
        }
        let at = unescape(path);
        match is {
            Some(_) => {
                copy_up(&now_dir, &at, upper, None)?;
                if will.is_some() && will != was {
                    copy_up(&base_dir, &at, upper, Some(NEW_SUFFIX))?;
                }
            }
            // Somebody removed it, and it is what they removed that would come back.
            None if will == was && will.is_some() => whiteout(&base_dir, &at, upper)?,
            None => {}
        }
    }
    Ok(())
}

fn read(generation: &Dir) -> Result<Option<BTreeMap<String, String>>> {
    let file = match generation.open_file(RECORD) {
        Ok(file) => file,
        // A first generation has none, and nothing to edit.
        Err(e) if e.errno() == Some(Errno::NOENT) => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut text = Vec::new();
    file.take(LIMIT)
        .read_to_end(&mut text)
        .map_err(|e| generation.failed("read", &[OsStr::new(RECORD)], errno_of(&e)))?;
    let record: Record =
        serde_json::from_slice(&text).map_err(|e| Error::damaged(&generation.join(RECORD), e))?;
    Ok(Some(record.files))
}

fn digests(etc: &Dir) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    walk(etc, Path::new(""), 0, &mut found)?;
    Ok(found)
}

fn walk(dir: &Dir, at: &Path, depth: usize, found: &mut BTreeMap<String, String>) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::damaged(dir.path(), "is too deep"));
    }
    for entry in dir.entries()? {
        let path = at.join(&entry.name);
        let text = match entry.file_type {
            FileType::Directory => {
                walk(&dir.open(&entry.name)?, &path, depth + 1, found)?;
                continue;
            }
            FileType::Symlink => format!("link {}", dir.read_link(&entry.name)?.as_bytes().escape_ascii()),
            FileType::RegularFile => match digest(dir, &entry.name) {
                Ok(digest) => digest,
                // Its owner may not read it: then nobody edits it by accident.
                Err(e) if e.errno() == Some(Errno::ACCESS) => continue,
                Err(e) => return Err(e),
            },
            _ => continue,
        };
        found.insert(path.as_os_str().as_bytes().escape_ascii().to_string(), text);
    }
    Ok(())
}

fn digest(dir: &Dir, name: &OsStr) -> Result<String> {
    let mut file = dir.open_file(name)?;
    let mut hasher = Sha256::new();
    let mut buffer = [0; 16 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(dir.failed("read", &[name], errno_of(&e))),
        }
    }
}

/// The inverse of `escape_ascii` for what it makes: `\t \r \n \' \" \\ \xNN`.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16)).unwrap_or(0) as u8;
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b'x') => digit(rest.next()) << 4 | digit(rest.next()),
            Some(quoted) => quoted,
            None => b'\\',
        });
    }
    PathBuf::from(OsStr::from_bytes(&bytes))
}

/// The directories of a path, made in `upper` where they are missing, as they are in `from`.
fn parents(from: &Dir, path: &Path, upper: &Dir) -> Result<(Dir, Dir)> {
    let (mut source, mut target) = (from.try_clone()?, upper.try_clone()?);
    for part in path.parent().into_iter().flat_map(Path::iter) {
        source = source.open(part)?;
        let made = target.open_if_there(part)?;
        target = match made {
            Some(there) => there,
            None => {
                let made = target.make(part, 0o755)?;
                copy_directory(&source.stat()?, &source, &made)?;
                made
            }
        };
    }
    Ok((source, target))
}

fn copy_up(from: &Dir, path: &Path, upper: &Dir, suffix: Option<&str>) -> Result<()> {
    let (source, target) = parents(from, path, upper)?;
    let Some(name) = path.file_name() else { return Ok(()) };
    if FileType::from_raw_mode(source.stat_entry(name)?.st_mode) == FileType::Symlink {
        let mut to = name.to_owned();
        to.push(suffix.unwrap_or_default());
        return target.make_link(source.read_link(name)?, to);
    }
    match suffix {
        None => copy_file(&source, name, &target),
        Some(suffix) => {
            // Through a directory of its own: the plain name may be taken.
            let aside = target.make(format!(".{suffix}"), 0o700)?;
            copy_file(&source, name, &aside)?;
            let mut to = name.to_owned();
            to.push(suffix);
            aside.rename(name, &target, to)?;
            target.remove_empty(format!(".{suffix}"))
        }
    }
}

/// overlayfs's mark of a removal.
fn whiteout(base: &Dir, path: &Path, upper: &Dir) -> Result<()> {
    let (_, target) = parents(base, path, upper)?;
    let Some(name) = path.file_name() else { return Ok(()) };
    rustix::fs::mknodat(&target, name, FileType::CharacterDevice, Mode::empty(), 0)
        .map_err(|e| target.failed("mknodat", &[name, OsStr::new("S_IFCHR, 0:0")], e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_bytes_come_back() {
        for bytes in [b"plain/a.conf".as_slice(), b"t\tab\n'\"\\x41", b"\xff\xfe/\x01", b""] {
            let text = bytes.escape_ascii().to_string();
            assert_eq!(unescape(&text).as_os_str().as_bytes(), bytes, "{text}");
        }
    }
}
