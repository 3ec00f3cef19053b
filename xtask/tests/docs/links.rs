//! Links between the documents lead somewhere.

use std::path::{Path, PathBuf};

fn documents() -> Vec<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for directory in [top.clone(), top.join("docs"), top.join("docs/codes")] {
        let entries = std::fs::read_dir(&directory).expect("a directory");
        found.extend(entries.map(|entry| entry.expect("an entry").path()));
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found
}

/// The targets of `[text](target)`.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

/// A heading as the anchor that Markdown makes of it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

fn has_anchor(text: &str, name: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
    headings.map(anchor).any(|found| found == name) || text.contains(&format!("<a id=\"{name}\">"))
}

#[test]
fn links_lead_somewhere() {
    let mut count = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).expect("a document");
        for target in targets(&text).filter(|target| !target.contains("://")) {
            let (file, name) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { document.clone() } else { document.with_file_name(file) };
            assert!(path.exists(), "{}: ({target}) leads nowhere", document.display());
            if !name.is_empty() {
                let there = std::fs::read_to_string(&path).expect("a document");
                assert!(has_anchor(&there, name), "{}: no place {target}", document.display());
            }
            count += 1;
        }
    }
    assert!(count > 20, "only {count} links were found");
}

#[test]
fn anchors_are_made_as_markdown_makes_them() {
    assert_eq!(anchor(" `config.cgroups`"), "configcgroups");
    assert_eq!(anchor(" The status file"), "the-status-file");
    assert!(has_anchor("# A b\n<a id=\"c.d\"></a>", "a-b") && has_anchor("<a id=\"c.d\"></a>", "c.d"));
    assert!(!has_anchor("# A b\n", "b"));
}
