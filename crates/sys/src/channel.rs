//! A pair of connected `SOCK_SEQPACKET` sockets: whole messages, with descriptors and process ids.
//!
//! Process ids are translated by the kernel between pid namespaces (`SCM_CREDENTIALS`, unix(7)).

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, UCred,
};
use rustix::process::Pid;

use crate::error::{Name, Result, SysError, fd};

/// `socketpair(2)`, close-on-exec. With `process_ids`, the first end learns them (`SO_PASSCRED`); its sender must then
/// have one in the receiver's pid namespace.
///
/// # Errors
/// `EMFILE`.
pub fn pair(process_ids: bool) -> Result<(OwnedFd, OwnedFd)> {
    let (first, second) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .named("socketpair", || "AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0".to_owned())?;
    if process_ids {
        rustix::net::sockopt::set_socket_passcred(&first, true)
            .named("setsockopt", || format!("{}, SOL_SOCKET, SO_PASSCRED, 1", fd(&first)))?;
    }
    Ok((first, second))
}

/// A process to tell about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Its descriptor.
    pub pidfd: &'a OwnedFd,
    /// Its id in the sender's pid namespace.
    pub pid: Pid,
}

/// `sendmsg(2)` of one message.
///
/// # Errors
/// `EPIPE` when the other end is closed (no signal is raised).
pub fn send(socket: &OwnedFd, message: &[u8]) -> Result<()> {
    sendmsg(socket, message, &mut SendAncillaryBuffer::default())
}

/// `sendmsg(2)` of one message with a descriptor.
///
/// # Errors
/// As [`send`].
pub fn send_descriptor(socket: &OwnedFd, message: &[u8], descriptor: &OwnedFd) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, message, &mut ancillary)
}

/// `sendmsg(2)` of one message with a process's descriptor and id. Naming another process than the caller needs
/// `CAP_SYS_ADMIN` over the pid namespace (unix(7)).
///
/// # Errors
/// As [`send`], and `EPERM`.
pub fn send_process(socket: &OwnedFd, message: &[u8], process: About<'_>) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1), ScmCredentials(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [process.pidfd.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    ancillary.push(SendAncillaryMessage::ScmCredentials(UCred {
        pid: process.pid,
        uid: rustix::process::getuid(),
        gid: rustix::process::getgid(),
    }));
    sendmsg(socket, message, &mut ancillary)
}

fn sendmsg(socket: &OwnedFd, message: &[u8], ancillary: &mut SendAncillaryBuffer<'_, '_, '_>) -> Result<()> {
    rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket, &[IoSlice::new(message)], ancillary, SendFlags::NOSIGNAL)
    })
    .named("sendmsg", || format!("{}, {} bytes, MSG_NOSIGNAL", fd(socket), message.len()))?;
    Ok(())
}

/// The longest message in bytes.
pub const LONGEST: usize = 8192;

/// A message that came in.
#[derive(Debug)]
pub struct Message {
    /// Its bytes; empty at the end (the other end is closed).
    pub bytes: Vec<u8>,
    /// The descriptor that came with it.
    pub descriptor: Option<OwnedFd>,
    /// The process id that came with it, as the caller's pid namespace has it.
    pub pid: Option<Pid>,
}

/// `recvmsg(2)` of one message of up to [`LONGEST`] bytes; with `wait: false`, `None` when there is none.
///
/// # Errors
/// `ENOMEM`; a longer message is `EMSGSIZE`.
pub fn receive(socket: &OwnedFd, wait: bool) -> Result<Option<Message>> {
    let mut bytes = [0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1), ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
    let arguments = || format!("{}, {LONGEST} bytes, {flags:?}", fd(socket));
    let received = loop {
        match rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags) {
            // A reset (the other end left something unread) is told once, before what it sent.
            Err(Errno::INTR | Errno::CONNRESET) => {}
            Err(Errno::AGAIN) if !wait => return Ok(None),
            result => break result.named("recvmsg", arguments)?,
        }
    };
    if received.flags.contains(rustix::net::ReturnFlags::TRUNC) {
        return Err(SysError::new("recvmsg", arguments(), Errno::MSGSIZE));
    }
    let bytes = bytes[..received.bytes].to_vec();
    let mut message = Message { bytes, descriptor: None, pid: None };
    for part in ancillary.drain() {
        match part {
            RecvAncillaryMessage::ScmRights(descriptors) => message.descriptor = descriptors.last(),
            RecvAncillaryMessage::ScmCredentials(credentials) => message.pid = Some(credentials.pid),
            _ => {}
        }
    }
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_bounds_and_carry_descriptors() {
        let (first, second) = pair(true).unwrap();
        send(&second, b"one").unwrap();
        let file: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
        send_descriptor(&second, b"two", &file).unwrap();
        let message = receive(&first, true).unwrap().unwrap();
        assert_eq!((message.bytes.as_slice(), message.descriptor.is_some()), (&b"one"[..], false));
        assert_eq!(message.pid, Some(rustix::process::getpid()));
        let message = receive(&first, true).unwrap().unwrap();
        assert_eq!((message.bytes.as_slice(), message.descriptor.is_some()), (&b"two"[..], true));
        assert!(receive(&first, false).unwrap().is_none());
        drop(second);
        assert!(receive(&first, true).unwrap().unwrap().bytes.is_empty());
    }
}
