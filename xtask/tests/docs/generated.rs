//! Generated files are what would be generated now, and what they say of launches is so.

use std::collections::BTreeSet;

use redpak_model::describe::{LAUNCH_REFUSES, SECTIONS};
use redpak_model::{Names, NodeText, SourceText};
use redpak_plan::launch_plan::LaunchPlan;
use redpak_plan::{HostFacts, NodeFacts, Request, launch_plan};

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

/// The reference marks the keys that no launch puts in force; the plan refuses them, and no other.
#[test]
fn what_the_reference_marks_is_what_plans_refuse() {
    let config = SECTIONS.iter().find(|section| section.path == "config").expect("there is one");
    for (key, text) in config.described() {
        let file =
            if text.example.is_empty() { nested("config", key.name) } else { alone("config", key.name) };
        let (_, codes) = plan(&file);
        assert_eq!(
            codes.contains(redpak_model::codes::NOT_SUPPORTED),
            LAUNCH_REFUSES.contains(&key.name),
            "{}: {codes:?}",
            key.name
        );
    }
}
