//! From checked fields to a [`NodeConfig`]: what goes with the mode of an entry and what does not. A file with errors
//! yields what is sound of it, so that the rest of the family can be judged all the same.

use std::collections::BTreeSet;

use redpak_diagnostics::{Finding, Place, Severity};

use crate::codes;
use crate::config::{
    CapabilityEntry, Config, ExportEntry, ExportMode, Headers, Located, NodeConfig, ShareEntries,
    VariableEntry, VariableMode,
};
use crate::effective::{Inheritance, Layer};
use crate::limits;
use crate::pieces;
use crate::scalar;
use crate::schema::{self, Kind};
use crate::source::SourceText;
use crate::tree::Reader;
use crate::walk::{Fields, Value, short};

/// Parses one file. `None` when there is an error among the findings.
///
/// What does not go with the mode of its entry is a warning here: whether it is refused depends on how the root node
/// has the family merged.
pub fn parse(source: &SourceText, layer: Layer) -> (Option<NodeConfig>, Vec<Finding>) {
    let (draft, mut findings) = draft(source, layer);
    tolerate(&mut findings);
    let sound = !findings.iter().any(Finding::is_error);
    (Some(draft.config).filter(|_| sound), findings)
}

/// red-pak 2.5 ignores what does not go with the mode of an entry, and its files have such lines.
pub(crate) fn tolerate(findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|finding| finding.code == codes::NOT_TAKEN) {
        finding.severity = Severity::Warning;
    }
}

/// What is sound of a file.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub config: NodeConfig,
    pub damage: Damage,
}

/// Of what a file says, that which is not known: what is said of it further down the family cannot be judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Damage {
    /// Keys of `config`, and `headers`, `environ`, `exports`.
    keys: BTreeSet<&'static str>,
    /// Nothing of the file is known.
    all: bool,
}

impl Damage {
    /// Whether what the file says of a key is not known.
    pub fn has(&self, key: &str) -> bool {
        self.all || self.keys.contains(key)
    }

    pub fn add(&mut self, key: &'static str) {
        self.keys.insert(key);
    }
}

/// Parses one file as far as it can be.
pub(crate) fn draft(source: &SourceText, layer: Layer) -> (Draft, Vec<Finding>) {
    let mut reader = Reader::new(source);
    let draft = match reader.tree(source) {
        Some(tree) => {
            let fields = reader.section(&tree, tree.span, schema::FILE, "the file");
            node_config(&mut reader, &fields, layer)
        }
        None => {
            let place = reader.place(crate::source::Span::default());
            let config = empty(layer, place);
            Draft { config, damage: Damage { all: true, ..Damage::default() } }
        }
    };
    (draft, reader.report.finish())
}

fn empty(layer: Layer, place: Place) -> NodeConfig {
    let alias = Located { value: String::new(), place };
    NodeConfig {
        layer,
        headers: Headers { alias, name: None, info: None },
        config: Config::default(),
        environ: Vec::new(),
        exports: Vec::new(),
    }
}

fn node_config(reader: &mut Reader<'_>, fields: &Fields, layer: Layer) -> Draft {
    let mut config = empty(layer, fields.place.clone());
    let mut damage = Damage::default();
    damage.keys.extend(fields.damaged().iter().filter(|key| **key != "config"));
    let settings = fields.section("config");
    // Something that is no section, or a misspelt name of it, hides all that stands there.
    damage.all = settings.is_none() && fields.damaged().contains(&"config");
    if let Some(section) = settings {
        damage.keys.extend(section.damaged());
        config.config = settings_of(section);
    }
    match fields.section("headers") {
        Some(headers) => {
            config.headers.name = headers.text("name");
            config.headers.info = headers.text("info");
            match headers.text("alias") {
                Some(alias) => config.headers.alias = alias,
                None => damage.add("headers"),
            }
        }
        None => damage.add("headers"),
    }
    let mut entries = |key: &'static str, read: &mut dyn FnMut(&mut Reader<'_>, &Fields)| {
        let before = reader.report.errors();
        for fields in fields.entries(key) {
            read(reader, fields);
        }
        if reader.report.errors() > before {
            damage.add(key);
        }
    };
    entries("environ", &mut |reader, fields| config.environ.extend(variable(reader, fields)));
    entries("exports", &mut |reader, fields| config.exports.extend(export(reader, fields)));
    Draft { config, damage }
}

fn settings_of(fields: &Fields) -> Config {
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
            user: fields.share("share_user"),
            cgroup: fields.share("share_cgroup"),
            net: fields.share("share_net"),
            pid: fields.share("share_pid"),
            ipc: fields.share("share_ipc"),
            time: fields.share("share_time"),
        },
        hostname: fields.text("hostname"),
        chdir: fields.text("chdir"),
        capabilities: fields.entries("capabilities").iter().filter_map(capability).collect(),
        host_provides: fields.texts("host-provides"),
        inheritance: fields.word("inheritance").map(|word| {
            word.map(|index| if index == 0 { Inheritance::Strict } else { Inheritance::Compatible })
        }),
        set_user: fields.text("set-user"),
        set_group: fields.text("set-group"),
        smack: fields.text("smack"),
        selinux: fields.text("selinux"),
        apparmor: fields.text("apparmor"),
        monotonic: fields.section("time-offsets").and_then(|offsets| offsets.integer("monotonic")),
        boottime: fields.section("time-offsets").and_then(|offsets| offsets.integer("boottime")),
        cgrouproot: fields.text("cgrouproot"),
        cgroups: limits::cgroups(fields),
        seccomp: limits::seccomp(fields),
        landlock: limits::landlock(fields),
        rlimits: limits::rlimits(fields),
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
        && let Some((code, message, hint)) = pieces::wrong(&value.value)
    {
        refuse(reader, code, &value.place, format!("`value` {message}"), hint);
        return None;
    }
    if let (VariableMode::Execfd, Some(value)) = (mode, &value)
        && value.value.trim().is_empty()
    {
        no_command(reader, "value", &value.place);
        return None;
    }
    Some(VariableEntry { key: key?, mode, value, info: fields.text("info"), warn: fields.text("warn") })
}

fn export(reader: &mut Reader<'_>, fields: &Fields) -> Option<ExportEntry> {
    let mount = fields.text("mount");
    let mode = fields.get("mode", |value| match value {
        Value::ExportMode(mode) => Some(*mode),
        _ => None,
    })?;
    let Located { value: mode, place: mode_place } = mode;
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
    if let Some(path) = path.as_ref().filter(|_| mode.takes_path())
        && !path_fits(reader, mode, path)
    {
        return None;
    }
    if matches!(mode, ExportMode::Execfd | ExportMode::Internal) && path.is_none() {
        let place = mount.as_ref().map_or(&fields.place, |mount| &mount.place);
        let (what, hint) = match mode {
            ExportMode::Execfd => ("a command", "say in `path` which command prints the file's content"),
            _ => ("a descriptor", "say in `path` the number of the descriptor to read"),
        };
        refuse(reader, codes::MISSING_KEY, place, format!("the mode `{word}` needs {what} in `path`"), hint);
        return None;
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
        mode_place,
        path: path.filter(|_| mode.takes_path()),
        info: fields.text("info"),
        warn: fields.text("warn"),
        optional: fields.boolean("optional").is_some_and(|optional| optional.value),
        size: size.map(|size| size.value),
    })
}

/// What `path` takes depends on the mode: a command is taken as it stands, a descriptor is a number, all else is a path
/// in which names are replaced.
fn path_fits(reader: &mut Reader<'_>, mode: ExportMode, path: &Located<String>) -> bool {
    match mode {
        ExportMode::Execfd if path.value.trim().is_empty() => {
            no_command(reader, "path", &path.place);
            false
        }
        ExportMode::Execfd => true,
        ExportMode::Internal => match scalar::read(Kind::Integer(0, i64::from(i32::MAX)), &path.value) {
            Ok(_) => true,
            Err(_) => {
                refuse(
                    reader,
                    codes::BAD_VALUE,
                    &path.place,
                    format!("`path` of the mode `Internal` does not take `{}`", short(&path.value)),
                    "it takes the number of a descriptor that redwrap is started with, `3` for one",
                );
                false
            }
        },
        _ => match pieces::wrong(&path.value) {
            Some((code, message, hint)) => {
                refuse(reader, code, &path.place, format!("`path` {message}"), hint);
                false
            }
            None => true,
        },
    }
}

fn no_command(reader: &mut Reader<'_>, key: &str, place: &Place) {
    let message = format!("`{key}` of the mode `Execfd` is a command without words");
    refuse(reader, codes::BAD_COMMAND, place, message, "write the command whose output is wanted");
}

fn refuse(reader: &mut Reader<'_>, code: &'static str, place: &Place, message: String, hint: &str) {
    reader.report.push(Finding::error(code, message).with_place(place.clone()).with_hint(hint));
}
