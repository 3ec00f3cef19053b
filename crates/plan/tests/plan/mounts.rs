//! From exports to mounts: layers, order, what is left out.

use std::collections::BTreeMap;
use std::path::Path;

use redpak_model::effective::{Access, ExportKind, Lies, Source};
use redpak_plan::launch_plan::{FileKind, MountKind, MountPoint, Source as Opened};
use redpak_plan::{OwnFact, Request, launch_plan};

use crate::world::{ats, bind, host, layers, node, world};

#[test]
fn the_family_is_one_flat_overlay_over_the_host() {
    let mut world = world(3);
    world.export(0, "/usr", bind(host("/usr"), Access::ReadOnly));
    world.overlay(1, "/usr", "usr");
    world.overlay(2, "/usr", "usr");
    let mounts = world.mounts();
    assert_eq!(ats(&mounts), ["/usr"]);
    assert_eq!(
        layers(&mounts[0]),
        [node(2, ".redpak/gen/1/usr"), node(1, ".redpak/gen/1/usr"), Opened::Host { path: "/usr".into() }]
    );
}

#[test]
fn layers_without_content_are_left_out_unless_all_are() {
    let mut world = world(2);
    world.overlay(1, "/opt", "opt");
    world.overlay(1, "/usr", "usr");
    world.facts.nodes[1]
        .own
        .insert(".redpak/gen/1/usr".into(), OwnFact { kind: FileKind::Directory, empty: true });
    let mounts = world.mounts();
    // Of /opt there is no directory, of /usr an empty one, which is shown read-only.
    assert_eq!(mounts[0].kind, MountKind::Directory { mode: 0o755 });
    assert_eq!(layers(&mounts[1]), [node(1, ".redpak/gen/1/usr")]);
    world.export(0, "/usr", bind(host("/usr"), Access::ReadOnly));
    world.effective.exports.rotate_right(1);
    assert_eq!(layers(&world.mounts()[0]), [Opened::Host { path: "/usr".into() }]);
}

#[test]
fn an_overlay_comes_before_what_ancestors_mount_below_it() {
    let mut world = world(2);
    world.export(0, "/etc/hosts", bind(host("/etc/hosts"), Access::ReadOnly));
    world.export(0, "/etc/mtab", ExportKind::Symlink { target: "/proc/self/mounts".into() });
    world.export(0, "/etc/passwd", ExportKind::Passwd);
    world.overlay(1, "/etc", ".redpak/current/etc");
    let mounts = world.mounts();
    assert_eq!(ats(&mounts), ["/etc", "/etc/hosts", "/etc/passwd"]);
    assert_eq!(mounts[0].level, 0, "levels must not go back");
    let MountKind::Overlay { mount_points, .. } = &mounts[0].kind else { panic!("no overlay") };
    let points: BTreeMap<&Path, &MountPoint> =
        mount_points.iter().map(|(path, point)| (path.as_path(), point)).collect();
    assert_eq!(points[Path::new("hosts")], &MountPoint::File);
    assert_eq!(points[Path::new("passwd")], &MountPoint::File);
    assert_eq!(points[Path::new("mtab")], &MountPoint::Symlink("/proc/self/mounts".into()));
}

#[test]
fn a_source_between_two_layers_sees_the_tree_of_its_own_level() {
    let mut world = world(3);
    world.export(0, "/etc/hosts", bind(host("/etc/hosts"), Access::ReadOnly));
    let usr = world.export(0, "/usr", bind(host("/usr"), Access::ReadOnly));
    world.facts.host.insert("/usr/share".into(), FileKind::Directory);
    let inherited = Source {
        host: "/usr/share".into(),
        lies: Lies::Inherited { export: usr, inside: "/usr/share".into() },
    };
    world.export(1, "/srv/share", bind(inherited, Access::ReadOnly));
    world.overlay(2, "/usr", "usr");
    let mounts = world.mounts();
    assert_eq!(ats(&mounts), ["/etc/hosts", "/usr", "/srv/share", "/usr"]);
    assert!(matches!(mounts[1].kind, MountKind::Bind { .. }), "the host's /usr alone at first");
    let MountKind::Bind { source: Opened::Tree { entry, .. }, .. } = &mounts[2].kind else {
        panic!("{:?}", mounts[2])
    };
    assert_eq!(*entry, 1);
    assert_eq!(layers(&mounts[3]).len(), 2);
}

#[test]
fn what_is_mounted_below_a_late_overlay_is_bound_again() {
    let mut world = world(3);
    let usr = world.export(0, "/usr", bind(host("/usr"), Access::ReadOnly));
    world.export(0, "/usr/local", bind(host("/srv"), Access::ReadOnly));
    world.facts.host.insert("/usr/share".into(), FileKind::Directory);
    let inherited = Source {
        host: "/usr/share".into(),
        lies: Lies::Inherited { export: usr, inside: "/usr/share".into() },
    };
    world.export(1, "/srv/share", bind(inherited, Access::ReadOnly));
    world.overlay(2, "/usr", "usr");
    let mounts = world.mounts();
    assert_eq!(ats(&mounts), ["/usr", "/usr/local", "/srv/share", "/usr", "/usr/local"]);
    let MountKind::Bind { source: Opened::Tree { inside, entry }, .. } = &mounts[4].kind else {
        panic!("{:?}", mounts[4])
    };
    assert_eq!((inside.to_str(), *entry), (Some("/usr/local"), 1));
}

#[test]
fn a_missing_source_is_skipped_told_or_refused() {
    for (optional, strict, expected_findings, planned) in
        [(false, false, 1, true), (true, false, 0, true), (false, true, 1, false), (true, true, 0, true)]
    {
        let mut world = world(1);
        let index = world.export(0, "/gone", bind(host("/gone"), Access::ReadOnly));
        world.effective.exports[index].optional = optional;
        let (mounts, findings) = world.plan_with(strict);
        assert_eq!(findings.len(), expected_findings, "{optional} {strict}");
        assert_eq!(mounts.is_some(), planned, "{optional} {strict}");
        assert!(mounts.is_none_or(|mounts| mounts.is_empty()));
    }
}

#[test]
fn what_lies_in_something_that_was_skipped_is_skipped_too() {
    let mut world = world(2);
    let gone = world.export(0, "/gone", bind(host("/gone"), Access::ReadOnly));
    let source =
        Source { host: "/gone/x".into(), lies: Lies::Inherited { export: gone, inside: "/gone/x".into() } };
    world.export(1, "/x", bind(source, Access::ReadOnly));
    let (mounts, findings) = world.plan();
    assert_eq!(mounts.map(|mounts| mounts.len()), Some(0));
    assert_eq!(findings.len(), 2);
}

#[test]
fn nothing_mounts_a_generation_writable() {
    for (mode, source_of) in [
        ("a snippet link", "usr"),
        ("the generation", ".redpak/current/etc"),
        ("the node's directory, which holds it", ""),
        ("redpak's own directory", ".redpak"),
    ] {
        let mut world = world(2);
        let source = world.own(1, source_of);
        let beneath = world.facts.nodes[1].resolve(Path::new(source_of));
        world.facts.nodes[1].own.insert(beneath, OwnFact { kind: FileKind::Directory, empty: false });
        world.export(1, "/mnt", bind(source, Access::ReadWrite));
        let (mounts, findings) = world.plan();
        let mounts = mounts.unwrap_or_default();
        let MountKind::Bind { attrs, .. } = &mounts[0].kind else { panic!("{mode}: {:?}", mounts[0]) };
        assert!(attrs.read_only, "{mode}");
        assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["RP0503"], "{mode}");
    }
}

#[test]
fn nothing_mounts_a_nodes_configuration_writable() {
    for (beneath, writable) in [
        (".rednode.yaml", false),
        ("etc", false),
        ("etc/redpak.yaml", false),
        ("etc/yum.repos.d/a.repo", false),
        ("etc/app", true),
        ("etc/yum.repos.d.old", true),
        ("var", true),
    ] {
        let mut world = world(2);
        let source = world.own(1, beneath);
        world.facts.nodes[1].own.insert(beneath.into(), OwnFact { kind: FileKind::Directory, empty: false });
        world.export(1, "/mnt", bind(source, Access::ReadWrite));
        let (mounts, findings) = world.plan();
        let mounts = mounts.unwrap_or_default();
        let MountKind::Bind { attrs, .. } = &mounts[0].kind else { panic!("{beneath}: {:?}", mounts[0]) };
        assert_eq!(!attrs.read_only, writable, "{beneath}");
        assert_eq!(findings.is_empty(), writable, "{beneath}: {findings:?}");
    }
}

#[test]
fn a_host_directory_that_holds_the_family_is_not_writable_either() {
    let mut world = world(2);
    world.facts.host.insert("/".into(), FileKind::Directory);
    world.export(0, "/host", bind(host("/"), Access::ReadWrite));
    let mounts = world.mounts();
    assert!(matches!(&mounts[0].kind, MountKind::Bind { attrs, .. } if attrs.read_only));
}

#[test]
fn a_missing_directory_of_the_node_is_made_but_never_in_a_generation() {
    let mut world = world(2);
    let (data, snippet) = (world.own(1, "data/x"), world.own(1, "usr/none"));
    world.export(1, "/data", bind(data, Access::ReadWrite));
    world.export(1, "/none", bind(snippet, Access::ReadOnly));
    let request = Request { command: vec!["true".into()], ..Request::default() };
    let (plan, findings) = launch_plan(&world.effective, &world.facts, &request);
    let plan = plan.unwrap_or_else(|| panic!("{findings:?}"));
    assert_eq!(plan.new_directories.len(), 1);
    assert_eq!(plan.new_directories[0].beneath, Path::new("data/x"));
    assert_eq!(ats(&plan.mounts), ["/data"]);
}

#[test]
fn a_file_is_not_a_layer_and_a_directory_is_not_a_file() {
    let mut world = world(2);
    world.facts.nodes[1]
        .own
        .insert(".redpak/gen/1/usr".into(), OwnFact { kind: FileKind::File, empty: false });
    world.overlay(1, "/usr", "usr");
    world.export(0, "/srv", ExportKind::Bind { source: host("/srv"), access: Access::ReadOnly, file: true });
    let (mounts, findings) = world.plan();
    assert!(mounts.is_none());
    assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["RP0506", "RP0502"]);
}
