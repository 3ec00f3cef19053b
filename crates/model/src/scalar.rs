//! The text of one scalar, read as what its key takes. Quotes make no difference: `027` and `"027"` are the same.

use crate::capability::{self, Capability};
use crate::codes;
use crate::config::Switch;
use crate::effective::Rlimit;
use crate::pieces;
use crate::schema::{EXPORT_MODES, Kind, VARIABLE_MODES, nearest};
use crate::walk::{Value, listed, short};
use crate::{calls, cgroup_text, error_numbers};

/// Why a text is not taken. The message follows the key's name.
#[derive(Debug)]
pub(crate) struct Refused {
    pub code: &'static str,
    pub message: String,
    pub hint: String,
}

type Read = Result<Value, Refused>;

pub(crate) fn refuse<T>(
    code: &'static str,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> Result<T, Refused> {
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
            true => Ok(Value::Text("max".into())),
            false => integer(text, min, max).map(|number| Value::Text(number.to_string())),
        },
        Kind::Boolean => word(text, &["true", "false"]).map(|index| Value::Boolean(index == 0)),
        Kind::Switch => switch(text),
        Kind::Share => share(text),
        Kind::Account => account(text),
        Kind::Size(min) => size(text, min).map(Value::Size),
        Kind::Limit => match text.eq_ignore_ascii_case("max") {
            true => Ok(Value::Text("max".into())),
            false => size(text, 0).map(|bytes| Value::Text(bytes.to_string())),
        },
        Kind::NumberList => number_list(text),
        Kind::CgroupText(form) => cgroup_text::read(form, text).map(Value::Text),
        Kind::Rlimit => rlimit(text).map(Value::Rlimit),
        Kind::Errno => errno(text).map(Value::Errno),
        Kind::Calls => call(text),
        Kind::Ports => integer(text, 0, i64::from(u16::MAX)).map(Value::Integer),
        Kind::Word(words) => word(text, words).map(Value::Word),
        Kind::Capability => capability(text),
        Kind::VariableMode => mode(text, VARIABLE_MODES).map(Value::VariableMode),
        Kind::ExportMode => mode(text, EXPORT_MODES).map(Value::ExportMode),
        Kind::Section(_) | Kind::Entries(_) => {
            refuse(codes::WRONG_TYPE, "is a text", "it takes a collection")
        }
    }
}

/// Whether names and commands are written as they must be is seen here, so that it is found in any file.
fn expandable(text: &str) -> Read {
    match pieces::wrong(text) {
        Some((code, message, hint)) => refuse(code, message, hint),
        None => Ok(Value::Text(text.to_owned())),
    }
}

/// `soft:hard`, or one value for both.
fn rlimit(text: &str) -> Result<Rlimit, Refused> {
    let one = |text: &str| match text.eq_ignore_ascii_case("max") {
        true => Ok(None),
        false => size(text, 0).map(Some),
    };
    let wrong = |_| Refused {
        code: codes::BAD_VALUE,
        message: format!("is no limit: `{}`", short(text)),
        hint: "for example `1024`, `64M`, `max`, or `1024:4096` for the soft and the hard limit".into(),
    };
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    let (soft, hard) = (one(soft).map_err(wrong)?, one(hard).map_err(wrong)?);
    if hard.is_some_and(|hard| soft.is_none_or(|soft| soft > hard)) {
        return refuse(
            codes::BAD_VALUE,
            format!("has a soft limit above the hard one: `{}`", short(text)),
            "write the smaller number first: `soft:hard`",
        );
    }
    Ok(Rlimit { soft, hard })
}

fn errno(text: &str) -> Result<u16, Refused> {
    error_numbers::number(text).map_or_else(
        || {
            let hint = match nearest(text, error_numbers::names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "errno(3) lists the names: `EPERM`, `ENOSYS`, …".to_owned(),
            };
            refuse(codes::BAD_WORD, format!("does not take `{}`", short(text)), hint)
        },
        Ok,
    )
}

fn call(text: &str) -> Read {
    if calls::named(text).is_some() {
        return Ok(Value::Text(text.to_ascii_lowercase()));
    }
    let groups = calls::GROUPS.iter().map(|(group, _)| *group);
    let hint = match nearest(text, calls::names().chain(groups.clone())) {
        Some(near) => format!("did you mean `{near}`?"),
        None if text.starts_with('@') => format!("the groups are {}", listed(groups)),
        None => {
            "it takes names of system calls (syscalls(2)), and groups of them such as `@mount`".to_owned()
        }
    };
    refuse(codes::BAD_WORD, format!("does not take `{}`", short(text)), hint)
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
                (0, 1) => "it takes `1` or `0`".to_owned(),
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
            match bytes.filter(|bytes| canonical && *bytes < min) {
                Some(_) => format!("is less than {min} bytes: `{}`", short(text)),
                None => format!("is no size: `{}`", short(text)),
            },
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
        return expandable(text);
    }
    switch(text)
}

/// As useradd(8) has names, or a number.
fn account(text: &str) -> Read {
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return integer(text, 0, i64::from(u32::MAX) - 1).map(|_| Value::Text(text.to_owned()));
    }
    if text.contains('$') && !text.ends_with('$') {
        return expandable(text);
    }
    match text.chars().all(|c| c.is_alphanumeric() || "_.-$@\\".contains(c)) && text.len() <= 256 {
        true => Ok(Value::Text(text.to_owned())),
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
        true => Ok(Value::Text(text.to_owned())),
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

fn mode<M: Copy>(text: &str, modes: &[(&'static str, M)]) -> Result<M, Refused> {
    let words: Vec<&'static str> = modes.iter().map(|(word, _)| *word).collect();
    Ok(modes[word(text, &words)?].1)
}
