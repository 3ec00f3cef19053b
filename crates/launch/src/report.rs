//! What the child tells the supervisor, as messages of a channel.
//!
//! Both ends are the same program, forked: the format has no version, and a message that cannot be read is a defect.

use std::path::PathBuf;

use redpak_sys::{Errno, OwnedFd, Pid, SysError, channel};

use crate::error::{Cause, LaunchError, MountPlace, Stage};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The command's process exists; its id and pidfd come along.
    Started,
    /// The set-up failed.
    Failed(LaunchError),
    /// `execve` found no such program.
    NotFound(String),
    /// `execve` could not execute this file, for this reason.
    NotExecutable(String, String),
    /// The command was stopped by this signal.
    Stopped(i32),
    /// The command exited with this code.
    Exited(u8),
    /// This signal ended the command.
    Signaled(i32),
    /// A file inside is locked; it comes along, open.
    Locked,
}

/// No text of a message is longer, so that eight of them fit ([`channel::LONGEST`]).
const LONGEST_TEXT: usize = 1000;

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: i32) {
        self.0.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary_at(LONGEST_TEXT)];
        self.number(text.len() as i32);
        self.0.extend(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        self.number(i32::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }
}

/// `str::floor_char_boundary` is newer than the compilers that redpak supports.
trait FloorCharBoundary {
    fn floor_char_boundary_at(&self, index: usize) -> usize;
}

impl FloorCharBoundary for str {
    fn floor_char_boundary_at(&self, index: usize) -> usize {
        (0..=index.min(self.len())).rev().find(|&at| self.is_char_boundary(at)).unwrap_or(0)
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<i32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i32::from_le_bytes(*bytes))
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    fn optional(&mut self) -> Option<Option<String>> {
        let present = self.number()? == 1;
        let text = self.text()?;
        Some(present.then_some(text))
    }
}

impl Report {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer(Vec::new());
        match self {
            Self::Started => writer.number(0),
            Self::Failed(error) => {
                writer.number(1);
                encode_error(&mut writer, error);
            }
            Self::NotFound(program) => {
                writer.number(2);
                writer.text(program);
            }
            Self::NotExecutable(program, why) => {
                writer.number(3);
                writer.text(program);
                writer.text(why);
            }
            Self::Stopped(signal) => {
                writer.number(4);
                writer.number(*signal);
            }
            Self::Exited(code) => {
                writer.number(5);
                writer.number(i32::from(*code));
            }
            Self::Signaled(signal) => {
                writer.number(6);
                writer.number(*signal);
            }
            Self::Locked => writer.number(7),
        }
        writer.0
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        Some(match reader.number()? {
            0 => Self::Started,
            1 => Self::Failed(decode_error(&mut reader)?),
            2 => Self::NotFound(reader.text()?),
            3 => Self::NotExecutable(reader.text()?, reader.text()?),
            4 => Self::Stopped(reader.number()?),
            5 => Self::Exited(u8::try_from(reader.number()?).ok()?),
            6 => Self::Signaled(reader.number()?),
            7 => Self::Locked,
            _ => return None,
        })
    }

    /// Sends it. There is nobody to tell when that fails: the supervisor is gone, or sees the channel's end.
    pub(crate) fn send(&self, channel: &OwnedFd) {
        let _ = channel::send(channel, &self.encode());
    }

    /// Sends it with a descriptor.
    pub(crate) fn send_descriptor(&self, channel: &OwnedFd, descriptor: &OwnedFd) -> redpak_sys::Result<()> {
        channel::send_descriptor(channel, &self.encode(), descriptor)
    }

    /// Sends [`Report::Started`] with the command's process.
    pub(crate) fn send_started(channel: &OwnedFd, process: channel::About<'_>) -> redpak_sys::Result<()> {
        channel::send_process(channel, &Self::Started.encode(), process)
    }
}

fn encode_error(writer: &mut Writer, error: &LaunchError) {
    let stage = Stage::ALL.iter().position(|stage| *stage == error.stage).unwrap_or(0);
    writer.number(stage as i32);
    let mount = error.mount.as_ref();
    writer.optional(mount.map(|mount| mount.at.to_string_lossy()).as_deref());
    writer.text(mount.map_or("", |mount| &mount.origin));
    match &error.cause {
        Cause::System(error) => {
            writer.optional(Some(&error.call));
            writer.text(&error.arguments);
            writer.number(error.errno.raw_os_error());
            writer.text(&error.log);
        }
        Cause::Refused(text) => {
            writer.optional(None);
            writer.text(text);
        }
    }
    writer.optional(error.hint.as_deref());
}

fn decode_error(reader: &mut Reader<'_>) -> Option<LaunchError> {
    let stage = *Stage::ALL.get(usize::try_from(reader.number()?).ok()?)?;
    let at = reader.optional()?;
    let origin = reader.text()?;
    let cause = match reader.optional()? {
        Some(call) => Cause::System(SysError {
            call: call.into(),
            arguments: reader.text()?,
            errno: Errno::from_raw_os_error(reader.number()?),
            log: reader.text()?,
        }),
        None => Cause::Refused(reader.text()?),
    };
    let mount = at.map(|at| MountPlace { at: PathBuf::from(at), origin });
    Some(LaunchError { stage, mount, cause, hint: reader.optional()? })
}

/// What came in.
pub(crate) enum Incoming {
    /// A report, and the descriptor and process id that came along.
    Report(Report, Option<OwnedFd>, Option<Pid>),
    /// The other end is closed.
    End,
}

/// Waits for a report.
pub(crate) fn receive(channel: &OwnedFd) -> redpak_sys::Result<Incoming> {
    let Some(message) = channel::receive(channel, true)? else { return Ok(Incoming::End) };
    if message.bytes.is_empty() {
        return Ok(Incoming::End);
    }
    match Report::decode(&message.bytes) {
        Some(report) => Ok(Incoming::Report(report, message.descriptor, message.pid)),
        None => Err(SysError::new("recvmsg", format!("{} bytes", message.bytes.len()), Errno::BADMSG)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_arrives_as_it_was_sent() {
        let error = SysError { log: "overlay: bad".into(), ..SysError::new("fsmount", "x", Errno::INVAL) };
        let mount = Some(MountPlace { at: "/usr".into(), origin: "f:1:2".into() });
        let hint = Some("do this".to_owned());
        for report in [
            Report::Started,
            Report::Failed(LaunchError { stage: Stage::Mounts, mount, cause: Cause::System(error), hint }),
            Report::Failed(LaunchError {
                stage: Stage::Supervise,
                mount: None,
                cause: Cause::Refused("no".into()),
                hint: None,
            }),
            Report::NotFound("x".into()),
            Report::NotExecutable("x".into(), "y".into()),
            Report::Stopped(20),
            Report::Exited(255),
            Report::Signaled(9),
            Report::Locked,
        ] {
            assert_eq!(Report::decode(&report.encode()), Some(report));
        }
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let sent = Report::NotFound("ä".repeat(10_000));
        let Some(Report::NotFound(text)) = Report::decode(&sent.encode()) else { panic!() };
        assert_eq!(text, "ä".repeat(LONGEST_TEXT / 2));
    }
}
