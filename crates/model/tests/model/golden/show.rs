//! Effective values in few words, for the golden tables.

use std::fmt::Display;

use redpak_model::Layer;
use redpak_model::effective::{
    Access, Account, CallAction, Effective, Export, ExportKind, Inheritance, Landlock, Lies, Origin, Rlimit,
    Seccomp, Settings, Share, Source, Sourced, VariableAction,
};

/// How much of a value is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Value, origin, what it overrode.
    #[default]
    All,
    /// Value and origin.
    Origin,
    /// The value.
    Value,
}

fn origin(origin: &Origin) -> String {
    format!("{}{}", origin.node, if origin.layer == Layer::Admin { "a" } else { "" })
}

fn sourced<T>(sourced: &Sourced<T>, value: impl Display, detail: Detail) -> String {
    let overrode: Vec<String> = sourced.overrode.iter().map(origin).collect();
    match detail {
        Detail::All => format!("{value}@{} [{}]", origin(&sourced.origin), overrode.join(" ")),
        Detail::Origin => format!("{value}@{}", origin(&sourced.origin)),
        Detail::Value => value.to_string(),
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "-".to_owned() } else { items.join(", ") }
}

/// One key of `config`.
pub fn setting(settings: &Settings, key: &str, detail: Detail) -> String {
    let s = settings;
    fn one<T>(set: &Option<Sourced<T>>, detail: Detail, text: impl Fn(&T) -> String) -> String {
        list(set.iter().map(|set| sourced(set, text(&set.value), detail)))
    }
    let path = |set| one(set, detail, |path: &std::path::PathBuf| path.display().to_string());
    let text = |set| one(set, detail, String::clone);
    let boolean = |set| one(set, detail, bool::to_string);
    let number = |set| one(set, detail, i64::to_string);
    let share = |set| {
        one(set, detail, |share| match share {
            Share::Shared => "shared".to_owned(),
            Share::Isolated => "isolated".to_owned(),
            Share::Join(path) => path.display().to_string(),
        })
    };
    let account = |set| {
        one(set, detail, |account| match account {
            Account::Name(name) => name.clone(),
            Account::Id(id) => id.to_string(),
        })
    };
    let texts = |items: &[Sourced<String>]| list(items.iter().map(|item| sourced(item, &item.value, detail)));
    match key {
        "rpmdir" => path(&s.rpmdir),
        "persistdir" => path(&s.persistdir),
        "cachedir" => path(&s.cachedir),
        "cgrouproot" => path(&s.cgrouproot),
        "path" => texts(&s.path),
        "ldpath" => texts(&s.ldpath),
        "host-provides" => texts(&s.host_provides),
        "umask" => one(&s.umask, detail, u32::to_string),
        "verbose" => number(&s.verbose),
        "map-root-user" => boolean(&s.map_root_user),
        "gpgcheck" => boolean(&s.gpgcheck),
        "unsafe" => boolean(&s.r#unsafe),
        "inherit-env" => boolean(&s.inherit_env),
        "die-with-parent" => boolean(&s.die_with_parent),
        "new-session" => boolean(&s.new_session),
        "hostname" => text(&s.hostname),
        "chdir" => text(&s.chdir),
        "smack" => text(&s.smack),
        "selinux" => text(&s.selinux),
        "apparmor" => text(&s.apparmor),
        "set-user" => account(&s.set_user),
        "set-group" => account(&s.set_group),
        "share_user" => share(&s.share.user),
        "share_cgroup" => share(&s.share.cgroup),
        "share_net" => share(&s.share.net),
        "share_pid" => share(&s.share.pid),
        "share_ipc" => share(&s.share.ipc),
        "share_time" => share(&s.share.time),
        "inheritance" => one(&s.inheritance, detail, |inheritance| match inheritance {
            Inheritance::Strict => "strict".to_owned(),
            Inheritance::Compatible => "compatible".to_owned(),
        }),
        "time-offsets" => {
            let clocks = [("monotonic", &s.time_offsets.monotonic), ("boottime", &s.time_offsets.boottime)];
            let set = clocks.iter().filter(|(_, set)| set.is_some());
            list(set.map(|(name, set)| format!("{name}={}", number(set))))
        }
        "cgroups" => list(s.cgroups.iter().map(|node| {
            let files = node.files.iter();
            let files =
                files.map(|(file, set)| format!("{file}={}", sourced(set, &set.value, Detail::Origin)));
            format!("{}: {}", node.node, files.collect::<Vec<_>>().join(" "))
        })),
        "rlimits" => {
            list(s.rlimits.iter().map(|(name, limit)| {
                format!("{name}={}", sourced(limit, rlimit(limit.value), Detail::Origin))
            }))
        }
        "seccomp" => list(s.seccomp.iter().map(|filter| node_of(filter, seccomp(&filter.value)))),
        "landlock" => list(s.landlock.iter().map(|rules| node_of(rules, landlock(&rules.value)))),
        key => panic!("nothing shows `{key}`"),
    }
}

fn node_of<T>(sourced: &Sourced<T>, value: String) -> String {
    format!("{}: {value}", sourced.origin.node).trim().to_owned()
}

pub fn rlimit(limit: Rlimit) -> String {
    let one = |value: Option<u64>| value.map_or_else(|| "max".to_owned(), |value| value.to_string());
    format!("{}:{}", one(limit.soft), one(limit.hard))
}

fn action(action: CallAction) -> String {
    match action {
        CallAction::Allow => "allow".to_owned(),
        CallAction::Log => "log".to_owned(),
        CallAction::Errno(number) => format!("errno {number}"),
        CallAction::Kill => "kill".to_owned(),
    }
}

pub fn seccomp(filter: &Seccomp) -> String {
    let rules = filter.rules.iter().map(|rule| format!("{}={}", rule.calls.join("+"), action(rule.action)));
    std::iter::once(action(filter.default)).chain(rules).collect::<Vec<_>>().join(" ")
}

pub fn landlock(rules: &Landlock) -> String {
    let ports = |name: &str, ports: &Option<Vec<u16>>| {
        let join = |ports: &Vec<u16>| ports.iter().map(u16::to_string).collect::<Vec<_>>().join("+");
        ports.as_ref().map(|ports| format!("{name}={}", join(ports)))
    };
    let words = [
        rules.abi.map(|abi| format!("abi{abi}")),
        rules.files.then(|| "files".to_owned()),
        ports("bind", &rules.tcp_bind),
        ports("connect", &rules.tcp_connect),
        rules.abstract_sockets.then(|| "abs".to_owned()),
        rules.signals.then(|| "sig".to_owned()),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// One capability: 1 is kept.
pub fn capability(settings: &Settings, name: &str, detail: Detail) -> String {
    let name = if name.starts_with("CAP_") { name.to_owned() } else { format!("CAP_{name}") };
    let found = settings.capabilities.iter().filter(|(known, _)| *known == name);
    list(found.map(|(_, kept)| sourced(kept, u8::from(kept.value), detail)))
}

/// All variables.
pub fn environ(effective: &Effective, detail: Detail) -> String {
    list(effective.environ.iter().map(|variable| {
        let action = match &variable.value.action {
            VariableAction::Set(text) => format!("={text}"),
            VariableAction::Command(command) => format!(" command {command}"),
            VariableAction::Inherit => " inherit".to_owned(),
            VariableAction::Remove => " remove".to_owned(),
        };
        sourced(variable, format!("{}{action}", variable.value.key), detail)
    }))
}

/// All exports.
pub fn exports(effective: &Effective) -> String {
    list(effective.exports.iter().map(export))
}

fn export(export: &Export) -> String {
    let source = |source: &Source| match &source.lies {
        Lies::Host => format!("host {}", source.host.display()),
        Lies::Own { beneath } => format!("own {}", beneath.display()),
        Lies::Inherited { export, inside } => format!("#{export} {}", inside.display()),
    };
    let what = match &export.kind {
        ExportKind::Bind { source: from, access, file } => {
            let access = if *access == Access::ReadOnly { "ro" } else { "rw" };
            format!("{access}{} {}", if *file { " file" } else { "" }, source(from))
        }
        ExportKind::Overlay { source: from } => format!("over {}", source(from)),
        ExportKind::Symlink { target } => format!("link {target}"),
        ExportKind::Anonymous => "empty".to_owned(),
        ExportKind::Execfd { command, .. } => format!("output of {command}"),
        ExportKind::Internal { descriptor } => format!("fd {descriptor}"),
        ExportKind::Device { source: from } => format!("device {}", source(from)),
        ExportKind::Lock => "lock".to_owned(),
        ExportKind::Tmpfs { size: None } => "tmpfs".to_owned(),
        ExportKind::Tmpfs { size: Some(size) } => format!("tmpfs {size}"),
        ExportKind::Procfs => "procfs".to_owned(),
        ExportKind::Mqueue => "mqueue".to_owned(),
        ExportKind::Devfs => "devfs".to_owned(),
        ExportKind::Passwd => "passwd".to_owned(),
        ExportKind::Group => "group".to_owned(),
    };
    let flags = [(export.optional, " optional"), (export.private, " private")];
    let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
    assert_eq!(export.level, export.origin.node);
    format!("{} {what}{flags}@{}", export.mount.display(), origin(&export.origin))
}
