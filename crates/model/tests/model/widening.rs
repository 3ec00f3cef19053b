//! Attempts to widen: a key of the schema without one fails here.

use redpak_model::schema::{self, Support};

use crate::family::Family;

fn config(line: &str) -> String {
    format!("config: {{{line}}}")
}

/// One attempt to widen for each key of `config` (THREATS 23): a key without one fails here.
#[test]
fn each_key_has_an_attempt_to_widen() {
    // Key, what the parent has, what the child tries, the code that answers; an empty code: nothing to widen.
    let attempts: &[(&str, &str, &str, &str)] = &[
        ("rpmdir", "", "rpmdir: /var/lib/rpm", "RP0312"),
        ("persistdir", "", "persistdir: /var", "RP0312"),
        ("cachedir", "", "cachedir: /n0", "RP0312"),
        ("path", "path: /a", "path: /b", ""),
        ("ldpath", "ldpath: /a", "ldpath: /b", ""),
        ("umask", "umask: 077", "umask: 0", ""),
        ("map-root-user", "map-root-user: 0", "map-root-user: 1", ""),
        ("verbose", "verbose: 0", "verbose: 9", ""),
        ("hostname", "hostname: a", "hostname: b", ""),
        ("chdir", "chdir: /a", "chdir: /b", ""),
        ("gpgcheck", "gpgcheck: true", "gpgcheck: false", "RP0310"),
        ("unsafe", "unsafe: false", "unsafe: true", "RP0311"),
        ("inherit-env", "inherit-env: false", "inherit-env: true", "RP0310"),
        ("die-with-parent", "die-with-parent: enabled", "die-with-parent: disabled", "RP0310"),
        ("new-session", "new-session: enabled", "new-session: disabled", "RP0310"),
        ("share_all", "share_net: disabled", "share_all: enabled", "RP0301"),
        ("share_user", "share_all: disabled", "share_user: enabled", "RP0301"),
        ("share_cgroup", "share_all: disabled", "share_cgroup: enabled", "RP0301"),
        ("share_net", "", "share_net: enabled", "RP0301"),
        ("share_pid", "share_pid: disabled", "share_pid: enabled", "RP0301"),
        ("share_ipc", "share_all: disabled", "share_ipc: enabled", "RP0301"),
        ("share_time", "", "share_time: enabled", "RP0117"),
        ("capabilities", "", "capabilities: [{cap: SYS_ADMIN, add: 1}]", "RP0302"),
        ("inheritance", "", "inheritance: strict", "RP0311"),
        ("host-provides", "", "host-provides: [glibc]", "RP0311"),
    ];
    for key in schema::CONFIG {
        if matches!(key.support, Support::NotYet | Support::Ignored) {
            continue; // Refused, or without effect, wherever it stands.
        }
        let attempt = attempts.iter().find(|(name, ..)| *name == key.name);
        let (_, parent, child, code) =
            attempt.unwrap_or_else(|| panic!("no attempt to widen `{}`", key.name));
        let codes: Vec<String> = Family::root(&config(parent)).node(&config(child)).errors();
        let expected = if code.is_empty() { 0 } else { 1 };
        assert_eq!(codes.len(), expected, "{}: {codes:?}", key.name);
        assert!(codes.iter().all(|found| found.starts_with(code)), "{}: {codes:?}", key.name);
    }
}
