//! Locks of files inside, held for as long as the launch lasts.
//!
//! They are taken in the finished tree, by what sees it, and handed over to the supervisor: the lock belongs to the open
//! file, which the command never has, and is gone the moment that the supervisor is, however it ends.

use std::path::Path;

use redpak_plan::launch_plan::LaunchPlan;
use redpak_sys::file::{self, Kind, Resolve};
use redpak_sys::{Errno, OwnedFd, channel, lock};

use crate::error::{Explain, LaunchError, Stage, Step, refuse};
use crate::report::Report;

/// Takes all locks of the plan, sends them over the channel, and waits until the supervisor has them. The root directory
/// is the finished tree's. `false` when the supervisor is gone.
pub(crate) fn take(plan: &LaunchPlan, channel: &OwnedFd) -> Result<bool, LaunchError> {
    if plan.locks.is_empty() {
        return Ok(true);
    }
    let root = file::open_root().stage(Stage::Locks)?;
    for wanted in &plan.locks {
        let locked = take_one(&root, &wanted.at).lock(wanted)?;
        Report::Locked.send_descriptor(channel, &locked).lock(wanted)?;
    }
    let answer = channel::receive(channel, true).stage(Stage::Locks)?;
    Ok(answer.is_some_and(|message| !message.bytes.is_empty()))
}

fn take_one(root: &OwnedFd, at: &Path) -> Step<OwnedFd> {
    let inside = at.strip_prefix("/").unwrap_or(at);
    // Opening a device can do something to it: what is there is looked at before it is opened.
    let place = file::open_path(root, inside, Resolve::InRoot)
        .hint(&[Errno::NOENT], "the file must exist in the node: make it, or remove the export")
        .hint(
            &[Errno::LOOP],
            "a link of procfs that leads to a descriptor or a process's directory is not followed",
        )?;
    let seen = file::status(&place)?;
    if seen.kind != Kind::Regular {
        return refuse(format!("it is {}, and a lock is held on a regular file", seen.kind.words()));
    }
    let file = lock::open(root, inside, Resolve::InRoot)
        .hint(&[Errno::ACCESS], "whoever launches must be allowed to read the file")?;
    let found = file::status(&file)?;
    if (found.dev, found.ino, found.kind) != (seen.dev, seen.ino, seen.kind) {
        return refuse("it changed while it was opened");
    }
    lock::read_lock(&file).hint(
        &[Errno::AGAIN, Errno::ACCESS],
        "somebody holds it for writing: wait until they have finished; lslocks(8) lists who holds what",
    )?;
    Ok(file)
}
