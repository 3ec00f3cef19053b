//! What a process may do: capabilities, users, groups, `no_new_privs`, seccomp.

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid};

use crate::error::{Name, Result, SysError};
use crate::process::last_errno;

/// A set of capabilities, bit by number (capabilities(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// Whether it holds this one.
    pub fn contains(self, number: u8) -> bool {
        self.0 & (1 << number) != 0
    }
}

impl FromIterator<u8> for Capabilities {
    fn from_iter<I: IntoIterator<Item = u8>>(numbers: I) -> Self {
        Self(numbers.into_iter().fold(0, |bits, number| bits | (1 << number)))
    }
}

/// `prctl(PR_CAPBSET_DROP)` for every capability that the kernel knows and `keep` does not hold.
///
/// # Errors
/// `EPERM` without `CAP_SETPCAP`.
pub fn limit_bounding_set(keep: Capabilities) -> Result<()> {
    for number in 0..64_u8 {
        if keep.contains(number) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(
            1 << number,
        )) {
            // One number beyond the last.
            Err(Errno::INVAL) => break,
            result => result.named("prctl", || format!("PR_CAPBSET_DROP, {number}"))?,
        }
    }
    Ok(())
}

/// `capset(2)`: permitted, effective and inheritable are exactly `set`.
///
/// # Errors
/// `EPERM` when `set` holds one that is not permitted now.
pub fn set_capabilities(set: Capabilities) -> Result<()> {
    let flags = CapabilitySet::from_bits_retain(set.0);
    let sets = CapabilitySets { effective: flags, permitted: flags, inheritable: flags };
    rustix::thread::set_capabilities(None, sets)
        .named("capset", || format!("permitted, effective, inheritable = {:#x}", set.0))
}

/// The permitted capabilities: `capget(2)`.
///
/// # Errors
/// None are known for the caller itself.
pub fn permitted() -> Result<Capabilities> {
    let sets = rustix::thread::capabilities(None).named("capget", || "0".to_owned())?;
    Ok(Capabilities(sets.permitted.bits()))
}

/// `prctl(PR_CAP_AMBIENT)`: the ambient set is exactly `set`.
///
/// # Errors
/// `EPERM` for one that is not permitted and inheritable.
pub fn set_ambient(set: Capabilities) -> Result<()> {
    rustix::thread::clear_ambient_capability_set()
        .named("prctl", || "PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL".to_owned())?;
    for number in (0..64_u8).filter(|&number| set.contains(number)) {
        let one = CapabilitySet::from_bits_retain(1 << number);
        rustix::thread::configure_capability_in_ambient_set(one, true)
            .named("prctl", || format!("PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, {number}"))?;
    }
    Ok(())
}

/// `prctl(PR_SET_KEEPCAPS, 1)`: permitted capabilities survive a change of user, until `execve`.
///
/// # Errors
/// `EPERM` when the securebits lock it.
pub fn keep_capabilities() -> Result<()> {
    rustix::thread::set_keep_capabilities(true).named("prctl", || "PR_SET_KEEPCAPS, 1".to_owned())
}

/// `prctl(PR_SET_NO_NEW_PRIVS, 1)`.
///
/// # Errors
/// None are known (prctl(2)).
pub fn no_new_privs() -> Result<()> {
    rustix::thread::set_no_new_privs(true).named("prctl", || "PR_SET_NO_NEW_PRIVS, 1".to_owned())
}

/// `setgroups(2)` of the calling thread with no groups.
///
/// # Errors
/// `EPERM` without `CAP_SETGID`, or where the user namespace denies it.
pub fn drop_groups() -> Result<()> {
    rustix::thread::set_thread_groups(&[]).named("setgroups", || "0".to_owned())
}

/// `setresgid(2)` then `setresuid(2)` of the calling thread, all three ids each.
///
/// # Errors
/// `EPERM`, `EINVAL` for an id that the user namespace does not have.
pub fn set_ids(uid: u32, gid: u32) -> Result<()> {
    let group = Gid::from_raw(gid);
    rustix::thread::set_thread_res_gid(group, group, group)
        .named("setresgid", || format!("{gid}, {gid}, {gid}"))?;
    let user = Uid::from_raw(uid);
    rustix::thread::set_thread_res_uid(user, user, user).named("setresuid", || format!("{uid}, {uid}, {uid}"))
}

/// One instruction of a classic BPF program (`struct sock_filter`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions skipped when a condition holds.
    pub jump_true: u8,
    /// Instructions skipped when it does not.
    pub jump_false: u8,
    /// Operand.
    pub operand: u32,
}

/// `seccomp(SECCOMP_SET_MODE_FILTER)`.
///
/// # Errors
/// `EACCES` without `no_new_privs` or `CAP_SYS_ADMIN`; `EINVAL` for a program that the kernel does not take, or a
/// kernel without filters.
pub fn seccomp_set_filter(program: &[Instruction]) -> Result<()> {
    let failed = |errno| {
        SysError::new("seccomp", format!("SECCOMP_SET_MODE_FILTER, 0, {} instructions", program.len()), errno)
    };
    let length = u16::try_from(program.len()).map_err(|_| failed(Errno::INVAL))?;
    let filter = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: `Instruction` has the layout of sock_filter; the kernel copies `len` of them and writes nothing.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0 as libc::c_uint, &raw const filter)
    };
    if result == 0 { Ok(()) } else { Err(failed(last_errno())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_bits_by_number() {
        let set: Capabilities = [0, 7, 40].into_iter().collect();
        assert_eq!(set.0, 1 | 1 << 7 | 1 << 40);
        assert!(set.contains(7) && !set.contains(8));
    }

    #[test]
    fn an_instruction_has_the_size_of_the_kernels() {
        assert_eq!(std::mem::size_of::<Instruction>(), std::mem::size_of::<libc::sock_filter>());
    }
}
