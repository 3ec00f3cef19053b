//! The names of the Linux capabilities, by number (capabilities(7), `include/uapi/linux/capability.h`).

/// Names in order of number: `NAMES[0]` is `CAP_CHOWN`.
pub const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// How many there are.
pub const COUNT: usize = NAMES.len();

/// What the `cap` of an entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Every capability.
    All,
    /// The one of this number.
    One(usize),
}

impl Capability {
    /// The one that a word names: with or without `CAP_`, in upper or lower case, or `ALL`.
    pub fn named(word: &str) -> Option<Self> {
        let word = word.to_ascii_uppercase();
        if word == "ALL" {
            return Some(Self::All);
        }
        NAMES.iter().position(|name| *name == word || name["CAP_".len()..] == word).map(Self::One)
    }

    /// Its name: `CAP_CHOWN`, or `ALL`.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::One(number) => NAMES.get(number).copied().unwrap_or("?"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_at_their_numbers() {
        for (number, name) in
            [(0, "CAP_CHOWN"), (12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN"), (40, "CAP_CHECKPOINT_RESTORE")]
        {
            assert_eq!(NAMES[number], name);
            assert_eq!(Capability::named(name), Some(Capability::One(number)));
        }
        assert_eq!(Capability::named("net_raw"), Some(Capability::One(13)));
        assert_eq!(Capability::named("all"), Some(Capability::All));
        assert_eq!(Capability::named("CAP_"), None);
        assert_eq!(Capability::named(""), None);
    }
}
