//! `/dev`: a tmpfs with device nodes bound from the host's, a devpts and a `shm` of its own, and the usual links.

use std::path::Path;

use redpak_plan::launch_plan::{IdRange, LaunchPlan, Mount, Tmpfs};
use redpak_sys::file::{self, Kind, Resolve};
use redpak_sys::mount::{self, Attributes, FsContext};
use redpak_sys::{Errno, OwnedFd};

use super::{Tree, new_tmpfs};
use crate::error::{Explain, Step, refuse};
use crate::pts;

/// The devices that every program knows, with their numbers (Documentation/admin-guide/devices.txt): a name that stands
/// for something else on this host is refused.
const KNOWN: [(&str, (u32, u32)); 6] = [
    ("null", (1, 3)),
    ("zero", (1, 5)),
    ("full", (1, 7)),
    ("random", (1, 8)),
    ("urandom", (1, 9)),
    ("tty", (5, 0)),
];

const LINKS: [(&str, &str); 6] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("/proc/kcore", "core"),
    ("pts/ptmx", "ptmx"),
];

/// The group of terminals, `tty`, is 5 on every distribution.
const TTY_GROUP: u32 = 5;

impl Tree<'_> {
    /// Makes all of it; the id of the tmpfs.
    pub(super) fn dev(&mut self, entry: &Mount, devices: &[String], shm_size: u64) -> Step<u64> {
        let dev = new_tmpfs(Tmpfs { size: 65536, mode: 0o755 })?;
        mount::mount_setattr(&dev, Attributes { noexec: true, ..Attributes::default() }, false)?;
        let id = self.place_directory(&dev, entry)?;
        let host = file::open_directory(&self.old, Path::new("dev"), Resolve::InRoot)?;
        devices.iter().try_for_each(|name| bind_device(&host, &dev, name))?;
        for (target, name) in LINKS {
            file::make_symlink(target, &dev, Path::new(name))?;
        }
        let devpts = match &self.pts {
            Some(channel) => pts::receive(channel)?,
            None => new_devpts(maps_tty_group(self.plan))?,
        };
        attach_in(&dev, "pts", &devpts)?;
        attach_in(&dev, "shm", &new_tmpfs(Tmpfs { size: shm_size, mode: 0o1777 })?)?;
        Ok(id)
    }
}

/// Nobody else sees the new tmpfs yet: a name just made in it is what it was made as.
fn attach_in(dev: &OwnedFd, name: &str, mount: &OwnedFd) -> Step<()> {
    file::make_directory(dev, Path::new(name), 0o755)?;
    Ok(mount::move_mount_at(mount, dev, name)?)
}

fn bind_device(host: &OwnedFd, dev: &OwnedFd, name: &str) -> Step<()> {
    if name.is_empty() || name.contains('/') || name == "." || name == ".." {
        return refuse(format!("{name:?} is not the name of a device"));
    }
    let device = mount::open_tree_clone_at(host, name)
        .hint(&[Errno::NOENT], "the host's /dev lacks a device that every program expects")?;
    let found = file::status(&device)?;
    let expected = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, numbers)| *numbers);
    if found.kind != Kind::CharacterDevice || expected.is_some_and(|numbers| numbers != found.rdev) {
        let numbers = expected.map(|(major, minor)| format!(" {major}:{minor}")).unwrap_or_default();
        return refuse(format!("the host's /dev/{name} is not the character device{numbers}"));
    }
    mount::mount_setattr(&device, Attributes { nosuid: true, noexec: true, ..Attributes::default() }, false)?;
    file::make_file(dev, Path::new(name), 0o666)?;
    Ok(mount::move_mount_at(&device, dev, name)?)
}

fn maps_tty_group(plan: &LaunchPlan) -> bool {
    let holds =
        |range: &IdRange| TTY_GROUP.checked_sub(range.inside).is_some_and(|distance| distance < range.count);
    !plan.namespaces.user || plan.ids.gid_map.iter().any(holds)
}

/// A detached devpts of its own; its terminals belong to the group `tty` where that is mapped.
pub(crate) fn new_devpts(tty_group: bool) -> Step<OwnedFd> {
    let context = FsContext::open("devpts")?;
    // Every devpts is an instance of its own since Linux 4.7; the option is still accepted.
    context.set_flag("newinstance")?;
    context.set("ptmxmode", "0666")?;
    context.set("mode", "620")?;
    if tty_group {
        context.set("gid", &TTY_GROUP.to_string())?;
    }
    Ok(context.mount(Attributes { nosuid: true, noexec: true, ..Attributes::default() })?)
}
