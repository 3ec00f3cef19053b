//! Compatible families: exports of all nodes, by path, from anywhere on the host.

use std::path::{Path, PathBuf};

use redpak_model::effective::{Access, ExportKind};
use redpak_plan::launch_plan::{FileKind, MountKind, MountPoint, Source as Opened};
use redpak_plan::{NodeFacts, OwnFact};

use crate::world::{World, ats, bind, host, layers, node, world};

fn own_directory(world: &mut World, level: usize, beneath: &str) -> ExportKind {
    let there = OwnFact { kind: FileKind::Directory, empty: false };
    world.facts.nodes[level].own.insert(beneath.into(), there);
    bind(world.own(level, beneath), Access::ReadOnly)
}

fn opened(path: &str) -> Opened {
    Opened::Host { path: path.into() }
}

/// Sources of the binds by mount path.
fn sources(world: &World) -> Vec<(String, Opened)> {
    let source = |kind: &MountKind| match kind {
        MountKind::Bind { source, .. } => Some(source.clone()),
        _ => None,
    };
    let mounts = world.mounts();
    assert!(mounts.iter().all(|mount| mount.level == 0), "{mounts:?}");
    let bound =
        mounts.iter().filter_map(|mount| Some((mount.at.display().to_string(), source(&mount.kind)?)));
    bound.collect()
}

#[test]
fn mounts_come_by_path_whatever_node_they_are_of() {
    let mut world = world(3);
    world.facts.host.insert("/usr/lib64".into(), FileKind::Directory);
    // Nobody in a family of red-pak 2.5 has generations.
    for facts in &mut world.facts.nodes {
        *facts = NodeFacts { dev: facts.dev, ino: facts.ino, ..NodeFacts::default() };
    }
    let (usr, rpm, private) = (
        own_directory(&mut world, 2, "usr"),
        own_directory(&mut world, 2, "var/lib/rpm"),
        own_directory(&mut world, 2, "private"),
    );
    let platform = own_directory(&mut world, 1, "usr");
    world.export(0, "/lib64", bind(host("/usr/lib64"), Access::ReadOnly));
    world.export(0, "/var", ExportKind::Anonymous);
    world.export(0, "/home/n2", ExportKind::Symlink { target: "/nodes/_private".into() });
    world.export(1, "/nodes/n1/usr", platform);
    world.export(2, "/nodes/n2/usr", usr);
    world.export(2, "/nodes/_private", private);
    world.export(2, "/var/lib/rpm", rpm);
    // A child names a path of the host that no ancestor shows, and one below what an ancestor binds.
    world.export(1, "/lib64/hosts", bind(host("/etc/hosts"), Access::ReadOnly));
    world.export(2, "/nodes/n2/usr/share", bind(host("/srv"), Access::ReadWrite));
    world.compatible();
    let expected = [
        ("/lib64", opened("/usr/lib64")),
        ("/lib64/hosts", opened("/etc/hosts")),
        ("/nodes/_private", node(2, "private")),
        ("/nodes/n1/usr", node(1, "usr")),
        ("/nodes/n2/usr", node(2, "usr")),
        ("/nodes/n2/usr/share", opened("/srv")),
        ("/var/lib/rpm", node(2, "var/lib/rpm")),
    ];
    assert_eq!(sources(&world), expected.map(|(at, source)| (at.to_owned(), source)));
    let mounts = world.mounts();
    let at = |path: &str| mounts.iter().position(|mount| mount.at == Path::new(path)).unwrap();
    assert_eq!(mounts[at("/var")].kind, MountKind::Directory { mode: 0o755 });
    assert!(at("/var") < at("/var/lib/rpm"));
    assert_eq!(mounts[at("/home/n2")].kind, MountKind::Symlink { target: "/nodes/_private".into() });
}

#[test]
fn a_childs_mount_above_an_ancestors_comes_before_it() {
    let mut world = world(2);
    world.export(0, "/usr/local", bind(host("/srv"), Access::ReadOnly));
    world.export(1, "/usr", bind(host("/usr"), Access::ReadOnly));
    world.compatible();
    assert_eq!(ats(&world.mounts()), ["/usr", "/usr/local"]);
}

#[test]
fn overlays_stack_over_what_is_bound_there_by_anybody() {
    for binder in [0, 1, 2] {
        let mut world = world(3);
        world.export(0, "/etc/hosts", bind(host("/etc/hosts"), Access::ReadOnly));
        world.overlay(2, "/usr", "usr");
        world.overlay(1, "/usr", "usr");
        world.export(binder, "/usr", bind(host("/usr"), Access::ReadOnly));
        world.export(1, "/usr/local", bind(host("/srv"), Access::ReadWrite));
        world.compatible();
        let mounts = world.mounts();
        assert_eq!(ats(&mounts), ["/etc/hosts", "/usr", "/usr/local"], "{binder}");
        assert!(mounts.iter().all(|mount| mount.level == 0));
        let usr = ".redpak/gen/1/usr";
        assert_eq!(layers(&mounts[1]), [node(2, usr), node(1, usr), opened("/usr")], "{binder}");
        let MountKind::Overlay { mount_points, .. } = &mounts[1].kind else { panic!() };
        assert_eq!(*mount_points, [(PathBuf::from("local"), MountPoint::Directory)]);
    }
}

#[test]
fn an_overlay_below_a_bind_is_laid_over_what_the_bind_shows() {
    let mut world = world(2);
    let share = ".redpak/gen/1/usr/share";
    world.facts.nodes[0].own.insert(share.into(), OwnFact { kind: FileKind::Directory, empty: false });
    // The overlay's node is above the one that binds `/usr`, and a third mount follows.
    world.overlay(0, "/usr/share", "usr/share");
    world.export(1, "/usr", bind(host("/usr"), Access::ReadOnly));
    world.export(0, "/var", bind(host("/srv"), Access::ReadOnly));
    world.compatible();
    let mounts = world.mounts();
    assert_eq!(ats(&mounts), ["/usr", "/usr/share", "/var"]);
    let below = Opened::Tree { inside: "/usr/share".into(), entry: 0 };
    assert_eq!(layers(&mounts[1]), [node(0, share), below]);
    // It is found in what is mounted before: in a group of its own, and groups do not go back.
    assert_eq!(mounts.iter().map(|mount| mount.level).collect::<Vec<_>>(), [0, 1, 1]);
}

#[test]
fn what_lies_on_something_hidden_has_its_mount_point_there() {
    let mut world = world(2);
    world.export(0, "/opt", ExportKind::Tmpfs { size: None });
    world.export(1, "/opt/a/b", bind(host("/srv"), Access::ReadOnly));
    world.export(1, "/opt/a", ExportKind::Anonymous);
    world.export(0, "/opt/link", ExportKind::Symlink { target: "a".into() });
    world.compatible();
    let mounts = world.mounts();
    assert_eq!(ats(&mounts), ["/opt", "/opt/a", "/opt/a/b", "/opt/link"]);
    assert!(mounts.iter().all(|mount| mount.level == 0));
}

#[test]
fn the_strict_order_is_by_level() {
    let mut world = world(2);
    world.export(0, "/usr", bind(host("/usr"), Access::ReadOnly));
    world.export(1, "/srv", bind(world.own(1, "usr"), Access::ReadOnly));
    let levels = |world: &World| world.mounts().iter().map(|mount| mount.level).collect::<Vec<_>>();
    assert_eq!((ats(&world.mounts()), levels(&world)), (vec!["/usr", "/srv"], vec![0, 1]));
    world.compatible();
    assert_eq!((ats(&world.mounts()), levels(&world)), (vec!["/srv", "/usr"], vec![0, 0]));
}
