//! Debian's (and opkg's) list of installed packages, as names and versions that RPM understands.
//!
//! Format: deb-control(5), dpkg's `status` file. A Debian version becomes `[epoch:]version-release` with `-` in
//! either part replaced by `.`, and release `0` where Debian has no revision; RPM orders the result alike.

use super::Offer;

/// The packages of a status file that are installed.
pub fn offers(status: &str, manager: &str) -> Vec<Offer> {
    status.split("\n\n").filter_map(|paragraph| offer(paragraph, manager)).collect()
}

fn offer(paragraph: &str, manager: &str) -> Option<Offer> {
    let field = |name: &str| {
        paragraph.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let state = field("Status")?;
    if state.split_whitespace().last() != Some("installed") {
        return None;
    }
    let (name, version) = (field("Package")?, field("Version")?);
    let evr = evr(version);
    let mut provides = vec![format!("{name} = {evr}")];
    provides.extend(field("Provides").into_iter().flat_map(|list| list.split(',')).filter_map(provided));
    Some(Offer { name: format!("{manager}:{name}"), evr, provides })
}

/// One item of `Provides`: `name`, or `name (= version)`.
fn provided(item: &str) -> Option<String> {
    let item = item.trim();
    let (name, version) = match item.split_once('(') {
        Some((name, rest)) => {
            (name.trim(), rest.trim_end_matches(')').trim().strip_prefix('=').map(str::trim))
        }
        None => (item, None),
    };
    let name = name.split(':').next().unwrap_or(name);
    if name.is_empty() {
        return None;
    }
    Some(match version {
        Some(version) if version.contains('-') => format!("{name} = {}", evr(version)),
        // Without a revision, any release matches.
        Some(version) => format!("{name} = {}", evr(version).trim_end_matches("-0")),
        None => name.to_owned(),
    })
}

/// A Debian version as RPM's `[epoch:]version-release`.
pub fn evr(version: &str) -> String {
    let (epoch, rest) = version.rsplit_once(':').unwrap_or(("0", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    let clean = |part: &str| part.replace('-', ".");
    match epoch {
        "" | "0" => format!("{}-{}", clean(upstream), clean(revision)),
        epoch => format!("{}:{}-{}", clean(epoch), clean(upstream), clean(revision)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (debian, rpm) in [
            ("1:2.39.5-0+deb12u3", "1:2.39.5-0+deb12u3"),
            ("2.36-9+deb12u14", "2.36-9+deb12u14"),
            ("1.2.13.dfsg-1", "1.2.13.dfsg-1"),
            ("3.134", "3.134-0"),
            ("1:1.2.13-dfsg-1", "1:1.2.13.dfsg-1"),
            ("0:1.0-1", "1.0-1"),
            ("1.0~rc1-1~bpo12+1", "1.0~rc1-1~bpo12+1"),
            ("5.2.15-2+b13", "5.2.15-2+b13"),
        ] {
            assert_eq!(evr(debian), rpm, "{debian}");
        }
    }

    #[test]
    fn only_what_is_installed_is_offered() {
        let status = "Package: git\nStatus: install ok installed\nVersion: 1:2.39.5-0+deb12u3\nDescription: x\n more\n\n\
            Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
            Package: mawk\nStatus: install ok installed\nProvides: awk, sh-thing (= 1.2), v:any (= 1.0-2)\nVersion: 1.3\n";
        let offers = offers(status, "dpkg");
        let names: Vec<&str> = offers.iter().map(|offer| offer.name.as_str()).collect();
        assert_eq!(names, ["dpkg:git", "dpkg:mawk"]);
        assert_eq!(offers[0].provides, ["git = 1:2.39.5-0+deb12u3"]);
        assert_eq!(offers[1].provides, ["mawk = 1.3-0", "awk", "sh-thing = 1.2", "v = 1.0-2"]);
    }
}
