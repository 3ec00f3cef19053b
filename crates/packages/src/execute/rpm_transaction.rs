//! librpm at work: in the sandbox, on the view's own paths.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use librpm::transaction::{CallbackEvent, ElementType, ProblemFilter, Transaction, TransactionFlags};
use librpm::{Db, Index, PackageHeader, VerifyOptions};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::database;
use super::package::descriptor_path;
use super::rpm_config::DATABASE;
use super::wire::{Job, Message, Trouble, say};
use crate::transaction::{Action, Nevra};

/// Progress is told at most this often.
const PERIOD: Duration = Duration::from_millis(100);

type Reasons = (Trouble, Vec<String>);

fn rpm<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Reasons {
    move |error| (Trouble::Rpm, vec![format!("{what}: {error}")])
}

/// Does the job; the exit code says whether it went well, the messages say how.
pub(crate) fn work(job: &Job, packages: &[OwnedFd], socket: &UnixStream) -> u8 {
    // Scriptlets may not look into this process: its descriptors lead to other packages, and to the caller.
    if let Err(e) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        return finish(socket, Err(rpm("prctl(PR_SET_DUMPABLE, 0)")(e)));
    }
    finish(socket, transact(job, packages, socket))
}

fn finish(socket: &UnixStream, result: Result<Vec<Nevra>, Reasons>) -> u8 {
    let (message, code) = match result {
        Ok(packages) => (Message::Done { packages }, 0),
        Err((trouble, reasons)) => (Message::Failed { trouble, reasons }, 1),
    };
    // A caller that is gone has killed this process already.
    if say(socket, &message).is_ok() { code } else { 1 }
}

fn transact(job: &Job, packages: &[OwnedFd], socket: &UnixStream) -> Result<Vec<Nevra>, Reasons> {
    let mut db = Db::open().map_err(rpm("the database cannot be opened"))?;
    if !Path::new(DATABASE).join(database::FILE).exists() {
        db.init_db(0o644).map_err(rpm("the database cannot be made"))?;
    }
    let libraries = run(job, packages, &mut db, socket)?;
    if libraries {
        ldconfig(socket)?;
    }
    let owners = Owners::default();
    let mut found = Vec::new();
    for package in db.installed_packages() {
        let nevra = nevra(&package);
        // Public keys are kept as packages of this name.
        if nevra.name != "gpg-pubkey" {
            let paths = owners.paths(&package);
            say(socket, &Message::Owned { paths }).map_err(rpm("the caller is gone"))?;
            found.push(nevra);
        }
    }
    db.verify().map_err(rpm("the new database is damaged"))?;
    drop(db);
    database::close(Path::new(DATABASE)).map_err(|why| (Trouble::Rpm, vec![why]))?;
    found.sort();
    Ok(found)
}

/// Runs the transaction; returns whether a shared library came or went.
fn run(job: &Job, packages: &[OwnedFd], db: &mut Db, socket: &UnixStream) -> Result<bool, Reasons> {
    let mut going = Vec::with_capacity(job.erase.len());
    for wanted in &job.erase {
        let found = db.find(Index::Name, &wanted.name).find(|package| nevra(package) == *wanted);
        let missing = || (Trouble::Rpm, vec![format!("{wanted}: is not in the node's database")]);
        going.push((wanted, found.ok_or_else(missing)?));
    }
    let options = VerifyOptions::skip_signatures();
    let mut libraries = false;
    let last = Cell::new(None::<Instant>);
    let script = Cell::new(0);
    let mut transaction = db.transaction();
    transaction.set_verify_options(&options);
    for (step, fd) in job.install.iter().zip(packages) {
        let path = descriptor_path(fd.as_raw_fd());
        let package = PackageHeader::from_file(&path, Some(&options))
            .map_err(|e| (Trouble::Rpm, vec![format!("{}: cannot be read: {e:?}", step.nevra)]))?;
        libraries |= has_libraries(&package);
        let added = match step.action {
            Action::Reinstall => transaction.add_reinstall(&package, &path),
            _ => transaction.add_install(&package, &path, step.replaces),
        };
        added.map_err(rpm(&format!("{}: cannot be added", step.nevra)))?;
    }
    for (wanted, package) in &going {
        libraries |= has_libraries(package);
        transaction.add_erase(package).map_err(rpm(&format!("{wanted}: cannot be removed")))?;
    }
    check_elements(job, &transaction)?;
    transaction.order().map_err(rpm("the packages cannot be ordered"))?;
    transaction.set_flags(flags(job));
    transaction.set_problem_filter(filter(job));
    say(socket, &Message::Begin { elements: transaction.len() }).map_err(rpm("the caller is gone"))?;
    transaction.set_callback(|event| {
        if let Some(message) = translate(event, &last, &script) {
            // What cannot be told is not worth stopping for; the end is told again.
            let _ = say(socket, &message);
        }
    });
    let result = transaction.run();
    let mut reasons: Vec<String> = match &result {
        Ok(()) => Vec::new(),
        Err(error) => error.problems().iter().map(|problem| problem.to_string()).collect(),
    };
    for element in transaction.elements().filter(|element| element.failed()) {
        reasons.push(format!("{} failed", element.nevra()));
    }
    if result.is_err() && reasons.is_empty() {
        reasons.push(librpm::logging::last_message().unwrap_or_else(|| "librpm gives no reason".into()));
    }
    if reasons.is_empty() { Ok(libraries) } else { Err((Trouble::Rpm, reasons)) }
}

fn flags(job: &Job) -> TransactionFlags {
    // File capabilities have no effect in a node, where everything is nosuid, and would have one on the host.
    let mut flags = TransactionFlags::NOPLUGINS | TransactionFlags::NOCONTEXTS | TransactionFlags::NOCAPS;
    if job.no_docs {
        flags |= TransactionFlags::NODOCS;
    }
    flags
}

/// The solver has decided which package replaces which, and for which machine; librpm has the last word on files
/// and space.
fn filter(job: &Job) -> ProblemFilter {
    let mut filter = ProblemFilter::IGNORE_ARCH | ProblemFilter::IGNORE_OS;
    for step in &job.install {
        match step.action {
            Action::Downgrade => filter |= ProblemFilter::OLD_PACKAGE,
            Action::Reinstall => filter |= ProblemFilter::REPLACE_PKG,
            _ => {}
        }
    }
    if job.replace_files {
        filter |= ProblemFilter::REPLACE_OLD_FILES | ProblemFilter::REPLACE_NEW_FILES;
    }
    filter
}

/// librpm adds removals of its own accord (obsoletes, other versions): what was not decided is not done.
fn check_elements(job: &Job, transaction: &Transaction<'_>) -> Result<(), Reasons> {
    let spelled = |nevra: &Nevra| {
        let epoch = nevra.epoch;
        let evr = format!("{}-{}.{}", nevra.version, nevra.release, nevra.arch);
        if epoch == 0 { format!("{}-{evr}", nevra.name) } else { format!("{}-{epoch}:{evr}", nevra.name) }
    };
    let wanted: BTreeSet<_> = job.install.iter().map(|step| spelled(&step.nevra)).collect();
    // A reinstallation removes the package that it installs.
    let reinstalled =
        job.install.iter().filter(|step| step.action == Action::Reinstall).map(|step| &step.nevra);
    let going: BTreeSet<_> = job.erase.iter().chain(reinstalled).map(spelled).collect();
    let mut surprises = Vec::new();
    let mut seen = (0, 0);
    for element in transaction.elements() {
        let name = element.nevra().replace("-0:", "-");
        match element.element_type() {
            ElementType::Install if wanted.contains(&name) => seen.0 += 1,
            ElementType::Erase if going.contains(&name) => seen.1 += 1,
            kind => surprises.push(format!("librpm would also do {kind:?} {name}, which was not decided")),
        }
    }
    if surprises.is_empty() && (seen.0 != wanted.len() || seen.1 < job.erase.len()) {
        surprises.push("librpm would do less than was decided".into());
    }
    if surprises.is_empty() { Ok(()) } else { Err((Trouble::Rpm, surprises)) }
}

fn translate(event: CallbackEvent, last: &Cell<Option<Instant>>, script: &Cell<u64>) -> Option<Message> {
    let progress = |amount, total| {
        let due = last.get().is_none_or(|last| last.elapsed() >= PERIOD);
        due.then(|| {
            last.set(Some(Instant::now()));
            Message::Progress { amount, total }
        })
    };
    match event {
        CallbackEvent::InstStart { nevra } => Some(Message::Install { nevra }),
        CallbackEvent::UninstStart { nevra } => Some(Message::Erase { nevra }),
        CallbackEvent::InstProgress { amount, total } | CallbackEvent::UninstProgress { amount, total } => {
            progress(amount, total)
        }
        CallbackEvent::ScriptStart { nevra, tag } => {
            script.set(tag);
            Some(Message::Script { nevra, tag })
        }
        CallbackEvent::ScriptError { nevra } => Some(Message::ScriptFailed { nevra, tag: script.get() }),
        _ => None,
    }
}

fn nevra(package: &PackageHeader) -> Nevra {
    Nevra {
        name: package.name().to_owned(),
        epoch: package.epoch().and_then(|epoch| u32::try_from(epoch).ok()).unwrap_or(0),
        version: package.version().to_owned(),
        release: package.release().to_owned(),
        arch: package.arch().unwrap_or("noarch").to_owned(),
    }
}

fn has_libraries(package: &PackageHeader) -> bool {
    package.files().iter().any(|file| {
        let path = file.path();
        let name = path.rsplit('/').next().unwrap_or_default();
        name.contains(".so") && path.contains("/lib")
    })
}

/// The loader's cache is redpak's to make: triggers of an ancestor's glibc do not run for a child. `-X`: links are
/// packages', and tidying up would reach into ancestors' directories.
fn ldconfig(socket: &UnixStream) -> Result<(), Reasons> {
    let Some(program) = ["/usr/sbin/ldconfig", "/sbin/ldconfig"].into_iter().find(|p| Path::new(p).exists())
    else {
        return Ok(());
    };
    say(socket, &Message::LdConfig).map_err(rpm("the caller is gone"))?;
    let failed = |why: String| (Trouble::LdConfig, vec![format!("{program} {why}")]);
    match Command::new(program).arg("-X").status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(format!("failed: {status}"))),
        Err(e) => Err(failed(format!("cannot be run: {e}"))),
    }
}

/// Resolves the directories of packages' files once each.
#[derive(Default)]
struct Owners {
    directories: std::cell::RefCell<HashMap<PathBuf, PathBuf>>,
}

impl Owners {
    fn paths(&self, package: &PackageHeader) -> Vec<String> {
        let mut directories = self.directories.borrow_mut();
        let mut paths = Vec::new();
        for file in package.files().iter() {
            let path = PathBuf::from(file.path());
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { continue };
            let resolved = directories
                .entry(parent.to_owned())
                .or_insert_with(|| std::fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned()));
            let full = resolved.join(name);
            paths.push(full.strip_prefix("/").unwrap_or(&full).to_string_lossy().into_owned());
        }
        paths
    }
}
