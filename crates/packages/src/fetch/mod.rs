//! Files from `http`, `https` and `file` URLs: bounded in size and time, resumed, verified, put in place atomically.
//!
//! Nothing is believed of a server: a body ends at its limit, a slow one at its minimum rate, a redirect leads to http
//! or https only, and what has a checksum is in place only when it has that content.

pub mod digest;
mod http;
pub mod url;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{FlockOperation, flock};

pub use digest::Digest;
pub use http::{Access, Client};

use crate::error::{Kind, PackagesError, Result};

/// How many files are fetched at once.
pub const PARALLEL: usize = 4;

/// A file that is wanted.
#[derive(Clone, Debug)]
pub struct Want {
    /// URLs to try in order.
    pub urls: Vec<String>,
    /// Where it goes.
    pub path: PathBuf,
    /// What it must be; without one, whatever comes.
    pub digest: Option<Digest>,
    /// Its size in bytes, where known.
    pub size: Option<u64>,
    /// The most bytes that are taken.
    pub limit: u64,
}

/// Told how many more bytes of a file have come. Called from several threads.
pub type Progress<'a> = dyn Fn(&Want, u64) + Sync + 'a;

/// Fetches a file, unless it is there already with the right content. URLs are tried in order.
pub fn fetch(client: &Client, want: &Want, progress: &Progress) -> Result<()> {
    if is_there(want) {
        progress(want, want.size.unwrap_or(0));
        return Ok(());
    }
    if let Some(parent) = want.path.parent() {
        fs::create_dir_all(parent)
            .map_err(|error| PackagesError::io(format!("mkdir({})", parent.display()), error))?;
    }
    let mut last = None;
    for url in &want.urls {
        match fetch_from(client, url, want, progress) {
            Ok(()) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        PackagesError::new(Kind::Network, format!("no URL is known for {}", want.path.display()))
    }))
}

/// Fetches files, several at once. Returns the first failure in the order of `wants`; the others are tried all the same.
pub fn fetch_all(jobs: &[(&Client, Want)], progress: &Progress) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failures: Mutex<Vec<(usize, PackagesError)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL.min(jobs.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((client, want)) = jobs.get(index) else { return };
                    if let Err(error) = fetch(client, want, progress)
                        && let Ok(mut failures) = failures.lock()
                    {
                        failures.push((index, error));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap_or_default();
    failures.sort_by_key(|(index, _)| *index);
    failures.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
}

fn is_there(want: &Want) -> bool {
    match (&want.digest, File::open(&want.path)) {
        (Some(digest), Ok(mut file)) => digest.matches(&mut file).unwrap_or(false),
        _ => false,
    }
}

fn fetch_from(client: &Client, url: &str, want: &Want, progress: &Progress) -> Result<()> {
    let mut part = Part::open(want)?;
    match url::local_path(url) {
        Some(source) => {
            part.restart()?;
            let file = File::open(&source)
                .map_err(|error| PackagesError::io(format!("open({})", source.display()), error))?;
            part.fill(file, want, &url::shown(url), progress)?;
        }
        None => {
            let have = part.length;
            let answer = client.get(url, have, want.size.unwrap_or(want.limit))?;
            if !answer.resumed {
                part.restart()?;
            } else {
                progress(want, have);
            }
            part.fill(answer.body, want, &url::shown(url), progress)?;
        }
    }
    part.verify_and_place(want, &url::shown(url))
}

/// A file on its way.
struct Part {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Part {
    /// Continues what an earlier try left; nothing is continued that has no checksum to be judged by, or that another
    /// process is at.
    fn open(want: &Want) -> Result<Self> {
        let name = want.path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
        let parent = want.path.parent().unwrap_or(Path::new("."));
        let shared = parent.join(format!(".{name}.part"));
        if want.digest.is_some() {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&shared)
                .map_err(|error| PackagesError::io(format!("open({})", shared.display()), error))?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                let length = file.metadata().map_or(0, |metadata| metadata.len());
                return Ok(Self { path: shared, file, length });
            }
        }
        let path = parent.join(format!(".{name}.{}", std::process::id()));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(|error| PackagesError::io(format!("open({})", path.display()), error))?;
        Ok(Self { path, file, length: 0 })
    }

    fn fail(&self, call: &str) -> impl FnOnce(io::Error) -> PackagesError {
        let call = format!("{call}({})", self.path.display());
        move |error| PackagesError::io(call, error)
    }

    fn restart(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(self.fail("ftruncate"))?;
        self.length = 0;
        Ok(())
    }

    fn fill(&mut self, mut from: impl Read, want: &Want, url: &str, progress: &Progress) -> Result<()> {
        self.file.seek(SeekFrom::Start(self.length)).map_err(self.fail("lseek"))?;
        let limit = want.size.unwrap_or(want.limit).min(want.limit);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = from.read(&mut buffer).map_err(|error| {
                PackagesError::new(Kind::Network, format!("{url} broke off after {} bytes", self.length))
                    .with_source(error)
                    .with_hint("run the command again: what came is kept where it can be verified")
            })?;
            if count == 0 {
                return Ok(());
            }
            self.length += count as u64;
            if self.length > limit {
                let error = PackagesError::new(
                    Kind::Integrity,
                    format!("{url} is larger than it may be, {limit} bytes"),
                );
                self.restart()?;
                return Err(error);
            }
            self.file.write_all(&buffer[..count]).map_err(self.fail("write"))?;
            progress(want, count as u64);
        }
    }

    fn verify_and_place(mut self, want: &Want, url: &str) -> Result<()> {
        let wrong_size = want.size.is_some_and(|size| size != self.length);
        if let Some(digest) = &want.digest {
            self.file.seek(SeekFrom::Start(0)).map_err(self.fail("lseek"))?;
            if wrong_size || !digest.matches(&mut self.file).map_err(self.fail("read"))? {
                let message = format!("{url} is not what the metadata says ({} differs)", digest.algorithm);
                let _ = fs::remove_file(&self.path);
                return Err(PackagesError::new(Kind::Integrity, message)
                    .with_hint("the mirror may be out of step: try again with --refresh"));
            }
        } else if wrong_size {
            return Err(PackagesError::new(
                Kind::Integrity,
                format!("{url} has not the size that it should have"),
            ));
        }
        fs::rename(&self.path, &want.path).map_err(|error| {
            PackagesError::io(format!("rename({}, {})", self.path.display(), want.path.display()), error)
        })
    }
}

#[cfg(test)]
mod tests;
