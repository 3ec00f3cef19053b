//! Replacing `$NAME`, `${NAME}` and `$(command)` in texts; `\$` is a dollar. Commands are never run here: their output
//! is handed over, or they stay as they stand.

use std::collections::BTreeMap;

use crate::codes;
use crate::commands::{Answers, MAX_TEXT};
use crate::effective::{Layer, NodeHead};
use crate::pieces::{Piece, Pieces};

/// Names that only the caller can know (SPEC section 3, Expansion).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// `UID`: the caller's user id.
    pub uid: u32,
    /// `GID`: the caller's group id.
    pub gid: u32,
    /// `PID`: redwrap's process id.
    pub pid: u32,
    /// The caller's environment; any other name is looked up there.
    pub env: BTreeMap<String, String>,
    /// `TODAY`, as `22:Nov:2026 19:16 (UTC)`.
    pub today: String,
    /// `UUID`: a fresh one.
    pub uuid: String,
    /// `CGROUPS_MOUNT_POINT`, where there is one.
    pub cgroups_mount_point: Option<String>,
    /// `REDPESK_VERSION`, where there is one.
    pub redpesk_version: Option<String>,
    /// `NODE_PREFIX`.
    pub prefix: String,
    /// `redpak_MAIN`: the template of a node's normal configuration.
    pub main: String,
    /// `redpak_MAIN_ADMIN`: the template of a node's admin configuration.
    pub main_admin: String,
    /// `redpak_TMPL`: the directory of templates.
    pub template_dir: String,
    /// The output of commands that were run; the others stay as they stand.
    pub answers: Answers,
}

/// Replacements are followed this deep when they yield names in turn.
const MAX_ROUNDS: usize = 16;
/// An expanded text is at most this long, in bytes: more than any path or variable needs.
const MAX_LENGTH: usize = 64 * 1024;
/// One text leads to at most this many replacements: empty ones do not make it longer.
const MAX_REPLACEMENTS: usize = 10_000;

/// What stands behind names, for the files of one node.
#[derive(Clone, Copy)]
pub(crate) struct Expander<'a> {
    pub names: &'a Names,
    pub node: &'a NodeHead,
    pub leaf: &'a NodeHead,
    /// Index of the node in the family, and which of its files: commands are known by it.
    pub file: (usize, Layer),
}

/// An expanded text, and what is not known of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub text: String,
    /// Names that are not defined, and replaced by nothing.
    pub undefined: Vec<String>,
    /// It holds a command that was not run, as it stands.
    pub unjudged: bool,
    /// Names that stand for what the leaf's file says of itself, and whose text is no single component of a path: it
    /// would lead out of the directory that an ancestor means.
    pub astray: Vec<String>,
}

/// Why a text cannot be expanded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub code: &'static str,
    pub message: String,
    pub hint: &'static str,
}

/// The names that are defined without the caller's environment, as they are written in files.
pub(crate) const KNOWN: [&str; 28] = [
    "NODE_ALIAS",
    "NODE_NAME",
    "NODE_PATH",
    "NODE_INFO",
    "LEAF_ALIAS",
    "LEAF_NAME",
    "LEAF_PATH",
    "LEAF_INFO",
    "NODE_PREFIX",
    "REDNODE_CONF",
    "REDNODE_ADMIN",
    "REDNODE_STATUS",
    "REDNODE_VARDIR",
    "REDNODE_REPODIR",
    "REDNODE_LOCK",
    "redpak_MAIN",
    "redpak_MAIN_ADMIN",
    "redpak_TMPL",
    "LOGNAME",
    "USER",
    "HOSTNAME",
    "CGROUPS_MOUNT_POINT",
    "PID",
    "UID",
    "GID",
    "TODAY",
    "UUID",
    "REDPESK_VERSION",
];

impl Expander<'_> {
    /// The output of a command as text, line ends at its end removed; `None` when it was not run.
    pub fn answer(&self, command: &str) -> Result<Option<String>, Failure> {
        let Some(output) = self.output(command) else { return Ok(None) };
        let bad = |message: String| {
            let hint = "a command prints UTF-8 text without NUL, of at most 64 KiB";
            Err(Failure { code: codes::BAD_OUTPUT, message, hint })
        };
        let said = crate::walk::short(command);
        match std::str::from_utf8(output) {
            Err(_) => bad(format!("what the command `{said}` printed is not UTF-8")),
            Ok(text) if text.contains('\0') => bad(format!("what the command `{said}` printed holds NUL")),
            Ok(text) if text.len() > MAX_TEXT => {
                bad(format!("what the command `{said}` printed is longer than {MAX_TEXT} bytes"))
            }
            Ok(text) => Ok(Some(text.trim_end_matches('\n').to_owned())),
        }
    }

    /// What a command printed; `None` when it was not run.
    pub fn output(&self, command: &str) -> Option<&[u8]> {
        let (node, layer) = self.file;
        self.names.answers.get(&(node, layer, command.to_owned())).map(Vec::as_slice)
    }

    /// Replaces all names and commands.
    pub fn expand(&self, text: &str) -> Result<Expanded, Failure> {
        let mut run = Run {
            expander: self,
            out: Expanded { text: String::new(), undefined: Vec::new(), unjudged: false, astray: Vec::new() },
            replacements: 0,
        };
        run.pieces(text, 0)?;
        Ok(run.out)
    }

    /// All names that are defined here, but for those of the caller's environment.
    pub fn variables(&self) -> Vec<(String, String)> {
        let upper = KNOWN.iter().filter_map(|name| Some(((*name).to_owned(), self.lookup(name)?)));
        upper.collect()
    }

    fn lookup(&self, name: &str) -> Option<String> {
        let names = self.names;
        let beneath = |rest: &str| format!("{}/{rest}", self.node.redpath.display());
        let env =
            |key: &str, otherwise: &str| names.env.get(key).cloned().unwrap_or_else(|| otherwise.to_owned());
        let known = match name.to_ascii_uppercase().as_str() {
            "NODE_ALIAS" => self.node.alias.clone(),
            "NODE_NAME" => return given(&self.node.name),
            "NODE_PATH" => self.node.redpath.display().to_string(),
            "NODE_INFO" => return given(&self.node.info),
            "LEAF_ALIAS" => self.leaf.alias.clone(),
            "LEAF_NAME" => return given(&self.leaf.name),
            "LEAF_PATH" => self.leaf.redpath.display().to_string(),
            "LEAF_INFO" => return given(&self.leaf.info),
            "NODE_PREFIX" => names.prefix.clone(),
            "REDNODE_CONF" => beneath("etc/redpak.yaml"),
            "REDNODE_ADMIN" => beneath("etc/redpak-admin.yaml"),
            "REDNODE_STATUS" => beneath(".rednode.yaml"),
            "REDNODE_VARDIR" => beneath("var"),
            "REDNODE_REPODIR" => beneath("etc/yum.repos.d"),
            "REDNODE_LOCK" => beneath(".redpak/lock"),
            "REDPAK_MAIN" => names.main.clone(),
            "REDPAK_MAIN_ADMIN" => names.main_admin.clone(),
            "REDPAK_TMPL" => names.template_dir.clone(),
            "LOGNAME" => env("LOGNAME", "Unknown"),
            "USER" => env("USER", "Unknown"),
            "HOSTNAME" => env("HOSTNAME", "localhost"),
            "CGROUPS_MOUNT_POINT" => return names.cgroups_mount_point.clone(),
            "PID" => names.pid.to_string(),
            "UID" => names.uid.to_string(),
            "GID" => names.gid.to_string(),
            "TODAY" => names.today.clone(),
            "UUID" => names.uuid.clone(),
            "REDPESK_VERSION" => return names.redpesk_version.clone(),
            _ => return names.env.get(name).cloned(),
        };
        Some(known)
    }
}

/// A header that a file does not give is not defined.
fn given(header: &str) -> Option<String> {
    (!header.is_empty()).then(|| header.to_owned())
}

/// Whether a name stands for what the leaf's file says of itself, whatever that is.
fn is_leafs_own(name: &str) -> bool {
    ["LEAF_NAME", "LEAF_INFO"].iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a name stands for a place on disk: it is found there, and not written by anybody who could mean a name.
fn is_place(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    matches!(name.as_str(), "NODE_PATH" | "LEAF_PATH")
        || ["CONF", "ADMIN", "STATUS", "VARDIR", "REPODIR", "LOCK"]
            .iter()
            .any(|place| name.strip_prefix("REDNODE_") == Some(*place))
}

struct Run<'r, 'a> {
    expander: &'r Expander<'a>,
    out: Expanded,
    replacements: usize,
}

impl Run<'_, '_> {
    fn pieces(&mut self, text: &str, round: usize) -> Result<(), Failure> {
        for piece in Pieces(text) {
            match piece {
                Piece::Literal(text) => self.literal(text)?,
                Piece::Name(name) => self.name(name, round)?,
                Piece::Command(_) | Piece::Open if round > 0 => {
                    return Err(Failure {
                        code: codes::COMMAND_IN_REPLACEMENT,
                        message: "a replacement yields a command (`$(`), and those are never run".to_owned(),
                        hint: "look at the values of the names in this text",
                    });
                }
                Piece::Command(command) => self.command(command)?,
                // In a caller's variable these are characters like others; in a file they are a slip.
                Piece::Bad if round > 0 => self.literal("${")?,
                Piece::Open => {
                    return Err(Failure {
                        code: codes::BAD_COMMAND,
                        message: "`$(` is not closed with `)`".to_owned(),
                        hint: "write `\\$(` for the characters themselves",
                    });
                }
                Piece::Bad => {
                    return Err(Failure {
                        code: codes::BAD_REFERENCE,
                        message: "`${` is not followed by a name and `}`".to_owned(),
                        hint: "write `\\$` for a dollar",
                    });
                }
            }
        }
        Ok(())
    }

    fn command(&mut self, command: &str) -> Result<(), Failure> {
        match self.expander.answer(command)? {
            // What a command printed is taken as it is: nothing in it is a name.
            Some(output) => self.literal(&output),
            None => {
                self.out.unjudged = true;
                self.literal("$(")?;
                self.literal(command)?;
                self.literal(")")
            }
        }
    }

    fn literal(&mut self, text: &str) -> Result<(), Failure> {
        self.out.text.push_str(text);
        if self.out.text.len() > MAX_LENGTH {
            return Err(too_long(format!("the expanded text is longer than {MAX_LENGTH} bytes")));
        }
        Ok(())
    }

    fn name(&mut self, name: &str, round: usize) -> Result<(), Failure> {
        self.replacements += 1;
        if self.replacements > MAX_REPLACEMENTS {
            return Err(too_long(format!("the text leads to more than {MAX_REPLACEMENTS} replacements")));
        }
        if round >= MAX_ROUNDS {
            return Err(Failure {
                code: codes::EXPANSION_TOO_DEEP,
                message: format!("`${name}`: replacements yield names in turn, more than {MAX_ROUNDS} deep"),
                hint: "look for a name whose value holds the name itself",
            });
        }
        match self.expander.lookup(name) {
            // The directory is where it is, whatever characters are in its path.
            Some(value) if is_place(name) => self.literal(&value),
            Some(value) => {
                let start = self.out.text.len();
                self.pieces(&value, round + 1)?;
                let made = &self.out.text[start..];
                if is_leafs_own(name) && (matches!(made, "" | "." | "..") || made.contains('/')) {
                    self.out.astray.push(name.to_owned());
                }
                Ok(())
            }
            None => {
                if !self.out.undefined.iter().any(|known| known == name) {
                    self.out.undefined.push(name.to_owned());
                }
                Ok(())
            }
        }
    }
}

fn too_long(message: String) -> Failure {
    Failure { code: codes::EXPANSION_TOO_LONG, message, hint: "look at the values of the names in this text" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str, env: &[(&str, &str)]) -> Result<Expanded, Failure> {
        let names = Names {
            uid: 1000,
            gid: 100,
            pid: 7,
            env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            prefix: "/prefix".into(),
            main: "m.yaml".into(),
            main_admin: "ma.yaml".into(),
            template_dir: "/tmpl".into(),
            today: "22:Nov:2026 19:16 (UTC)".into(),
            uuid: "1234".into(),
            ..Names::default()
        };
        let head = |alias: &str, path: &str| NodeHead {
            alias: alias.into(),
            name: format!("uuid-{alias}"),
            info: format!("made for $NODE_ALIAS, {alias}"),
            redpath: path.into(),
        };
        let (node, leaf) = (head("root", "/r"), head("leaf", "/r/l"));
        let file = (0, Layer::Normal);
        Expander { names: &names, node: &node, leaf: &leaf, file }.expand(text)
    }

    #[test]
    fn names_are_replaced() {
        for (text, out) in [
            ("plain", "plain"),
            ("$NODE_ALIAS-$LEAF_ALIAS", "root-leaf"),
            ("$node_alias ${Leaf_Path}x", "root /r/lx"),
            ("$NODE_NAME $LEAF_NAME $LEAF_INFO", "uuid-root uuid-leaf made for root, leaf"),
            (
                "$NODE_PATH $NODE_PREFIX $redpak_MAIN $redpak_MAIN_ADMIN $REDPAK_TMPL",
                "/r /prefix m.yaml ma.yaml /tmpl",
            ),
            ("$REDNODE_CONF $REDNODE_ADMIN", "/r/etc/redpak.yaml /r/etc/redpak-admin.yaml"),
            ("$REDNODE_STATUS $REDNODE_VARDIR", "/r/.rednode.yaml /r/var"),
            ("$REDNODE_REPODIR $REDNODE_LOCK", "/r/etc/yum.repos.d /r/.redpak/lock"),
            ("$LOGNAME $USER $HOSTNAME", "Unknown me localhost"),
            ("$PID $UID $GID $TODAY $UUID", "7 1000 100 22:Nov:2026 19:16 (UTC) 1234"),
            ("\\$HOME \\$(x) a\\b \\\\$HOME", "$HOME $(x) a\\b \\$HOME"),
            ("100$ $5 $", "100$ $5 $"),
            ("$A", "b is c"),
            ("é$HOMEé", "é/homeé"),
        ] {
            let env = [("HOME", "/home"), ("A", "b is $B"), ("B", "c"), ("USER", "me")];
            assert_eq!(
                expand(text, &env).map(|e| (e.text, e.undefined)),
                Ok((out.to_owned(), vec![])),
                "{text}"
            );
        }
    }

    #[test]
    fn a_path_on_disk_holds_no_names() {
        let names = Names { env: [("X".to_owned(), "/elsewhere".to_owned())].into(), ..Names::default() };
        let head = NodeHead {
            alias: "a".into(),
            name: "".into(),
            info: "".into(),
            redpath: r"/n/$X\$b/$(id)".into(),
        };
        let expander = Expander { names: &names, node: &head, leaf: &head, file: (0, Layer::Normal) };
        for (text, out) in [
            ("$NODE_PATH/var", r"/n/$X\$b/$(id)/var"),
            ("${leaf_path}", r"/n/$X\$b/$(id)"),
            ("$REDNODE_VARDIR", r"/n/$X\$b/$(id)/var"),
        ] {
            assert_eq!(expander.expand(text).map(|expanded| expanded.text), Ok(out.to_owned()), "{text}");
        }
    }

    #[test]
    fn undefined_names_are_told() {
        let expanded = expand("a$X/${Y}$X$home", &[("HOME", "/home")]).unwrap();
        assert_eq!(
            (expanded.text.as_str(), expanded.undefined),
            ("a/", vec!["X".into(), "Y".into(), "home".into()])
        );
        assert_eq!(expand("$CGROUPS_MOUNT_POINT$REDPESK_VERSION", &[]).unwrap().undefined.len(), 2);
    }

    #[test]
    fn what_cannot_be_expanded_is_refused() {
        let env = [("LOOP", "x$LOOP"), ("A", "$B"), ("B", "$A$A"), ("CMD", "$(id)")];
        for (text, code) in [
            ("$LOOP", codes::EXPANSION_TOO_DEEP),
            ("$A", codes::EXPANSION_TOO_DEEP),
            ("$CMD", codes::COMMAND_IN_REPLACEMENT),
            ("${HOME", codes::BAD_REFERENCE),
            ("${}", codes::BAD_REFERENCE),
            ("${A:-b}", codes::BAD_REFERENCE),
        ] {
            assert_eq!(expand(text, &env).unwrap_err().code, code, "{text}");
        }
        // Doubling fifteen times, to nothing.
        let doubling: Vec<(String, String)> =
            (0..15).map(|n| (format!("V{n}"), format!("$V{0}$V{0}", n + 1))).collect();
        let mut env: Vec<(&str, &str)> = doubling.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        env.push(("V15", ""));
        assert_eq!(expand("$V0", &env).unwrap_err().code, codes::EXPANSION_TOO_LONG);
        let long = "x".repeat(1000);
        let hundred = "$L".repeat(100);
        assert_eq!(
            expand("$H", &[("H", &hundred), ("L", &long)]).unwrap_err().code,
            codes::EXPANSION_TOO_LONG
        );
        let empty = "$E".repeat(20_000);
        assert_eq!(expand("$H", &[("H", &empty), ("E", "")]).unwrap_err().code, codes::EXPANSION_TOO_LONG);
    }

    #[test]
    fn a_commands_output_stands_in_its_place_as_it_is() {
        let mut names = Names { env: [("X".to_owned(), "x".to_owned())].into(), ..Names::default() };
        let head = NodeHead { alias: "a".into(), name: "".into(), info: "".into(), redpath: "/n".into() };
        for (command, output) in
            [("one", &b"1\n\n"[..]), ("names", b"$X $(one) \\$"), ("nul", b"a\0b"), ("binary", b"\xff")]
        {
            names.answers.insert((1, Layer::Normal, command.into()), output.to_vec());
        }
        names.answers.insert((1, Layer::Normal, "long".into()), vec![b'x'; MAX_TEXT + 1]);
        let at = |file| Expander { names: &names, node: &head, leaf: &head, file };
        let expand = |text: &str| at((1, Layer::Normal)).expand(text);
        let is = |text: &str, unjudged| {
            Ok(Expanded { text: text.to_owned(), undefined: vec![], unjudged, astray: vec![] })
        };
        assert_eq!(expand("$X-$(one)-"), is("x-1-", false));
        assert_eq!(expand("$(names)"), is("$X $(one) \\$", false));
        assert_eq!(expand("$(other)$X$(one)"), is("$(other)x1", true));
        assert_eq!(at((0, Layer::Normal)).expand("$(one)"), is("$(one)", true), "another file's");
        assert_eq!(at((1, Layer::Admin)).expand("$(one)"), is("$(one)", true), "another file's");
        for command in ["nul", "binary", "long"] {
            assert_eq!(expand(&format!("$({command})")).unwrap_err().code, codes::BAD_OUTPUT, "{command}");
        }
    }
}
