//! Texts of control group files with a form of their own (Linux, `admin-guide/cgroup-v2.rst`), checked and written in
//! one way: single blanks between words.

use crate::codes;
use crate::scalar::{Refused, refuse};
use crate::schema::CgroupText;
use crate::walk::short;

/// Checks a text; the result is what is written to the file.
pub(crate) fn read(form: CgroupText, text: &str) -> Result<String, Refused> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (fits, example) = match form {
        CgroupText::CpuMax => (cpu_max(&words), "`50000 100000`: microseconds, or `max`, in a period"),
        CgroupText::IoMax => (io_max(&words), "`8:0 rbps=1048576 wiops=max`"),
        CgroupText::IoWeight => (io_weight(&words), "`100`, `default 100` or `8:0 200`; from 1 to 10000"),
        CgroupText::IoCost => (io_cost(&words), "`8:0 ctrl=auto`"),
    };
    match fits {
        true => Ok(words.join(" ")),
        false => refuse(
            codes::BAD_VALUE,
            format!("does not take `{}`", short(text)),
            format!("for example {example}"),
        ),
    }
}

fn number(word: &str) -> Option<u64> {
    word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}

/// A quota of at least 1 ms, in a period of 1 ms to 1 s.
fn cpu_max(words: &[&str]) -> bool {
    const LEAST: u64 = 1_000;
    const LONGEST: u64 = 1_000_000;
    let quota = |word: &str| word == "max" || number(word).is_some_and(|quota| quota >= LEAST);
    let period = |word: &str| number(word).is_some_and(|period| (LEAST..=LONGEST).contains(&period));
    match words {
        [one] => quota(one),
        [one, other] => quota(one) && period(other),
        _ => false,
    }
}

/// `MAJOR:MINOR`.
fn device(word: &str) -> bool {
    const LARGEST: u64 = u32::MAX as u64;
    word.split_once(':').is_some_and(|(major, minor)| {
        [major, minor].iter().all(|part| number(part).is_some_and(|part| part <= LARGEST))
    })
}

fn io_max(words: &[&str]) -> bool {
    let limit = |word: &&str| {
        word.split_once('=').is_some_and(|(key, value)| {
            ["rbps", "wbps", "riops", "wiops"].contains(&key) && (value == "max" || number(value).is_some())
        })
    };
    matches!(words, [first, rest @ ..] if device(first) && !rest.is_empty() && rest.iter().all(limit))
}

fn io_weight(words: &[&str]) -> bool {
    let weight = |word: &str| number(word).is_some_and(|weight| (1..=10_000).contains(&weight));
    match words {
        [one] => weight(one),
        [first, second] => {
            (*first == "default" && weight(second))
                || (device(first) && (weight(second) || *second == "default"))
        }
        _ => false,
    }
}

fn io_cost(words: &[&str]) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_')
    };
    let setting = |text: &&str| text.split_once('=').is_some_and(|(key, value)| word(key) && word(value));
    matches!(words, [first, rest @ ..] if device(first) && !rest.is_empty() && rest.iter().all(setting))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_as_the_kernel_takes_them() {
        use CgroupText::{CpuMax, IoCost, IoMax, IoWeight};
        for (form, text, written) in [
            (CpuMax, "max", Some("max")),
            (CpuMax, " 50000   100000 ", Some("50000 100000")),
            (CpuMax, "50000", Some("50000")),
            (CpuMax, "999", None),
            (CpuMax, "50000 100000 1", None),
            (CpuMax, "50000 max", None),
            (CpuMax, "-1", None),
            (IoMax, "8:0 rbps=1048576 wiops=max", Some("8:0 rbps=1048576 wiops=max")),
            (IoMax, "8:0", None),
            (IoMax, "8 rbps=1", None),
            (IoMax, "8:0 bps=1", None),
            (IoMax, "/dev/sda rbps=1", None),
            (IoWeight, "100", Some("100")),
            (IoWeight, "default 100", Some("default 100")),
            (IoWeight, "8:16 default", Some("8:16 default")),
            (IoWeight, "0", None),
            (IoWeight, "10001", None),
            (IoCost, "8:0 ctrl=auto model=linear", Some("8:0 ctrl=auto model=linear")),
            (IoCost, "8:0 rpct=95.00", Some("8:0 rpct=95.00")),
            (IoCost, "8:0 x", None),
            (IoCost, "8:0 a=b;c", None),
        ] {
            assert_eq!(read(form, text).ok().as_deref(), written, "{form:?} {text}");
        }
    }
}
