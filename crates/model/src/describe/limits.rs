//! What only ever narrows down the family: control groups, seccomp, Landlock, resource limits.

use super::{Text, say};

pub(super) const CGROUPS_INTRO: &str = "Each value is for the file of cgroup v2 that it is named after (Linux, \
`admin-guide/cgroup-v2.rst`). Each node of a family that has limits gets a control group inside its parent's, so that \
the kernel applies all of them. A limit wider than an ancestor's has no effect, and is warned about.";

pub(super) const CGROUPS: &[Text] = &[
    say("cpuset", "Processors and memory nodes.", "", ""),
    say("mem", "Memory.", "", ""),
    say("cpu", "Processor time.", "", ""),
    say("io", "Block devices.", "", ""),
    say("pids", "Number of processes.", "", ""),
];

pub(super) const CPUSET: &[Text] = &[
    say("cpus", "Processors that may be used: `cpuset.cpus`.", "all", "0-1"),
    say("mems", "Memory nodes that may be used: `cpuset.mems`.", "all", "\"0\""),
    say("cpus_partition", "Kind of partition: `cpuset.cpus.partition`.", "`member`", "member"),
];

pub(super) const MEM_INTRO: &str = "Bytes, or with `K`, `M`, `G` (1024, 1024², 1024³), or `max`.";

pub(super) const MEM: &[Text] = &[
    say("min", "Memory that is never reclaimed: `memory.min`.", "`0`", "8M"),
    say("low", "Memory that is reclaimed last: `memory.low`.", "`0`", "16M"),
    say("high", "Above it, processes are slowed down: `memory.high`.", "`max`", "96M"),
    say("max", "Above it, processes are killed: `memory.max`.", "`max`", "128M"),
    say("swap_high", "Above it, processes are slowed down: `memory.swap.high`.", "`max`", "32M"),
    say("swap_max", "Limit of swap: `memory.swap.max`.", "`max`", "64M"),
    say(
        "oom_group",
        "`1`: when memory runs out all processes are killed together: `memory.oom.group`.",
        "`0`",
        "1",
    ),
];

pub(super) const CPU: &[Text] = &[
    say("max", "Processor time in each period: `cpu.max`.", "`max 100000`", "50000 100000"),
    say("weight", "Share of processor time: `cpu.weight`.", "`100`", "50"),
    say("weight_nice", "The same, as a nice value: `cpu.weight.nice`.", "`0`", "5"),
];

pub(super) const IO: &[Text] = &[
    say("max", "Limits of a device: `io.max`.", "no limit", "8:0 rbps=1048576 wiops=max"),
    say("weight", "Share of a device: `io.weight`.", "`default 100`", "default 50"),
    say("cost_qos", "Quality of service of a device: `io.cost.qos`.", "", "8:0 ctrl=auto"),
    say("cost_model", "Cost model of a device: `io.cost.model`.", "", "8:0 ctrl=auto"),
];

pub(super) const PIDS: &[Text] = &[say("max", "Limit of processes and threads: `pids.max`.", "`max`", "64")];

pub(super) const SECCOMP_INTRO: &str =
    "A filter of system calls (seccomp(2)). All filters of a family apply; the strictest answer holds.";

pub(super) const SECCOMP: &[Text] = &[
    say("default", "What becomes of calls that no rule names.", "`allow`", "allow"),
    say("errno", "The error of calls that `default` fails.", "`EPERM`", "ENOSYS"),
    say("rules", "Rules; the first that names a call holds.", "", ""),
];

pub(super) const SECCOMP_RULES_INTRO: &str = "A sequence. The actions: `allow` the call is done; `log` it is done and \
logged; `errno` it fails with the error number; `kill` the process is killed.";

pub(super) const SECCOMP_RULES: &[Text] = &[
    say("calls", "Names of system calls, and groups of them.", "", "[ptrace, \"@module\"]"),
    say("action", "What becomes of them.", "", "errno"),
    say("errno", "The error of calls that `action` fails.", "`EPERM`", "EPERM"),
    say("info", "Free text.", "", "nobody debugs here"),
];

pub(super) const LANDLOCK_INTRO: &str = "Rules of Landlock (landlock(7)). Those of a family apply together, so that \
they only narrow. What the kernel cannot do is an error at launch, never left out. A node with Landlock rules cannot \
start sandboxes itself.";

pub(super) const LANDLOCK: &[Text] = &[
    say(
        "abi",
        "The version of Landlock that the kernel must have at least.",
        "what the other keys need",
        "4",
    ),
    say("files", "`enabled`: what the mounts allow is said again to Landlock.", "`disabled`", "enabled"),
    say("tcp-bind", "TCP ports that may be bound, and no other.", "all", "[8080]"),
    say("tcp-connect", "TCP ports that may be connected to, and no other.", "all", "[80, 443]"),
    say(
        "abstract-sockets",
        "`disabled`: abstract Unix sockets outside are out of reach.",
        "`enabled`",
        "disabled",
    ),
    say("signals", "`disabled`: processes outside cannot be signalled.", "`enabled`", "disabled"),
];

pub(super) const RLIMITS_INTRO: &str = "By the kernel's names (getrlimit(2)), in its units: bytes, seconds (`cpu`), \
microseconds (`rttime`) or a count. One value is for both limits, `soft:hard` for each. Of all nodes of a family the \
smallest holds.";

pub(super) const RLIMITS: &[Text] = &[
    say("as", "Address space.", "", "512M"),
    say("core", "Size of core files.", "", "\"0\""),
    say("cpu", "Processor time, in seconds.", "", "600"),
    say("data", "Data segment.", "", "256M"),
    say("fsize", "Size of files that are written.", "", "64M"),
    say("locks", "Number of file locks.", "", "128"),
    say("memlock", "Memory that is locked.", "", "64K"),
    say("msgqueue", "Bytes in POSIX message queues.", "", "800K"),
    say("nice", "How far the nice value can be lowered: 20 minus the lowest.", "", "20"),
    say("nofile", "Number of open files.", "", "256:1024"),
    say("nproc", "Number of processes of the user.", "", "64"),
    say("rss", "Resident memory; without effect in today's kernels.", "", "max"),
    say("rtprio", "Highest real-time priority.", "", "0"),
    say("rttime", "Real-time processor time without a blocking call, in microseconds.", "", "200000"),
    say("sigpending", "Number of queued signals.", "", "128"),
    say("stack", "Size of the stack.", "", "8M"),
];
