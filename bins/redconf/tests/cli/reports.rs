//! `check`, `config`, `mergeconfig`, `tree`.

use std::collections::BTreeSet;
use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::ground::Ground;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Three mistakes in three nodes, and one below all of them.
fn mistaken() -> Ground {
    let ground = Ground::family();
    ground.node("r/b", "config:\n  umsk: 022\n  hostname: a b\n");
    ground.node("r/c", "exports:\n  - {mount: /etc/shadow, mode: RestrictedFile}\n");
    ground.node("r/c/d", "config: {share_all: enabled}\n");
    ground
}

#[test]
fn check_tells_each_finding_once() {
    let ground = mistaken();
    let ran = ground.run("check @r").expect(1);
    assert_eq!(ran.stderr, "", "findings are what was asked for");
    assert_snapshot!("check", ran.stdout);
    let sub = ground.run("check @r/a").expect(0).stdout;
    assert_eq!(sub, "1 node checked: 0 errors, 0 warnings\n");
    // The same node asked for twice, and a path that is none.
    ground.run("check @r/a @r/a @none").expect(1).says("1 node checked: 1 error,");
}

#[test]
fn check_says_the_same_in_every_format() {
    let ground = mistaken();
    let text = ground.run("check @r").expect(1).stdout;
    let report = json(&ground.run("check --format json @r").expect(1).stdout);
    assert_eq!(report, json(&ground.run("check --json @r").expect(1).stdout));
    assert_eq!((&report["version"], &report["nodes"]), (&Value::from(1), &Value::from(5)));
    let findings = report["findings"].as_array().expect("a list");
    assert_eq!(findings.iter().filter(|f| f["severity"] == "error").count() as u64, report["errors"]);
    assert!(findings.len() >= 4, "{findings:#?}");
    for finding in findings {
        let head =
            format!("{}[{}]", finding["severity"].as_str().unwrap(), finding["code"].as_str().unwrap());
        assert!(text.contains(&head), "{head}");
    }
    let log = json(&ground.run("check --format sarif @r").expect(1).stdout);
    assert_eq!(log["version"], "2.1.0");
    let results = log["runs"][0]["results"].as_array().expect("a list");
    let codes = |list: &[Value], key: &str| list.iter().map(|f| f[key].to_string()).collect::<Vec<_>>();
    assert_eq!(codes(results, "ruleId"), codes(findings, "code"));
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("a list");
    assert!(rules.iter().all(|rule| rule["shortDescription"]["text"].is_string()), "{rules:#?}");
}

#[test]
fn check_judges_the_admin_files_and_the_files_below_a_broken_node() {
    let ground = Ground::family();
    ground.write("r/a/etc/redpak-admin.yaml", "headers: {alias: a}\nconfig: {share_pid: enabled}\n");
    ground.run("check @r").expect(1).says("redpak-admin.yaml:2:");
    ground.node("r/b", "");
    ground.node("r/b/c", "unknown: 1\n");
    fs::remove_file(ground.at("r/b/etc/redpak.yaml")).expect("removed");
    ground.run("check @r").expect(1).says("has no `etc/redpak.yaml`").says("unknown key `unknown`");
}

#[test]
fn check_runs_no_command() {
    let ground = Ground::family();
    let marker = ground.at("ran");
    let command = format!("touch {}", marker.display());
    ground.node(
        "r/b",
        &format!(
            "config: {{hostname: \"$({command})\"}}\nenviron:\n  - {{key: A, mode: Execfd, value: \"{command}\"}}\n\
             exports:\n  - {{mount: /etc/x, mode: Execfd, path: \"{command}\"}}\n"
        ),
    );
    ground.run("check @r").expect(0).says("RP0213").says("3 notes");
    for words in ["mergeconfig @r/b", "mergeconfig --json @r/b", "config @r/b", "tree @r", "why @r/b --env A"]
    {
        ground.run(words).expect(0);
    }
    let merged = ground.run("mergeconfig @r/b").expect(0).stdout;
    assert_eq!(merged.matches("not judged, a command decides it").count(), 3, "{merged}");
    assert!(!marker.exists(), "a command was run");
}

#[test]
fn check_warns_of_what_no_launch_has_an_effect_for() {
    let ground = Ground::family();
    ground.node("r/b", "config: {set-user: daemon, share_time: disabled}\n");
    let ran = ground.run("check @r").expect(0);
    for key in ["set-user", "share_time"] {
        assert!(
            ran.stdout.contains(&format!("warning[RP0117]: not supported yet: `{key}`")),
            "{}",
            ran.stdout
        );
    }
    assert!(ran.stdout.ends_with("3 nodes checked: 0 errors, 2 warnings\n"), "{}", ran.stdout);
    // A node that is wrong anyway is not told what it lacks besides.
    ground.node("r/b", "config: {set-user: daemon, umsk: 0}\n");
    let ran = ground.run("check @r").expect(1);
    assert!(!ran.stdout.contains("RP0117"), "{}", ran.stdout);
    ground.run("check --help").expect(0).says("told\nat launch");
}

#[test]
fn check_warns_of_what_strict_would_refuse() {
    let ground = Ground::new();
    ground.node("r", "config: {inheritance: compatible, share_all: disabled}\n");
    ground.node("r/a", "exports:\n  - {mount: /srv, mode: Public}\n");
    let ran = ground.run("check @r").expect(0).says("warning[RP0303]");
    assert!(ran.stdout.ends_with("2 nodes checked: 0 errors, 1 warning\n"), "{}", ran.stdout);
}

#[test]
fn a_disabled_node_is_no_mistake() {
    let ground = Ground::family();
    ground.run("disable @r/a").expect(0);
    ground.run("check @r").expect(0).says("warning[RP0416]");
    ground.run("enable @r/a").expect(0);
    ground.run("check @r").expect(0).says(" 0 warnings");
}

#[test]
fn mergeconfig_shows_every_value_with_its_origin() {
    let ground = Ground::family();
    let ran = ground.run("mergeconfig @r/a").expect(0);
    assert_snapshot!("mergeconfig", ran.stdout);
    let own = ground.run("config @r/a").expect(0).stdout;
    assert!(own.starts_with("# /N/r/a/etc/redpak.yaml\nheaders: {alias: a}\n"), "{own}");
    let parsed = json(&ground.run("config --json @r/a").expect(0).stdout);
    assert_eq!(parsed["config"]["headers"]["alias"]["value"], "a");
    let merged = json(&ground.run("mergeconfig --json @r/a").expect(0).stdout);
    assert_eq!(merged["version"], 1);
    assert_eq!(merged["effective"]["settings"]["umask"]["value"], 0o077);
    assert!(merged["defaults"].as_array().expect("a list").iter().any(|set| set["key"] == "gpgcheck"));
}

#[test]
fn mergeconfig_says_what_is_true_of_what_nobody_says() {
    let ground = Ground::new();
    ground.node("r", "");
    let merged = ground.run("mergeconfig @r").expect(0).stdout;
    for part in ["no time namespace is made yet", "as the host's, in that namespace"] {
        assert!(merged.contains(part), "{merged}");
    }
    assert!(!merged.contains("for reading only"), "{merged}");
    let overlay = "exports: [{mount: /usr, mode: Overlay, path: $NODE_PATH/usr}]\n";
    ground.node("r", overlay);
    ground.node("r/a", overlay);
    let merged = ground.run("mergeconfig -y @r/a").expect(0).stdout;
    assert!(merged.starts_with("# for reading only"), "{merged}");
}

#[test]
fn mergeconfig_names_the_exports_that_are_overridden() {
    let ground = Ground::family();
    ground.write(
        "r/a/etc/redpak-admin.yaml",
        "headers: {alias: a}\nexports:\n  - {mount: /opt, mode: Public, path: $NODE_PATH/opt}\n",
    );
    let line = "    # overrode `- {mount: /opt, mode: Restricted, path: $NODE_PATH/opt}` of a, /N/r/a/etc/redpak.yaml:13:13";
    ground.run("mergeconfig -e @r/a").expect(0).says(line);
    let plain = ground.run("mergeconfig @r/a").expect(0).stdout;
    assert!(!plain.contains("overrode `- {mount"), "{plain}");
    // As red-pak 2.5 has it: the child's takes the place of the parent's.
    let ground = Ground::new();
    ground.node(
        "r",
        "config: {inheritance: compatible}\nexports:\n  - {mount: /x, mode: Restricted, path: /usr}\n",
    );
    ground.node("r/a", "exports:\n  - {mount: /x, mode: Public, path: /srv}\n");
    let ran = ground.run("mergeconfig @r/a").expect(0);
    assert!(ran.stdout.contains("mode: Public, path: /srv}"), "{}", ran.stdout);
    ran.says("# overrode `- {mount: /x, mode: Restricted, path: /usr}` of r, /N/r/etc/redpak.yaml:4:13");
}

/// Every key that a root node can say, as it is said again.
const ALL: &str = r#"
config:
  rpmdir: $NODE_PATH/var/lib/rpm
  path: /usr/bin:/bin
  umask: "002"
  set-user: nobody
  set-group: 65534
  smack: "a-$HOSTNAME"
  map-root-user: 1
  gpgcheck: false
  inherit-env: true
  share_user: enabled
  share_net: /run/netns/x
  share_time: disabled
  time-offsets: {monotonic: 7, boottime: -7}
  hostname: "h\\$x"
  cgrouproot: /sys/fs/cgroup/x
  cgroups: {mem: {max: 1M, swap_max: max, oom_group: 1}, cpu: {max: "50000 100000", weight: 7}, pids: {max: 12}}
  capabilities: [{cap: ALL, add: 1}, {cap: CAP_SYS_ADMIN, add: 0}]
  host-provides: ["libc = 2.36", rtld]
  seccomp: {default: allow, rules: [{calls: [mount, umount2], action: errno, errno: EACCES}, {calls: [reboot], action: kill}]}
  landlock: {tcp-bind: [80, 443], signals: enabled}
  rlimits: {nofile: "10:20", core: 0, stack: max}
environ:
  - {key: A, mode: Static, value: "$x \\$y \"'#: é"}
  - {key: B, mode: Inherit}
  - {key: C, mode: Remove}
exports:
  - {mount: "/a b", mode: Restricted, path: /usr}
  - {mount: /p, mode: Public, path: $NODE_PATH/var, optional: true}
  - {mount: /pf, mode: PrivateFile, path: $NODE_PATH/file}
  - {mount: /rf, mode: RestrictedFile, path: /etc/hosts}
  - {mount: /pr, mode: PrivateRestricted, path: /usr}
  - {mount: /l, mode: Symlink, path: "../x$NODE_ALIAS"}
  - {mount: /i, mode: Internal, path: 5}
  - {mount: /an, mode: Anonymous}
  - {mount: /t, mode: Tmpfs, size: 8K}
  - {mount: /proc, mode: Procfs}
  - {mount: /q, mode: Mqueue}
  - {mount: /dev, mode: Devfs}
  - {mount: /dv, mode: Device, path: /dev/null}
  - {mount: /a b/lock, mode: Lock}
  - {mount: /etc/passwd, mode: Passwd}
  - {mount: /etc/group, mode: Group}
"#;

#[test]
fn what_mergeconfig_writes_says_the_same_again() {
    let ground = Ground::new();
    ground.node("r", ALL);
    let first = ground.run("mergeconfig --json @r").expect(0);
    for form in ["mergeconfig -y @r", "mergeconfig @r"] {
        let written = ground.verbatim(form).expect(0);
        ground.node("again/r", "");
        ground.write("again/r/etc/redpak.yaml", &written.stdout);
        let second = ground.run("mergeconfig --json @again/r").expect(0);
        assert_eq!(values(&json(&second.stdout)), values(&json(&first.stdout)), "{}", written.stdout);
    }
}

/// The values of an effective configuration, without their origins. What was a default is said now.
fn values(merged: &Value) -> BTreeSet<String> {
    fn bare(value: &Value) -> Value {
        match value {
            Value::Object(members) if members.contains_key("origin") && members.contains_key("overrode") => {
                bare(&members["value"])
            }
            Value::Object(members) => {
                let kept = members.iter().filter(|(key, _)| *key != "origin");
                kept.map(|(key, value)| (key.clone(), bare(value))).collect()
            }
            Value::Array(items) => items.iter().map(bare).collect(),
            value => value.clone(),
        }
    }
    let defaults = merged["defaults"].as_array().expect("a list");
    let said = |key: &str| {
        !defaults
            .iter()
            .any(|default| default["key"].as_str().is_some_and(|name| name.replace('-', "_") == key))
    };
    let effective = &merged["effective"];
    let mut all: BTreeSet<String> = effective["settings"]
        .as_object()
        .expect("members")
        .iter()
        .filter(|(key, value)| *key != "share" && said(key) && !value.is_null())
        .map(|(key, value)| format!("{key}: {}", bare(value)))
        .collect();
    // What holds by default in the one is said in the other.
    all.retain(|line| {
        !["verbose", "unsafe", "die_with_parent", "new_session", "chdir", "inheritance"]
            .iter()
            .any(|key| line.starts_with(key))
    });
    for (key, value) in effective["settings"]["share"].as_object().expect("members") {
        let value = if value.is_null() { Value::from("isolated") } else { bare(value) };
        all.insert(format!("share_{key}: {value}"));
    }
    let names = |variable: &Value| ["A", "B", "C"].iter().any(|key| variable["value"]["key"] == *key);
    all.extend(
        effective["environ"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|v| names(v))
            .map(|v| bare(v).to_string()),
    );
    all.extend(effective["exports"].as_array().expect("a list").iter().map(|export| {
        // Where the node's own directory was, it is now somebody else's.
        bare(export).to_string().replace("/N/again/r", "/N/r")
    }));
    all.into_iter().map(|line| lies(&line)).collect()
}

/// Where a source lies depends on where the node is.
fn lies(line: &str) -> String {
    match line.find("\"lies\":") {
        Some(at) => line[..at].to_owned(),
        None => line.to_owned(),
    }
}

#[test]
fn tree_shows_states_and_reasons() {
    let ground = mistaken();
    ground.node("r/off", "");
    ground.node("r/off/below", "");
    ground.run("disable @r/off").expect(0);
    let ran = ground.run("tree @r").expect(0);
    assert_snapshot!("tree", ran.stdout);
    let tree = json(&ground.run("tree --json @r").expect(0).stdout);
    let children = tree["tree"]["children"].as_array().expect("a list");
    let states: Vec<&str> = children.iter().filter_map(|child| child["state"].as_str()).collect();
    assert_eq!(states, ["enabled", "broken", "broken", "disabled"]);
    assert_eq!(children[0]["rights"]["capabilities"], serde_json::json!(["CAP_NET_BIND_SERVICE"]));
    assert_eq!(children[0]["rights"]["network"], "none but its own");
}

#[test]
fn pictures_hold_hostile_names_as_text() {
    let ground = Ground::family();
    ground.node("r/<b>&\"\\n\u{1b}[31m", "headers: 1\n");
    let svg = ground.run("tree --svg @r").expect(0).stdout;
    assert!(svg.starts_with("<svg ") && svg.contains("&lt;b&gt;&amp;&quot;"), "{svg}");
    assert!(!svg.contains("<b>") && !svg.contains('\u{1b}'), "{svg}");
    assert_eq!(svg.matches("<g>").count(), 3);
    let dot = ground.run("tree --dot @r").expect(0).stdout;
    assert!(dot.contains("<b>&\\\"\\\\n\\\\u{1b}[31m") && !dot.contains('\u{1b}'), "{dot}");
    // Where Graphviz is installed, it has the last word.
    let child = std::process::Command::new("dot")
        .arg("-Tsvg")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn();
    if let Ok(mut child) = child {
        use std::io::Write;
        child.stdin.take().expect("a pipe").write_all(dot.as_bytes()).expect("written");
        assert!(child.wait().expect("it ends").success());
    }
}
