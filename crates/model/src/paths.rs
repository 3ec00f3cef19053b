//! Paths as text: absolute, normalised, compared by component. No file system is asked.

use std::path::{Path, PathBuf};

use crate::codes;
use crate::walk::short;

/// Bytes of a path, with the NUL at its end (`PATH_MAX`, limits.h).
pub(crate) const PATH_MAX: usize = 4096;

/// Components of a path, empty ones counted: more than any real one has.
const MAX_COMPONENTS: usize = 128;

/// Why a text is no path that redpak takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    Empty,
    Relative,
    ParentStep,
    Control,
    TooLong,
}

impl Unfit {
    /// Code, message and hint.
    pub fn words(self, path: &str) -> (&'static str, String, &'static str) {
        let path = short(path);
        match self {
            Self::Empty => (codes::BAD_PATH, "the path is empty".to_owned(), "give an absolute path"),
            Self::Relative => (
                codes::NOT_ABSOLUTE,
                format!("the path `{path}` is not absolute"),
                "start it with `/`, or with `$NODE_PATH/`",
            ),
            Self::ParentStep => {
                (codes::PARENT_STEP, format!("the path `{path}` holds `..`"), "write the path that is meant")
            }
            Self::Control => (codes::BAD_PATH, "the path holds a control character".to_owned(), "remove it"),
            Self::TooLong => {
                let message = format!(
                    "the path is longer than {PATH_MAX} bytes, or has over {MAX_COMPONENTS} components"
                );
                (codes::BAD_PATH, message, "shorten it")
            }
        }
    }
}

/// The path without `.`, doubled and trailing slashes. `..` is refused, not resolved: what it leads to depends on
/// links that nobody has looked at.
pub(crate) fn normalized(text: &str) -> Result<PathBuf, Unfit> {
    match text {
        "" => return Err(Unfit::Empty),
        _ if text.len() >= PATH_MAX || text.split('/').count() > MAX_COMPONENTS => {
            return Err(Unfit::TooLong);
        }
        _ if text.chars().any(char::is_control) => return Err(Unfit::Control),
        _ if text.split('/').any(|part| part == "..") => return Err(Unfit::ParentStep),
        _ if !text.starts_with('/') => return Err(Unfit::Relative),
        _ => {}
    }
    Ok(Path::new(text).components().collect())
}

/// What is left of `path` behind `prefix`, component by component: `/ab` does not lie below `/a`.
pub(crate) fn beneath<'p>(path: &'p Path, prefix: &Path) -> Option<&'p Path> {
    path.strip_prefix(prefix).ok()
}

/// `base`, or `base/rest`; no slash is left at the end.
pub(crate) fn joined(base: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { base.to_owned() } else { base.join(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_or_refused() {
        for (text, expected) in [
            ("/", Ok("/")),
            ("//usr//./lib/", Ok("/usr/lib")),
            ("/a b/é", Ok("/a b/é")),
            ("/a/..b", Ok("/a/..b")),
            ("", Err(Unfit::Empty)),
            ("usr", Err(Unfit::Relative)),
            ("./usr", Err(Unfit::Relative)),
            ("/usr/../etc", Err(Unfit::ParentStep)),
            ("/usr/..", Err(Unfit::ParentStep)),
            ("/a\nb", Err(Unfit::Control)),
        ] {
            assert_eq!(
                normalized(text).map(|p| p.display().to_string()),
                expected.map(str::to_owned),
                "{text:?}"
            );
        }
        assert_eq!(normalized(&format!("/{}", "a/".repeat(2048))), Err(Unfit::TooLong));
    }

    #[test]
    fn prefixes_are_compared_by_component() {
        let beneath = |path: &str, prefix: &str| {
            beneath(Path::new(path), Path::new(prefix)).map(|rest| rest.display().to_string())
        };
        assert_eq!(beneath("/a/b", "/a"), Some("b".into()));
        assert_eq!(beneath("/a", "/a"), Some(String::new()));
        assert_eq!(beneath("/a", "/"), Some("a".into()));
        assert_eq!(beneath("/ab", "/a"), None);
        assert_eq!(beneath("/A/b", "/a"), None);
        assert_eq!(joined(Path::new("/a"), Path::new("")).as_os_str(), "/a");
    }
}
