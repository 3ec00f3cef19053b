//! The command's environment: the family's variables and nothing else, but for five that always have a value.

use std::collections::BTreeMap;

use redpak_model::effective::{Effective, VariableAction};

use crate::facts::HostFacts;

/// Where programs are searched when the family says nothing. What packages brought comes before `/usr/local`, which may
/// be the host's: a node's own program is found first.
pub const DEFAULT_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin";

/// The environment, sorted by name. `extra` is laid on top (`-e KEY=VALUE`).
pub fn environ(
    effective: &Effective,
    facts: &HostFacts,
    extra: &[(String, String)],
) -> Vec<(String, String)> {
    let settings = &effective.settings;
    let mut env: BTreeMap<String, String> = BTreeMap::new();
    let home = if facts.uid == 0 { "/root" } else { "/" };
    env.insert("TERM".into(), facts.env.get("TERM").cloned().unwrap_or_else(|| "linux".into()));
    env.insert("HOME".into(), home.into());
    env.insert("USER".into(), facts.user.clone());
    env.insert("LANG".into(), "C.UTF-8".into());
    env.insert("PATH".into(), DEFAULT_PATH.into());
    if settings.inherit_env.as_ref().is_some_and(|set| set.value) {
        env.extend(facts.env.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    if !settings.path.is_empty() {
        env.insert("PATH".into(), list(settings.path.iter().map(|item| item.value.as_str())));
    }
    if !settings.ldpath.is_empty() {
        env.insert("LD_LIBRARY_PATH".into(), list(settings.ldpath.iter().map(|item| item.value.as_str())));
    }
    for variable in &effective.environ {
        let key = &variable.value.key;
        match &variable.value.action {
            VariableAction::Set(value) => {
                env.insert(key.clone(), value.clone());
            }
            VariableAction::Command(command) => {
                env.insert(key.clone(), format!("$({command})"));
            }
            VariableAction::Inherit => match facts.env.get(key) {
                Some(value) => {
                    env.insert(key.clone(), value.clone());
                }
                None => {
                    env.remove(key);
                }
            },
            VariableAction::Remove => {
                env.remove(key);
            }
        }
    }
    env.extend(extra.iter().cloned());
    env.into_iter().collect()
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.collect::<Vec<_>>().join(":")
}
