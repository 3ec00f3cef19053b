//! All values of an effective configuration, as words, with where they come from.

use redpak_model::Effective;
use redpak_model::effective::{
    Account, Export, ExportKind, Inheritance, Origin, Share, Sourced, VariableAction,
};

use crate::golden::show;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'e> {
    /// A key, and what it is of: `share_net`, `cap CAP_KILL`, `rlimits nofile`, `environ A`, `exports /a`.
    pub key: String,
    pub value: String,
    pub origin: &'e Origin,
    pub overrode: &'e [Origin],
}

/// All of them.
pub fn items(effective: &Effective) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    settings(effective, &mut items);
    rights(effective, &mut items);
    for variable in &effective.environ {
        let action = match &variable.value.action {
            VariableAction::Set(text) => format!("={text}"),
            VariableAction::Command(command) => format!(" command {command}"),
            VariableAction::Inherit => " inherit".to_owned(),
            VariableAction::Remove => " remove".to_owned(),
        };
        items.push(item(format!("environ {}", variable.value.key), variable, action));
    }
    for export in &effective.exports {
        let key = format!("exports {}", export.mount.display());
        items.push(Item { key, value: kind(export), origin: &export.origin, overrode: &[] });
    }
    items
}

fn item<T>(key: impl Into<String>, sourced: &Sourced<T>, value: impl Into<String>) -> Item<'_> {
    Item { key: key.into(), value: value.into(), origin: &sourced.origin, overrode: &sourced.overrode }
}

fn settings<'e>(effective: &'e Effective, items: &mut Vec<Item<'e>>) {
    let s = &effective.settings;
    let mut put = |key: &str, found: Option<Item<'e>>| {
        items.extend(found.map(|found| Item { key: key.to_owned(), ..found }));
    };
    for (key, path) in [
        ("rpmdir", &s.rpmdir),
        ("persistdir", &s.persistdir),
        ("cachedir", &s.cachedir),
        ("cgrouproot", &s.cgrouproot),
    ] {
        put(key, path.as_ref().map(|path| item("", path, path.value.display().to_string())));
    }
    put("umask", s.umask.as_ref().map(|umask| item("", umask, umask.value.to_string())));
    put("verbose", s.verbose.as_ref().map(|verbose| item("", verbose, verbose.value.to_string())));
    for (key, set) in [
        ("map-root-user", &s.map_root_user),
        ("gpgcheck", &s.gpgcheck),
        ("unsafe", &s.r#unsafe),
        ("inherit-env", &s.inherit_env),
        ("die-with-parent", &s.die_with_parent),
        ("new-session", &s.new_session),
    ] {
        put(key, set.as_ref().map(|set| item("", set, set.value.to_string())));
    }
    for (key, set) in [
        ("hostname", &s.hostname),
        ("chdir", &s.chdir),
        ("smack", &s.smack),
        ("selinux", &s.selinux),
        ("apparmor", &s.apparmor),
    ] {
        put(key, set.as_ref().map(|set| item("", set, set.value.clone())));
    }
    for (key, set) in [("set-user", &s.set_user), ("set-group", &s.set_group)] {
        put(
            key,
            set.as_ref().map(|set| match &set.value {
                Account::Name(name) => item("", set, name.clone()),
                Account::Id(id) => item("", set, id.to_string()),
            }),
        );
    }
    put(
        "inheritance",
        s.inheritance.as_ref().map(|set| match set.value {
            Inheritance::Strict => item("", set, "strict"),
            Inheritance::Compatible => item("", set, "compatible"),
        }),
    );
    for (key, list) in [("path", &s.path), ("ldpath", &s.ldpath), ("host-provides", &s.host_provides)] {
        items.extend(list.iter().map(|one| item(key, one, one.value.clone())));
    }
}

fn rights<'e>(effective: &'e Effective, items: &mut Vec<Item<'e>>) {
    let s = &effective.settings;
    for (key, set) in [
        ("share_user", &s.share.user),
        ("share_cgroup", &s.share.cgroup),
        ("share_net", &s.share.net),
        ("share_pid", &s.share.pid),
        ("share_ipc", &s.share.ipc),
        ("share_time", &s.share.time),
    ] {
        items.extend(set.as_ref().map(|set| match &set.value {
            Share::Shared => item(key, set, "shared"),
            Share::Isolated => item(key, set, "isolated"),
            Share::Join(path) => item(key, set, path.display().to_string()),
        }));
    }
    for (name, kept) in &s.capabilities {
        items.push(item(format!("cap {name}"), kept, u8::from(kept.value).to_string()));
    }
    for (clock, offset) in [("monotonic", &s.time_offsets.monotonic), ("boottime", &s.time_offsets.boottime)]
    {
        items.extend(
            offset.as_ref().map(|set| item(format!("time-offsets {clock}"), set, set.value.to_string())),
        );
    }
    for node in &s.cgroups {
        items.extend(
            node.files.iter().map(|(file, set)| item(format!("cgroups {file}"), set, set.value.clone())),
        );
    }
    items.extend(s.seccomp.iter().map(|filter| item("seccomp", filter, show::seccomp(&filter.value))));
    items.extend(s.landlock.iter().map(|rules| item("landlock", rules, show::landlock(&rules.value))));
    for (name, limit) in &s.rlimits {
        items.push(item(format!("rlimits {name}"), limit, show::rlimit(limit.value)));
    }
}

/// What an export makes appear, without where its source is opened.
pub fn kind(export: &Export) -> String {
    match &export.kind {
        ExportKind::Bind { source, access, file } => {
            let access = match access {
                redpak_model::effective::Access::ReadOnly => "ro",
                redpak_model::effective::Access::ReadWrite => "rw",
            };
            format!("{access}{} {}", if *file { " file" } else { "" }, source.host.display())
        }
        ExportKind::Overlay { source } => format!("over {}", source.host.display()),
        ExportKind::Device { source } => format!("device {}", source.host.display()),
        ExportKind::Symlink { target } => format!("link {target}"),
        ExportKind::Execfd { command, .. } => format!("output of {command}"),
        ExportKind::Internal { descriptor } => format!("fd {descriptor}"),
        ExportKind::Anonymous => "empty".to_owned(),
        ExportKind::Tmpfs { size: Some(size) } => format!("tmpfs {size}"),
        other => format!("{other:?}").split(' ').next().unwrap_or_default().to_lowercase(),
    }
}
