//! `redconf`: creates, shows and checks rednodes.

#![forbid(unsafe_code)]

mod arguments;
mod check;
mod create;
mod explain;
mod merged;
mod own;
mod tree;
mod why;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use redpak_diagnostics::render::{self, Color, printable};
use redpak_diagnostics::{Finding, Severity, exit};
use redpak_model::Names;
use redpak_model::status::State;
use redpak_nodes::{Family, LoadOptions, Refused};

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let names = redpak_nodes::names::gather(&env);
    match run(&arguments.command, &names) {
        Ok(code) => code.into(),
        Err(Refused(findings)) => {
            report(&findings);
            if let Some(error) = findings.iter().find(|finding| finding.is_error()) {
                say(&explain::more(error));
            }
            exit::ERROR.into()
        }
    }
}

fn run(command: &Command, names: &Names) -> Result<u8, Refused> {
    match command {
        Command::Create(arguments) => create::run(arguments, names)?,
        Command::Config(arguments) => own::run(arguments, names)?,
        Command::Mergeconfig(arguments) => merged::run(arguments, names)?,
        Command::Why(arguments) => return why::run(arguments, names),
        Command::Tree(arguments) => tree::run(arguments, names)?,
        Command::Check(arguments) => return check::run(arguments, names),
        Command::Explain { code } => return Ok(explain::run(code.as_deref())?),
        Command::Lock(_) => return Ok(usage("not supported yet: `redconf lock`")),
        Command::Prove(_) => return Ok(usage("not supported yet: `redconf prove`")),
        Command::Enable { path } => state(path, names, State::Enable)?,
        Command::Disable { path } => state(path, names, State::Disable)?,
        Command::Delete { path, recursive } => {
            let path = absolute(path)?;
            redpak_nodes::delete::delete(&path, names.uid, *recursive)?;
            crate::print(&format!("deleted {}", path.display()))?;
        }
    }
    Ok(exit::OK)
}

fn state(path: &Path, names: &Names, state: State) -> Result<(), Refused> {
    let path = absolute(path)?;
    redpak_nodes::status_file::set_state(&path, names.uid, state)?;
    let word = if state == State::Enable { "enabled" } else { "disabled" };
    let off = if state == State::Enable { disabled_above(&path, names)? } else { None };
    let still = off.map_or(String::new(), |above| {
        format!(
            ", and still does not launch: `{0}` above it is disabled, `redconf enable {0}`",
            above.display()
        )
    });
    crate::print(&format!("{} is {word}{still}", path.display()))?;
    Ok(())
}

/// The topmost disabled node above one.
fn disabled_above(path: &Path, names: &Names) -> Result<Option<PathBuf>, Refused> {
    let family = Family::load(path, names.uid, LoadOptions { force: true })?;
    let above = &family.nodes[..family.nodes.len() - 1];
    Ok(above.iter().find(|node| !node.status.state.is_enabled()).map(|node| node.path.clone()))
}

/// A path from `/`, links kept.
fn absolute(path: &Path) -> Result<PathBuf, Finding> {
    std::path::absolute(path)
        .map_err(|error| Finding::error("RP0413", format!("cannot find `{}`: {error}", path.display())))
}

/// Findings on standard error. What could not be judged is told by `check`; here it would be in the way.
fn report(findings: &[Finding]) {
    let shown: Vec<Finding> =
        findings.iter().filter(|finding| finding.severity > Severity::Note).cloned().collect();
    say(&render::text(&shown, Color::of(&std::io::stderr())));
}

/// To standard error. There is no other channel to say that this one is closed.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Says what is wrong with the command line, and gives the exit code for that.
fn usage(message: &str) -> u8 {
    say(&format!("redconf: {}\n", printable(message)));
    exit::USAGE
}

/// To standard output, and a line end.
fn print(text: &str) -> Result<(), Finding> {
    let mut stdout = std::io::stdout();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        // Whoever read it has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Finding::error("RP0422", format!("cannot print: {error}"))),
    }
}

/// As [`print`], a value as JSON that people can read too.
fn print_json(value: &serde_json::Value) -> Result<(), Finding> {
    print(&format!("{value:#}"))
}
