//! A plan as a bubblewrap command line, an option with its arguments a line, and what bubblewrap cannot express.
//!
//! What others wrote (outputs of commands, texts of files) stands in it as data: quoted, in a here-document whose end
//! is no line of it, or in a comment of one line. A command that was not run is never part of what a replay runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::launch_plan::{Content, LaunchPlan, MountKind, MountPoint, Source};

/// The rendering: a shell command that can be replayed, and remarks for stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendering {
    /// For a POSIX shell, ended by a line end.
    pub script: String,
    /// What differs from the plan when the script is run.
    pub remarks: Vec<String>,
}

/// Renders a plan.
pub fn render(plan: &LaunchPlan) -> Rendering {
    let mut out = Writer::new(plan);
    namespaces(plan, &mut out);
    for mount in &plan.mounts {
        one_mount(plan, &mount.at, &mount.kind, &mut out);
    }
    for lock in &plan.locks {
        out.option(&["--lock-file", &lock.at.to_string_lossy()]);
    }
    unjudged(plan, &mut out);
    out.option(&["--clearenv"]);
    for (key, value) in &plan.environ {
        out.option(&["--setenv", key, value]);
    }
    for number in &plan.rights.capabilities {
        match redpak_model::capability::NAMES.get(usize::from(*number)) {
            Some(name) => out.option(&["--cap-add", name]),
            None => out.remarks.push(format!("capability number {number} has no name")),
        }
    }
    out.option(&["--chdir", &plan.cwd.to_string_lossy()]);
    if plan.new_session {
        out.option(&["--new-session"]);
    }
    if plan.die_with_parent {
        out.option(&["--die-with-parent"]);
    }
    out.remarks.push(format!("umask {:03o} is not set", plan.umask));
    out.remarks.push("TIOCSTI and TIOCLINUX are not filtered".into());
    if !plan.new_directories.is_empty() {
        out.remarks.push("missing directories below nodes are not made".into());
    }
    let command: Vec<&str> = plan.command.iter().map(String::as_str).collect();
    out.option(&[&["--"], command.as_slice()].concat());
    out.finish()
}

/// Descriptors that every POSIX shell can open a here-document on: it takes one digit.
const HERE: std::ops::RangeInclusive<u32> = 3..=9;

struct Writer {
    /// Comments before the command.
    comments: Vec<String>,
    lines: Vec<String>,
    /// Descriptor and text of each here-document.
    data: Vec<(u32, String)>,
    /// Descriptors that the caller has opened.
    taken: BTreeSet<u32>,
    remarks: Vec<String>,
}

impl Writer {
    fn new(plan: &LaunchPlan) -> Self {
        let taken = plan.mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::File { content: Content::Descriptor(number), .. } => Some(*number),
            _ => None,
        });
        Self {
            comments: vec![],
            lines: vec!["bwrap".into()],
            data: vec![],
            taken: taken.collect(),
            remarks: vec![],
        }
    }

    fn option(&mut self, words: &[&str]) {
        self.lines.push(words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "));
    }

    /// A remark that stands in the script too: whoever keeps it is told what is missing.
    fn comment(&mut self, text: String) {
        let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.comments.push(format!("# {plain}"));
        self.remarks.push(plain);
    }

    /// Descriptor number of a here-document with this text, while there is a free one.
    fn here(&mut self, text: &str) -> Option<u32> {
        let number = HERE.into_iter().find(|number| !self.taken.contains(number))?;
        self.taken.insert(number);
        self.data.push((number, text.to_owned()));
        Some(number)
    }

    fn finish(self) -> Rendering {
        let mut script: String = self.comments.iter().map(|comment| format!("{comment}\n")).collect();
        script.push_str(&self.lines.join(" \\\n  "));
        let ends: Vec<String> =
            self.data.iter().enumerate().map(|(index, (_, text))| end_of(text, index)).collect();
        for ((number, _), end) in self.data.iter().zip(&ends) {
            script.push_str(&format!(" {number}<<'{end}'"));
        }
        script.push('\n');
        for ((_, text), end) in self.data.iter().zip(&ends) {
            let line_end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            script.push_str(&format!("{text}{line_end}{end}\n"));
        }
        Rendering { script, remarks: self.remarks }
    }
}

/// A word that ends a here-document, and is none of its lines: what follows such a line would be run.
fn end_of(text: &str, index: usize) -> String {
    let mut end = format!("REDPAK_{index}");
    while text.lines().any(|line| line.trim_end_matches('\r') == end) {
        end.push('_');
    }
    end
}

/// What commands decide that were not run.
fn unjudged(plan: &LaunchPlan, out: &mut Writer) {
    for mount in &plan.mounts {
        if let MountKind::File { content: Content::Command(command), .. } = &mount.kind {
            let at = mount.at.display();
            out.comment(format!(
                "left out: {at} holds the output of a command, which was not run: {command:?}"
            ));
        }
    }
    for one in &plan.unjudged {
        let (how, what, text) =
            (if one.left_out { "left out" } else { "as it stands" }, &one.what, &one.text);
        out.comment(format!("{how}: {what} is decided by a command, which was not run: {text:?}"));
    }
}

fn namespaces(plan: &LaunchPlan, out: &mut Writer) {
    let namespaces = &plan.namespaces;
    for (new, option) in [
        (namespaces.user, "--unshare-user"),
        (namespaces.pid, "--unshare-pid"),
        (namespaces.net, "--unshare-net"),
        (namespaces.ipc, "--unshare-ipc"),
        (namespaces.uts, "--unshare-uts"),
        (namespaces.cgroup, "--unshare-cgroup"),
    ] {
        if new {
            out.option(&[option]);
        }
    }
    if namespaces.user {
        out.option(&["--uid", &plan.ids.uid.to_string()]);
        out.option(&["--gid", &plan.ids.gid.to_string()]);
        if plan.ids.uid_map.iter().any(|range| range.count > 1) {
            out.remarks.push("bwrap maps one user and one group, the plan maps all".into());
        }
    }
    if let Some(name) = &plan.hostname {
        out.option(&["--hostname", name]);
    }
    out.option(&[
        "--perms",
        &format!("{:04o}", plan.root.mode),
        "--size",
        &plan.root.size.to_string(),
        "--tmpfs",
        "/",
    ]);
}

fn one_mount(plan: &LaunchPlan, at: &Path, kind: &MountKind, out: &mut Writer) {
    let to = at.to_string_lossy();
    match kind {
        MountKind::Bind { source, attrs, .. } => match host_path(plan, source) {
            Some(from) => out.option(&[
                if attrs.read_only { "--ro-bind" } else { "--bind" },
                &from.to_string_lossy(),
                &to,
            ]),
            None => out.remarks.push(format!("{to} comes out of an assembled overlay: left out")),
        },
        MountKind::Overlay { layers, mount_points, upper, .. } => {
            overlay(plan, &to, layers, upper.is_some(), out);
            for (point, what) in mount_points {
                if let MountPoint::Symlink(target) = what {
                    out.remarks
                        .push(format!("the link {} -> {target} is left out", at.join(point).display()));
                }
            }
            if !mount_points.is_empty() {
                out.remarks.push(format!("mount points below {to} must exist in its layers"));
            }
        }
        MountKind::Symlink { target } => out.option(&["--symlink", target, &to]),
        MountKind::Directory { mode } => out.option(&["--perms", &format!("{mode:04o}"), "--dir", &to]),
        MountKind::Tmpfs(tmpfs) => {
            out.option(&[
                "--perms",
                &format!("{:04o}", tmpfs.mode),
                "--size",
                &tmpfs.size.to_string(),
                "--tmpfs",
                &to,
            ]);
        }
        MountKind::Device { source } => match host_path(plan, source) {
            Some(from) => out.option(&["--dev-bind", &from.to_string_lossy(), &to]),
            None => out.remarks.push(format!("{to} comes out of an assembled overlay: left out")),
        },
        MountKind::Mqueue => out.option(&["--mqueue", &to]),
        MountKind::Proc { .. } => out.option(&["--proc", &to]),
        MountKind::Dev { .. } => out.option(&["--dev", &to]),
        MountKind::File { content, mode } => file(&to, content, *mode, out),
    }
}

fn file(to: &str, content: &Content, mode: u32, out: &mut Writer) {
    let descriptor = match content {
        Content::Descriptor(number) => Some(*number),
        Content::Text(text) if text.contains('\0') => None,
        Content::Text(text) => {
            let descriptor = out.here(text);
            if descriptor.is_some() && !text.is_empty() && !text.ends_with('\n') {
                out.remarks.push(format!("{to} gets a line end at its end"));
            }
            descriptor
        }
        Content::Bytes(_) => None,
        // Said in a comment.
        Content::Command(_) => return,
    };
    match descriptor {
        Some(number) => {
            out.option(&["--perms", &format!("{mode:04o}"), "--ro-bind-data", &number.to_string(), to]);
        }
        None => match content {
            Content::Text(text) if !text.contains('\0') => {
                out.remarks.push(format!("{to} is left out: a POSIX shell opens no more here-documents"));
            }
            _ => out.remarks.push(format!("{to} is left out: it holds what is no text")),
        },
    }
}

fn overlay(plan: &LaunchPlan, to: &str, layers: &[Source], writable: bool, out: &mut Writer) {
    let paths: Vec<PathBuf> = layers.iter().filter_map(|layer| host_path(plan, layer)).collect();
    if paths.len() != layers.len() {
        out.remarks.push(format!("a layer of {to} comes out of an assembled overlay: left out"));
    }
    if let [only] = paths.as_slice() {
        out.option(&["--ro-bind", &only.to_string_lossy(), to]);
        return;
    }
    // bwrap(1): the first --overlay-src is the lowest layer.
    for path in paths.iter().rev() {
        out.option(&["--overlay-src", &path.to_string_lossy()]);
    }
    out.option(&["--ro-overlay", to]);
    out.remarks.push(format!("{to} is an overlay: needs bubblewrap 0.11 or later"));
    if writable {
        out.remarks.push(format!("{to} is writable in the plan"));
    }
}

/// Where a source lies on the host, for bubblewrap takes all sources from there.
fn host_path(plan: &LaunchPlan, source: &Source) -> Option<PathBuf> {
    match source {
        Source::Host { path } => Some(path.clone()),
        Source::Node { node, beneath } => Some(crate::facts::join(&plan.nodes.get(*node)?.path, beneath)),
        Source::Tree { inside, entry } => {
            let mount = plan.mounts.get(*entry)?;
            let beneath = inside.strip_prefix(&mount.at).ok()?;
            match &mount.kind {
                MountKind::Bind { source, .. } | MountKind::Device { source } => {
                    Some(crate::facts::join(&host_path(plan, source)?, beneath))
                }
                MountKind::Overlay { layers, .. } if layers.len() == 1 => {
                    Some(crate::facts::join(&host_path(plan, &layers[0])?, beneath))
                }
                _ => None,
            }
        }
    }
}

/// A word for a POSIX shell.
fn quote(word: &str) -> String {
    let plain =
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, expected) in
            [("/usr/bin", "/usr/bin"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$X", "'$X'")]
        {
            assert_eq!(quote(word), expected);
        }
    }
}
