//! Executes a [`Transaction`](crate::transaction::Transaction): verified copies of the packages, librpm in the node's
//! admin sandbox, a judged result, a new generation. All or nothing.
//!
//! ```text
//! run            checks every package on a copy that cannot change, prepares, supervises, judges, commits
//!   └─ worker    this program again, with redpak's own librpm configuration: makes the sandbox
//!        └─ librpm and scriptlets, in the view, with the staging layer on top
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | [`request`] | what is given, told and given back |
//! | `package`, `sealed`, `header`, `keys` | trust: copies, digests, signatures |
//! | `payload`, `view` | what a package may install, and where that leads |
//! | `prepare` | directories and room |
//! | `supervise`, `wire`, `worker` | the transaction's process |
//! | `rpm_config`, `rpm_transaction`, `database` | librpm |
//! | [`result`] | what was left, and the manifest |
//! | [`error`] | why not |

mod database;
pub mod error;
mod header;
mod keys;
mod package;
mod payload;
mod prepare;
pub mod request;
pub mod result;
mod rpm_config;
mod rpm_transaction;
mod sealed;
mod supervise;
mod view;
mod wire;
mod worker;

use std::path::Path;
use std::time::SystemTime;

use redpak_store::{Commit, Node, Stage};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::transaction::{Action, Nevra, Step, Transaction};
pub use error::{ExecuteError, ExecuteErrorKind, Result};
use package::{VerifiedPackage, Verifier};
pub use request::{Event, ExecuteOptions, ExecuteReport, ExecuteRequest, STEP_LIMIT, Scriptlet};
pub use result::{InstalledPackage, installed_packages};
use view::View;
use wire::{Installation, Job};
pub use worker::worker_main;

/// Executes a transaction.
///
/// # Errors
/// In each case the node's current generation is the one that it was, and nothing is left in staging.
pub fn run(request: ExecuteRequest<'_>) -> Result<ExecuteReport> {
    let ExecuteRequest { transaction, plan, lock, mut stage, keys, command, options, progress } = request;
    check_base(transaction, &stage)?;
    let before = Node::open(stage.node())?.manifest(stage.base())?.payload;
    let installed = installed_packages(&before).map_err(|e| {
        ExecuteError::new(ExecuteErrorKind::Store, "the current generation's manifest cannot be read")
            .with_source(e)
    })?;
    let copies = stage.path().to_owned();
    let verifier = Verifier { copier: sealed::Copier::new(&copies), keys, now: SystemTime::now() };
    let view = View::open(&plan, stage.base_path())?;
    let packages = verify(transaction, &verifier, &view, progress)?;
    prepare::room(&stage, &packages)?;
    let all_owners = plan.ids.uid == 0 && plan.ids.uid_map.iter().all(|range| range.count > 1);
    if !all_owners {
        prepare::directories(&mut stage, &view, &packages)?;
    }
    let job = Job {
        caller: rustix::process::getpid().as_raw_nonzero().get(),
        plan,
        install: installations(transaction),
        erase: erasures(transaction),
        replace_files: options.replace_files,
        no_docs: options.no_docs,
        all_owners,
    };
    let node = Node::open(stage.node())?;
    let finished = supervise::supervise(&job, &packages, lock, &options, progress);
    // Whatever became of it: the data directory is not staged.
    let mended = node.mend_data();
    let finished = finished?;
    mended?;
    progress(&Event::Commit);
    let owners = result::owners(&before, &packages, &finished.owned, all_owners);
    let after = result::packages_after(installed, transaction);
    let judged = result::judge(&stage, &before, after, &finished, owners)?;
    let commit = Commit { command, payload: judged.payload, ancestors: &view, keep: judged.keep };
    let committed = stage.commit(commit)?;
    Ok(ExecuteReport {
        generation: committed.number,
        parent: committed.parent,
        messages: finished.messages,
        unowned: judged.unowned,
    })
}

/// A transaction holds for the state that it was solved against, and for no other.
fn check_base(transaction: &Transaction, stage: &Stage) -> Result<()> {
    let real = |path: &Path| {
        std::fs::canonicalize(path).map_err(|e| ExecuteError::system(format!("realpath({path:?})"), e))
    };
    if real(&transaction.node)? != real(stage.node())? {
        let text = format!(
            "the transaction is for {}, not for {}",
            transaction.node.display(),
            stage.node().display()
        );
        return Err(ExecuteError::new(ExecuteErrorKind::Store, text));
    }
    if transaction.base.is_none_or(|base| base == stage.base()) {
        return Ok(());
    }
    let text = format!("{} changed since the transaction was decided", transaction.node.display());
    Err(ExecuteError::new(ExecuteErrorKind::Store, text).with_hint("run the command again"))
}

fn incoming(transaction: &Transaction) -> impl Iterator<Item = &Step> {
    transaction.steps.iter().filter(|step| step.action != Action::Remove)
}

/// Checks all packages, on as many threads as there are processors; the results are in the order of the steps.
fn verify(
    transaction: &Transaction,
    verifier: &Verifier<'_>,
    view: &View,
    progress: &mut dyn FnMut(&Event),
) -> Result<Vec<VerifiedPackage>> {
    let steps: Vec<&Step> = incoming(transaction).collect();
    allow_descriptors(steps.len())?;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let (sender, results) = std::sync::mpsc::channel();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(steps.len());
    let mut verified: Vec<Option<VerifiedPackage>> = steps.iter().map(|_| None).collect();
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..threads {
            let (sender, next, steps) = (sender.clone(), &next, &steps);
            scope.spawn(move || {
                while let Some((at, step)) = {
                    let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    steps.get(at).map(|step| (at, *step))
                } {
                    if sender.send((at, verify_step(step, verifier, view))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (before, (at, result)) in results.into_iter().enumerate() {
            let package = result?;
            let done = before + 1;
            progress(&Event::Verified { nevra: package.nevra.to_string(), done, total: steps.len() });
            verified[at] = Some(package);
        }
        Ok(())
    })?;
    Ok(verified.into_iter().flatten().collect())
}

fn verify_step(step: &Step, verifier: &Verifier<'_>, view: &View) -> Result<VerifiedPackage> {
    let source = step.source.as_ref().ok_or_else(|| {
        ExecuteError::new(
            ExecuteErrorKind::Integrity,
            format!("{}: nobody says where it comes from", step.nevra),
        )
    })?;
    let package = verifier.verify(step, source)?;
    payload::check(&package.nevra, &package.files, view)?;
    Ok(package)
}

/// Each package is an open descriptor until the end.
fn allow_descriptors(packages: usize) -> Result<()> {
    let needed = packages as u64 + 64;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    limit.current = Some(needed);
    setrlimit(Resource::Nofile, limit).map_err(|e| {
        ExecuteError::system(format!("setrlimit(RLIMIT_NOFILE, {needed})"), e)
            .with_hint("raise the limit on open files (`ulimit -n`), or install fewer packages at once")
    })
}

fn installations(transaction: &Transaction) -> Vec<Installation> {
    let installation = |step: &Step| Installation {
        nevra: step.nevra.clone(),
        action: step.action,
        replaces: !step.replaces.is_empty(),
    };
    incoming(transaction).map(installation).collect()
}

fn erasures(transaction: &Transaction) -> Vec<Nevra> {
    let mut going: Vec<Nevra> = Vec::new();
    for step in &transaction.steps {
        match step.action {
            Action::Remove => going.push(step.nevra.clone()),
            // librpm replaces the same version by itself.
            _ => going.extend(step.replaces.iter().filter(|replaced| **replaced != step.nevra).cloned()),
        }
    }
    going.sort();
    going.dedup();
    going
}
