//! Replacing `$NAME` and `${NAME}` in texts; `\$` is a dollar. Commands are recognised, and never run.

use std::collections::BTreeMap;

use crate::codes;
use crate::effective::NodeHead;

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
}

/// Replacements are followed this deep when they yield names in turn.
const MAX_ROUNDS: usize = 16;
/// An expanded text is at most this long, in bytes: more than any path or variable needs.
const MAX_LENGTH: usize = 64 * 1024;
/// One text leads to at most this many replacements: empty ones do not make it longer.
const MAX_REPLACEMENTS: usize = 10_000;

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Literal(&'a str),
    Name(&'a str),
    Command,
    /// `${` that no name and `}` follow.
    Bad,
}

/// Whether a text holds `$(` that is not `\$(`.
pub(crate) fn has_command(text: &str) -> bool {
    Pieces(text).any(|piece| piece == Piece::Command)
}

struct Pieces<'a>(&'a str);

impl<'a> Pieces<'a> {
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.0.is_empty() {
            return None;
        }
        if self.0.starts_with("\\$") {
            self.take(1);
            return Some(Piece::Literal(self.take(1)));
        }
        if self.0.starts_with("$(") {
            self.take(2);
            return Some(Piece::Command);
        }
        if let Some(rest) = self.0.strip_prefix("${") {
            let length = name_length(rest);
            if length == 0 || !rest[length..].starts_with('}') {
                self.take(2);
                return Some(Piece::Bad);
            }
            self.take(2);
            let name = self.take(length);
            self.take(1);
            return Some(Piece::Name(name));
        }
        if let Some(rest) = self.0.strip_prefix('$') {
            let length = name_length(rest);
            self.take(1);
            // A dollar that no name follows is a dollar: prompts end with one.
            return Some(if length == 0 { Piece::Literal("$") } else { Piece::Name(self.take(length)) });
        }
        if self.0.starts_with('\\') {
            return Some(Piece::Literal(self.take(1)));
        }
        let length = self.0.find(['$', '\\']).unwrap_or(self.0.len());
        Some(Piece::Literal(self.take(length)))
    }
}

fn name_length(text: &str) -> usize {
    match text.bytes().next() {
        Some(first) if first.is_ascii_alphabetic() || first == b'_' => {
            text.bytes().position(|b| !b.is_ascii_alphanumeric() && b != b'_').unwrap_or(text.len())
        }
        _ => 0,
    }
}

/// What stands behind names, for the files of one node.
#[derive(Clone, Copy)]
pub(crate) struct Expander<'a> {
    pub names: &'a Names,
    pub node: &'a NodeHead,
    pub leaf: &'a NodeHead,
}

/// An expanded text, and the names in it that are not defined (replaced by nothing).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub text: String,
    pub undefined: Vec<String>,
}

/// Why a text cannot be expanded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub code: &'static str,
    pub message: String,
    pub hint: &'static str,
}

impl Expander<'_> {
    /// Replaces all names.
    pub fn expand(&self, text: &str) -> Result<Expanded, Failure> {
        let mut run = Run {
            expander: self,
            out: Expanded { text: String::new(), undefined: Vec::new() },
            replacements: 0,
        };
        run.pieces(text, 0)?;
        Ok(run.out)
    }

    fn lookup(&self, name: &str) -> Option<String> {
        let names = self.names;
        let beneath = |rest: &str| format!("{}/{rest}", self.node.redpath.display());
        let env =
            |key: &str, otherwise: &str| names.env.get(key).cloned().unwrap_or_else(|| otherwise.to_owned());
        let known = match name.to_ascii_uppercase().as_str() {
            "NODE_ALIAS" => self.node.alias.clone(),
            "NODE_NAME" => self.node.name.clone(),
            "NODE_PATH" => self.node.redpath.display().to_string(),
            "NODE_INFO" => self.node.info.clone(),
            "LEAF_ALIAS" => self.leaf.alias.clone(),
            "LEAF_NAME" => self.leaf.name.clone(),
            "LEAF_PATH" => self.leaf.redpath.display().to_string(),
            "LEAF_INFO" => self.leaf.info.clone(),
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
                // The files' own commands are refused when they are parsed.
                Piece::Command => {
                    return Err(Failure {
                        code: codes::COMMAND_IN_REPLACEMENT,
                        message: "a replacement yields a command (`$(`), and those are never run".to_owned(),
                        hint: "look at the values of the names in this text",
                    });
                }
                // In a caller's variable these are characters like others; in a file they are a slip.
                Piece::Bad if round > 0 => self.literal("${")?,
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
            Some(value) => self.pieces(&value, round + 1),
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
        Expander { names: &names, node: &node, leaf: &leaf }.expand(text)
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
        let expander = Expander { names: &names, node: &head, leaf: &head };
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
    fn commands_are_seen_where_they_stand() {
        for (text, is) in [
            ("$(x)", true),
            ("a $(", true),
            ("\\$(x)", false),
            ("\\\\$(x)", false),
            ("$x(", false),
            ("$$(x)", true),
        ] {
            assert_eq!(has_command(text), is, "{text}");
        }
    }
}
