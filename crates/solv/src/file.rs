//! `FILE *` as libsolv wants it, decompressing what the name's suffix says (`.gz`, `.xz`, `.zst`, …).

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd;

use crate::ffi;

/// An open C stream.
pub struct CFile {
    raw: *mut libc::FILE,
}

impl CFile {
    /// A stream that reads `file`, decompressed as the suffix of `name` says.
    pub fn reader(file: File, name: &str) -> io::Result<Self> {
        Self::open(file, name, c"r")
    }

    /// A stream that writes to `file` as it is.
    pub fn writer(file: File) -> io::Result<Self> {
        Self::open(file, "plain", c"w")
    }

    fn open(file: File, name: &str, mode: &std::ffi::CStr) -> io::Result<Self> {
        let c_name = CString::new(name).map_err(|_| io::Error::other("a file name holds a NUL"))?;
        let fd = file.into_raw_fd();
        // SAFETY: both strings end with NUL and live over the call; the descriptor is ours to give away.
        let raw = unsafe { ffi::solv_xfopen_fd(c_name.as_ptr(), fd, mode.as_ptr()) };
        if raw.is_null() {
            let error = io::Error::last_os_error();
            // SAFETY: on failure libsolv leaves the descriptor open, and nobody else has it.
            unsafe { libc::close(fd) };
            return Err(io::Error::other(format!("solv_xfopen_fd({name}): {error}")));
        }
        Ok(Self { raw })
    }

    /// Reads to the end and returns how many bytes there are, or `None` when there are more than `limit`: the guard
    /// against decompression bombs, before a parser sees the stream.
    pub fn measure(self, limit: u64) -> io::Result<Option<u64>> {
        let mut buffer = vec![0u8; 1 << 16];
        let mut total = 0u64;
        loop {
            // SAFETY: the stream is open, and the buffer holds as many bytes as are asked for.
            let got = unsafe { libc::fread(buffer.as_mut_ptr().cast(), 1, buffer.len(), self.raw) };
            if got == 0 {
                break;
            }
            total += got as u64;
            if total > limit {
                return Ok(None);
            }
        }
        // SAFETY: the stream is open.
        if unsafe { libc::ferror(self.raw) } != 0 {
            return Err(io::Error::other("the compressed data is damaged"));
        }
        Ok(Some(total))
    }

    /// Flushes what was written, and says whether all of it went out.
    pub fn finish(self) -> io::Result<()> {
        // SAFETY: the stream is open; it is closed by the drop that follows.
        match unsafe { libc::fflush(self.raw) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(crate) fn as_ptr(&mut self) -> *mut libc::FILE {
        self.raw
    }
}

impl Drop for CFile {
    fn drop(&mut self) {
        // SAFETY: opened in `open`, closed once.
        unsafe { libc::fclose(self.raw) };
    }
}
