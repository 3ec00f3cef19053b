//! URLs of repositories, and the paths that metadata joins to them.

use std::path::PathBuf;

/// Joins a `location href` of metadata to the URL of its repository. `None` for what could lead elsewhere: another
/// scheme, an absolute path, `..`, control characters, a query or fragment. (`href` is foreign text.)
pub fn join(base: &str, href: &str) -> Option<String> {
    if !is_plain_path(href) {
        return None;
    }
    let slash = if base.ends_with('/') { "" } else { "/" };
    Some(format!("{base}{slash}{href}"))
}

/// Whether a text is a relative path without any way out of where it is joined, encoded ones included.
pub fn is_plain_path(href: &str) -> bool {
    let decoded = decode(href);
    let fine = |text: &str| {
        !text.is_empty()
            && text.len() <= 4096
            && !text.starts_with('/')
            && !text.contains(['\\', '?', '#'])
            && !text.chars().any(char::is_control)
            && !text.split('/').any(|part| part.is_empty() || part == "." || part == "..")
    };
    fine(href)
        && decoded.is_some_and(|decoded| fine(&decoded))
        && !href.split('/').next().unwrap_or("").contains(':')
}

/// The last part of a path, as the name of a file in a cache.
pub fn file_name(href: &str) -> Option<&str> {
    href.rsplit('/').next().filter(|name| !name.is_empty() && !name.starts_with('.'))
}

/// The local path of a `file://` URL.
pub fn local_path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("file://")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    let decoded = decode(path)?;
    (decoded.starts_with('/') && !decoded.contains('\0')).then(|| PathBuf::from(decoded))
}

/// A URL without what should not be shown: a password in it.
pub fn shown(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
        }
        None => url.to_owned(),
    }
}

/// Undoes `%41`; `None` when that does not give UTF-8 text.
fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hrefs_that_lead_elsewhere_are_refused() {
        for href in [
            "../x.rpm",
            "a/../../x",
            "/etc/passwd",
            "http://evil/x",
            "file:///etc/passwd",
            "a//b",
            "./x",
            "",
            "a\\b",
            "%2e%2e/x",
            "%2fetc/passwd",
            "a/%2E%2E/x",
            "x?y",
            "x#y",
            "a\nb",
            "a%0ab",
            "data:x",
        ] {
            assert_eq!(join("https://h/repo/", href), None, "{href:?}");
        }
    }

    #[test]
    fn hrefs_join() {
        for (base, href, expected) in [
            ("https://h/repo/", "Packages/a-1.rpm", "https://h/repo/Packages/a-1.rpm"),
            ("https://h/repo", "a-1:2.rpm", ""),
            ("file:///r/", "a b+c~1.rpm", "file:///r/a b+c~1.rpm"),
            ("https://h/repo/", "p/a-1%3a2.rpm", "https://h/repo/p/a-1%3a2.rpm"),
        ] {
            assert_eq!(join(base, href).unwrap_or_default(), expected, "{href}");
        }
    }

    #[test]
    fn local_paths() {
        for (url, expected) in [
            ("file:///var/repo/", Some("/var/repo/")),
            ("file:///a%20b", Some("/a b")),
            ("file://localhost/a", Some("/a")),
            ("file://host/a", None),
            ("http://h/a", None),
        ] {
            assert_eq!(local_path(url), expected.map(PathBuf::from), "{url}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(shown("https://user:secret@host/a@b"), "https://host/a@b");
        assert_eq!(shown("https://host"), "https://host");
    }
}
