//! `config` and what is small in it.

use super::{Text, say};

pub(super) const CONFIG_INTRO: &str = "";

const SHARE_NONE: &str = "`share_all` of the family, else a namespace of the node's own";

pub(super) const CONFIG: &[Text] = &[
    say(
        "rpmdir",
        "Directory of the node's RPM database; of a root node that speaks for the host, the host's.",
        "the node's own in its generation; the host's, where distributions have it",
        "$NODE_PATH/var/lib/rpm",
    ),
    say(
        "persistdir",
        "Where redwrap-dnf keeps what it has seen of repositories, so that it takes nothing older.",
        "`.redpak/seen` in the root node",
        "$NODE_PATH/var/lib/redpak",
    ),
    say(
        "cachedir",
        "Cache of downloads and metadata.",
        "`.redpak/cache` in the root node",
        "$NODE_PATH/var/cache/redpak",
    ),
    say(
        "path",
        "Directories that are searched for programs: the variable `PATH`.",
        "`/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin`",
        "/opt/vendor/bin",
    ),
    say(
        "ldpath",
        "Directories that are searched for libraries: the variable `LD_LIBRARY_PATH`.",
        "",
        "/usr/lib64",
    ),
    say("umask", "File mode creation mask of the command.", "`022`", "\"027\""),
    say("set-user", "Who the command runs as.", "the caller", "daemon"),
    say("set-group", "The group that the command runs with.", "the caller's", "daemon"),
    say("smack", "Smack label of the command.", "", "App"),
    say("selinux", "SELinux context of the command.", "", "system_u:system_r:container_t:s0"),
    say("apparmor", "AppArmor profile of the command.", "", "redpak-default"),
    say("map-root-user", "`1`: the user is root inside.", "`0`", "1"),
    say(
        "verbose",
        "How much the programs say. It is merged and shown; today only `-v` on a command line has an effect.",
        "`0`",
        "1",
    ),
    say("gpgcheck", "Signatures of packages are verified.", "`true`", "true"),
    say("unsafe", "The check whether a node was moved is skipped.", "`false`", "false"),
    say("inherit-env", "The caller's whole environment is passed on.", "`false`", "false"),
    say(
        "die-with-parent",
        "The command is killed when the process that started redwrap ends.",
        "`disabled`",
        "enabled",
    ),
    say(
        "new-session",
        "The command gets a session of its own, without job control of the caller's terminal.",
        "`disabled`",
        "enabled",
    ),
    say(
        "share_all",
        "Default of the other `share_` keys, `share_time` excepted: the host's namespaces (`enabled`), or new ones.",
        "each namespace that nobody sets is the node's own",
        "disabled",
    ),
    say("share_user", "User namespace. `enabled` needs root.", SHARE_NONE, "disabled"),
    say("share_cgroup", "Control group namespace.", SHARE_NONE, "disabled"),
    say(
        "share_net",
        "Network namespace: `enabled` is the host's network, `disabled` none but loopback.",
        SHARE_NONE,
        "enabled",
    ),
    say("share_pid", "Process namespace: `disabled` hides the host's processes.", SHARE_NONE, "disabled"),
    say("share_ipc", "System V and POSIX queues.", SHARE_NONE, "disabled"),
    say("share_time", "Time namespace.", "the host's clocks", "disabled"),
    say("time-offsets", "What is added to the clocks of a new time namespace.", "", ""),
    say("hostname", "Host name inside.", "the host's", "$LEAF_ALIAS"),
    say("chdir", "Working directory of the command, inside.", "`/`", "/home/$LEAF_ALIAS"),
    say(
        "cgrouproot",
        "The control group below which the family's are made.",
        "`/redpak`, or the unit's own",
        "/redpak",
    ),
    say("cgroups", "Limits by control groups.", "no limit", ""),
    say("capabilities", "Capabilities of the command.", "none is kept", ""),
    say(
        "inheritance",
        "How the family is merged: by the russian doll, or as red-pak 2.5 merges.",
        "`strict`",
        "strict",
    ),
    say(
        "host-provides",
        "What the host provides though no package database of it says so, as dependencies of RPM: `name`, or `name = \
         version`.",
        "",
        "[\"vendor-firmware = 2.1\"]",
    ),
    say("seccomp", "Filter of system calls.", "all are allowed that redpak's own filter allows", ""),
    say("landlock", "Rules of Landlock.", "none", ""),
    say("rlimits", "Limits of resources of each process.", "the caller's", ""),
    say("maxage", "Without effect, as in red-pak 2.5: a warning.", "", "30"),
    say("inherit", "Without effect, as in red-pak 2.5: a warning.", "", "true"),
];

pub(super) const CAPABILITIES_INTRO: &str = "A sequence. What no entry keeps is dropped. `ALL` is applied first, \
wherever it stands. A capability stands at most once in a file, unless the entries are identical.";

pub(super) const CAPABILITIES: &[Text] = &[
    say("cap", "Which capability, as in capabilities(7), or `ALL`.", "", "CAP_NET_BIND_SERVICE"),
    say("add", "`1` keeps it, `0` drops it.", "", "1"),
    say("info", "Free text.", "", "the web server listens on port 80"),
    say(
        "warn",
        "Shown as a warning when another file overrides this entry.",
        "",
        "port 80 is not available then",
    ),
];

pub(super) const TIME_OFFSETS_INTRO: &str =
    "Goes with `share_time: disabled`. Seconds, as in time_namespaces(7); they may be negative.";

pub(super) const TIME_OFFSETS: &[Text] = &[
    say("monotonic", "Added to `CLOCK_MONOTONIC`.", "`0`", "86400"),
    say("boottime", "Added to `CLOCK_BOOTTIME`.", "`0`", "86400"),
];
