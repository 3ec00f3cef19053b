//! What is checked and made ready before anything happens: the plan's shape, descriptors, program and environment.

use std::ffi::CString;
use std::path::{Component, Path};

use redpak_plan::launch_plan::{Content, LaunchPlan, MountKind, Source};
use redpak_sys::RawFd;
use redpak_sys::descriptor::{self, Inherited};
use redpak_sys::process::CStrings;

use crate::contents::{self, Contents, Inputs};
use crate::error::{Explain, LaunchError, Stage, Step, refuse};

/// What runs inside.
pub enum Payload<'a> {
    /// The plan's command.
    Command,
    /// A function of the caller's program, in the command's place and with its rights, in a process of its own; its
    /// result is the exit code. Nothing is executed. What it changes in memory is not seen by the caller.
    Function(&'a mut dyn FnMut() -> u8),
}

/// What the caller hands over beside the plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Descriptor numbers that the command gets beside 0, 1 and 2, as the same numbers (`LISTEN_FDS`,
    /// `--preserve-fds`). A directory or an `O_PATH` descriptor among all of them is refused.
    pub preserve_fds: &'a [RawFd],
    /// Further descriptor numbers that a [`Payload::Function`] needs, of any kind. Their close-on-exec flag is left as
    /// it is; a [`Payload::Command`] never gets them.
    pub keep_fds: &'a [RawFd],
    /// What earlier launches of this program read from descriptors. Without it, this launch reads by itself what its
    /// plan names, and no later one can.
    pub inputs: Option<&'a Inputs>,
}

/// The program to execute, ready for `execve`.
pub(crate) struct Program {
    /// Paths to try in order.
    pub candidates: Vec<CString>,
    pub arguments: CStrings,
    pub environment: CStrings,
    /// Index of `LISTEN_PID` in the environment: its value is only known inside.
    pub listen_pid: Option<usize>,
}

/// All that the processes of a launch share.
pub(crate) struct Prepared<'a> {
    pub plan: &'a LaunchPlan,
    /// `None` for a function.
    pub program: Option<Program>,
    /// Descriptor numbers from 3 on that outlive the set-up, ascending.
    pub kept: Vec<RawFd>,
    /// Those of them that survive `execve`.
    pub preserved: &'a [RawFd],
    /// What files inside hold.
    pub contents: Contents,
}

/// Checks and prepares.
pub(crate) fn prepare<'a>(
    plan: &'a LaunchPlan,
    payload: &Payload<'_>,
    options: &Options<'a>,
) -> Result<Prepared<'a>, LaunchError> {
    check_plan(plan)?;
    let passed_on = [options.preserve_fds, options.keep_fds];
    let contents = contents::read(plan, options.inputs.unwrap_or(&Inputs::default()), &passed_on)?;
    descriptor::open_standard().stage(Stage::Descriptors)?;
    [0, 1, 2]
        .iter()
        .chain(options.preserve_fds)
        .try_for_each(|&number| check(number))
        .stage(Stage::Descriptors)?;
    let (program, own) = match payload {
        Payload::Command => (Some(program(plan).stage(Stage::Prepare)?), &[][..]),
        Payload::Function(_) => (None, options.keep_fds),
    };
    let mut kept: Vec<RawFd> =
        options.preserve_fds.iter().chain(own).copied().filter(|&number| number > 2).collect();
    kept.sort_unstable();
    kept.dedup();
    Ok(Prepared { plan, program, kept, preserved: options.preserve_fds, contents })
}

/// A directory, or a mere place, lets whoever holds it out of the sandbox.
fn check(number: RawFd) -> Step<()> {
    match descriptor::inspect(number)? {
        Inherited::Closed => refuse(format!("descriptor {number} is to be passed on and is not open")),
        Inherited::Path => {
            refuse(format!("descriptor {number} is an O_PATH descriptor, which would lead out of the node"))
        }
        found if found.is_directory() => {
            refuse(format!("descriptor {number} is a directory, which would lead out of the node"))
        }
        Inherited::Open(_) => Ok(()),
    }
}

fn check_plan(plan: &LaunchPlan) -> Result<(), LaunchError> {
    if let Some(wrong) = plan.rights.capabilities.iter().find(|&&number| number >= 64) {
        return refuse(format!("the plan keeps capability {wrong}, which does not exist"))
            .stage(Stage::Prepare);
    }
    if !plan.cwd.is_absolute() {
        return refuse(format!("the plan's working directory {:?} is not absolute", plan.cwd))
            .stage(Stage::Prepare);
    }
    if let Some(one) = plan.unjudged.first() {
        let what = format!("a command decides {} ({}), and was not run", one.what, one.origin);
        return refuse(format!("the plan is for showing: {what}")).stage(Stage::Prepare);
    }
    if plan.nodes.is_empty() {
        return refuse("the plan has no nodes").stage(Stage::Prepare);
    }
    for (index, mount) in plan.mounts.iter().enumerate() {
        check_target(&mount.at).and_then(|()| check_sources(plan, index, &mount.kind)).mount(mount)?;
    }
    plan.locks.iter().try_for_each(|lock| check_target(&lock.at).lock(lock))
}

fn check_target(at: &Path) -> Step<()> {
    let mut components = at.components();
    let plain = components.next() == Some(Component::RootDir)
        && components.clone().next().is_some()
        && components.all(|component| matches!(component, Component::Normal(_)));
    if at.starts_with(Path::new("/").join(crate::tree::RESERVED)) {
        return refuse(format!("{at:?} is where redpak builds the tree"));
    }
    if plain { Ok(()) } else { refuse(format!("the plan has {at:?}, which is no plain absolute path")) }
}

fn check_sources(plan: &LaunchPlan, index: usize, kind: &MountKind) -> Step<()> {
    let check = |source: &Source| match source {
        Source::Host { path } if !path.is_absolute() => {
            refuse(format!("the source {path:?} is not absolute"))
        }
        Source::Node { node, .. } if *node >= plan.nodes.len() => {
            refuse(format!("the plan has no node {node}"))
        }
        Source::Node { beneath, .. } if beneath.is_absolute() => {
            refuse(format!("the source {beneath:?} is not relative to its node"))
        }
        Source::Tree { entry, .. } if *entry >= index => {
            refuse(format!("the source lies in mount {entry}, which is not made before mount {index}"))
        }
        _ => Ok(()),
    };
    match kind {
        MountKind::Bind { source, .. } | MountKind::Device { source } => check(source),
        MountKind::File { content: Content::Command(command), .. } => {
            refuse(format!("it holds the output of a command, which was not run: {command:?}"))
        }
        MountKind::Overlay { layers, mount_points, upper, .. } => {
            if layers.is_empty() {
                return refuse("an overlay without layers");
            }
            layers.iter().try_for_each(check)?;
            upper.iter().flat_map(|upper| [&upper.upper, &upper.work]).try_for_each(check)?;
            let plain = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
            match mount_points.iter().find(|(path, _)| path.as_os_str().is_empty() || !plain(path)) {
                Some((path, _)) => refuse(format!("the mount point {path:?} is no plain relative path")),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// What `execvp(3)` searches when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

fn program(plan: &LaunchPlan) -> Step<Program> {
    let Some(name) = plan.command.first() else { return refuse("the plan has no command") };
    let path = plan.environ.iter().find(|(key, _)| key == "PATH").map_or(DEFAULT_PATH, |(_, value)| value);
    let candidates = if name.contains('/') {
        vec![c_string(name)?]
    } else if name.is_empty() {
        Vec::new()
    } else {
        // POSIX: an empty item is the working directory.
        let join = |item: &str| if item.is_empty() { format!("./{name}") } else { format!("{item}/{name}") };
        path.split(':').map(|item| c_string(&join(item))).collect::<Step<_>>()?
    };
    let arguments = plan.command.iter().map(|argument| c_string(argument)).collect::<Step<_>>()?;
    let variable = |(key, value): &(String, String)| c_string(&format!("{key}={value}"));
    let environment = plan.environ.iter().map(variable).collect::<Step<_>>()?;
    Ok(Program {
        candidates,
        arguments: CStrings::new(arguments),
        environment: CStrings::new(environment),
        listen_pid: plan.environ.iter().position(|(key, _)| key == "LISTEN_PID"),
    })
}

fn c_string(text: &str) -> Step<CString> {
    CString::new(text).or_else(|_| refuse(format!("{text:?} holds a NUL character")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_absolute_paths_are_mounted_on() {
        for (path, good) in [
            ("/usr", true),
            ("/a/b.c/..d", true),
            ("/", false),
            ("usr", false),
            ("", false),
            ("/a/../b", false),
            ("/.redpak-launch/host/etc", false),
            ("/.redpak-launcher", true),
        ] {
            assert_eq!(check_target(Path::new(path)).is_ok(), good, "{path:?}");
        }
    }
}
