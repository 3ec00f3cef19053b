//! `redconf why`: who grants what, and who would have to.

use insta::assert_snapshot;

use crate::ground::Ground;

#[test]
fn rights_are_answered_with_the_line_that_decides() {
    let ground = Ground::family();
    for (words, code, parts) in [
        ("@r --cap chown", 0, &["is kept in r", "r/etc/redpak.yaml:"][..]),
        (
            "@r/a --cap CAP_CHOWN",
            1,
            &["is dropped in a: a says so", "overrode", "r  keeps it", "a  drops it"],
        ),
        ("@r/a --cap net_bind_service", 0, &["is kept in a: r says so"]),
        ("@r/a --cap SYS_ADMIN", 1, &["that is the default", "the root node would have to keep it"]),
        ("@r/a --cap sys_admim", 2, &["did you mean CAP_SYS_ADMIN"]),
        ("@r --env KEPT", 0, &["passes the caller's on", "you have none"]),
        ("@r/a --env KEPT", 1, &["a removes it", "would have to go"]),
        ("@r/a --env COLOUR", 0, &["a sets it to `$red`", "overrode", "sets it to `blue`"]),
        ("@r/a --env PATH", 0, &["by `path`: /opt/bin:/usr/bin", "/opt/bin of a", "/usr/bin of r"]),
        ("@r/a --env LANG", 0, &["default"]),
        ("@r/a --env NOWHERE", 1, &["default", "to grant it"]),
        ("@r/a --mount /usr/bin/sh", 0, &["r exports /usr (Restricted)", "speaks for the host", "read-only"]),
        ("@r/a --mount /bin/sh", 0, &["through", "/bin is a link of r", "r exports /usr"]),
        ("@r/a --mount /opt/x", 0, &["own directory", "a exports /opt (Restricted)"]),
        ("@r/a --mount /usr/share/doc/x", 0, &["granted by", "r exports /usr (Restricted)", "covers"]),
        ("@r --mount /var", 0, &["read-write"]),
        ("@r/a --mount /var", 1, &["private", "r exports /var (Private)", "to grant it"]),
        ("@r/a --mount /etc", 1, &["empty directory of the launch", "/etc/hosts"]),
        ("@r/a --mount /srv", 1, &["/srv/secret"]),
        ("@r/a --mount /home", 1, &["nothing else of the host", "to grant it"]),
        ("@r/a --mount /tmp/x/../y", 0, &["a new tmpfs"]),
        ("@r/a --mount /", 1, &["cannot be exported"]),
        (
            "@r/a --mount /usr/no-such-file",
            0,
            &["would be shown in a, and /usr/no-such-file is not there now"],
        ),
        ("@r/a --env A=B", 2, &["`A=B` is not the name of a variable"]),
        ("@r/a --cap ALL", 2, &["ask for one capability"]),
        ("@r/a --mount home", 2, &["begins with `/`"]),
    ] {
        let mut ran = ground.run(&format!("why {words}")).expect(code);
        for part in parts {
            ran = ran.says(part);
        }
        if code < 2 {
            let json = ground.run(&format!("why --json {words}")).expect(code).stdout;
            let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
            assert_eq!((&json["version"], &json["granted"]), (&1.into(), &(code == 0).into()), "{words}");
        }
    }
}

#[test]
fn an_answer_reads_well() {
    let ground = Ground::family();
    assert_snapshot!("why-mount", ground.run("why @r/a --mount /usr/share/doc").expect(0).stdout);
    assert_snapshot!("why-cap", ground.run("why @r/a --cap CHOWN").expect(1).stdout);
}

#[test]
fn the_admin_configuration_has_its_own_answer() {
    let ground = Ground::family();
    ground.write(
        "r/etc/redpak-admin.yaml",
        "headers: {alias: r}\nconfig:\n  capabilities: [{cap: CAP_FOWNER, add: 1}]\n",
    );
    ground.run("why @r/a --cap fowner").expect(1);
    ground.run("why -e @r/a --cap fowner").expect(0).says("redpak-admin.yaml:3:");
}
