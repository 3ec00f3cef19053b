//! `redconf`: creates, shows and checks rednodes.

#![forbid(unsafe_code)]

mod arguments;
mod create;
mod show;
mod tree;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use redpak_diagnostics::render::{self, Color};
use redpak_diagnostics::{Finding, exit};
use redpak_model::Names;
use redpak_model::status::State;
use redpak_nodes::Refused;

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
            exit::ERROR.into()
        }
    }
}

fn run(command: &Command, names: &Names) -> Result<u8, Refused> {
    match command {
        Command::Create(arguments) => create::run(arguments, names)?,
        Command::Config(arguments) => show::own(arguments, names)?,
        Command::Mergeconfig(arguments) => show::effective(arguments, names)?,
        Command::Tree { path, json } => tree::run(&absolute(path)?, *json)?,
        Command::Check { paths, json } => return show::check(paths, *json, names),
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
    crate::print(&format!(
        "{} is {}",
        path.display(),
        if state == State::Enable { "enabled" } else { "disabled" }
    ))?;
    Ok(())
}

/// A path from `/`, links kept.
fn absolute(path: &Path) -> Result<PathBuf, Finding> {
    std::path::absolute(path)
        .map_err(|error| Finding::error("RP0413", format!("cannot find `{}`: {error}", path.display())))
}

fn report(findings: &[Finding]) {
    let text = render::text(findings, Color::of(&std::io::stderr()));
    // There is no other channel to say that this one is closed.
    let _ = std::io::stderr().write_all(text.as_bytes());
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
