//! `.rednode.yaml`: read, refused, written.

use std::path::PathBuf;

use proptest::prelude::*;
use redpak_model::SourceText;
use redpak_model::status::{self, Parent, State, Status};

fn parse(text: &str) -> (Option<Status>, Vec<String>) {
    let (status, findings) = status::parse(&SourceText::new("/n/.rednode.yaml", text));
    let lines = findings.iter().map(|finding| {
        let place = finding.place.as_ref();
        format!("{} {}:{}", finding.code, place.map_or(0, |p| p.line), place.map_or(0, |p| p.column))
    });
    (status, lines.collect())
}

#[test]
fn a_status_is_read() {
    let (status, found) = parse(
        "version: 1\nSTATE: enable\nrealpath: /a//b/\ntimestamp: 1700000000000\ninfo: 'by me'\nparent: /a\n",
    );
    assert_eq!(found, Vec::<String>::new());
    let expected = Status {
        state: State::Enable,
        realpath: "/a/b".into(),
        timestamp: 1_700_000_000_000,
        info: "by me".into(),
        parent: Some(Parent::Redpath("/a".into())),
    };
    assert_eq!(status, Some(expected));
}

#[test]
fn what_red_pak_2_5_wrote_is_read_with_warnings() {
    let body = "realpath: /a\ntimestamp: 1\ninfo: x\n";
    for (state, enabled, warnings) in [
        ("Enable", true, &["RP0402 1:1"][..]),
        ("Disable", false, &["RP0402 1:1"]),
        ("Unknown", false, &["RP0402 1:1", "RP0403 1:8"]),
        ("Error", false, &["RP0402 1:1", "RP0403 1:8"]),
    ] {
        let (status, found) = parse(&format!("state: {state}\n{body}"));
        assert_eq!(found, warnings, "{state}");
        let status = status.expect("warnings only");
        assert_eq!((status.state.is_enabled(), &status.parent), (enabled, &None));
    }
}

#[test]
fn what_is_no_status_is_refused() {
    let with = |line: &str| {
        let lines =
            ["version: 1", "state: Enable", "realpath: /a", "timestamp: 1", "info: i", "parent: none"];
        let key = line.split(':').next().unwrap_or_default();
        let lines = lines.map(|known| if known.starts_with(key) { line } else { known });
        lines.join("\n")
    };
    assert_eq!(parse(&with("parent: NONE")).1, Vec::<String>::new());
    for (line, expected) in [
        ("version: 2", "RP0401 1:10"),
        ("version: 0", "RP0113 1:10"),
        ("version: x", "RP0113 1:10"),
        ("state: Enabled", "RP0114 2:8"),
        ("state:", "RP0113 2:1"),
        ("realpath: a", "RP0207 3:11"),
        ("realpath: /a/../b", "RP0208 3:11"),
        ("timestamp: -1", "RP0113 4:12"),
        ("timestamp: 99999999999999999999", "RP0113 4:12"),
        ("parent: a", "RP0207 6:9"),
        ("parent: ''", "RP0209 6:9"),
        ("parent: [/a]", "RP0112 6:9"),
        ("info: {a: b}", "RP0112 5:7"),
        ("info: !!str x", "RP0107 5:7"),
    ] {
        let (status, found) = parse(&with(line));
        assert_eq!((status, found), (None, vec![expected.to_owned()]), "{line}");
    }
    assert_eq!(
        parse("state: Enable\nrealpth: /a\ntimestamp: 1\nparent: none").1,
        ["RP0110 2:1"],
        "what is misspelt is not missing too"
    );
    assert_eq!(parse("").1.len(), 4, "state, realpath, timestamp, and the warning on the parent");
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,20}", "[ -~\n\t\u{85}\u{2028}\u{feff}\r\u{1b}#:'\"\\\\]{0,20}"]
}

fn path() -> impl Strategy<Value = PathBuf> {
    prop::collection::vec("[^/\\pC]{1,8}", 0..4)
        .prop_filter("no `.` and `..`", |parts| parts.iter().all(|part| part != "." && part != ".."))
        .prop_map(|parts| PathBuf::from(format!("/{}", parts.join("/"))))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(
        state in prop::sample::select(vec![State::Enable, State::Disable, State::Unknown, State::Error]),
        realpath in path(),
        timestamp in 0..u64::try_from(i64::MAX).expect("positive"),
        info in text(),
        parent in prop_oneof![Just(None), Just(Some(Parent::None)), path().prop_map(|path| Some(Parent::Redpath(path)))],
    ) {
        let status = Status { state, realpath, timestamp, info, parent };
        let text = status::render(&status);
        prop_assert_eq!(parse(&text).0, Some(status), "{}", text);
        prop_assert!(text.lines().count() <= 6, "a value a line");
    }
}
