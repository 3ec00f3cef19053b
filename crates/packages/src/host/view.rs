//! Paths inside a launched node, and where on the host they come from.

use std::path::{Component, Path, PathBuf};

use crate::family::HostView;

/// More links than this in one path are a loop.
const MAX_LINKS: usize = 40;

impl HostView {
    /// Where on the host a path inside comes from; `None` when the root node does not export it.
    pub fn host_path(&self, inside: &Path) -> Option<PathBuf> {
        let mut path = normal(inside)?;
        for _ in 0..MAX_LINKS {
            match self.links.iter().find(|(mount, _)| path.starts_with(mount)) {
                Some((mount, target)) => {
                    let rest = path.strip_prefix(mount).ok()?;
                    let parent = mount.parent().unwrap_or(Path::new("/"));
                    path = normal(&parent.join(target).join(rest))?;
                }
                None => {
                    let export = self
                        .exports
                        .iter()
                        .filter(|(mount, _)| path.starts_with(mount))
                        .max_by_key(|(mount, _)| mount.components().count())?;
                    let rest = path.strip_prefix(&export.0).ok()?;
                    return Some(if rest.as_os_str().is_empty() {
                        export.1.clone()
                    } else {
                        export.1.join(rest)
                    });
                }
            }
        }
        None
    }

    /// Whether something is there inside, and the host has it.
    pub fn has(&self, inside: &Path) -> bool {
        self.host_path(inside).is_some_and(|path| path.exists())
    }
}

/// An absolute path without `.` and `..`.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::from("/");
    if !path.is_absolute() {
        return None;
    }
    for component in path.components() {
        match component {
            Component::Normal(part) => out.push(part),
            Component::ParentDir => {
                out.pop();
            }
            _ => {}
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_inside_lead_to_the_host() {
        let view = HostView {
            exports: vec![
                ("/usr".into(), "/usr".into()),
                ("/usr/share".into(), "/opt/share".into()),
                ("/lib64".into(), "/usr/lib64".into()),
            ],
            links: vec![
                ("/bin".into(), "usr/bin".into()),
                ("/sbin".into(), "/bin".into()),
                ("/loop".into(), "loop".into()),
            ],
        };
        for (inside, host) in [
            ("/usr/bin/sh", Some("/usr/bin/sh")),
            ("/bin/sh", Some("/usr/bin/sh")),
            ("/sbin/ldconfig", Some("/usr/bin/ldconfig")),
            ("/usr/share/x", Some("/opt/share/x")),
            ("/lib64", Some("/usr/lib64")),
            ("/usr/../etc/shadow", None),
            ("/etc/passwd", None),
            ("/loop/x", None),
            ("usr/bin", None),
        ] {
            assert_eq!(view.host_path(Path::new(inside)), host.map(PathBuf::from), "{inside}");
        }
    }
}
