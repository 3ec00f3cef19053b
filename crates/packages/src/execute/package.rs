//! One package file on its way to librpm: copied, checked against metadata, digests and signature, and read.
//!
//! Source of the layout: rpm's docs/manual/format_v4.md: a lead of 96 bytes, the signature header padded to 8 bytes,
//! the header, the payload. Signatures count over the header; the header holds the payload's digest.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::SystemTime;

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::error::{ExecuteError, ExecuteErrorKind, Result};
use super::header::{self, Header, Malformed, signature_tag, tag};
use super::keys::Certificates;
use super::payload::{PayloadFile, files};
use super::sealed::{Copier, Observer};
use crate::transaction::{Nevra, PackageSource, Step};

const LEAD: usize = 96;
const LEAD_MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];

/// A package that may be installed, as far as the package itself goes.
pub(crate) struct VerifiedPackage {
    /// Which it is, as its header says.
    pub(crate) nevra: Nevra,
    /// What it installs.
    pub(crate) files: Vec<PayloadFile>,
    /// Installed size in bytes.
    pub(crate) size: u64,
    copy: OwnedFd,
}

impl AsFd for VerifiedPackage {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.copy.as_fd()
    }
}

/// What packages are checked with.
pub(crate) struct Verifier<'a> {
    pub(crate) copier: Copier<'a>,
    /// The content of each key URL.
    pub(crate) keys: &'a HashMap<String, Vec<u8>>,
    pub(crate) now: SystemTime,
}

impl Verifier<'_> {
    /// Copies a step's package and checks everything on the copy.
    pub(crate) fn verify(&self, step: &Step, source: &PackageSource) -> Result<VerifiedPackage> {
        let refuse = |kind, what: String| {
            let text = format!("{} ({}): {what}", step.nevra, source.path.display());
            ExecuteError::new(kind, text)
        };
        let integrity = |what: String| {
            refuse(ExecuteErrorKind::Integrity, what)
                .with_hint("the file was altered or damaged; `clean packages` and try again")
        };
        let mut checksum = Checksum::expected(source).map_err(integrity)?;
        let (copy, size) = self.copier.copy(&source.path, &mut checksum)?;
        if source.size != 0 && source.size != size {
            return Err(integrity(format!("has {size} bytes, and {} in the repository", source.size)));
        }
        checksum.check().map_err(integrity)?;
        let file = File::from(copy);
        let parts = Parts::read(&file).map_err(|e| integrity(e.to_string()))?;
        parts.check_digests(&file).map_err(integrity)?;
        if source.gpgcheck {
            self.check_signature(&parts, source).map_err(|what| {
                refuse(ExecuteErrorKind::Signature, what).with_hint(
                    "get the package from a repository whose key you trust, or insist with `--no-gpgchecks`",
                )
            })?;
        }
        let nevra = parts.nevra().map_err(|e| integrity(e.to_string()))?;
        if nevra != step.nevra {
            return Err(integrity(format!("holds {nevra}")));
        }
        let (files, size) = (files(&parts.header), parts.installed_size());
        let files = files.map_err(|e| refuse(ExecuteErrorKind::Payload, e.to_string()))?;
        Ok(VerifiedPackage { nevra, files, size, copy: file.into() })
    }

    fn check_signature(&self, parts: &Parts, source: &PackageSource) -> std::result::Result<(), String> {
        let mut certificates = Certificates::default();
        for url in &source.keys {
            if let Some(material) = self.keys.get(url) {
                certificates.add(
                    Certificates::parse(material).map_err(|e| format!("key {url} cannot be read: {e}"))?,
                );
            }
        }
        if certificates.is_empty() {
            return Err(format!("repository {} has no key to check it with", source.repo));
        }
        let signatures = parts.signatures();
        let mut refused = "is not signed".to_owned();
        for signature in signatures {
            match certificates.verify(&signature, parts.header.bytes(), self.now) {
                Ok(_) => return Ok(()),
                Err(why) => refused = why.to_string(),
            }
        }
        Err(refused)
    }
}

/// The two headers of a package file, and where its payload begins.
pub(crate) struct Parts {
    signature: Header,
    pub(crate) header: Header,
    payload: u64,
}

impl Parts {
    /// Reads them from the beginning of a file.
    pub(crate) fn read(file: &File) -> std::result::Result<Self, Malformed> {
        let lead = read_exactly(file, 0, LEAD)?;
        if lead.get(..4) != Some(&LEAD_MAGIC) {
            return Err(Malformed("not an RPM package".into()));
        }
        let (signature, end) = read_header(file, LEAD as u64, signature_tag::REGION)?;
        let (header, payload) = read_header(file, end.next_multiple_of(8), tag::REGION)?;
        if !header.has(tag::SOURCE_RPM) {
            return Err(Malformed("a source package".into()));
        }
        Ok(Self { signature, header, payload })
    }

    /// The header's digest, and the payload's that stands in the header.
    fn check_digests(&self, file: &File) -> std::result::Result<(), String> {
        if let Some(expected) = self.signature.string(signature_tag::SHA256_HEADER)
            && hex(&Sha256::digest(self.header.bytes())) != expected
        {
            return Err("its header is not what its digest says".into());
        }
        let Some(expected) = self.header.string(tag::PAYLOAD_DIGEST) else {
            return Err("has no digest of its payload: it was built by an rpm older than 4.14".into());
        };
        let mut digest = match self.header.number(tag::PAYLOAD_DIGEST_ALGORITHM) {
            // Numbers of hash algorithms: RFC 9580, 9.5.
            Some(8) => Hasher::Sha256(Sha256::new()),
            Some(9) => Hasher::Sha384(Sha384::new()),
            Some(10) => Hasher::Sha512(Sha512::new()),
            other => return Err(format!("its payload's digest is of kind {other:?}")),
        };
        let mut buffer = vec![0; 256 << 10];
        let mut at = self.payload;
        loop {
            match file.read_at(&mut buffer, at) {
                Ok(0) => break,
                Ok(read) => {
                    digest.update(&buffer[..read]);
                    at += read as u64;
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(format!("cannot be read: {e}")),
            }
        }
        if digest.finish() == expected {
            Ok(())
        } else {
            Err("its payload is not what its header says".into())
        }
    }

    /// OpenPGP signatures over the header.
    fn signatures(&self) -> Vec<Vec<u8>> {
        let old = [signature_tag::RSA_HEADER, signature_tag::DSA_HEADER];
        let mut found: Vec<Vec<u8>> =
            old.into_iter().filter_map(|tag| self.signature.binary(tag)).map(<[u8]>::to_vec).collect();
        for text in self.signature.strings(signature_tag::OPENPGP) {
            found.extend(decode_base64(text));
        }
        found
    }

    /// Name, epoch, version, release, architecture.
    pub(crate) fn nevra(&self) -> std::result::Result<Nevra, Malformed> {
        let text = |tag, what: &str| {
            let found = self.header.string(tag).filter(|text| {
                !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"/\\\"'".contains(c))
            });
            found.map(str::to_owned).ok_or_else(|| Malformed(format!("no usable {what}")))
        };
        let epoch = self.header.number(tag::EPOCH).unwrap_or(0);
        Ok(Nevra {
            name: text(tag::NAME, "name")?,
            epoch: u32::try_from(epoch).map_err(|_| Malformed("an impossible epoch".into()))?,
            version: text(tag::VERSION, "version")?,
            release: text(tag::RELEASE, "release")?,
            arch: text(tag::ARCH, "architecture")?,
        })
    }

    fn installed_size(&self) -> u64 {
        self.header.number(tag::LONG_SIZE).or_else(|| self.header.number(tag::SIZE)).unwrap_or(0)
    }
}

fn read_exactly(file: &File, at: u64, length: usize) -> std::result::Result<Vec<u8>, Malformed> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, at).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => Malformed("a truncated package".into()),
        _ => Malformed(format!("cannot be read: {e}")),
    })?;
    Ok(bytes)
}

fn read_header(file: &File, at: u64, region: u32) -> std::result::Result<(Header, u64), Malformed> {
    let length = header::length(&read_exactly(file, at, header::PREAMBLE)?)?;
    Ok((Header::parse(read_exactly(file, at, length)?, region)?, at + length as u64))
}

enum Hasher {
    Sha224(Sha224),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha224(digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
            Self::Sha384(digest) => digest.update(bytes),
            Self::Sha512(digest) => digest.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Sha224(digest) => hex(&digest.finalize()),
            Self::Sha256(digest) => hex(&digest.finalize()),
            Self::Sha384(digest) => hex(&digest.finalize()),
            Self::Sha512(digest) => hex(&digest.finalize()),
        }
    }
}

/// The digest that a repository's metadata has for the file.
struct Checksum {
    hasher: Option<Hasher>,
    expected: String,
}

impl Checksum {
    fn expected(source: &PackageSource) -> std::result::Result<Self, String> {
        let Some((algorithm, expected)) = &source.checksum else {
            return Ok(Self { hasher: None, expected: String::new() });
        };
        let hasher = match algorithm.to_ascii_lowercase().as_str() {
            "sha224" => Hasher::Sha224(Sha224::new()),
            "sha256" => Hasher::Sha256(Sha256::new()),
            "sha384" => Hasher::Sha384(Sha384::new()),
            "sha512" => Hasher::Sha512(Sha512::new()),
            other => {
                return Err(format!("its repository's checksum is of kind {other}, which is not accepted"));
            }
        };
        Ok(Self { hasher: Some(hasher), expected: expected.to_ascii_lowercase() })
    }

    fn check(self) -> std::result::Result<(), String> {
        match self.hasher.map(Hasher::finish) {
            Some(found) if found != self.expected => {
                Err(format!("has checksum {found}, and {} in the repository", self.expected))
            }
            _ => Ok(()),
        }
    }
}

impl Observer for Checksum {
    fn bytes(&mut self, bytes: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of what a reader gives, and how many bytes that was.
pub(crate) fn sha256_of(mut reader: impl Read) -> std::io::Result<(String, u64)> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut size = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok((hex(&digest.finalize()), size)),
            Ok(read) => {
                digest.update(&buffer[..read]);
                size += read as u64;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// RFC 4648, white space left out; nothing when it is not that.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

/// The path of a descriptor for a library that knows only paths.
pub(crate) fn descriptor_path(number: i32) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_and_nothing_else() {
        assert_eq!(decode_base64(b"aGVs\nbG8=").unwrap(), b"hello");
        assert_eq!(decode_base64(b"").unwrap(), b"");
        assert_eq!(decode_base64(b"a-b"), None);
    }

    #[test]
    fn checksums_that_do_not_prove_anything_are_refused() {
        let source = |algorithm: &str| PackageSource {
            repo: "r".into(),
            urls: vec![],
            path: "/p".into(),
            checksum: Some((algorithm.into(), "ab".into())),
            size: 0,
            gpgcheck: false,
            keys: vec![],
        };
        assert!(Checksum::expected(&source("sha")).is_err());
        assert!(Checksum::expected(&source("md5")).is_err());
        assert!(Checksum::expected(&source("SHA256")).unwrap().check().is_err());
    }
}
