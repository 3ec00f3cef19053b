//! What a command line or a caller asks of package work: dnf5's options, as values.

use crate::metadata::Freshness;

/// Options of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Only these repositories (`--repo`): ids or globs.
    pub only: Vec<String>,
    /// These too (`--enable-repo`).
    pub enable: Vec<String>,
    /// Not these (`--disable-repo`).
    pub disable: Vec<String>,
    /// Repositories of this command alone (`--repofrompath=ID,URL`).
    pub from_path: Vec<(String, String)>,
    /// `--setopt=KEY=VALUE` and `--setopt=REPO.KEY=VALUE`, in order.
    pub set: Vec<(String, String)>,
    /// Value of `$releasever`.
    pub releasever: Option<String>,
    /// Whether kept metadata will do.
    pub freshness: Freshness,
    /// The best candidate or none (`--best`).
    pub best: bool,
    /// Installed packages of the node may go to solve a conflict (`--allowerasing`).
    pub allow_erasing: bool,
    /// Recommended packages are installed too (`install_weak_deps`).
    pub weak_deps: bool,
    /// What only removed packages needed goes too (`clean_requirements_on_remove`).
    pub clean_deps: bool,
    /// The node gets its own copy of what an ancestor has (`--forcenode`).
    pub force_node: bool,
    /// No signature is demanded (`--no-gpgchecks`).
    pub no_gpgcheck: bool,
    /// Requests that name nothing are skipped (`--skip-unavailable`).
    pub skip_unavailable: bool,
    /// Packages that are not seen (`-x`): globs.
    pub exclude: Vec<String>,
    /// File lists are loaded, however large.
    pub filelists: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            enable: Vec::new(),
            disable: Vec::new(),
            from_path: Vec::new(),
            set: Vec::new(),
            releasever: None,
            freshness: Freshness::Expire,
            best: true,
            allow_erasing: false,
            weak_deps: true,
            clean_deps: true,
            force_node: false,
            no_gpgcheck: false,
            skip_unavailable: false,
            exclude: Vec::new(),
            filelists: false,
        }
    }
}

impl Options {
    /// Takes `--setopt` keys of the main section; what is left is for repositories (`REPO.KEY`), and unknown keys.
    pub fn apply_main(&mut self) -> Vec<(String, String)> {
        let set = std::mem::take(&mut self.set);
        let mut left = Vec::new();
        for (key, value) in set {
            let on = matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on");
            match key.as_str() {
                "install_weak_deps" => self.weak_deps = on,
                "best" => self.best = on,
                "clean_requirements_on_remove" => self.clean_deps = on,
                "gpgcheck" | "pkg_gpgcheck" => self.no_gpgcheck = !on,
                "skip_unavailable" => self.skip_unavailable = on,
                "excludepkgs" | "exclude" => {
                    self.exclude.extend(value.split([',', ' ']).filter(|x| !x.is_empty()).map(str::to_owned));
                }
                "releasever" => self.releasever = Some(value),
                _ => left.push((key, value)),
            }
        }
        left
    }
}

/// A shell pattern with `*`, `?` and `[…]` against a text.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Where to go on when the match fails after the last star: its place in both.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(_) if matches_one(&pattern, &mut p, text[t]) => t += 1,
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Whether one element of a pattern matches a character; moves behind it when it does.
fn matches_one(pattern: &[char], at: &mut usize, c: char) -> bool {
    let start = *at;
    if pattern[start] == '[' {
        let negated = pattern.get(start + 1).is_some_and(|c| matches!(c, '!' | '^'));
        let first = start + 1 + usize::from(negated);
        // A `]` that comes first stands for itself.
        if let Some(end) = (first + 1..pattern.len()).find(|i| pattern[*i] == ']') {
            let set = &pattern[first..end];
            let mut found = false;
            let mut i = 0;
            while i < set.len() {
                if i + 2 < set.len() && set[i + 1] == '-' {
                    found |= (set[i]..=set[i + 2]).contains(&c);
                    i += 3;
                } else {
                    found |= set[i] == c;
                    i += 1;
                }
            }
            if found != negated {
                *at = end + 1;
                return true;
            }
            return false;
        }
    }
    let hit = pattern[start] == '?' || pattern[start] == c;
    *at += usize::from(hit);
    hit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("lib*", "libfoo", true),
            ("lib*", "foo", false),
            ("*-devel", "a-b-devel", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbX", false),
            ("[", "[", true),
            ("abc", "abcd", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn setopt_of_the_main_section() {
        let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut options = Options {
            set: vec![set("install_weak_deps", "0"), set("r.priority", "5")],
            ..Options::default()
        };
        assert_eq!(options.apply_main(), [set("r.priority", "5")]);
        assert!(!options.weak_deps);
    }
}
