//! Findings as JSON, version 1:
//!
//! ```json
//! {
//!   "version": 1,
//!   "errors": 1, "warnings": 0, "notes": 0,
//!   "findings": [
//!     {
//!       "severity": "error",
//!       "code": "RP0110",
//!       "message": "`umsk` is no key of `config`",
//!       "place": {"file": "/n/etc/redpak.yaml", "line": 5, "column": 3, "length": 4, "source": "  umsk: 027"},
//!       "related": [{"label": "the section", "place": {"file": "…", "line": 4, "column": 1, "length": 6, "source": "config:"}}],
//!       "hint": "did you mean `umask`?"
//!     }
//!   ]
//! }
//! ```
//!
//! `severity` is `error`, `warning` or `note`. `place` and `hint` are `null` where there is none; `related` is empty
//! then. Lines and columns count from 1, columns and `length` in characters. `source` is the text of the line, cut
//! after 500 characters. Members may be added within a version; one that goes, or changes its meaning, makes a new
//! version.

use serde_json::{Map, Value, json};

use crate::finding::{Finding, Place, Severity};

/// Version of the format.
pub const VERSION: u32 = 1;

/// All findings. `more` are members that the caller adds beside them, of the same version.
pub fn json(findings: &[Finding], more: Map<String, Value>) -> Value {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let mut value = json!({
        "version": VERSION,
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
        "notes": count(Severity::Note),
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
    });
    if let Some(members) = value.as_object_mut() {
        members.extend(more);
    }
    value
}

fn finding(finding: &Finding) -> Value {
    let related: Vec<Value> =
        finding.related.iter().map(|(label, at)| json!({ "label": label, "place": place(at) })).collect();
    json!({
        "severity": finding.severity.to_string(),
        "code": finding.code,
        "message": finding.message,
        "place": finding.place.as_ref().map(place),
        "related": related,
        "hint": finding.hint,
    })
}

fn place(place: &Place) -> Value {
    json!({
        "file": &*place.file,
        "line": place.line,
        "column": place.column,
        "length": place.length,
        "source": &*place.source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_there() {
        let at = |line| Place { file: "/f".into(), line, column: 3, length: 4, source: "  umsk: 1".into() };
        let full =
            Finding::error("RP0110", "m\u{1b}").with_place(at(2)).with_related("r", at(1)).with_hint("h");
        let plain = Finding::warning("RP0202", "w");
        let more = Map::from_iter([("nodes".to_owned(), json!(7))]);
        assert_eq!(
            json(&[full, plain], more).to_string(),
            "{\"version\":1,\"errors\":1,\"warnings\":1,\"notes\":0,\"findings\":[{\"severity\":\"error\",\
             \"code\":\"RP0110\",\"message\":\"m\\u001b\",\"place\":{\"file\":\"/f\",\"line\":2,\"column\":3,\
             \"length\":4,\"source\":\"  umsk: 1\"},\"related\":[{\"label\":\"r\",\"place\":{\"file\":\"/f\",\
             \"line\":1,\"column\":3,\"length\":4,\"source\":\"  umsk: 1\"}}],\"hint\":\"h\"},{\"severity\":\
             \"warning\",\"code\":\"RP0202\",\"message\":\"w\",\"place\":null,\"related\":[],\"hint\":null}],\
             \"nodes\":7}"
                .parse::<Value>()
                .expect("JSON")
                .to_string()
        );
    }
}
