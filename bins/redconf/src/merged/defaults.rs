//! What holds where nobody in the family says anything.

use redpak_model::Names;
use redpak_model::effective::{Effective, Settings};
use redpak_plan::HostFacts;

use super::sheet::scalar;

/// A value that nobody set.
pub struct Default {
    /// Its key in files; of variables, `environ.NAME`.
    pub key: String,
    /// Its value, or what becomes of it in words.
    pub value: String,
    /// Whether the value is one that a file could hold.
    pub said: bool,
}

/// The keys of `config` that nobody sets and that have a value all the same, in the order of the schema.
pub fn settings(settings: &Settings) -> Vec<Default> {
    let mut defaults = Vec::new();
    let mut add = |unset: bool, key: &str, value: &str, said: bool| {
        if unset {
            defaults.push(Default { key: key.to_owned(), value: value.to_owned(), said });
        }
    };
    let umask = format!("{:03o}", redpak_plan::planner::DEFAULT_UMASK);
    add(settings.umask.is_none(), "umask", &umask, true);
    add(settings.set_user.is_none(), "set-user", "the caller", false);
    add(settings.set_group.is_none(), "set-group", "the caller's", false);
    add(settings.map_root_user.is_none(), "map-root-user", "0", true);
    add(settings.verbose.is_none(), "verbose", "0", true);
    add(settings.gpgcheck.is_none(), "gpgcheck", "true", true);
    add(settings.r#unsafe.is_none(), "unsafe", "false", true);
    add(settings.inherit_env.is_none(), "inherit-env", "false", true);
    add(settings.die_with_parent.is_none(), "die-with-parent", "disabled", true);
    add(settings.new_session.is_none(), "new-session", "disabled", true);
    let share = &settings.share;
    add(share.user.is_none(), "share_user", "disabled", true);
    add(share.cgroup.is_none(), "share_cgroup", "disabled", true);
    add(share.net.is_none(), "share_net", "disabled", true);
    add(share.pid.is_none(), "share_pid", "disabled", true);
    add(share.ipc.is_none(), "share_ipc", "disabled", true);
    add(share.time.is_none(), "share_time", "the host's: no time namespace is made yet", false);
    add(true, "uts", "always a namespace of its own", false);
    add(settings.hostname.is_none(), "hostname", "as the host's, in that namespace", false);
    add(settings.chdir.is_none(), "chdir", "/", true);
    add(settings.capabilities.is_empty(), "capabilities", "none is kept", false);
    add(settings.inheritance.is_none(), "inheritance", "strict", true);
    defaults
}

/// Entries of `environ` for the variables that always have a value, where nobody sets one.
pub fn environ(effective: &Effective, names: &Names) -> Vec<String> {
    variables(effective, names)
        .into_iter()
        .map(|(key, value)| match value {
            Some(value) => format!("{{key: {key}, mode: Static, value: {}}}", scalar(&value)),
            None => format!("{{key: {key}, mode: Inherit}}"),
        })
        .collect()
}

/// Name and value; `None` is the caller's own.
fn variables(effective: &Effective, names: &Names) -> Vec<(&'static str, Option<String>)> {
    let facts = HostFacts {
        uid: names.uid,
        gid: names.gid,
        user: redpak_nodes::accounts::user(names.uid),
        env: names.env.clone(),
        ..HostFacts::default()
    };
    let values = redpak_plan::environment::environ(effective, &facts, &[]);
    let said = |key: &str| {
        effective.environ.iter().any(|variable| variable.value.key == key)
            || key == "PATH" && !effective.settings.path.is_empty()
    };
    let caller = effective.settings.inherit_env.as_ref().is_some_and(|set| set.value);
    ["TERM", "HOME", "USER", "LANG", "PATH"]
        .into_iter()
        .filter(|key| !said(key))
        .map(|key| {
            let value = values.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
            (key, value.filter(|_| key != "TERM" && !caller))
        })
        .collect()
}

/// All defaults, variables too.
pub fn all(effective: &Effective, names: &Names) -> Vec<Default> {
    let variables = variables(effective, names).into_iter().map(|(key, value)| Default {
        key: format!("environ.{key}"),
        value: value.unwrap_or_else(|| "the caller's".to_owned()),
        said: false,
    });
    settings(&effective.settings).into_iter().chain(variables).collect()
}
