//! `install`, `remove`, `upgrade`, `autoremove`: solve, show, ask, fetch, execute.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, Write};

use redpak_diagnostics::exit;
use redpak_model::Names;
use redpak_packages::Kind;
use redpak_packages::execute::{self, ExecuteOptions, ExecuteRequest};
use redpak_packages::solve::{Resolution, Scope, Session};
use redpak_plan::TransactionView;
use redpak_store::Stage;

use crate::arguments::Common;
use crate::family::{self, Loaded, Locks};
use crate::progress::{Downloads, Steps};
use crate::{Failure, open_session, report_session, table};

/// What is asked for.
pub enum Wish<'a> {
    /// Packages to come.
    Install(&'a [String]),
    /// Packages to go.
    Remove(&'a [String]),
    /// Packages to be renewed; all without one.
    Upgrade(&'a [String]),
    /// What nothing needs is to go.
    Autoremove,
}

pub fn run(loaded: Loaded, wish: &Wish, common: &Common, names: &Names) -> Result<u8, Failure> {
    let dry = common.assumeno || common.downloadonly;
    if loaded.context.leaf_is_host() {
        // Said by the session, in its words; there is nothing to lock.
        open_session(&loaded.context, common, Scope::Installed, false)?.install(&[])?;
    }
    let locks = if dry { None } else { Some(family::lock(&loaded.context)?) };
    let (scope, paths) = match wish {
        Wish::Install(specs) => (Scope::All, redpak_packages::solve::names_paths(specs)),
        Wish::Upgrade(_) => (Scope::All, false),
        Wish::Remove(_) | Wish::Autoremove => (Scope::Installed, false),
    };
    let mut session = open_session(&loaded.context, common, scope, paths)?;
    let resolution = match solve(&mut session, wish) {
        // A file that is required may stand in file lists that were too large to be loaded at once.
        Err(error) if error.kind == Kind::Unsolvable && session.lacks_filelists() => {
            session = open_session(&loaded.context, common, scope, true)?;
            solve(&mut session, wish)
        }
        result => result,
    }?;
    report_session(&session);
    announce(&session, &resolution, common)?;
    if resolution.is_empty() {
        if !common.json {
            println!("Nothing to do.");
        }
        return Ok(exit::OK);
    }
    let fetching_only = common.downloadonly;
    if !agreed(common)? {
        if !common.json {
            println!("Operation aborted.");
        }
        // As dnf has it, with --assumeno too.
        return Ok(exit::ERROR);
    }
    fetch(&session, &resolution, common)?;
    if fetching_only {
        return Ok(exit::OK);
    }
    session.check_files(&resolution)?;
    match locks {
        Some(locks) => carry_out(&session, &resolution, &loaded, &locks, common, names),
        None => Ok(exit::OK),
    }
}

fn solve(session: &mut Session, wish: &Wish) -> redpak_packages::Result<Resolution> {
    match wish {
        Wish::Install(specs) => session.install(specs),
        Wish::Remove(specs) => session.remove(specs),
        Wish::Upgrade(specs) => session.upgrade(specs),
        Wish::Autoremove => session.autoremove(),
    }
}

/// Shows what is known before the question.
fn announce(session: &Session, resolution: &Resolution, common: &Common) -> Result<(), Failure> {
    if common.json {
        let texts = |items: Vec<String>| items;
        let value = serde_json::json!({
            "transaction": resolution.transaction,
            "provided": texts(resolution.provided.iter().map(ToString::to_string).collect()),
            "already": texts(resolution.already.iter().map(ToString::to_string).collect()),
            "skipped": resolution.skipped,
        });
        println!("{}", serde_json::to_string_pretty(&value).map_err(Failure::json)?);
        return Ok(());
    }
    for line in resolution.provided.iter().map(ToString::to_string) {
        println!("{line}");
    }
    for line in resolution.already.iter().map(ToString::to_string) {
        println!("{line}");
    }
    for line in &resolution.skipped {
        println!("skipped: {line}");
    }
    let shown = !common.quiet || !common.assumeyes;
    if shown && !resolution.is_empty() {
        let download = session.download_size(&resolution.transaction);
        print!("{}", table::transaction(resolution, &session.family.leaf().alias, download));
    }
    Ok(())
}

/// Asks, where nobody answered beforehand.
fn agreed(common: &Common) -> Result<bool, Failure> {
    if common.assumeyes || common.assumeno {
        return Ok(common.assumeyes);
    }
    let fail = |error: std::io::Error| Failure::text(format!("cannot ask: {error}"));
    if !std::io::stdin().is_terminal() && common.json {
        return Ok(false);
    }
    print!("Is this ok [y/N]: ");
    std::io::stdout().flush().map_err(fail)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(fail)?;
    if !answer.ends_with('\n') {
        println!();
    }
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn fetch(session: &Session, resolution: &Resolution, common: &Common) -> Result<(), Failure> {
    let total = session.download_size(&resolution.transaction);
    let quiet = common.quiet || common.json || total == 0;
    let downloads = Downloads::new(total, quiet);
    let result = session.download(&resolution.transaction, &|want, bytes| downloads.more(want, bytes));
    downloads.finish();
    Ok(result?)
}

fn carry_out(
    session: &Session,
    resolution: &Resolution,
    loaded: &Loaded,
    locks: &Locks,
    common: &Common,
    names: &Names,
) -> Result<u8, Failure> {
    let keys = session.keys(&resolution.transaction)?;
    let stage = Stage::begin(&locks.node, &locks.own).map_err(|error| error.finding())?;
    let env: BTreeMap<String, String> = names.env.clone();
    let facts = redpak_nodes::host_facts(&loaded.family, &loaded.effective, env)?;
    let stage_path = stage.path().strip_prefix(locks.node.path()).map_err(|_| {
        Failure::text(format!("the staging directory {} is not in the node", stage.path().display()))
    })?;
    let view = TransactionView {
        stage: stage_path.to_owned(),
        rpmdb: stage.database(),
        // A base system made of packages brings its own.
        accounts: !loaded.context.bare,
    };
    let (plan, findings) = redpak_plan::transaction_plan(&loaded.effective, &facts, &view);
    let plan = plan.ok_or(Failure::Findings(findings))?;
    let _generations = redpak_nodes::directories::hold_generations(&plan)?;
    let mut steps = Steps::new(common.quiet || common.json, common.verbose > 0);
    let words: Vec<String> = std::env::args().skip(1).collect();
    let options = ExecuteOptions {
        ignore_scriptlets: common.ignore_scriptlets.iter().copied().collect(),
        no_docs: common.no_docs,
        ..ExecuteOptions::default()
    };
    let report = execute::run(ExecuteRequest {
        transaction: &resolution.transaction,
        plan,
        stage,
        lock: &locks.own,
        keys: &keys,
        command: &format!("redwrap-dnf {}", words.join(" ")),
        options,
        progress: &mut |event| steps.event(event),
    })
    .map_err(|error| Failure::Executed { finding: Box::new(error.finding()), output: error.output })?;
    for message in &report.messages {
        eprintln!("warning: {}", redpak_diagnostics::render::printable(message));
    }
    // Files of removed packages give their space back with the last generation that has them.
    if let Err(error) = locks.node.collect(&locks.own, redpak_store::DEFAULT_KEEP) {
        eprintln!("warning: old generations could not be removed: {error}");
    }
    if !common.quiet && !common.json {
        println!("Complete! Generation {} of {} is current.", report.generation, session.family.leaf().alias);
    }
    Ok(exit::OK)
}
