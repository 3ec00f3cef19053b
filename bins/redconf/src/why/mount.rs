//! Paths inside a launched node.

use std::path::{Component, Path, PathBuf};

use redpak_model::effective::{Access, Effective, Export, ExportKind, Lies};

use super::{Answer, Inquiry, shown};
use crate::merged::{mode, source};

/// Symbolic links that are followed (path_resolution(7)).
const LINKS: usize = 40;

/// `Err` when the path is not one inside a node.
pub fn answer(inquiry: &Inquiry, asked: &Path) -> Result<Answer, String> {
    if !asked.is_absolute() {
        return Err(format!("`{}` is not a path inside the node: it begins with `/`", asked.display()));
    }
    let mut path = normal(asked);
    let mut links = Vec::new();
    let effective = inquiry.leaf;
    let found = loop {
        match cover(effective, &path) {
            Some(index) => match &effective.exports[index].kind {
                ExportKind::Symlink { target } if links.len() < LINKS => {
                    links.push(index);
                    let export = &effective.exports[index];
                    let above = export.mount.parent().unwrap_or(Path::new("/"));
                    let rest = path.strip_prefix(&export.mount).unwrap_or(Path::new(""));
                    path = normal(&above.join(target).join(rest));
                }
                _ => break Some(index),
            },
            None => break None,
        }
    };
    let mut answer = match found {
        Some(index) => granted(inquiry, asked, &path, index),
        None if !links.is_empty() => {
            let sentence = format!("{} leads to {}, which nobody exports", shown(asked), shown(&path));
            Answer::new("mount", shown(asked), false, sentence)
        }
        None => nobody(inquiry, asked, &path),
    };
    for index in links.iter().rev() {
        let export = &effective.exports[*index];
        let text = format!("{} is a link of {}", shown(&export.mount), inquiry.alias(export.level));
        answer.facts.insert(0, ("through", text, Some(export.origin.place.clone())));
    }
    answer.family = inquiry.family(
        |level| {
            let export = &level.exports[cover(level, &path)?];
            Some((says(export), export.origin.clone()))
        },
        |inherited| match inherited {
            Some(_) => "says nothing: it sees what its parent shows it".to_owned(),
            None => "says nothing".to_owned(),
        },
    );
    Ok(answer)
}

/// A path without `.`, `..` and doubled slashes, as text only: what is in the node is not looked at.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => {
                normal.pop();
            }
            _ => {}
        }
    }
    normal
}

/// Indices of the exports at or above a path, the one that is seen last.
fn covering(effective: &Effective, path: &Path) -> Vec<usize> {
    let mut covering: Vec<usize> = (0..effective.exports.len())
        .filter(|index| {
            let export = &effective.exports[*index];
            !matches!(export.kind, ExportKind::Lock) && path.starts_with(&export.mount)
        })
        .collect();
    covering.sort_by_key(|index| (effective.exports[*index].mount.components().count(), *index));
    covering
}

/// The export that shows a path: the deepest, and among layers of one tree the topmost that has it.
fn cover(effective: &Effective, path: &Path) -> Option<usize> {
    let covering = covering(effective, path);
    let top = *covering.last()?;
    let mount = &effective.exports[top].mount;
    let has = |index: &usize| {
        let export = &effective.exports[*index];
        export.mount == *mount && on_host(export, path).is_some_and(|host| host.symlink_metadata().is_ok())
    };
    match effective.exports[top].kind {
        ExportKind::Overlay { .. } => {
            Some(covering.iter().rev().copied().find(|index| has(index)).unwrap_or(top))
        }
        _ => Some(top),
    }
}

/// Where on the host that lies which an export shows at a path.
fn on_host(export: &Export, path: &Path) -> Option<PathBuf> {
    let rest = path.strip_prefix(&export.mount).ok()?;
    let host = &source(&export.kind)?.host;
    Some(if rest.as_os_str().is_empty() { host.clone() } else { host.join(rest) })
}

fn says(export: &Export) -> String {
    let mode = mode(&export.kind, export.private);
    match source(&export.kind) {
        Some(source) if source.host != export.mount => {
            format!("exports {} ({mode}) from {}", shown(&export.mount), shown(&source.host))
        }
        _ => format!("exports {} ({mode})", shown(&export.mount)),
    }
}

/// With what access something is seen.
fn access(export: &Export) -> &'static str {
    match &export.kind {
        ExportKind::Bind { access: Access::ReadWrite, source, .. } => match &source.lies {
            Lies::Own { beneath } if !is_data(beneath) => {
                "read-only: what packages and the configuration own is never writable"
            }
            _ => "read-write",
        },
        ExportKind::Bind { .. } | ExportKind::Overlay { .. } | ExportKind::Symlink { .. } => "read-only",
        ExportKind::Execfd { .. } => "a file with the output of a command, which is not run here",
        ExportKind::Internal { .. } => "a file with what is read from a descriptor of the caller",
        ExportKind::Device { .. } => "a device node",
        ExportKind::Anonymous => "a new, empty directory of the launch",
        ExportKind::Tmpfs { .. } => "a new tmpfs of the launch, read-write",
        ExportKind::Procfs => "a new procfs",
        ExportKind::Mqueue => "a new mqueue",
        ExportKind::Devfs => "a minimal /dev",
        ExportKind::Passwd | ExportKind::Group => "a file with the accounts of the running user and nobody",
        ExportKind::Lock => "nothing: a lock is held",
    }
}

/// Whether a path in a node's directory holds data, which may be mounted writable.
fn is_data(beneath: &Path) -> bool {
    const OWNED: [&str; 4] = [".redpak", ".rednode.yaml", "etc", "usr"];
    beneath
        .components()
        .next()
        .is_some_and(|top| !OWNED.iter().any(|owned| top.as_os_str() == *owned) && top.as_os_str() != "opt")
}

fn granted(inquiry: &Inquiry, asked: &Path, path: &Path, index: usize) -> Answer {
    let effective = inquiry.leaf;
    let export = &effective.exports[index];
    let (leaf, by) = (inquiry.leaf_alias(), inquiry.alias(export.level));
    let host = on_host(export, path);
    let missing = host.as_ref().filter(|host| host.symlink_metadata().is_err());
    let sentence = match missing {
        None => format!("{} is shown in {leaf}: {by} {}", shown(asked), says(export)),
        Some(host) => format!(
            "{} would be shown in {leaf}, and {} is not there now: {by} {}",
            shown(asked),
            shown(host),
            says(export)
        ),
    };
    let mut answer = Answer::new("mount", shown(asked), true, sentence);
    answer.fact(
        "export",
        format!("{} of {by}", mode(&export.kind, export.private)),
        Some(&export.origin.place),
    );
    if let Some(host) = &host {
        let missing = if missing.is_some() { "  (not there now)" } else { "" };
        answer.fact("source", format!("{}{missing}", shown(host)), None);
    }
    answer.fact("access", access(export), None);
    granted_by(inquiry, export, &mut answer);
    for below in covering(effective, path).into_iter().rev().filter(|below| *below != index) {
        let other = &effective.exports[below];
        let what = match (&export.kind, &other.kind) {
            _ if other.mount == export.mount && below > index => "below a layer of",
            (ExportKind::Overlay { .. }, _) if other.mount == export.mount => "laid over",
            _ => "covers",
        };
        let text = format!("{}, of {}", says(other).replacen("exports ", "", 1), inquiry.alias(other.level));
        answer.fact(what, text, Some(&other.origin.place));
    }
    answer
}

/// The chain of exports that a source lies in, up to the host or somebody's own directory.
fn granted_by(inquiry: &Inquiry, export: &Export, answer: &mut Answer) {
    let mut here = export;
    // Each step leads to an export of an ancestor; a family has no more of them than this.
    for _ in 0..=inquiry.leaf.nodes.len() {
        let by = inquiry.alias(here.level);
        match source(&here.kind).map(|source| &source.lies) {
            Some(Lies::Inherited { export, inside }) => {
                let Some(above) = inquiry.leaf.exports.get(*export) else { return };
                let text = format!("{}, where {} {}", shown(inside), inquiry.alias(above.level), says(above));
                answer.fact("granted by", text, Some(&above.origin.place));
                here = above;
            }
            Some(Lies::Own { .. }) => {
                answer.fact("granted by", format!("it lies in {by}'s own directory"), None);
                return;
            }
            Some(Lies::Host) => {
                let text = if here.level == 0 {
                    format!("{by} is the root node: it speaks for the host")
                } else {
                    "inheritance is `compatible`: any node may take what the host has".to_owned()
                };
                answer.fact("granted by", text, None);
                return;
            }
            None => {
                answer.fact("granted by", "nothing of the host is needed for it: any node may have it", None);
                return;
            }
        }
    }
}

fn nobody(inquiry: &Inquiry, asked: &Path, path: &Path) -> Answer {
    let leaf = inquiry.leaf_alias();
    let below: Vec<&Export> =
        inquiry.leaf.exports.iter().filter(|export| export.mount.starts_with(path)).collect();
    let sentence = if below.is_empty() {
        format!(
            "{} is not shown in {leaf}: no file of the family exports it, and nothing else of the host is there (default)",
            shown(asked)
        )
    } else {
        format!(
            "{} is not exported in {leaf}: it is an empty directory of the launch with what is mounted below it",
            shown(asked)
        )
    };
    let mut answer = Answer::new("mount", shown(asked), false, sentence);
    for export in below.iter().take(10) {
        let text =
            format!("{}, of {}", says(export).replacen("exports ", "", 1), inquiry.alias(export.level));
        answer.fact("below it", text, Some(&export.origin.place));
    }
    if below.len() > 10 {
        answer.fact("below it", format!("and {} more", below.len() - 10), None);
    }
    for (node, level) in inquiry.levels.iter().enumerate() {
        let private = level.as_ref().and_then(|level| {
            let export = &level.exports[cover(level, path)?];
            (export.private && export.level == node).then_some(export)
        });
        if let Some(export) = private {
            let text = format!("{} {} for itself alone", inquiry.alias(node), says(export));
            answer.fact("private", text, Some(&export.origin.place));
        }
    }
    if path == Path::new("/") {
        // RP0210 refuses what would be advised.
        answer.hint =
            Some("`/` is the launch's own root, and cannot be exported: ask for what is below it".to_owned());
        return answer;
    }
    answer.hint = Some(format!(
        "the root node speaks for the host: `- {{mount: {}, mode: Restricted}}` below `exports:` in {}; \
         a node may also show something of its own directory there",
        shown(path),
        inquiry.root_file()
    ));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_as_text() {
        for (path, expected) in
            [("/a/../b//c/.", "/b/c"), ("/../x", "/x"), ("/", "/"), ("/usr/bin/", "/usr/bin")]
        {
            assert_eq!(normal(Path::new(path)), Path::new(expected));
        }
    }
}
