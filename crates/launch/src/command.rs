//! The last steps in the command's own process: its place, rights, directory and descriptors, then `execve`.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use redpak_sys::descriptor::{self, Closing};
use redpak_sys::file::{self, Resolve};
use redpak_sys::rights::{self, Capabilities};
use redpak_sys::signal::{self, Change, Set};
use redpak_sys::{AsRawFd, Errno, OwnedFd, process};
use rustix::process::Signal;

use crate::error::{Explain, LaunchError, Stage, Step};
use crate::filter;
use crate::job::Job;
use crate::prepare::{Payload, Prepared, Program};
use crate::report::Report;

/// What the command's process needs to know.
pub(crate) struct Command<'a> {
    pub prepared: Prepared<'a>,
    pub job: Job,
    /// The signal mask that the caller had.
    pub mask: Set,
}

/// Becomes the command. Returns only when that failed, or with a function's result.
pub(crate) fn become_command(mut command: Command<'_>, payload: Payload<'_>, channel: OwnedFd) -> u8 {
    if let Err(error) = last_steps(&command, &channel) {
        Report::Failed(error).send(&channel);
        return process::PANICKED;
    }
    match (payload, command.prepared.program.take()) {
        (Payload::Function(function), _) => match close_for_function(&command.prepared, channel) {
            Ok(()) => function(),
            Err((error, channel)) => {
                Report::Failed(error).send(&channel);
                process::PANICKED
            }
        },
        (Payload::Command, Some(program)) => {
            execute(program).send(&channel);
            process::PANICKED
        }
        // A command always has its program prepared.
        (Payload::Command, None) => process::PANICKED,
    }
}

fn last_steps(command: &Command<'_>, channel: &OwnedFd) -> Result<(), LaunchError> {
    let plan = command.prepared.plan;
    command.job.take_place().stage(Stage::Terminal)?;
    give_up_rights(command).stage(Stage::Rights)?;
    if !plan.namespaces.pid {
        die_with_supervisor(channel)?;
    }
    enter(&plan.cwd).stage(Stage::Directory)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(plan.umask));
    keep_descriptors(&command.prepared).stage(Stage::Descriptors)?;
    restore_signals(command).stage(Stage::Command)
}

/// In an order that works as root and as a user: what needs capabilities comes before they go, and what needs
/// `no_new_privs` after it.
fn give_up_rights(command: &Command<'_>) -> Step<()> {
    let plan = command.prepared.plan;
    let capabilities: Capabilities = plan.rights.capabilities.iter().copied().collect();
    rights::limit_bounding_set(capabilities)?;
    if plan.ids.drop_groups {
        rights::drop_groups()?;
    }
    // Without no_new_privs a filter needs CAP_SYS_ADMIN, which is here still.
    if !plan.rights.no_new_privs {
        rights::seccomp_set_filter(&filter::program())?;
    }
    rights::keep_capabilities()?;
    rights::set_ids(plan.ids.uid, plan.ids.gid)?;
    rights::set_capabilities(capabilities)
        .hint(&[Errno::PERM], "the plan keeps a capability that the caller does not have")?;
    rights::set_ambient(capabilities)?;
    if plan.rights.no_new_privs {
        rights::no_new_privs()?;
        rights::seccomp_set_filter(&filter::program())
            .hint(&[Errno::INVAL, Errno::NOSYS], "the kernel lacks CONFIG_SECCOMP_FILTER")?;
    }
    Ok(())
}

/// The kernel forgot about the parent when the user changed (prctl(2)): says so again, and looks whether the parent
/// died meanwhile.
fn die_with_supervisor(channel: &OwnedFd) -> Result<(), LaunchError> {
    process::die_with_parent().stage(Stage::Command)?;
    match redpak_sys::channel::receive(channel, false).stage(Stage::Command)? {
        Some(message) if message.bytes.is_empty() => process::exit_now(process::PANICKED),
        _ => Ok(()),
    }
}

/// Enters the working directory with the command's own rights. A link of procfs that leads to a descriptor or another
/// process's directory is not followed.
fn enter(directory: &Path) -> Step<()> {
    let root = file::open_root()?;
    let inside = directory.strip_prefix("/").unwrap_or(directory);
    let opened = file::open_directory(&root, inside, Resolve::InRoot).hint(
        &[Errno::NOENT],
        "the working directory (`-w`, or `chdir` in the configuration) is not in the node",
    )?;
    Ok(process::fchdir(&opened)?)
}

/// All but 0, 1, 2 and what is preserved goes when the command is executed.
fn keep_descriptors(prepared: &Prepared<'_>) -> Step<()> {
    descriptor::close_all_but(&prepared.kept, 3, Closing::OnExec)?;
    for &number in prepared.preserved {
        descriptor::keep_on_exec(number)?;
    }
    Ok(())
}

/// A function is never executed: closes all that is not for it, the channel included. That is given back on failure.
fn close_for_function(prepared: &Prepared<'_>, channel: OwnedFd) -> Result<(), (LaunchError, OwnedFd)> {
    redpak_sys::error::describe_through(None);
    let mut kept = prepared.kept.clone();
    kept.push(channel.as_raw_fd());
    kept.sort_unstable();
    match descriptor::close_all_but(&kept, 3, Closing::Now).stage(Stage::Descriptors) {
        Ok(()) => Ok(()),
        Err(error) => Err((error, channel)),
    }
}

/// The caller's mask, and the default for what Rust's start-up ignores.
fn restore_signals(command: &Command<'_>) -> Step<()> {
    if command.prepared.program.is_some() {
        signal::set_default(Signal::PIPE)?;
    }
    signal::change_mask(Change::Set, &command.mask)?;
    Ok(())
}

/// Tries the candidates in order, as `execvp(3)` does. Says why none could be executed.
fn execute(mut program: Program) -> Report {
    let name = program.arguments.strings().first().map(text).unwrap_or_default();
    if let Some(index) = program.listen_pid
        && let Ok(variable) =
            CString::new(format!("LISTEN_PID={}", rustix::process::getpid().as_raw_nonzero()))
    {
        program.environment.replace(index, variable);
    }
    let mut found = None;
    for candidate in &program.candidates {
        if leads_to_redpak(candidate) {
            let why = "it is a link of procfs, or a script whose interpreter is one".to_owned();
            return Report::NotExecutable(text(candidate), why);
        }
        let error = process::execve(candidate, &program.arguments, &program.environment);
        let why = match error.errno {
            Errno::NOENT if file::exists(candidate) => "the interpreter that it names is missing".to_owned(),
            Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP => continue,
            Errno::NOEXEC => {
                "it is neither a program for this machine nor a script with an interpreter".to_owned()
            }
            Errno::ACCESS if !file::exists(candidate) => continue,
            _ => error.to_string(),
        };
        // Only what may not be executed is passed over for a later one of the same name.
        let last = error.errno != Errno::ACCESS;
        found.get_or_insert((text(candidate), why));
        if last {
            break;
        }
    }
    match found {
        Some((program, why)) => Report::NotExecutable(program, why),
        None => Report::NotFound(name),
    }
}

/// Whether the program, or the interpreter that a script names, is found through a link of procfs: `/proc/self/exe`
/// is redpak itself until `execve` is done, and would run inside with whatever libraries the node has, and a way to the
/// host's executable.
fn leads_to_redpak(candidate: &CString) -> bool {
    let is_magic = |error: &redpak_sys::SysError| error.errno == Errno::LOOP;
    let start = match file::read_start::<256>(Path::new(OsStr::from_bytes(candidate.to_bytes()))) {
        Ok(start) => start,
        Err(error) => return is_magic(&error),
    };
    let Some(line) = start.strip_prefix(b"#!") else { return false };
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = line.iter().position(|byte| !blank(byte)).unwrap_or(line.len());
    let interpreter =
        line[from..].split(|byte| blank(byte) || matches!(byte, b'\n' | 0)).next().unwrap_or_default();
    file::read_start::<1>(Path::new(OsStr::from_bytes(interpreter))).is_err_and(|error| is_magic(&error))
}

fn text(string: &CString) -> String {
    string.to_string_lossy().into_owned()
}

/// `CAP_KILL` of capabilities(7).
const KILL: u8 = 5;

/// Init's own rights: to end the others, whoever they run as.
pub(crate) fn give_up_rights_of_init() -> Step<()> {
    rights::set_capabilities([KILL].into_iter().collect())?;
    Ok(rights::no_new_privs()?)
}
