//! Attacks on the configuration that other tests do not cover for every key: THREATS 18, 20 and 25.

use redpak_model::config::Located;
use redpak_model::effective::VariableAction;
use redpak_model::schema::{self, Key, Kind, Support};
use redpak_model::{Layer, Names, NodeText, SourceText};

use crate::family::{Family, line};
use crate::random::sourced::items;
use crate::random::{RandomFamily, lines};

/// Each section of the language: how a mapping of it stands in a file, and its keys.
const SECTIONS: [(&str, &str, &[Key]); 17] = [
    ("", "", schema::FILE),
    ("headers: {alias: a, ", "}", schema::HEADERS),
    ("config: {", "}", schema::CONFIG),
    ("config: {capabilities: [{cap: KILL, add: 0, ", "}]}", schema::CAPABILITIES),
    ("config: {time-offsets: {", "}}", schema::TIME_OFFSETS),
    ("config: {cgroups: {", "}}", schema::CGROUPS),
    ("config: {cgroups: {cpuset: {", "}}}", schema::CPUSET),
    ("config: {cgroups: {mem: {", "}}}", schema::MEM),
    ("config: {cgroups: {cpu: {", "}}}", schema::CPU),
    ("config: {cgroups: {io: {", "}}}", schema::IO),
    ("config: {cgroups: {pids: {", "}}}", schema::PIDS),
    ("config: {seccomp: {", "}}", schema::SECCOMP),
    ("config: {seccomp: {rules: [{calls: [read], action: kill, ", "}]}}", schema::SECCOMP_RULES),
    ("config: {landlock: {", "}}", schema::LANDLOCK),
    ("config: {rlimits: {", "}}", schema::RLIMITS),
    ("environ: [{key: A, value: x, ", "}]", schema::ENVIRON),
    ("exports: [{mount: /m, mode: Tmpfs, ", "}]", schema::EXPORTS),
];

/// The codes of a file with this line behind its headers.
fn codes((opens, closes): (&str, &str), inside: &str) -> Vec<&'static str> {
    let headers = if opens.starts_with("headers") { "" } else { "headers: {alias: a}\n" };
    let text = format!("{headers}{opens}{inside}{closes}\n");
    let (config, findings) = redpak_model::parse(&SourceText::new("f", text), Layer::Normal);
    let errors: Vec<_> = findings.iter().filter(|found| found.is_error()).map(|found| found.code).collect();
    assert_eq!(config.is_none(), !errors.is_empty());
    errors
}

/// THREATS 20: a misspelt key is an error wherever it stands, never a protection that is silently not there.
#[test]
fn a_misspelt_key_is_an_error_in_every_section() {
    for (opens, closes, keys) in SECTIONS {
        for key in keys {
            for wrong in
                [format!("{}x", key.name), format!("_{}", key.name), key.name.replace(['_', '-'], "")]
            {
                if keys.iter().any(|known| known.name == wrong) {
                    continue;
                }
                let found = codes((opens, closes), &format!("{wrong}: x"));
                assert!(found.contains(&"RP0110"), "{opens}{wrong}: {found:?}");
            }
        }
    }
}

/// THREATS 20: what is no value of a key is an error.
#[test]
fn what_is_no_value_is_an_error_for_every_key() {
    const WRONG: [&str; 10] =
        ["no", "0777x", "-99999", "99999999999999999999", "1.5", "0x10", "1e3", "٣", "[[]]", "nan"];
    for (opens, closes, keys) in SECTIONS {
        for key in keys.iter().filter(|key| key.support == Support::Full && !key.mandatory) {
            let texts = ["calls", "action", "value", "mode"].contains(&key.name);
            // Any text is one of theirs, but for collections.
            let text = matches!(
                key.kind,
                Kind::Literal
                    | Kind::Text
                    | Kind::Value
                    | Kind::Path
                    | Kind::PathList
                    | Kind::Account
                    | Kind::Texts
            );
            for wrong in WRONG {
                let signed = matches!(key.kind, Kind::Integer(min, _) if min < -99_999);
                let fine = (text && wrong != "[[]]") || (signed && wrong == "-99999") || texts;
                if fine {
                    continue;
                }
                let found = codes((opens, closes), &format!("{}: {wrong}", key.name));
                assert!(!found.is_empty(), "{opens}{}: {wrong} is taken", key.name);
            }
        }
    }
}

/// Texts that something else would interpret.
const HOSTILE: [&str; 7] = ["../x", "/x", "`touch /x`", "%(touch /x)", "%{lua:os.exit()}", "a;b|c", "a'b"];

/// THREATS 18: no text of a file is anything but that text, or an error; nothing is a command but `$(…)`.
#[test]
fn no_text_is_interpreted_whatever_key_it_is_of() {
    for key in
        schema::CONFIG.iter().filter(|key| matches!(key.kind, Kind::Text | Kind::Path | Kind::PathList))
    {
        for hostile in HOSTILE {
            let family = Family::root(&format!("config:\n  {}: \"{hostile}\"", key.name));
            let (effective, findings) = family.run(false);
            let Some(effective) = effective else {
                assert!(findings.iter().all(|found| found.place.is_some()), "{}: {hostile}", key.name);
                continue;
            };
            let values: Vec<String> = items(&effective).into_iter().map(|item| item.value).collect();
            assert_eq!(values, [hostile], "{}", key.name);
            assert!(effective.unjudged.is_empty(), "{}: {hostile} is a command", key.name);
        }
    }
    for hostile in HOSTILE {
        let entries = format!(
            "environ:\n- {{key: A, value: \"{hostile}\", info: \"{hostile}\"}}\n- {{key: B, mode: Static, value: \"$(x){hostile}\"}}\n\
             exports:\n- {{mount: /l, mode: Symlink, path: \"{hostile}\"}}"
        );
        let effective = Family::root(&entries).ok();
        assert_eq!(effective.environ[0].value.action, VariableAction::Set(hostile.to_owned()));
        assert_eq!(effective.environ[1].value.action, VariableAction::Set(format!("$(x){hostile}")));
        assert!(effective.unjudged.is_empty());
        assert_eq!(redpak_model::commands::commands(Family::root(&entries).nodes(), true), []);
        for (field, code) in [("mount", "RP02"), ("path", "RP02")] {
            let other = if field == "mount" { "path: /p" } else { "mount: /m" };
            let family =
                Family::root(&format!("exports:\n- {{{field}: \"{hostile}\", {other}, mode: Public}}"));
            let errors = family.errors();
            let absolute = hostile == "/x";
            assert_eq!(errors.is_empty(), absolute, "{field}: {hostile}");
            assert!(errors.iter().all(|error| error.starts_with(code)), "{errors:?}");
        }
    }
}

/// THREATS 18: what a command says is a value like any other: it cannot widen, and is no command in turn.
#[test]
fn the_output_of_a_command_is_judged_as_what_stands_in_the_file() {
    let child = "exports:\n- {mount: /m, mode: Restricted, path: $(p)}\nconfig: {hostname: $(h)}";
    let family = Family::root("exports: [{mount: /usr, mode: Restricted}]").node(child);
    let run = |path: &str, host: &str| {
        let answer = |text: &str, says: &str| ((1, Layer::Normal, text.to_owned()), says.as_bytes().to_vec());
        let names = Names { answers: [answer("p", path), answer("h", host)].into(), ..Names::default() };
        redpak_model::effective(family.nodes(), false, &names)
    };
    let errors = |path: &str| {
        let errors = run(path, "h").1;
        errors.iter().filter(|found| found.is_error()).map(line).collect::<Vec<_>>()
    };
    assert!(run("/usr/x", "h").0.is_some_and(|effective| effective.unjudged.is_empty()));
    assert_eq!(errors("/etc"), ["RP0303 n1:3 [n0:1]"]);
    assert_eq!(errors("/usr/../etc"), ["RP0208 n1:3 []"]);
    assert_eq!(errors("usr").len(), 1);
    // A command in what a command says is none: those characters, or an error.
    let again = run("/usr/$(id)", "h").0.expect("those characters");
    assert!(again.unjudged.is_empty() && again.exports[1].mount.as_os_str() == "/m");
    assert!(items(&again).iter().any(|item| item.value == "ro /usr/$(id)"), "{:?}", again.exports);
    let hostname = run("/usr", "a").0.and_then(|effective| effective.settings.hostname);
    assert_eq!(hostname.map(|set| set.value).as_deref(), Some("a"));
    assert!(run("/usr", "a b").0.is_none(), "what is no host name is none from a command either");
    // Not run, it is told, and nothing can be launched from it.
    assert_eq!(family.run(false).0.map(|effective| effective.unjudged.len()), Some(2));
}

/// THREATS 25: the order of a file's lines makes no difference.
#[test]
fn the_order_of_lines_makes_no_difference() {
    for seed in 1..400 {
        let mut family = lines::family(seed);
        if family.repair().is_none() {
            continue;
        }
        let mut turned: RandomFamily = family.clone();
        for node in &mut turned.nodes {
            node.normal.lines.reverse();
            node.admin.iter_mut().for_each(|file| file.lines.reverse());
        }
        for admin in [false, true] {
            let values = |family: &RandomFamily| {
                let effective = family.written().run(family.nodes.len(), admin).0;
                let Some(effective) = effective else { panic!("{}", family.show()) };
                let values = items(&effective).into_iter().map(|item| (item.key, item.value));
                let mut values: Vec<_> = values.collect();
                // Variables stand in the order of their definition.
                values.sort_by(|a, b| a.0.cmp(&b.0));
                values
            };
            assert_eq!(values(&family), values(&turned), "{}", family.show());
        }
    }
}

/// THREATS 25: a wildcard is a character, and case makes another path.
#[test]
fn wildcards_and_case_in_paths_are_only_themselves() {
    let root = "exports:\n- {mount: /a, mode: Restricted, path: '/usr/*'}\n- {mount: /b, mode: Restricted, path: /Opt/}";
    for (path, sound) in [
        ("/usr/*", true),
        ("/usr/*/x", true),
        ("/usr/lib", false),
        ("/usr/?", false),
        ("/usr/**", false),
        ("/usr", false),
        ("/Opt/x", true),
        ("//Opt///x/", true),
        ("/Opt/./x", true),
        ("/opt/x", false),
        ("/OPT", false),
        ("/Opt.d", false),
        ("/Optx", false),
    ] {
        let family =
            Family::root(root).node(&format!("exports:\n- {{mount: /m, mode: Restricted, path: '{path}'}}"));
        let expected: &[&str] = if sound { &[] } else { &["RP0303 n1:3 [n0:1]"] };
        assert_eq!(family.errors(), expected, "{path}");
    }
}

/// THREATS 25: an entry that stands twice is one entry where it is the same, and an error where it is not.
#[test]
fn an_entry_twice_is_never_two_rights() {
    let node = |text: &str| NodeText {
        redpath: "/n".into(),
        normal: SourceText::new("/n/etc/redpak.yaml", format!("headers: {{alias: n}}\n{text}")),
        admin: None,
    };
    let run = |text: &str| redpak_model::effective(&[node(text)], false, &Names::default());
    let twice = "config: {capabilities: [{cap: KILL, add: 1}, {cap: kill, add: 1}, {cap: CAP_KILL, add: 1}]}";
    let effective = run(twice).0.expect("it is the same");
    assert_eq!(effective.settings.capabilities.len(), 1);
    assert!(run("config: {capabilities: [{cap: ALL, add: 0}, {cap: all, add: 1}]}").0.is_none());
    assert!(
        run("exports: [{mount: /a, mode: Restricted}, {mount: //a/./, mode: Public, path: /a}]").0.is_none()
    );
    assert!(run("config: {umask: 0}\nconfig: {umask: 077}").0.is_none());
    assert!(run("config: {umask: 0, UMASK: 077}").0.is_none());
    let (parsed, _) = redpak_model::parse(&node("config: {Umask: 077}").normal, Layer::Normal);
    let umask = parsed.and_then(|parsed| parsed.config.umask);
    assert_eq!(umask.map(|Located { value, .. }| value), Some(0o77));
}
