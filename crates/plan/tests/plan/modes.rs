//! Files of commands and descriptors, devices, locks, mqueues.

use std::path::{Path, PathBuf};

use redpak_model::effective::{Access, ExportKind, Lies, Share, Source};
use redpak_plan::LaunchPlan;
use redpak_plan::launch_plan::{Attrs, Content, FileKind, FileLock, MountKind, MountPoint, Source as Opened};
use redpak_plan::planner::ROOT_SIZE;

use crate::world::{World, ats, bind, codes, host, layers, places, world};

fn execfd(output: Option<&[u8]>) -> ExportKind {
    ExportKind::Execfd { command: "getent passwd".into(), output: output.map(<[u8]>::to_vec) }
}

fn contents(plan: &LaunchPlan) -> Vec<&Content> {
    let content = |kind| match kind {
        &MountKind::File { ref content, mode } => {
            assert_eq!(mode, 0o644);
            Some(content)
        }
        _ => None,
    };
    plan.mounts.iter().filter_map(|mount| content(&mount.kind)).collect()
}

#[test]
fn files_hold_text_bytes_or_what_a_descriptor_gives() {
    let mut world = world(2);
    world.export(0, "/etc/a", execfd(Some(b"root:x\n")));
    world.export(0, "/etc/b", execfd(Some(b"\xff\0")));
    world.export(0, "/etc/c", execfd(Some(b"")));
    world.export(1, "/etc/d", ExportKind::Internal { descriptor: 7 });
    let plan = world.launch();
    assert_eq!(
        contents(&plan),
        [
            &Content::Text("root:x\n".into()),
            &Content::Bytes(vec![0xff, 0]),
            &Content::Text(String::new()),
            &Content::Descriptor(7)
        ]
    );
    assert_eq!(plan.mounts[3].level, 1);
}

#[test]
fn the_root_has_room_for_its_files() {
    let mib = 1 << 20;
    for (files, expected) in [
        (vec![], 0),
        (vec![execfd(Some(&[b'x'; 4096]))], 0),
        (vec![execfd(Some(&vec![b'x'; mib])), execfd(Some(b"x"))], 4096),
        (vec![execfd(Some(&vec![b'x'; mib])), execfd(Some(&vec![0xff; mib]))], mib as u64),
        (vec![ExportKind::Internal { descriptor: 3 }; 3], 2 * mib as u64),
    ] {
        let mut world = world(1);
        for (index, file) in files.into_iter().enumerate() {
            world.export(0, &format!("/etc/{index}"), file);
        }
        assert_eq!(world.launch().root.size, ROOT_SIZE + expected);
    }
}

#[test]
fn a_command_that_was_not_run_is_shown_or_refused() {
    let mut world = world(2);
    world.export(1, "/etc/a", execfd(None));
    let (plan, findings) = world.request(false);
    assert!(plan.is_none());
    assert_eq!(codes(&findings), ["RP0213"]);
    assert_eq!(places(&findings), ["n1.yaml:1:1"]);
    let (plan, findings) = world.request(true);
    assert_eq!(contents(&plan.unwrap()), [&Content::Command("getent passwd".into())]);
    assert_eq!(findings, []);
}

fn device(source: Source) -> ExportKind {
    ExportKind::Device { source }
}

#[test]
fn a_device_is_a_device_node_or_a_finding() {
    for (kind, expected) in [
        (Some(FileKind::Device), None),
        (Some(FileKind::File), Some("RP0507")),
        (Some(FileKind::Directory), Some("RP0507")),
        (None, Some("RP0501")),
    ] {
        let mut world = world(1);
        world.facts.host.extend(kind.map(|kind| (PathBuf::from("/dev/ttyS0"), kind)));
        world.export(0, "/dev/serial", device(host("/dev/ttyS0")));
        let (mounts, findings) = world.plan();
        assert_eq!(codes(&findings), expected.into_iter().collect::<Vec<_>>(), "{kind:?}");
        assert!(findings.iter().all(|finding| finding.place.is_some()));
        match (kind, mounts) {
            (Some(FileKind::Device), Some(mounts)) => {
                let source = Opened::Host { path: "/dev/ttyS0".into() };
                assert_eq!(mounts[0].kind, MountKind::Device { source });
            }
            (None, Some(mounts)) => assert!(mounts.is_empty()),
            (kind, mounts) => assert!(mounts.is_none() && kind != Some(FileKind::Device)),
        }
        world.effective.exports[0].optional = true;
        assert_eq!(world.plan_with(true).0.is_some(), matches!(kind, None | Some(FileKind::Device)));
        world.effective.exports[0].optional = false;
        assert_eq!(world.plan_with(true).0.is_some(), kind == Some(FileKind::Device));
    }
}

#[test]
fn a_device_that_is_bound_as_a_file_gives_no_access() {
    let mut world = world(1);
    world.facts.host.insert("/dev/ttyS0".into(), FileKind::Device);
    world.export(0, "/a", bind(host("/dev/ttyS0"), Access::ReadWrite));
    let file = ExportKind::Bind { source: host("/dev/ttyS0"), access: Access::ReadOnly, file: true };
    world.export(0, "/b", file);
    for mount in world.mounts() {
        let MountKind::Bind { attrs, file, .. } = mount.kind else { panic!("{mount:?}") };
        assert!(attrs.nodev && file == FileKind::File);
    }
}

#[test]
fn an_inherited_device_is_opened_in_the_tree() {
    let mut world = world(2);
    world.facts.host.insert("/dev/ttyS0".into(), FileKind::Device);
    let export = world.export(0, "/dev/serial", device(host("/dev/ttyS0")));
    let lies = Lies::Inherited { export, inside: "/dev/serial".into() };
    world.export(1, "/dev/mine", device(Source { host: "/dev/ttyS0".into(), lies }));
    let mounts = world.mounts();
    let source = Opened::Tree { inside: "/dev/serial".into(), entry: 0 };
    assert_eq!(mounts[1].kind, MountKind::Device { source });
    assert_eq!(mounts[1].level, 1);
}

/// `/usr` of the host, things on it, a source taken out of it, and a late overlay of `/usr`.
fn late_overlay(below: &[(&str, ExportKind)]) -> World {
    let mut world = world(3);
    world.facts.host.insert("/dev/ttyS0".into(), FileKind::Device);
    let usr = world.export(0, "/usr", bind(host("/usr"), Access::ReadOnly));
    for (at, kind) in below {
        world.export(0, at, kind.clone());
    }
    world.facts.host.insert("/usr/share".into(), FileKind::Directory);
    let lies = Lies::Inherited { export: usr, inside: "/usr/share".into() };
    world.export(1, "/srv/share", bind(Source { host: "/usr/share".into(), lies }, Access::ReadOnly));
    world.overlay(2, "/usr", "usr");
    world
}

#[test]
fn a_device_below_a_late_overlay_stays_one() {
    let world = late_overlay(&[
        ("/usr/dev", ExportKind::Devfs),
        ("/usr/file", execfd(Some(b"x"))),
        ("/usr/mq", ExportKind::Mqueue),
        ("/usr/tty", device(host("/dev/ttyS0"))),
    ]);
    let mounts = world.mounts();
    let again: Vec<_> = mounts[7..].iter().map(|mount| (mount.at.to_str().unwrap(), &mount.kind)).collect();
    assert_eq!(
        again.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        ["/usr/dev", "/usr/file", "/usr/mq", "/usr/tty"]
    );
    let tree = |at: &str, entry| Opened::Tree { inside: at.into(), entry };
    let attrs = Attrs { read_only: false, nosuid: true, nodev: true, noexec: false };
    let bound = |at, entry, attrs, file| MountKind::Bind { source: tree(at, entry), attrs, file };
    let open = Attrs { nodev: false, ..attrs };
    assert_eq!(*again[0].1, bound("/usr/dev", 1, open, FileKind::Directory));
    assert_eq!(*again[1].1, bound("/usr/file", 2, attrs, FileKind::File));
    assert_eq!(*again[2].1, bound("/usr/mq", 3, attrs, FileKind::Directory));
    assert_eq!(*again[3].1, MountKind::Device { source: tree("/usr/tty", 4) });
    let MountKind::Overlay { mount_points, .. } = &mounts[6].kind else { panic!("{:?}", mounts[6]) };
    let expected = [
        ("dev", MountPoint::Directory),
        ("file", MountPoint::File),
        ("mq", MountPoint::Directory),
        ("tty", MountPoint::File),
    ];
    assert_eq!(*mount_points, expected.map(|(path, point)| (PathBuf::from(path), point)));
}

#[test]
fn a_lock_puts_nothing_at_its_path() {
    let mut world = world(2);
    world.export(0, "/srv", bind(host("/srv"), Access::ReadOnly));
    world.export(0, "/srv/lock", ExportKind::Lock);
    world.export(1, "/srv/lock/below", ExportKind::Lock);
    world.export(1, "/usr", bind(host("/usr"), Access::ReadOnly));
    world.export(1, "/usr/.ref", ExportKind::Lock);
    let plan = world.launch();
    assert_eq!(ats(&plan.mounts), ["/srv", "/usr"]);
    let lock = |at: &str, origin: &str| FileLock { at: at.into(), origin: origin.into() };
    assert_eq!(
        plan.locks,
        [
            lock("/srv/lock", "n0.yaml:2:1"),
            lock("/srv/lock/below", "n1.yaml:3:1"),
            lock("/usr/.ref", "n1.yaml:5:1")
        ]
    );
    // Neither is it a mount point of an overlay, nor does it hide one.
    let mut world = self::world(2);
    world.export(0, "/usr", bind(host("/usr"), Access::ReadOnly));
    world.export(0, "/usr/local", ExportKind::Lock);
    world.export(0, "/usr/local/data", bind(host("/srv"), Access::ReadOnly));
    world.overlay(1, "/usr", "usr");
    let MountKind::Overlay { mount_points, .. } = &world.mounts()[0].kind else { panic!() };
    assert_eq!(*mount_points, [(PathBuf::from("local/data"), MountPoint::Directory)]);
}

#[test]
fn a_lock_that_nobody_else_sees_is_told() {
    let mut world = world(2);
    world.export(0, "/usr", bind(host("/usr"), Access::ReadOnly));
    world.export(0, "/usr/.ref", ExportKind::Lock);
    let (plan, findings) = world.request(false);
    assert!(plan.is_some() && findings.is_empty(), "{findings:?}");
    world.overlay(1, "/usr", "usr");
    let (plan, findings) = world.request(false);
    assert_eq!(plan.unwrap().locks.len(), 1);
    assert_eq!((codes(&findings), places(&findings)), (vec!["RP0508"], vec!["n0.yaml:2:1".to_owned()]));
    // What is bound on the overlay is seen by others again.
    world.export(1, "/usr/.ref", bind(host("/srv"), Access::ReadOnly));
    assert_eq!(world.request(false).1, []);
}

#[test]
fn a_mqueue_needs_an_ipc_namespace_of_its_own() {
    let mut world = world(1);
    world.export(0, "/dev/mqueue", ExportKind::Mqueue);
    assert_eq!(world.mounts()[0].kind, MountKind::Mqueue);
    world.effective.settings.share.ipc = Some(world.sourced(0, 9, Share::Isolated));
    assert_eq!(world.mounts()[0].kind, MountKind::Mqueue);
    world.effective.settings.share.ipc = Some(world.sourced(0, 9, Share::Shared));
    let (plan, findings) = world.request(false);
    assert!(plan.is_none());
    assert_eq!((codes(&findings), places(&findings)), (vec!["RP0505"], vec!["n0.yaml:1:1".to_owned()]));
    assert_eq!(findings[0].related[0].1.to_string(), "n0.yaml:9:3");
    // Root without a user namespace has rights over the host's.
    world.facts.uid = 0;
    world.effective.settings.share.user = Some(world.sourced(0, 8, Share::Shared));
    assert_eq!(world.mounts()[0].kind, MountKind::Mqueue);
}

/// One of each kind of mount, and everything else that is not empty.
pub fn everything() -> World {
    let mut world = late_overlay(&[("/usr/local", bind(host("/srv"), Access::ReadWrite))]);
    world.facts.devices = vec!["null".into()];
    world.facts.proc_writable = vec!["sys".into()];
    world.effective.settings.hostname = Some(world.sourced(0, 90, "name".to_owned()));
    world.effective.settings.capabilities = vec![("CAP_KILL".into(), world.sourced(0, 91, true))];
    let data = world.own(2, "data");
    for (at, kind) in [
        ("/a", ExportKind::Anonymous),
        ("/b", execfd(Some(b"it's\n"))),
        ("/c", execfd(Some(b"\xfe"))),
        ("/d", ExportKind::Internal { descriptor: 4 }),
        ("/data", bind(data, Access::ReadWrite)),
        ("/dev", ExportKind::Devfs),
        ("/dev/mqueue", ExportKind::Mqueue),
        ("/dev/tty", device(host("/dev/ttyS0"))),
        ("/l", ExportKind::Symlink { target: "a".into() }),
        ("/p", ExportKind::Passwd),
        ("/proc", ExportKind::Procfs),
        ("/tmp", ExportKind::Tmpfs { size: Some(8192) }),
        ("/usr/.ref", ExportKind::Lock),
    ] {
        world.export(2, at, kind);
    }
    world
}

#[test]
fn a_plan_printed_as_json_is_read_as_the_same() {
    let mut world = everything();
    world.export(2, "/x", execfd(None));
    world.effective.unjudged.push(redpak_model::effective::Unjudged {
        what: "`hostname`".into(),
        text: "$(hostname)\n\u{7f}\"".into(),
        left_out: true,
        origin: world.sourced(1, 2, ()).origin,
    });
    let plan = world.request(true).0.unwrap();
    assert!(!plan.locks.is_empty() && !plan.new_directories.is_empty() && plan.unjudged.len() == 1);
    let kinds: std::collections::BTreeSet<_> = plan
        .mounts
        .iter()
        .map(|mount| serde_json::to_value(&mount.kind).unwrap()["kind"].to_string())
        .collect();
    assert_eq!(kinds.len(), 10, "a kind of mount is missing: {kinds:?}");
    for text in [serde_json::to_string(&plan), serde_json::to_string_pretty(&plan)].map(Result::unwrap) {
        assert_eq!(serde_json::from_str::<LaunchPlan>(&text).unwrap(), plan);
    }
    assert_eq!(layers(plan.mounts.iter().rfind(|mount| mount.at == Path::new("/usr")).unwrap()).len(), 2);
}
