//! Plans made by hand.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use redpak_plan::launch_plan::{
    Attrs, Content, FileKind, FileLock, IdRange, Ids, LaunchPlan, Mount, MountKind, Namespaces, NodeDir,
    PLAN_VERSION, Rights, Source, Tmpfs,
};

use crate::harness::{SOMEBODY, Who};

pub const READ_ONLY: Attrs = Attrs { read_only: true, nosuid: true, nodev: true, noexec: false };
pub const WRITABLE: Attrs = Attrs { read_only: false, nosuid: true, nodev: true, noexec: false };

/// A plan over the host's `/usr` for this shell script, with one node.
pub fn shell(who: Who, node: &Path, script: &str) -> LaunchPlan {
    plan(who, node, &["/bin/sh", "-c", script])
}

/// A plan over the host's `/usr` with one node, all namespaces, and no rights.
pub fn plan(who: Who, node: &Path, command: &[&str]) -> LaunchPlan {
    let text = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    LaunchPlan {
        version: PLAN_VERSION,
        alias: "test".into(),
        redpath: node.to_owned(),
        admin: false,
        nodes: vec![node_dir(node)],
        new_directories: vec![],
        namespaces: Namespaces { user: true, pid: true, net: true, ipc: true, uts: true, cgroup: true },
        ids: ids(who),
        hostname: Some("inside".into()),
        root: Tmpfs { size: 4 << 20, mode: 0o755 },
        mounts: system(),
        locks: vec![],
        rights: Rights { capabilities: vec![], no_new_privs: true },
        umask: 0o027,
        environ: vec![("PATH".into(), "/usr/bin:/bin:/usr/sbin:/sbin".into()), ("LANG".into(), "C".into())],
        cwd: "/".into(),
        new_session: false,
        die_with_parent: false,
        command: text(command),
        unjudged: vec![],
    }
}

pub fn node_dir(path: &Path) -> NodeDir {
    let found = std::fs::metadata(path).expect("the node exists");
    NodeDir { path: path.to_owned(), dev: found.dev(), ino: found.ino(), generation: None }
}

fn ids(who: Who) -> Ids {
    let map = |inside, count| vec![IdRange { inside, outside: inside, count }];
    match who {
        Who::Root => Ids {
            uid_map: map(0, u32::MAX),
            gid_map: map(0, u32::MAX),
            deny_setgroups: false,
            drop_groups: true,
            uid: 0,
            gid: 0,
        },
        Who::User => Ids {
            uid_map: map(SOMEBODY, 1),
            gid_map: map(SOMEBODY, 1),
            deny_setgroups: true,
            drop_groups: false,
            uid: SOMEBODY,
            gid: SOMEBODY,
        },
    }
}

fn system() -> Vec<Mount> {
    let dev = ["null", "zero", "full", "random", "urandom", "tty"].map(str::to_owned).to_vec();
    vec![
        host("/usr", "/usr", READ_ONLY, FileKind::Directory),
        link("/bin", "usr/bin"),
        link("/lib", "usr/lib"),
        link("/lib64", "usr/lib64"),
        link("/sbin", "usr/sbin"),
        mount("/dev", MountKind::Dev { devices: dev, shm_size: 1 << 20 }),
        mount("/proc", MountKind::Proc { read_only: vec![] }),
        mount("/tmp", MountKind::Tmpfs(Tmpfs { size: 1 << 20, mode: 0o1777 })),
    ]
}

/// A mount of level 0.
pub fn mount(at: &str, kind: MountKind) -> Mount {
    Mount { at: at.into(), level: 0, kind, origin: format!("test.yaml:{at}") }
}

pub fn link(at: &str, target: &str) -> Mount {
    mount(at, MountKind::Symlink { target: target.into() })
}

pub fn bind(at: &str, source: Source, attrs: Attrs, file: FileKind) -> Mount {
    mount(at, MountKind::Bind { source, attrs, file })
}

pub fn host(at: &str, path: &str, attrs: Attrs, file: FileKind) -> Mount {
    bind(at, Source::Host { path: path.into() }, attrs, file)
}

/// A file that holds this text.
pub fn file(at: &str, text: &str, mode: u32) -> Mount {
    mount(at, MountKind::File { content: Content::Text(text.into()), mode })
}

/// A file that is filled like this.
pub fn filled(at: &str, content: Content) -> Mount {
    mount(at, MountKind::File { content, mode: 0o644 })
}

pub fn device(at: &str, source: Source) -> Mount {
    mount(at, MountKind::Device { source })
}

pub fn lock(at: &str) -> FileLock {
    FileLock { at: at.into(), origin: format!("test.yaml:{at}") }
}

/// Beneath the first node.
pub fn own(beneath: &str) -> Source {
    Source::Node { node: 0, beneath: beneath.into() }
}

pub fn inside(path: &str, entry: usize) -> Source {
    Source::Tree { inside: path.into(), entry }
}

/// Adds a mount of a level; its index.
pub fn add(plan: &mut LaunchPlan, level: usize, mount: Mount) -> usize {
    plan.mounts.push(Mount { level, ..mount });
    plan.mounts.len() - 1
}
