//! What a batch says of each command: written to a file in memory, read when the batch is over.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With this code.
    Exited(u8),
    /// By this signal.
    Signaled(i32),
    /// It was ended: the time is over.
    TimedOut,
    /// It was ended: it wrote more than this many bytes.
    TooLong(usize),
    /// It was not started: neither bash nor sh is there.
    NoShell,
    /// It was not started: a system call failed, and the errors say which.
    NotStarted,
}

/// A command's end, and what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub end: End,
    /// Standard output.
    pub output: Vec<u8>,
    /// The end of standard error.
    pub errors: Vec<u8>,
}

/// Kind of end, its number, length of output, length of errors.
const HEAD: usize = 1 + 3 * 4;

impl Record {
    /// Of a command that could not be started.
    pub fn not_started(why: impl std::fmt::Display) -> Self {
        Self { end: End::NotStarted, output: Vec::new(), errors: why.to_string().into_bytes() }
    }

    /// Appends the record.
    pub fn write(&self, mut to: &File) -> std::io::Result<()> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let (kind, number) = match self.end {
            End::Exited(code) => (0, u32::from(code)),
            End::Signaled(signal) => (1, signal.cast_unsigned()),
            End::TimedOut => (2, 0),
            End::TooLong(limit) => (3, u32::try_from(limit).unwrap_or(u32::MAX)),
            End::NoShell => (4, 0),
            End::NotStarted => (5, 0),
        };
        let mut bytes = Vec::with_capacity(HEAD + self.output.len() + self.errors.len());
        bytes.push(kind);
        for part in [number, length(&self.output), length(&self.errors)] {
            bytes.extend(part.to_le_bytes());
        }
        bytes.extend(&self.output);
        bytes.extend(&self.errors);
        to.write_all(&bytes)
    }

    /// Takes the first record off `bytes`; `None` when there is no whole one.
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        let word = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let (number, output, errors) = (word(1)?, word(5)? as usize, word(9)? as usize);
        let end = match head[0] {
            0 => End::Exited(u8::try_from(number).ok()?),
            1 => End::Signaled(number.cast_signed()),
            2 => End::TimedOut,
            3 => End::TooLong(number as usize),
            4 => End::NoShell,
            5 => End::NotStarted,
            _ => return None,
        };
        let (output, rest) = rest.split_at_checked(output)?;
        let (errors, rest) = rest.split_at_checked(errors)?;
        *bytes = rest;
        Some(Self { end, output: output.to_vec(), errors: errors.to_vec() })
    }
}

/// The whole records of a file, in order.
pub(crate) fn read(from: &File) -> std::io::Result<Vec<Record>> {
    let bytes = content(from)?;
    let mut rest = bytes.as_slice();
    Ok(std::iter::from_fn(|| Record::take(&mut rest)).collect())
}

/// All that is in a file.
pub(crate) fn content(mut from: &File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.seek(SeekFrom::Start(0))?;
    from.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file in memory, close-on-exec.
pub(crate) fn memory(name: &str) -> redpak_sys::Result<File> {
    // Where `vm.memfd_noexec` asks for it, none is made without the second flag, which older kernels do not know.
    let made = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL).or_else(|errno| {
        if errno == Errno::INVAL { memfd_create(name, MemfdFlags::CLOEXEC) } else { Err(errno) }
    });
    made.map(File::from)
        .map_err(|errno| redpak_sys::SysError::new("memfd_create", format!("{name:?}, MFD_CLOEXEC"), errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(end: End, output: &[u8], errors: &[u8]) -> Record {
        Record { end, output: output.to_vec(), errors: errors.to_vec() }
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        let records = [
            record(End::Exited(0), b"out\n\0\xff", b""),
            record(End::Exited(255), b"", b"no"),
            record(End::Signaled(9), b"", b""),
            record(End::TimedOut, b"x", b""),
            record(End::TooLong(65536), b"", b""),
            record(End::NoShell, b"", b""),
            Record::not_started("execveat(): E2BIG"),
        ];
        let file = memory("test").unwrap();
        records.iter().for_each(|record| record.write(&file).unwrap());
        assert_eq!(read(&file).unwrap(), records);
    }

    #[test]
    fn half_a_record_is_none() {
        let file = memory("test").unwrap();
        let whole = record(End::Exited(0), b"whole", b"");
        whole.write(&file).unwrap();
        whole.write(&file).unwrap();
        let length = file.metadata().unwrap().len();
        for cut in (length / 2..length).rev() {
            file.set_len(cut).unwrap();
            assert_eq!(read(&file).unwrap().len(), 1, "{cut}");
        }
    }
}
