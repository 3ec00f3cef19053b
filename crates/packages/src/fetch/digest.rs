//! Checksums that metadata gives for files.

use std::fs::File;
use std::io::{self, Read};

use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

/// A checksum: algorithm and hexadecimal digest, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Name of the algorithm, as metadata writes it.
    pub algorithm: String,
    /// The digest.
    pub hex: String,
}

impl Digest {
    /// A digest of an algorithm that withstands forgery; `None` for `md5`, `sha` (SHA-1) and unknown ones, and for
    /// text that is no digest.
    pub fn new(algorithm: &str, hex: &str) -> Option<Self> {
        let length = match algorithm {
            "sha224" => 56,
            "sha256" => 64,
            "sha384" => 96,
            "sha512" => 128,
            _ => return None,
        };
        let hex = hex.trim().to_ascii_lowercase();
        (hex.len() == length && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .then(|| Self { algorithm: algorithm.to_owned(), hex })
    }

    /// Something to feed content to.
    pub fn hasher(&self) -> Hasher {
        match self.algorithm.as_str() {
            "sha224" => Hasher::Sha224(Sha224::new()),
            "sha384" => Hasher::Sha384(Sha384::new()),
            "sha512" => Hasher::Sha512(Sha512::new()),
            _ => Hasher::Sha256(Sha256::new()),
        }
    }

    /// Whether a file, read from its beginning, has this digest.
    pub fn matches(&self, file: &mut File) -> io::Result<bool> {
        let mut hasher = self.hasher();
        hasher.read(file)?;
        Ok(hasher.finish() == self.hex)
    }
}

/// A running checksum.
pub enum Hasher {
    /// SHA-224
    Sha224(Sha224),
    /// SHA-256
    Sha256(Sha256),
    /// SHA-384
    Sha384(Sha384),
    /// SHA-512
    Sha512(Sha512),
}

impl Hasher {
    /// Adds content.
    pub fn update(&mut self, data: &[u8]) {
        match self {
            Self::Sha224(state) => state.update(data),
            Self::Sha256(state) => state.update(data),
            Self::Sha384(state) => state.update(data),
            Self::Sha512(state) => state.update(data),
        }
    }

    /// Adds all that is left of a stream; returns its length.
    pub fn read(&mut self, stream: &mut dyn Read) -> io::Result<u64> {
        let mut buffer = vec![0; 1 << 16];
        let mut total = 0;
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(total),
                count => {
                    self.update(&buffer[..count]);
                    total += count as u64;
                }
            }
        }
    }

    /// The digest in hexadecimal.
    pub fn finish(self) -> String {
        match self {
            Self::Sha224(state) => hex(&state.finalize()),
            Self::Sha256(state) => hex(&state.finalize()),
            Self::Sha384(state) => hex(&state.finalize()),
            Self::Sha512(state) => hex(&state.finalize()),
        }
    }
}

/// The SHA-256 of a text, in hexadecimal: a name for it.
pub fn sha256(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_a_known_text() {
        // The digests of "abc", from FIPS 180-4's examples.
        for (algorithm, hex) in [
            ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ("sha224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
        ] {
            let digest = Digest::new(algorithm, hex).expect("a digest");
            let mut hasher = digest.hasher();
            hasher.update(b"abc");
            assert_eq!(hasher.finish(), hex, "{algorithm}");
        }
    }

    #[test]
    fn weak_and_wrong_digests_are_none() {
        for (algorithm, hex) in [
            ("md5", "900150983cd24fb0d6963f7d28e17f72"),
            ("sha", &"0".repeat(40)),
            ("sha256", "12"),
            ("sha256", &"g".repeat(64)),
        ] {
            assert_eq!(Digest::new(algorithm, hex), None, "{algorithm}");
        }
    }
}
