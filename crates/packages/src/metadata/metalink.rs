//! Lists of mirrors: plain ones, and metalink (RFC 5854's predecessor 3.0, as MirrorManager writes it).

use quick_xml::Reader;
use quick_xml::events::Event;

use super::repomd::{attribute, entity, local_name};
use crate::fetch::Digest;

/// Mirrors, and what the `repomd.xml` there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirrors {
    /// URLs of the repository, the preferred first, each ending with a slash.
    pub base: Vec<String>,
    /// Digests that a `repomd.xml` may have; any when empty.
    pub repomd: Vec<Digest>,
}

impl Mirrors {
    /// Reads a plain list: a URL a line, comments with `#`.
    pub fn plain(text: &str) -> Self {
        let base = text
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("http://") || line.starts_with("https://"))
            .map(|line| if line.ends_with('/') { line.to_owned() } else { format!("{line}/") })
            .collect();
        Self { base, repomd: Vec::new() }
    }

    /// Reads a metalink. The error says what is wrong, without the file's name.
    pub fn metalink(text: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(text);
        let mut found: Vec<(u32, String)> = Vec::new();
        let (mut repomd, mut value, mut kind, mut preference) = (Vec::new(), String::new(), String::new(), 0);
        let mut of_repomd = false;
        loop {
            match reader.read_event().map_err(|error| format!("not XML: {error}"))? {
                Event::Start(start) => {
                    value.clear();
                    match local_name(&start).as_str() {
                        "file" => of_repomd = attribute(&start, "name").as_deref() == Some("repomd.xml"),
                        "hash" => kind = attribute(&start, "type").unwrap_or_default(),
                        "url" => {
                            preference =
                                attribute(&start, "preference").and_then(|p| p.parse().ok()).unwrap_or(0);
                        }
                        _ => {}
                    }
                }
                Event::Text(text) => value.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => value.push_str(&entity(&reference)?),
                Event::End(end) if of_repomd => match end.local_name().as_ref() {
                    "hash" => repomd.extend(Digest::new(&kind, &value)),
                    "url" => {
                        let url = value.trim().strip_suffix("repodata/repomd.xml");
                        let url = url.filter(|url| url.starts_with("http://") || url.starts_with("https://"));
                        found.extend(url.map(|url| (preference, url.to_owned())));
                    }
                    _ => {}
                },
                Event::Eof => break,
                _ => {}
            }
        }
        if repomd.is_empty() {
            return Err("no sha256 or sha512 of repomd.xml in the metalink".into());
        }
        // The sort is stable: equals keep the server's order.
        found.sort_by_key(|(preference, _)| std::cmp::Reverse(*preference));
        Ok(Self { base: found.into_iter().map(|(_, url)| url).collect(), repomd })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_list() {
        let mirrors = Mirrors::plain("# mirrors\nhttps://a/os\n\nhttp://b/os/\nftp://c/\nfile:///etc/\n");
        assert_eq!(mirrors.base, ["https://a/os/", "http://b/os/"]);
    }

    #[test]
    fn a_metalink() {
        let sha = "0".repeat(64);
        let text = format!(
            "<metalink version=\"3.0\" xmlns=\"http://www.metalinker.org/\"><files><file name=\"repomd.xml\">\
             <verification><hash type=\"md5\">x</hash><hash type=\"sha256\">{sha}</hash></verification><resources>\
             <url protocol=\"http\" preference=\"90\">http://b/repodata/repomd.xml</url>\
             <url protocol=\"rsync\" preference=\"100\">rsync://c/repodata/repomd.xml</url>\
             <url protocol=\"https\" preference=\"100\">https://a/repodata/repomd.xml</url>\
             </resources></file></files></metalink>"
        );
        let mirrors = Mirrors::metalink(&text).expect("parses");
        assert_eq!(mirrors.base, ["https://a/", "http://b/"]);
        assert_eq!(mirrors.repomd.len(), 1);
        assert!(Mirrors::metalink("<metalink/>").is_err(), "without a digest");
    }
}
