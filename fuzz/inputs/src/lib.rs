//! What the fuzz targets do with one input, for the fuzzer and for the replay of the corpus by an ordinary test.
//!
//! Besides not to panic and to come to an end, each must keep what the model promises: a value or an error, places
//! that are real, and texts within their limits.

#![forbid(unsafe_code)]

use redpak_diagnostics::{Finding, Place};
use redpak_model::commands::{self, Answers, Output};
use redpak_model::effective::{Effective, Origin};
use redpak_model::{Layer, Names, NodeText, SourceText, status};

/// Takes one input, and panics when something that is promised is not kept.
pub type Target = fn(&[u8]);

/// A target by its name: the name of its directory in the corpus, too.
pub const TARGETS: &[(&str, Target)] =
    &[("parse", parse), ("expand", expand), ("merge", merge), ("status", status)];

/// One configuration file.
pub fn parse(data: &[u8]) {
    let source = match SourceText::from_bytes("fuzz.yaml", data.to_vec()) {
        Ok(source) => source,
        Err(finding) => {
            assert!(finding.is_error());
            return;
        }
    };
    for layer in [Layer::Normal, Layer::Admin] {
        let (config, findings) = redpak_model::parse(&source, layer);
        assert_eq!(config.is_none(), findings.iter().any(Finding::is_error), "a value, or an error");
        assert_places(&findings, &[&source]);
    }
}

/// Lines `NAME=VALUE`, an empty line, and a text in which names are replaced.
pub fn expand(data: &[u8]) {
    let Ok(input) = std::str::from_utf8(data) else { return };
    let (variables, text) = input.split_once("\n\n").unwrap_or(("", input));
    let env = variables.lines().filter_map(|line| line.split_once('='));
    let names =
        Names { env: env.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(), ..names() };
    let text = status::quoted(text);
    let file = format!(
        "headers: {{alias: a}}\nconfig:\n  path: {text}\n  chdir: {text}\n  hostname: {text}\n\
         environ:\n- {{key: K, value: {text}}}\nexports:\n- {{mount: {text}, mode: Symlink, path: /x}}\n"
    );
    let family = [NodeText {
        redpath: "/fuzz".into(),
        normal: SourceText::new("/fuzz/etc/redpak.yaml", file),
        admin: None,
    }];
    judge(&family, false, &names);
    // The variable alone: a text takes what a path does not.
    let file = format!("headers: {{alias: a}}\nenviron:\n- {{key: K, value: {text}}}\n");
    let family = [NodeText { normal: SourceText::new("/fuzz/etc/redpak.yaml", file), ..family[0].clone() }];
    judge(&family, false, &names);
}

/// The line between two files of a family: alone it starts a child, with `admin` the admin file of the same node.
const BETWEEN: &str = "=====";

/// A family: files, root node first, separated by lines `=====` and `===== admin`.
pub fn merge(data: &[u8]) {
    let Ok(input) = std::str::from_utf8(data) else { return };
    let family = family(input);
    for admin in [false, true] {
        judge(&family, admin, &names());
    }
    // The same in the other mode of inheritance, where the root node names one.
    let other = match input {
        input if input.contains("inheritance: strict") => {
            input.replacen("inheritance: strict", "inheritance: compatible", 1)
        }
        input => input.replacen("inheritance: compatible", "inheritance: strict", 1),
    };
    if other != input {
        let family = self::family(&other);
        for admin in [false, true] {
            judge(&family, admin, &names());
        }
    }
}

/// A status file.
pub fn status(data: &[u8]) {
    let Ok(source) = SourceText::from_bytes(".rednode.yaml", data.to_vec()) else { return };
    let (status, findings) = status::parse(&source);
    assert_eq!(status.is_none(), findings.iter().any(Finding::is_error), "a value, or an error");
    assert_places(&findings, &[&source]);
    let Some(status) = status else { return };
    let again = SourceText::new(".rednode.yaml", status::render(&status));
    assert_eq!(status::parse(&again).0.as_ref(), Some(&status), "what is written is read as the same");
}

/// Splits an input of [`merge`]; at most five nodes.
pub fn family(input: &str) -> Vec<NodeText> {
    const NODES: usize = 5;
    let mut family: Vec<NodeText> = Vec::new();
    let (mut word, mut text) = ("", String::new());
    let mut put = |word: &str, text: &mut String| {
        let text = std::mem::take(text);
        let level = family.len();
        match family.last_mut() {
            Some(node) if word == "admin" => {
                let path = format!("{}/etc/redpak-admin.yaml", node.redpath.display());
                node.admin = Some(SourceText::new(path, text));
            }
            _ if level < NODES => {
                let redpath = (0..=level).fold(String::new(), |path, n| format!("{path}/n{n}"));
                let normal = SourceText::new(format!("{redpath}/etc/redpak.yaml"), text);
                family.push(NodeText { redpath: redpath.into(), normal, admin: None });
            }
            _ => {}
        }
    };
    for line in input.split_inclusive('\n') {
        match line.strip_prefix(BETWEEN) {
            Some(rest) => {
                put(word, &mut text);
                word = rest.trim();
            }
            None => text.push_str(line),
        }
    }
    put(word, &mut text);
    family
}

fn names() -> Names {
    Names {
        uid: 1000,
        gid: 1000,
        pid: 7,
        env: [("HOME", "/home/me"), ("LOOP", "$LOOP"), ("CMD", "$(id)"), ("A", "$HOME/a")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        prefix: "/prefix".into(),
        template_dir: "/etc/redpak/templates.d".into(),
        ..Names::default()
    }
}

/// Merges a family, without and with the output of its commands.
fn judge(family: &[NodeText], admin: bool, names: &Names) {
    let sources: Vec<&SourceText> =
        family.iter().flat_map(|node| std::iter::once(&node.normal).chain(&node.admin)).collect();
    let (effective, findings) = redpak_model::effective(family, admin, names);
    assert_eq!(effective.is_none(), findings.iter().any(Finding::is_error), "a value, or an error");
    assert_places(&findings, &sources);
    if let Some(effective) = &effective {
        assert_origins(effective, &sources);
    }
    let found = commands::commands(family, admin);
    if found.is_empty() {
        return;
    }
    let answers: Answers = found
        .iter()
        .map(|command| {
            let output = match command.output {
                Output::Text => command.text.clone(),
                Output::File => format!("{}\n", command.text),
            };
            ((command.node, command.layer, command.text.clone()), output.into_bytes())
        })
        .collect();
    let names = Names { answers, ..names.clone() };
    let (effective, findings) = redpak_model::effective(family, admin, &names);
    assert_eq!(effective.is_none(), findings.iter().any(Finding::is_error), "a value, or an error");
    assert_places(&findings, &sources);
    if let Some(effective) = effective {
        assert_origins(&effective, &sources);
        assert_eq!(effective.unjudged, [], "every command was answered");
    }
}

/// Every finding stands in a file that was handed over, on a line that it has.
fn assert_places(findings: &[Finding], sources: &[&SourceText]) {
    for finding in findings {
        let related = finding.related.iter().map(|(_, place)| place);
        for place in finding.place.iter().chain(related) {
            assert_place(place, sources);
        }
        assert!(finding.code.len() == 6 && !finding.message.is_empty(), "{finding:?}");
    }
}

fn assert_place(place: &Place, sources: &[&SourceText]) {
    let source = sources.iter().find(|source| source.file == place.file);
    let source = source.unwrap_or_else(|| panic!("no file {}", place.file));
    // A carriage return alone ends a line, too (YAML 1.2.2, 5.4).
    let lines = 1 + source.text.matches(['\n', '\r']).count();
    let line = usize::try_from(place.line).unwrap_or(usize::MAX);
    assert!(line >= 1 && line <= lines, "{place}: the file has {lines} lines");
    assert!(place.column >= 1 && place.length >= 1, "{place}");
}

fn assert_origins(effective: &Effective, sources: &[&SourceText]) {
    let check = |origin: &Origin| {
        assert!(origin.node < effective.nodes.len(), "{origin:?}");
        assert_place(&origin.place, sources);
    };
    for export in &effective.exports {
        check(&export.origin);
        assert!(export.mount.is_absolute(), "{export:?}");
    }
    for variable in &effective.environ {
        check(&variable.origin);
        variable.overrode.iter().for_each(check);
    }
    for (_, capability) in &effective.settings.capabilities {
        check(&capability.origin);
    }
}
