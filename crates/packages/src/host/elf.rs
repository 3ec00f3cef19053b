//! What a shared library provides: its soname and the versions of its symbols, as RPM's `elfdeps` writes them.
//!
//! Formats: elf(5); version definitions as in the Linux Standard Base, "Symbol Versioning". Files are foreign: every
//! offset is checked, and what does not fit is no library.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Dynamic sections and string tables are not larger than this.
const MAX_PART: u64 = 16 << 20;
/// A library has no more versions than this.
const MAX_VERSIONS: usize = 10_000;

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const DT_STRTAB: u64 = 5;
const DT_STRSZ: u64 = 10;
const DT_SONAME: u64 = 14;
const DT_VERDEF: u64 = 0x6fff_fffc;
const DT_VERDEFNUM: u64 = 0x6fff_fffd;
const VER_FLG_BASE: u64 = 1;
const ET_DYN: u64 = 3;

/// What a library is called, and what it provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// `DT_SONAME`.
    pub soname: String,
    /// Versions that it defines, the file's own left out.
    pub versions: Vec<String>,
    /// 64 bits.
    pub wide: bool,
    /// `e_machine`
    pub machine: u16,
}

impl Library {
    /// RPM's texts for it: `libc.so.6()(64bit)`, `libc.so.6(GLIBC_2.34)(64bit)`.
    pub fn provides(&self) -> Vec<String> {
        let soname = &self.soname;
        let plain = if self.wide { format!("{soname}()(64bit)") } else { soname.clone() };
        let mark = if self.wide { "(64bit)" } else { "" };
        std::iter::once(plain)
            .chain(self.versions.iter().map(|version| format!("{soname}({version}){mark}")))
            .collect()
    }
}

/// Reads a shared library; `None` for anything else.
pub fn read(file: &File) -> Option<Library> {
    let mut ident = [0; 64];
    file.read_exact_at(&mut ident, 0).ok()?;
    if ident[..4] != *b"\x7fELF" {
        return None;
    }
    let elf = Elf { file, wide: ident[4] == 2, little: ident[5] == 1 };
    if !(1..=2).contains(&ident[4]) || !(1..=2).contains(&ident[5]) || elf.number(&ident, 16, 2)? != ET_DYN {
        return None;
    }
    let machine = u16::try_from(elf.number(&ident, 18, 2)?).ok()?;
    let (offset, size, count) = match elf.wide {
        true => (elf.number(&ident, 32, 8)?, elf.number(&ident, 54, 2)?, elf.number(&ident, 56, 2)?),
        false => (elf.number(&ident, 28, 4)?, elf.number(&ident, 42, 2)?, elf.number(&ident, 44, 2)?),
    };
    let headers = elf.part(offset, size.checked_mul(count)?)?;
    let segments: Vec<Segment> = headers
        .chunks_exact(usize::try_from(size).ok().filter(|size| *size >= 32)?)
        .map(|header| elf.segment(header))
        .collect::<Option<_>>()?;
    let dynamic = segments.iter().find(|segment| segment.kind == PT_DYNAMIC)?;
    let entries = elf.dynamic(&elf.part(dynamic.offset, dynamic.size)?);
    let value = |tag: u64| entries.iter().find(|entry| entry.0 == tag).map(|entry| entry.1);
    let strings = elf.part(place(&segments, value(DT_STRTAB)?)?, value(DT_STRSZ)?)?;
    let soname = string(&strings, value(DT_SONAME)?)?;
    let versions = match (value(DT_VERDEF), value(DT_VERDEFNUM)) {
        (Some(at), Some(count)) => elf.versions(place(&segments, at)?, count, &strings).unwrap_or_default(),
        _ => Vec::new(),
    };
    Some(Library { soname, versions, wide: elf.wide, machine })
}

struct Elf<'f> {
    file: &'f File,
    wide: bool,
    little: bool,
}

struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

impl Elf<'_> {
    fn number(&self, data: &[u8], at: usize, size: usize) -> Option<u64> {
        let bytes = data.get(at..at.checked_add(size)?)?;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) })
    }

    fn part(&self, offset: u64, size: u64) -> Option<Vec<u8>> {
        if size > MAX_PART {
            return None;
        }
        let mut data = vec![0; usize::try_from(size).ok()?];
        self.file.read_exact_at(&mut data, offset).ok()?;
        Some(data)
    }

    fn segment(&self, header: &[u8]) -> Option<Segment> {
        let kind = self.number(header, 0, 4)?;
        let (offset, address, size) = match self.wide {
            true => (self.number(header, 8, 8)?, self.number(header, 16, 8)?, self.number(header, 32, 8)?),
            false => (self.number(header, 4, 4)?, self.number(header, 8, 4)?, self.number(header, 16, 4)?),
        };
        Some(Segment { kind, offset, address, size })
    }

    fn dynamic(&self, data: &[u8]) -> Vec<(u64, u64)> {
        let word = if self.wide { 8 } else { 4 };
        data.chunks_exact(2 * word)
            .map_while(|entry| Some((self.number(entry, 0, word)?, self.number(entry, word, word)?)))
            .take_while(|entry| entry.0 != 0)
            .collect()
    }

    fn versions(&self, mut at: u64, count: u64, strings: &[u8]) -> Option<Vec<String>> {
        let mut versions = Vec::new();
        for _ in 0..count.min(MAX_VERSIONS as u64) {
            let definition = self.part(at, 20)?;
            let (flags, aux, next) = (
                self.number(&definition, 2, 2)?,
                self.number(&definition, 12, 4)?,
                self.number(&definition, 16, 4)?,
            );
            // The first name is the version; those after it are its ancestors.
            let name = self.part(at.checked_add(aux)?, 8)?;
            if flags & VER_FLG_BASE == 0 {
                versions.push(string(strings, self.number(&name, 0, 4)?)?);
            }
            if next == 0 {
                break;
            }
            at = at.checked_add(next)?;
        }
        Some(versions)
    }
}

/// Where an address lies in the file.
fn place(segments: &[Segment], address: u64) -> Option<u64> {
    let segment = segments.iter().find(|segment| {
        segment.kind == PT_LOAD && address.checked_sub(segment.address).is_some_and(|at| at < segment.size)
    })?;
    segment.offset.checked_add(address - segment.address)
}

fn string(strings: &[u8], at: u64) -> Option<String> {
    let rest = strings.get(usize::try_from(at).ok()?..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let text = std::str::from_utf8(&rest[..end]).ok()?;
    // A dependency is a word.
    (!text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control()))
        .then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// What RPM's own generator says, as `rpmbuild` would.
    fn elfdeps(path: &Path) -> Option<Vec<String>> {
        let program = ["/usr/lib/rpm/elfdeps", "/usr/libexec/rpm/elfdeps"]
            .into_iter()
            .find(|p| Path::new(p).exists())?;
        let output = Command::new(program).arg("--provides").arg(path).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    #[test]
    fn libraries_are_read_as_rpm_reads_them() {
        let mut compared = 0;
        for directory in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"] {
            let Ok(entries) = std::fs::read_dir(directory) else { continue };
            for path in
                entries.flatten().map(|entry| entry.path()).filter(|p| p.to_string_lossy().contains(".so."))
            {
                if compared >= 60 || path.is_symlink() {
                    continue;
                }
                let Some(mut expected) = elfdeps(&path) else {
                    assert!(std::env::var_os("REDPAK_MUST_WORK").is_none(), "no elfdeps");
                    println!("SKIP: no elfdeps of rpm");
                    return;
                };
                let mut got =
                    File::open(&path).ok().and_then(|f| read(&f)).map(|l| l.provides()).unwrap_or_default();
                if got.is_empty() {
                    // Without DT_SONAME, rpm takes the file's name; a loader finds no library by that.
                    continue;
                }
                got.sort();
                expected.sort();
                expected.dedup();
                got.dedup();
                assert_eq!(got, expected, "{}", path.display());
                compared += 1;
            }
        }
        assert!(compared > 0, "no library was compared");
    }

    #[test]
    fn what_is_no_library_is_none() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x");
        let real = std::fs::read("/proc/self/exe").expect("this program");
        for content in [b"".to_vec(), b"\x7fELF".to_vec(), vec![0xff; 4096], real[..200].to_vec()] {
            std::fs::write(&path, &content).expect("writable");
            assert_eq!(read(&File::open(&path).expect("there")), None, "{} bytes", content.len());
        }
    }

    #[test]
    fn damaged_libraries_do_no_harm() {
        let Some(path) =
            ["/lib/x86_64-linux-gnu/libz.so.1", "/lib/aarch64-linux-gnu/libz.so.1", "/lib64/libz.so.1"]
                .into_iter()
                .find(|path| Path::new(path).exists())
        else {
            println!("SKIP: no libz to damage");
            return;
        };
        let real = std::fs::read(path).expect("readable");
        let directory = tempfile::tempdir().expect("a directory");
        let damaged = directory.path().join("x");
        // A fixed walk over the headers and a thin one over the rest: any panic fails the test.
        for at in (0..1024).chain((1024..real.len()).step_by(997)) {
            let mut content = real.clone();
            content[at] ^= 0xff;
            std::fs::write(&damaged, &content).expect("writable");
            let _ = read(&File::open(&damaged).expect("there"));
        }
    }
}
