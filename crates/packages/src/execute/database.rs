//! The node's database after librpm has closed it: one file that can be read on a read-only mount.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};

/// librpm's database (backend `sqlite`).
pub(crate) const FILE: &str = "rpmdb.sqlite";

/// What librpm and SQLite make beside it while they work.
const TRANSIENT: [&str; 4] = ["rpmdb.sqlite-wal", "rpmdb.sqlite-shm", "rpmdb.sqlite-journal", ".rpm.lock"];

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Offsets 18 and 19: write and read version of the format, 1 for a rollback journal, 2 for a write-ahead log
/// (https://www.sqlite.org/fileformat2.html, 1.3.3).
const VERSIONS: u64 = 18;

/// Leaves the write-ahead mode. librpm has closed the database, which writes the log back and removes it; what is
/// left to do is what `PRAGMA journal_mode=DELETE` does then: two bytes of the header.
pub(crate) fn close(directory: &Path) -> Result<(), String> {
    let failed = |what: &str, e: std::io::Error| format!("{}: {what}: {e}", directory.join(FILE).display());
    for name in ["rpmdb.sqlite-wal", "rpmdb.sqlite-journal"] {
        match fs::symlink_metadata(directory.join(name)) {
            Ok(meta) if meta.len() > 0 => {
                return Err(format!("{name} still holds changes: librpm did not close it"));
            }
            _ => {}
        }
    }
    let parent = File::open(directory).map_err(|e| failed("open", e))?;
    let fd = openat(&parent, FILE, OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    let file = File::from(fd.map_err(|e| failed("open", e.into()))?);
    let mut header = [0; 20];
    file.read_exact_at(&mut header, 0).map_err(|e| failed("read", e))?;
    match (&header[..16] == MAGIC, header[18], header[19]) {
        (true, 1, 1) => {}
        (true, 2, 2) => file.write_all_at(&[1, 1], VERSIONS).map_err(|e| failed("write", e))?,
        _ => return Err(format!("{FILE} is not a database of SQLite's")),
    }
    for name in TRANSIENT {
        match fs::remove_file(directory.join(name)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(name, e)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(versions: [u8; 2]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let mut bytes = MAGIC.to_vec();
        bytes.extend([0x10, 0]);
        bytes.extend(versions);
        bytes.extend([0; 80]);
        fs::write(directory.path().join(FILE), bytes).unwrap();
        directory
    }

    #[test]
    fn the_write_ahead_mode_is_left_and_the_rest_removed() {
        let directory = database([2, 2]);
        for name in TRANSIENT {
            fs::write(directory.path().join(name), "").unwrap();
        }
        close(directory.path()).unwrap();
        assert_eq!(fs::read(directory.path().join(FILE)).unwrap()[18..20], [1, 1]);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        close(directory.path()).unwrap();
    }

    #[test]
    fn a_log_with_content_or_another_file_is_refused() {
        let directory = database([2, 2]);
        fs::write(directory.path().join("rpmdb.sqlite-wal"), "x").unwrap();
        assert!(close(directory.path()).is_err());
        assert!(close(database([9, 9]).path()).is_err());
    }
}
