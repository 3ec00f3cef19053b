//! What a generation says of itself: `manifest.json`.

use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::dir::{Dir, errno_of};
use crate::error::{Error, ErrorKind, Result};

/// Version of the format that is written; a newer one is refused.
pub const MANIFEST_VERSION: u32 = 1;

/// The file's name in a generation.
pub const MANIFEST_FILE: &str = "manifest.json";

/// A manifest larger than this is not one: 60,000 packages need about 10 MiB.
const LIMIT: u64 = 256 << 20;

/// A generation's manifest. What the caller adds stands beside these keys, in the same object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub version: u32,
    /// The generation's number.
    pub number: u64,
    /// The generation that was current before it.
    pub parent: Option<u64>,
    /// When it was committed: milliseconds since 1970.
    pub timestamp: u64,
    /// The command line that made it, for people.
    pub command: String,
    /// What packages it holds, and all else that the caller records.
    #[serde(flatten)]
    pub payload: Map<String, Value>,
}

/// The part that every version has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Manifest {
    /// Reads the manifest of the generation in `dir`.
    pub(crate) fn read(dir: &Dir) -> Result<Self> {
        let mut text = Vec::new();
        dir.open_file(MANIFEST_FILE)?
            .take(LIMIT + 1)
            .read_to_end(&mut text)
            .map_err(|e| dir.failed("read", &[MANIFEST_FILE.as_ref()], errno_of(&e)))?;
        if text.len() as u64 > LIMIT {
            return Err(Error::damaged(&dir.join(MANIFEST_FILE), "is larger than a manifest can be"));
        }
        Self::parse(&text, &dir.join(MANIFEST_FILE))
    }

    fn parse(text: &[u8], path: &Path) -> Result<Self> {
        let Versioned { version } = serde_json::from_slice(text).map_err(|e| Error::damaged(path, e))?;
        if version > MANIFEST_VERSION {
            let text =
                format!("{}: has version {version}, this redpak reads {MANIFEST_VERSION}", path.display());
            return Err(
                Error::new(ErrorKind::Newer, text).with_hint("use the redpak that wrote it, or a newer one")
            );
        }
        serde_json::from_slice(text).map_err(|e| Error::damaged(path, e))
    }

    pub(crate) fn write(&self, dir: &Dir) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::damaged(&dir.join(MANIFEST_FILE), format!("cannot be written: {e}")))?;
        text.push(b'\n');
        dir.write_file(MANIFEST_FILE, &text, 0o644)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Manifest> {
        Manifest::parse(text.as_bytes(), Path::new("/n/.redpak/gen/7/manifest.json"))
    }

    #[test]
    fn what_the_caller_adds_is_flat_and_survives() {
        let text = r#"{"version":1,"number":7,"parent":6,"timestamp":5,"command":"x",
                       "packages":[{"name":"a","reason":"user"}],"rpmdb":null}"#;
        let manifest = parse(text).unwrap();
        assert_eq!(manifest.payload["packages"][0]["reason"], "user");
        let again: Value = serde_json::to_value(&manifest).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn a_newer_version_is_refused_even_when_it_looks_different() {
        assert_eq!(parse(r#"{"version":2,"more":[]}"#).unwrap_err().kind(), ErrorKind::Newer);
        assert_eq!(parse(r#"{"version":1}"#).unwrap_err().kind(), ErrorKind::Damaged);
        assert_eq!(parse("{").unwrap_err().kind(), ErrorKind::Damaged);
    }
}
