//! A directory of its own for each test, and nodes in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use redpak_nodes::templates::Template;
use redpak_nodes::{Creation, Family, LoadOptions, Refused, create};

pub struct Ground {
    dir: tempfile::TempDir,
    pub uid: u32,
}

impl Ground {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("redpak-nodes.").tempdir().expect("a directory");
        Self { dir, uid: redpak_nodes::names::caller().0 }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        // The test's own directory may be reached through a link.
        fs::canonicalize(self.dir.path()).expect("it exists").join(name)
    }

    pub fn create_with(&self, name: &str, template: Option<&str>) -> Result<PathBuf, Refused> {
        let creation = Creation {
            path: self.at(name),
            alias: None,
            template: template.map(|text| Template { normal: text.to_owned(), admin: None }),
            model: None,
            template_dir: "/nonexistent".into(),
        };
        let names = redpak_nodes::names::gather(&BTreeMap::new());
        create(&creation, &names, self.uid).map(|created| created.path)
    }

    pub fn create(&self, name: &str) -> PathBuf {
        self.create_with(name, None).unwrap_or_else(|Refused(findings)| panic!("{name}: {findings:?}"))
    }

    pub fn load(&self, path: &Path) -> Result<Family, Vec<&'static str>> {
        self.load_with(path, LoadOptions::default())
    }

    pub fn load_with(&self, path: &Path, options: LoadOptions) -> Result<Family, Vec<&'static str>> {
        Family::load(path, self.uid, options).map_err(|Refused(findings)| {
            findings.iter().filter(|finding| finding.is_error()).map(|finding| finding.code).collect()
        })
    }

    #[track_caller]
    pub fn refused(&self, path: &Path, code: &str) {
        match self.load(path) {
            Ok(_) => panic!("{} was believed", path.display()),
            Err(codes) => assert!(codes.contains(&code), "{codes:?} has no {code}"),
        }
    }
}

/// A node made by hand: much faster than a creation, which syncs.
pub fn by_hand(path: &Path, parent: Option<&Path>, config: &str) {
    fs::create_dir_all(path.join("etc")).expect("made");
    let alias = path.file_name().expect("a name").to_string_lossy().into_owned();
    fs::write(path.join("etc/redpak.yaml"), format!("headers: {{alias: {alias}}}\n{config}"))
        .expect("written");
    let parent = parent.map_or("none".to_owned(), |parent| parent.display().to_string());
    let status =
        format!("version: 1\nstate: Enable\nrealpath: {}\ntimestamp: 0\nparent: {parent}\n", path.display());
    fs::write(path.join(".rednode.yaml"), status).expect("written");
}

/// All that is below a directory.
pub fn listing(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).expect("listed").flatten() {
        found.push(entry.path());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(listing(&entry.path()));
        }
    }
    found.sort();
    found
}
