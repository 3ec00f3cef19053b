//! The facts that a plan depends on, gathered for one effective configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;
use redpak_model::effective::{Effective, ExportKind, Lies, Source};
use redpak_plan::facts::DATABASE;
use redpak_plan::launch_plan::FileKind;
use redpak_plan::transaction_view::SNIPPET;
use redpak_plan::{HostFacts, NodeFacts, OwnFact};
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, readlinkat};
use rustix::io::Errno;

use crate::accounts;
use crate::codes;
use crate::family::{Family, Node};

/// What a minimal `/dev` shows, where the host has it.
const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];

/// Gathers the facts. `env` is the caller's environment.
pub fn host_facts(
    family: &Family,
    effective: &Effective,
    env: BTreeMap<String, String>,
) -> Result<HostFacts, Finding> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mut facts = HostFacts {
        uid,
        gid,
        user: accounts::user(uid),
        group: accounts::group(gid),
        env,
        nodes: Vec::with_capacity(family.nodes.len()),
        host: BTreeMap::new(),
        devices: DEVICES
            .into_iter()
            .filter(|name| std::fs::symlink_metadata(Path::new("/dev").join(name)).is_ok())
            .map(str::to_owned)
            .collect(),
        proc_writable: if uid == 0 { proc_writable()? } else { vec![] },
    };
    for node in &family.nodes {
        facts.nodes.push(node_facts(node)?);
    }
    for export in &effective.exports {
        let (ExportKind::Bind { source, .. }
        | ExportKind::Overlay { source }
        | ExportKind::Device { source }) = &export.kind
        else {
            continue;
        };
        gather(&mut facts, &family.nodes, export.level, source);
    }
    Ok(facts)
}

/// Entries of `/proc` that belong to no process and are directories, or files that can be written.
fn proc_writable() -> Result<Vec<String>, Finding> {
    use std::os::unix::fs::PermissionsExt;
    let unreadable = |error: std::io::Error| {
        Finding::error(codes::UNREADABLE, format!("cannot list /proc: {error}"))
            .with_hint("mount procfs there")
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir("/proc").map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        // What vanished meanwhile cannot be written.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() || metadata.is_file() && metadata.permissions().mode() & 0o222 != 0 {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn gather(facts: &mut HostFacts, nodes: &[Node], level: usize, source: &Source) {
    match &source.lies {
        Lies::Host | Lies::Inherited { .. } => {
            if let Ok(metadata) = std::fs::metadata(&source.host) {
                facts.host.insert(source.host.clone(), kind(FileType::from_raw_mode(metadata.mode())));
            }
        }
        Lies::Own { beneath } => {
            let resolved = facts.nodes[level].resolve(beneath);
            if let Some(fact) = own_fact(&nodes[level], &resolved) {
                facts.nodes[level].own.insert(resolved, fact);
            }
        }
    }
}

fn node_facts(node: &Node) -> Result<NodeFacts, Finding> {
    let generation = generation(node)?;
    let (snippet, database) = (snippet(node), database(node));
    let mut facts =
        NodeFacts { dev: node.dev, ino: node.ino, generation, snippet, database, own: BTreeMap::new() };
    if generation.is_some() {
        for top in SNIPPET {
            let beneath = facts.resolve(&Path::new(".redpak/current").join(top));
            if let Some(fact) = own_fact(node, &beneath) {
                facts.own.insert(beneath, fact);
            }
        }
    }
    Ok(facts)
}

/// The number in `.redpak/current -> gen/N`.
pub fn generation(node: &Node) -> Result<Option<u64>, Finding> {
    let shown = node.path.join(".redpak/current");
    let redpak = match beneath(&node.dir, Path::new(".redpak"), OFlags::PATH | OFlags::DIRECTORY) {
        Ok(dir) => dir,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(crate::checked::unreadable(&shown, errno)),
    };
    let text = match readlinkat(&redpak, "current", Vec::new()) {
        Ok(text) => text.to_string_lossy().into_owned(),
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(crate::checked::unreadable(&shown, errno)),
    };
    let number = text.strip_prefix("gen/").and_then(|number| number.parse::<u64>().ok());
    match number {
        Some(number) if text == format!("gen/{number}") => Ok(Some(number)),
        _ => Err(Finding::error(
            codes::GENERATION,
            format!("`{}` leads to `{text}`, which is no generation", shown.display()),
        )
        .with_hint("it must read `gen/N`; `redwrap-dnf history` lists what there is")),
    }
}

/// How many packages the manifest of a generation lists; 0 where it cannot be read.
pub fn package_count(node: &Node, number: u64) -> usize {
    let path = node.path.join(format!(".redpak/gen/{number}/manifest.json"));
    std::fs::read(path)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
        .and_then(|manifest| manifest.get("packages")?.as_array().map(Vec::len))
        .unwrap_or(0)
}

/// Names in the node's directory that are links into the current generation.
fn snippet(node: &Node) -> BTreeSet<String> {
    SNIPPET
        .into_iter()
        .filter(|top| {
            readlinkat(&node.dir, *top, Vec::new())
                .is_ok_and(|text| text.to_bytes() == format!(".redpak/current/{top}").as_bytes())
        })
        .map(str::to_owned)
        .collect()
}

/// Whether `var/lib/rpm` is the link to the current generation's database that every node is made with.
fn database(node: &Node) -> bool {
    let Ok(lib) = beneath(&node.dir, Path::new("var/lib"), OFlags::PATH | OFlags::DIRECTORY) else {
        return false;
    };
    let text = readlinkat(&lib, "rpm", Vec::new());
    text.is_ok_and(|text| text.to_bytes() == format!("../../.redpak/current/{DATABASE}").as_bytes())
}

fn own_fact(node: &Node, path: &Path) -> Option<OwnFact> {
    let file = beneath(&node.dir, path, OFlags::PATH).ok()?;
    let stat = fstat(&file).ok()?;
    let kind = kind(FileType::from_raw_mode(stat.st_mode));
    Some(OwnFact { kind, empty: kind == FileKind::Directory && is_empty(&node.dir, path) })
}

fn kind(file_type: FileType) -> FileKind {
    match file_type {
        FileType::Directory => FileKind::Directory,
        FileType::CharacterDevice | FileType::BlockDevice => FileKind::Device,
        _ => FileKind::File,
    }
}

/// A directory that cannot be listed counts as one with content.
fn is_empty(dir: &OwnedFd, path: &Path) -> bool {
    let Ok(opened) = beneath(dir, path, OFlags::RDONLY | OFlags::DIRECTORY) else { return false };
    let Ok(entries) = Dir::new(opened) else { return false };
    !entries.flatten().any(|entry| !matches!(entry.file_name().to_bytes(), b"." | b".."))
}

/// Opens a path beneath a node's directory, following no link at all (openat2(2)).
pub(crate) fn beneath(dir: impl AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() };
    openat2(
        dir,
        path,
        flags | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_on_the_host_are_told_apart() {
        let mut facts = HostFacts::default();
        let paths = ["/", "/proc/self/status", "/dev/null", "/proc/self/root", "/dev/redpak-no-such-device"];
        for path in paths {
            gather(&mut facts, &[], 0, &Source { host: path.into(), lies: Lies::Host });
        }
        let kinds = paths.map(|path| facts.host.get(Path::new(path)).copied());
        let (directory, file, device) = (FileKind::Directory, FileKind::File, FileKind::Device);
        assert_eq!(kinds, [Some(directory), Some(file), Some(device), Some(directory), None]);
    }
}
