//! The plan of package work: the flat view of the family, writable where packages may write, and nowhere else.
//!
//! Each snippet directory (`/usr`, `/etc`, `/opt`) is one overlay: the staging directory on top, then the
//! generations of the family, leaf first, then what the root node shows of the host. No network, no other export.

use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;
use redpak_model::effective::{Effective, ExportKind, Lies};

use crate::environment::DEFAULT_PATH;
use crate::facts::HostFacts;
use crate::identity;
use crate::launch_plan::{
    Attrs, Content, FileKind, LaunchPlan, Mount, MountKind, MountPoint, Namespaces, PLAN_VERSION, Rights,
    Source, Tmpfs, Upper,
};
use crate::mounts::{OVERLAY, TMPFS_SIZE};
use crate::planner::{ROOT_SIZE, node_dirs};
use crate::refused;

/// Directories of a generation that packages may write into; everything else of a payload is refused.
pub const SNIPPET: [&str; 3] = ["usr", "etc", "opt"];
/// Where the RPM database of a generation is, relative to its root.
pub const RPMDB: &str = "usr/lib/sysimage/rpm";
/// What librpm and scriptlets need of root's rights in the sandbox (capabilities(7)): CHOWN, DAC_OVERRIDE,
/// DAC_READ_SEARCH, FOWNER, FSETID, KILL, SETGID, SETUID, SYS_CHROOT, SETFCAP.
pub const CAPABILITIES: [u8; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 18, 31];

/// Where the stage lies, relative to the leaf's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionView {
    /// For a snippet directory `usr`: `upper/usr` and `work/usr` stand below this directory.
    pub stage: PathBuf,
    /// The copy of the database that librpm writes.
    pub rpmdb: PathBuf,
    /// `/etc/passwd` and `/etc/group` of the sandbox are laid, read-only, over the view's.
    pub accounts: bool,
}

/// Plans package work in the leaf. `None` when a finding is an error.
pub fn transaction_plan(
    effective: &Effective,
    facts: &HostFacts,
    view: &TransactionView,
) -> (Option<LaunchPlan>, Vec<Finding>) {
    // What a family asks for and this version cannot put in force narrows what its packages' scriptlets may do, too.
    let mut findings = refused::refused(effective);
    findings.extend(refused::unjudged(effective));
    let leaf = effective.nodes.len() - 1;
    let ids = identity::ids(facts, true, false);
    let mut mounts = Vec::new();
    let mut add = |at: &str, kind: MountKind| {
        mounts.push(Mount { at: at.into(), level: leaf, kind, origin: "package work".into() });
    };
    for (at, target) in links(effective) {
        add(&at, MountKind::Symlink { target });
    }
    let writable = Attrs { read_only: false, ..OVERLAY };
    for top in SNIPPET {
        let own = |part: &str| Source::Node { node: leaf, beneath: view.stage.join(part).join(top) };
        add(
            &format!("/{top}"),
            MountKind::Overlay {
                layers: layers(effective, facts, top),
                mount_points: mount_points(top, view.accounts),
                upper: Some(Upper { upper: own("upper"), work: own("work") }),
                attrs: writable,
            },
        );
    }
    let bind = |beneath: &Path| MountKind::Bind {
        source: Source::Node { node: leaf, beneath: beneath.to_owned() },
        attrs: writable,
        file: FileKind::Directory,
    };
    add(&format!("/{RPMDB}"), bind(&view.rpmdb));
    add("/var", bind(Path::new("var")));
    if view.accounts {
        add(
            "/etc/passwd",
            MountKind::File { content: Content::Text(identity::passwd(facts, &ids, "/")), mode: 0o644 },
        );
        add(
            "/etc/group",
            MountKind::File { content: Content::Text(identity::group(facts, &ids)), mode: 0o644 },
        );
    }
    add("/proc", MountKind::Proc { read_only: facts.proc_writable.clone() });
    add("/dev", MountKind::Dev { devices: facts.devices.clone(), shm_size: TMPFS_SIZE });
    add("/tmp", MountKind::Tmpfs(Tmpfs { size: TMPFS_SIZE, mode: 0o1777 }));
    add("/run", MountKind::Tmpfs(Tmpfs { size: TMPFS_SIZE, mode: 0o755 }));
    let head = &effective.nodes[leaf];
    let plan = LaunchPlan {
        version: PLAN_VERSION,
        alias: head.alias.clone(),
        redpath: head.redpath.clone(),
        admin: true,
        nodes: node_dirs(effective, facts),
        new_directories: vec![],
        namespaces: Namespaces { user: true, pid: true, net: true, ipc: true, uts: true, cgroup: true },
        ids,
        hostname: Some(head.alias.clone()),
        root: Tmpfs { size: ROOT_SIZE, mode: 0o755 },
        mounts,
        locks: Vec::new(),
        rights: Rights { capabilities: CAPABILITIES.to_vec(), no_new_privs: true },
        umask: 0o022,
        environ: [("HOME", "/"), ("LANG", "C.UTF-8"), ("PATH", DEFAULT_PATH), ("TERM", "dumb")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .to_vec(),
        cwd: "/".into(),
        new_session: true,
        die_with_parent: true,
        command: vec![],
        unjudged: vec![],
    };
    if findings.is_empty() { (Some(plan), findings) } else { (None, findings) }
}

/// `/bin -> usr/bin` and the like: the family's own links of one component, else what merged systems have.
fn links(effective: &Effective) -> Vec<(String, String)> {
    let mut links: Vec<(String, String)> = effective
        .exports
        .iter()
        .filter_map(|export| match (&export.kind, export.mount.to_str()) {
            (ExportKind::Symlink { target }, Some(at)) if at.matches('/').count() == 1 => {
                Some((at.to_owned(), target.clone()))
            }
            _ => None,
        })
        .collect();
    for top in ["bin", "lib", "lib64", "sbin"] {
        let at = format!("/{top}");
        if !links.iter().any(|(have, _)| *have == at) {
            links.push((at, format!("usr/{top}")));
        }
    }
    links
}

/// Layers of a snippet directory, leaf first; the leaf's own stands there even when empty, for overlayfs wants one.
fn layers(effective: &Effective, facts: &HostFacts, top: &str) -> Vec<Source> {
    let leaf = effective.nodes.len() - 1;
    let mut layers: Vec<Source> = (0..=leaf)
        .rev()
        .filter_map(|node| {
            let beneath = facts.nodes[node].resolve(&Path::new(".redpak/current").join(top));
            let fact = facts.nodes[node].own.get(&beneath)?;
            (fact.kind == FileKind::Directory && (node == leaf || !fact.empty))
                .then_some(Source::Node { node, beneath })
        })
        .collect();
    if top == "usr" && shows_host(effective) {
        layers.push(Source::Host { path: "/usr".into() });
    }
    layers
}

/// Whether the root node shows anything of the host's software; a bare one does not.
pub fn shows_host(effective: &Effective) -> bool {
    effective.exports.iter().any(|export| match &export.kind {
        ExportKind::Bind { source, .. } | ExportKind::Overlay { source } => {
            export.level == 0 && source.lies == Lies::Host && source.host.starts_with("/usr")
        }
        _ => false,
    })
}

/// Whether a node's own files export a directory that packages own: then it has packages, and generations for them.
pub fn has_packages(effective: &Effective, level: usize) -> bool {
    effective.exports.iter().filter(|export| export.level == level).any(|export| match &export.kind {
        ExportKind::Bind { source, .. } | ExportKind::Overlay { source } => match &source.lies {
            // NODE/etc holds the configuration; packaged /etc is in the generation only.
            Lies::Own { beneath } => {
                beneath.starts_with(".redpak")
                    || SNIPPET.iter().any(|top| *top != "etc" && beneath.starts_with(top))
            }
            _ => false,
        },
        _ => false,
    })
}

fn mount_points(top: &str, accounts: bool) -> Vec<(PathBuf, MountPoint)> {
    match top {
        "usr" => vec![("lib/sysimage/rpm".into(), MountPoint::Directory)],
        "etc" if accounts => vec![("group".into(), MountPoint::File), ("passwd".into(), MountPoint::File)],
        _ => vec![],
    }
}
