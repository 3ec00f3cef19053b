//! Findings in SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format"), which editors and code hosts show.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::finding::{Finding, Place, Severity};

/// Where the schema of the format lies.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Who found it.
#[derive(Clone, Copy, Debug)]
pub struct Tool<'a> {
    /// Name of the program.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The title of a code, where it has one.
    pub title: fn(&str) -> Option<&'static str>,
}

/// One run with all findings.
pub fn sarif(findings: &[Finding], tool: &Tool) -> Value {
    let codes: BTreeMap<&str, usize> = {
        let mut codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
        codes.sort_unstable();
        codes.dedup();
        codes.into_iter().enumerate().map(|(index, code)| (code, index)).collect()
    };
    let rules: Vec<Value> = codes.keys().map(|code| rule(code, tool)).collect();
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, codes[finding.code])).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": tool.name, "version": tool.version, "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: &str, tool: &Tool) -> Value {
    let mut rule = json!({ "id": code, "help": { "text": format!("redconf explain {code}") } });
    if let Some(title) = (tool.title)(code) {
        rule["shortDescription"] = json!({ "text": title });
    }
    rule
}

fn result(finding: &Finding, rule: usize) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    // The format has no place of its own for what to do; a fix there is an edit of a file.
    let text = match &finding.hint {
        Some(hint) => format!("{}\nHelp: {hint}", finding.message),
        None => finding.message.clone(),
    };
    let mut result = json!({
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": level,
        "message": { "text": text },
    });
    if let Some(place) = &finding.place {
        result["locations"] = json!([{ "physicalLocation": physical(place) }]);
    }
    if !finding.related.is_empty() {
        let related: Vec<Value> = finding
            .related
            .iter()
            .map(
                |(label, place)| json!({ "physicalLocation": physical(place), "message": { "text": label } }),
            )
            .collect();
        result["relatedLocations"] = json!(related);
    }
    result
}

fn physical(place: &Place) -> Value {
    let mut region = json!({
        "startLine": place.line,
        "startColumn": place.column,
        "endColumn": place.column.saturating_add(place.length),
    });
    if !place.source.is_empty() {
        region["snippet"] = json!({ "text": &*place.source });
    }
    json!({ "artifactLocation": { "uri": uri(&place.file) }, "region": region })
}

/// An absolute path as a `file:` URI, any other as a relative reference (RFC 3986, RFC 8089).
fn uri(file: &str) -> String {
    let mut uri = String::from(if file.starts_with('/') { "file://" } else { "" });
    for byte in file.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("/n/a b/é%.yaml"), "file:///n/a%20b/%C3%A9%25.yaml");
        assert_eq!(uri("etc/x:y"), "etc/x%3Ay");
    }
}
