//! Odd texts and large families: no panic, no endless work.

use proptest::prelude::*;
use redpak_diagnostics::Finding;
use redpak_model::{Layer, Names, NodeText, SourceText};

use crate::family::best_of_three;

fn noise() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "headers",
        "alias",
        "config",
        "exports",
        "environ",
        "mount",
        "mode",
        "key",
        "value",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "<<",
        "\"",
        "'",
        "|\n",
        ">\n",
        "#",
        "?",
        "!t ",
        "%",
        "---\n",
        "...\n",
        "\t",
        "\r",
        "~",
        "x",
        "0",
        "\\",
        "$A",
        "$(",
        "\u{feff}",
        "\u{85}",
        "é",
        "capabilities",
        "cap",
        "share_net",
        "cgroups",
        "mem",
        "max",
    ]);
    prop_oneof![
        4 => prop::collection::vec(word, 0..60).prop_map(|words| format!("headers: {{alias: a}}\n{}", words.concat())),
        1 => ".{0,200}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the text, there is a configuration exactly when there is no error, and each error has a place that
    /// can be shown.
    #[test]
    fn no_text_is_too_odd(text in noise()) {
        let source = SourceText::new("f", text);
        let (config, findings) = redpak_model::parse(&source, Layer::Normal);
        prop_assert_eq!(config.is_some(), !findings.iter().any(Finding::is_error));
        for finding in &findings {
            let place = finding.place.as_ref().expect("a place");
            prop_assert!(place.line >= 1 && place.column >= 1 && place.length >= 1);
            prop_assert!(redpak_model::codes::title(finding.code).is_some());
        }
        redpak_diagnostics::render::text(&findings, redpak_diagnostics::render::Color::Never);
        let family = [NodeText { redpath: "/n".into(), normal: source, admin: None }];
        let (effective, found) = redpak_model::effective(&family, false, &Names::default());
        prop_assert!(effective.is_none() || config.is_some());
        prop_assert_eq!(effective.is_some(), !found.iter().any(Finding::is_error));
    }
}

/// A family of large files is judged in bounded time: a hostile child cannot hold up its parent's checks.
#[test]
fn large_families_are_judged_in_bounded_time() {
    let exports = |line: &dyn Fn(usize) -> String| {
        let lines: Vec<String> = (0..2_500).map(line).collect();
        format!("headers: {{alias: a}}\nexports:\n{}", lines.concat())
    };
    let node = |path: &str, text: String| NodeText {
        redpath: path.into(),
        normal: SourceText::new("f", text),
        admin: None,
    };
    let few = |line: &dyn Fn(usize) -> String| exports(&|n| if n < 2_000 { line(n) } else { String::new() });
    let cases = [
        (
            "too many",
            vec![
                node("/n", exports(&|n| format!("- {{mount: /{n}, mode: Tmpfs}}\n"))),
                node("/n/c", exports(&|n| format!("- {{mount: /c{n}, mode: Tmpfs}}\n"))),
            ],
        ),
        (
            "all twice",
            vec![node("/n", exports(&|n| format!("- {{mount: /a, mode: Tmpfs, size: {}}}\n", n + 4096)))],
        ),
        (
            "all refused",
            vec![
                node("/n", few(&|n| format!("- {{mount: /{n}, mode: Restricted, path: /usr}}\n"))),
                node("/n/c", few(&|n| format!("- {{mount: /x{n}, mode: Public, path: /usr/x}}\n"))),
            ],
        ),
        (
            "all hidden",
            vec![
                node("/n", few(&|n| format!("- {{mount: /{n}, mode: Private, path: /usr/{n}}}\n"))),
                node("/n/c", few(&|n| format!("- {{mount: /x{n}, mode: Public, path: /lib/x}}\n"))),
            ],
        ),
        (
            "all crossing",
            vec![node(
                "/n",
                exports(&|n| match n {
                    0 => "- {mount: /a, mode: Symlink, path: b}\n".to_owned(),
                    _ => format!("- {{mount: /a/{n}, mode: Tmpfs}}\n"),
                }),
            )],
        ),
    ];
    for (what, family) in cases {
        let ((effective, findings), took) =
            best_of_three(|| redpak_model::effective(&family, false, &Names::default()));
        println!(
            "{what}: {took:?}, {} findings, first {:?}",
            findings.len(),
            findings.first().map(|f| f.code)
        );
        assert!(effective.is_none() && findings.len() <= 103, "{what}");
        if !cfg!(debug_assertions) {
            assert!(took.as_millis() < 1000, "{what}: {took:?}");
        }
    }
}
