//! Real commands of real families, as whoever runs this: where they run, what they see, their limits, and attacks.
//!
//! One test after the other in one thread: the crate forks.

mod attacks;
mod ground;
mod limits;
mod places;

use std::panic::catch_unwind;
use std::process::ExitCode;

/// A test: its name and what it does.
pub type Test = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let chosen: Vec<Test> = [places::TESTS, limits::TESTS, attacks::TESTS]
        .concat()
        .into_iter()
        .filter(|(name, _)| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str())))
        .collect();
    if arguments.iter().any(|argument| argument == "--list") {
        let ignored = arguments.iter().any(|argument| argument == "--ignored");
        chosen.iter().filter(|_| !ignored).for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if let Some(reason) = ground::cannot_run() {
        assert!(std::env::var_os("REDPAK_MUST_WORK").is_none_or(|value| value != "1"), "{reason}");
        println!("SKIP: {reason}");
        return ExitCode::SUCCESS;
    }
    let failed: Vec<&str> =
        chosen.iter().filter(|(name, body)| !passes(name, *body)).map(|test| test.0).collect();
    let (word, passed) = (if failed.is_empty() { "ok" } else { "FAILED" }, chosen.len() - failed.len());
    println!("\ntest result: {word}. {passed} passed; {} failed;", failed.len());
    failed.iter().for_each(|name| println!("failed: {name}"));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn passes(name: &str, body: fn()) -> bool {
    let passed = catch_unwind(body).is_ok();
    println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
    passed
}
