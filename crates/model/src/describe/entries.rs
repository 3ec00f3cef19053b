//! The file, its headers, `environ`, `exports`, the status file, and the names for expansion.

use super::{Text, say};

pub(super) const FILE_INTRO: &str = "A node has a normal configuration, `etc/redpak.yaml`, and may have an admin \
configuration, `etc/redpak-admin.yaml`, which is laid on top for package work and `redwrap --admin` only. Both take \
the same keys.";

pub(super) const FILE: &[Text] = &[
    say("headers", "Who the node is.", "", ""),
    say("config", "Settings.", "", ""),
    say("environ", "Variables of the command's environment.", "", ""),
    say("exports", "What appears inside the launched node, an entry for each path.", "", ""),
];

pub(super) const HEADERS_INTRO: &str = "";

pub(super) const HEADERS: &[Text] = &[
    say(
        "alias",
        "The node's name, in messages and in `$NODE_ALIAS`. Both files of a node say the same.",
        "",
        "platform",
    ),
    say("name", "A UUID, given when the node is created.", "", "5a3c1f0e-9d7b-4e52-8f43-0c2f6f1f4a11"),
    say("info", "Free text: who created the node, where and when.", "", "the board's base software"),
];

pub(super) const ENVIRON_INTRO: &str = "A sequence. The command starts with the family's variables and nothing else, \
but for `TERM`, `HOME`, `USER`, `PATH` and `LANG`, which get a sane value when nobody sets them. A variable stands at \
most once in a file, unless the entries are identical.";

pub(super) const ENVIRON: &[Text] = &[
    say("key", "Name of the variable. Case counts.", "", "HOME"),
    say("mode", "How the variable gets its value; the modes stand below.", "`Default`", "Static"),
    say(
        "value",
        "The value, or the command that prints it. `Inherit` and `Remove` take none, the others must have one.",
        "",
        "/home/$LEAF_ALIAS",
    ),
    say("info", "Free text.", "", "where settings are kept"),
    say(
        "warn",
        "Shown as a warning when another file overrides this entry.",
        "",
        "the application reads its licence by this",
    ),
];

/// What each mode of `environ` does, by its word, in the order of the schema.
pub const VARIABLE_MODE_TEXTS: &[(&str, &str)] = &[
    ("Default", "The value, with names and commands replaced."),
    ("Static", "The value as it stands."),
    ("Execfd", "The output of the shell command `value`."),
    ("Inherit", "The caller's value; not set where the caller has none. Takes no value."),
    ("Remove", "Not set. Takes no value."),
];

pub(super) const EXPORTS_INTRO: &str = "A sequence. Nothing of the host is seen in a node but what its family exports. \
Exports are made in the order of their mount paths. Mount points are made in the launch's own root; elsewhere, in what \
is bound from the host or a node, they must exist: nothing is ever created there. A mount path never leads through a \
`Symlink` export.";

pub(super) const EXPORTS: &[Text] = &[
    say("mount", "Where it appears, an absolute path inside the launched node, not `/`.", "", "/usr"),
    say("mode", "What appears there; the modes stand below.", "", "Restricted"),
    say(
        "path",
        "Where it comes from, a path of the host; of a `Symlink` what it points to, of `Execfd` the command, of \
         `Internal` the number of a descriptor.",
        "`mount`",
        "$NODE_PATH/usr",
    ),
    say("info", "Free text.", "", "the vendor's libraries"),
    say(
        "warn",
        "Shown as a warning when another file overrides this entry.",
        "",
        "the application cannot work without this",
    ),
    say(
        "optional",
        "A missing source is silent. Without it, the entry is left out with a warning, or refused with `redwrap \
         --strict`. A missing directory below the node's own is created instead, and an `Overlay` without content is \
         left out in silence. Only for modes that open a source.",
        "`false`",
        "true",
    ),
    say("size", "Limit of a `Tmpfs`.", "64 MiB", "16M"),
];

/// What each mode of `exports` does, by its word, in the order of the schema.
pub const EXPORT_MODE_TEXTS: &[(&str, &str)] = &[
    (
        "Restricted",
        "`path`, read-only, in this node and its descendants: a directory, or whatever else the source is.",
    ),
    ("Public", "`path`, read-write, in this node and its descendants."),
    ("PrivateRestricted", "`path`, read-only, in this node only."),
    ("Private", "`path`, read-write, in this node only."),
    ("RestrictedFile", "As `Restricted`; the source must be a file."),
    ("PublicFile", "As `Public`; the source must be a file."),
    ("PrivateFile", "As `Private`; the source must be a file."),
    ("Symlink", "A symbolic link that points to `path`."),
    ("Execfd", "A file that holds the output of the shell command `path`."),
    ("Internal", "A file that holds what is read from the caller's descriptor number `path`."),
    ("Anonymous", "An empty directory."),
    ("Tmpfs", "A new tmpfs of at most `size`."),
    ("Procfs", "A new procfs, for the node's own processes."),
    ("Mqueue", "A new file system of POSIX message queues."),
    (
        "Devfs",
        "A minimal `/dev`: null zero full random urandom tty, terminals of its own, `shm`, `fd` and the std links.",
    ),
    ("Lock", "Nothing appears: a lock is held on the file at `mount`, inside the node, while the node runs."),
    (
        "Overlay",
        "Directory `path`, read-only, laid over what the ancestors put at `mount`: one flat tree out of the family.",
    ),
    (
        "Device",
        "The device node `path`, read-write. Below the root node, only one that an ancestor exports by this mode.",
    ),
    ("Passwd", "`/etc/passwd` with the running user, root and nobody. No command is run for it."),
    ("Group", "`/etc/group` with the running group, root and nogroup."),
];

/// The names that are replaced in texts, in the order of the program's table. Any other name is looked up in the
/// caller's environment.
pub const NAMES: &[(&str, &str)] = &[
    ("NODE_ALIAS", "alias of the node in whose file it stands"),
    ("NODE_NAME", "its `headers.name`"),
    ("NODE_PATH", "its directory"),
    ("NODE_INFO", "its `headers.info`"),
    ("LEAF_ALIAS", "alias of the node that is launched"),
    ("LEAF_NAME", "its `headers.name`"),
    ("LEAF_PATH", "its directory"),
    ("LEAF_INFO", "its `headers.info`"),
    ("NODE_PREFIX", "the caller's variable of that name, or nothing"),
    ("REDNODE_CONF", "`etc/redpak.yaml` in the node's directory, as a path"),
    ("REDNODE_ADMIN", "`etc/redpak-admin.yaml`, likewise"),
    ("REDNODE_STATUS", "`.rednode.yaml`, likewise"),
    ("REDNODE_VARDIR", "`var`, likewise"),
    ("REDNODE_REPODIR", "`etc/yum.repos.d`, likewise"),
    ("REDNODE_LOCK", "`.redpak/lock`, likewise"),
    ("redpak_MAIN", "`main.yaml` in the directory of templates"),
    ("redpak_MAIN_ADMIN", "`main-admin.yaml`, likewise"),
    ("redpak_TMPL", "the directory of templates"),
    ("LOGNAME", "the caller's variable, else `Unknown`"),
    ("USER", "the caller's variable, else `Unknown`"),
    ("HOSTNAME", "the caller's variable, else `localhost`"),
    ("CGROUPS_MOUNT_POINT", "where cgroup v2 is mounted"),
    ("PID", "process id of redpak"),
    ("UID", "user id of the caller"),
    ("GID", "group id of the caller"),
    ("TODAY", "now, as `22:Nov:2026 19:16 (UTC)`"),
    ("UUID", "a fresh UUID"),
    ("REDPESK_VERSION", "the caller's variable of that name"),
];

pub(super) const STATUS_INTRO: &str = "`.rednode.yaml` makes a directory a node. `redconf` writes it.";

pub(super) const STATUS: &[Text] = &[
    say(
        "version",
        "Version of the format. A newer one is refused; without one it is red-pak 2.5's.",
        "",
        "1",
    ),
    say(
        "state",
        "Whether the node, and those below it, may be launched. `Unknown` and `Error` are red-pak 2.5's, and do not \
         enable it.",
        "",
        "Enable",
    ),
    say(
        "realpath",
        "Where the node was when it was registered. A node that is elsewhere was moved or copied, and does not launch.",
        "",
        "/var/redpak/platform",
    ),
    say("timestamp", "When it was registered, in milliseconds since 1970.", "", "1795374960000"),
    say("info", "Free text.", "", "created by redpak"),
    say(
        "parent",
        "The node's parent when it was registered, as a path; `none` of a root node. A node below another parent does \
         not launch.",
        "",
        "/var/redpak",
    ),
];
