//! Lines of random files, and what each says.

use redpak_model::schema::{self, Key};

use super::{File, Line, Node, RandomFamily, Rng, redpath};

/// A family of two to four nodes; of the lines most are refused, see [`RandomFamily::repair`].
pub fn family(seed: u64) -> RandomFamily {
    let mut rng = Rng::new(seed);
    let levels = 2 + rng.below(3);
    let nodes = (0..levels).map(|level| {
        let normal = file(&mut rng, level);
        let admin = rng.percent(30).then(|| file(&mut rng, level));
        Node { normal, admin }
    });
    RandomFamily { seed, nodes: nodes.collect() }
}

fn file(rng: &mut Rng, level: usize) -> File {
    let mut file = File::default();
    for header in ["name: 0c2e", "info: \"of $NODE_ALIAS\""] {
        if rng.percent(20) {
            file.headers.push(header);
        }
    }
    for key in schema::CONFIG {
        let percent = if level == 0 { 15 } else { 9 };
        if key.name == "capabilities" {
            for _ in 0..rng.below(4) {
                file.add(capability(rng));
            }
        } else if rng.percent(percent) {
            file.add(config(rng, key.name, level));
        }
    }
    for _ in 0..rng.below(3) {
        file.add(variable(rng, level));
    }
    for _ in 0..rng.below(6) {
        file.add(export(rng, level));
    }
    file
}

/// One line of `config`.
pub fn config(rng: &mut Rng, key: &'static str, level: usize) -> Line {
    let mut line = Line { section: "config", key: key.to_owned(), ..Line::default() };
    line.uses.push(format!("config.{key}"));
    let mut say = |value: &str, shown: &str| {
        line.says.push((key.to_owned(), shown.replace("$NODE_PATH", &redpath(level))));
        value.to_owned()
    };
    let value = match key {
        "rpmdir" | "persistdir" | "cachedir" => {
            let path = rng.pick(&["$NODE_PATH/k", "$NODE_PATH/k/x", "/var/lib/k", "$LEAF_PATH/k"]);
            say(path, path)
        }
        "path" | "ldpath" => {
            let items: Vec<&str> = (0..=rng.below(3))
                .map(|_| rng.pick(&["/a/bin", "/b/bin", "/usr/bin", "$NODE_PATH/bin"]))
                .collect();
            items.iter().for_each(|item| drop(say(item, item)));
            items.join(":")
        }
        "umask" => match rng.pick(&["027", "\"022\"", "0", "777"]) {
            "027" => say("027", "23"),
            "0" => say("0", "0"),
            "777" => say("777", "511"),
            quoted => say(quoted, "18"),
        },
        "set-user" | "set-group" => word(rng, &["alice", "1000", "0"], say),
        "smack" | "apparmor" => word(rng, &["la", "lb"], say),
        "selinux" => word(rng, &["u:r:a", "u:r:b"], say),
        "map-root-user" => match rng.percent(50) {
            true => say("1", "true"),
            false => say("0", "false"),
        },
        "verbose" => word(rng, &["0", "1", "9"], say),
        "gpgcheck" | "unsafe" | "inherit-env" => word(rng, &["true", "false"], say),
        "die-with-parent" | "new-session" => match rng.below(3) {
            0 => say("enabled", "true"),
            1 => say("Disabled", "false"),
            _ => "unset".to_owned(),
        },
        "share_all" => match rng.below(3) {
            0 => say("enabled", "shared"),
            1 => say("disabled", "isolated"),
            _ => "unset".to_owned(),
        },
        share if share.starts_with("share_") => match rng.below(4) {
            0 => say("enabled", "shared"),
            1 => say("disabled", "isolated"),
            2 => word(rng, &["/ns/a", "/ns/b"], say),
            _ => "unset".to_owned(),
        },
        "hostname" => word(rng, &["ha", "hb", "$LEAF_ALIAS", "$(hostname)"], say),
        "chdir" => match rng.below(4) {
            0 => "$(pwd)".to_owned(),
            _ => word(rng, &["/a", "/b/c"], say),
        },
        "cgrouproot" => word(rng, &["/cg/a", "/cg/b"], say),
        "inheritance" => say("strict", "strict"),
        "host-provides" => {
            say("", "a");
            say("", "b = 1");
            "[a, ' b  = 1']".to_owned()
        }
        "maxage" | "inherit" => "3".to_owned(),
        _ => {
            let value = mapping(rng, key, &mut line);
            line.text = format!("{key}: {value}");
            return line;
        }
    };
    line.text = format!("{key}: {value}");
    line
}

fn word(rng: &mut Rng, words: &[&str], mut say: impl FnMut(&str, &str) -> String) -> String {
    let word = rng.pick(words);
    say(word, word)
}

/// The value of a key that takes a mapping.
fn mapping(rng: &mut Rng, key: &str, line: &mut Line) -> String {
    match key {
        "cgroups" => cgroups(rng, line),
        "seccomp" => seccomp(rng, line),
        "landlock" => landlock(rng, line),
        "rlimits" => rlimits(rng, line),
        "time-offsets" => {
            let fields = some_of(rng, schema::TIME_OFFSETS, 60, |rng, clock| {
                let seconds = rng.pick(&["-5", "7"]);
                line.uses.push(format!("time-offsets.{clock}"));
                line.says.push((format!("time-offsets {clock}"), seconds.to_owned()));
                seconds.to_owned()
            });
            format!("{{{fields}}}")
        }
        key => panic!("no random line of `{key}`"),
    }
}

/// Some of the keys of a mapping, with their values.
fn some_of(
    rng: &mut Rng,
    keys: &[Key],
    percent: usize,
    mut value: impl FnMut(&mut Rng, &'static str) -> String,
) -> String {
    let mut fields = Vec::new();
    for key in keys {
        if rng.percent(percent) {
            fields.push(format!("{}: {}", key.name, value(rng, key.name)));
        }
    }
    fields.join(", ")
}

fn cgroups(rng: &mut Rng, line: &mut Line) -> String {
    let controllers = [
        ("cpuset", schema::CPUSET),
        ("mem", schema::MEM),
        ("cpu", schema::CPU),
        ("io", schema::IO),
        ("pids", schema::PIDS),
    ];
    let mut sections = Vec::new();
    for (controller, keys) in controllers {
        if !rng.percent(45) {
            continue;
        }
        line.uses.push(format!("cgroups.{controller}"));
        let fields = some_of(rng, keys, 50, |rng, key| {
            // Value, file, and what is written there.
            let (value, file, written) = match (controller, key) {
                ("cpuset", "cpus") => ("'0-1,3'", "cpuset.cpus", "0-1,3"),
                ("cpuset", "mems") => ("0", "cpuset.mems", "0"),
                ("cpuset", _) => ("Root", "cpuset.cpus.partition", "root"),
                ("mem", "min") => ("1K", "memory.min", "1024"),
                ("mem", "low") => ("2048", "memory.low", "2048"),
                ("mem", "high") => ("max", "memory.high", "max"),
                ("mem", "max") => {
                    rng.pick(&[("64M", "memory.max", "67108864"), ("1G", "memory.max", "1073741824")])
                }
                ("mem", "swap_high") => ("5m", "memory.swap.high", "5242880"),
                ("mem", "swap_max") => ("0", "memory.swap.max", "0"),
                ("mem", _) => ("1", "memory.oom.group", "1"),
                ("cpu", "max") => ("50000 100000", "cpu.max", "50000 100000"),
                ("cpu", "weight") => ("10000", "cpu.weight", "10000"),
                ("cpu", _) => ("-20", "cpu.weight.nice", "-20"),
                ("io", "max") => ("'8:0 rbps=1048576'", "io.max", "8:0 rbps=1048576"),
                ("io", "weight") => ("default 10", "io.weight", "default 10"),
                ("io", "cost_qos") => ("'8:0 enable=1'", "io.cost.qos", "8:0 enable=1"),
                ("io", _) => ("'8:0 ctrl=auto'", "io.cost.model", "8:0 ctrl=auto"),
                _ => rng.pick(&[("5", "pids.max", "5"), ("max", "pids.max", "max")]),
            };
            line.uses.push(format!("{controller}.{key}"));
            line.says.push((format!("cgroups {file}"), written.to_owned()));
            value.to_owned()
        });
        sections.push(format!("{controller}: {{{fields}}}"));
    }
    format!("{{{}}}", sections.join(", "))
}

fn seccomp(rng: &mut Rng, line: &mut Line) -> String {
    let (mut shown, mut fields) = (vec!["allow".to_owned()], Vec::new());
    if rng.percent(70) {
        let word = rng.pick(&["allow", "log", "errno", "errno", "kill"]);
        fields.push(format!("default: {word}"));
        line.uses.push("seccomp.default".to_owned());
        shown[0] = word.to_owned();
        if word == "errno" {
            shown[0] = "errno 1".to_owned();
            if rng.percent(80) {
                fields.push("errno: ENOENT".to_owned());
                line.uses.push("seccomp.errno".to_owned());
                shown[0] = "errno 2".to_owned();
            }
        }
    }
    let mut rules = Vec::new();
    for _ in 0..rng.below(3) {
        let (calls, names) = rng.pick(&[("[write, read]", "read+write"), ("[mount]", "mount")]);
        let (action, shown_action, more) = rng.pick(&[
            ("allow", "allow", ""),
            ("log", "log", ", info: told"),
            ("errno", "errno 5", ", errno: EIO"),
            ("kill", "kill", ""),
        ]);
        rules.push(format!("{{calls: {calls}, action: {action}{more}}}"));
        shown.push(format!("{names}={shown_action}"));
        line.uses.extend(["rules.calls".to_owned(), "rules.action".to_owned(), "seccomp.rules".to_owned()]);
        let more = more.trim_start_matches(", ").split(':').next().unwrap_or_default();
        line.uses.push(format!("rules.{more}"));
    }
    if !rules.is_empty() {
        fields.push(format!("rules: [{}]", rules.join(", ")));
    }
    line.says.push(("seccomp".to_owned(), shown.join(" ")));
    format!("{{{}}}", fields.join(", "))
}

fn landlock(rng: &mut Rng, line: &mut Line) -> String {
    // Switches are always there: what they are without a word is no matter of merging.
    let mut says = Vec::new();
    let mut fields = Vec::new();
    let mut put = |line: &mut Line, key: &str, value: String, shown: String| {
        line.uses.push(format!("landlock.{key}"));
        fields.push(format!("{key}: {value}"));
        if !shown.is_empty() {
            says.push(shown);
        }
    };
    if rng.percent(50) {
        put(line, "abi", "4".to_owned(), "abi4".to_owned());
    }
    let mut switch = |line: &mut Line, rng: &mut Rng, key: &str, word: &str| match rng.percent(50) {
        true => put(line, key, "enabled".to_owned(), word.to_owned()),
        false => put(line, key, "disabled".to_owned(), String::new()),
    };
    switch(line, rng, "files", "files");
    let mut after = Vec::new();
    for (key, word) in [("tcp-bind", "bind"), ("tcp-connect", "connect")] {
        if rng.percent(50) {
            let (ports, shown) = rng.pick(&[("[80]", "80"), ("[80, 443]", "80+443"), ("[]", "")]);
            after.push((key, ports.to_owned(), format!("{word}={shown}")));
        }
    }
    for (key, ports, shown) in after {
        put(line, key, ports, shown);
    }
    let mut switch = |line: &mut Line, rng: &mut Rng, key: &str, word: &str| match rng.percent(50) {
        true => put(line, key, "enabled".to_owned(), word.to_owned()),
        false => put(line, key, "disabled".to_owned(), String::new()),
    };
    switch(line, rng, "abstract-sockets", "abs");
    switch(line, rng, "signals", "sig");
    line.says.push(("landlock".to_owned(), says.join(" ")));
    format!("{{{}}}", fields.join(", "))
}

fn rlimits(rng: &mut Rng, line: &mut Line) -> String {
    let fields = some_of(rng, schema::RLIMITS, 25, |rng, name| {
        let (value, shown) = rng.pick(&[
            ("5", "5:5"),
            ("'3:7'", "3:7"),
            ("'2:max'", "2:max"),
            ("max", "max:max"),
            ("1K", "1024:1024"),
        ]);
        line.uses.push(format!("rlimits.{name}"));
        line.says.push((format!("rlimits {name}"), shown.to_owned()));
        value.to_owned()
    });
    format!("{{{fields}}}")
}

/// An entry of `capabilities`.
pub fn capability(rng: &mut Rng) -> Line {
    let cap = rng.pick(&["ALL", "KILL", "CAP_CHOWN", "net_raw"]);
    let add = rng.below(2);
    let name = match cap {
        "ALL" => "ALL".to_owned(),
        cap => format!("CAP_{}", cap.trim_start_matches("CAP_").to_uppercase()),
    };
    let mut line = Line { section: "capabilities", key: format!("cap {name}"), ..Line::default() };
    line.text = format!("{{cap: {cap}, add: {add}{}}}", notes(rng, &mut line, "capabilities"));
    line.uses.extend(["config.capabilities", "capabilities.cap", "capabilities.add"].map(str::to_owned));
    line.says.push((format!("cap {name}"), add.to_string()));
    line
}

/// `info` and `warn` of an entry, now and then.
fn notes(rng: &mut Rng, line: &mut Line, section: &str) -> String {
    let mut notes = String::new();
    for note in ["info", "warn"] {
        if rng.percent(15) {
            line.uses.push(format!("{section}.{note}"));
            notes.push_str(&format!(", {note}: of $NODE_ALIAS"));
        }
    }
    notes
}

/// An entry of `environ`.
pub fn variable(rng: &mut Rng, level: usize) -> Line {
    let key = rng.pick(&["A", "B", "a"]);
    let mut line = Line { section: "environ", key: format!("environ {key}"), ..Line::default() };
    let alias = format!("=n{level}");
    let (mode, value, shown) = rng.pick(&[
        ("Default", "x", "=x"),
        ("", "$NODE_ALIAS", alias.as_str()),
        ("", "$(date) $LEAF_ALIAS", "=$(date) $LEAF_ALIAS"),
        ("Static", "$B", "=$B"),
        ("Execfd", "id -un", " command id -un"),
        ("Inherit", "", " inherit"),
        ("remove", "", " remove"),
    ]);
    line.says.push((line.key.clone(), shown.to_owned()));
    line.text = format!("{{key: {key}");
    line.uses.push("environ.key".to_owned());
    if !mode.is_empty() {
        line.text.push_str(&format!(", mode: {mode}"));
        line.uses.extend(["environ.mode".to_owned(), format!("mode {}", mode.to_lowercase())]);
    }
    if !value.is_empty() {
        line.text.push_str(&format!(", value: '{value}'"));
        line.uses.push("environ.value".to_owned());
    }
    let notes = notes(rng, &mut line, "environ");
    line.text.push_str(&notes);
    line.text.push('}');
    line
}

/// A path of one to three components of two letters.
fn path(rng: &mut Rng) -> String {
    (0..=rng.below(3)).map(|_| rng.pick(&["/a", "/b"])).collect()
}

/// An entry of `exports`.
fn export(rng: &mut Rng, level: usize) -> Line {
    let mode = schema::EXPORT_MODES[rng.below(schema::EXPORT_MODES.len())].0;
    // Where they seldom meet, and where they often do.
    let mount = if rng.percent(60) { format!("/m{}{}", rng.below(40), path(rng)) } else { path(rng) };
    let mount = if rng.percent(3) { format!("{mount}/$(x)") } else { mount };
    export_at(rng, level, mode, &mount)
}

/// An export of that mode at that path.
pub fn export_at(rng: &mut Rng, level: usize, mode: &str, mount: &str) -> Line {
    let mut line = Line { section: "exports", key: format!("exports {mount}"), ..Line::default() };
    if mode == "Overlay" {
        line.key.push_str(" overlay");
    }
    line.text = format!("{{mount: {mount}, mode: {mode}");
    line.uses.extend(["exports.mount", "exports.mode"].map(str::to_owned));
    line.uses.push(format!("mode {}", mode.to_lowercase()));
    let source = match rng.below(4) {
        0 => mount.to_owned(),
        1 => path(rng),
        _ => format!("{}{}", redpath(level), path(rng)),
    };
    let (path, shown) = match mode {
        "Restricted" | "PrivateRestricted" => (source.clone(), format!("ro {source}")),
        "Public" | "Private" => (source.clone(), format!("rw {source}")),
        "RestrictedFile" => (source.clone(), format!("ro file {source}")),
        "PublicFile" | "PrivateFile" => (source.clone(), format!("rw file {source}")),
        "Overlay" => (source.clone(), format!("over {source}")),
        "Device" => {
            let device = rng.pick(&["/dev/ttyA", "/dev/ttyB"]).to_owned();
            (device.clone(), format!("device {device}"))
        }
        "Symlink" => ("../x".to_owned(), "link ../x".to_owned()),
        "Execfd" => ("id -un".to_owned(), "output of id -un".to_owned()),
        "Internal" => ("5".to_owned(), "fd 5".to_owned()),
        "Anonymous" => (String::new(), "empty".to_owned()),
        other => (String::new(), other.to_lowercase()),
    };
    let mut shown = shown;
    if !path.is_empty() && path != mount {
        line.text.push_str(&format!(", path: {path}"));
        line.uses.push("exports.path".to_owned());
    }
    if mode == "Tmpfs" && rng.percent(40) {
        line.text.push_str(", size: 1M");
        line.uses.push("exports.size".to_owned());
        shown = "tmpfs 1048576".to_owned();
    }
    if (shown.starts_with('r') || shown.starts_with("over")) && rng.percent(20) {
        line.text.push_str(", optional: true");
        line.uses.push("exports.optional".to_owned());
    }
    let notes = notes(rng, &mut line, "exports");
    line.text.push_str(&notes);
    line.text.push('}');
    line.says.push((format!("exports {mount}"), shown));
    line
}
