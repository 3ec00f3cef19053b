//! What packages want to install, and whether a node may have it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::FileType;

use super::error::{ExecuteError, ExecuteErrorKind, Result};
use super::header::{Header, Malformed, tag};
use super::view::View;
use crate::transaction::Nevra;

/// `RPMFILE_GHOST` (rpmfiles.h): belongs to the package, and is not in the payload.
const GHOST: u64 = 1 << 6;

/// Names that make a directory a node, wherever they stand.
const NODE_NAMES: [&str; 2] = [".redpak", ".rednode.yaml"];
/// redpak's own configuration, relative to the root.
const OWN_FILES: [&str; 3] = ["etc/redpak.yaml", "etc/redpak-admin.yaml", "etc/redpack.yaml"];
/// Directories whose content is redpak's or librpm's.
const OWN_DIRECTORIES: [&str; 3] = ["etc/yum.repos.d", "usr/lib/sysimage/rpm", "var/lib/rpm"];

/// One entry of a package's file list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PayloadFile {
    /// Absolute, as the package has it.
    pub(crate) path: PathBuf,
    /// What it is.
    pub(crate) kind: FileType,
    /// Where a link leads.
    pub(crate) link: PathBuf,
    /// Not in the payload.
    pub(crate) ghost: bool,
    /// `user:group`.
    pub(crate) owner: String,
    /// Set-user-ID and set-group-ID of a regular file, as in its mode; 0 without.
    pub(crate) set_id: u32,
    /// File capabilities, as text; empty without.
    pub(crate) capabilities: String,
}

/// Reads a package's file list.
pub(crate) fn files(header: &Header) -> std::result::Result<Vec<PayloadFile>, Malformed> {
    let wrong = |what: &str| Malformed(format!("its file list is inconsistent: {what}"));
    if header.has(tag::OLD_FILE_NAMES) {
        return Err(wrong("names of the old kind"));
    }
    let (bases, directories) = (header.strings(tag::BASE_NAMES), header.strings(tag::DIR_NAMES));
    let (indexes, modes) = (header.numbers(tag::DIR_INDEXES), header.numbers(tag::FILE_MODES));
    let (flags, links) = (header.numbers(tag::FILE_FLAGS), header.strings(tag::FILE_LINK_TOS));
    let (users, groups) = (header.strings(tag::FILE_USER_NAME), header.strings(tag::FILE_GROUP_NAME));
    let capabilities = header.strings(tag::FILE_CAPS);
    let count = bases.len();
    let lengths = [indexes.len(), modes.len(), flags.len(), links.len(), users.len(), groups.len()];
    if lengths.iter().any(|length| *length != count)
        || !capabilities.is_empty() && capabilities.len() != count
    {
        return Err(wrong("its tags differ in length"));
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut files = Vec::with_capacity(count);
    for at in 0..count {
        let directory = usize::try_from(indexes[at]).ok().and_then(|index| directories.get(index));
        let directory = directory.ok_or_else(|| wrong("a directory is missing"))?;
        let mut path = directory.to_vec();
        path.extend(bases[at]);
        if bases[at].contains(&b'/') {
            return Err(Malformed(format!("a file is named {:?}", String::from_utf8_lossy(bases[at]))));
        }
        // Modes are 16 bits wide in the header.
        let mode = (modes[at] & 0xffff) as u32;
        let kind = FileType::from_raw_mode(mode);
        files.push(PayloadFile {
            set_id: if kind == FileType::RegularFile { mode & 0o6000 } else { 0 },
            path: PathBuf::from(OsStr::from_bytes(&path)),
            kind,
            link: PathBuf::from(OsStr::from_bytes(links[at])),
            ghost: flags[at] & GHOST != 0,
            owner: format!("{}:{}", text(users[at]), text(groups[at])),
            capabilities: capabilities.get(at).map(|caps| text(caps)).unwrap_or_default(),
        });
    }
    Ok(files)
}

/// Refuses what a node may not have.
pub(crate) fn check(nevra: &Nevra, files: &[PayloadFile], view: &View) -> Result<()> {
    for file in files {
        check_file(file, view).map_err(|why| {
            let text = format!("{nevra} wants to install {}, {why}", file.path.display());
            ExecuteError::new(ExecuteErrorKind::Payload, text)
                .with_hint("packages may install below /usr, /etc, /opt and /var")
        })?;
    }
    Ok(())
}

fn check_file(file: &PayloadFile, view: &View) -> std::result::Result<(), String> {
    let relative = plain(&file.path)?;
    let resolved = match relative.file_name() {
        Some(name) => view.directory(relative.parent().unwrap_or(Path::new(""))).join(name),
        None => PathBuf::new(),
    };
    own(&relative, file)?;
    own(&resolved, file)?;
    match file.kind {
        FileType::CharacterDevice | FileType::BlockDevice => return Err("a device node".into()),
        FileType::Socket => return Err("a socket".into()),
        _ => {}
    }
    let top = resolved.components().next().map(Component::as_os_str);
    let inside = resolved.components().count() > 1 && top.is_some_and(|top| top == "var" || view.is_top(top));
    // A directory elsewhere is made in the launch's own tmpfs and gone with it; a ghost is not made at all.
    if inside || file.ghost || file.kind == FileType::Directory {
        return Ok(());
    }
    let same = file.kind == FileType::Symlink
        && view.link(&relative).is_some_and(|text| without_root(Path::new(text)) == without_root(&file.link));
    if same { Ok(()) } else { Err("which is not a place for packages".into()) }
}

fn without_root(path: &Path) -> PathBuf {
    path.components().filter(|component| *component != Component::RootDir).collect()
}

/// The path without its leading slash, when it is spelled in the one plain way.
fn plain(path: &Path) -> std::result::Result<PathBuf, String> {
    let bytes = path.as_os_str().as_bytes();
    let Some(relative) = bytes.strip_prefix(b"/") else {
        return Err("which is not an absolute path".into());
    };
    if relative.is_empty() {
        return Ok(PathBuf::new());
    }
    if relative.split(|byte| *byte == b'/').any(|part| part.is_empty() || part == b"." || part == b"..") {
        return Err("which is not a plain path".into());
    }
    Ok(PathBuf::from(OsStr::from_bytes(relative)))
}

/// Refuses what is redpak's own.
fn own(path: &Path, file: &PayloadFile) -> std::result::Result<(), String> {
    let named = path.components().any(|part| NODE_NAMES.iter().any(|name| part.as_os_str() == *name));
    let below = OWN_DIRECTORIES.iter().any(|directory| {
        path.strip_prefix(directory).is_ok_and(|rest| !rest.as_os_str().is_empty())
            // The database's own files are listed by the package `rpm`, as ghosts.
            && !(file.ghost && *directory != "etc/yum.repos.d")
    });
    if named || below || OWN_FILES.iter().any(|own| path == Path::new(own)) {
        return Err("which is redpak's own".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, kind: FileType) -> PayloadFile {
        PayloadFile {
            path: path.into(),
            kind,
            link: PathBuf::new(),
            ghost: false,
            owner: "root:root".into(),
            set_id: 0,
            capabilities: String::new(),
        }
    }

    #[test]
    fn places_for_packages() {
        let view = View::of_links([("bin", "usr/bin"), ("lib64", "/usr/lib64")]);
        use FileType::{CharacterDevice, Directory, RegularFile, Symlink};
        let cases = [
            ("/usr/bin/x", RegularFile, true),
            ("/bin/x", RegularFile, true),
            ("/lib64/x", RegularFile, true),
            ("/etc/x.conf", RegularFile, true),
            ("/opt/a/b", RegularFile, true),
            ("/var/lib/x", RegularFile, true),
            ("/etc/yum.repos.d", Directory, true),
            ("/srv", Directory, true),
            ("/", Directory, true),
            ("/usr", RegularFile, false),
            ("/srv/x", RegularFile, false),
            ("/home/u/x", RegularFile, false),
            ("/run/x", RegularFile, false),
            ("/usr/../root/x", RegularFile, false),
            ("/usr//bin/x", RegularFile, false),
            ("/usr/./bin/x", RegularFile, false),
            ("usr/bin/x", RegularFile, false),
            ("/usr/dev/null", CharacterDevice, false),
            ("/etc/redpak.yaml", RegularFile, false),
            ("/etc/redpak-admin.yaml", RegularFile, false),
            ("/etc/yum.repos.d/evil.repo", RegularFile, false),
            ("/usr/share/.rednode.yaml", RegularFile, false),
            ("/usr/.redpak/current", Symlink, false),
            ("/usr/share/.redpak", Directory, false),
            ("/usr/lib/sysimage/rpm/rpmdb.sqlite", RegularFile, false),
            ("/var/lib/rpm/Packages", RegularFile, false),
        ];
        for (path, kind, allowed) in cases {
            let result = check_file(&file(path, kind), &view);
            assert_eq!(result.is_ok(), allowed, "{path}: {result:?}");
        }
    }

    #[test]
    fn a_link_outside_is_the_views_own_or_refused() {
        let view = View::of_links([("bin", "usr/bin")]);
        let link = |path: &str, to: &str| PayloadFile { link: to.into(), ..file(path, FileType::Symlink) };
        assert!(check_file(&link("/bin", "usr/bin"), &view).is_ok());
        assert!(check_file(&link("/bin", "/usr/bin"), &view).is_ok());
        assert!(check_file(&link("/bin", "etc"), &view).is_err());
        assert!(check_file(&link("/sbin", "usr/sbin"), &view).is_err());
    }
}
