//! Merging a family's settings and variables: what wins, what stays, and each attempt to widen.

use redpak_diagnostics::Finding;
use redpak_model::effective::{Layer, Settings, Share, Shares, Sourced, VariableAction};

use crate::family::{Family, line};

/// Root, child, and the child's child; configurations in one line each.
fn three(root: &str, child: &str, grandchild: &str) -> Family {
    Family::root(&config(root)).node(&config(child)).node(&config(grandchild))
}

fn config(line: &str) -> String {
    format!("config: {{{line}}}")
}

/// `value@node`, with `a` for admin, then the nodes overridden.
fn shown<T: std::fmt::Debug>(sourced: Option<&Sourced<T>>) -> String {
    let origin = |origin: &redpak_model::effective::Origin| {
        format!("{}{}", origin.node, if origin.layer == Layer::Admin { "a" } else { "" })
    };
    match sourced {
        None => "-".to_owned(),
        Some(s) => {
            let overrode: Vec<String> = s.overrode.iter().map(origin).collect();
            format!("{:?}@{} [{}]", s.value, origin(&s.origin), overrode.join(" "))
        }
    }
}

#[test]
fn free_settings_the_last_wins_admin_over_normal() {
    let family = Family::root(&config("umask: 027, hostname: r, chdir: /r, verbose: 1, map-root-user: 1"))
        .admin(&config("umask: 007"))
        .node(&config("umask: 022, hostname: c"))
        .admin(&config("hostname: ca"))
        .node(&config("map-root-user: 0, chdir: //l/./x/"));
    let of = |s: &Settings| {
        [
            shown(s.umask.as_ref()),
            shown(s.hostname.as_ref()),
            shown(s.chdir.as_ref()),
            shown(s.verbose.as_ref()),
            shown(s.map_root_user.as_ref()),
        ]
    };
    assert_eq!(
        of(&family.ok().settings),
        ["18@1 [0]", "\"c\"@1 [0]", "\"/l/x\"@2 [0]", "1@0 []", "false@2 [0]"]
    );
    assert_eq!(
        of(&family.ok_admin().settings),
        ["7@0a [1 0]", "\"ca\"@1a [1 0]", "\"/l/x\"@2 [0]", "1@0 []", "false@2 [0]"]
    );
}

#[test]
fn lists_join_the_childs_items_first_and_none_twice() {
    let family = Family::root(&config("path: '/usr/bin:/bin', ldpath: /lib"))
        .admin(&config("path: /sbin"))
        .node(&config("path: '/c/bin:/bin//'"))
        .admin(&config("path: '/ca:/c/bin:/usr/bin'"));
    let of = |items: &[Sourced<String>]| items.iter().map(|i| shown(Some(i))).collect::<Vec<_>>().join(" ");
    assert_eq!(of(&family.ok().settings.path), r#""/c/bin"@1 [] "/bin"@1 [0] "/usr/bin"@0 []"#);
    assert_eq!(
        of(&family.ok_admin().settings.path),
        r#""/ca"@1a [] "/c/bin"@1a [1] "/usr/bin"@1a [0] "/bin"@1 [0] "/sbin"@0a []"#
    );
    assert_eq!(of(&family.ok().settings.ldpath), r#""/lib"@0 []"#);
}

#[test]
fn settings_that_stay() {
    type Get = fn(&Settings) -> Option<&Sourced<bool>>;
    let keys: [(&str, &str, &str, Get); 4] = [
        ("gpgcheck", "true", "false", |s| s.gpgcheck.as_ref()),
        ("inherit-env", "false", "true", |s| s.inherit_env.as_ref()),
        ("die-with-parent", "enabled", "disabled", |s| s.die_with_parent.as_ref()),
        ("new-session", "enabled", "disabled", |s| s.new_session.as_ref()),
    ];
    for (key, stays, other, get) in keys {
        let (stays, other) = (format!("{key}: {stays}"), format!("{key}: {other}"));
        let value = |root: &str, child: &str, leaf: &str| shown(get(&three(root, child, leaf).ok().settings));
        assert_eq!(value("", "", ""), "-", "{key}");
        let stay = if key == "inherit-env" { "false" } else { "true" };
        assert_eq!(value(&stays, "", ""), format!("{stay}@0 []"));
        assert_eq!(value("", &stays, &stays), format!("{stay}@2 [1]"));
        assert_eq!(value(&other, &stays, ""), format!("{stay}@1 [0]"));
        assert_eq!(three(&stays, &other, "").errors(), ["RP0310 n1:2 [n0:2]"], "{key}");
        assert_eq!(three("", &stays, &other).errors(), ["RP0310 n2:2 [n1:2]"], "{key}");
        assert_eq!(three(&stays, "", &other).errors(), ["RP0310 n2:2 [n0:2]"], "silence never widens: {key}");
        // An admin file may widen its own node's file, not its parent's.
        let own = Family::root(&config(&other)).node(&config(&stays)).admin(&config(&other));
        assert_eq!(shown(get(&own.ok().settings)), format!("{stay}@1 [0]"));
        assert!(shown(get(&own.ok_admin().settings)).ends_with("@1a [1 0]"));
        let beyond = Family::root(&config(&stays)).node("").admin(&config(&other));
        assert_eq!(beyond.errors_admin(), ["RP0310 n1a:2 [n0:2]"], "{key}");
        beyond.ok();
        let parents = Family::root(&config(&stays)).admin(&config(&other)).node("").admin(&config(&other));
        parents.ok_admin();
    }
    // Where nobody says anything, the default stays.
    for (key, widens) in [("gpgcheck", "false"), ("inherit-env", "true")] {
        let line = format!("{key}: {widens}");
        assert_eq!(three("", "", &line).errors(), ["RP0310 n2:2 [n0:1]"], "{key}");
        assert_eq!(three(&line, "", &line).errors(), Vec::<String>::new(), "{key}");
    }
    let unset = three("die-with-parent: enabled", "die-with-parent: unset", "");
    assert_eq!(shown(unset.ok().settings.die_with_parent.as_ref()), "true@0 []");
}

/// `true` is shared.
fn share(set: &Option<Sourced<Share>>) -> String {
    let flat = set.clone().map(|Sourced { value, origin, overrode }| {
        assert!(!matches!(value, Share::Join(_)), "{value:?}");
        Sourced { value: value == Share::Shared, origin, overrode }
    });
    shown(flat.as_ref())
}

#[test]
fn namespaces() {
    type Get = fn(&Shares) -> &Option<Sourced<Share>>;
    let keys: [(&str, Get); 5] = [
        ("share_user", |s| &s.user),
        ("share_cgroup", |s| &s.cgroup),
        ("share_net", |s| &s.net),
        ("share_pid", |s| &s.pid),
        ("share_ipc", |s| &s.ipc),
    ];
    for (key, get) in keys {
        for set in [key, "share_all"] {
            let line = |value: &str| if value.is_empty() { String::new() } else { format!("{set}: {value}") };
            let (e, d, u) = (line("enabled"), line("disabled"), line("unset"));
            let value = |root: &str, child: &str, leaf: &str| {
                share(get(&three(root, child, leaf).ok().settings.share))
            };
            for ((root, child, leaf), expected) in [
                (("", "", ""), "-"),
                ((&*e, "", ""), "true@0 []"),
                ((&e, &d, ""), "false@1 [0]"),
                ((&e, &e, &d), "false@2 [1 0]"),
                ((&e, &u, &e), "true@2 [0]"),
                ((&e, &u, ""), "true@0 []"),
                ((&d, &d, &d), "false@2 [1 0]"),
                ((&d, &u, ""), "false@0 []"),
                ((&u, "", ""), "-"),
                ((&u, &e, ""), "true@1 []"),
                ((&u, "", &e), "true@2 []"),
                ((&u, &u, &d), "false@2 []"),
                (("", &d, ""), "false@1 []"),
                (("", &u, ""), "-"),
            ] {
                assert_eq!(value(root, child, leaf), expected, "{root}|{child}|{leaf}");
            }
            for ((root, child, leaf), expected) in [
                ((&*d, &*e, ""), "RP0301 n1:2 [n0:2]"),
                ((&d, "", &e), "RP0301 n2:2 [n0:2]"),
                ((&e, &d, &e), "RP0301 n2:2 [n1:2]"),
                ((&d, &u, &e), "RP0301 n2:2 [n0:2]"),
                ((&u, &d, &e), "RP0301 n2:2 [n1:2]"),
                (("", &e, ""), "RP0301 n1:2 [n0:1]"),
                (("", &u, &e), "RP0301 n2:2 [n0:1]"),
            ] {
                assert_eq!(three(root, child, leaf).errors(), [expected], "{root}|{child}|{leaf}");
            }
        }
    }
}

#[test]
fn share_all_is_the_default_of_the_others_in_its_own_file() {
    let family = three(
        "share_all: disabled, share_net: enabled, share_ipc: unset",
        "share_net: disabled",
        "share_ipc: enabled",
    );
    let share = family.ok().settings.share;
    let all = [&share.user, &share.cgroup, &share.net, &share.pid, &share.ipc, &share.time];
    assert_eq!(
        all.map(self::share),
        ["false@0 []", "false@0 []", "false@1 [0]", "false@0 []", "true@2 []", "-"]
    );
    let family = three("share_all: enabled, share_pid: disabled", "share_all: enabled", "");
    assert_eq!(family.errors(), ["RP0301 n1:2 [n0:2]"]);
    let (_, findings) = three("share_pid: disabled", "share_all: enabled", "").run(false);
    assert_eq!(findings.len(), 1, "one line, one finding");
    assert!(
        findings[0].message.contains("`share_user`, `share_cgroup`, `share_net`, `share_pid`, `share_ipc`")
    );
}

#[test]
fn an_admin_file_widens_its_own_node_and_not_its_parent() {
    let (e, d) = (config("share_net: enabled"), config("share_net: disabled"));
    let net = |family: &Family| share(&family.ok_admin().settings.share.net);
    assert_eq!(net(&Family::root(&e).node(&d).admin(&e)), "true@1a [1 0]");
    assert_eq!(net(&Family::root(&d).admin(&e).node("").admin(&e)), "true@1a [0a 0]");
    assert_eq!(Family::root(&d).node("").admin(&e).errors_admin(), ["RP0301 n1a:2 [n0:2]"]);
    assert_eq!(Family::root(&e).admin(&d).node("").admin(&e).errors_admin(), ["RP0301 n1a:2 [n0a:2]"]);
    assert_eq!(Family::root(&e).admin(&d).node(&e).errors_admin(), ["RP0301 n1:2 [n0a:2]"]);
    // Without administration the admin files do not count, and need not be sound.
    assert_eq!(Family::root(&e).admin("nonsense: 1").node(&e).errors(), Vec::<String>::new());
    assert_eq!(Family::root(&e).admin("nonsense: 1").node(&e).errors_admin(), ["RP0110 n0a:2 []"]);
}

fn caps(entries: &[(&str, u8)]) -> String {
    let entries: Vec<String> =
        entries.iter().map(|(cap, add)| format!("  - {{cap: {cap}, add: {add}}}\n")).collect();
    format!("config:\n  capabilities:\n{}", entries.iter().map(|e| format!("  {e}")).collect::<String>())
}

/// What is kept, without `CAP_`.
fn kept(settings: &Settings) -> String {
    let kept = settings.capabilities.iter().filter(|(_, kept)| kept.value);
    kept.map(|(name, _)| name.trim_start_matches("CAP_")).collect::<Vec<_>>().join(" ")
}

#[test]
fn capabilities_only_ever_become_fewer() {
    let root = caps(&[("ALL", 0), ("CAP_KILL", 1), ("CHOWN", 1)]);
    for (child, expected) in [
        (String::new(), "CHOWN KILL"),
        (caps(&[("CAP_KILL", 0)]), "CHOWN"),
        (caps(&[("CAP_KILL", 1)]), "CHOWN KILL"),
        (caps(&[("CAP_KILL", 1), ("all", 0)]), "KILL"),
        (caps(&[("ALL", 0)]), ""),
    ] {
        assert_eq!(kept(&Family::root(&root).node(&child).ok().settings), expected, "{child}");
    }
    assert_eq!(kept(&Family::root("").ok().settings), "", "none is kept by default");
    assert_eq!(Family::root(&caps(&[("ALL", 1), ("KILL", 0)])).ok().settings.capabilities.len(), 41);

    let cases = [
        (root.as_str(), caps(&[("CAP_NET_RAW", 1)]), "RP0302 n1:4 [n0:4]"),
        (&root, caps(&[("KILL", 1), ("ALL", 1)]), "RP0302 n1:5 [n0:4]"),
        ("", caps(&[("CAP_NET_RAW", 1)]), "RP0302 n1:4 [n0:1]"),
    ];
    for (root, child, expected) in cases {
        assert_eq!(Family::root(root).node(&child).errors(), [expected], "{child}");
    }
    let dropped = Family::root(&root).node(&caps(&[("KILL", 0)])).node("").node(&caps(&[("KILL", 1)]));
    assert_eq!(dropped.errors(), ["RP0302 n3:4 [n1:4]"]);
    let (_, findings) = Family::root("").node(&caps(&[("ALL", 1)])).run(false);
    assert!(findings[0].message.contains("and 37 more"), "{}", findings[0].message);
}

#[test]
fn capabilities_for_administration() {
    let (none, kill, all) = (caps(&[("ALL", 0)]), caps(&[("KILL", 1)]), caps(&[("ALL", 1)]));
    assert_eq!(kept(&Family::root(&kill).node(&none).admin(&kill).ok_admin().settings), "KILL");
    assert_eq!(kept(&Family::root(&none).admin(&all).node(&none).admin(&kill).ok_admin().settings), "KILL");
    assert_eq!(Family::root(&none).node("").admin(&kill).errors_admin(), ["RP0302 n1a:4 [n0:4]"]);
}

#[test]
fn variables_the_childs_wins_admin_over_normal() {
    let family =
        Family::root("environ: [{key: A, value: r}, {key: B, value: $LEAF_ALIAS}, {key: a, value: lower}]\n")
            .admin("environ: [{key: A, value: ra}]")
            .node("environ: [{key: C, mode: Remove}, {key: A, value: c}]")
            .node("environ: [{key: B, mode: Static, value: $LEAF_ALIAS}]");
    let of = |environ: &[Sourced<redpak_model::effective::Variable>]| {
        let one = |v: &Sourced<redpak_model::effective::Variable>| {
            let action = match &v.value.action {
                VariableAction::Set(text) => format!("={text}"),
                other => format!(" {other:?}"),
            };
            format!("{}{action}@{}", v.value.key, shown(Some(v)).rsplit('@').next().unwrap_or_default())
        };
        environ.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(of(&family.ok().environ), "A=c@1 [0], B=$LEAF_ALIAS@2 [0], a=lower@0 [], C Remove@1 []");
    assert_eq!(
        of(&family.ok_admin().environ),
        "A=ra@0a [1 0], B=$LEAF_ALIAS@2 [0], a=lower@0 [], C Remove@1 []"
    );
}

#[test]
fn an_entry_twice_in_one_file_is_an_error_unless_identical() {
    for (body, expected) in [
        ("environ:\n- {key: A, value: x}\n- {key: A, value: y}", Some("RP0116 n0:4 [n0:3]")),
        ("environ:\n- {key: A, value: x}\n- {key: A, value: x, info: i}", None),
        ("environ:\n- {key: A, value: x}\n- {key: a, value: y}", None),
        ("environ:\n- {key: A, value: $Z}\n- {key: A, value: z}", None),
        (
            "exports:\n- {mount: /a, mode: Tmpfs}\n- {mount: //a/, mode: Anonymous}",
            Some("RP0116 n0:4 [n0:3]"),
        ),
        ("exports:\n- {mount: /a, mode: Tmpfs}\n- {mount: /$Z/../a, mode: Tmpfs}", Some("RP0208 n0:4 []")),
        ("exports:\n- {mount: /z, mode: Tmpfs}\n- {mount: /$Z, mode: Tmpfs}", None),
        (
            "exports:\n- {mount: /a, mode: Restricted}\n- {mount: /a, mode: Public}",
            Some("RP0116 n0:4 [n0:3]"),
        ),
        (
            "config:\n  capabilities:\n  - {cap: KILL, add: 0}\n  - {cap: CAP_KILL, add: 1}",
            Some("RP0116 n0:5 [n0:4]"),
        ),
        ("config:\n  capabilities:\n  - {cap: KILL, add: 1}\n  - {cap: CAP_KILL, add: 1}", None),
    ] {
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(Family::root(body).env("Z", "z").errors(), expected, "{body}");
    }
    let once =
        Family::root("exports:\n- {mount: /z, mode: Tmpfs}\n- {mount: /$Z, mode: Tmpfs}").env("Z", "z").ok();
    assert_eq!(once.exports.len(), 1);
}

fn warnings(family: &Family, admin: bool) -> Vec<String> {
    let (_, findings) = family.run(admin);
    let words = |finding: &Finding| finding.message.replace("this overrides an entry that warns: ", "");
    findings.iter().map(|finding| format!("{} {}", line(finding), words(finding))).collect()
}

#[test]
fn the_warn_of_an_overridden_entry_is_shown() {
    let family = Family::root(
        "environ: [{key: A, value: r, warn: 'A of $NODE_ALIAS'}]\nconfig: {capabilities: [{cap: KILL, add: 1, warn: cap}]}\n\
         exports: [{mount: /e, mode: Tmpfs, warn: export}]",
    )
    .node("environ: [{key: A, value: c}]\nconfig: {capabilities: [{cap: KILL, add: 0}]}\nexports: [{mount: /e, mode: Anonymous}]");
    assert_eq!(
        warnings(&family, false),
        ["RP0313 n1:3 [n0:3] cap", "RP0313 n1:2 [n0:2] A of n0", "RP0313 n1:4 [n0:4] export"]
    );
    let quiet =
        Family::root("environ: [{key: A, value: r, warn: w}]\nexports: [{mount: /e, mode: Tmpfs, warn: w}]")
            .node("");
    assert_eq!(warnings(&quiet, false), Vec::<String>::new());
    let admin = Family::root("exports: [{mount: /e, mode: Tmpfs, warn: w}]")
        .admin("exports: [{mount: /e, mode: Anonymous}]");
    assert_eq!(warnings(&admin, true), ["RP0313 n0a:2 [n0:2] w"]);
}

#[test]
fn what_only_the_root_node_may_set() {
    for (line, key) in [
        ("unsafe: false", "unsafe"),
        ("unsafe: true", "unsafe"),
        ("inheritance: strict", "inheritance"),
        ("host-provides: [x]", "host-provides"),
    ] {
        Family::root(&config(line)).node("").ok();
        let family = Family::root("").node(&config(line));
        assert_eq!(family.errors(), ["RP0311 n1:2 [n0:1]"], "{line}");
        assert!(family.run(false).1[0].message.contains(key));
        assert_eq!(Family::root("").node("").admin(&config(line)).errors_admin(), ["RP0311 n1a:2 [n0:1]"]);
    }
}

#[test]
fn directories_of_a_child_lie_below_its_own() {
    for key in ["rpmdir", "persistdir", "cachedir"] {
        let value = |family: &Family| {
            let settings = family.ok().settings;
            let sourced = match key {
                "rpmdir" => settings.rpmdir,
                "persistdir" => settings.persistdir,
                _ => settings.cachedir,
            };
            sourced.map(|path| path.value.display().to_string())
        };
        let line = |path: &str| config(&format!("{key}: {path}"));
        assert_eq!(value(&Family::root(&line("/var/lib"))).as_deref(), Some("/var/lib"));
        assert_eq!(
            value(&Family::root(&line("/var/lib")).node("")),
            None,
            "an ancestor's is not the child's"
        );
        assert_eq!(value(&Family::root("").node(&line("$NODE_PATH/x"))).as_deref(), Some("/n0/n1/x"));
        assert_eq!(value(&Family::root(&line("$LEAF_PATH/x")).node("")).as_deref(), Some("/n0/n1/x"));
        assert_eq!(value(&Family::root(&line("$NODE_PATH/x")).node("")), None);
        for path in ["/var/lib", "$NODE_PATH", "'${NODE_PATH}x'", "/n0/x"] {
            assert_eq!(Family::root("").node(&line(path)).errors(), ["RP0312 n1:2 [n0:1]"], "{path}");
            assert_eq!(
                Family::root("").node(&line(path)).node("").errors(),
                ["RP0312 n1:2 [n0:1]"],
                "{path}"
            );
        }
        assert_eq!(Family::root("").node(&line("$NODE_PATH/../x")).errors(), ["RP0208 n1:2 []"]);
    }
}

#[test]
fn what_host_provides_declares() {
    let family = Family::root(&config("host-provides: [' glibc  =  2.36 ', sh, sh, '$P']"))
        .admin(&config("host-provides: [more]"))
        .env("P", "p(x)");
    let of = |s: Settings| s.host_provides.into_iter().map(|p| p.value).collect::<Vec<_>>();
    assert_eq!(of(family.ok().settings), ["glibc = 2.36", "sh", "p(x)"]);
    assert_eq!(of(family.clone().node("").ok_admin().settings), ["glibc = 2.36", "sh", "p(x)", "more"]);
    for text in ["a b", "a = ", "a >= 1", "a = 1 b", "\"a\\nb\"", "$NOTHING"] {
        let errors = Family::root(&config(&format!("host-provides: [{text}]"))).errors();
        assert_eq!(errors, ["RP0113 n0:2 []"], "{text}");
    }
}

#[test]
fn paths_and_names_after_expansion() {
    for (body, expected) in [
        ("config: {rpmdir: rel}", "RP0207 n0:2 []"),
        ("config: {rpmdir: $NOTHING/x}", "RP0201 n0:2 []"),
        ("config: {rpmdir: /a/../b}", "RP0208 n0:2 []"),
        ("config: {rpmdir: \"/a\\nb\"}", "RP0209 n0:2 []"),
        ("config: {chdir: $EMPTY}", "RP0209 n0:2 []"),
        ("config: {chdir: home}", "RP0207 n0:2 []"),
        ("config: {path: '/a::/b'}", "RP0211 n0:2 []"),
        ("config: {path: '/a:'}", "RP0211 n0:2 []"),
        ("config: {path: '/a:.'}", "RP0207 n0:2 []"),
        ("config: {ldpath: $NOTHING}", "RP0201 n0:2 []"),
        ("config: {hostname: 'a b'}", "RP0212 n0:2 []"),
        ("config: {hostname: a/b}", "RP0212 n0:2 []"),
        ("config: {hostname: $EMPTY}", "RP0212 n0:2 []"),
        ("config: {hostname: $LOOP}", "RP0203 n0:2 []"),
        ("config: {hostname: $CMD}", "RP0206 n0:2 []"),
        ("config: {hostname: '${X'}", "RP0205 n0:2 []"),
        ("exports: [{mount: /, mode: Tmpfs}]", "RP0210 n0:2 []"),
        ("exports: [{mount: //., mode: Tmpfs}]", "RP0210 n0:2 []"),
        ("exports: [{mount: a, mode: Tmpfs}]", "RP0207 n0:2 []"),
        ("exports: [{mount: /a, mode: Public, path: b}]", "RP0207 n0:2 []"),
        ("exports: [{mount: /a, mode: Overlay, path: /b/..}]", "RP0208 n0:2 []"),
        ("exports: [{mount: /a, mode: Symlink, path: $NOTHING}]", "RP0201 n0:2 []"),
        ("exports: [{mount: /a, mode: Symlink, path: \"a\\tb\"}]", "RP0209 n0:2 []"),
    ] {
        let family = Family::root(body).env("LOOP", "$LOOP").env("CMD", "$(id)").env("EMPTY", "");
        assert_eq!(family.errors(), [expected], "{body}");
    }
    let family = Family::root(&format!("config: {{hostname: {}}}", "h".repeat(65)));
    assert_eq!(family.errors(), ["RP0212 n0:2 []"]);
    let family = Family::root("environ: [{key: A, value: 'x$NOTHING', info: $ALSO}]");
    let warned = [
        "RP0202 n0:2 [] `$NOTHING` is not defined; nothing stands in its place",
        "RP0202 n0:2 [] `$ALSO` is not defined; nothing stands in its place",
    ];
    assert_eq!(warnings(&family, false), warned);
    assert_eq!(family.ok().environ[0].value.action, VariableAction::Set("x".into()));
    let link = Family::root("exports: [{mount: /a, mode: Symlink, path: ../b/}]").ok();
    assert!(format!("{:?}", link.exports[0].kind).contains("\"../b/\""), "a link's text stays as it is");
}

#[test]
fn no_string_of_a_file_leaves_what_the_language_allows() {
    // What nothing here runs or resolves stays as it stands.
    for text in ["`touch /x`", "%(touch /x)", "%{lua:x}", "a;b", "a|b"] {
        let family = Family::root(&format!("environ: [{{key: A, value: '{text}'}}]"));
        assert_eq!(family.ok().environ[0].value.action, VariableAction::Set(text.into()));
    }
}

#[test]
fn a_family_is_nested() {
    let node = |path: &str| redpak_model::NodeText {
        redpath: path.into(),
        normal: redpak_model::SourceText::new("f", "headers: {alias: a}"),
        admin: None,
    };
    let codes = |paths: &[&str]| {
        let nodes: Vec<_> = paths.iter().map(|path| node(path)).collect();
        let (effective, findings) = redpak_model::effective(&nodes, false, &redpak_model::Names::default());
        assert_eq!(effective.is_some(), findings.is_empty());
        findings.iter().map(|f| f.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(&["/a", "/a/b", "/a/b/x/c"]), Vec::<&str>::new());
    assert_eq!(codes(&["/a/", "/a//b/"]), Vec::<&str>::new());
    for paths in [&[][..], &["a"], &["/a/.."], &["/a", "/a"], &["/a", "/ab"], &["/a/b", "/a"], &["/a", "/b"]]
    {
        assert_eq!(codes(paths), ["RP0315"], "{paths:?}");
    }
}

#[test]
fn an_admin_file_of_another_name_is_told() {
    let mut nodes = Family::root("").admin("").nodes().to_vec();
    nodes[0].admin =
        Some(redpak_model::SourceText::new("/n0/etc/redpak-admin.yaml", "headers: {alias: other}"));
    let (effective, findings) = redpak_model::effective(&nodes, true, &redpak_model::Names::default());
    assert_eq!(effective.expect("a warning only").nodes[0].alias, "n0");
    assert_eq!(findings.iter().map(line).collect::<Vec<_>>(), ["RP0314 n0a:1 [n0:1]"]);
}

#[test]
fn findings_of_all_files_of_a_family_are_told_at_once() {
    let family = Family::root("config: {umsk: 1}").node("config: {umask: 9}").node("config: {hostname: $(x}");
    assert_eq!(family.errors(), ["RP0110 n0:2 []", "RP0113 n1:2 []", "RP0121 n2:2 []"]);
}

#[test]
fn what_follows_from_an_error_is_not_told() {
    for (root, expected) in [
        ("share_net: maybe", vec!["RP0114 n0:2 []"]),
        ("share_all: maybe", vec!["RP0114 n0:2 []"]),
        ("share_pid: maybe", vec!["RP0114 n0:2 []", "RP0301 n1:2 [n0:1]"]),
    ] {
        assert_eq!(three(root, "share_net: enabled", "").errors(), expected, "{root}");
    }
}

#[test]
fn a_setting_that_is_fixed_is_named_with_both_values() {
    for (root, child) in [("smack: one", "smack: two"), ("set-user: one", "set-user: 2002")] {
        let (_, findings) = three(root, child, "").run(false);
        for line in [root, child] {
            let value = line.split(": ").nth(1).expect("a value");
            assert!(findings[0].message.contains(&format!("`{value}`")), "{}", findings[0].message);
        }
    }
}
