//! The pages of `docs/codes`: each code of each crate has one, the index lists them all, and the commands that a page
//! shows print what it shows. `REDPAK_BLESS=1` writes the index and the outputs that are found.
//!
//! A page's `sh example` is run in a root node and a child (`/var/redpak`, `/var/redpak/child`) of the default models;
//! its `text output` is what it prints, where `…` stands for any text, and a line `…` for any lines. `sh mended` is run
//! after it, must end well, and must not print the code. Examples of files alone are judged by
//! `crates/model/tests/codes.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use redpak_tests::{bin, is_root, repository, skip};

/// Stands for any text.
const ANY: &str = "…";
/// The demonstration's repository, as pages call it.
const DEMO: &str = "/srv/demo";
/// Codes whose example is told and not run: it needs a broken disk, a race, or a package made for it.
const TOLD: [&str; 18] = [
    "RP0315", "RP0624", "RP0701", "RP0702", "RP0703", "RP0705", "RP0706", "RP0707", "RP0708", "RP0801",
    "RP0802", "RP0804", "RP0805", "RP0806", "RP0807", "RP0808", "RP0809", "RP0810",
];

/// The top of the source tree.
fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether the pages and sources can be read: an ordinary user may not reach the tree.
fn sources() -> bool {
    std::fs::read_dir(tree().join("docs/codes")).is_ok() || is_root("the pages of docs/codes")
}

fn blessing() -> bool {
    std::env::var_os("REDPAK_BLESS").is_some_and(|value| value == "1")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A page.
struct Page {
    code: String,
    title: String,
    path: PathBuf,
    text: String,
    blocks: BTreeMap<String, String>,
}

impl Page {
    fn read(path: &Path) -> Self {
        let code = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = read(path);
        let first = text.lines().next().unwrap_or_default();
        let title = first.strip_prefix(&format!("# {code}: ")).unwrap_or_else(|| panic!("{code}: {first}"));
        let title = title.to_owned();
        let mut blocks = BTreeMap::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(info) = line.strip_prefix("```") else { continue };
            let name = info.split_whitespace().nth(1).unwrap_or_default().to_owned();
            let body =
                lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            blocks.insert(name, body);
        }
        Self { code, title, path: path.to_owned(), text, blocks }
    }

    /// How grave its findings are, as its output shows.
    fn severity(&self) -> &'static str {
        let output = self.blocks.get("output").map_or("", String::as_str);
        ["error", "warning", "note"]
            .into_iter()
            .find(|severity| output.contains(&format!("{severity}[{}]", self.code)))
            .unwrap_or("error")
    }
}

fn pages() -> Vec<Page> {
    let directory = tree().join("docs/codes");
    let entries =
        std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("RP")));
    paths.sort();
    paths.iter().map(|path| Page::read(path)).collect()
}

/// Every code that stands in the sources, tests apart, with the title that the sources give it.
fn codes() -> BTreeMap<String, Option<String>> {
    let mut codes = BTreeMap::new();
    let mut directories = vec![tree().join("crates"), tree().join("bins")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" && name != "target" {
                directories.push(path);
            } else if name.ends_with(".rs") && !name.contains("test") {
                of_source(&read(&path), &mut codes);
            }
        }
    }
    codes
}

/// The codes of one source file; what stands behind `#[cfg(test)]` is made up.
fn of_source(text: &str, codes: &mut BTreeMap<String, Option<String>>) {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        // Comments may give examples.
        let line = line.trim();
        if line.starts_with("//") {
            continue;
        }
        for (at, _) in line.match_indices("\"RP") {
            let code: String = line[at + 1..].chars().take_while(|c| *c != '"').collect();
            if code.len() != 6 || !code[2..].bytes().all(|digit| digit.is_ascii_digit()) {
                continue;
            }
            let title = title(line, &lines[..number], &lines, &code);
            let known = codes.entry(code).or_insert(None);
            if known.is_none() {
                *known = title;
            }
        }
    }
}

/// `NAME = "CODE", "title";`, or the comment above a constant, or above the variant of an enum that has the code.
fn title(line: &str, before: &[&str], all: &[&str], code: &str) -> Option<String> {
    let behind = line.split_once(&format!("= \"{code}\", \"")).map(|(_, title)| title);
    if let Some(title) = behind {
        return title.rsplit_once("\";").map(|(title, _)| title.to_owned());
    }
    let comment = if line.starts_with("pub const") {
        before.last().copied()
    } else {
        let variant = line.split_once("=>")?.0.trim().rsplit("::").next()?;
        let declared = format!("{variant},");
        let at = all.iter().position(|line| line.trim() == declared)?;
        all.get(at.checked_sub(1)?).copied()
    };
    let words = comment?.trim().strip_prefix("/// ")?.trim_end_matches('.');
    let mut letters = words.chars();
    let first = letters.next()?;
    let second = letters.clone().next()?;
    // A name of several capitals keeps them.
    let first = if second.is_uppercase() { first.to_string() } else { first.to_lowercase().to_string() };
    Some(first + letters.as_str())
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    if !sources() {
        return;
    }
    let codes = codes();
    assert!(codes.len() > 100, "{}", codes.len());
    let pages: BTreeMap<String, Page> = pages().into_iter().map(|page| (page.code.clone(), page)).collect();
    let mut wrong: Vec<String> = Vec::new();
    for code in codes.keys().filter(|code| !pages.contains_key(*code)) {
        wrong.push(format!("{code} has no page"));
    }
    for (code, page) in &pages {
        match codes.get(code) {
            None => wrong.push(format!("the page {code} is of no code")),
            Some(Some(title)) if *title != page.title => {
                wrong.push(format!("{code} is called `{title}`, and its page `{}`", page.title));
            }
            Some(_) => {}
        }
        for heading in ["## Example", "## What to do", "## See also"] {
            if !page.text.lines().any(|line| line == heading) {
                wrong.push(format!("{code} has no `{heading}`"));
            }
        }
        let lines = page.text.lines().count();
        if lines > 120 {
            wrong.push(format!("{code} has {lines} lines: nobody reads that"));
        }
        for link in page.text.match_indices("(RP").map(|(at, _)| &page.text[at + 1..at + 7]) {
            if !pages.contains_key(link) {
                wrong.push(format!("{code} leads to {link}, which has no page"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_index_lists_all() {
    if !sources() {
        return;
    }
    let path = tree().join("docs/codes/README.md");
    let text = read(&path);
    let table: String = pages()
        .iter()
        .map(|page| {
            format!(
                "| [{code}]({code}.md) | {} | {} |\n",
                page.severity(),
                page.title.replace('|', "\\|"),
                code = page.code
            )
        })
        .collect();
    let head = text.find("| --- |").and_then(|at| Some(at + text[at..].find('\n')? + 1)).expect("a table");
    let expected = format!("{}{table}", &text[..head]);
    if blessing() && text != expected {
        std::fs::write(&path, expected).expect("the index");
        return;
    }
    let differs = text.lines().zip(expected.lines()).find(|(is, should)| is != should);
    assert!(text == expected, "REDPAK_BLESS=1 writes the index; the first difference is {differs:?}");
}

/// Whether a text is what a pattern says.
fn matches(pattern: &str, text: &str) -> bool {
    let one = |pattern: &str, line: &str| {
        let mut parts = pattern.split(ANY);
        let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
        let mut last = None;
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
            last = Some(part);
        }
        rest.is_empty() || last == Some("")
    };
    fn all(pattern: &[&str], text: &[&str], one: &dyn Fn(&str, &str) -> bool) -> bool {
        match pattern {
            [] => text.is_empty(),
            [ANY, rest @ ..] => (0..=text.len()).any(|skipped| all(rest, &text[skipped..], one)),
            [first, rest @ ..] => match text {
                [line, more @ ..] => one(first, line) && all(rest, more, one),
                [] => false,
            },
        }
    }
    all(&pattern.lines().collect::<Vec<_>>(), &text.lines().collect::<Vec<_>>(), &one)
}

#[test]
fn patterns_match_what_they_say() {
    for (pattern, text, expected) in [
        ("a\nb\n", "a\nb\n", true),
        ("a\n", "a\nb\n", false),
        ("a\n…\n", "a\nb\nc\n", true),
        ("…\nc\n", "a\nb\nc\n", true),
        ("a … c\n", "a b c\n", true),
        ("a … c\n", "a b d\n", false),
        ("a …\n", "a b d\n", true),
        ("… d\n", "a b d\n", true),
        ("a\n", "ab\n", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern:?} {text:?}");
    }
}

/// A root node and a child, at a path as long as `/var/redpak`, so that carets stand below what they stand below there.
struct Ground(tempfile::TempDir);

impl Ground {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("r").rand_bytes(5).tempdir_in("/tmp").expect("a directory");
        assert_eq!(dir.path().as_os_str().len(), "/var/redpak".len());
        let ground = Self(dir);
        for node in ["-a system /var/redpak", "/var/redpak/child"] {
            let (ended, said) = ground.run(&format!("redconf create {node}"));
            assert!(ended, "{said}");
        }
        ground
    }

    /// Runs commands; whether the last one ended well, and what all of them printed.
    fn run(&self, commands: &str) -> (bool, String) {
        let here = self.0.path().to_string_lossy().into_owned();
        let demo = repository("REDPAK_DEMO_REPOSITORY").unwrap_or_else(|| DEMO.into());
        let demo = demo.to_string_lossy().into_owned();
        let commands = commands.replace("/var/redpak", &here).replace(DEMO, &demo);
        let programs =
            bin("redconf").parent().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        let output = Command::new("bash")
            .args(["-c", &format!("exec 2>&1\n{commands}")])
            .env_clear()
            .env("PATH", format!("{programs}:/usr/sbin:/usr/bin:/sbin:/bin"))
            .envs([("LANG", "C.UTF-8"), ("HOME", "/root"), ("USER", "root")])
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("bash: {error}"));
        let said = String::from_utf8_lossy(&output.stdout).replace(&here, "/var/redpak").replace(&demo, DEMO);
        (output.status.success(), said)
    }
}

fn judge(page: &Page, example: &str) -> Result<(), String> {
    let ground = Ground::new();
    let (_, said) = ground.run(example);
    if !said.contains(&format!("[{}]", page.code)) {
        return Err(format!("the example does not yield it:\n{said}"));
    }
    if let Some(shown) = page.blocks.get("output").filter(|shown| !matches(shown, &said)) {
        if !blessing() {
            return Err(format!("the example prints\n{said}and the page shows\n{shown}"));
        }
        let text = page.text.replacen(
            &format!("```text output\n{shown}```"),
            &format!("```text output\n{said}```"),
            1,
        );
        std::fs::write(&page.path, text).map_err(|error| error.to_string())?;
    }
    let Some(mended) = page.blocks.get("mended") else { return Ok(()) };
    let (ended, said) = ground.run(&format!("set -e\n{mended}"));
    if !ended || said.contains(&format!("[{}]", page.code)) {
        return Err(format!("mended it still says\n{said}"));
    }
    Ok(())
}

#[test]
fn the_commands_of_pages_print_what_they_show() {
    if !is_root("the commands of docs/codes") {
        return;
    }
    let demo = repository("REDPAK_DEMO_REPOSITORY").is_some();
    if !demo {
        skip("the demonstration's repository is not there: set REDPAK_DEMO_REPOSITORY");
    }
    let mut wrong = Vec::new();
    for page in pages() {
        let Some(example) = page.blocks.get("example") else { continue };
        if !demo && page.text.contains(DEMO) {
            continue;
        }
        if let Err(reason) = judge(&page, example) {
            wrong.push(format!("{}: {reason}", page.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_told_and_not_run_is_named() {
    if !sources() {
        return;
    }
    let told: BTreeSet<String> = pages()
        .into_iter()
        .filter(|page| !["example", "root", "status"].iter().any(|block| page.blocks.contains_key(*block)))
        .map(|page| page.code)
        .collect();
    assert_eq!(told, TOLD.iter().map(|code| (*code).to_owned()).collect::<BTreeSet<_>>());
}
