//! Alpine's list of installed packages: `lib/apk/db/installed`. Format: apk-v2 "installed database", `P:` name, `V:`
//! version, `p:` provides, a package a paragraph.

use super::Offer;

/// The packages of a database.
pub fn offers(database: &str) -> Vec<Offer> {
    database.split("\n\n").filter_map(offer).collect()
}

fn offer(paragraph: &str) -> Option<Offer> {
    let field = |key: char| {
        paragraph.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
    };
    let (name, evr) = (field('P')?, evr(field('V')?));
    let mut provides = vec![format!("{name} = {evr}")];
    // `so:` and `cmd:` items have no meaning for RPM; sonames are read from the files.
    let words = field('p').into_iter().flat_map(str::split_whitespace).filter(|word| !word.contains(':'));
    provides.extend(words.map(|word| match word.split_once('=') {
        Some((name, version)) => {
            format!("{name} = {}", version.rsplit_once("-r").map_or(version, |(version, _)| version))
        }
        None => word.to_owned(),
    }));
    Some(Offer { name: format!("apk:{name}"), evr, provides })
}

/// `1.36.1-r5` as `version-release`.
fn evr(version: &str) -> String {
    match version.rsplit_once("-r") {
        Some((version, release)) => format!("{version}-{release}"),
        None => format!("{version}-0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database() {
        let offers = offers(
            "P:busybox\nV:1.36.1-r5\np:/bin/sh cmd:sh=1 virt=2.0-r1 plain\nA:x86_64\n\nP:musl\nV:1.2.4\n",
        );
        assert_eq!(offers[0].name, "apk:busybox");
        assert_eq!(offers[0].provides, ["busybox = 1.36.1-5", "/bin/sh", "virt = 2.0", "plain"]);
        assert_eq!(offers[1].provides, ["musl = 1.2.4-0"]);
    }
}
