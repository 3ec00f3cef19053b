//! Generated files are what would be generated now, and what they say of launches is so.

use std::collections::BTreeSet;

use redpak_model::describe::{LAUNCH_REFUSES, SECTIONS};
use redpak_model::{Names, NodeText, SourceText, codes};
use redpak_plan::launch_plan::LaunchPlan;
use redpak_plan::{HostFacts, NodeFacts, Request, launch_plan};
use redpak_xtask::reference;

use crate::corpus::{alone, nested};

#[test]
fn generated_files_are_up_to_date() {
    if let Err(message) = redpak_xtask::generated::check() {
        panic!("{message}");
    }
}

fn plan(text: &str) -> (Option<LaunchPlan>, BTreeSet<&'static str>) {
    let family =
        [NodeText { redpath: "/n".into(), normal: SourceText::new("/n/etc/redpak.yaml", text), admin: None }];
    let (effective, findings) = redpak_model::effective(&family, false, &Names::default());
    let effective = effective.unwrap_or_else(|| panic!("{text}\n{findings:#?}"));
    let facts = HostFacts { nodes: vec![NodeFacts::default()], ..HostFacts::default() };
    let request = Request { command: vec!["true".into()], ..Request::default() };
    let (plan, findings) = launch_plan(&effective, &facts, &request);
    (plan, findings.iter().map(|finding| finding.code).collect())
}

/// The limits that the reference names are those that hold.
#[test]
fn limits_are_what_the_reference_says() {
    let limits = redpak_commands::Limits::default();
    let of_a_file = format!("{} s; {} MiB of output", limits.file.as_secs(), limits.output >> 20);
    assert_eq!(reference::COMMANDS_OF_A_FILE, of_a_file);
    assert_eq!(reference::COMMANDS_OF_A_FAMILY, format!("{} s", limits.family.as_secs()));

    let code = |env: Vec<(String, String)>| {
        let text = "headers: {alias: a}\nenviron: [{key: K, value: $V0}]\n";
        let family = [NodeText {
            redpath: "/n".into(),
            normal: SourceText::new("/n/etc/redpak.yaml", text),
            admin: None,
        }];
        let names = Names { env: env.into_iter().collect(), ..Names::default() };
        redpak_model::effective(&family, false, &names).1.first().map(|finding| finding.code)
    };
    let deep = |levels: usize| {
        let chain = (0..levels).map(|n| {
            let value = if n + 1 < levels { format!("$V{}", n + 1) } else { "end".to_owned() };
            (format!("V{n}"), value)
        });
        code(chain.collect())
    };
    let many = |count: usize| code(vec![("V0".into(), "$E".repeat(count)), ("E".into(), String::new())]);
    let long = |bytes: usize| code(vec![("V0".into(), "x".repeat(bytes))]);
    assert!(reference::REPLACEMENTS.contains(" 16 deep; 10000 in a text; 64 KiB "));
    assert_eq!((deep(16), deep(17)), (None, Some(codes::EXPANSION_TOO_DEEP)));
    // One is `$V0` itself.
    assert_eq!((many(9_999), many(10_000)), (None, Some(codes::EXPANSION_TOO_LONG)));
    assert_eq!((long(64 << 10), long((64 << 10) + 1)), (None, Some(codes::EXPANSION_TOO_LONG)));
}

/// The reference marks the keys that no launch puts in force; the plan refuses them, and no other.
#[test]
fn what_the_reference_marks_is_what_plans_refuse() {
    let config = SECTIONS.iter().find(|section| section.path == "config").expect("there is one");
    for (key, text) in config.described() {
        let file =
            if text.example.is_empty() { nested("config", key.name) } else { alone("config", key.name) };
        let (_, found) = plan(&file);
        assert_eq!(
            found.contains(codes::NOT_SUPPORTED),
            LAUNCH_REFUSES.contains(&key.name),
            "{}: {found:?}",
            key.name
        );
    }
}
