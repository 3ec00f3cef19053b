//! Makes the table of pages for `redconf explain` out of docs/codes/RPxxxx.md.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/codes");
    println!("cargo::rerun-if-changed={}", pages.display());
    println!("cargo::rerun-if-changed=build.rs");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&pages)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", pages.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| code(path).is_some())
        .collect();
    files.sort();
    let mut table = String::from("&[\n");
    for path in &files {
        let code = code(path).unwrap_or_default();
        writeln!(table, "    ({code:?}, include_str!({:?})),", path.display().to_string()).expect("a String");
    }
    table.push(']');
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("pages.rs");
    std::fs::write(&out, table).unwrap_or_else(|error| panic!("cannot write {}: {error}", out.display()));
}

/// `RP0303` for `…/RP0303.md`.
fn code(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".md")?;
    let digits = name.strip_prefix("RP")?;
    (digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| name.to_owned())
}
