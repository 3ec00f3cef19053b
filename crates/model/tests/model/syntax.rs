//! What is no acceptable YAML: each with its code and place, and hostile inputs among them.

use redpak_model::{Layer, MAX_BYTES, SourceText};

use crate::family::{best_of_three, parse};

/// A file's text behind `headers`, on line 2 and following.
fn with(body: &str) -> String {
    format!("headers: {{alias: a}}\n{body}")
}

#[track_caller]
fn refused(text: &str, findings: &[&str]) {
    let (config, found) = parse(text);
    assert_eq!(found, findings, "{text}");
    assert!(config.is_none(), "{text}");
}

#[test]
fn what_yaml_has_and_redpak_does_not() {
    for (body, findings) in [
        ("config:\n  umask: 1\n  UMASK: 2", &["RP0109 4:3"][..]),
        ("config:\n  umask: 1\nCONFIG: {}", &["RP0109 4:1"]),
        ("exports:\n- mount: /a\n  Mount: /b\n  mode: Anonymous", &["RP0109 4:3"]),
        ("config: !!map {umask: 1}", &["RP0107 2:9"]),
        ("config:\n  umask: !!str 1", &["RP0107 3:10"]),
        ("config:\n  umask: !x 1", &["RP0107 3:10"]),
        ("exports: !!seq []", &["RP0107 2:10"]),
        ("config: &c {umask: 1}\nexports:\n- <<: *c\n  mount: /a\n  mode: Anonymous", &["RP0108 4:3"]),
        ("---\nconfig: {}", &["RP0106 2:1"]),
        ("...\n---\nconfig: {}", &["RP0106 3:1"]),
        ("? [a, b]\n: c", &["RP0120 2:3"]),
        ("? {a: b}\n: c", &["RP0120 2:3"]),
        ("config: [", &["RP0101 2:9"]),
        ("config:\n\tumask: 1", &["RP0101 3:1"]),
        ("config: \"x", &["RP0101 2:9"]),
        ("config: *nobody", &["RP0101 2:9"]),
        ("config:\n  hostname: \"a\\0b\"", &["RP0105 3:13"]),
        ("config:\n  hostname: a\0b", &["RP0105 3:14"]),
        ("\r\nconfig: {hostname: \0}", &["RP0105 3:20"]),
        ("a: b: c", &["RP0101 2:5"]),
    ] {
        refused(&with(body), findings);
    }
    refused("%YAML 1.2\n---\nheaders: {alias: a}", &["RP0101 1:1"]);
    refused("%TAG ! tag:x,2000:\n---\nheaders: {alias: a}", &["RP0101 1:1"]);
    refused("", &["RP0111 1:1"]);
    refused("# nothing\n", &["RP0111 1:1"]);
    refused("- a", &["RP0112 1:1"]);
    refused("text", &["RP0112 1:1"]);
}

#[test]
fn a_document_start_quotes_anchors_and_aliases_are_fine() {
    for text in [
        "---\nheaders: {alias: a}\n",
        "headers: {alias: a}\n...\n",
        "\u{feff}headers: {alias: a}\n",
        "headers:\r\n  alias: 'a'\r\nconfig:\r\n  umask: \"027\"\r\n",
        "\"headers\": {\"ALIAS\": &a a, name: *a}\n",
        "headers: {alias: a}\nconfig:\nenviron:\nexports:\n",
        "headers: {alias: a}\nconfig: {}\nenviron: []\nexports: []\n",
    ] {
        let (config, found) = parse(text);
        assert_eq!(found, Vec::<String>::new(), "{text}");
        assert_eq!(config.expect("a configuration").headers.alias.value, "a");
    }
}

#[test]
fn places_survive_tabs_wide_characters_and_long_lines() {
    let (_, found) = parse(&with("config: {hostname: \"é\u{1f600}\", umsk: 1}"));
    assert_eq!(found, ["RP0110 2:26"]);
    let long = format!("{{alias: a, name: \"{}\", nam: 1}}", "x".repeat(100_000));
    let (_, findings) = redpak_model::parse(&SourceText::new("f", format!("headers: {long}")), Layer::Normal);
    let place = findings[0].place.as_ref().expect("a place");
    assert_eq!((findings[0].code, place.column), ("RP0110", 100_031));
    assert_eq!(place.source.chars().count(), 500);
}

/// Each is an error, found without going deeper or further than the limits.
#[test]
fn hostile_texts_are_refused() {
    let bomb = |levels: usize| {
        let mut text = with("config:\n  l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..levels {
            let below = level - 1;
            let items = vec![format!("*l{below}"); 10].join(", ");
            text.push_str(&format!("  l{level}: &l{level} [{items}]\n"));
        }
        text
    };
    let cases: Vec<(&str, String, &str)> = vec![
        ("alias bomb", bomb(9), "RP0104"),
        ("alias to itself", with("config: &c {a: *c}"), "RP0104"),
        (
            "aliases of a long text",
            with(&format!("a: &a {}\nb: [{}]", "x".repeat(500_000), "*a, ".repeat(9_000))),
            "RP0104",
        ),
        (
            "deep aliases",
            with(&format!("a: &a {0}x{1}\nb: {0}*a{1}", "[".repeat(40), "]".repeat(40))),
            "RP0103",
        ),
        ("flow sequences", with(&format!("config: {}", "[".repeat(10_000))), "RP0103"),
        ("flow mappings", with(&format!("config: {}", "{a: ".repeat(10_000))), "RP0103"),
        ("flow, mixed", with(&format!("config: {}", "[{a: ".repeat(10_000))), "RP0103"),
        ("block sequences", with(&format!("config:\n {}", "- ".repeat(10_000))), "RP0103"),
        ("block mappings", (0..1_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect(), "RP0103"),
        ("explicit keys", with(&"? ".repeat(10_000)), "RP0103"),
        ("anchors", with(&format!("config: {}", "&a ".repeat(10_000))), "RP0101"),
        ("tags", with(&format!("config: {}", "!a ".repeat(10_000))), "RP0107"),
        ("a long scalar", with(&format!("config: \"{}\"", "x".repeat(64 << 20))), "RP0102"),
        ("a long line, refused", with(&format!("config: {}", "x".repeat(MAX_BYTES - 100))), "RP0112"),
        ("many nodes", with(&format!("config: [{}]", "x, ".repeat(300_000))), "RP0104"),
        ("many keys", with(&format!("config: {{{}}}", "a: ,".repeat(9_000))), "RP0109"),
        (
            "many unknown keys",
            with(&(0..9_000).map(|n| format!("key{n}: x\n")).collect::<String>()),
            "RP0110",
        ),
        ("an open quote", with(&format!("config: \"{}", "\\n".repeat(400_000))), "RP0101"),
        ("a long key", with(&format!("{}: x", "k".repeat(1_000))), "RP0110"),
        ("too long a key", with(&format!("{}: x", "k".repeat(100_000))), "RP0101"),
        ("blanks", with(&format!("config:{}x", " ".repeat(MAX_BYTES - 100))), "RP0112"),
        ("lines", with(&format!("config:{}x", "\n".repeat(MAX_BYTES - 100))), "RP0101"),
        ("colons", with(&":".repeat(100_000)), "RP0101"),
        ("dashes", with(&"-".repeat(100_000)), "RP0101"),
        ("question marks", with(&"? \n".repeat(9_000)), "RP0109"),
        ("names", with(&format!("environ: [{{key: A, value: {}}}]", "$A".repeat(100_000))), ""),
    ];
    for (what, text, code) in cases {
        let source = SourceText::new("f", text);
        let ((config, findings), took) = best_of_three(|| redpak_model::parse(&source, Layer::Normal));
        let codes: Vec<&str> = findings.iter().filter(|f| f.is_error()).map(|f| f.code).collect();
        println!("{what}: {took:?}, {} findings", findings.len());
        assert_eq!(codes.first().copied().unwrap_or_default(), code, "{what}: {codes:?}");
        assert!(findings.len() <= 102, "{what}: {}", findings.len());
        assert_eq!(config.is_none(), !code.is_empty(), "{what}");
        // A debug build on a busy machine proves nothing.
        if !cfg!(debug_assertions) {
            assert!(took.as_millis() < 50, "{what}: {took:?}");
        }
    }
}
