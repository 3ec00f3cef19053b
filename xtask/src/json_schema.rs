//! The JSON Schemas (draft 2020-12) of a configuration and of a status file.
//!
//! They take every file that the program takes in a strict family, and refuse what an editor can see of what the
//! program refuses: keys, words, types, bounds. What needs the family, the expansion of names or the text as it stands
//! is the program's: `redconf check`.

use redpak_model::capability;
use redpak_model::config::ExportMode;
use redpak_model::describe::{self, EXPORT_MODE_TEXTS, SECTIONS, Section, Text, VARIABLE_MODE_TEXTS};
use redpak_model::schema::{CgroupText, EXPORT_MODES, Key, Kind, Support};
use serde_json::{Map, Value, json};

use crate::patterns::{any_case, one_of, other_case};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of `redpak.yaml` and `redpak-admin.yaml`.
pub fn configuration() -> Value {
    let mut definitions = Map::new();
    for section in SECTIONS.iter().filter(|section| !section.path.is_empty()) {
        let at = format!("#/$defs/{}", section.path);
        let conditions = match section.path {
            "exports" => export_conditions(),
            "environ" => variable_conditions(),
            _ => Vec::new(),
        };
        definitions.insert(section.path.to_owned(), mapping(section, &at, conditions).into());
    }
    document("Configuration of a redpak node", &SECTIONS[0], definitions)
}

/// The schema of `.rednode.yaml`.
pub fn status() -> Value {
    document("Status of a redpak node", &describe::STATUS, Map::new())
}

fn document(title: &str, file: &Section, definitions: Map<String, Value>) -> Value {
    let mut document = mapping(file, "#", Vec::new());
    document.insert("$schema".into(), DRAFT.into());
    document.insert("title".into(), title.into());
    document.insert("description".into(), plain(file.intro).into());
    if !definitions.is_empty() {
        document.insert("$defs".into(), definitions.into());
    }
    document.into()
}

/// The schema of a mapping that stands at `at` of the document.
fn mapping(section: &Section, at: &str, conditions: Vec<Value>) -> Map<String, Value> {
    let (mut properties, mut others, mut mandatory) = (Map::new(), Map::new(), Vec::new());
    for (key, text) in section.described() {
        properties.insert(key.name.into(), property(section, key, text));
        others.insert(other_case(key.name), json!({ "$ref": format!("{at}/properties/{}", key.name) }));
        if key.mandatory {
            mandatory.push(required(key.name));
        }
    }
    let mut mapping = Map::new();
    // A section without a mandatory key may be left empty: `config:`.
    let empty = mandatory.is_empty() && !section.is_sequence() && !section.path.is_empty();
    mapping.insert("type".into(), if empty { json!(["object", "null"]) } else { "object".into() });
    mapping.insert("properties".into(), properties.into());
    mapping.insert("patternProperties".into(), others.into());
    mapping.insert("additionalProperties".into(), false.into());
    mandatory.extend(conditions);
    if !mandatory.is_empty() {
        mapping.insert("allOf".into(), mandatory.into());
    }
    mapping
}

/// A key must be there. The first choice is what editors show.
fn required(key: &str) -> Value {
    json!({ "anyOf": [{ "required": [key] }, has(key)] })
}

/// Whether a key is there, in any case: not every name is another one.
fn has(key: &str) -> Value {
    json!({ "not": { "propertyNames": { "not": { "pattern": format!("^{}$", any_case(key)) } } } })
}

fn property(section: &Section, key: &Key, text: &Text) -> Value {
    let mut property = match value(section, key) {
        Value::Object(map) => map,
        other => Map::from_iter([("const".to_owned(), other)]),
    };
    let mut description = plain(text.text);
    if !text.default.is_empty() {
        description.push_str(&format!(" Default: {}.", plain(text.default)));
    }
    if !section.keys.iter().all(|key| key.rule == redpak_model::schema::Rule::Own) {
        description.push_str(&format!(" Inheritance: {}", plain(describe::rule(key.rule).1)));
    }
    property.insert("description".into(), description.into());
    if key.support == Support::Ignored {
        property.insert("deprecated".into(), true.into());
    }
    property.into()
}

/// A description without Markdown.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

/// The texts of scalars: what YAML makes of `5`, `1.5` and `true` is a text where the key takes one.
const SCALAR: [&str; 3] = ["string", "number", "boolean"];

fn value(section: &Section, key: &Key) -> Value {
    let below =
        if section.path.is_empty() { key.name.to_owned() } else { format!("{}.{}", section.path, key.name) };
    match key.kind {
        _ if key.support == Support::Ignored => json!({}),
        Kind::Section(_) => json!({ "$ref": format!("#/$defs/{below}") }),
        Kind::Entries(_) => {
            json!({ "type": ["array", "null"], "items": { "$ref": format!("#/$defs/{below}") } })
        }
        Kind::Texts => json!({ "type": ["array", "null"], "items": { "type": SCALAR } }),
        Kind::Alias => json!({ "type": SCALAR, "pattern": "^[A-Za-z0-9+\\-_@:]+$" }),
        Kind::Literal | Kind::Text | Kind::Value => {
            json!({ "type": ["string", "number", "boolean", "null"] })
        }
        Kind::Variable => json!({ "type": SCALAR, "pattern": "^[^=$\\s]+$" }),
        Kind::Path | Kind::PathList => json!({ "type": SCALAR, "minLength": 1 }),
        Kind::Octal => either(json!({ "type": "integer", "minimum": 0, "maximum": 777 }), "^0?[0-7]{1,3}$"),
        Kind::Integer(min, max) => either(integer(min, max), "^-?[0-9]+$"),
        Kind::IntegerOrMax(min, max) => either(integer(min, max), "^(?:[0-9]+|[mM][aA][xX])$"),
        Kind::Boolean => either(json!({ "type": "boolean" }), &one_of(["true", "false"])),
        Kind::Switch => words(&["enabled", "disabled", "unset"], None),
        Kind::Share => words(&["enabled", "disabled", "unset"], Some("^[/$]")),
        Kind::Account => json!({ "type": ["string", "integer"], "minimum": 0, "minLength": 1 }),
        Kind::Size(min) => either(json!({ "type": "integer", "minimum": min }), "^[0-9]+[kKmMgG]?$"),
        Kind::Limit => {
            either(json!({ "type": "integer", "minimum": 0 }), "^(?:[0-9]+[kKmMgG]?|[mM][aA][xX])$")
        }
        Kind::NumberList => {
            either(json!({ "type": "integer", "minimum": 0 }), "^[0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*$")
        }
        Kind::CgroupText(text) => either(json!({ "type": "integer", "minimum": 0 }), cgroup_text(text)),
        Kind::Rlimit => either(
            json!({ "type": "integer", "minimum": 0 }),
            "^(?:[0-9]+[kKmMgG]?|[mM][aA][xX])(?::(?:[0-9]+[kKmMgG]?|[mM][aA][xX]))?$",
        ),
        Kind::Errno => json!({ "type": "string", "pattern": "^[eE][A-Za-z0-9]+$" }),
        Kind::Calls => json!({
            "type": ["array", "null"],
            "items": { "type": "string", "pattern": "^@?[A-Za-z_0-9\\-]+$" },
        }),
        Kind::Ports => json!({
            "type": ["array", "null"],
            "items": either(json!({ "type": "integer", "minimum": 0, "maximum": 65535 }), "^[0-9]+$"),
        }),
        Kind::Word(list) => words(list, None),
        Kind::Capability => capabilities(),
        Kind::VariableMode => modes(VARIABLE_MODE_TEXTS),
        Kind::ExportMode => modes(EXPORT_MODE_TEXTS),
    }
}

/// A value of a type of JSON, or the same in quotes.
fn either(bare: Value, quoted: &str) -> Value {
    json!({ "anyOf": [bare, { "type": "string", "pattern": quoted }] })
}

fn integer(min: i64, max: i64) -> Value {
    let mut schema = json!({ "type": "integer" });
    if min != i64::MIN {
        schema["minimum"] = min.into();
    }
    if max != i64::MAX {
        schema["maximum"] = max.into();
    }
    schema
}

fn words(list: &[&str], other: Option<&str>) -> Value {
    let any_case = json!({ "type": "string", "pattern": one_of(list.iter().copied()) });
    let mut choices = vec![json!({ "enum": list }), any_case];
    choices.extend(other.map(|pattern| json!({ "type": "string", "pattern": pattern })));
    json!({ "anyOf": choices })
}

fn modes(texts: &[(&str, &str)]) -> Value {
    let mut choices: Vec<Value> =
        texts.iter().map(|(word, text)| json!({ "const": word, "description": plain(text) })).collect();
    choices.push(json!({ "type": "string", "pattern": one_of(texts.iter().map(|(word, _)| *word)) }));
    json!({ "anyOf": choices })
}

fn capabilities() -> Value {
    let full = capability::NAMES.iter().copied().chain(["ALL"]);
    let short = capability::NAMES.iter().filter_map(|name| name.strip_prefix("CAP_"));
    json!({ "anyOf": [
        { "enum": full.clone().collect::<Vec<_>>() },
        { "type": "string", "pattern": one_of(full.chain(short)) },
    ] })
}

fn cgroup_text(text: CgroupText) -> &'static str {
    match text {
        CgroupText::CpuMax => "^(?:[0-9]+|[mM][aA][xX])(?:\\s+[0-9]+)?$",
        CgroupText::IoMax => "^[0-9]+:[0-9]+(?:\\s+[a-zA-Z]+=\\S+)+$",
        CgroupText::IoWeight => "^(?:(?:[dD][eE][fF][aA][uU][lL][tT]|[0-9]+:[0-9]+)\\s+)?[0-9]+$",
        CgroupText::IoCost => "^[0-9]+:[0-9]+(?:\\s+[a-zA-Z.]+=\\S+)+$",
    }
}

/// What a mode asks of the other keys of an export. Only seen where `mode` is written in lower case.
fn export_conditions() -> Vec<Value> {
    let others = EXPORT_MODES.iter().filter(|(_, mode)| *mode != ExportMode::Tmpfs).map(|(word, _)| *word);
    vec![
        when_mode(&one_of(others), json!({ "properties": { "size": false } })),
        when_mode(&one_of(["Symlink"]), required("path")),
    ]
}

fn variable_conditions() -> Vec<Value> {
    vec![
        when_mode(&one_of(["Inherit", "Remove"]), json!({ "properties": { "value": false } })),
        when_mode(&one_of(["Default", "Static", "Execfd"]), required("value")),
        json!({ "if": { "not": has("mode") }, "then": required("value") }),
    ]
}

fn when_mode(pattern: &str, then: Value) -> Value {
    json!({
        "if": { "required": ["mode"], "properties": { "mode": { "type": "string", "pattern": pattern } } },
        "then": then,
    })
}
