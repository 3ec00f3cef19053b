//! `redconf explain`: the page of a code, as it stands in docs/codes.

use redpak_diagnostics::{Finding, exit};
use redpak_model::schema::nearest;

use crate::usage;

/// Code and page, in order.
const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Prints one page, or all codes with their titles.
pub fn run(code: Option<&str>) -> Result<u8, Finding> {
    let Some(code) = code else {
        let list: Vec<String> =
            PAGES.iter().map(|(code, page)| format!("{code}  {}", heading(page))).collect();
        crate::print(&list.join("\n"))?;
        return Ok(exit::OK);
    };
    match page(&normal(code)) {
        Some(page) => crate::print(page.trim_end())?,
        None => return Ok(usage(&unknown(code))),
    }
    Ok(exit::OK)
}

/// The title of a code that has a page.
pub fn title(code: &str) -> Option<&'static str> {
    page(code).map(heading)
}

/// The line that tells of this command, behind the findings of a run.
pub fn more(finding: &Finding) -> String {
    match page(finding.code) {
        Some(_) => format!("more: redconf explain {}\n", finding.code),
        None => String::new(),
    }
}

fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| *known == code).map(|(_, page)| *page)
}

/// What stands behind `# RP0303: `.
fn heading(page: &'static str) -> &'static str {
    let first = page.lines().next().unwrap_or_default();
    first.split_once(": ").map_or(first, |(_, title)| title)
}

/// `rp303`, `0303` and `error[RP0303]` are meant well.
fn normal(code: &str) -> String {
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() || digits.len() > 4 {
        return code.to_uppercase();
    }
    format!("RP{digits:0>4}")
}

fn unknown(code: &str) -> String {
    let normal = normal(code);
    match nearest(&normal, PAGES.iter().map(|(known, _)| *known)) {
        Some(near) => format!(
            "there is no code `{code}`; did you mean {near} ({})? `redconf explain` lists all",
            title(near).unwrap_or_default()
        ),
        None => format!("there is no code `{code}`; `redconf explain` lists all, they look like RP0303"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_a_title_with_its_code() {
        assert!(!PAGES.is_empty());
        for (code, page) in PAGES {
            assert!(page.starts_with(&format!("# {code}: ")), "{code}");
            assert!(!heading(page).is_empty(), "{code}");
        }
    }

    #[test]
    fn codes_are_taken_as_people_type_them() {
        for (typed, code) in [("RP0303", "RP0303"), ("rp0303", "RP0303"), ("303", "RP0303"), ("x", "X")] {
            assert_eq!(normal(typed), code);
        }
    }
}
