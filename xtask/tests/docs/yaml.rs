//! YAML to JSON as editors see it: plain scalars by the core schema (YAML 1.2.2, 10.3).

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

enum Open {
    Sequence(usize, Vec<Value>),
    Mapping(usize, Map<String, Value>, Option<String>),
}

/// The document's value.
pub fn json(text: &str) -> Value {
    let (mut open, mut root) = (Vec::new(), Value::Object(Map::new()));
    let mut anchors: Vec<(usize, Value)> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.unwrap_or_else(|error| panic!("no YAML: {error:?}\n{text}"));
        let (value, anchor) = match event {
            Event::Scalar(scalar, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let nothing = plain && span.start.index() == span.end.index();
                (if nothing { Value::Null } else { resolved(&scalar, plain) }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                open.push(Open::Sequence(anchor, Vec::new()));
                continue;
            }
            Event::MappingStart(_, anchor, _) => {
                open.push(Open::Mapping(anchor, Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::Sequence(anchor, items)) => (Value::Array(items), anchor),
                Some(Open::Mapping(anchor, map, _)) => (Value::Object(map), anchor),
                None => continue,
            },
            Event::Alias(id) => {
                let found = anchors.iter().rev().find(|(anchor, _)| *anchor == id);
                (found.map(|(_, value)| value.clone()).expect("an anchor"), 0)
            }
            _ => continue,
        };
        if anchor != 0 {
            anchors.push((anchor, value.clone()));
        }
        match open.last_mut() {
            Some(Open::Sequence(_, items)) => items.push(value),
            Some(Open::Mapping(_, map, key)) => match key.take() {
                Some(key) => {
                    map.insert(key, value);
                }
                None => *key = Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
            },
            None => root = value,
        }
    }
    root
}

fn resolved(text: &str, plain: bool) -> Value {
    if !plain {
        return text.into();
    }
    let number = || {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if digits.is_empty() || !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        let octal = text.strip_prefix("0o").and_then(|digits| i64::from_str_radix(digits, 8).ok());
        let hex = text.strip_prefix("0x").and_then(|digits| i64::from_str_radix(digits, 16).ok());
        let integer = octal.or(hex).or_else(|| text.parse::<i64>().ok());
        integer.map(Value::from).or_else(|| Some(Value::from(text.parse::<f64>().ok()?)))
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        _ => number().unwrap_or_else(|| text.into()),
    }
}

#[test]
fn plain_scalars_are_resolved_by_the_core_schema() {
    let value = json("a: 027\nb: \"027\"\nc: &x [true, no, ~, 1.5]\nd: *x\ne:\nf: 0o17\n? g\n: -\n");
    let expected = serde_json::json!({
        "a": 27, "b": "027", "c": [true, "no", null, 1.5], "d": [true, "no", null, 1.5], "e": null, "f": 15,
        "g": [null],
    });
    assert_eq!(value, expected);
}
