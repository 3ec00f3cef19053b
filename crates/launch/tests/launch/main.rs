//! Real launches over the host's `/usr`, as root and as an ordinary user.
//!
//! A launch needs a process with one thread, and often another user: each test is given plans to launch, and every
//! launch is a process of its own, this program run again with `launch PLAN.json`.

mod harness;
mod plans;

mod commands;
mod compatible;
mod contents;
mod descriptors;
mod devices;
mod functions;
mod isolation;
mod kills;
mod locks;
mod mounts;
mod overlays;
mod refusals;
mod signals;
mod terminals;

fn main() -> std::process::ExitCode {
    let tests: Vec<harness::Test> = [
        commands::TESTS,
        compatible::TESTS,
        contents::TESTS,
        descriptors::TESTS,
        devices::TESTS,
        functions::TESTS,
        isolation::TESTS,
        kills::TESTS,
        locks::TESTS,
        mounts::TESTS,
        overlays::TESTS,
        refusals::TESTS,
        signals::TESTS,
        terminals::TESTS,
    ]
    .concat();
    harness::main(&tests, functions::by_name)
}
