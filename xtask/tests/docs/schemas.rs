//! The JSON Schemas under a real validator: what the program takes is valid, what it refuses by one file alone is not.

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use redpak_diagnostics::Finding;
use redpak_model::{Layer, SourceText};
use redpak_xtask::json_schema;

use crate::{corpus, yaml};

fn configuration() -> Validator {
    jsonschema::draft202012::new(&json_schema::configuration()).expect("a schema")
}

/// As a strict family takes it: what does not go with a mode is an error there.
fn taken(text: &str) -> Result<(), Vec<Finding>> {
    let (config, findings) = redpak_model::parse(&SourceText::new("f", text), Layer::Normal);
    let strict = !findings.iter().any(|finding| finding.code == redpak_model::codes::NOT_TAKEN);
    config.filter(|_| strict).map(|_| ()).ok_or(findings)
}

#[track_caller]
fn assert_valid(validator: &Validator, text: &str) {
    let value = yaml::json(text);
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{text}");
}

#[test]
fn the_schemas_are_schemas() {
    for schema in [json_schema::configuration(), json_schema::status()] {
        assert!(jsonschema::meta::is_valid(&schema));
    }
}

#[test]
fn every_example_of_the_reference_is_valid_and_taken() {
    let validator = configuration();
    let files = corpus::all();
    assert!(files.len() > 100);
    for file in files {
        if let Err(findings) = taken(&file) {
            panic!("{file}\n{findings:#?}");
        }
        assert_valid(&validator, &file);
    }
}

#[test]
fn the_templates_are_valid() {
    let validator = configuration();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).expect("the templates") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a template");
        assert!(text.starts_with("# yaml-language-server: $schema=/usr/share/redpak/redpak.schema.json\n"));
        let text =
            ["@ALIAS@", "@NAME@", "@INFO@"].iter().fold(text, |text, name| text.replace(name, "filled"));
        assert_valid(&validator, &text);
        count += 1;
    }
    assert!(count >= 6, "only {count} templates");
}

/// Every file of the fuzz corpus that the program takes is valid.
#[test]
fn what_the_program_takes_is_valid() {
    let validator = configuration();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let read = |path: &Path| std::fs::read(path).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let files = |target: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(corpus.join(target)).expect("a corpus");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let single = files("parse").into_iter().filter_map(|path| read(&path));
    let families = files("merge").into_iter().filter_map(|path| read(&path));
    let split = families.flat_map(|text| {
        let family = redpak_fuzz_inputs::family(&text);
        family.into_iter().flat_map(|node| [Some(node.normal.text), node.admin.map(|file| file.text)])
    });
    let mut count = 0;
    for text in single.chain(split.flatten()).filter(|text| taken(text).is_ok()) {
        assert_valid(&validator, &text);
        count += 1;
    }
    assert!(count > 20, "only {count} files of the corpus are taken");
}

#[test]
fn what_can_be_written_in_several_ways_is_valid() {
    let validator = configuration();
    for body in [
        "Config: {UMASK: 027, Share_Net: Enabled, GPGcheck: True, capabilities: [{CAP: chown, Add: \"1\"}]}",
        "config: {umask: \"0777\", hostname: 5, verbose: '3', inherit-env: \"FALSE\", share_net: $NS/net}",
        "config:\nenviron:\nexports:",
        "exports:\n- {MOUNT: /a, MODE: tmpfs, SIZE: 64k}\n- {mount: /b, mode: SYMLINK, Path: x}",
        "environ:\n- {key: A, value: 1}\n- {key: B, mode: INHERIT}\n- {KEY: C, VALUE: x}",
        "config: {cgroups: {mem: {max: MAX, low: 4096}, cpuset: {cpus: 0}, io: {weight: 50}}}",
        "config: {rlimits: {nofile: 100, core: 0, stack: \"8M:max\"}}",
    ] {
        let text = format!("HEADERS: {{Alias: a}}\n{body}\n");
        assert!(taken(&text).is_ok(), "{text}\n{:#?}", taken(&text));
        assert_valid(&validator, &text);
    }
}

#[test]
fn broken_files_are_invalid_and_refused() {
    let validator = configuration();
    let broken = [
        "{}",
        "headers: {name: a}",
        "headers:",
        "headers: {alias: a b}",
        "headers: {alias: a, aliass: b}",
        "header: {alias: a}",
        "[]",
    ];
    let bodies = [
        "confg: {}",
        "config: {umsk: 1}",
        "config: {umask: \"999\"}",
        "config: {umask: 1000}",
        "config: []",
        "config: {gpgcheck: yes}",
        "config: {share_net: true}",
        "config: {share_net: enable}",
        "config: {share_all: /proc/1/ns/net}",
        "config: {map-root-user: 2}",
        "config: {verbose: -1}",
        "config: {inheritance: loose}",
        "config: {capabilities: [{cap: CAP_FLY, add: 1}]}",
        "config: {capabilities: [{cap: CAP_CHOWN}]}",
        "config: {capabilities: {cap: CAP_CHOWN, add: 1}}",
        "config: {cgroups: {mem: {max: 1T}}}",
        "config: {cgroups: {memory: {max: 1M}}}",
        "config: {cgroups: {cpuset: {cpus: 0-}}}",
        "config: {rlimits: {nofile: -1}}",
        "config: {rlimits: {files: 1}}",
        "config: {seccomp: {default: deny}}",
        "config: {seccomp: {rules: [{calls: [mount]}]}}",
        "config: {landlock: {tcp-bind: [70000]}}",
        "config: {host-provides: a}",
        "environ: {key: A, value: b}",
        "environ: [{key: A}]",
        "environ: [{key: A=B, value: c}]",
        "environ: [{key: A, mode: Inherit, value: c}]",
        "environ: [{key: A, mode: Command, value: c}]",
        "environ: [{value: c}]",
        "exports: [{mount: /a}]",
        "exports: [{mode: Tmpfs}]",
        "exports: [{mount: /a, mode: Restrictd}]",
        "exports: [{mount: /a, mode: Restricted, size: 1M}]",
        "exports: [{mount: /a, mode: Tmpfs, size: 1}]",
        "exports: [{mount: /a, mode: Symlink}]",
        "exports: [{mount: /a, mode: Restricted, optional: maybe}]",
        "exports: [{mount: [/a], mode: Restricted}]",
        "exports: [/a]",
    ];
    let bodies = bodies.iter().map(|body| format!("headers: {{alias: a}}\n{body}\n"));
    for text in broken.iter().map(|text| (*text).to_owned()).chain(bodies) {
        assert!(taken(&text).is_err(), "the program takes\n{text}");
        assert!(!validator.is_valid(&yaml::json(&text)), "the schema takes\n{text}");
    }
}

#[test]
fn status_files() {
    let validator = jsonschema::draft202012::new(&json_schema::status()).expect("a schema");
    let sound = "version: 1\nstate: Enable\nrealpath: /n\ntimestamp: 5\ninfo: \"\"\nparent: none\n";
    for text in [sound, &sound.replace("Enable", "disable"), &sound.replace("version: 1\n", "")] {
        assert!(redpak_model::status::parse(&SourceText::new("f", text)).0.is_some(), "{text}");
        assert_valid(&validator, text);
    }
    for (from, to) in
        [("Enable", "On"), ("timestamp: 5", "timestamp: -5"), ("realpath: /n\n", ""), ("info", "inf")]
    {
        let text = sound.replace(from, to);
        assert!(redpak_model::status::parse(&SourceText::new("f", text.as_str())).0.is_none(), "{text}");
        assert!(!validator.is_valid(&yaml::json(&text)), "{text}");
    }
}
