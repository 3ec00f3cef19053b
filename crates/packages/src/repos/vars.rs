//! Variables of repositories: `$releasever`, `${basearch}`, … Source: dnf.conf(5), section "Repo variables".

use std::collections::BTreeMap;

/// The values by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// `arch` and `basearch` of a machine.
    pub fn of_arch(arch: &str) -> Self {
        let mut variables = Self::default();
        variables.set("arch", arch);
        variables.set("basearch", base_arch(arch));
        variables
    }

    /// Sets a value; the last one wins.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// A value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Replaces `$name` and `${name}`. Names that are not defined stay as they are, as dnf leaves them, and are
    /// returned. A value is not expanded again.
    pub fn expand(&self, text: &str) -> (String, Vec<String>) {
        let (mut out, mut undefined) = (String::with_capacity(text.len()), Vec::new());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let (name, length) = match after.strip_prefix('{') {
                Some(braced) => match braced.find('}') {
                    Some(end) => (&braced[..end], end + 2),
                    None => ("", 0),
                },
                None => {
                    let end =
                        after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
                    (&after[..end], end)
                }
            };
            match self.get(name) {
                Some(value) => out.push_str(value),
                None => {
                    out.push('$');
                    out.push_str(&after[..length]);
                    if !name.is_empty() {
                        undefined.push(name.to_owned());
                    }
                }
            }
            rest = &after[length..];
        }
        out.push_str(rest);
        (out, undefined)
    }
}

/// The base architecture, as dnf groups them.
pub fn base_arch(arch: &str) -> &str {
    match arch {
        "i386" | "i486" | "i586" | "i686" | "athlon" | "geode" => "i386",
        "amd64" | "ia32e" | "x86_64_v2" | "x86_64_v3" | "x86_64_v4" => "x86_64",
        "armv7l" | "armv7hl" | "armv7hnl" | "armv8hl" => "armhfp",
        "armv6hl" => "armv6hfp",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_expand_once() {
        let mut variables = Variables::of_arch("x86_64");
        variables.set("releasever", "9");
        variables.set("tricky", "$releasever");
        for (text, expected, undefined) in [
            ("http://h/$releasever/$basearch/os", "http://h/9/x86_64/os", vec![]),
            ("${releasever}x$arch", "9xx86_64", vec![]),
            ("$tricky", "$releasever", vec![]),
            ("$nope/${nope2}/", "$nope/${nope2}/", vec!["nope", "nope2"]),
            ("$", "$", vec![]),
            ("${open", "${open", vec![]),
            ("é$releasever", "é9", vec![]),
        ] {
            let (got, missing) = variables.expand(text);
            assert_eq!(
                (got.as_str(), missing),
                (expected, undefined.into_iter().map(String::from).collect()),
                "{text}"
            );
        }
    }
}
