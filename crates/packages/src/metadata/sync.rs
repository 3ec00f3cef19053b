//! Bringing a repository's `repomd.xml` up to date.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::metalink::Mirrors;
use super::repomd::{DataFile, Repomd};
use crate::cache::{self, Cache};
use crate::error::{Kind, PackagesError, Result};
use crate::fetch::digest::sha256;
use crate::fetch::{self, Access, Client, Want, url};
use crate::repos::RepoConfig;

/// `repomd.xml` and lists of mirrors are not larger than this.
const MAX_SMALL: u64 = 4 << 20;

/// Whether what is kept will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// As `metadata_expire` says.
    Expire,
    /// Ask the server, whatever is kept (`--refresh`, `makecache`).
    Refresh,
    /// Never ask (`-C`, `--offline`).
    CacheOnly,
}

/// A repository whose `repomd.xml` is at hand.
#[derive(Clone, Debug)]
pub struct Synced {
    /// The repository.
    pub repo: RepoConfig,
    /// Where its metadata is kept.
    pub directory: PathBuf,
    /// URLs of the repository, the first one being the one that answered.
    pub bases: Vec<String>,
    /// What metadata it has.
    pub repomd: Repomd,
    /// SHA-256 of `repomd.xml`.
    pub key: String,
    /// What went wrong on the way, when something kept is used instead.
    pub warning: Option<String>,
}

/// What was seen of a repository; kept when the cache is cleaned.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Seen {
    version: u32,
    newest: u64,
}

impl Synced {
    /// A file of metadata that every repository has.
    pub fn file(&self, kind: &str) -> Result<&DataFile> {
        self.repomd.file(kind).ok_or_else(|| {
            PackagesError::new(Kind::Metadata, format!("the repository `{}` has no {kind}", self.repo.id))
        })
    }
}

/// A client for a repository.
pub fn client_of(repo: &RepoConfig) -> Client {
    Client::new(Access {
        no_tls_verify: !repo.sslverify,
        ca_file: repo.sslcacert.clone(),
        login: repo.username.clone().map(|user| (user, repo.password.clone().unwrap_or_default())),
        proxy: repo.proxy.clone(),
    })
}

/// Names the repository: several may have the same server.
fn unreachable(repo: &RepoConfig, error: PackagesError) -> PackagesError {
    let hint =
        format!("correct it in {}, or leave it out: `--disable-repo {}`", repo.file.display(), repo.id);
    PackagesError {
        message: format!("the repository `{}` cannot be read: {}", repo.id, error.message),
        hint: error.hint.or(Some(hint)),
        ..error
    }
}

/// Brings a repository's `repomd.xml` up to date, or takes the one that is kept.
pub fn sync(repo: &RepoConfig, cache: &Cache, client: &Client, freshness: Freshness) -> Result<Synced> {
    if repo.repo_gpgcheck == Some(true) {
        return Err(PackagesError::new(
            Kind::NotSupported,
            format!("the repository `{}` demands repo_gpgcheck, which this version cannot do", repo.id),
        )
        .with_hint("nothing of it is used; its packages' own signatures are checked by gpgcheck"));
    }
    let directory = cache.metadata(repo);
    let kept = keep_or_none(repo, &directory);
    let wanted = match freshness {
        Freshness::CacheOnly => false,
        Freshness::Refresh => true,
        Freshness::Expire => kept.as_ref().is_none_or(|_| is_stale(repo, &directory)),
    };
    if !wanted {
        return kept.ok_or_else(|| {
            PackagesError::new(Kind::Network, format!("nothing is kept of the repository `{}`", repo.id))
                .with_hint("run `makecache` while the network is there")
        });
    }
    match refresh(repo, cache, &directory, client) {
        Ok(synced) => Ok(synced),
        Err(error) => match kept {
            Some(kept) => {
                let warning = format!("{error}; what is kept of the repository `{}` is used", repo.id);
                Ok(Synced { warning: Some(warning), ..kept })
            }
            None => Err(unreachable(repo, error)),
        },
    }
}

/// The `repomd.xml` that is kept.
fn keep_or_none(repo: &RepoConfig, directory: &Path) -> Option<Synced> {
    let text = fs::read_to_string(directory.join("repomd.xml")).ok()?;
    let bases = fs::read_to_string(directory.join("mirrors")).ok()?.lines().map(str::to_owned).collect();
    let repomd = Repomd::parse(&text).ok()?;
    let key = sha256(text.as_bytes());
    Some(Synced { repo: repo.clone(), directory: directory.to_owned(), bases, repomd, key, warning: None })
}

/// Whether what is kept has expired. What is local is looked at each time: it costs nothing.
fn is_stale(repo: &RepoConfig, directory: &Path) -> bool {
    if repo.baseurl.first().is_some_and(|url| url.starts_with("file://")) {
        return true;
    }
    let Some(expire) = repo.metadata_expire else { return false };
    let modified = fs::metadata(directory.join("repomd.xml")).and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
    // A time in the future has no age: the clock was set back.
    age.is_none_or(|age| age > Duration::from_secs(expire))
}

fn refresh(repo: &RepoConfig, cache: &Cache, directory: &Path, client: &Client) -> Result<Synced> {
    cache::make(directory)?;
    let mirrors = mirrors(repo, directory, client)?;
    let seen_path = cache.seen(repo);
    let seen: Option<Seen> = fs::read(&seen_path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let mut last = None;
    for (index, base) in mirrors.base.iter().enumerate() {
        match from_mirror(repo, directory, client, base, &mirrors, seen) {
            Ok((repomd, text)) => {
                let mut bases = mirrors.base.clone();
                bases.rotate_left(index);
                cache::put(&directory.join("mirrors"), bases.join("\n").as_bytes())?;
                cache::put(&directory.join("repomd.xml"), text.as_bytes())?;
                remember(&seen_path, seen, repomd.age_mark());
                let key = sha256(text.as_bytes());
                let (repo, directory) = (repo.clone(), directory.to_owned());
                return Ok(Synced { repo, directory, bases, repomd, key, warning: None });
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        PackagesError::new(
            Kind::Network,
            format!("the repository `{}` has no mirror that can be used", repo.id),
        )
    }))
}

fn from_mirror(
    repo: &RepoConfig,
    directory: &Path,
    client: &Client,
    base: &str,
    mirrors: &Mirrors,
    seen: Option<Seen>,
) -> Result<(Repomd, String)> {
    let address = format!("{base}repodata/repomd.xml");
    let text = small_file(&address, directory, client)?;
    let key = sha256(text.as_bytes());
    let known = |digest: &fetch::Digest| {
        let mut hasher = digest.hasher();
        hasher.update(text.as_bytes());
        hasher.finish() == digest.hex
    };
    let bad = |kind, reason: &str| PackagesError::new(kind, format!("{}: {reason}", url::shown(&address)));
    if !mirrors.repomd.is_empty() && !mirrors.repomd.iter().any(known) {
        return Err(bad(Kind::Integrity, &format!("not the one of the metalink (its SHA-256 is {key})")));
    }
    let repomd = Repomd::parse(&text).map_err(|reason| bad(Kind::Metadata, &reason))?;
    if let (Some(seen), Some(mark)) = (seen, repomd.age_mark())
        && mark < seen.newest
    {
        let reason = format!(
            "older ({mark}) than what was seen of the repository `{}` ({}): not used, since old metadata hides fixes",
            repo.id, seen.newest
        );
        return Err(bad(Kind::Integrity, &reason));
    }
    Ok((repomd, text))
}

/// Notes the newest state seen; a failure only leaves the older note.
fn remember(path: &Path, seen: Option<Seen>, mark: Option<u64>) {
    let Some(newest) = mark.filter(|mark| seen.is_none_or(|seen| seen.newest < *mark)) else { return };
    if let Some(parent) = path.parent()
        && cache::make(parent).is_ok()
        && let Ok(text) = serde_json::to_vec(&Seen { version: 1, newest })
    {
        let _ = cache::put(path, &text);
    }
}

fn mirrors(repo: &RepoConfig, directory: &Path, client: &Client) -> Result<Mirrors> {
    let mut mirrors = Mirrors { base: repo.baseurl.clone(), repomd: Vec::new() };
    if let Some(address) = &repo.metalink {
        let text = small_file(address, directory, client)?;
        let found = Mirrors::metalink(&text).map_err(|reason| {
            PackagesError::new(Kind::Metadata, format!("{}: {reason}", url::shown(address)))
        })?;
        mirrors.repomd = found.repomd;
        mirrors.base.extend(found.base);
    } else if let Some(address) = &repo.mirrorlist {
        let text = small_file(address, directory, client)?;
        // dnf takes a metalink for a mirrorlist as well.
        let found = if text.contains("<metalink") {
            Mirrors::metalink(&text).map_err(|reason| {
                PackagesError::new(Kind::Metadata, format!("{}: {reason}", url::shown(address)))
            })?
        } else {
            Mirrors::plain(&text)
        };
        mirrors.repomd = found.repomd;
        mirrors.base.extend(found.base);
    }
    Ok(mirrors)
}

/// A small file without a checksum, as text.
fn small_file(address: &str, directory: &Path, client: &Client) -> Result<String> {
    let path =
        directory.join(format!(".fetched.{}.{}", std::process::id(), &sha256(address.as_bytes())[..8]));
    let want = Want { urls: vec![address.to_owned()], path, digest: None, size: None, limit: MAX_SMALL };
    let result = fetch::fetch(client, &want, &|_, _| {}).and_then(|()| {
        fs::read_to_string(&want.path)
            .map_err(|error| PackagesError::io(format!("read({})", want.path.display()), error))
    });
    let _ = fs::remove_file(&want.path);
    result
}
