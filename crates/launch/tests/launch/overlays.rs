//! Overlays: layers, mount points in them, and what is refused.

use redpak_plan::launch_plan::{FileKind, MountKind, MountPoint, Source, Upper};

use crate::harness::{BOTH, Test, Who, directory, populate, run, test};
use crate::plans::{READ_ONLY, WRITABLE, add, bind, inside, mount, own, shell};

pub const TESTS: &[Test] = &[
    test("two_layers_are_one_tree", BOTH, two_layers_are_one_tree),
    test("many_layers_are_one_tree", BOTH, many_layers_are_one_tree),
    test("one_layer_is_bound", BOTH, one_layer_is_bound),
    test("mount_points_are_made_on_top", BOTH, mount_points_are_made_on_top),
    test("mount_points_hide_nothing", BOTH, mount_points_hide_nothing),
    test("an_upper_layer_takes_what_is_written", BOTH, an_upper_layer_takes_what_is_written),
    test("layers_keep_their_kinds", BOTH, layers_keep_their_kinds),
    test("an_overlay_is_a_mount_to_lie_in", BOTH, an_overlay_is_a_mount_to_lie_in),
];

fn overlay(
    at: &str,
    layers: Vec<Source>,
    mount_points: &[(&str, MountPoint)],
) -> redpak_plan::launch_plan::Mount {
    let mount_points = mount_points.iter().map(|(path, what)| ((*path).into(), what.clone())).collect();
    mount(at, MountKind::Overlay { layers, mount_points, upper: None, attrs: READ_ONLY })
}

fn two_layers_are_one_tree(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["usr/bin/tool", "usr/lib/own/file"]);
    let mut plan = shell(
        who,
        node.path(),
        "cat /usr/bin/tool /usr/lib/own/file; test -x /usr/bin/env && touch /usr/bin/new",
    );
    let host = Source::Host { path: "/usr".into() };
    plan.mounts[0] = overlay("/usr", vec![own("usr"), host], &[]);
    let ran = run(who, &plan);
    assert_eq!(ran.out, "usr/bin/toolusr/lib/own/file", "{ran:?}");
    assert!(ran.err.contains("Read-only file system"), "{ran:?}");
}

fn many_layers_are_one_tree(who: Who) {
    for count in [20, 150] {
        let node = directory(who);
        let names: Vec<String> = (0..count).map(|n| format!("layer{n}/file{n}")).collect();
        populate(who, node.path(), &names.iter().map(String::as_str).collect::<Vec<_>>());
        populate(who, node.path(), &["layer3/same", "layer7/same"]);
        let mut plan = shell(
            who,
            node.path(),
            "ls /all | wc -l; cat /all/same; touch /all/new 2>&1 | grep -o Read-only; mawk '$5==\"/all\"{print $6}' /proc/self/mountinfo",
        );
        let layers = (0..count).map(|n| own(&format!("layer{n}"))).collect();
        add(&mut plan, 0, overlay("/all", layers, &[]));
        let out = run(who, &plan).good();
        assert!(out.starts_with(&format!("{}\nlayer3/sameRead-only\nro,nosuid,nodev", count + 1)), "{out}");
    }
}

fn one_layer_is_bound(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["usr/file"]);
    let mut plan = shell(who, node.path(), "cat /x/file; grep -c overlay /proc/self/mountinfo");
    add(&mut plan, 0, overlay("/x", vec![own("usr")], &[]));
    assert_eq!(run(who, &plan).out, "usr/file0\n");
}

fn mount_points_are_made_on_top(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["a/one/file", "b/two/", "data/x"]);
    std::fs::set_permissions(node.path().join("a/one"), std::os::unix::fs::PermissionsExt::from_mode(0o711))
        .unwrap();
    let script = "cat /o/one/file /o/one/in/x /o/new/deep/x /o/conf; readlink /o/link; stat -c %a /o/one /o/new; ls /o; \
                  ls -A /; touch /o/new/y 2>&1 | grep -o Read-only";
    let mut plan = shell(who, node.path(), script);
    let points = [
        ("one/in", MountPoint::Directory),
        ("new/deep", MountPoint::Directory),
        ("conf", MountPoint::File),
        ("link", MountPoint::Symlink("one/file".into())),
    ];
    add(&mut plan, 0, overlay("/o", vec![own("a"), own("b")], &points));
    for at in ["/o/one/in", "/o/new/deep"] {
        add(&mut plan, 0, bind(at, own("data"), READ_ONLY, FileKind::Directory));
    }
    add(&mut plan, 0, bind("/o/conf", own("data/x"), READ_ONLY, FileKind::File));
    let out = run(who, &plan).good();
    let expected = "a/one/filedata/xdata/xdata/xone/file\n711\n755\nconf\nlink\nnew\none\ntwo\n\
                    bin\ndev\nlib\nlib64\no\nproc\nsbin\ntmp\nusr\nRead-only\n";
    assert_eq!(out, expected);
}

fn mount_points_hide_nothing(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["a/link -> real", "a/real/", "a/file", "b/x"]);
    for (path, what, words) in [
        ("link", MountPoint::Directory, "link is a symbolic link in a of the node"),
        ("link/x", MountPoint::Directory, "link is a symbolic link"),
        ("file", MountPoint::Directory, "file is a regular file"),
        ("file/x", MountPoint::Directory, "file is a regular file"),
        ("real", MountPoint::File, "real is a directory"),
        ("file", MountPoint::Symlink("x".into()), "file is a regular file"),
    ] {
        let mut plan = shell(who, node.path(), "true");
        add(&mut plan, 0, overlay("/o", vec![own("b"), own("a")], &[(path, what)]));
        let error = run(who, &plan).refused();
        assert!(error.contains(words), "{path}: {error}");
    }
}

fn an_upper_layer_takes_what_is_written(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["lower/etc/file", "upper/", "work/"]);
    let mut plan =
        shell(who, node.path(), "echo new >/o/etc/new; echo changed >/o/etc/file; cat /o/etc/file");
    let upper = Some(Upper { upper: own("upper"), work: own("work") });
    let kind =
        MountKind::Overlay { layers: vec![own("lower")], mount_points: vec![], upper, attrs: WRITABLE };
    add(&mut plan, 0, mount("/o", kind));
    assert_eq!(run(who, &plan).good(), "changed\n");
    let read = |path: &str| std::fs::read_to_string(node.path().join(path)).unwrap();
    assert_eq!((read("upper/etc/new"), read("upper/etc/file")), ("new\n".into(), "changed\n".into()));
    assert_eq!(read("lower/etc/file"), "lower/etc/file");
}

fn layers_keep_their_kinds(who: Who) {
    let node = directory(who);
    populate(
        who,
        node.path(),
        &["top/sbin/tool", "bottom/sbin -> bin", "bottom/bin/", "top2/bin", "top3/sbin -> lib", "top3/new"],
    );
    for (top, words) in [
        ("top", Some("sbin is a directory in top of the node and a symbolic link in bottom of the node")),
        ("top2", Some("bin is a regular file in top2 of the node and a directory in bottom of the node")),
        ("top3", None),
    ] {
        let mut plan = shell(who, node.path(), "true");
        add(&mut plan, 0, overlay("/o", vec![own(top), own("bottom")], &[]));
        match words {
            Some(words) => assert!(run(who, &plan).refused().contains(words)),
            None => _ = run(who, &plan).good(),
        }
    }
}

fn an_overlay_is_a_mount_to_lie_in(who: Who) {
    let node = directory(who);
    populate(who, node.path(), &["a/x/one", "b/x/two"]);
    let mut plan = shell(who, node.path(), "ls /seen");
    let merged = add(&mut plan, 0, overlay("/o", vec![own("a"), own("b")], &[]));
    add(&mut plan, 1, bind("/seen", inside("/o/x", merged), READ_ONLY, FileKind::Directory));
    assert_eq!(run(who, &plan).good(), "one\ntwo\n");
}
