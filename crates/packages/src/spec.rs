//! What a person asks for: a name, `name.arch`, a NEVRA, a glob, something provided, a path, a package file.

use std::fmt;
use std::path::PathBuf;

use redpak_solv::{PackageId, SelectBy, SelectFlags};

use crate::universe::Universe;

/// A request, told apart by its form alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// A name, name.arch, NEVRA, glob or provided text.
    Text(String),
    /// An absolute path that a package has or provides.
    Path(String),
    /// A local package file.
    File(PathBuf),
    /// A package file to be fetched.
    Url(String),
    /// `@group`
    Group(String),
}

impl Spec {
    /// Tells a request's form. A package file is named by a path: `./x.rpm`, not `x.rpm`.
    pub fn parse(text: &str) -> Self {
        let is_file = text.ends_with(".rpm") && text.contains('/');
        if let Some(group) = text.strip_prefix('@') {
            Self::Group(group.to_owned())
        } else if text.contains("://") {
            Self::Url(text.to_owned())
        } else if is_file {
            Self::File(PathBuf::from(text))
        } else if text.starts_with('/') {
            Self::Path(text.to_owned())
        } else {
            Self::Text(text.to_owned())
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Path(text) | Self::Url(text) => f.write_str(text),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Group(name) => write!(f, "@{name}"),
        }
    }
}

/// How a text was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// As the name of packages (any version).
    Name,
    /// As a NEVRA or a part of one: a version is asked for.
    Version,
    /// As something provided, or a path.
    Provided,
}

/// The packages that a text selects, installed ones and available ones, in dnf's order of meanings: name, NEVRA,
/// provides. The host's offers are never selected.
pub fn select(universe: &Universe, text: &str) -> Option<(Meaning, Vec<PackageId>)> {
    let glob = text.contains(['*', '?', '[']);
    let flags = SelectFlags { glob, dot_arch: true, relation: true, ignore_case: false };
    let attempts = [
        (Meaning::Name, SelectBy::Name, flags),
        (Meaning::Version, SelectBy::Canonical, SelectFlags { relation: false, ..flags }),
        (Meaning::Provided, SelectBy::Provides, SelectFlags { dot_arch: false, ..flags }),
    ];
    attempts.into_iter().find_map(|(meaning, by, flags)| {
        let mut found = universe.pool.select(text, by, flags);
        found.retain(|id| universe.owner(*id) != Some(crate::universe::Owner::Host));
        let meaning = if meaning == Meaning::Name && text.contains(['<', '=', '>']) {
            Meaning::Version
        } else {
            meaning
        };
        (!found.is_empty()).then_some((meaning, found))
    })
}

/// The packages that have or provide a path.
pub fn select_path(universe: &Universe, path: &str) -> Vec<PackageId> {
    use redpak_solv::Match;
    let how = if path.contains(['*', '?', '[']) { Match::Glob } else { Match::Exact };
    let mut found: Vec<PackageId> = universe.pool.owners(path, how).into_iter().map(|(id, _)| id).collect();
    found.extend(universe.pool.providers(universe.pool.name(path)));
    found.retain(|id| universe.owner(*id) != Some(crate::universe::Owner::Host));
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (text, expected) in [
            ("bash", Spec::Text("bash".into())),
            ("bash-5.2-1.x86_64", Spec::Text("bash-5.2-1.x86_64".into())),
            ("x.rpm", Spec::Text("x.rpm".into())),
            ("./x.rpm", Spec::File("./x.rpm".into())),
            ("/tmp/x.rpm", Spec::File("/tmp/x.rpm".into())),
            ("/usr/bin/jq", Spec::Path("/usr/bin/jq".into())),
            ("https://h/x.rpm", Spec::Url("https://h/x.rpm".into())),
            ("@core", Spec::Group("core".into())),
            ("libc.so.6(GLIBC_2.34)(64bit)", Spec::Text("libc.so.6(GLIBC_2.34)(64bit)".into())),
        ] {
            assert_eq!(Spec::parse(text), expected);
            assert_eq!(Spec::parse(text).to_string(), text);
        }
    }
}
