//! `redwrap-dnf`: packages of a rednode. Parse, load the family, call the library, print.

#![forbid(unsafe_code)]

mod arguments;
mod change;
mod family;
mod manager;
mod progress;
mod query;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use redpak_diagnostics::render::{self, Color, printable};
use redpak_diagnostics::{Finding, Severity, exit};
use redpak_model::Names;
use redpak_nodes::Refused;
use redpak_packages::PackagesError;
use redpak_packages::family::FamilyContext;
use redpak_packages::solve::{Scope, Session};

use arguments::{Arguments, Common, RepoVerb, Verb};
use change::Wish;

/// Verbs of dnf5 that are known and not there yet.
const LATER: [&str; 22] = [
    "reinstall",
    "rei",
    "downgrade",
    "dg",
    "distro-sync",
    "dsync",
    "group",
    "grp",
    "advisory",
    "updateinfo",
    "history",
    "check",
    "versionlock",
    "mark",
    "swap",
    "environment",
    "module",
    "builddep",
    "debuginfo-install",
    "offline",
    "repoinfo",
    "upgrade-minimal",
];

/// Why a command failed.
pub enum Failure {
    /// Findings, to be rendered.
    Findings(Vec<Finding>),
    /// The execution failed; the last lines that librpm and scriptlets wrote.
    Executed {
        /// What failed.
        finding: Box<Finding>,
        /// Foreign text.
        output: Vec<String>,
    },
}

impl Failure {
    /// A sentence of our own.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Findings(vec![Finding::error("RP0620", text)])
    }

    /// A value that cannot be shown as JSON.
    pub fn json(error: serde_json::Error) -> Self {
        Self::text(format!("cannot be shown as JSON: {error}"))
    }
}

impl From<PackagesError> for Failure {
    fn from(error: PackagesError) -> Self {
        Self::Findings(error.findings())
    }
}

impl From<Finding> for Failure {
    fn from(finding: Finding) -> Self {
        Self::Findings(vec![finding])
    }
}

impl From<Refused> for Failure {
    fn from(Refused(findings): Refused) -> Self {
        Self::Findings(findings)
    }
}

fn main() -> ExitCode {
    if let Some(code) = redpak_packages::execute::worker_main() {
        return code.into();
    }
    // As other programs do, end without a word when nobody reads on (`redwrap-dnf list | head`).
    let _ = redpak_sys::signal::set_default(rustix::process::Signal::PIPE);
    let arguments = Arguments::parse();
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let names = redpak_nodes::names::gather(&env);
    match run(&arguments, &names) {
        Ok(code) => code.into(),
        Err(Failure::Findings(findings)) => {
            report(&findings);
            exit::ERROR.into()
        }
        Err(Failure::Executed { finding, output }) => {
            report(&[*finding]);
            output.iter().for_each(|line| eprintln!("  >>> {}", printable(line)));
            exit::ERROR.into()
        }
    }
}

fn run(arguments: &Arguments, names: &Names) -> Result<u8, Failure> {
    let common = &arguments.common;
    if let Verb::Other(words) = &arguments.verb {
        let verb = words.first().map(String::as_str).unwrap_or_default();
        if LATER.contains(&verb) {
            return Err(Failure::text(format!("not supported yet: {verb}")));
        }
        eprintln!("redwrap-dnf: there is no verb `{verb}`; see `redwrap-dnf --help`");
        return Ok(exit::USAGE);
    }
    let Some(given) = &arguments.redpath else {
        eprintln!("redwrap-dnf: which node? give --redpath NODE; see `redwrap-dnf --help`");
        return Ok(exit::USAGE);
    };
    let redpath: PathBuf = std::path::absolute(given)
        .map_err(|error| Finding::error("RP0413", format!("cannot find `{}`: {error}", given.display())))?;
    if let Verb::Manager(arguments) = &arguments.verb {
        return Ok(manager::run(&redpath, arguments, names)?);
    }
    let changes =
        matches!(arguments.verb, Verb::Install(_) | Verb::Remove(_) | Verb::Upgrade(_) | Verb::Autoremove);
    let (loaded, mut findings) = family::load(&redpath, names, changes)?;
    if !common.quiet {
        findings.retain(|finding| finding.severity > Severity::Note || common.verbose > 0);
        report(&findings);
    }
    match &arguments.verb {
        Verb::Install(packages) => change::run(loaded, &Wish::Install(&packages.specs), common, names),
        Verb::Remove(packages) => change::run(loaded, &Wish::Remove(&packages.specs), common, names),
        Verb::Upgrade(packages) => change::run(loaded, &Wish::Upgrade(&packages.specs), common, names),
        Verb::Autoremove => change::run(loaded, &Wish::Autoremove, common, names),
        Verb::Download(arguments) => query::download(&loaded, arguments, common),
        Verb::List(arguments) => query::list(&loaded, &arguments.specs, arguments.which, common),
        Verb::Info(arguments) => query::info(&loaded, &arguments.specs, arguments.which, common),
        Verb::Search(arguments) => query::search(&loaded, &arguments.words, arguments.all, common),
        Verb::Provides(packages) => query::provides(&loaded, &packages.specs, common),
        Verb::Repoquery(arguments) => query::repoquery(&loaded, arguments, common),
        Verb::Repo(arguments) => match &arguments.what {
            RepoVerb::List(arguments) => query::repolist(&loaded, arguments, false, common),
            RepoVerb::Info(arguments) => query::repolist(&loaded, arguments, true, common),
        },
        Verb::Repolist(arguments) => query::repolist(&loaded, arguments, false, common),
        Verb::Makecache => query::makecache(&loaded, common),
        Verb::Clean(arguments) => query::clean(&loaded, arguments, common),
        Verb::CheckUpgrade(packages) => query::check_upgrade(&loaded, &packages.specs, common),
        // Both were dealt with above.
        Verb::Manager(_) | Verb::Other(_) => Ok(exit::USAGE),
    }
}

/// Opens a session; `paths` says that file lists are needed.
pub fn open_session(
    context: &FamilyContext,
    common: &Common,
    scope: Scope,
    paths: bool,
) -> Result<Session, Failure> {
    let mut options = common.options();
    options.filelists = paths;
    let downloads = progress::Downloads::new(0, true);
    let progress = |want: &_, bytes| downloads.more(want, bytes);
    Ok(Session::open(context.clone(), options, scope, &progress)?)
}

/// Shows a session's warnings.
pub fn report_session(session: &Session) {
    report(session.findings());
    session.warnings().iter().for_each(|warning| eprintln!("warning: {}", printable(warning)));
}

/// Shows findings. A list in a message stands line by line between the sentence and the hint.
pub fn report(findings: &[Finding]) {
    let color = Color::of(&std::io::stderr());
    for finding in findings {
        let mut lines = finding.message.lines();
        let mut head = finding.clone();
        head.message = lines.next().unwrap_or_default().to_owned();
        let rest: Vec<String> = lines.map(printable).collect();
        let hint = if rest.is_empty() { None } else { head.hint.take() };
        eprint!("{}", render::text(&[head], color));
        rest.iter().for_each(|line| eprintln!("{line}"));
        hint.iter().for_each(|hint| eprintln!(" = help: {}", printable(hint)));
    }
}
