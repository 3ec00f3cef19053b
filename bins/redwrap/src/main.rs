//! `redwrap`: runs a command in a rednode. Load the family, run what its files name, plan, execute; nothing is decided
//! here.

#![forbid(unsafe_code)]

mod arguments;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use redpak_commands::{Handed, Limits};
use redpak_diagnostics::render::{self, Color};
use redpak_diagnostics::{Finding, Severity, exit};
use redpak_launch::{Inputs, LaunchError, Options, Payload};
use redpak_nodes::{Family, LoadOptions, Refused};
use redpak_plan::{LaunchPlan, Request};

use arguments::{Arguments, DumpFormat, on};

/// Words of the subcommands on running nodes.
const SUBCOMMANDS: [&str; 8] = ["ps", "exec", "inspect", "stats", "logs", "kill", "stop", "wait"];

fn main() -> ExitCode {
    if let Err(error) = redpak_launch::refuse_privileged_binary() {
        report(&[failed(&error)], Severity::Warning);
        return exit::SANDBOX.into();
    }
    let words: Vec<OsString> = std::env::args_os().collect();
    if let Some(word) = words.get(1).and_then(|word| word.to_str())
        && SUBCOMMANDS.contains(&word)
    {
        say(&format!("redwrap: not supported yet: `redwrap {word}`\n"));
        return exit::SANDBOX.into();
    }
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no failure; there is no better channel for a failed print.
            let _ = error.print();
            return if error.use_stderr() { exit::SANDBOX } else { exit::OK }.into();
        }
    };
    match run(&arguments) {
        Ok(code) => code.into(),
        Err(Refused(findings)) => {
            report(&findings, Severity::Warning);
            exit::SANDBOX.into()
        }
    }
}

fn run(arguments: &Arguments) -> Result<u8, Refused> {
    let mut env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let (listening, mut environ) = listen(&env);
    if listening == 0 {
        // Meant for somebody else: the launch would make the command believe in descriptors that it does not get.
        for key in ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
            env.remove(key);
        }
    }
    let passed_on = passed_on(listening.saturating_add(arguments.preserve_fds))?;
    let mut names = redpak_nodes::names::gather(&env);
    let redpath = std::path::absolute(&arguments.redpath).map_err(|error| {
        Finding::error("RP0413", format!("cannot find `{}`: {error}", arguments.redpath.display()))
    })?;
    let force = on(arguments.force) || on(arguments.r#unsafe);
    let mut family = Family::load(&redpath, names.uid, LoadOptions { force })?;
    if let Some(file) = arguments.admin.as_ref().and_then(Option::as_ref) {
        family.replace_admin(file)?;
    }
    let (admin, show) = (arguments.admin.is_some(), arguments.dump_only.is_some());
    let inputs = Inputs::default();
    if !show {
        let handed = Handed { inputs: &inputs, passed_on: &passed_on };
        names.answers = redpak_commands::answer(&family, admin, &names, handed, Limits::default())?;
    }
    let (effective, mut findings) = family.effective(admin, &names)?;
    environ.extend(arguments.environ.iter().cloned());
    let request = Request {
        command: command(&arguments.command, &env),
        environ,
        cwd: arguments.workdir.clone(),
        strict: on(arguments.strict),
        show,
    };
    let facts = redpak_nodes::host_facts(&family, &effective, env)?;
    let (plan, found) = redpak_plan::launch_plan(&effective, &facts, &request);
    findings.extend(found);
    let Some(plan) = plan else { return Err(Refused(findings)) };
    report(&findings, if arguments.verbose.unwrap_or(0) > 0 { Severity::Note } else { Severity::Warning });
    if let Some(format) = arguments.dump_only {
        dump(&plan, format)?;
        return Ok(exit::OK);
    }
    if arguments.dump {
        say(&redpak_plan::bwrap::render(&plan).script);
    }
    redpak_nodes::directories::make(&family, &plan)?;
    let options = Options { preserve_fds: &passed_on, inputs: Some(&inputs), ..Options::default() };
    execute(&plan, &options, arguments.command.is_empty())
}

/// The words given, else the caller's shell.
fn command(given: &[String], env: &BTreeMap<String, String>) -> Vec<String> {
    match given {
        [] => vec![
            env.get("SHELL").filter(|shell| !shell.is_empty()).cloned().unwrap_or_else(|| "/bin/sh".into()),
        ],
        words => words.to_vec(),
    }
}

/// Descriptors that systemd hands over (sd_listen_fds(3)), as the variables that tell the command of them.
fn listen(env: &BTreeMap<String, String>) -> (u32, Vec<(String, String)>) {
    let ours = env.get("LISTEN_PID").and_then(|pid| pid.parse::<u32>().ok()) == Some(std::process::id());
    let count =
        env.get("LISTEN_FDS").and_then(|count| count.parse::<u32>().ok()).filter(|_| ours).unwrap_or(0);
    if count == 0 {
        return (0, vec![]);
    }
    // The process id inside is only known there: the launch writes it.
    let mut variables =
        vec![("LISTEN_FDS".to_owned(), count.to_string()), ("LISTEN_PID".to_owned(), "0".to_owned())];
    variables.extend(env.get("LISTEN_FDNAMES").map(|names| ("LISTEN_FDNAMES".to_owned(), names.clone())));
    (count, variables)
}

/// The numbers of `count` descriptors from 3 on. Before redpak opens any of its own, so that a number which the caller
/// has not opened never stands for one of those.
fn passed_on(count: u32) -> Result<Vec<i32>, Finding> {
    let mut numbers = Vec::new();
    for number in (3..).take(count as usize) {
        if std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_err() {
            let message = format!("descriptor {number} is to be passed on, and is not open");
            return Err(Finding::error("RP0600", message)
                .with_hint("see --preserve-fds, and LISTEN_FDS in the environment"));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

fn execute(plan: &LaunchPlan, options: &Options<'_>, shell: bool) -> Result<u8, Refused> {
    let _generations = redpak_nodes::directories::hold_generations(plan)?;
    match redpak_launch::launch(plan, Payload::Command, options) {
        Ok(outcome) => {
            if let Some(message) = outcome.message() {
                say(&format!("redwrap: {}\n", render::printable(&message)));
                if shell {
                    say(
                        "redwrap: that is your shell ($SHELL): name a command that the node has, /bin/sh for one\n",
                    );
                }
            }
            Ok(outcome.exit_code())
        }
        Err(error) => Err(failed(&error).into()),
    }
}

/// A failed launch as a finding: what could not be done, why, and what to do.
fn failed(error: &LaunchError) -> Finding {
    Finding::from_error("RP0600", error, error.hint.as_deref())
}

fn dump(plan: &LaunchPlan, format: DumpFormat) -> Result<(), Finding> {
    let cannot =
        |error: &dyn std::fmt::Display| Finding::error("RP0422", format!("cannot print the plan: {error}"));
    let (text, remarks) = match format {
        DumpFormat::Json => {
            (serde_json::to_string_pretty(plan).map_err(|error| cannot(&error))? + "\n", vec![])
        }
        DumpFormat::Bwrap => {
            let rendering = redpak_plan::bwrap::render(plan);
            (rendering.script, rendering.remarks)
        }
    };
    let mut stdout = std::io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // Whoever read it has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        written => written.map_err(|error| cannot(&error))?,
    }
    for remark in remarks {
        say(&format!("redwrap: not in the bwrap line: {remark}\n"));
    }
    Ok(())
}

/// To standard error. What cannot be said is no reason not to run the command, and there is no other channel.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn report(findings: &[Finding], least: Severity) {
    let shown: Vec<Finding> = findings.iter().filter(|finding| finding.severity >= least).cloned().collect();
    say(&render::text(&shown, Color::of(&std::io::stderr())));
}
