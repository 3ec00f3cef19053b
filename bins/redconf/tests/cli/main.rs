//! `redconf` by binary: what people and programs see, and exit codes.

mod ground;
mod lost;
mod nodes;
mod reports;
mod why;

use ground::{Ground, redconf};

#[test]
fn what_is_not_there_yet_says_so() {
    for words in [
        &["lock", "--check", "x"][..],
        &["prove"],
        &["why", "/", "--file", "/x"],
        &["why", "/", "--package", "x"],
    ] {
        redconf(words).expect(2).says("not supported yet");
    }
    redconf(&["tre"]).expect(2).says("'tree'");
    redconf(&["why", "/"]).expect(2).says("--mount");
    for words in [&["why", "/"][..], &["why"], &["why", "--help"], &["why", "/", "--cap", "x", "--env", "x"]]
    {
        let ran = redconf(words);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(["--file", "--package", "--library"].iter().all(|later| !all.contains(later)), "{all}");
    }
    redconf(&["check", "--format", "yaml"]).expect(2).says("sarif");
}

#[test]
fn every_code_is_explained_and_a_wrong_one_is_answered() {
    let list = redconf(&["explain"]).expect(0).stdout;
    let codes: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(codes.len() > 50, "{list}");
    for code in [codes[0], codes[codes.len() - 1]] {
        redconf(&["explain", code]).expect(0).says(&format!("# {code}: "));
    }
    redconf(&["explain", "rp0303"]).expect(0).says("# RP0303: ");
    let wrong = redconf(&["explain", "RP0300"]).expect(2);
    assert!(wrong.stderr.contains("did you mean RP0"), "{}", wrong.stderr);
    redconf(&["explain", "nonsense"]).expect(2).says("`redconf explain` lists all");
}

/// Findings of all crates have codes in their sources; each has a page.
#[test]
fn every_code_that_can_be_printed_has_a_page() {
    let list = redconf(&["explain"]).expect(0).stdout;
    for (code, title) in redpak_model::codes::ALL {
        assert!(list.contains(code), "{code} ({title}) has no page in docs/codes");
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let ground = Ground::family();
    let line = format!("{} tree {} | true", env!("CARGO_BIN_EXE_redconf"), ground.at("r").display());
    let ran = std::process::Command::new("sh").args(["-c", &line]).output().expect("sh runs");
    assert!(ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
}
