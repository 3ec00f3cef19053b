//! The header structure of the RPM file format, read without librpm: packages are judged before it sees them.
//!
//! Source: "RPM Package format", rpm's docs/manual/format_header.md and format_v4.md. Stricter than librpm where two
//! readers could understand the same bytes differently: no tag stands twice, and the signed region is everything.

use std::fmt;

/// What begins a header: magic, version 1, four reserved bytes.
pub(crate) const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
/// Length of what stands before the index: [`MAGIC`], number of entries, length of the data.
pub(crate) const PREAMBLE: usize = 16;
const ENTRY: usize = 16;
/// librpm's own limit on entries.
const MAX_ENTRIES: usize = 0xffff;
/// A header of 200,000 files has about 20 MiB of data; librpm allows 256.
const MAX_DATA: usize = 64 << 20;

const BIN: u32 = 7;
const STRING: u32 = 6;
const STRING_ARRAY: u32 = 8;
const I18N_STRING: u32 = 9;

/// Tags of the main header (rpmtag.h).
pub(crate) mod tag {
    pub(crate) const REGION: u32 = 63;
    pub(crate) const NAME: u32 = 1000;
    pub(crate) const VERSION: u32 = 1001;
    pub(crate) const RELEASE: u32 = 1002;
    pub(crate) const EPOCH: u32 = 1003;
    pub(crate) const SIZE: u32 = 1009;
    pub(crate) const ARCH: u32 = 1022;
    pub(crate) const OLD_FILE_NAMES: u32 = 1027;
    pub(crate) const FILE_MODES: u32 = 1030;
    pub(crate) const FILE_LINK_TOS: u32 = 1036;
    pub(crate) const FILE_FLAGS: u32 = 1037;
    pub(crate) const FILE_USER_NAME: u32 = 1039;
    pub(crate) const FILE_GROUP_NAME: u32 = 1040;
    pub(crate) const SOURCE_RPM: u32 = 1044;
    pub(crate) const DIR_INDEXES: u32 = 1116;
    pub(crate) const BASE_NAMES: u32 = 1117;
    pub(crate) const DIR_NAMES: u32 = 1118;
    pub(crate) const LONG_SIZE: u32 = 5009;
    pub(crate) const FILE_CAPS: u32 = 5010;
    pub(crate) const PAYLOAD_DIGEST: u32 = 5092;
    pub(crate) const PAYLOAD_DIGEST_ALGORITHM: u32 = 5093;
}

/// Tags of the signature header (rpmtag.h).
pub(crate) mod signature_tag {
    pub(crate) const REGION: u32 = 62;
    pub(crate) const DSA_HEADER: u32 = 267;
    pub(crate) const RSA_HEADER: u32 = 268;
    pub(crate) const SHA256_HEADER: u32 = 273;
    pub(crate) const OPENPGP: u32 = 278;
}

/// Why bytes are not a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

fn malformed<T>(what: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(what.into()))
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u32,
    kind: u32,
    offset: usize,
    count: usize,
}

/// A header with its bytes, exactly as they stand in the file.
#[derive(Debug)]
pub(crate) struct Header {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    data: usize,
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// The length of a header from its first [`PREAMBLE`] bytes.
pub(crate) fn length(preamble: &[u8]) -> Result<usize, Malformed> {
    if preamble.get(..8) != Some(&MAGIC) {
        return malformed("no header where one should begin");
    }
    match (be32(preamble, 8), be32(preamble, 12)) {
        (Some(entries), Some(data))
            if entries as usize <= MAX_ENTRIES && data as usize <= MAX_DATA && entries > 0 =>
        {
            Ok(PREAMBLE + entries as usize * ENTRY + data as usize)
        }
        _ => malformed("a header of impossible size"),
    }
}

impl Header {
    /// Reads a header of a package file; `region` is the tag of the region that must hold all of it.
    pub(crate) fn parse(bytes: Vec<u8>, region: u32) -> Result<Self, Malformed> {
        if length(&bytes)? != bytes.len() {
            return malformed("a truncated header");
        }
        // `length` has read this field.
        let count = be32(&bytes, 8).unwrap_or(0) as usize;
        let data = PREAMBLE + count * ENTRY;
        let mut entries = Vec::with_capacity(count);
        for index in 0..count {
            let at = PREAMBLE + index * ENTRY;
            let field = |n: usize| be32(&bytes, at + 4 * n).unwrap_or(u32::MAX);
            entries.push(Entry {
                tag: field(0),
                kind: field(1),
                // A region's trailer has negative offsets; no other entry may.
                offset: field(2) as usize,
                count: field(3) as usize,
            });
        }
        let header = Self { bytes, entries, data };
        header.check_region(region)?;
        header.check_entries()?;
        Ok(header)
    }

    fn store(&self) -> &[u8] {
        &self.bytes[self.data..]
    }

    /// Everything in the header lies within its region: nothing can be added to what was signed.
    fn check_region(&self, region: u32) -> Result<(), Malformed> {
        let Some(first) = self.entries.first().filter(|entry| entry.tag == region) else {
            return malformed("no region at the header's beginning");
        };
        let store = self.store();
        let length = self.entries.len() * ENTRY;
        let trailer = store.get(first.offset..);
        let whole = first.kind == BIN
            && first.count == ENTRY
            && trailer.is_some_and(|trailer| {
                trailer.len() == ENTRY
                    && be32(trailer, 0) == Some(region)
                    && be32(trailer, 4) == Some(BIN)
                    && be32(trailer, 8) == u32::try_from(length).ok().map(u32::wrapping_neg)
                    && be32(trailer, 12) == Some(ENTRY as u32)
            });
        if whole { Ok(()) } else { malformed("a region that does not hold all of its header") }
    }

    fn check_entries(&self) -> Result<(), Malformed> {
        let mut tags: Vec<u32> = self.entries.iter().map(|entry| entry.tag).collect();
        tags.sort_unstable();
        if let Some(twice) = tags.windows(2).find(|pair| pair[0] == pair[1]) {
            return malformed(format!("tag {} twice", twice[0]));
        }
        for entry in &self.entries {
            if entry.count == 0 || !self.fits(entry) {
                return malformed(format!("tag {} lies outside of the header", entry.tag));
            }
        }
        Ok(())
    }

    fn fits(&self, entry: &Entry) -> bool {
        let store = self.store();
        let (width, align) = match entry.kind {
            1 | 2 | BIN => (1, 1),
            3 => (2, 2),
            4 => (4, 4),
            5 => (8, 8),
            STRING | STRING_ARRAY | I18N_STRING => {
                return (entry.kind != STRING || entry.count == 1)
                    && self.texts(entry).take(entry.count).count() == entry.count;
            }
            _ => return false,
        };
        entry.offset.is_multiple_of(align)
            && entry
                .count
                .checked_mul(width)
                .and_then(|length| length.checked_add(entry.offset))
                .is_some_and(|end| end <= store.len())
    }

    /// NUL-terminated texts from an entry's offset on; ends where one is not terminated.
    fn texts(&self, entry: &Entry) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.store().get(entry.offset..).unwrap_or_default();
        std::iter::from_fn(move || {
            let end = rest.iter().position(|byte| *byte == 0)?;
            let (text, after) = rest.split_at(end);
            rest = &after[1..];
            Some(text)
        })
    }

    fn entry(&self, tag: u32) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    /// The header's bytes as they are signed and digested.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn has(&self, tag: u32) -> bool {
        self.entry(tag).is_some()
    }

    pub(crate) fn binary(&self, tag: u32) -> Option<&[u8]> {
        let entry = self.entry(tag).filter(|entry| entry.kind == BIN)?;
        self.store().get(entry.offset..entry.offset + entry.count)
    }

    /// All texts of a tag; none when it is absent or of another type.
    pub(crate) fn strings(&self, tag: u32) -> Vec<&[u8]> {
        match self.entry(tag) {
            Some(entry) if matches!(entry.kind, STRING | STRING_ARRAY | I18N_STRING) => {
                self.texts(entry).take(entry.count).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The one text of a tag, when it is UTF-8.
    pub(crate) fn string(&self, tag: u32) -> Option<&str> {
        let entry =
            self.entry(tag).filter(|entry| matches!(entry.kind, STRING | STRING_ARRAY | I18N_STRING))?;
        self.texts(entry).next().and_then(|text| std::str::from_utf8(text).ok())
    }

    /// All numbers of a tag, of whatever width.
    pub(crate) fn numbers(&self, tag: u32) -> Vec<u64> {
        let Some(entry) = self.entry(tag) else { return Vec::new() };
        let width = match entry.kind {
            3 => 2,
            4 => 4,
            5 => 8,
            _ => return Vec::new(),
        };
        let bytes = self.store().get(entry.offset..entry.offset + entry.count * width).unwrap_or_default();
        let number = |chunk: &[u8]| chunk.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        bytes.chunks_exact(width).map(number).collect()
    }

    pub(crate) fn number(&self, tag: u32) -> Option<u64> {
        self.numbers(tag).first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with a region and these entries: tag, type, count, data.
    fn build(entries: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
        let mut data = Vec::new();
        let mut index = Vec::new();
        for (tag, kind, count, bytes) in entries {
            for field in [*tag, *kind, data.len() as u32, *count] {
                index.extend(field.to_be_bytes());
            }
            data.extend(*bytes);
        }
        let length = (entries.len() as u32 + 1) * 16;
        let mut region = Vec::new();
        for field in [tag::REGION, BIN, data.len() as u32, 16] {
            region.extend(field.to_be_bytes());
        }
        for field in [tag::REGION, BIN, length.wrapping_neg(), 16] {
            data.extend(field.to_be_bytes());
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend((entries.len() as u32 + 1).to_be_bytes());
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(region);
        bytes.extend(index);
        bytes.extend(data);
        bytes
    }

    fn parse(bytes: Vec<u8>) -> Result<Header, Malformed> {
        Header::parse(bytes, tag::REGION)
    }

    #[test]
    fn what_was_written_is_read() {
        let header = parse(build(&[
            (tag::EPOCH, 4, 1, &7_u32.to_be_bytes()),
            (tag::NAME, STRING, 1, b"tool\0"),
            (tag::BASE_NAMES, STRING_ARRAY, 2, b"a\0bc\0"),
        ]))
        .unwrap();
        assert_eq!(header.string(tag::NAME), Some("tool"));
        assert_eq!(header.strings(tag::BASE_NAMES), [b"a".as_slice(), b"bc"]);
        assert_eq!(header.number(tag::EPOCH), Some(7));
        assert!(!header.has(tag::ARCH));
        assert_eq!(header.string(tag::EPOCH), None);
    }

    #[test]
    fn bytes_that_two_readers_could_read_differently_are_refused() {
        let name: (u32, u32, u32, &[u8]) = (tag::NAME, STRING, 1, b"tool\0");
        let cases: [(&str, Vec<u8>); 7] = [
            ("twice", build(&[name, name])),
            ("unterminated", build(&[(tag::BASE_NAMES, STRING_ARRAY, 900, b"a\0")])),
            ("count", build(&[(tag::EPOCH, 4, 4000, &[0; 4])])),
            ("alignment", build(&[(tag::NAME, STRING, 1, b"to\0"), (tag::EPOCH, 4, 1, &[0; 4])])),
            ("type", build(&[(tag::NAME, 77, 1, b"tool\0")])),
            ("empty", build(&[(tag::NAME, STRING, 0, b"")])),
            ("huge", {
                let mut bytes = build(&[name]);
                bytes[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
                bytes
            }),
        ];
        for (what, bytes) in cases {
            assert!(parse(bytes).is_err(), "{what}");
        }
        // Data after the region, and an entry that the region does not count.
        let mut beside = build(&[name]);
        let length = be32(&beside, 12).unwrap() + 1;
        beside[12..16].copy_from_slice(&length.to_be_bytes());
        beside.push(0);
        assert!(parse(beside).is_err());
        let good = build(&[name]);
        for cut in 0..good.len() {
            assert!(parse(good[..cut].to_vec()).is_err(), "{cut}");
        }
        assert!(parse(good).is_ok());
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let good = build(&[(tag::EPOCH, 4, 1, &[0; 4]), (tag::BASE_NAMES, STRING_ARRAY, 2, b"a\0bc\0")]);
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = value;
                if let Ok(header) = parse(bytes) {
                    header.numbers(tag::EPOCH);
                    header.strings(tag::BASE_NAMES);
                    header.binary(tag::REGION);
                }
            }
        }
    }
}
