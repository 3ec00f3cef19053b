//! What is written as SARIF is SARIF: the format's own schema says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use redpak_diagnostics::render::{Tool, sarif};
use redpak_diagnostics::{Finding, Place};
use serde_json::{Value, json};

/// The schema lies among the sources of a crate that this test depends on.
fn schema() -> Value {
    let told = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let manifest: PathBuf = told["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .find(|package| package["name"] == "serde-sarif")
        .and_then(|package| package["manifest_path"].as_str())
        .expect("serde-sarif is a dependency")
        .into();
    let path = manifest.parent().unwrap_or(Path::new("/")).join("src/schema.json");
    let mut schema: Value = serde_json::from_slice(&std::fs::read(path).expect("the schema")).expect("JSON");
    // The standard's own mistake, mended in its errata: no regular expression. Nothing of ours has a language.
    for object in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][object]["properties"]["language"];
        language.as_object_mut().expect("a schema").remove("pattern");
    }
    schema
}

fn findings() -> Vec<Finding> {
    let place = |line: u32, source: &str| Place {
        file: "/n/a b/é.yaml".into(),
        line,
        column: 3,
        length: 4,
        source: source.into(),
    };
    vec![
        Finding::error("RP0303", "`/x` is exported by nobody\nsecond line\u{1b}")
            .with_place(place(4, "  path: /x"))
            .with_related("the parent", place(1, "exports:"))
            .with_hint("export it there"),
        Finding::warning("RP0202", "`$X` is not defined").with_place(place(1, "")),
        Finding::note("RP0118", "more"),
        Finding::error("RP0303", "again"),
    ]
}

fn title(code: &str) -> Option<&'static str> {
    (code == "RP0303").then_some("a source is not exported")
}

#[test]
fn it_is_valid_and_holds_what_was_found() {
    let schema = schema();
    let validator = jsonschema::draft7::new(&schema).expect("a schema");
    let tool = Tool { name: "redconf", version: "1.2.3", title };
    for findings in [findings(), vec![]] {
        let log = sarif(&findings, &tool);
        let errors: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let log = sarif(&findings(), &tool);
    let results = &log["runs"][0]["results"];
    assert_eq!(results.as_array().map(Vec::len), Some(4));
    assert_eq!(results[0]["level"], "error");
    assert_eq!(
        results[0]["locations"][0]["physicalLocation"]["region"],
        json!({"startLine": 4, "startColumn": 3, "endColumn": 7, "snippet": {"text": "  path: /x"}})
    );
    let rules = &log["runs"][0]["tool"]["driver"]["rules"];
    for result in results.as_array().expect("results") {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
}

#[test]
fn the_schema_can_refuse() {
    let schema = schema();
    let validator = jsonschema::draft7::new(&schema).expect("a schema");
    let mut log = sarif(&findings(), &Tool { name: "redconf", version: "1", title });
    log["runs"][0]["results"][0]["level"] = json!("fatal");
    assert!(!validator.is_valid(&log));
}
