//! The text of one scalar, read as what its key takes. Quotes make no difference: `027` and `"027"` are the same.

use crate::capability::{self, Capability};
use crate::codes;
use crate::config::Switch;
use crate::expand;
use crate::schema::{EXPORT_MODES, Kind, Support, VARIABLE_MODES, nearest};
use crate::walk::{Value, listed, short};

/// Why a text is not taken. The message follows the key's name, or the words "not supported yet".
#[derive(Debug)]
pub(crate) struct Refused {
    pub code: &'static str,
    pub message: String,
    pub hint: String,
}

type Read = Result<Value, Refused>;

fn refuse<T>(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { code, message: message.into(), hint: hint.into() })
}

/// Reads a scalar's text.
pub(crate) fn read(kind: Kind, text: &str) -> Read {
    if text.is_empty() && !matches!(kind, Kind::Literal | Kind::Text | Kind::Value) {
        return refuse(codes::BAD_VALUE, "has no value", "give it one, or remove the key");
    }
    match kind {
        Kind::Literal | Kind::Value => Ok(Value::Text(text.to_owned())),
        Kind::Text | Kind::Texts | Kind::Path | Kind::PathList => expandable(text),
        Kind::Alias => alias(text),
        Kind::Variable => variable(text),
        Kind::Octal => octal(text),
        Kind::Integer(min, max) => integer(text, min, max).map(Value::Integer),
        Kind::IntegerOrMax(min, max) => match text.eq_ignore_ascii_case("max") {
            true => Ok(Value::Checked),
            false => integer(text, min, max).map(Value::Integer),
        },
        Kind::Boolean => word(text, &["true", "false"]).map(|index| Value::Boolean(index == 0)),
        Kind::Switch => switch(text),
        Kind::Share => share(text),
        Kind::Account => account(text),
        Kind::Size(min) => size(text, min).map(Value::Size),
        Kind::Limit => match text.eq_ignore_ascii_case("max") {
            true => Ok(Value::Checked),
            false => size(text, 0).map(Value::Size),
        },
        Kind::NumberList => number_list(text),
        Kind::Word(words) => match words[word(text, words)?] {
            "compatible" => {
                refuse(codes::NOT_SUPPORTED, "`compatible`", "remove it: `strict` is the default")
            }
            found => Ok(Value::Word(words.iter().position(|word| *word == found).unwrap_or(0))),
        },
        Kind::Capability => capability(text),
        Kind::VariableMode => mode(text, VARIABLE_MODES).map(Value::VariableMode),
        Kind::ExportMode => mode(text, EXPORT_MODES).map(Value::ExportMode),
        Kind::Section(_) | Kind::Entries(_) | Kind::Mapping => {
            refuse(codes::WRONG_TYPE, "is a text", "it takes a collection")
        }
    }
}

fn expandable(text: &str) -> Read {
    if expand::has_command(text) {
        return refuse(
            codes::NOT_SUPPORTED,
            "commands (`$(…)`)",
            "write `\\$(` for the characters themselves",
        );
    }
    Ok(Value::Text(text.to_owned()))
}

fn alias(text: &str) -> Read {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+-_@:".contains(c);
    match text.chars().find(|&c| !allowed(c)) {
        Some(c) => refuse(
            codes::BAD_VALUE,
            format!("holds the character {c:?}"),
            "an alias is made of letters, digits and `+ - _ @ :`",
        ),
        None => Ok(Value::Text(text.to_owned())),
    }
}

fn variable(text: &str) -> Read {
    match text.chars().find(|&c| c == '=' || c == '$' || c.is_control() || c.is_whitespace()) {
        Some(c) => {
            refuse(codes::BAD_VALUE, format!("holds the character {c:?}"), "use letters, digits and `_`")
        }
        None => Ok(Value::Text(text.to_owned())),
    }
}

fn octal(text: &str) -> Read {
    let digits = text.len() <= 4 && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    match i64::from_str_radix(text, 8) {
        Ok(value) if digits && value <= 0o777 => Ok(Value::Integer(value)),
        _ => refuse(
            codes::BAD_VALUE,
            format!("is not an octal number up to 0777: `{}`", short(text)),
            "for example `027`",
        ),
    }
}

fn integer(text: &str, min: i64, max: i64) -> Result<i64, Refused> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    match text.parse::<i64>() {
        Ok(value) if canonical && (min..=max).contains(&value) && text != "-0" => Ok(value),
        _ => {
            let range = match (min, max) {
                (i64::MIN, i64::MAX) => "it takes an integer, in decimal".to_owned(),
                (min, i64::MAX) => format!("it takes an integer of at least {min}, in decimal"),
                (min, max) => format!("it takes an integer from {min} to {max}, in decimal"),
            };
            refuse(codes::BAD_VALUE, format!("does not take `{}`", short(text)), range)
        }
    }
}

/// Bytes with `K`, `M` or `G` (1024, 1024², 1024³).
fn size(text: &str, min: u64) -> Result<u64, Refused> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1_u64),
    };
    let canonical = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    match bytes.filter(|bytes| canonical && *bytes >= min && i64::try_from(*bytes).is_ok()) {
        Some(bytes) => Ok(bytes),
        None => refuse(
            codes::BAD_VALUE,
            format!("is not a size of at least {min} bytes: `{}`", short(text)),
            "for example `64M`: bytes, or with K, M or G",
        ),
    }
}

fn word(text: &str, words: &[&'static str]) -> Result<usize, Refused> {
    if let Some(index) = words.iter().position(|word| word.eq_ignore_ascii_case(text)) {
        return Ok(index);
    }
    let hint = match nearest(text, words.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it takes {}", listed(words.iter().copied())),
    };
    refuse(codes::BAD_WORD, format!("does not take `{}`", short(text)), hint)
}

const SWITCHES: [&str; 3] = ["enabled", "disabled", "unset"];

fn switch(text: &str) -> Read {
    let index = word(text, &SWITCHES)?;
    Ok(Value::Switch([Switch::Enabled, Switch::Disabled, Switch::Unset][index]))
}

fn share(text: &str) -> Read {
    if text.starts_with(['/', '$']) {
        return refuse(codes::NOT_SUPPORTED, "a namespace to join", format!("it takes {}", listed(SWITCHES)));
    }
    switch(text)
}

/// As useradd(8) has names, or a number.
fn account(text: &str) -> Read {
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return integer(text, 0, i64::from(u32::MAX) - 1).map(|_| Value::Checked);
    }
    match text.chars().all(|c| c.is_alphanumeric() || "_.-$@\\".contains(c)) && text.len() <= 256 {
        true => Ok(Value::Checked),
        false => refuse(
            codes::BAD_VALUE,
            format!("does not take `{}`", short(text)),
            "it takes a name or a number",
        ),
    }
}

fn number_list(text: &str) -> Read {
    let number = |text: &str| text.parse::<u32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let item = |item: &str| match item.split_once('-') {
        Some((first, last)) => {
            matches!((number(first), number(last)), (Some(first), Some(last)) if first <= last)
        }
        None => number(item).is_some(),
    };
    match text.split(',').all(item) {
        true => Ok(Value::Checked),
        false => refuse(
            codes::BAD_VALUE,
            format!("does not take `{}`", short(text)),
            "it takes numbers and ranges: `0-3,5`",
        ),
    }
}

fn capability(text: &str) -> Read {
    if let Some(capability) = Capability::named(text) {
        return Ok(Value::Capability(capability));
    }
    let bare = !text.to_ascii_uppercase().starts_with("CAP_") && text.len() > "ALL".len() + 1;
    let full = if bare { format!("CAP_{text}") } else { text.to_owned() };
    let hint = match nearest(&full, capability::NAMES.into_iter().chain(["ALL"])) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "capabilities(7) lists the names; `ALL` stands for all".to_owned(),
    };
    refuse(codes::BAD_WORD, format!("does not take `{}`", short(text)), hint)
}

fn mode<M: Copy>(text: &str, modes: &[(&'static str, M, Support)]) -> Result<M, Refused> {
    let words: Vec<&'static str> = modes.iter().map(|(word, ..)| *word).collect();
    let (word, mode, support) = modes[word(text, &words)?];
    match support {
        Support::Full => Ok(mode),
        _ => refuse(
            codes::NOT_SUPPORTED,
            format!("the mode `{word}`"),
            "remove the entry, or use another mode",
        ),
    }
}
