//! `repomd.xml`: what metadata a repository has. Source: createrepo_c, and libsolv's `repo_repomdxml.c`.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::fetch::Digest;
use crate::fetch::url::is_plain_path;

/// A file of metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataFile {
    /// `primary`, `filelists`, `group`, …
    pub kind: String,
    /// Its place, relative to the repository; checked to lead nowhere else.
    pub href: String,
    /// Its checksum.
    pub digest: Option<Digest>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Its size in bytes once decompressed.
    pub open_size: Option<u64>,
    /// When it was made: seconds since 1970.
    pub timestamp: Option<u64>,
}

/// What metadata a repository has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repomd {
    /// `revision`, when it is a number.
    pub revision: Option<u64>,
    /// The files.
    pub data: Vec<DataFile>,
}

impl Repomd {
    /// Parses a `repomd.xml`. The error says what is wrong, without the file's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(text);
        let mut repomd = Self::default();
        let (mut current, mut element, mut algorithm): (Option<DataFile>, String, String) =
            Default::default();
        let (mut value, mut seen_root) = (String::new(), false);
        loop {
            match reader.read_event().map_err(|error| format!("not XML: {error}"))? {
                Event::Start(start) => {
                    element = local_name(&start);
                    value.clear();
                    match element.as_str() {
                        "repomd" => seen_root = true,
                        "data" => {
                            let kind = attribute(&start, "type").ok_or("a `data` without a type")?;
                            current = Some(DataFile { kind, ..DataFile::default() });
                        }
                        "checksum" => algorithm = attribute(&start, "type").unwrap_or_default(),
                        "location" => location(&start, current.as_mut())?,
                        _ => {}
                    }
                }
                Event::Empty(start) if local_name(&start) == "location" => {
                    location(&start, current.as_mut())?
                }
                Event::Text(text) => value.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => value.push_str(&entity(&reference)?),
                Event::End(end) => {
                    let name = end.local_name().as_ref().to_owned();
                    match (name.as_str(), current.as_mut()) {
                        ("data", Some(_)) => repomd.data.extend(current.take()),
                        ("revision", None) => repomd.revision = value.trim().parse().ok(),
                        (_, Some(data)) if name == element => field(data, &name, &algorithm, value.trim())?,
                        _ => {}
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        if !seen_root || repomd.data.is_empty() {
            return Err("not a repomd.xml".into());
        }
        Ok(repomd)
    }

    /// A file of metadata by its kind.
    pub fn file(&self, kind: &str) -> Option<&DataFile> {
        self.data.iter().find(|data| data.kind == kind)
    }

    /// How new it is: the newest of its timestamps, else its revision.
    pub fn age_mark(&self) -> Option<u64> {
        self.data.iter().filter_map(|data| data.timestamp).max().or(self.revision)
    }
}

fn location(start: &BytesStart, data: Option<&mut DataFile>) -> Result<(), String> {
    let href = attribute(start, "href").unwrap_or_default();
    if !is_plain_path(&href) || start.attributes().flatten().any(|a| a.key.local_name().as_ref() == "base") {
        return Err(format!("the location `{href}` leads out of the repository"));
    }
    if let Some(data) = data {
        data.href = href;
    }
    Ok(())
}

fn field(data: &mut DataFile, name: &str, algorithm: &str, value: &str) -> Result<(), String> {
    match name {
        "checksum" => match Digest::new(algorithm, value) {
            Some(digest) => data.digest = Some(digest),
            // Files that are not used may have any checksum.
            None if !matches!(
                data.kind.as_str(),
                "primary" | "filelists" | "group" | "group_gz" | "updateinfo"
            ) => {}
            None => {
                return Err(format!(
                    "`{algorithm}` is no checksum that can be relied on, or `{value}` is none"
                ));
            }
        },
        "size" => data.size = value.parse().ok(),
        "open-size" => data.open_size = value.parse().ok(),
        // Some tools write fractions.
        "timestamp" => data.timestamp = value.split('.').next().and_then(|seconds| seconds.parse().ok()),
        _ => {}
    }
    Ok(())
}

pub(super) fn local_name(start: &BytesStart) -> String {
    start.local_name().as_ref().to_owned()
}

pub(super) fn attribute(start: &BytesStart, name: &str) -> Option<String> {
    start.attributes().flatten().find(|attribute| attribute.key.local_name().as_ref() == name).map(
        |attribute| {
            let raw = attribute.value;
            quick_xml::escape::unescape(&raw)
                .map(|text| text.into_owned())
                .unwrap_or_else(|_| raw.to_string())
        },
    )
}

/// `&amp;` and its like; entities of the document's own are refused.
pub(super) fn entity(reference: &str) -> Result<String, String> {
    quick_xml::escape::unescape(&format!("&{reference};"))
        .map(|text| text.into_owned())
        .map_err(|_| format!("the entity `&{reference};` is not known"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "c1be2d63b171a9e1266f1a0d9385577927e56d6dfca97cd7e5942fdd430a621a";

    fn text(href: &str, algorithm: &str, digest: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><revision>17</revision>\
             <data type=\"primary\"><checksum type=\"{algorithm}\">{digest}</checksum>\
             <open-checksum type=\"sha256\">{SHA}</open-checksum><location href=\"{href}\"/>\
             <timestamp>1700000000.5</timestamp><size>54098</size><open-size>441939</open-size></data></repomd>"
        )
    }

    #[test]
    fn the_fields_of_a_file() {
        let repomd = Repomd::parse(&text("repodata/p.xml.gz", "sha256", SHA)).expect("parses");
        assert_eq!((repomd.revision, repomd.age_mark()), (Some(17), Some(1_700_000_000)));
        let primary = repomd.file("primary").expect("a primary");
        assert_eq!(primary.href, "repodata/p.xml.gz");
        assert_eq!(primary.digest.as_ref().map(|d| d.hex.as_str()), Some(SHA));
        assert_eq!((primary.size, primary.open_size), (Some(54098), Some(441_939)));
    }

    #[test]
    fn what_cannot_be_relied_on_is_refused() {
        for text in [
            text("../p.xml.gz", "sha256", SHA),
            text("http://h/p.xml.gz", "sha256", SHA),
            text("p.xml.gz", "md5", "900150983cd24fb0d6963f7d28e17f72"),
            text("p.xml.gz", "sha256", "short"),
            text("p.xml.gz\" xml:base=\"http://evil/", "sha256", SHA),
            "<html><body>404</body></html>".to_owned(),
            "<repomd><data>".to_owned(),
            String::new(),
        ] {
            assert!(Repomd::parse(&text).is_err(), "{text}");
        }
    }
}
