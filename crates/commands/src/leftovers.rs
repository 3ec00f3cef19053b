//! Ends what commands on the host left running: whatever its session, it has become a child of the runner.

use std::time::{Duration, Instant};

use redpak_sys::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};

/// How long processes that start each other are chased.
const PATIENCE: Duration = Duration::from_secs(2);

/// Makes the caller the parent of all its orphaned descendants (prctl(2), `PR_SET_CHILD_SUBREAPER`).
pub(crate) fn adopt() -> Result<(), Errno> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
}

/// Ends and reaps all children, and theirs.
pub(crate) fn end_all() {
    let deadline = Instant::now() + PATIENCE;
    while alive() && Instant::now() < deadline {
        for child in children() {
            // One that has just ended is no matter.
            let _ = kill_process(child, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Reaps; whether a child is left that has not ended.
fn alive() -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// By the parent's number in `/proc/PID/stat` (proc(5)): not every kernel lists children.
fn children() -> Vec<Pid> {
    let own = rustix::process::getpid();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        (parent(&stat)? == own.as_raw_nonzero().get()).then(|| Pid::from_raw(pid))?
    })
    .collect()
}

/// The fourth field; the second, a name in parentheses, may hold anything.
fn parent(stat: &[u8]) -> Option<i32> {
    let after = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let text = std::str::from_utf8(stat.get(after..)?).ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_cannot_lie_about_its_parent() {
        assert_eq!(parent(b"7 (sh) S 3 7 7"), Some(3));
        assert_eq!(parent(b"7 (a) S 9 \xff) S 3 7 7"), Some(3));
        assert_eq!(parent(b"7"), None);
        let own = std::fs::read("/proc/self/stat").unwrap();
        assert_eq!(parent(&own), Some(rustix::process::getppid().unwrap().as_raw_nonzero().get()));
    }
}
