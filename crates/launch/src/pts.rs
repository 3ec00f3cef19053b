//! A devpts for launches whose user namespace has no user 0.
//!
//! devpts refuses to be mounted where user and group 0 are not mapped (`mknod_ptmx` in fs/devpts/inode.c). A process of
//! our own in a user namespace that has them, for as long as it takes, makes the mount and passes its descriptor on.

use redpak_plan::launch_plan::{IdRange, LaunchPlan, MountKind};
use redpak_sys::process::{self, Clone, SingleThread};
use redpak_sys::{OwnedFd, Pid, file};

use crate::error::{Explain, Failure, LaunchError, Stage, Step, refuse};
use crate::report::{self, Incoming, Report};
use crate::tree;

/// How many devpts the child needs and cannot make.
pub(crate) fn needed(plan: &LaunchPlan) -> usize {
    let has = |map: &[IdRange]| map.iter().any(|range| range.inside == 0 && range.count > 0);
    if !plan.namespaces.user || (has(&plan.ids.uid_map) && has(&plan.ids.gid_map)) {
        return 0;
    }
    plan.mounts.iter().filter(|mount| matches!(mount.kind, MountKind::Dev { .. })).count()
}

/// Starts the process that makes `count` of them and sends them over the channel. The caller reaps it.
pub(crate) fn provide(count: usize, channel: &OwnedFd, single: &SingleThread) -> Result<Pid, LaunchError> {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let how = Clone { user: true, mount: true, ..Clone::default() };
    let child = process::fork(single, how, |_| match make(count, uid, gid, channel).stage(Stage::Mounts) {
        Ok(()) => 0,
        Err(error) => {
            Report::Failed(error).send(channel);
            process::PANICKED
        }
    });
    child.map(|child| child.pid).stage(Stage::Namespaces)
}

fn make(count: usize, uid: u32, gid: u32, channel: &OwnedFd) -> Step<()> {
    process::die_with_parent()?;
    let root = file::open_root()?;
    file::write_kernel_file(&root, "proc/self/setgroups", "deny")?;
    file::write_kernel_file(&root, "proc/self/uid_map", &format!("0 {uid} 1"))?;
    file::write_kernel_file(&root, "proc/self/gid_map", &format!("0 {gid} 1"))?;
    for _ in 0..count {
        let devpts = tree::new_devpts(false)?;
        Report::Started.send_descriptor(channel, &devpts)?;
    }
    Ok(())
}

/// In the child: waits for one.
pub(crate) fn receive(channel: &OwnedFd) -> Step<OwnedFd> {
    match report::receive(channel)? {
        Incoming::Report(Report::Started, Some(devpts), _) => Ok(devpts),
        Incoming::Report(Report::Failed(LaunchError { cause, hint, .. }), ..) => {
            Err(Box::new(Failure { cause, hint }))
        }
        _ => refuse("the process that makes devpts died"),
    }
}
