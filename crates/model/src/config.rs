//! One file, parsed and checked: values with their places. Names are not replaced yet, and no other file is known.

use redpak_diagnostics::{Finding, Place};
use serde::Serialize;

use crate::capability::Capability;
use crate::codes;
use crate::effective::{Access, Layer};
use crate::expand;
use crate::schema;
use crate::source::SourceText;
use crate::tree::Reader;
use crate::walk::{Fields, Value};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<T> Located<T> {
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: change(self.value), place: self.place }
    }
}

/// One of a node's two files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeConfig {
    /// Which of the two.
    pub layer: Layer,
    /// `headers`.
    pub headers: Headers,
    /// `config`.
    pub config: Config,
    /// `environ`, in the file's order.
    pub environ: Vec<VariableEntry>,
    /// `exports`, in the file's order.
    pub exports: Vec<ExportEntry>,
}

/// `headers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Headers {
    /// The node's name.
    pub alias: Located<String>,
    /// A UUID given at creation.
    pub name: Option<Located<String>>,
    /// Free text.
    pub info: Option<Located<String>>,
}

/// `enabled`, `disabled` or `unset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// On; of a namespace: shared.
    Enabled,
    /// Off; of a namespace: isolated.
    Disabled,
    /// No statement; of a namespace: the choice is left to the descendants.
    Unset,
}

/// `config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Config {
    /// RPM database.
    pub rpmdir: Option<Located<String>>,
    /// Package manager state.
    pub persistdir: Option<Located<String>>,
    /// Download cache.
    pub cachedir: Option<Located<String>>,
    /// Program search path, separated by `:`.
    pub path: Option<Located<String>>,
    /// Library search path, separated by `:`.
    pub ldpath: Option<Located<String>>,
    /// File mode creation mask.
    pub umask: Option<Located<u32>>,
    /// The user is root inside.
    pub map_root_user: Option<Located<bool>>,
    /// Verbosity.
    pub verbose: Option<Located<i64>>,
    /// Package signatures are verified.
    pub gpgcheck: Option<Located<bool>>,
    /// The moved-node check is skipped.
    pub r#unsafe: Option<Located<bool>>,
    /// The caller's whole environment is passed on.
    pub inherit_env: Option<Located<bool>>,
    /// The command dies with redwrap's parent.
    pub die_with_parent: Option<Located<Switch>>,
    /// The command gets a session of its own.
    pub new_session: Option<Located<Switch>>,
    /// `share_*`, by key.
    pub shares: ShareEntries,
    /// Host name inside.
    pub hostname: Option<Located<String>>,
    /// Working directory inside.
    pub chdir: Option<Located<String>>,
    /// `capabilities`, in the file's order.
    pub capabilities: Vec<CapabilityEntry>,
    /// What the host provides, as RPM dependency texts.
    pub host_provides: Vec<Located<String>>,
    /// Keys that stand in this file and that the root node alone may set.
    pub root_only: Vec<Located<&'static str>>,
}

/// `share_*` of one file, as they stand: `share_all` is not applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShareEntries {
    /// Default of the others, time excepted.
    pub all: Option<Located<Switch>>,
    /// User namespace.
    pub user: Option<Located<Switch>>,
    /// Control group namespace.
    pub cgroup: Option<Located<Switch>>,
    /// Network namespace.
    pub net: Option<Located<Switch>>,
    /// Process id namespace.
    pub pid: Option<Located<Switch>>,
    /// System V and POSIX queue namespace.
    pub ipc: Option<Located<Switch>>,
    /// Time namespace.
    pub time: Option<Located<Switch>>,
}

/// One entry of `capabilities`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CapabilityEntry {
    /// Which.
    pub cap: Located<Capability>,
    /// Kept or dropped.
    pub keep: bool,
    /// Free text.
    pub info: Option<Located<String>>,
    /// Shown when the entry is overridden.
    pub warn: Option<Located<String>>,
}

/// How a variable gets its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum VariableMode {
    /// The value, names replaced.
    #[default]
    Default,
    /// The value as it stands.
    Static,
    /// The output of a command.
    Execfd,
    /// The caller's value.
    Inherit,
    /// None.
    Remove,
}

/// One entry of `environ`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VariableEntry {
    /// Name of the variable.
    pub key: Located<String>,
    /// How it gets its value.
    pub mode: VariableMode,
    /// Its value; there in the modes that take one.
    pub value: Option<Located<String>>,
    /// Free text.
    pub info: Option<Located<String>>,
    /// Shown when the entry is overridden.
    pub warn: Option<Located<String>>,
}

/// What an export makes appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the words of the configuration language, explained in its table")]
pub enum ExportMode {
    Restricted,
    Public,
    PrivateRestricted,
    Private,
    RestrictedFile,
    PublicFile,
    PrivateFile,
    Symlink,
    Execfd,
    Internal,
    Anonymous,
    Tmpfs,
    Procfs,
    Mqueue,
    Devfs,
    Lock,
    Overlay,
    Device,
    Passwd,
    Group,
}

impl ExportMode {
    /// The word for it in files.
    pub fn word(self) -> &'static str {
        schema::EXPORT_MODES.iter().find(|(_, mode, _)| *mode == self).map_or("?", |(word, ..)| *word)
    }

    /// The access that a bind of this mode gives; `None` when it is no bind.
    pub fn bind(self) -> Option<Access> {
        match self {
            Self::Restricted | Self::PrivateRestricted | Self::RestrictedFile => Some(Access::ReadOnly),
            Self::Public | Self::Private | Self::PublicFile | Self::PrivateFile => Some(Access::ReadWrite),
            _ => None,
        }
    }

    /// Whether it is seen in the node itself only.
    pub fn is_private(self) -> bool {
        matches!(self, Self::PrivateRestricted | Self::Private | Self::PrivateFile)
    }

    /// Whether its source must be a file.
    pub fn is_file(self) -> bool {
        matches!(self, Self::RestrictedFile | Self::PublicFile | Self::PrivateFile)
    }

    /// Whether `path` names something that is opened, and may be missing.
    fn has_source(self) -> bool {
        self.bind().is_some() || matches!(self, Self::Overlay | Self::Device)
    }

    /// Whether `path` may stand there.
    fn takes_path(self) -> bool {
        self.has_source() || matches!(self, Self::Symlink | Self::Execfd | Self::Internal)
    }
}

/// One entry of `exports`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportEntry {
    /// Path inside the launched node.
    pub mount: Located<String>,
    /// What appears there.
    pub mode: ExportMode,
    /// Where from; absent it is `mount`.
    pub path: Option<Located<String>>,
    /// Free text.
    pub info: Option<Located<String>>,
    /// Shown when the entry is overridden.
    pub warn: Option<Located<String>>,
    /// A missing source is no warning.
    pub optional: bool,
    /// Limit in bytes.
    pub size: Option<u64>,
}

/// Parses one file. `None` when there is an error among the findings.
pub fn parse(source: &SourceText, layer: Layer) -> (Option<NodeConfig>, Vec<Finding>) {
    let mut reader = Reader::new(source);
    let config = reader.tree(source).and_then(|tree| {
        let fields = reader.section(&tree, tree.span, schema::FILE, "the file");
        node_config(&mut reader, &fields, layer)
    });
    let config = config.filter(|_| !reader.report.has_errors());
    (config, reader.report.finish())
}

fn node_config(reader: &mut Reader<'_>, fields: &Fields, layer: Layer) -> Option<NodeConfig> {
    let headers = fields.section("headers");
    let config = fields.section("config").map_or_else(Config::default, config);
    let environ = fields.entries("environ").iter().filter_map(|fields| variable(reader, fields)).collect();
    let exports = fields.entries("exports").iter().filter_map(|fields| export(reader, fields)).collect();
    let headers = headers?;
    let headers =
        Headers { alias: headers.text("alias")?, name: headers.text("name"), info: headers.text("info") };
    Some(NodeConfig { layer, headers, config, environ, exports })
}

fn config(fields: &Fields) -> Config {
    let root_only = schema::CONFIG.iter().filter(|key| key.rule == schema::Rule::RootOnly);
    Config {
        rpmdir: fields.text("rpmdir"),
        persistdir: fields.text("persistdir"),
        cachedir: fields.text("cachedir"),
        path: fields.text("path"),
        ldpath: fields.text("ldpath"),
        umask: fields.integer("umask").map(|umask| umask.map(|bits| u32::try_from(bits).unwrap_or(0o777))),
        map_root_user: fields.integer("map-root-user").map(|value| value.map(|number| number != 0)),
        verbose: fields.integer("verbose"),
        gpgcheck: fields.boolean("gpgcheck"),
        r#unsafe: fields.boolean("unsafe"),
        inherit_env: fields.boolean("inherit-env"),
        die_with_parent: fields.switch("die-with-parent"),
        new_session: fields.switch("new-session"),
        shares: ShareEntries {
            all: fields.switch("share_all"),
            user: fields.switch("share_user"),
            cgroup: fields.switch("share_cgroup"),
            net: fields.switch("share_net"),
            pid: fields.switch("share_pid"),
            ipc: fields.switch("share_ipc"),
            time: fields.switch("share_time"),
        },
        hostname: fields.text("hostname"),
        chdir: fields.text("chdir"),
        capabilities: fields.entries("capabilities").iter().filter_map(capability).collect(),
        host_provides: fields.texts("host-provides"),
        root_only: root_only
            .filter_map(|key| fields.key_place(key.name).map(|place| Located { value: key.name, place }))
            .collect(),
    }
}

fn capability(fields: &Fields) -> Option<CapabilityEntry> {
    let cap = fields.get("cap", |value| match value {
        Value::Capability(cap) => Some(*cap),
        _ => None,
    })?;
    let keep = fields.integer("add")?.value != 0;
    Some(CapabilityEntry { cap, keep, info: fields.text("info"), warn: fields.text("warn") })
}

fn variable(reader: &mut Reader<'_>, fields: &Fields) -> Option<VariableEntry> {
    let key = fields.text("key");
    let stated = fields.get("mode", |value| match value {
        Value::VariableMode(mode) => Some(*mode),
        _ => None,
    });
    if stated.is_none() && fields.key_place("mode").is_some() {
        return None;
    }
    let mode = stated.map_or_else(VariableMode::default, |mode| mode.value);
    let value = fields.text("value");
    match mode {
        VariableMode::Default | VariableMode::Static | VariableMode::Execfd
            if fields.key_place("value").is_none() =>
        {
            let place = key.as_ref().map_or(&fields.place, |key| &key.place);
            refuse(
                reader,
                codes::MISSING_KEY,
                place,
                "the variable has no `value`".into(),
                "give a value, or use the mode `Inherit` or `Remove`",
            );
        }
        VariableMode::Inherit | VariableMode::Remove => {
            if let Some(place) = fields.key_place("value") {
                let message = format!("the mode `{mode:?}` takes no `value`");
                refuse(
                    reader,
                    codes::NOT_TAKEN,
                    &place,
                    message,
                    "remove the value, or use the mode `Default`",
                );
            }
        }
        _ => {}
    }
    if let (VariableMode::Default, Some(value)) = (mode, &value)
        && expand::has_command(&value.value)
    {
        reader.not_supported(
            &value.place,
            "commands (`$(…)`)",
            "write `\\$(` for the characters themselves, or use the mode `Static`",
        );
    }
    Some(VariableEntry { key: key?, mode, value, info: fields.text("info"), warn: fields.text("warn") })
}

fn export(reader: &mut Reader<'_>, fields: &Fields) -> Option<ExportEntry> {
    let mount = fields.text("mount");
    let mode = fields.get("mode", |value| match value {
        Value::ExportMode(mode) => Some(*mode),
        _ => None,
    })?;
    let mode = mode.value;
    let word = mode.word();
    let path = fields.text("path");
    let same = matches!((&path, &mount), (Some(path), Some(mount)) if path.value == mount.value);
    if let Some(path) = path.as_ref().filter(|_| !mode.takes_path() && !same) {
        refuse(
            reader,
            codes::NOT_TAKEN,
            &path.place,
            format!("the mode `{word}` takes no `path`"),
            "remove the path",
        );
    }
    if mode == ExportMode::Symlink && (path.is_none() || same) {
        let place = path.as_ref().or(mount.as_ref()).map_or(&fields.place, |text| &text.place);
        refuse(
            reader,
            codes::MISSING_KEY,
            place,
            "a link needs a `path` other than `mount`".into(),
            "say in `path` where it points",
        );
    }
    let size = fields.get("size", |value| match value {
        Value::Size(size) => Some(*size),
        _ => None,
    });
    if let Some(place) = fields.key_place("size").filter(|_| mode != ExportMode::Tmpfs) {
        refuse(
            reader,
            codes::NOT_TAKEN,
            &place,
            format!("the mode `{word}` takes no `size`"),
            "`size` limits a `Tmpfs`",
        );
    }
    if let Some(place) = fields.key_place("optional").filter(|_| !mode.has_source()) {
        let message = format!("the mode `{word}` has no source that could be missing");
        refuse(reader, codes::NOT_TAKEN, &place, message, "remove `optional`");
    }
    Some(ExportEntry {
        mount: mount?,
        mode,
        path: path.filter(|_| mode.takes_path()),
        info: fields.text("info"),
        warn: fields.text("warn"),
        optional: fields.boolean("optional").is_some_and(|optional| optional.value),
        size: size.map(|size| size.value),
    })
}

fn refuse(reader: &mut Reader<'_>, code: &'static str, place: &Place, message: String, hint: &str) {
    reader.report.push(Finding::error(code, message).with_place(place.clone()).with_hint(hint));
}
