//! What the caller's process and the transaction's process say to each other: one job, then a line a message.
//!
//! The job is a length, a number of descriptors, the descriptors in batches (`SCM_RIGHTS`, unix(7)), and JSON.

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use redpak_plan::LaunchPlan;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use crate::transaction::{Action, Nevra};

/// Descriptors a message: the kernel's SCM_MAX_FD is 253.
const BATCH: usize = 250;
/// A job larger than this is not one.
const MAX_JOB: u32 = 256 << 20;

/// What librpm shall do, and where.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The caller's process: without it nothing is done.
    pub(crate) caller: i32,
    /// The sandbox.
    pub(crate) plan: LaunchPlan,
    /// One descriptor each goes with the job, in this order; after them the node's lock, which is only held.
    pub(crate) install: Vec<Installation>,
    /// Packages that go: removed or replaced.
    pub(crate) erase: Vec<Nevra>,
    /// Files of other packages may be replaced.
    pub(crate) replace_files: bool,
    /// Documentation is left out.
    pub(crate) no_docs: bool,
    /// Owners and file capabilities can be given.
    pub(crate) all_owners: bool,
}

/// A package that comes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Installation {
    pub(crate) nevra: Nevra,
    pub(crate) action: Action,
    /// Other versions of the name go.
    pub(crate) replaces: bool,
}

/// What the transaction's process says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "say")]
pub(crate) enum Message {
    /// The sandbox stands, librpm has the elements in order.
    Begin {
        /// Number of elements.
        elements: usize,
    },
    /// A package's files are being installed.
    Install { nevra: String },
    /// A package's files are being removed.
    Erase { nevra: String },
    /// How far the current package is, in bytes.
    Progress { amount: u64, total: u64 },
    /// A scriptlet begins.
    Script { nevra: String, tag: u64 },
    /// A scriptlet failed, whatever librpm makes of it.
    ScriptFailed { nevra: String, tag: u64 },
    /// ldconfig begins.
    LdConfig,
    /// Paths that a package owns, links on the way resolved, without the leading slash.
    Owned { paths: Vec<String> },
    /// All went well, and this is what the database holds.
    Done { packages: Vec<Nevra> },
    /// It did not.
    Failed { trouble: Trouble, reasons: Vec<String> },
}

/// What went wrong in the transaction's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Trouble {
    /// The sandbox could not be made.
    Sandbox,
    /// librpm.
    Rpm,
    /// ldconfig.
    LdConfig,
}

fn invalid(what: impl Into<String>) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what.into())
}

/// Sends a job and its descriptors.
pub(crate) fn send(socket: &UnixStream, job: &Job, descriptors: &[BorrowedFd<'_>]) -> std::io::Result<()> {
    let text = serde_json::to_vec(job).map_err(|e| invalid(e.to_string()))?;
    let length = u32::try_from(text.len()).ok().filter(|length| *length <= MAX_JOB);
    let length = length.ok_or_else(|| invalid("the transaction is too large"))?;
    let count = u32::try_from(descriptors.len()).map_err(|_| invalid("too many packages"))?;
    send_bytes(socket, &length.to_le_bytes())?;
    send_bytes(socket, &count.to_le_bytes())?;
    for batch in descriptors.chunks(BATCH) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(batch)) {
            return Err(invalid("a batch of descriptors does not fit"));
        }
        sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    }
    send_bytes(socket, &text)
}

/// Without SIGPIPE, which ends the programs that use this: why the other side is gone is still to be told.
fn send_bytes(socket: &UnixStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::net::send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Receives what [`send`] sent.
pub(crate) fn receive(socket: &UnixStream) -> std::io::Result<(Job, Vec<OwnedFd>)> {
    let mut socket = socket;
    let mut number = || -> std::io::Result<u32> {
        let mut bytes = [0; 4];
        socket.read_exact(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    };
    let (length, count) = (number()?, number()? as usize);
    if length > MAX_JOB {
        return Err(invalid("a job of impossible size"));
    }
    let mut descriptors = Vec::with_capacity(count);
    while descriptors.len() < count {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let message =
            recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let before = descriptors.len();
        for part in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = part {
                descriptors.extend(received);
            }
        }
        if message.bytes == 0 || descriptors.len() == before {
            return Err(invalid("descriptors are missing; is the limit on open files (ulimit -n) too low?"));
        }
    }
    let mut text = vec![0; length as usize];
    socket.read_exact(&mut text)?;
    let job = serde_json::from_slice(&text).map_err(|e| invalid(e.to_string()))?;
    Ok((job, descriptors))
}

/// Says one thing.
pub(crate) fn say(mut socket: &UnixStream, message: &Message) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message).map_err(|e| invalid(e.to_string()))?;
    line.push(b'\n');
    socket.write_all(&line)
}
