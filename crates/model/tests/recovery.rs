//! All findings of a family in one run: what is sound is judged whatever else is wrong, and what follows from an error
//! or from a command that was not run is not told.

use redpak_diagnostics::Finding;
use redpak_model::commands::{self, Output};
use redpak_model::effective::{ExportKind, VariableAction};
use redpak_model::{Layer, Names, NodeText, SourceText};

/// Nodes `/n0`, `/n0/n1`, … with these bodies behind their headers; a body may hold `---admin---` and an admin file.
fn family(bodies: &[&str]) -> Vec<NodeText> {
    let node = |(level, body): (usize, &&str)| {
        let redpath = (0..=level).fold(String::new(), |path, n| format!("{path}/n{n}"));
        let file = |name: &str, body: &str| {
            let text = format!("headers: {{alias: n{level}}}\n{body}\n");
            SourceText::new(format!("{redpath}/etc/{name}.yaml"), text)
        };
        let (normal, admin) = match body.split_once("---admin---\n") {
            Some((normal, admin)) => (normal, Some(file("redpak-admin", admin))),
            None => (*body, None),
        };
        let normal = file("redpak", normal);
        NodeText { redpath: redpath.into(), normal, admin }
    };
    bodies.iter().enumerate().map(node).collect()
}

fn run(bodies: &[&str]) -> Vec<Finding> {
    redpak_model::effective(&family(bodies), false, &Names::default()).1
}

/// `CODE nX:line`, errors only, sorted.
fn errors(findings: &[Finding]) -> Vec<String> {
    let shown = |finding: &Finding| {
        let place = finding.place.as_ref().expect("a place");
        let node = place.file.split("/etc/").next().and_then(|path| path.rsplit('/').next());
        format!("{} {}:{}", finding.code, node.unwrap_or_default(), place.line)
    };
    let mut errors: Vec<String> = findings.iter().filter(|finding| finding.is_error()).map(shown).collect();
    errors.sort();
    errors
}

#[test]
fn ten_faults_in_one_file_are_ten_findings() {
    let body = "config:
  umask: 999
  share_nett: enabled
  hostname: a b
  rpmdir: relative
  capabilities:
    - {cap: CAP_NET_RAV, add: 1}
environ:
  - {key: A, mode: Static}
  - {key: B, mode: Sttic, value: x}
exports:
  - {mount: /a, mode: Restrikted}
  - {mount: /b/../c, mode: Tmpfs}
  - {mount: /d, mode: Symlink}
  - {mount: /e, mode: Tmpfs, size: many}
  - {mount: /f, mode: Restricted, path: $NOWHERE/x}
  - {mount: /g, mode: Tmpfs}
  - {mount: /g, mode: Procfs}";
    assert_eq!(
        errors(&run(&[body])),
        [
            "RP0110 n0:4",
            "RP0111 n0:10",
            "RP0111 n0:15",
            "RP0113 n0:16",
            "RP0113 n0:3",
            "RP0114 n0:11",
            "RP0114 n0:13",
            "RP0114 n0:8",
            "RP0116 n0:19",
            "RP0201 n0:17",
            "RP0207 n0:6",
            "RP0208 n0:14",
            "RP0212 n0:5",
        ]
    );
}

#[test]
fn what_follows_from_an_error_above_is_not_told() {
    let faults = |root: &str, child: &str| errors(&run(&[root, child]));
    for (broken, mended, child, alone) in [
        (
            "exports: [{mount: /a, mode: Restrikted}]",
            "",
            "exports: [{mount: /b, mode: Restricted, path: /a}]",
            "RP0303",
        ),
        (
            "exports: [{mount: /a/.., mode: Public}]",
            "",
            "exports: [{mount: /b, mode: Public, path: /a}]",
            "RP0303",
        ),
        ("exports: [{mount: /a, mode: Devise}]", "", "exports: [{mount: /dev/x, mode: Device}]", "RP0320"),
        (
            "config: {capabilities: [{cap: CHOWM, add: 1}]}",
            "",
            "config: {capabilities: [{cap: CHOWN, add: 1}]}",
            "RP0302",
        ),
        ("config: {share_net: enable}", "", "config: {share_net: enabled}", "RP0301"),
        ("config: {share_nett: enabled}", "", "config: {share_net: enabled}", "RP0301"),
        ("config: {share_all: yes}", "", "config: {share_pid: enabled}", "RP0301"),
        ("confg: {share_net: enabled}", "", "config: {share_net: enabled}", "RP0301"),
        ("config: [share_net]", "", "config: {share_net: enabled}", "RP0301"),
        ("config: {share_net: enabled", "", "config: {share_net: enabled}", "RP0301"),
    ] {
        let found = faults(broken, child);
        assert_eq!(found.len(), 1, "{broken}: {found:?}");
        assert!(found[0].contains(" n0:2") || found[0].contains(" n0:3"), "{broken}: {found:?}");
        let found = faults(mended, child);
        assert!(found.len() == 1 && found[0].starts_with(alone), "{mended}: {found:?}");
    }
}

#[test]
fn what_does_not_follow_from_it_is_told_in_the_same_run() {
    let found = errors(&run(&[
        "config: {gpgcheck: true, share_net: disabled, umask: 9}\nexports: [{mount: /a, mode: Restricted}, {mount: /x, mode: Tmfs}]",
        "config: {gpgcheck: false, share_net: enabled}\nexports: [{mount: /a, mode: Tmpfs}]",
        "config: {umsk: 1}\nexports: [{mount: /b, mode: Symlink, path: x}, {mount: /b/c, mode: Tmpfs}]",
    ]));
    assert_eq!(
        found,
        [
            "RP0110 n2:2",
            "RP0113 n0:2",
            "RP0114 n0:3",
            "RP0301 n1:2",
            "RP0306 n1:3",
            "RP0307 n2:3",
            "RP0310 n1:2"
        ]
    );
    // A file that is no YAML at all does not silence the others.
    let found = errors(&run(&["config: {umsk: 1}", "exports: [", "config: {umask: 9}\nenviron: [{key: A}]"]));
    assert_eq!(found, ["RP0101 n1:2", "RP0110 n0:2", "RP0111 n2:3", "RP0113 n2:2"]);
}

#[test]
fn a_node_without_a_name_is_called_by_its_directory() {
    let mut nodes = family(&["config: {share_net: disabled}", ""]);
    nodes[1].normal.text = "config: {share_net: enabled}".into();
    let (effective, findings) = redpak_model::effective(&nodes, false, &Names::default());
    assert!(effective.is_none());
    let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["RP0111", "RP0301"]);
    assert!(findings[1].message.contains("`n1`"), "{}", findings[1].message);
}

#[test]
fn what_a_command_decides_is_not_judged() {
    let root = "config: {hostname: $(hostname), chdir: /$(x)}
exports:
  - {mount: /a, mode: Restricted, path: $(find)}
  - {mount: /s, mode: Symlink, path: to}
  - {mount: /f, mode: Execfd, path: date}
environ:
  - {key: A, mode: Execfd, value: date}
  - {key: B, value: a$(b)c}";
    let child = "exports: [{mount: /b, mode: Restricted, path: /found/x}, {mount: /s/x, mode: Tmpfs}]";
    assert_eq!(errors(&run(&[root, child])), ["RP0307 n1:2"], "what is known is judged");
    let texts = family(&[root, "exports: [{mount: /b, mode: Restricted, path: /found/x}]"]);
    let (effective, findings) = redpak_model::effective(&texts, false, &Names::default());
    let notes: Vec<_> = findings.iter().map(|finding| (finding.code, finding.severity.to_string())).collect();
    assert_eq!(notes, vec![("RP0213", "note".to_owned()); 6]);
    let effective = effective.expect("no error");
    let unjudged: Vec<_> =
        effective.unjudged.iter().map(|one| (one.what.as_str(), one.text.as_str(), one.left_out)).collect();
    assert_eq!(
        unjudged,
        [
            ("`hostname`", "$(hostname)", true),
            ("`chdir`", "/$(x)", true),
            ("the variable `A`", "date", false),
            ("the variable `B`", "a$(b)c", false),
            ("the export at `/a`", "$(find)", true),
            ("the export at `/f`", "date", false),
        ]
    );
    assert_eq!(effective.environ[0].value.action, VariableAction::Command("date".into()));
    assert_eq!(effective.environ[1].value.action, VariableAction::Set("a$(b)c".into()));
}

#[test]
fn commands_are_found_and_their_output_is_used() {
    let root = "config: {hostname: $(one)}
environ: [{key: A, mode: Execfd, value: one}, {key: B, mode: Static, value: $(never)}]
exports: [{mount: /f, mode: Execfd, path: one}, {mount: /p, mode: Restricted, path: $(two)}, {mount: /i, mode: Internal, path: 3}]
---admin---
environ: [{key: C, value: $(admin)}]";
    let child = "exports: [{mount: /q, mode: Restricted, path: $(one)/x}]";
    let texts = family(&[root, child]);
    let shown = |admin| -> Vec<(usize, Layer, String, Output)> {
        let found = commands::commands(&texts, admin).into_iter();
        found.map(|command| (command.node, command.layer, command.text, command.output)).collect()
    };
    let (normal, admin) = (Layer::Normal, Layer::Admin);
    let expected = vec![
        (0, normal, "one".to_owned(), Output::File),
        (0, normal, "two".to_owned(), Output::Text),
        (1, normal, "one".to_owned(), Output::Text),
    ];
    assert_eq!(shown(false), expected);
    let with_admin: Vec<_> =
        [&expected[..2], &[(0, admin, "admin".to_owned(), Output::Text)], &expected[2..]].concat();
    assert_eq!(shown(true), with_admin);

    let mut names = Names::default();
    for (node, command, output) in [(0, "one", "host\n"), (0, "two", "/usr\n"), (1, "one", "/usr")] {
        names.answers.insert((node, normal, command.into()), output.into());
    }
    let (effective, findings) = redpak_model::effective(&texts, false, &names);
    assert_eq!(findings, []);
    let effective = effective.expect("no error");
    assert_eq!(effective.unjudged, []);
    assert_eq!(effective.settings.hostname.expect("a host name").value, "host");
    assert_eq!(effective.environ[0].value.action, VariableAction::Set("host".into()));
    let output = |kind: &ExportKind| match kind {
        ExportKind::Execfd { output, .. } => output.clone(),
        _ => None,
    };
    assert_eq!(
        effective.exports.iter().find_map(|export| output(&export.kind)).as_deref(),
        Some(&b"host\n"[..])
    );
    assert!(effective.exports.iter().any(|export| export.mount.ends_with("q") && export.level == 1));
    // What a command prints is judged like what a file says.
    names.answers.insert((1, normal, "one".into()), "/etc".into());
    assert_eq!(errors(&redpak_model::effective(&texts, false, &names).1), ["RP0303 n1:2"]);
    names.answers.insert((0, normal, "one".into()), "a\0b".into());
    let found = errors(&redpak_model::effective(&texts, false, &names).1);
    assert!(found.iter().filter(|error| error.starts_with("RP0214 n0")).count() >= 2, "{found:?}");
}

#[test]
fn what_strict_would_refuse_of_a_compatible_family_is_a_warning() {
    let root = "config: {inheritance: compatible, share_all: disabled, gpgcheck: true}";
    let child = "config: {share_net: enabled, gpgcheck: false, rpmdir: /var/lib/rpm}\nexports: [{mount: /a, mode: Public, path: /etc}]";
    let texts = family(&[root, child]);
    let (effective, findings) = redpak_model::effective(&texts, false, &Names::default());
    assert!(effective.is_some(), "{findings:?}");
    let warnings = redpak_model::strictly(&texts, false, &Names::default());
    let shown: Vec<_> = warnings.iter().map(|finding| (finding.code, finding.severity.to_string())).collect();
    let warning = |code| (code, "warning".to_owned());
    assert_eq!(shown, ["RP0312", "RP0310", "RP0301", "RP0303"].map(warning));
    let strict = family(&["", child]);
    assert_eq!(redpak_model::strictly(&strict, false, &Names::default()), []);
}

#[test]
fn a_family_with_what_does_not_go_with_a_mode_has_its_commands() {
    let root = "config: {inheritance: compatible}
exports: [{mount: /tmp, mode: Tmpfs, path: /x}, {mount: /f, mode: Execfd, path: date}]";
    assert_eq!(commands::commands(&family(&[root]), false).len(), 1);
}

#[test]
fn what_is_refused_in_a_compatible_family_is_no_warning_too() {
    let texts =
        family(&["config: {inheritance: compatible, share_net: disabled}", "config: {share_net: enabled}"]);
    let (_, findings) = redpak_model::effective(&texts, false, &Names::default());
    assert_eq!(errors(&findings), ["RP0301 n1:2"]);
    assert_eq!(redpak_model::strictly(&texts, false, &Names::default()), []);
}

#[test]
fn what_does_not_go_with_a_mode_is_a_warning_in_a_compatible_family() {
    let body = "environ: [{key: A, mode: Remove, value: x}]
exports: [{mount: /tmp, mode: Tmpfs, path: /x}, {mount: /dev, mode: Devfs, size: 1M}, {mount: /l, mode: Symlink, path: x, optional: true}]";
    assert_eq!(errors(&run(&["", body])), ["RP0115 n1:2", "RP0115 n1:3", "RP0115 n1:3", "RP0115 n1:3"]);
    let texts = family(&["config: {inheritance: compatible}", body]);
    let (effective, findings) = redpak_model::effective(&texts, false, &Names::default());
    assert_eq!(findings.iter().filter(|finding| finding.code == "RP0115").count(), 4);
    let effective = effective.expect("no error");
    assert_eq!(effective.exports.len(), 3);
    assert_eq!(effective.environ[0].value.action, VariableAction::Remove);
}

#[test]
fn who_can_undo_mounts_is_told() {
    let warned = |bodies: &[&str]| -> Vec<String> {
        let findings = run(bodies);
        let told = findings.iter().filter(|finding| finding.code == "RP0321");
        told.map(|finding| finding.place.as_ref().map(ToString::to_string).unwrap_or_default()).collect()
    };
    let keeps = "config: {capabilities: [{cap: SYS_ADMIN, add: 1}]}";
    let all = "config: {capabilities: [{cap: ALL, add: 1}]}";
    let drops = "config: {capabilities: [{cap: SYS_ADMIN, add: 0}]}";
    assert_eq!(warned(&[keeps]), ["/n0/etc/redpak.yaml:2:31"]);
    assert_eq!(warned(&[all, ""]), ["/n0/etc/redpak.yaml:2:31"]);
    assert_eq!(warned(&[all, drops]), Vec::<String>::new());
    assert_eq!(warned(&["config: {capabilities: [{cap: SYS_TIME, add: 1}]}"]), Vec::<String>::new());
}

#[test]
fn what_a_leaf_says_of_itself_leads_nowhere_else() {
    let root = "exports: [{mount: /d, mode: Public, path: /srv/$LEAF_NAME}, {mount: /i, mode: Public, path: /srv/$leaf_info}]";
    let run = |headers: &str| {
        let mut nodes = family(&[root, ""]);
        nodes[1].normal.text = format!("headers: {{alias: n1{headers}}}");
        errors(&redpak_model::effective(&nodes, false, &Names::default()).1)
    };
    assert_eq!(run(", name: bob, info: made of it"), Vec::<String>::new());
    let twice = |code: &str| [format!("{code} n0:2"), format!("{code} n0:2")];
    for headers in ["", ", name: '', info: ''"] {
        assert_eq!(run(headers), twice("RP0201"), "{headers}");
    }
    for headers in [", name: ., info: $NODE_PREFIX", ", name: a/b, info: /etc", ", name: .., info: '../x'"] {
        assert_eq!(run(headers), twice("RP0209"), "{headers}");
    }
}

#[test]
fn a_path_of_a_thousand_components_is_refused_at_once() {
    let path = "/a".repeat(1000);
    assert_eq!(errors(&run(&[&format!("exports: [{{mount: {path}, mode: Tmpfs}}]")])), ["RP0209 n0:2"]);
}

#[test]
fn a_directory_of_a_compatible_leaf_is_its_own_to_say() {
    let rpmdir = |bodies: &[&str]| {
        let (effective, _) = redpak_model::effective(&family(bodies), false, &Names::default());
        effective.expect("no error").settings.rpmdir.map(|set| (set.value, set.origin.node))
    };
    let root = "config: {inheritance: compatible, rpmdir: /var/lib/rpm}";
    assert_eq!(rpmdir(&[root]), Some(("/var/lib/rpm".into(), 0)));
    assert_eq!(rpmdir(&[root, ""]), None);
    assert_eq!(rpmdir(&[root, "config: {rpmdir: /srv/db}"]), Some(("/srv/db".into(), 1)));
    let leafs = "config: {inheritance: compatible, rpmdir: $LEAF_PATH/db}";
    assert_eq!(rpmdir(&[leafs, ""]), Some(("/n0/n1/db".into(), 0)));
}
