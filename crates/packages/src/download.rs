//! What a transaction needs from elsewhere: package files, and the keys that sign them.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Kind, PackagesError, Result};
use crate::fetch::digest::sha256;
use crate::fetch::{self, Access, Client, Digest, Progress, Want, url};
use crate::solve::Session;
use crate::transaction::{PackageSource, Transaction};

/// A package file is not larger than this, whatever the metadata says.
const MAX_PACKAGE: u64 = 16 << 30;
/// A key file is not larger than this.
const MAX_KEY: u64 = 1 << 20;

impl Session {
    /// Bytes that are still to be fetched for a transaction.
    pub fn download_size(&self, transaction: &Transaction) -> u64 {
        let sources = transaction.steps.iter().filter_map(|step| step.source.as_ref());
        sources
            .filter(|source| !source.urls.is_empty() && !source.path.exists())
            .map(|source| source.size)
            .sum()
    }

    /// Brings every package file to where the transaction says, several at once, and verifies each against the
    /// metadata. A file that lies in a local repository is verified in place.
    pub fn download(&self, transaction: &Transaction, progress: &Progress) -> Result<()> {
        let mut jobs: Vec<(&Client, Want)> = Vec::new();
        for step in &transaction.steps {
            let Some(source) = step.source.as_ref().filter(|source| !source.urls.is_empty()) else {
                continue;
            };
            let want = want(source, source.path.clone(), &step.nevra.to_string())?;
            if url::local_path(&source.urls[0]).as_deref() == Some(&source.path) {
                verify_in_place(&want)?;
                progress(&want, source.size);
                continue;
            }
            let available = self.universe.available.iter().find(|known| known.synced.repo.id == source.repo);
            let client = &available
                .ok_or_else(|| {
                    PackagesError::new(Kind::Config, format!("no repository `{}` any more", source.repo))
                })?
                .client;
            jobs.push((client, want));
        }
        fetch::fetch_all(&jobs, progress)
    }

    /// As [`download`](Self::download), into a directory; returns the files.
    pub fn download_to(
        &self,
        transaction: &Transaction,
        directory: &Path,
        progress: &Progress,
    ) -> Result<Vec<PathBuf>> {
        self.download(transaction, progress)?;
        let mut files = Vec::new();
        for source in transaction.steps.iter().filter_map(|step| step.source.as_ref()) {
            let name = source.path.file_name().unwrap_or_default();
            let to = directory.join(name);
            if to != source.path {
                fs::copy(&source.path, &to).map_err(|error| {
                    PackagesError::io(format!("copy({}, {})", source.path.display(), to.display()), error)
                })?;
            }
            files.push(to);
        }
        Ok(files)
    }

    /// The content of every key that the transaction's packages may be signed with, by URL.
    pub fn keys(&self, transaction: &Transaction) -> Result<HashMap<String, Vec<u8>>> {
        let mut keys = HashMap::new();
        for source in
            transaction.steps.iter().filter_map(|step| step.source.as_ref()).filter(|source| source.gpgcheck)
        {
            for address in &source.keys {
                if !keys.contains_key(address) {
                    keys.insert(address.clone(), self.key(address, &source.repo)?);
                }
            }
        }
        Ok(keys)
    }

    fn key(&self, address: &str, repo: &str) -> Result<Vec<u8>> {
        let fail = |error: PackagesError| {
            PackagesError::new(
                error.kind,
                format!("the key {} of the repository `{repo}` cannot be had", url::shown(address)),
            )
            .with_source(error)
            .with_hint("put the key into etc/pki/rpm-gpg of the node, and name it in `gpgkey`")
        };
        let available = self.universe.available.iter().find(|known| known.synced.repo.id == repo);
        let fallback = Client::new(Access::default());
        let client = available.map_or(&fallback, |known| &known.client);
        let name = format!("key-{}-{}", &sha256(address.as_bytes())[..16], std::process::id());
        let path = self.cache.root().join("keys").join(name);
        let want = Want { urls: vec![address.to_owned()], path, digest: None, size: None, limit: MAX_KEY };
        let content = fetch::fetch(client, &want, &|_, _| {}).and_then(|()| {
            fs::read(&want.path)
                .map_err(|error| PackagesError::io(format!("read({})", want.path.display()), error))
        });
        let _ = fs::remove_file(&want.path);
        content.map_err(fail)
    }
}

fn want(source: &PackageSource, path: PathBuf, nevra: &str) -> Result<Want> {
    let digest = match &source.checksum {
        Some((algorithm, hex)) => Some(Digest::new(algorithm, hex).ok_or_else(|| {
            let message = format!(
                "{nevra}: the repository `{}` gives a checksum ({algorithm}) that cannot be relied on",
                source.repo
            );
            PackagesError::new(Kind::Integrity, message)
        })?),
        None => None,
    };
    let size = Some(source.size).filter(|size| *size > 0);
    Ok(Want { urls: source.urls.clone(), path, digest, size, limit: MAX_PACKAGE })
}

fn verify_in_place(want: &Want) -> Result<()> {
    let fail = |error| PackagesError::io(format!("open({})", want.path.display()), error);
    let mut file = File::open(&want.path).map_err(fail)?;
    let right = match &want.digest {
        Some(digest) => digest.matches(&mut file).map_err(fail)?,
        None => true,
    };
    match right {
        true => Ok(()),
        false => Err(PackagesError::new(
            Kind::Integrity,
            format!("{} is not what the repository's metadata says", want.path.display()),
        )
        .with_hint("the repository was changed without `createrepo_c`, or the file was altered")),
    }
}
