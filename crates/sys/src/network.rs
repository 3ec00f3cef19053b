//! The loopback interface of a new network namespace.

use rustix::fd::{AsRawFd, OwnedFd};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::error::{Name, Result, SysError};
use crate::process::last_errno;

/// Brings `lo` up (`SIOCGIFFLAGS`, `SIOCSIFFLAGS` of netdevice(7)); the kernel gives it 127.0.0.1 and ::1 itself.
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN` over the network namespace.
pub fn loopback_up() -> Result<()> {
    // Any socket takes interface requests; a unix one needs no IPv4 in the kernel.
    let socket: OwnedFd =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
            .named("socket", || "AF_UNIX, SOCK_DGRAM|SOCK_CLOEXEC, 0".to_owned())?;
    // SAFETY: an all-zero ifreq is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    let number = socket.as_raw_fd();
    // SAFETY: both requests take an ifreq, which outlives the calls; ifru_flags is the field that they use.
    let failed = unsafe {
        if libc::ioctl(number, libc::SIOCGIFFLAGS as _, &raw mut request) != 0 {
            Some("SIOCGIFFLAGS, lo")
        } else {
            request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
            (libc::ioctl(number, libc::SIOCSIFFLAGS as _, &raw mut request) != 0)
                .then_some("SIOCSIFFLAGS, lo, IFF_UP")
        }
    };
    match failed {
        None => Ok(()),
        Some(request) => Err(SysError::new("ioctl", format!("{number}, {request}"), last_errno())),
    }
}
