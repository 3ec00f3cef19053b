//! Every key and value of the language: what is taken, what is refused, and with which hint.

use redpak_model::config::{ExportMode, ShareEntry, Switch, VariableMode};
use redpak_model::effective::{CallAction, Rlimit};
use redpak_model::schema::{self, Support};
use redpak_model::{Layer, SourceText};

use crate::family::parse;

/// The codes and positions of a file with this body from line 2 on.
fn findings(body: &str) -> Vec<String> {
    parse(&format!("headers: {{alias: a}}\n{body}")).1
}

fn config(line: &str) -> Vec<String> {
    findings(&format!("config:\n  {line}"))
}

#[test]
fn values_of_config() {
    for line in [
        "umask: 0",
        "umask: 027",
        "umask: \"027\"",
        "umask: '0777'",
        "UMASK: 22",
        "verbose: 3",
        "map-root-user: 1",
        "map-root-user: '0'",
        "gpgcheck: true",
        "gpgcheck: FALSE",
        "unsafe: true",
        "inherit-env: False",
        "die-with-parent: Enabled",
        "new-session: unset",
        "share_all: DISABLED",
        "share_net: enabled",
        "share_time: unset",
        "Share_Net: unset",
        "rpmdir: /var/lib/rpm",
        "persistdir: $NODE_PATH/x",
        "cachedir: /c",
        "path: /a:/b",
        "ldpath: /a",
        "hostname: h",
        "chdir: /",
        "inheritance: Strict",
        "host-provides: [a, b = 1]",
        "host-provides:",
        "capabilities: [{cap: CAP_NET_RAW, add: 1}, {cap: all, add: 0, info: i, warn: w}]",
        "capabilities: []",
    ] {
        assert_eq!(config(line), Vec::<String>::new(), "{line}");
    }
    for (line, expected) in [
        ("umask: 8", "RP0113 3:10"),
        ("umask: 0o27", "RP0113 3:10"),
        ("umask: 01777", "RP0113 3:10"),
        ("umask: -1", "RP0113 3:10"),
        ("umask: +27", "RP0113 3:10"),
        ("umask: 99999999999", "RP0113 3:10"),
        ("umask:", "RP0113 3:3"),
        ("umask: ''", "RP0113 3:10"),
        ("umask: [1]", "RP0112 3:10"),
        ("umask: {a: 1}", "RP0112 3:10"),
        ("umask: ٠٢٧", "RP0113 3:10"),
        ("umask: ~", "RP0113 3:10"),
        ("verbose: -1", "RP0113 3:12"),
        ("verbose: 0x1", "RP0113 3:12"),
        ("verbose: 01", "RP0113 3:12"),
        ("verbose: 1.0", "RP0113 3:12"),
        ("verbose: 99999999999999999999", "RP0113 3:12"),
        ("verbose: yes", "RP0113 3:12"),
        ("map-root-user: 2", "RP0113 3:18"),
        ("map-root-user: 0777", "RP0113 3:18"),
        ("map-root-user: true", "RP0113 3:18"),
        ("gpgcheck: no", "RP0114 3:13"),
        ("gpgcheck: 0", "RP0114 3:13"),
        ("gpgcheck: treu", "RP0114 3:13"),
        ("unsafe: y", "RP0114 3:11"),
        ("inherit-env: off", "RP0114 3:16"),
        ("share_all: true", "RP0114 3:14"),
        ("share_net: disable", "RP0114 3:14"),
        ("share_net: no", "RP0114 3:14"),
        ("share_all: /proc/1/ns/net", "RP0114 3:14"),
        ("die-with-parent: 1", "RP0114 3:20"),
        ("rpmdir:", "RP0113 3:3"),
        ("path: ''", "RP0113 3:9"),
        ("host-provides: x", "RP0112 3:18"),
        ("host-provides: [[a]]", "RP0112 3:19"),
        ("host-provides: ['']", "RP0113 3:19"),
        ("inheritance: lax", "RP0114 3:16"),
        ("capabilities: ALL", "RP0112 3:17"),
        ("capabilities: [ALL]", "RP0112 3:18"),
        ("capabilities: [{cap: CAP_NETRAW, add: 1}]", "RP0114 3:24"),
        ("capabilities: [{cap: ALL, add: true}]", "RP0113 3:34"),
        ("capabilities: [{cap: ALL}]", "RP0111 3:18"),
        ("capabilities: [{add: 1}]", "RP0111 3:18"),
        ("umsk: 027", "RP0110 3:3"),
        ("share-net: enabled", "RP0110 3:3"),
        ("\"\": x", "RP0110 3:3"),
    ] {
        assert_eq!(config(line), [expected], "{line}");
    }
}

#[test]
fn rights_limits_and_filters() {
    for line in [
        "set-user: daemon",
        "set-user: 0",
        "set-user: $X",
        "set-group: 100",
        "smack: _",
        "selinux: a:b:c",
        "apparmor: x",
        "cgrouproot: /sys/fs/cgroup/x",
        "cgroups: {}",
        "cgroups: {mem: {max: 64M, min: MAX, oom_group: 1}}",
        "cgroups: {cpuset: {cpus: '0-3,5', mems: 0, cpus_partition: Root}}",
        "cgroups: {cpu: {max: 50000, weight: 10000, weight_nice: -20}}",
        "cgroups: {pids: {max: max}, io: {weight: default 10, max: '8:0 rbps=max'}}",
        "seccomp: {default: Errno, errno: EPERM, rules: [{calls: [read, '@module'], action: allow, info: i}]}",
        "landlock: {abi: 4, files: enabled, tcp-bind: [80], tcp-connect: [1, 65535], abstract-sockets: disabled, signals: unset}",
        "rlimits: {nofile: 100, core: '0:max', as: 1G, nice: max}",
        "time-offsets: {monotonic: -1, boottime: 9}",
        "share_time: disabled",
        "share_net: /proc/1/ns/net",
        "share_pid: $X/ns",
        "inheritance: Compatible",
        "hostname: $(hostname)",
        "path: /a:$(echo /b)",
        "chdir: $(pwd)",
        "host-provides: [$(x)]",
        "capabilities: [{cap: ALL, add: 0, info: $(x)}]",
    ] {
        assert_eq!(config(line), Vec::<String>::new(), "{line}");
    }
    for (line, expected) in [
        ("set-user: -1", "RP0113 3:13"),
        ("set-user: 4294967296", "RP0113 3:13"),
        ("set-group: ''", "RP0113 3:14"),
        ("cgroups: {mem: {max: 64X}}", "RP0113 3:24"),
        ("cgroups: {mem: {max: -1}}", "RP0113 3:24"),
        ("cgroups: {mem: {mux: 64M}}", "RP0110 3:19"),
        ("cgroups: {mem: 64M}", "RP0112 3:18"),
        ("cgroups: {memory: {}}", "RP0110 3:13"),
        ("cgroups: {cpuset: {cpus: 3-1}}", "RP0113 3:28"),
        ("cgroups: {cpuset: {cpus_partition: isolate}}", "RP0114 3:38"),
        ("cgroups: {cpu: {weight: 0}}", "RP0113 3:27"),
        ("cgroups: {cpu: {max: fast}}", "RP0113 3:24"),
        ("cgroups: {io: {max: rbps=1}}", "RP0113 3:23"),
        ("cgroups: {io: {weight: 0}}", "RP0113 3:26"),
        ("cgroups: {pids: {max: 1K}}", "RP0113 3:25"),
        ("seccomp: {default: deny}", "RP0114 3:22"),
        ("seccomp: {rules: [{action: kill}]}", "RP0111 3:21"),
        ("seccomp: {rules: [{calls: [read]}]}", "RP0111 3:21"),
        ("landlock: {a: b}", "RP0110 3:14"),
        ("landlock: {tcp-bind: [65536]}", "RP0113 3:25"),
        ("landlock: {tcp-bind: 80}", "RP0112 3:24"),
        ("landlock: {abi: 0}", "RP0113 3:19"),
        ("landlock: {files: true}", "RP0114 3:21"),
        ("rlimits: [x]", "RP0112 3:12"),
        ("rlimits: {nofiles: 1}", "RP0110 3:13"),
        ("rlimits: {nofile: '5:4'}", "RP0113 3:21"),
        ("rlimits: {nofile: -1}", "RP0113 3:21"),
        ("time-offsets: {monotonic: 1.5}", "RP0113 3:29"),
        ("share_net: proc/1/ns/net", "RP0114 3:14"),
        ("inheritance: none", "RP0114 3:16"),
    ] {
        assert_eq!(config(line), [expected], "{line}");
    }
}

#[test]
fn every_mode_is_taken() {
    for (mode, _) in schema::EXPORT_MODES {
        let path = match *mode {
            "Symlink" | "Execfd" => ", path: x",
            "Internal" => ", path: 3",
            _ => "",
        };
        let body = format!("exports:\n  - {{mount: /m, mode: {}{path}}}", mode.to_lowercase());
        assert_eq!(findings(&body), Vec::<String>::new(), "{mode}");
    }
    for (mode, _) in schema::VARIABLE_MODES {
        let value = if ["Inherit", "Remove"].contains(mode) { "" } else { ", value: x" };
        let body = format!("environ: [{{key: A, mode: {}{value}}}]", mode.to_uppercase());
        assert_eq!(findings(&body), Vec::<String>::new(), "{mode}");
    }
    assert_eq!(findings("environ: [{key: A, value: $(date)}]"), Vec::<String>::new());
    assert_eq!(findings("environ: [{key: A, value: $(date}]"), ["RP0121 2:27"]);
    assert_eq!(findings("environ: [{key: A, value: \\$(date)}]"), Vec::<String>::new());
    assert_eq!(findings("environ: [{key: A, mode: Static, value: $(date}]"), Vec::<String>::new());
    assert_eq!(findings("exports: [{mount: /a$(x), mode: Tmpfs}]"), Vec::<String>::new());
    assert_eq!(findings("exports: [{mount: /a, mode: Internal, path: x}]").len(), 1);
}

#[test]
fn headers() {
    let of = |text: &str| parse(text).1;
    for alias in ["a", "A-z_0+@:9", "'x'", "12"] {
        assert_eq!(
            of(&format!("headers: {{alias: \"{}\", name: '', info: \"$(x)\"}}", alias.trim_matches('\''))),
            Vec::<String>::new()
        );
    }
    for (text, expected) in [
        ("headers: {alias: a b}", "RP0113 1:18"),
        ("headers: {alias: a/b}", "RP0113 1:18"),
        ("headers: {alias: é}", "RP0113 1:18"),
        ("headers: {alias: $USER}", "RP0113 1:18"),
        ("headers: {alias: ''}", "RP0113 1:18"),
        ("headers: {alias: }", "RP0113 1:11"),
        ("headers: {name: x}", "RP0111 1:1"),
        ("headers: {}", "RP0111 1:1"),
        ("headers:", "RP0111 1:1"),
        ("headers: []", "RP0112 1:10"),
        ("config: {}", "RP0111 1:1"),
        ("headers: {alias: a, uuid: b}", "RP0110 1:21"),
        ("header: {alias: a}", "RP0110 1:1"),
    ] {
        assert_eq!(of(text).first().map(String::as_str), Some(expected), "{text}");
    }
}

#[test]
fn entries_of_environ() {
    for (entry, expected) in [
        ("{key: A, value: b}", None),
        ("{KEY: A, Mode: STATIC, value: ''}", None),
        ("{key: A, mode: inherit}", None),
        ("{key: A, value: }", None),
        ("{key: A, mode: remove, info: i, warn: w}", None),
        ("{value: b}", Some("RP0111 2:11")),
        ("{key: A}", Some("RP0111 2:17")),
        ("{key: A, mode: static}", Some("RP0111 2:17")),
        ("{key: A, mode: remove, value: x}", Some("RP0115 2:34")),
        ("{key: A, mode: inherit, value: x}", Some("RP0115 2:35")),
        ("{key: A=B, value: x}", Some("RP0113 2:17")),
        ("{key: '', value: x}", Some("RP0113 2:17")),
        ("{key: 'A B', value: x}", Some("RP0113 2:17")),
        ("{key: A, mode: statik, value: x}", Some("RP0114 2:26")),
        ("{key: A, value: [x]}", Some("RP0112 2:27")),
        ("{key: A, val: x, value: y}", Some("RP0110 2:20")),
        ("A=b", Some("RP0112 2:11")),
    ] {
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(findings(&format!("environ: [{entry}]")), expected, "{entry}");
    }
    assert_eq!(findings("environ: {key: A}"), ["RP0112 2:10"]);
}

#[test]
fn entries_of_exports() {
    for (entry, expected) in [
        ("{mount: /a, mode: restricted, path: /b, optional: true, info: i, warn: w}", None),
        ("{mount: /a, mode: Tmpfs, size: 4096}", None),
        ("{mount: /a, mode: Tmpfs, size: 1g}", None),
        ("{mount: /a, mode: Tmpfs, path: /a}", None),
        ("{mount: /a, mode: Symlink, path: b}", None),
        ("{mode: Tmpfs}", Some("RP0111 2:11")),
        ("{mount: /a}", Some("RP0111 2:11")),
        ("{mount: , mode: Tmpfs}", Some("RP0113 2:12")),
        ("{mount: /a, mode: Tmpf}", Some("RP0114 2:29")),
        ("{mount: /a, mode: Tmpfs, path: /b}", Some("RP0115 2:42")),
        ("{mount: /a, mode: Tmpfs, size: 0}", Some("RP0113 2:42")),
        ("{mount: /a, mode: Tmpfs, size: 4095}", Some("RP0113 2:42")),
        ("{mount: /a, mode: Tmpfs, size: max}", Some("RP0113 2:42")),
        ("{mount: /a, mode: Tmpfs, size: 64MB}", Some("RP0113 2:42")),
        ("{mount: /a, mode: Tmpfs, size: 99999999999G}", Some("RP0113 2:42")),
        ("{mount: /a, mode: Tmpfs, size: M}", Some("RP0113 2:42")),
        ("{mount: /a, mode: Public, size: 64M}", Some("RP0115 2:37")),
        ("{mount: /a, mode: Procfs, optional: true}", Some("RP0115 2:37")),
        ("{mount: /a, mode: Symlink}", Some("RP0111 2:19")),
        ("{mount: /a, mode: Symlink, path: /a}", Some("RP0111 2:44")),
        ("{mount: /a, mode: Public, optional: yes}", Some("RP0114 2:47")),
        ("{mount: /a, mode: Public, sorce: /b}", Some("RP0110 2:37")),
    ] {
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(findings(&format!("exports: [{entry}]")), expected, "{entry}");
    }
}

#[test]
fn hints_name_the_nearest_word() {
    for (body, message, hint) in [
        ("config: {umsk: 027}", "unknown key `umsk` in `config`", "did you mean `umask`?"),
        (
            "exports: [{mount: /a, mode: restrictd}]",
            "`mode` does not take `restrictd`",
            "did you mean `Restricted`?",
        ),
        ("config: {share_net: enable}", "`share_net` does not take `enable`", "did you mean `enabled`?"),
        (
            "config: {capabilities: [{cap: NET_RAV, add: 0}]}",
            "`cap` does not take `NET_RAV`",
            "did you mean `CAP_NET_RAW`?",
        ),
        (
            "environ: [{key: A, qqq: x, value: y}]",
            "unknown key `qqq` in an entry of `environ`",
            "the keys here are `key`, `mode`, `value`, `info`, `warn`",
        ),
        ("config: {gpgcheck: maybe}", "`gpgcheck` does not take `maybe`", "it takes `true`, `false`"),
    ] {
        let text = SourceText::new("f", format!("headers: {{alias: a}}\n{body}"));
        let (_, findings) = redpak_model::parse(&text, Layer::Normal);
        let found: Vec<_> =
            findings.iter().map(|f| (f.message.as_str(), f.hint.as_deref().unwrap_or_default())).collect();
        assert_eq!(found, [(message, hint)], "{body}");
    }
}

#[test]
fn all_findings_of_a_file_are_told_at_once() {
    let found = findings(
        "config:\n  umsk: 1\n  verbose: x\n  set-user: ''\nexports:\n  - {mount: /a, mode: Nothing}\n  - 3\nfoo: bar",
    );
    assert_eq!(
        found,
        ["RP0110 3:3", "RP0113 4:12", "RP0113 5:13", "RP0114 7:23", "RP0112 8:5", "RP0110 9:1"]
    );
}

#[test]
fn keys_of_redpak_2_5_without_effect_are_a_warning() {
    let (config, found) = parse("headers: {alias: a}\nconfig: {maxage: 3, inherit: {a: b}}");
    assert_eq!(found, ["RP0119 2:10", "RP0119 2:21"]);
    assert!(config.is_some());
}

/// A parsed file holds what stands in it: each supported key of the tables is taken over.
#[test]
fn a_parsed_file_holds_what_stands_in_it() {
    let text = "headers: {alias: a, name: n, info: i}\nconfig:\n  rpmdir: /r\n  persistdir: /p\n  cachedir: /c\n  path: /a:/b\n  \
                ldpath: /l\n  umask: 027\n  map-root-user: 1\n  verbose: 2\n  gpgcheck: true\n  unsafe: true\n  inherit-env: true\n  \
                die-with-parent: enabled\n  new-session: disabled\n  share_all: unset\n  share_user: enabled\n  share_cgroup: enabled\n  \
                share_net: /j\n  share_pid: enabled\n  share_ipc: enabled\n  share_time: unset\n  hostname: h\n  chdir: /d\n  \
                capabilities: [{cap: ALL, add: 1, info: i, warn: w}]\n  inheritance: strict\n  host-provides: [p]\n  \
                set-user: u\n  set-group: 7\n  smack: k\n  selinux: e\n  apparmor: y\n  time-offsets: {monotonic: -5, boottime: 6}\n  \
                cgrouproot: /cg\n  cgroups: {pids: {max: 7}, mem: {max: 1K}}\n  seccomp: {default: kill, rules: [{calls: [read], action: log}]}\n  \
                landlock: {abi: 3, tcp-bind: [80]}\n  rlimits: {nofile: '1:2'}\n\
                environ: [{key: K, mode: Static, value: v, info: i, warn: w}]\n\
                exports: [{mount: /m, mode: PrivateFile, path: /s, optional: true, info: i, warn: w}, {mount: /t, mode: Tmpfs, size: 1M}]\n";
    let (parsed, found) = parse(text);
    assert_eq!(found, Vec::<String>::new());
    for key in schema::CONFIG.iter().filter(|key| key.support == Support::Full) {
        assert!(text.contains(&format!("  {}:", key.name)), "{} is missing here", key.name);
    }
    let parsed = parsed.expect("a configuration");
    let c = &parsed.config;
    let texts = [&c.rpmdir, &c.persistdir, &c.cachedir, &c.path, &c.ldpath, &c.hostname, &c.chdir];
    let texts: Vec<_> =
        texts.iter().map(|text| text.as_ref().map_or("", |text| text.value.as_str())).collect();
    assert_eq!(texts, ["/r", "/p", "/c", "/a:/b", "/l", "h", "/d"]);
    assert_eq!(c.umask.as_ref().map(|umask| umask.value), Some(0o27));
    assert_eq!(c.verbose.as_ref().map(|verbose| verbose.value), Some(2));
    for boolean in [&c.map_root_user, &c.gpgcheck, &c.r#unsafe, &c.inherit_env] {
        assert_eq!(boolean.as_ref().map(|boolean| boolean.value), Some(true));
    }
    let s = &c.shares;
    use Switch::{Disabled, Enabled, Unset};
    let switches = [&c.die_with_parent, &c.new_session, &s.all];
    let switches: Vec<_> = switches.iter().filter_map(|set| Some(set.as_ref()?.value)).collect();
    assert_eq!(switches, [Enabled, Disabled, Unset]);
    let shares = [&s.user, &s.cgroup, &s.net, &s.pid, &s.ipc, &s.time];
    let shares: Vec<_> = shares.iter().filter_map(|set| Some(set.as_ref()?.value.clone())).collect();
    let shared = || ShareEntry::Switch(Enabled);
    let joined = ShareEntry::Join("/j".to_owned());
    assert_eq!(shares, [shared(), shared(), joined, shared(), shared(), ShareEntry::Switch(Unset)]);
    assert_eq!(c.host_provides[0].value, "p");
    assert_eq!(
        c.root_only.iter().map(|key| key.value).collect::<Vec<_>>(),
        ["unsafe", "time-offsets", "cgrouproot", "inheritance", "host-provides"]
    );
    let rights = [&c.set_user, &c.set_group, &c.smack, &c.selinux, &c.apparmor, &c.cgrouproot];
    let rights: Vec<_> = rights.iter().map(|text| text.as_ref().map_or("", |t| t.value.as_str())).collect();
    assert_eq!(rights, ["u", "7", "k", "e", "y", "/cg"]);
    let offsets = [&c.monotonic, &c.boottime].map(|offset| offset.as_ref().map(|offset| offset.value));
    assert_eq!(offsets, [Some(-5), Some(6)]);
    let files: Vec<_> = c.cgroups.iter().map(|(file, text)| (*file, text.value.as_str())).collect();
    assert_eq!(files, [("memory.max", "1024"), ("pids.max", "7")]);
    let seccomp = &c.seccomp.as_ref().expect("seccomp").value;
    assert_eq!(seccomp.default.as_ref().map(|action| action.value), Some(CallAction::Kill));
    assert_eq!(
        (seccomp.rules[0].calls[0].value.as_str(), seccomp.rules[0].action),
        ("read", CallAction::Log)
    );
    let landlock = &c.landlock.as_ref().expect("landlock").value;
    assert_eq!(landlock.abi.as_ref().map(|abi| abi.value), Some(3));
    assert_eq!(landlock.tcp_bind.as_ref().map(|ports| ports.value.clone()), Some(vec![80]));
    assert_eq!((c.rlimits[0].0, c.rlimits[0].1.value), ("nofile", Rlimit { soft: Some(1), hard: Some(2) }));
    assert!(c.capabilities[0].keep && c.capabilities[0].warn.is_some());
    let variable = &parsed.environ[0];
    assert_eq!((variable.key.value.as_str(), variable.mode), ("K", VariableMode::Static));
    let export = &parsed.exports[0];
    assert_eq!((export.mode, export.optional), (ExportMode::PrivateFile, true));
    assert_eq!(parsed.exports[1].size, Some(1 << 20));
}
