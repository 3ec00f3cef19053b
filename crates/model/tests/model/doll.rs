//! The russian doll of exports: where a source lies, what may be put over what, and each violation with both lines.

use redpak_model::effective::{Access, Effective, Export, ExportKind, Lies};

use crate::family::Family;

/// Each node's exports, one a line: `MODE MOUNT [PATH]`. They stand from line 3 on.
fn family(nodes: &[&[&str]]) -> Family {
    nodes.iter().fold(Family::default(), |family, exports| family.node(&body(exports)))
}

fn body(exports: &[&str]) -> String {
    let entry = |export: &&str| {
        let words: Vec<&str> = export.split_whitespace().collect();
        let path = words.get(2).map_or_else(String::new, |path| format!(", path: {path}"));
        format!("- {{mount: {}, mode: {}{path}}}\n", words[1], words[0])
    };
    format!("exports:\n{}", exports.iter().map(entry).collect::<String>())
}

/// `mount <- where`: of a bind `ro` or `rw`, of an overlay `over`.
fn shown(export: &Export) -> String {
    let (how, source) = match &export.kind {
        ExportKind::Bind { source, access, .. } => {
            (if *access == Access::ReadOnly { "ro" } else { "rw" }, source)
        }
        ExportKind::Overlay { source } => ("over", source),
        other => return format!("{} {other:?}", export.mount.display()),
    };
    let lies = match &source.lies {
        Lies::Host => format!("host {}", source.host.display()),
        Lies::Own { beneath } => format!("own {}", beneath.display()),
        Lies::Inherited { export, inside } => format!("#{export} {}", inside.display()),
    };
    format!("{} {how} {lies}", export.mount.display())
}

/// The exports of one level.
fn level(effective: &Effective, level: usize) -> Vec<String> {
    effective.exports.iter().filter(|export| export.level == level).map(shown).collect()
}

#[test]
fn sources_of_the_root_node() {
    let effective = family(&[&[
        "Restricted /usr",
        "Public /srv /data//x/",
        "Private /own $NODE_PATH",
        "PublicFile /conf $NODE_PATH/etc/conf",
        "Overlay /opt /n0/opt",
        "Overlay /lib /usr/lib",
        "Restricted /n0x /n0x",
        "Restricted /leaf $LEAF_PATH/x",
    ]])
    .ok();
    assert_eq!(
        level(&effective, 0),
        [
            "/conf rw own etc/conf",
            "/leaf ro own x",
            "/lib over host /usr/lib",
            "/n0x ro host /n0x",
            "/opt over own opt",
            "/own rw own ",
            "/srv rw host /data/x",
            "/usr ro host /usr",
        ]
    );
}

#[test]
fn sources_of_a_child() {
    // (root's exports, child's export, what the child gets)
    let cases: &[(&[&str], &str, &str)] = &[
        // Its own directory, whatever the ancestors export.
        (&[], "Public /a $NODE_PATH/var", "/a rw own var"),
        (&["Restricted /n /n0"], "Public /a /n0/n1/var", "/a rw own var"),
        (&[], "Overlay /a $NODE_PATH/.redpak/current/usr", "/a over own .redpak/current/usr"),
        // What an ancestor exports: the same, or below; translated into the place where it is shown.
        (&["Restricted /usr"], "Restricted /u /usr", "/u ro #0 /usr"),
        (&["Restricted /usr"], "Restricted /u /usr/share/x", "/u ro #0 /usr/share/x"),
        (&["Restricted /sys-usr /usr"], "Restricted /u /usr/share", "/u ro #0 /sys-usr/share"),
        (&["Public /d /data"], "Public /e /data/x", "/e rw #0 /d/x"),
        (&["Public /d /data"], "Restricted /e /data/x", "/e ro #0 /d/x"),
        (&["Public /d /data"], "PublicFile /e /data/x", "/e rw #0 /d/x"),
        (&["Public /d /data"], "Private /e /data", "/e rw #0 /d"),
        (&["Overlay /u /usr"], "Restricted /e /usr/lib", "/e ro #0 /u/lib"),
        (&["Restricted /u /usr"], "Overlay /e /usr/lib", "/e over #0 /u/lib"),
        (&["Restricted /all /"], "Restricted /e /etc/x", "/e ro #0 /all/etc/x"),
        (&["Restricted /n $NODE_PATH/share"], "Restricted /e /n0/share/x", "/e ro #0 /n/x"),
        (&["RestrictedFile /f /etc/hosts"], "RestrictedFile /g /etc/hosts", "/g ro #0 /f"),
        // The longest source; components, not characters.
        (&["Public /d /data", "Restricted /e /data/x"], "Restricted /f /data/x/y", "/f ro #1 /e/y"),
        (&["Public /d /data", "Restricted /e /data/x"], "Public /f /data/xy", "/f rw #0 /d/xy"),
        (&["Public /a", "Restricted /ab"], "Restricted /f /ab/c", "/f ro #1 /ab/c"),
        // Where an export with the longest source gives too little, another that shows it may do.
        (&["Public /d /data", "Restricted /e /data/x"], "Public /f /data/x/y", "/f rw #0 /d/x/y"),
        (&["Public /d /data", "Restricted /e /data"], "Public /f /data/x", "/f rw #0 /d/x"),
        (&["Restricted /d /data", "Restricted /e /data"], "Restricted /d /data", "/d ro #0 /d"),
    ];
    for (root, child, expected) in cases {
        assert_eq!(level(&family(&[root, &[child]]).ok(), 1), [*expected], "{root:?} {child}");
    }
}

#[test]
fn sources_through_several_levels() {
    let effective = family(&[
        &["Restricted /usr", "Public /data"],
        &["Restricted /u /usr", "Restricted /d /data", "Public /own $NODE_PATH/x"],
        &["Restricted /v /usr/lib", "Public /o /n0/n1/x/y", "Restricted /w /data"],
        &["Restricted /x /usr/lib/y", "Public /p /n0/n1/x/y/z"],
    ])
    .ok();
    assert_eq!(level(&effective, 2), ["/o rw #3 /own/y", "/v ro #4 /u/lib", "/w ro #2 /d"]);
    assert_eq!(
        level(&effective, 3),
        ["/p rw #5 /o/z", "/x ro #6 /v/y"],
        "the latest level with the longest source"
    );
}

#[test]
fn sources_that_nobody_exports() {
    let cases: &[(&[&str], &str, &str)] = &[
        (&[], "Restricted /a /usr", "RP0303 n1:3 [n0:1]"),
        (&[], "Overlay /a /usr", "RP0303 n1:3 [n0:1]"),
        (&["Restricted /usr"], "Restricted /a /us", "RP0303 n1:3 [n0:1]"),
        (&["Restricted /usr"], "Restricted /a /usrx/y", "RP0303 n1:3 [n0:1]"),
        (&["Restricted /usr/lib"], "Restricted /a /usr", "RP0303 n1:3 [n0:1]"),
        (&["Restricted /usr"], "Restricted /a /Usr", "RP0303 n1:3 [n0:1]"),
        // A path inside is no path of the host.
        (&["Restricted /u /usr"], "Restricted /a /u", "RP0303 n1:3 [n0:1]"),
        (&["Tmpfs /tmp"], "Restricted /a /tmp/x", "RP0303 n1:3 [n0:1]"),
        (&["Symlink /l /usr"], "Restricted /a /usr", "RP0303 n1:3 [n0:1]"),
        // Its parent's directory is not its own, its own directory's namesake neither.
        (&[], "Restricted /a /n0", "RP0303 n1:3 [n0:1]"),
        (&[], "Restricted /a /n0/n1x", "RP0303 n1:3 [n0:1]"),
        (&[], "Restricted /a /n0/etc/redpak.yaml", "RP0303 n1:3 [n0:1]"),
        // What an ancestor keeps for itself.
        (&["Private /d /data"], "Restricted /a /data/x", "RP0303 n1:3 [n0:3]"),
        (&["PrivateRestricted /d /data"], "Restricted /a /data/x", "RP0303 n1:3 [n0:3]"),
        (&["PrivateFile /d /data"], "Restricted /a /data", "RP0303 n1:3 [n0:3]"),
        // More access than it is exported with.
        (&["Restricted /usr"], "Public /a /usr/x", "RP0304 n1:3 [n0:3]"),
        (&["Restricted /usr"], "Private /a /usr/x", "RP0304 n1:3 [n0:3]"),
        (&["RestrictedFile /f /etc/f"], "PublicFile /a /etc/f", "RP0304 n1:3 [n0:3]"),
        (&["Overlay /u /usr"], "Public /a /usr/x", "RP0304 n1:3 [n0:3]"),
        (&["Public /data", "Restricted /data/x"], "Public /a /data/x/y", "RP0304 n1:3 [n0:4]"),
        // A layer shows what lies under the mounts in it.
        (&["Restricted /a /x", "Tmpfs /a/b"], "Overlay /c /x", "RP0316 n1:3 [n0:4]"),
        // What the tree shows there is something else.
        (&["Restricted /a /x", "Tmpfs /a/b"], "Restricted /c /x/b", "RP0305 n1:3 [n0:3 n0:4]"),
        (&["Restricted /a /x", "Tmpfs /a/b"], "Restricted /c /x/b/c", "RP0305 n1:3 [n0:3 n0:4]"),
    ];
    for (root, child, expected) in cases {
        assert_eq!(family(&[root, &[child]]).errors(), [*expected], "{root:?} {child}");
    }
    let (_, findings) = family(&[&[], &["Restricted /a /usr/x"]]).run(false);
    let hint = findings[0].hint.as_deref().unwrap_or_default();
    assert!(hint.starts_with("the root node `n0` would have to export /usr/x, or a directory above it"));
}

#[test]
fn covered_and_narrowed_sources_of_a_grandchild() {
    type Case<'c> = (&'c [&'c str], &'c [&'c str], &'c str, Result<&'c str, &'c str>);
    let cases: &[Case<'_>] = &[
        // An overlay of the parent is what the tree shows there.
        (
            &["Restricted /usr"],
            &["Overlay /usr $NODE_PATH/usr"],
            "Restricted /a /usr/x",
            Err("RP0305 n2:3 [n0:3 n1:3]"),
        ),
        // What lies below an overlay is bound again.
        (
            &["Restricted /usr", "Restricted /usr/x /x"],
            &["Overlay /usr $NODE_PATH/usr"],
            "Restricted /a /x/y",
            Ok("/a ro #1 /usr/x/y"),
        ),
        // A parent that narrows.
        (&["Public /data"], &["Restricted /data"], "Public /a /data/x", Err("RP0304 n2:3 [n1:3]")),
        (&["Public /data"], &["Restricted /data"], "Restricted /a /data/x", Ok("/a ro #1 /data/x")),
        (&["Public /data"], &["Restricted /data/x"], "Public /a /data/x/y", Err("RP0304 n2:3 [n1:3]")),
        (&["Public /data"], &["Restricted /data/x"], "Public /a /data/y", Ok("/a rw #0 /data/y")),
        (
            &["Public /data", "Public /data/x /x"],
            &["Restricted /data"],
            "Public /a /x/y",
            Err("RP0305 n2:3 [n0:4 n1:3]"),
        ),
        // An overlay shows more than its source: the last resort.
        (&["Restricted /b", "Restricted /a"], &["Overlay /a /b"], "Restricted /c /b/x", Ok("/c ro #1 /b/x")),
        (&["Restricted /a"], &["Overlay /a $NODE_PATH/b"], "Restricted /c /n0/n1/b/x", Ok("/c ro #1 /a/x")),
        (&["Restricted /b"], &["Overlay /a /b"], "Restricted /c /b/x", Ok("/c ro #1 /a/x")),
        // What lies below comes along with a bind, wherever it is put.
        (
            &["Restricted /a", "Tmpfs /a/x"],
            &["Restricted /c /a"],
            "Restricted /d /a/x/y",
            Err("RP0305 n2:3 [n1:3 n0:4]"),
        ),
        (
            &["Restricted /a", "Tmpfs /a/x"],
            &["Restricted /a"],
            "Overlay /a/x",
            Err("RP0305 n2:3 [n1:3 n0:4]"),
        ),
        (
            &["Restricted /a", "Tmpfs /a/x"],
            &["Restricted /c /a"],
            "Tmpfs /c/x/y",
            Ok("/c/x/y Tmpfs { size: None }"),
        ),
        (&["Restricted /a", "Passwd /a/x"], &["Restricted /c /a"], "Tmpfs /c/x/y", Err("RP0307 n2:3 [n0:4]")),
        (
            &["Restricted /a", "Restricted /a/x /x"],
            &["Restricted /c /a"],
            "Tmpfs /c/x/y",
            Err("RP0306 n2:3 [n0:4]"),
        ),
        (&["Restricted /a", "Tmpfs /a/x"], &["Restricted /c /a"], "Overlay /e /a", Err("RP0316 n2:3 [n0:4]")),
        // A narrower place beside the wide one takes nothing away.
        (&["Public /data"], &["Restricted /b /data"], "Public /a /data/x", Ok("/a rw #0 /data/x")),
        // The parent's own directory is its to give.
        (&[], &["Restricted /p $NODE_PATH/x"], "Public /a /n0/n1/x", Err("RP0304 n2:3 [n1:3]")),
        (&[], &[], "Public /a /n0/n1/x", Err("RP0303 n2:3 [n0:1]")),
        (&[], &["Private /p $NODE_PATH/x"], "Restricted /a /n0/n1/x/y", Err("RP0303 n2:3 [n1:3]")),
    ];
    for (root, child, leaf, expected) in cases {
        let family = family(&[root, child, &[leaf]]);
        match expected {
            Ok(expected) => assert_eq!(level(&family.ok(), 2), [*expected], "{root:?} {child:?} {leaf}"),
            Err(expected) => assert_eq!(family.errors(), [*expected], "{root:?} {child:?} {leaf}"),
        }
    }
}

/// Root's export, child's export: what is put over what.
#[test]
fn putting_over() {
    const OK: &str = "";
    let over = "RP0306 n1:3 [n0:3]";
    let crosses = "RP0307 n1:3 [n0:3]";
    let kind = "RP0309 n1:3 [n0:3]";
    for (root, child, expected) in [
        // The same source with the same or less access.
        ("Restricted /usr", "Restricted /usr", OK),
        ("Public /data", "Restricted /data", OK),
        ("Public /data", "Public /data", OK),
        // For the node alone: its descendants would have more than it has.
        ("Public /data", "PrivateRestricted /data", over),
        ("Public /d /data", "Restricted /d /data/", OK),
        ("Public /d /data", "Restricted /d/x /data/x", OK),
        ("Restricted /usr", "Restricted /usr/lib", OK),
        ("Restricted /usr", "RestrictedFile /usr/f", OK),
        ("Overlay /usr", "Restricted /usr", OK),
        ("Overlay /usr", "Restricted /usr/lib", OK),
        ("RestrictedFile /f", "RestrictedFile /f", OK),
        // Something of its own, or the ancestor's at another place: no.
        ("Restricted /usr", "Restricted /usr $NODE_PATH/usr", over),
        ("Restricted /usr", "Restricted /usr/lib $NODE_PATH/lib", over),
        ("Restricted /usr", "Restricted /usr /usr/lib", over),
        ("Restricted /usr", "Restricted /usr/lib /usr/lib/x", over),
        ("Public /data", "Tmpfs /data/x", over),
        ("Public /data", "Anonymous /data", over),
        ("Public /data", "Symlink /data x", over),
        ("Public /data", "Symlink /data/x y", over),
        ("Public /data", "Procfs /data/proc", over),
        ("Public /data", "Passwd /data/passwd", over),
        ("RestrictedFile /f", "Restricted /f $NODE_PATH/f", over),
        ("Passwd /etc/passwd", "Passwd /etc/passwd", over),
        ("Passwd /etc/passwd", "RestrictedFile /etc/passwd $NODE_PATH/passwd", over),
        ("Procfs /proc", "Procfs /proc", over),
        ("Procfs /proc", "Tmpfs /proc/x", over),
        ("Devfs /dev", "Restricted /dev $NODE_PATH/dev", over),
        ("Devfs /dev", "Tmpfs /dev/shm", over),
        ("Overlay /usr", "Restricted /usr/lib $NODE_PATH/lib", over),
        ("Overlay /usr", "Tmpfs /usr/tmp", over),
        // Overlays.
        ("Restricted /usr", "Overlay /usr $NODE_PATH/usr", OK),
        ("Public /usr", "Overlay /usr $NODE_PATH/usr", OK),
        ("Restricted /usr", "Overlay /usr/lib $NODE_PATH/lib", OK),
        ("Overlay /usr", "Overlay /usr $NODE_PATH/usr", OK),
        ("Overlay /usr", "Overlay /usr/lib $NODE_PATH/lib", over),
        ("Overlay /usr", "Overlay /usr/lib /usr/lib", over),
        ("Anonymous /opt", "Overlay /opt $NODE_PATH/opt", OK),
        ("Tmpfs /opt", "Overlay /opt/x $NODE_PATH/opt", OK),
        ("Symlink /sbin bin", "Overlay /sbin $NODE_PATH/sbin", kind),
        ("RestrictedFile /f", "Overlay /f $NODE_PATH/f", kind),
        ("Passwd /f", "Overlay /f $NODE_PATH/f", kind),
        ("Procfs /proc", "Overlay /proc $NODE_PATH/f", kind),
        ("Devfs /dev", "Overlay /dev/x $NODE_PATH/f", kind),
        // Empty places.
        ("Anonymous /var", "Tmpfs /var", OK),
        ("Tmpfs /var", "Anonymous /var", OK),
        ("Tmpfs /var", "Tmpfs /var", OK),
        ("Anonymous /var", "Public /var $NODE_PATH/var", OK),
        ("Anonymous /var", "Public /var/lib $NODE_PATH/lib", OK),
        ("Tmpfs /var", "Symlink /var/run /run", OK),
        ("Tmpfs /var", "Passwd /var/passwd", OK),
        ("Anonymous /var", "Symlink /var x", over),
        ("Tmpfs /var", "Group /var", over),
        ("Tmpfs /var", "PublicFile /var $NODE_PATH/x", over),
        // Links and files are no directories.
        ("Symlink /bin usr/bin", "Symlink /bin usr/bin", over),
        ("Symlink /bin usr/bin", "Tmpfs /bin", over),
        ("Symlink /bin usr/bin", "Restricted /bin/x $NODE_PATH/x", crosses),
        ("Symlink /bin usr/bin", "Overlay /bin/x/y $NODE_PATH/x", crosses),
        ("Passwd /etc/passwd", "Tmpfs /etc/passwd/x", crosses),
        ("RestrictedFile /f", "Tmpfs /f/x", crosses),
        // A tmpfs is no larger than the one it is put over; without a size it has 64 MiB.
        ("Tmpfs /t", "Tmpfs /t", OK),
        // Beside, or with the same first letters: free.
        ("Restricted /usr", "Tmpfs /usrx", OK),
        ("Symlink /bin x", "Tmpfs /binx", OK),
        // An ancestor's private exports are not there.
        ("Private /data", "Tmpfs /data", OK),
        ("PrivateRestricted /data", "Tmpfs /data/x", OK),
    ] {
        let expected: Vec<&str> = if expected.is_empty() { vec![] } else { vec![expected] };
        assert_eq!(family(&[&[root], &[child]]).errors(), expected, "{root} <- {child}");
        // The same one level further down.
        let deeper: Vec<String> = expected.iter().map(|error| error.replace("n1", "n2")).collect();
        let child = child.replace("$NODE_PATH", "/n0/n1/n2");
        assert_eq!(family(&[&[root], &[], &[&child]]).errors(), deeper, "{root} <- nothing <- {child}");
    }
}

#[test]
fn hiding_what_is_inherited_below() {
    let hides = "RP0308 n1:3 [n0:3]";
    for (root, child, expected) in [
        (&["Restricted /opt/tools"][..], "Restricted /opt $NODE_PATH/opt", Some(hides)),
        (&["Restricted /opt/tools"], "Tmpfs /opt", Some(hides)),
        (&["Restricted /opt/tools"], "Symlink /opt x", Some(hides)),
        (&["Tmpfs /opt/tools/a/b"], "Anonymous /opt", Some(hides)),
        (&["Restricted /opt/tools"], "Overlay /opt $NODE_PATH/opt", None),
        (&["Restricted /opt/tools"], "Tmpfs /optx", None),
        (&["Restricted /opt-tools", "Restricted /opt.d"], "Tmpfs /opt", None),
        (&["Private /opt/tools"], "Tmpfs /opt", None),
        (&["Symlink /opt/tools x"], "Tmpfs /opt", Some(hides)),
        // A bind of the very place brings along what lies below.
        (&["Tmpfs /data/x", "Public /data"], "Restricted /data", None),
        // The same source from elsewhere would not.
        (&["Tmpfs /data/x", "Anonymous /data", "Public /b /data"], "Public /data", Some(hides)),
    ] {
        let expected: Vec<&str> = expected.into_iter().collect();
        assert_eq!(family(&[root, &[child]]).errors(), expected, "{root:?} <- {child}");
    }
}

#[test]
fn mount_paths_in_one_file() {
    for (exports, expected) in [
        (&["Symlink /bin usr/bin", "Tmpfs /bin/x"][..], Some("RP0307 n0:4 [n0:3]")),
        (&["Tmpfs /bin/x/y", "Symlink /bin usr/bin"], Some("RP0307 n0:3 [n0:4]")),
        (&["Passwd /p", "Tmpfs /p/x"], Some("RP0307 n0:4 [n0:3]")),
        (&["Restricted /usr", "Tmpfs /usr/tmp", "Restricted /usr/lib /lib"], None),
        (&["Symlink /bin x", "Tmpfs /bin2"], None),
    ] {
        let expected: Vec<&str> = expected.into_iter().collect();
        assert_eq!(family(&[exports]).errors(), expected, "{exports:?}");
    }
    // Sorted by mount path as expanded, not as written; components, so that what lies below follows.
    let family = Family::root(&body(&["Tmpfs /z", "Tmpfs /$A/x", "Tmpfs /b-x", "Tmpfs /b"])).env("A", "b");
    let order: Vec<_> = family.ok().exports.iter().map(|e| e.mount.display().to_string()).collect();
    assert_eq!(order, ["/b", "/b/x", "/b-x", "/z"]);
}

#[test]
fn a_node_lays_an_overlay_over_its_own_bind() {
    let both = ["Overlay /usr $NODE_PATH/usr", "Restricted /usr", "Tmpfs /a"];
    let expected = ["/a Tmpfs { size: None }", "/usr ro host /usr", "/usr over own usr"];
    assert_eq!(level(&family(&[&both]).ok(), 0), expected);
    // What the bind shows is seen through the overlay, and is more than what it shows alone.
    let child = family(&[&both, &["Restricted /u /usr/x", "Overlay /usr $NODE_PATH/usr"]]);
    assert_eq!(child.errors(), ["RP0305 n1:3 [n0:4 n0:3]"]);
    let child = family(&[&both, &["Restricted /u /n0/usr/x", "Overlay /usr $NODE_PATH/usr"]]);
    assert_eq!(level(&child.ok(), 1), ["/u ro #2 /usr/x", "/usr over own usr"]);
    for (exports, expected) in [
        (&["Tmpfs /usr", "Overlay /usr /x"][..], "RP0116 n0:4 [n0:3]"),
        (&["Overlay /usr /x", "Symlink /usr y"], "RP0116 n0:3 [n0:4]"),
        (&["Overlay /usr /x", "RestrictedFile /usr"], "RP0116 n0:3 [n0:4]"),
        (&["Overlay /usr /x", "Overlay /usr /y"], "RP0116 n0:4 [n0:3]"),
        (&["Restricted /usr", "Public /usr", "Overlay /usr /y"], "RP0116 n0:4 [n0:3]"),
    ] {
        assert_eq!(family(&[exports]).errors(), [expected], "{exports:?}");
    }
    // An admin export takes the place of both.
    let admin = Family::root(&body(&both)).admin(&body(&["Public /usr"]));
    assert_eq!(level(&admin.ok_admin(), 0), ["/a Tmpfs { size: None }", "/usr rw host /usr"]);
    let admin = Family::root(&body(&["Public /usr"])).admin(&body(&both));
    assert_eq!(level(&admin.ok_admin(), 0), expected);
}

#[test]
fn private_exports_are_the_leafs_only() {
    let nodes: [&[&str]; 3] = [
        &["Private /a /x", "Restricted /m /x", "PrivateFile /f"],
        &["PrivateRestricted /a $NODE_PATH/a", "Tmpfs /b"],
        &["Private /a $NODE_PATH/a", "PrivateRestricted /c /x/y"],
    ];
    let effective = family(&nodes).ok();
    let shown: Vec<_> = effective.exports.iter().map(|e| (e.level, e.private, shown(e))).collect();
    assert_eq!(
        shown,
        [
            (0, false, "/m ro host /x".to_owned()),
            (1, false, "/b Tmpfs { size: None }".to_owned()),
            (2, true, "/a rw own a".to_owned()),
            (2, true, "/c ro #0 /m/y".to_owned()),
        ]
    );
    // An ancestor's private export that is not sound stops the ancestor, not its descendants.
    let unsound: [&[&str]; 3] = [&[], &["Private /a /nowhere"], &[]];
    family(&unsound).ok();
    assert_eq!(family(&unsound[..2]).errors(), ["RP0303 n1:3 [n0:1]"]);
    let unsound: [&[&str]; 3] = [&[], &["Restricted /a /nowhere"], &[]];
    assert_eq!(family(&unsound).errors(), ["RP0303 n1:3 [n0:1]"]);
}

#[test]
fn admin_exports_replace_those_of_their_own_node() {
    let root = &["Restricted /data", "Restricted /usr"];
    let family = Family::root(&body(root))
        .admin(&body(&["Public /data", "Tmpfs /tmp"]))
        .node(&body(&["Restricted /d /data"]));
    let child = family.clone().admin(&body(&["Public /d /data"]));
    assert_eq!(level(&child.ok(), 0), ["/data ro host /data", "/usr ro host /usr"]);
    assert_eq!(level(&child.ok(), 1), ["/d ro #0 /data"]);
    let admin = child.ok_admin();
    assert!(level(&admin, 0).starts_with(&["/data rw host /data".to_owned()]));
    assert_eq!(admin.exports.len(), 4);
    assert_eq!(level(&admin, 1), ["/d rw #0 /data"]);
    // Never beyond the parent's.
    let beyond =
        Family::root(&body(root)).node(&body(&["Restricted /d /data"])).admin(&body(&["Public /d /data"]));
    beyond.ok();
    assert_eq!(beyond.errors_admin(), ["RP0304 n1a:3 [n0:3]"]);
    // A private one that replaces one for all leaves nothing to the descendants.
    let hidden = Family::root(&body(&["Public /data"]))
        .admin(&body(&["Private /data"]))
        .node(&body(&["Restricted /d /data"]));
    assert_eq!(hidden.errors_admin(), ["RP0303 n1:3 [n0a:3]"]);
}

#[test]
fn a_tree_has_bounds() {
    let many: Vec<String> = (0..1500).map(|n| format!("Tmpfs /a/{n}")).collect();
    let many: Vec<&str> = std::iter::once("Restricted /a").chain(many.iter().map(String::as_str)).collect();
    let binds = ["Restricted /b /a", "Restricted /c /a"];
    family(&[&many, &binds[..1]]).ok();
    assert_eq!(family(&[&many, &binds]).errors(), ["RP0317 n1:4 []"]);
    let of = |name: &str, count: usize| -> Vec<String> {
        (0..count).map(|n| format!("Tmpfs /{name}/{n}")).collect()
    };
    let nodes = |last: usize| {
        let nodes = [of("r", 1500), of("c", 1500), of("l", last)];
        nodes.iter().fold(Family::default(), |family, exports| {
            family.node(&body(&exports.iter().map(String::as_str).collect::<Vec<_>>()))
        })
    };
    nodes(1096).ok();
    assert_eq!(nodes(1097).errors().len(), 1, "4096 mounts are the most");
    // Bringing along what was brought along cannot grow without end.
    let nested: Vec<String> = (0..30).map(|n| format!("Restricted /{n} /a")).collect();
    let nested: Vec<&str> = nested.iter().map(String::as_str).collect();
    assert_eq!(family(&[&many, &nested, &nested]).errors(), ["RP0317 n1:4 []"]);
}

#[test]
fn all_violations_are_told_at_once() {
    let errors = family(&[
        &["Restricted /usr", "Symlink /bin x"],
        &["Public /a /usr", "Tmpfs /usr", "Tmpfs /bin/x", "Restricted /b /nowhere"],
        &["Restricted /c /nowhere"],
    ])
    .errors();
    let mut sorted = errors.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        ["RP0303 n1:6 [n0:1]", "RP0304 n1:3 [n0:3]", "RP0306 n1:4 [n0:3]", "RP0307 n1:5 [n0:4]",],
        "the grandchild's source lies in what the child was refused: one finding, not two"
    );
}

#[test]
fn what_is_inherited_anyway_is_told_apart() {
    for (root, child, start) in [
        ("Procfs /proc", "Procfs /proc", "remove the entry"),
        ("Procfs /proc", "Tmpfs /proc", "mount it elsewhere"),
        ("Procfs /proc", "Procfs /proc/x", "mount it elsewhere"),
    ] {
        let (_, findings) = family(&[&[root], &[child]]).run(false);
        let hint = findings[0].hint.as_deref().unwrap_or_default();
        assert!(hint.starts_with(start), "{root} <- {child}: {hint}");
    }
}
