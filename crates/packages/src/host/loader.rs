//! The libraries that the dynamic loader finds inside a launched node, and what they provide.
//!
//! Directories: the loader's own (ld.so(8)), and those of the host's `/etc/ld.so.conf`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::elf;
use crate::family::HostView;
use crate::options::glob;

/// Directories that loaders search by themselves.
const BUILT_IN: [&str; 4] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"];
/// `include` lines do not nest deeper.
const MAX_INCLUDES: usize = 8;

/// The loader's directories inside a node, as places on the host; each once.
pub fn directories(view: &HostView, arch: &str) -> Vec<PathBuf> {
    let mut inside: Vec<PathBuf> = BUILT_IN.iter().map(PathBuf::from).collect();
    let triplet = format!("{arch}-linux-gnu");
    inside.extend([format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")].map(PathBuf::from));
    configured(Path::new("/etc/ld.so.conf"), 0, &mut inside);
    let mut seen = BTreeSet::new();
    inside
        .iter()
        .filter_map(|path| fs::canonicalize(view.host_path(path)?).ok())
        .filter(|path| path.is_dir() && seen.insert(path.clone()))
        .collect()
}

/// Directories of `ld.so.conf`; a file that cannot be read adds none.
fn configured(file: &Path, depth: usize, into: &mut Vec<PathBuf>) {
    let Ok(text) = fs::read_to_string(file) else { return };
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        match line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t'])) {
            Some(pattern) if depth < MAX_INCLUDES => {
                let pattern = file.parent().unwrap_or(Path::new("/etc")).join(pattern.trim());
                let (Some(parent), Some(name)) = (pattern.parent(), pattern.file_name()) else { continue };
                let mut found: Vec<PathBuf> =
                    fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
                found.sort();
                let matching = |path: &&PathBuf| {
                    path.file_name().is_some_and(|n| glob(&name.to_string_lossy(), &n.to_string_lossy()))
                };
                found.iter().filter(matching).for_each(|path| configured(path, depth + 1, into));
            }
            Some(_) => {}
            None if line.starts_with('/') => into.push(PathBuf::from(line)),
            None => {}
        }
    }
}

/// What the libraries in these directories provide.
pub fn provides(directories: &[PathBuf], arch: &str) -> BTreeSet<String> {
    let mut by_inode: BTreeMap<(u64, u64), PathBuf> = BTreeMap::new();
    for directory in directories {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !(name.contains(".so") || name.starts_with("ld")) {
                continue;
            }
            if let Ok(metadata) = fs::metadata(entry.path())
                && metadata.is_file()
            {
                by_inode.insert((metadata.dev(), metadata.ino()), entry.path());
            }
        }
    }
    let mut found = BTreeSet::new();
    for path in by_inode.into_values() {
        let Some(library) = File::open(&path).ok().and_then(|file| elf::read(&file)) else { continue };
        if !machines(arch).contains(&library.machine) {
            continue;
        }
        if library.soname.starts_with("ld-linux")
            || library.soname.starts_with("ld-musl")
            || library.soname.starts_with("ld64.so")
        {
            found.insert("rtld(GNU_HASH)".to_owned());
        }
        found.extend(library.provides());
    }
    found
}

/// `e_machine` of what runs on an architecture (elf.h); all when it is not known.
fn machines(arch: &str) -> &'static [u16] {
    match arch {
        "x86_64" => &[62, 3],
        "i686" => &[3],
        "aarch64" => &[183, 40],
        "armv7hl" => &[40],
        "riscv64" => &[243],
        "ppc64le" | "ppc64" => &[21],
        "s390x" => &[22],
        _ => &[3, 8, 21, 22, 40, 62, 183, 243, 258],
    }
}
