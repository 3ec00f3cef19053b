//! The descriptor-based mount API (fsopen(2), open_tree(2), move_mount(2), mount_setattr(2)), `pivot_root`, `umount2`.

use std::fmt::Write;
use std::path::Path;

use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};

use crate::error::{Name, Result, SysError, fd};
use crate::process::last_errno;

/// Mount attributes that are added (`MOUNT_ATTR_*` of mount_setattr(2)); none is ever cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `MOUNT_ATTR_RDONLY`
    pub read_only: bool,
    /// `MOUNT_ATTR_NOSUID`
    pub nosuid: bool,
    /// `MOUNT_ATTR_NODEV`
    pub nodev: bool,
    /// `MOUNT_ATTR_NOEXEC`
    pub noexec: bool,
}

impl Attributes {
    fn each(self) -> impl Iterator<Item = (u64, &'static str, MountFlags)> {
        [
            (self.read_only, (libc::MOUNT_ATTR_RDONLY, "rdonly", MountFlags::RDONLY)),
            (self.nosuid, (libc::MOUNT_ATTR_NOSUID, "nosuid", MountFlags::NOSUID)),
            (self.nodev, (libc::MOUNT_ATTR_NODEV, "nodev", MountFlags::NODEV)),
            (self.noexec, (libc::MOUNT_ATTR_NOEXEC, "noexec", MountFlags::NOEXEC)),
        ]
        .into_iter()
        .filter_map(|(set, flag)| set.then_some(flag))
    }

    fn bits(self) -> u64 {
        self.each().fold(0, |bits, (bit, _, _)| bits | bit)
    }

    fn text(self) -> String {
        let names: Vec<_> = self.each().map(|(_, name, _)| name).collect();
        if names.is_empty() { "0".to_owned() } else { names.join(",") }
    }
}

/// `MS_PRIVATE`; libc has it as a long, which is not everywhere 64 bits wide.
const MS_PRIVATE: u64 = 1 << 18;

fn setattr(
    at: &OwnedFd,
    path: &str,
    attributes: &libc::mount_attr,
    recursive: bool,
    text: &str,
) -> Result<()> {
    let c_path =
        std::ffi::CString::new(path).map_err(|_| SysError::new("mount_setattr", path, Errno::INVAL))?;
    let empty = if path.is_empty() { libc::AT_EMPTY_PATH } else { 0 };
    let flags = empty | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: path and attributes are valid for the call, and the size is that of the structure.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at.as_raw_fd(),
            c_path.as_ptr(),
            flags as libc::c_uint,
            std::ptr::from_ref(attributes),
            std::mem::size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 {
        return Ok(());
    }
    let errno = last_errno();
    let recursive = if recursive { "AT_RECURSIVE, " } else { "" };
    Err(SysError::new("mount_setattr", format!("{}, {path:?}, {recursive}{text}", fd(at)), errno))
}

/// `mount_setattr(2)`: adds attributes to a mount, and with `recursive` to all below it.
///
/// # Errors
/// `EINVAL` when it is no mount of this namespace; `EPERM` without rights over it.
pub fn mount_setattr(mount: &OwnedFd, attributes: Attributes, recursive: bool) -> Result<()> {
    let bits = attributes.bits();
    if bits == 0 {
        return Ok(());
    }
    let value = libc::mount_attr { attr_set: bits, attr_clr: 0, propagation: 0, userns_fd: 0 };
    setattr(mount, "", &value, recursive, &attributes.text())
}

/// `mount_setattr(2)`: makes the mount at a directory's descriptor, and all below it, private.
///
/// # Errors
/// `EINVAL` when the descriptor is not the root of a mount.
pub fn make_private_recursively(mount: &OwnedFd) -> Result<()> {
    let value = libc::mount_attr { attr_set: 0, attr_clr: 0, propagation: MS_PRIVATE, userns_fd: 0 };
    setattr(mount, "", &value, true, "MS_PRIVATE")
}

/// `open_tree(2)` with `OPEN_TREE_CLONE`: a detached copy of what is at the descriptor, recursively or alone.
///
/// # Errors
/// `EINVAL` when the descriptor's mount is not in the caller's namespace, or, not recursively, has locked mounts below.
pub fn open_tree_clone(at: impl AsFd, recursive: bool) -> Result<OwnedFd> {
    let mut flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(at.as_fd(), "", flags)
        .named("open_tree", || format!("{}, \"\", {flags:?}", fd(&at)))
}

/// `open_tree(2)` with `OPEN_TREE_CLONE` of one name in a directory, a final symbolic link not followed.
///
/// # Errors
/// As [`open_tree_clone`], and those of finding the name.
pub fn open_tree_clone_at(directory: impl AsFd, name: &str) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    rustix::mount::open_tree(directory.as_fd(), name, flags)
        .named("open_tree", || format!("{}, {name:?}, {flags:?}", fd(&directory)))
}

/// `move_mount(2)`: attaches a detached mount on what the target descriptor stands for.
///
/// # Errors
/// `ENOTDIR` when one is a directory and the other is not; `EINVAL` when the target is in another namespace.
pub fn move_mount(mount: &OwnedFd, target: impl AsFd) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", target.as_fd(), "", flags)
        .named("move_mount", || format!("{}, \"\", {}, \"\", {flags:?}", fd(mount), fd(&target)))
}

/// `move_mount(2)` onto one name in a directory; a symbolic link of that name is not followed.
///
/// # Errors
/// As [`move_mount`].
pub fn move_mount_at(mount: &OwnedFd, directory: impl AsFd, name: &str) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", directory.as_fd(), name, flags)
        .named("move_mount", || format!("{}, \"\", {}, {name:?}, {flags:?}", fd(mount), fd(&directory)))
}

/// A file system being configured: `fsopen(2)`.
#[derive(Debug)]
pub struct FsContext {
    kind: &'static str,
    context: OwnedFd,
}

impl FsContext {
    /// `fsopen(2)`.
    ///
    /// # Errors
    /// `ENODEV` when the kernel does not know the file system, `EPERM` without rights over the mount namespace.
    pub fn open(kind: &'static str) -> Result<Self> {
        let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)
            .named("fsopen", || format!("{kind:?}, FSOPEN_CLOEXEC"))?;
        Ok(Self { kind, context })
    }

    /// `fsconfig(2)`, `FSCONFIG_SET_STRING`. A value is at most 255 bytes long.
    ///
    /// # Errors
    /// `EINVAL` when the file system does not take it.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        let done = rustix::mount::fsconfig_set_string(self.context.as_fd(), key, value)
            .named("fsconfig", || format!("{:?}, FSCONFIG_SET_STRING, {key:?}, {value:?}", self.kind));
        self.logged(done)
    }

    /// `fsconfig(2)`, `FSCONFIG_SET_FLAG`.
    ///
    /// # Errors
    /// `EINVAL` when the file system does not take it.
    pub fn set_flag(&self, key: &str) -> Result<()> {
        let done = rustix::mount::fsconfig_set_flag(self.context.as_fd(), key)
            .named("fsconfig", || format!("{:?}, FSCONFIG_SET_FLAG, {key:?}", self.kind));
        self.logged(done)
    }

    /// `fsconfig(2)` with `FSCONFIG_CMD_CREATE`, then `fsmount(2)`: a detached mount.
    ///
    /// # Errors
    /// What the file system says, with the kernel's log.
    pub fn mount(self, attributes: Attributes) -> Result<OwnedFd> {
        let created = rustix::mount::fsconfig_create(self.context.as_fd())
            .named("fsconfig", || format!("{:?}, FSCONFIG_CMD_CREATE", self.kind));
        self.logged(created)?;
        let flags = MountAttrFlags::from_bits_retain(attributes.bits() as u32);
        let mounted = rustix::mount::fsmount(self.context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags)
            .named("fsmount", || format!("{:?}, FSMOUNT_CLOEXEC, {}", self.kind, attributes.text()));
        self.logged(mounted)
    }

    /// Adds what the kernel has to say (read(2) of the descriptor, a message a call) to a failure.
    fn logged<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|mut error| {
            let mut message = [0_u8; 1024];
            while let Ok(length) = rustix::io::read(&self.context, &mut message) {
                let text = String::from_utf8_lossy(&message[..length]);
                let separator = if error.log.is_empty() { "" } else { "; " };
                // Writing to a String cannot fail.
                let _ = write!(error.log, "{separator}{}", text.trim_end());
                if length == 0 {
                    break;
                }
            }
            error
        })
    }
}

/// `mount(2)` of an overlay at a path, for option texts beyond what `fsconfig` takes; at most a page.
///
/// # Errors
/// What overlayfs says.
pub fn mount_overlay(target: &str, options: &std::ffi::CStr, attributes: Attributes) -> Result<()> {
    let flags = attributes.each().fold(MountFlags::empty(), |flags, (_, _, flag)| flags | flag);
    rustix::mount::mount("overlay", target, "overlay", flags, Some(options))
        .named("mount", || format!("\"overlay\", {target:?}, \"overlay\", {flags:?}, {options:?}"))
}

/// `pivot_root(".", put_old)`: the mount at the working directory becomes the root, the old root a mount on `put_old`.
///
/// # Errors
/// `EINVAL` when the old root is the initial ramfs, or a mount involved is shared.
pub fn pivot_root_here(put_old: &Path) -> Result<()> {
    rustix::process::pivot_root(".", put_old).named("pivot_root", || format!("\".\", {put_old:?}"))
}

/// `umount2(2)` with `MNT_DETACH`: what is topmost at the path leaves the namespace, with all below it.
///
/// # Errors
/// `EINVAL` when it is not a mount point.
pub fn detach(path: &Path) -> Result<()> {
    rustix::mount::unmount(path, UnmountFlags::DETACH).named("umount2", || format!("{path:?}, MNT_DETACH"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_named_and_counted_once() {
        let attributes = Attributes { read_only: true, nodev: true, ..Attributes::default() };
        assert_eq!(attributes.text(), "rdonly,nodev");
        assert_eq!(attributes.bits(), libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV);
        assert_eq!(Attributes::default().text(), "0");
    }

    #[test]
    fn an_error_of_mount_setattr_names_descriptor_and_attributes() {
        let file: OwnedFd = std::fs::File::open("/proc/self/status").unwrap().into();
        let error =
            mount_setattr(&file, Attributes { nosuid: true, ..Attributes::default() }, true).unwrap_err();
        assert!(error.to_string().starts_with("mount_setattr(fd "), "{error}");
        assert!(error.to_string().contains("/status>, \"\", AT_RECURSIVE, nosuid): E"), "{error}");
    }
}
