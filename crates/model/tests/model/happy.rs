//! A family as it is meant to be lived in, whole.

use std::path::PathBuf;

use redpak_model::Layer;
use redpak_model::effective::{Access, ExportKind, Lies, Share, Source, VariableAction};

use crate::family::Family;

const ROOT: &str = r#"
config:
  umask: 027
  path: /usr/bin:/bin
  hostname: $LEAF_ALIAS
  chdir: /
  share_all: disabled
  share_net: enabled
  die-with-parent: Enabled
  capabilities:
    - {cap: ALL, add: 0}
    - {cap: CAP_CHOWN, add: 1}
  host-provides: [glibc = 2.36, sh]
  rpmdir: /var/lib/rpm
environ:
  - {key: PS1, value: "[$LEAF_ALIAS]\\$ "}
  - {key: TERM, mode: inherit}
exports:
  - {mount: /usr, mode: Restricted}
  - {mount: /bin, mode: Symlink, path: usr/bin}
  - {mount: /tmp, mode: Tmpfs, size: 64M}
  - {mount: /proc, mode: Procfs}
  - {mount: /dev, mode: Devfs}
  - {mount: /etc/passwd, mode: Passwd}
  - {mount: /run/user/$UID, mode: Public, optional: true}
  - {mount: /root-only, mode: Private, path: $NODE_PATH/private}"#;

const CHILD: &str = r#"
config:
  umask: "022"
  path: /opt/bin:/bin
environ:
  - {key: PS1, mode: Static, value: $}
  - {key: OLD, mode: Remove}
exports:
  - {mount: /usr, mode: Overlay, path: $NODE_PATH/usr}
  - {mount: /opt/share/, mode: Restricted, path: /usr/share}
  - {mount: /data, mode: Private, path: $NODE_PATH/var/data}"#;

#[test]
fn a_family_is_merged() {
    let effective = Family::root(ROOT).node(CHILD).ok();
    assert_eq!(effective.nodes.iter().map(|n| n.alias.as_str()).collect::<Vec<_>>(), ["n0", "n1"]);
    let settings = &effective.settings;
    let umask = settings.umask.as_ref().expect("umask");
    assert_eq!((umask.value, umask.origin.node, umask.origin.layer), (0o022, 1, Layer::Normal));
    assert_eq!((umask.origin.place.line, umask.origin.place.column, umask.origin.place.length), (4, 10, 5));
    assert_eq!(umask.overrode.iter().map(|o| (o.node, o.place.line)).collect::<Vec<_>>(), [(0, 4)]);
    assert_eq!(
        settings.path.iter().map(|p| p.value.as_str()).collect::<Vec<_>>(),
        ["/opt/bin", "/bin", "/usr/bin"]
    );
    assert_eq!(settings.hostname.as_ref().expect("hostname").value, "n1");
    assert_eq!(settings.share.net.as_ref().map(|s| &s.value), Some(&Share::Shared));
    assert_eq!(settings.share.pid.as_ref().map(|s| &s.value), Some(&Share::Isolated));
    assert_eq!(settings.share.time, None);
    assert_eq!(settings.capabilities.len(), 41);
    assert!(settings.capabilities.iter().all(|(name, kept)| kept.value == (name == "CAP_CHOWN")));
    assert_eq!(
        settings.host_provides.iter().map(|p| p.value.as_str()).collect::<Vec<_>>(),
        ["glibc = 2.36", "sh"]
    );
    assert_eq!(settings.rpmdir, None, "the root node's database is not the child's");
    assert_eq!(Family::root(ROOT).ok().settings.rpmdir.expect("rpmdir").value, PathBuf::from("/var/lib/rpm"));

    let environ: Vec<_> = effective
        .environ
        .iter()
        .map(|v| (v.value.key.as_str(), v.value.action.clone(), v.origin.node))
        .collect();
    assert_eq!(
        environ,
        [
            ("PS1", VariableAction::Set("$".into()), 1),
            ("TERM", VariableAction::Inherit, 0),
            ("OLD", VariableAction::Remove, 1)
        ]
    );

    let shown: Vec<_> =
        effective.exports.iter().map(|e| (e.level, e.mount.to_str().expect("UTF-8"))).collect();
    assert_eq!(
        shown,
        [
            (0, "/bin"),
            (0, "/dev"),
            (0, "/etc/passwd"),
            (0, "/proc"),
            (0, "/run/user/1000"),
            (0, "/tmp"),
            (0, "/usr"),
            (1, "/data"),
            (1, "/opt/share"),
            (1, "/usr"),
        ]
    );
    let kinds: Vec<_> = effective.exports[6..].iter().map(|e| e.kind.clone()).collect();
    let source = |host: &str, lies| Source { host: host.into(), lies };
    assert_eq!(
        kinds,
        [
            ExportKind::Bind { source: source("/usr", Lies::Host), access: Access::ReadOnly, file: false },
            ExportKind::Bind {
                source: source("/n0/n1/var/data", Lies::Own { beneath: "var/data".into() }),
                access: Access::ReadWrite,
                file: false
            },
            ExportKind::Bind {
                source: source("/usr/share", Lies::Inherited { export: 6, inside: "/usr/share".into() }),
                access: Access::ReadOnly,
                file: false
            },
            ExportKind::Overlay { source: source("/n0/n1/usr", Lies::Own { beneath: "usr".into() }) },
        ]
    );
    assert!(effective.exports[4].optional && effective.exports[7].private);
    assert_eq!(effective.exports[5].kind, ExportKind::Tmpfs { size: Some(64 << 20) });
}
