//! Parsed files as YAML again, and effective values as a child's file: a printer of the tests' own. Every field is
//! named here, so that a new one does not compile before it is printed.

use std::fmt::Write;

use redpak_model::config::{
    CallRuleEntry, CapabilityEntry, Config, ExportEntry, Headers, LandlockEntry, Located, NodeConfig,
    SeccompEntry, ShareEntries, ShareEntry, Switch, VariableEntry,
};
use redpak_model::effective::{
    Account, CallAction, Inheritance, Layer, Rlimit, Share, Sourced, VariableAction,
};
use redpak_model::{Effective, SourceText};

use crate::golden::show;

/// A text as a YAML scalar.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a file that is parsed, printed and parsed again says the same.
pub fn same_when_printed(source: &SourceText, layer: Layer) -> Result<(), String> {
    let Some(first) = redpak_model::parse(source, layer).0 else { return Ok(()) };
    let text = file(&first);
    let (again, findings) = redpak_model::parse(&SourceText::new("printed", text.clone()), layer);
    let Some(again) = again else { return Err(format!("what is printed is refused: {findings:?}\n{text}")) };
    let (first, again) = (without_places(&first), without_places(&again));
    if first == again { Ok(()) } else { Err(format!("{first}\nis not\n{again}\n{text}")) }
}

/// All values of a parsed file, without where they stand.
fn without_places(config: &NodeConfig) -> serde_json::Value {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => {
                fields.retain(|key, _| key != "place" && !key.ends_with("_place"));
                fields.values_mut().for_each(strip);
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(config).expect("it is data");
    strip(&mut value);
    // Keys of the root node's are listed in the file's order, which printing does not keep.
    if let Some(keys) = value.pointer_mut("/config/root_only").and_then(serde_json::Value::as_array_mut) {
        keys.sort_by_key(ToString::to_string);
    }
    value
}

fn file(config: &NodeConfig) -> String {
    let NodeConfig { layer: _, headers: Headers { alias, name, info }, config, environ, exports } = config;
    let mut text = String::from("exports:\n");
    exports.iter().for_each(|entry| export(&mut text, entry));
    text.push_str("environ:\n");
    environ.iter().for_each(|entry| variable(&mut text, entry));
    text.push_str("config:\n");
    settings(&mut text, config);
    text.push_str("headers:\n");
    field(&mut text, "  ", "info", info.as_ref().map(|info| quoted(&info.value)));
    field(&mut text, "  ", "name", name.as_ref().map(|name| quoted(&name.value)));
    field(&mut text, "  ", "alias", Some(quoted(&alias.value)));
    text
}

fn field(text: &mut String, indent: &str, key: &str, value: Option<String>) {
    if let Some(value) = value {
        writeln!(text, "{indent}{key}: {value}").expect("a text");
    }
}

fn notes(text: &mut String, info: &Option<Located<String>>, warn: &Option<Located<String>>) {
    field(text, "  ", "warn", warn.as_ref().map(|warn| quoted(&warn.value)));
    field(text, "  ", "info", info.as_ref().map(|info| quoted(&info.value)));
}

fn export(text: &mut String, entry: &ExportEntry) {
    // Places are no values.
    let ExportEntry { mount, mode, path, info, warn, optional, size, .. } = entry;
    writeln!(text, "- MODE: {}", mode.word().to_uppercase()).expect("a text");
    field(text, "  ", "path", path.as_ref().map(|path| quoted(&path.value)));
    field(text, "  ", "mount", Some(quoted(&mount.value)));
    field(text, "  ", "optional", optional.then(|| "true".to_owned()));
    field(text, "  ", "size", size.map(|size| size.to_string()));
    notes(text, info, warn);
}

fn variable(text: &mut String, entry: &VariableEntry) {
    let VariableEntry { key, mode, value, info, warn } = entry;
    writeln!(text, "- mode: {mode:?}").expect("a text");
    field(text, "  ", "key", Some(quoted(&key.value)));
    field(text, "  ", "value", value.as_ref().map(|value| quoted(&value.value)));
    notes(text, info, warn);
}

fn switch(switch: Switch) -> String {
    format!("{switch:?}")
}

fn settings(text: &mut String, config: &Config) {
    let Config {
        rpmdir,
        persistdir,
        cachedir,
        path,
        ldpath,
        umask,
        map_root_user,
        verbose,
        gpgcheck,
        r#unsafe,
        inherit_env,
        die_with_parent,
        new_session,
        shares,
        hostname,
        chdir,
        capabilities,
        host_provides,
        inheritance,
        set_user,
        set_group,
        smack,
        selinux,
        apparmor,
        monotonic,
        boottime,
        cgrouproot,
        cgroups,
        seccomp,
        landlock,
        rlimits,
        root_only,
    } = config;
    for (key, value) in [
        ("rpmdir", rpmdir),
        ("persistdir", persistdir),
        ("cachedir", cachedir),
        ("path", path),
        ("ldpath", ldpath),
        ("hostname", hostname),
        ("chdir", chdir),
        ("set-user", set_user),
        ("set-group", set_group),
        ("smack", smack),
        ("selinux", selinux),
        ("apparmor", apparmor),
        ("cgrouproot", cgrouproot),
    ] {
        field(text, "  ", key, value.as_ref().map(|value| quoted(&value.value)));
    }
    for (key, value) in [("gpgcheck", gpgcheck), ("unsafe", r#unsafe), ("inherit-env", inherit_env)] {
        field(text, "  ", key, value.as_ref().map(|value| value.value.to_string().to_uppercase()));
    }
    for (key, value) in [("die-with-parent", die_with_parent), ("new-session", new_session)] {
        field(text, "  ", key, value.as_ref().map(|value| switch(value.value)));
    }
    field(text, "  ", "umask", umask.as_ref().map(|umask| format!("{:04o}", umask.value)));
    field(text, "  ", "map-root-user", map_root_user.as_ref().map(|on| u8::from(on.value).to_string()));
    field(text, "  ", "verbose", verbose.as_ref().map(|verbose| verbose.value.to_string()));
    let inheritance = inheritance.as_ref().map(|inheritance| match inheritance.value {
        Inheritance::Strict => "STRICT".to_owned(),
        Inheritance::Compatible => "COMPATIBLE".to_owned(),
    });
    field(text, "  ", "inheritance", inheritance);
    namespaces(text, shares);
    if root_only.iter().any(|key| key.value == "time-offsets") {
        let offsets = [("boottime", boottime), ("monotonic", monotonic)].into_iter();
        let offsets = offsets.filter_map(|(key, set)| Some(format!("{key}: {}", set.as_ref()?.value)));
        field(text, "  ", "time-offsets", Some(format!("{{{}}}", offsets.collect::<Vec<_>>().join(", "))));
    }
    if !host_provides.is_empty() {
        text.push_str("  host-provides:\n");
        host_provides.iter().for_each(|one| writeln!(text, "  - {}", quoted(&one.value)).expect("a text"));
    }
    if !capabilities.is_empty() {
        text.push_str("  capabilities:\n");
        capabilities.iter().for_each(|entry| capability(text, entry));
    }
    control_groups(text, cgroups);
    if let Some(Located { value: SeccompEntry { default, rules }, .. }) = seccomp {
        filter(text, default.as_ref(), rules);
    }
    if let Some(Located { value, .. }) = landlock {
        rules_of_files(text, value);
    }
    if !rlimits.is_empty() {
        text.push_str("  rlimits:\n");
        for (name, limit) in rlimits {
            field(text, "    ", name, Some(quoted(&show::rlimit(limit.value))));
        }
    }
}

fn namespaces(text: &mut String, shares: &ShareEntries) {
    let ShareEntries { all, user, cgroup, net, pid, ipc, time } = shares;
    field(text, "  ", "share_all", all.as_ref().map(|all| switch(all.value)));
    for (key, share) in [
        ("share_user", user),
        ("share_cgroup", cgroup),
        ("share_net", net),
        ("share_pid", pid),
        ("share_ipc", ipc),
        ("share_time", time),
    ] {
        let value = share.as_ref().map(|share| match &share.value {
            ShareEntry::Switch(value) => switch(*value),
            ShareEntry::Join(path) => quoted(path),
        });
        field(text, "  ", key, value);
    }
}

fn capability(text: &mut String, entry: &CapabilityEntry) {
    let CapabilityEntry { cap, keep, info, warn } = entry;
    writeln!(text, "  - add: {}", u8::from(*keep)).expect("a text");
    field(text, "    ", "cap", Some(cap.value.name().to_lowercase()));
    field(text, "    ", "info", info.as_ref().map(|info| quoted(&info.value)));
    field(text, "    ", "warn", warn.as_ref().map(|warn| quoted(&warn.value)));
}

/// Files of a control group by section and key.
const CGROUP_FILES: [(&str, &str, &str); 18] = [
    ("cpuset", "cpus", "cpuset.cpus"),
    ("cpuset", "mems", "cpuset.mems"),
    ("cpuset", "cpus_partition", "cpuset.cpus.partition"),
    ("mem", "min", "memory.min"),
    ("mem", "low", "memory.low"),
    ("mem", "high", "memory.high"),
    ("mem", "max", "memory.max"),
    ("mem", "swap_high", "memory.swap.high"),
    ("mem", "swap_max", "memory.swap.max"),
    ("mem", "oom_group", "memory.oom.group"),
    ("cpu", "max", "cpu.max"),
    ("cpu", "weight", "cpu.weight"),
    ("cpu", "weight_nice", "cpu.weight.nice"),
    ("io", "max", "io.max"),
    ("io", "weight", "io.weight"),
    ("io", "cost_qos", "io.cost.qos"),
    ("io", "cost_model", "io.cost.model"),
    ("pids", "max", "pids.max"),
];

fn control_groups(text: &mut String, files: &[(&'static str, Located<String>)]) {
    if files.is_empty() {
        return;
    }
    text.push_str("  cgroups:\n");
    let mut opened = "";
    for (section, key, file) in CGROUP_FILES {
        let Some((_, value)) = files.iter().find(|(known, _)| *known == file) else { continue };
        if opened != section {
            writeln!(text, "    {section}:").expect("a text");
            opened = section;
        }
        field(text, "      ", key, Some(quoted(&value.value)));
    }
}

fn call_action(text: &mut String, indent: &str, key: &str, action: CallAction) {
    let word = match action {
        CallAction::Allow => "Allow",
        CallAction::Log => "Log",
        CallAction::Errno(_) => "Errno",
        CallAction::Kill => "Kill",
    };
    field(text, indent, key, Some(word.to_owned()));
    let CallAction::Errno(number) = action else { return };
    let name = match number {
        1 => "EPERM",
        2 => "ENOENT",
        5 => "EIO",
        number => panic!("no random filter has the error number {number}"),
    };
    field(text, indent, "errno", Some(name.to_owned()));
}

fn filter(text: &mut String, default: Option<&Located<CallAction>>, rules: &[CallRuleEntry]) {
    if default.is_none() && rules.is_empty() {
        text.push_str("  seccomp: {}\n");
        return;
    }
    text.push_str("  seccomp:\n");
    if let Some(default) = default {
        call_action(text, "    ", "default", default.value);
    }
    if !rules.is_empty() {
        text.push_str("    rules:\n");
    }
    for CallRuleEntry { calls, action, info } in rules {
        text.push_str("    - calls:\n");
        calls.iter().for_each(|call| writeln!(text, "      - {}", quoted(&call.value)).expect("a text"));
        call_action(text, "      ", "action", *action);
        field(text, "      ", "info", info.as_ref().map(|info| quoted(&info.value)));
    }
}

fn rules_of_files(text: &mut String, rules: &LandlockEntry) {
    let LandlockEntry { abi, files, tcp_bind, tcp_connect, abstract_sockets, signals } = rules;
    let mut fields = Vec::new();
    fields.extend(abi.as_ref().map(|abi| format!("abi: {}", abi.value)));
    for (key, set) in [("files", files), ("abstract-sockets", abstract_sockets), ("signals", signals)] {
        fields.extend(set.as_ref().map(|set| format!("{key}: {}", switch(set.value))));
    }
    for (key, ports) in [("tcp-bind", tcp_bind), ("tcp-connect", tcp_connect)] {
        fields.extend(ports.as_ref().map(|ports| format!("{key}: {:?}", ports.value)));
    }
    writeln!(text, "  landlock: {{{}}}", fields.join(", ")).expect("a text");
}

/// What a child writes to say again what its parent has: all that a child may say.
pub fn restated(effective: &Effective) -> String {
    let s = &effective.settings;
    let mut text = String::from("config:\n");
    // What a command decides stands there with the command, which would be another one here.
    let plain = |value: &String| !value.contains("$(");
    let list = |items: &[Sourced<String>]| -> Option<String> {
        let items: Vec<&str> = items.iter().map(|item| item.value.as_str()).collect();
        (!items.is_empty()).then(|| quoted(&items.join(":")))
    };
    field(&mut text, "  ", "path", list(&s.path));
    field(&mut text, "  ", "ldpath", list(&s.ldpath));
    field(&mut text, "  ", "umask", s.umask.as_ref().map(|umask| format!("{:o}", umask.value)));
    field(&mut text, "  ", "verbose", s.verbose.as_ref().map(|verbose| verbose.value.to_string()));
    let map_root_user = s.map_root_user.as_ref().map(|on| u8::from(on.value).to_string());
    field(&mut text, "  ", "map-root-user", map_root_user);
    for (key, set) in [
        ("hostname", &s.hostname),
        ("chdir", &s.chdir),
        ("smack", &s.smack),
        ("selinux", &s.selinux),
        ("apparmor", &s.apparmor),
    ] {
        field(
            &mut text,
            "  ",
            key,
            set.as_ref().map(|set| &set.value).filter(|v| plain(v)).map(|v| quoted(v)),
        );
    }
    for (key, set) in [("set-user", &s.set_user), ("set-group", &s.set_group)] {
        let value = set.as_ref().map(|set| match &set.value {
            Account::Name(name) => quoted(name),
            Account::Id(id) => id.to_string(),
        });
        field(&mut text, "  ", key, value);
    }
    for (key, set) in [("gpgcheck", &s.gpgcheck), ("inherit-env", &s.inherit_env)] {
        field(&mut text, "  ", key, set.as_ref().map(|set| set.value.to_string()));
    }
    let on_off = |on: bool| if on { "enabled" } else { "disabled" }.to_owned();
    for (key, set) in [("die-with-parent", &s.die_with_parent), ("new-session", &s.new_session)] {
        field(&mut text, "  ", key, set.as_ref().map(|set| on_off(set.value)));
    }
    for (key, set) in [
        ("share_user", &s.share.user),
        ("share_cgroup", &s.share.cgroup),
        ("share_net", &s.share.net),
        ("share_pid", &s.share.pid),
        ("share_ipc", &s.share.ipc),
        ("share_time", &s.share.time),
    ] {
        let value = set.as_ref().map(|set| match &set.value {
            Share::Shared => on_off(true),
            Share::Isolated => on_off(false),
            Share::Join(path) => quoted(&path.display().to_string()),
        });
        field(&mut text, "  ", key, value);
    }
    if !s.rlimits.is_empty() {
        text.push_str("  rlimits:\n");
        for (name, Sourced { value: Rlimit { soft, hard }, .. }) in &s.rlimits {
            let limit = show::rlimit(Rlimit { soft: *soft, hard: *hard });
            field(&mut text, "    ", name, Some(quoted(&limit)));
        }
    }
    if !s.capabilities.is_empty() {
        text.push_str("  capabilities:\n");
        for (name, kept) in &s.capabilities {
            writeln!(text, "  - {{cap: {name}, add: {}}}", u8::from(kept.value)).expect("a text");
        }
    }
    text.push_str("environ:\n");
    for variable in &effective.environ {
        let (mode, value) = match &variable.value.action {
            VariableAction::Set(value) => ("Static", Some(quoted(value))),
            VariableAction::Command(command) => ("Execfd", Some(quoted(command))),
            VariableAction::Inherit => ("Inherit", None),
            VariableAction::Remove => ("Remove", None),
        };
        writeln!(text, "- key: {}\n  mode: {mode}", variable.value.key).expect("a text");
        field(&mut text, "  ", "value", value);
    }
    text
}
