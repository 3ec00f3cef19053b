//! The configuration reference, Markdown out of the tables.

use std::fmt::Write;

use redpak_model::describe::{
    self, EXPORT_MODE_TEXTS, LAUNCH_REFUSES, NAMES, RULES, SECTIONS, STATUS, Section, VARIABLE_MODE_TEXTS,
};
use redpak_model::schema::{Key, Kind};
use redpak_model::{MAX_ALIAS_NODES, MAX_BYTES, MAX_DEPTH, MAX_NODES, calls, commands};

/// The text of `docs/configuration.md`.
pub fn configuration() -> String {
    let mut text = String::from(OPENING);
    text.push_str(&rules());
    for section in SECTIONS {
        text.push_str(&chapter(section));
        match section.path {
            "config" => text.push_str(REFUSED),
            "environ" => text.push_str(&modes("mode", "the variable is", VARIABLE_MODE_TEXTS)),
            "exports" => text.push_str(&modes("mode", "at `mount` appears", EXPORT_MODE_TEXTS)),
            "config.seccomp.rules" => text.push_str(&call_groups()),
            _ => {}
        }
    }
    text.push_str(&names());
    text.push_str(&limits());
    text.push_str(&format!("\n## The status file\n\n{}\n\n{}", STATUS.intro, table(&STATUS)));
    text
}

const OPENING: &str = "<!-- Written by `cargo xtask reference`, out of the tables that the program reads by. -->

# The configuration of a node

YAML. Keys and words are taken in any case; this page and the JSON Schema have them in one. A scalar's text counts,
quoted or not: `027` and `\"027\"` are the same. Whatever is not on this page is an error, and the message says where it
stands and what was probably meant.

In editors that speak to the YAML language server, a first line completes and checks while you type (the models have
it):

```yaml
# yaml-language-server: $schema=/usr/share/redpak/redpak.schema.json
```

The schema ([redpak.schema.json](redpak.schema.json); [rednode.schema.json](rednode.schema.json) for the status file)
sees one file. Names, commands, and what a family allows are judged by `redconf check`.

How families are merged is told with examples in [inheritance.md](inheritance.md); coming from red-pak 2.5, read
[migration.md](migration.md).
";

const REFUSED: &str = "
† Checked and merged by all of the rules, and not put in force by this version: `redwrap` does not launch a family that
sets it, and says so by name (`RP0117`). The same holds for a path of a namespace to join.
";

fn rules() -> String {
    let mut text = String::from(
        "\n## Rules of inheritance\n\nA node's effective configuration is the merge of its family, root node first; \
         admin files are laid on top where they count. Each key below names its rule. They hold where inheritance is \
         `strict`, the default.\n\n| rule | says |\n| --- | --- |\n",
    );
    for rule in RULES {
        let (name, sentence) = describe::rule(*rule);
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "| {name} | {sentence} |");
    }
    text
}

fn chapter(section: &Section) -> String {
    let title = match section.path {
        "" => "The file".to_owned(),
        path => format!("`{path}`"),
    };
    let level = "#".repeat(2 + section.path.matches('.').count());
    let mut text = format!("\n{level} {title}\n\n");
    if !section.intro.is_empty() {
        let _ = write!(text, "{}\n\n", section.intro);
    }
    text + &table(section)
}

fn table(section: &Section) -> String {
    let mut text = String::from(
        "| key | what | takes | default | example | inheritance |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (key, words) in section.described() {
        let default = if key.mandatory { "must be there" } else { words.default };
        let example = if words.example.is_empty() { String::new() } else { code(words.example) };
        let rule = describe::rule(key.rule).0;
        let row = [
            format!("{}`{}`{}", anchor(section, key), key.name, mark(section, key)),
            words.text.to_owned(),
            describe::kind(key.kind),
            default.to_owned(),
            example,
            rule.to_owned(),
        ];
        let _ = writeln!(text, "| {} |", row.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    text
}

/// What this version checks and does not launch.
fn mark(section: &Section, key: &Key) -> &'static str {
    if section.path == "config" && LAUNCH_REFUSES.contains(&key.name) { " †" } else { "" }
}

/// A place that a link can lead to, `#config.umask`: keys of several sections have the same name.
fn anchor(section: &Section, key: &Key) -> String {
    if matches!(key.kind, Kind::Section(_) | Kind::Entries(_)) || section.path.is_empty() {
        return String::new();
    }
    format!("<a id=\"{}.{}\"></a>", section.path, key.name)
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn modes(title: &str, what: &str, texts: &[(&str, &str)]) -> String {
    let mut text = format!("\n| {title} | {what} |\n| --- | --- |\n");
    for (word, words) in texts {
        let _ = writeln!(text, "| `{word}` | {words} |");
    }
    text
}

fn call_groups() -> String {
    let mut text = String::from("\n| group | calls |\n| --- | --- |\n");
    for (group, calls) in calls::GROUPS {
        let calls: Vec<String> = calls.split_whitespace().map(code).collect();
        let _ = writeln!(text, "| `{group}` | {} |", calls.join(" "));
    }
    text
}

fn names() -> String {
    let mut text = String::from(EXPANSION);
    for (name, words) in NAMES {
        let _ = writeln!(text, "| `{name}` | {words} |");
    }
    text
}

const EXPANSION: &str = "
## Expansion

In texts that are expanded, `$NAME` and `${NAME}` are replaced, and `$(command)` by what the command prints; `\\$` is a
dollar, and a dollar that no name follows is one too. Case of the names below does not matter. Any other name is looked
up in the caller's environment. A name that is not defined is an error in a path, and elsewhere a warning and replaced
by nothing. What a replacement yields may hold names in turn, but no commands; the directories of nodes are taken as
they are.

A command is run by `bash -r -c`, or by `sh -c` where there is no bash. The names below are in its environment. A
command in the root node's file runs on the host, as the caller; one in another node's file runs inside that node's
parent, all commands of one file in one launch. It must end with 0, in time. `check`, `config`, `mergeconfig` and
`--dump-only` run none, and show them as they stand. The models have none, but `redpak25`.

| name | stands for |
| --- | --- |
";

/// Limits that are private to the crates that keep them; the tests compare.
pub const REPLACEMENTS: &str = "names in names 16 deep; 10000 in a text; 64 KiB as a result";
/// As [`REPLACEMENTS`].
pub const COMMANDS_OF_A_FILE: &str = "10 s; 16 MiB of output";
/// As [`REPLACEMENTS`].
pub const COMMANDS_OF_A_FAMILY: &str = "60 s";

fn limits() -> String {
    let rows = [
        ("a file", format!("{} MiB", MAX_BYTES >> 20)),
        ("nesting", format!("{MAX_DEPTH} levels")),
        ("values in a file", format!("{MAX_NODES}, aliases expanded; {MAX_ALIAS_NODES} out of aliases")),
        ("documents in a file", "1; no tags, no merge keys (`<<`), no key twice".to_owned()),
        ("replacements", REPLACEMENTS.to_owned()),
        ("commands of one file", COMMANDS_OF_A_FILE.to_owned()),
        ("commands of a family", COMMANDS_OF_A_FAMILY.to_owned()),
        ("output of a command", format!("{} KiB as text", commands::MAX_TEXT >> 10)),
        ("content of an `Execfd` file", format!("{} MiB", commands::MAX_FILE >> 20)),
    ];
    let mut text = String::from("\n## Limits\n\n| what | at most |\n| --- | --- |\n");
    for (what, limit) in rows {
        let _ = writeln!(text, "| {what} | {limit} |");
    }
    text
}
