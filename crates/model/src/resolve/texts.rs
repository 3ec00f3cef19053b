//! Texts, paths, and the settings made of one text.

use std::path::PathBuf;

use redpak_diagnostics::{Finding, Place};

use super::{Resolver, Shares, Stance, stance};
use crate::codes;
use crate::config::{Located, ShareEntries, ShareEntry};
use crate::effective::{Account, Share, Unjudged};
use crate::expand::{Expanded, Failure, KNOWN};
use crate::paths::{PATH_MAX, Unfit, normalized};
use crate::schema::nearest;
use crate::walk::short;

impl Resolver<'_> {
    pub(super) fn expanded(&mut self, text: &Located<String>) -> Option<Expanded> {
        match self.expander.expand(&text.value) {
            Ok(expanded) => Some(expanded),
            Err(failure) => {
                self.failed(&text.place, failure);
                None
            }
        }
    }

    pub(super) fn failed(&mut self, place: &Place, failure: Failure) {
        self.error(failure.code, place, failure.message, failure.hint);
    }

    /// Remembers that a command decides something, and was not run.
    pub(super) fn not_judged(&mut self, what: &str, text: &Located<String>, left_out: bool) {
        let rest = if left_out { ", nor what depends on it" } else { "" };
        self.report.push(
            Finding::note(codes::NOT_JUDGED, format!("{what} is not judged{rest}: a command decides it"))
                .with_place(text.place.clone())
                .with_hint("commands are run at launch only"),
        );
        let origin = self.origin(&text.place);
        let (what, text) = (what.to_owned(), text.value.clone());
        self.unjudged.push(Unjudged { what, text, left_out, origin });
    }

    /// A text: an undefined name is a warning.
    pub(super) fn text(&mut self, what: &str, text: &Located<String>) -> Option<String> {
        let expanded = self.expanded(text)?;
        for name in &expanded.undefined {
            self.report.push(
                Finding::warning(
                    codes::UNDEFINED_IN_TEXT,
                    format!("`${name}` is not defined; nothing stands in its place"),
                )
                .with_place(text.place.clone())
                .with_hint("define it, or write `\\$` for a dollar"),
            );
        }
        if expanded.unjudged {
            self.not_judged(what, text, false);
        }
        Some(expanded.text)
    }

    /// As [`Resolver::text`], for what is checked as a whole: `None` when a command decides it.
    pub(super) fn known_text(&mut self, key: &'static str, text: &Located<String>) -> Option<String> {
        self.part(key, |to| {
            let left_out = to.expanded(text)?.unjudged;
            if left_out {
                to.not_judged(&format!("`{key}`"), text, true);
                to.damage.add(key);
                return None;
            }
            to.text(key, text)
        })
    }

    /// A text that is part of a path: an undefined name is an error.
    /// What a command decides is left out.
    pub(super) fn path_text(&mut self, what: &str, text: &Located<String>) -> Option<String> {
        let expanded = self.expanded(text)?;
        for name in &expanded.undefined {
            let message = format!("`${name}` is not defined, and this is a path");
            let hint = match nearest(name, KNOWN) {
                Some(near) => format!("did you mean `${near}`?"),
                None => format!("set {name} in the environment, or write the path out"),
            };
            self.error(codes::UNDEFINED_IN_PATH, &text.place, message, hint);
        }
        for name in &expanded.astray {
            let message = format!("`${name}` of the leaf is no name of a file, and this is a path");
            let hint = "give the leaf a `name` and `info` without `/`, or use `$LEAF_ALIAS`";
            self.error(codes::BAD_PATH, &text.place, message, hint);
        }
        if expanded.unjudged {
            self.not_judged(what, text, true);
            return None;
        }
        let expanded = Some(expanded).filter(|expanded| expanded.astray.is_empty())?;
        expanded.undefined.is_empty().then_some(expanded.text)
    }

    pub(super) fn absolute(&mut self, what: &str, text: &Located<String>) -> Option<PathBuf> {
        let path = self.path_text(what, text)?;
        match normalized(&path) {
            Ok(path) => Some(path),
            Err(wrong) => {
                let (code, message, hint) = wrong.words(&path);
                self.error(code, &text.place, message, hint);
                None
            }
        }
    }

    /// As [`Resolver::absolute`], for a key of `config`.
    pub(super) fn directory(
        &mut self,
        key: &'static str,
        text: Option<&Located<String>>,
    ) -> Option<Located<PathBuf>> {
        let text = text?;
        let value = self.absolute(&format!("`{key}`"), text);
        if value.is_none() {
            self.damage.add(key);
        }
        Some(Located { value: value?, place: text.place.clone() })
    }

    pub(super) fn list(&mut self, key: &'static str, text: Option<&Located<String>>) -> Vec<Located<String>> {
        let Some(text) = text else { return Vec::new() };
        let Some(list) = self.path_text(&format!("`{key}`"), text) else { return Vec::new() };
        let mut items = Vec::new();
        for item in list.split(':') {
            match normalized(item) {
                Ok(path) => {
                    items.push(Located { value: path.display().to_string(), place: text.place.clone() })
                }
                Err(Unfit::Empty) => self.error(
                    codes::EMPTY_ITEM,
                    &text.place,
                    "the list has an empty item, which would stand for the working directory",
                    "remove the doubled, leading or trailing `:`",
                ),
                Err(wrong) => {
                    let (code, message, hint) = wrong.words(item);
                    self.error(code, &text.place, message, hint);
                }
            }
        }
        items
    }

    pub(super) fn hostname(&mut self, text: Option<&Located<String>>) -> Option<Located<String>> {
        const LONGEST: usize = 64; // sethostname(2)
        let text = text?;
        let value = self.known_text("hostname", text)?;
        let fits = !value.is_empty() && value.len() <= LONGEST;
        if !fits || value.chars().any(|c| c.is_control() || c.is_whitespace() || c == '/') {
            let message = match value.is_empty() {
                true => "`hostname` is empty".to_owned(),
                false => format!("`{}` is no host name", short(&value)),
            };
            self.error(
                codes::BAD_HOSTNAME,
                &text.place,
                message,
                "1 to 64 bytes, without blanks and slashes",
            );
            return None;
        }
        Some(Located { value, place: text.place.clone() })
    }

    /// `name` or `name = evr`.
    pub(super) fn provided(&mut self, text: &Located<String>) -> Option<Located<String>> {
        let value = self.known_text("host-provides", text)?;
        let words: Vec<&str> = value.split_whitespace().collect();
        let control = value.chars().any(char::is_control);
        match words[..] {
            [_] | [_, "=", _] if !control => {
                Some(Located { value: words.join(" "), place: text.place.clone() })
            }
            _ => {
                let message = format!("`{}` is no provide", short(&value));
                self.error(codes::BAD_VALUE, &text.place, message, "write `name`, or `name = version`");
                None
            }
        }
    }

    pub(super) fn account(
        &mut self,
        key: &'static str,
        text: Option<&Located<String>>,
    ) -> Option<Located<Account>> {
        const LONGEST: usize = 256; // LOGIN_NAME_MAX, limits.h
        let text = text?;
        let value = self.known_text(key, text)?;
        let name = |c: char| c.is_alphanumeric() || "_.-$@\\".contains(c);
        let account = match value.bytes().all(|b| b.is_ascii_digit()) {
            true => value.parse().ok().filter(|id| *id != u32::MAX).map(Account::Id),
            false => Some(Account::Name(value.clone())),
        };
        let fits = !value.is_empty() && value.len() <= LONGEST && value.chars().all(name);
        match account.filter(|_| fits && !value.starts_with('-')) {
            Some(account) => Some(Located { value: account, place: text.place.clone() }),
            None => {
                let message = format!("`{key}` does not take `{}`", short(&value));
                self.damage.add(key);
                self.error(codes::BAD_VALUE, &text.place, message, "it takes a name or a number");
                None
            }
        }
    }

    /// A label of a security module.
    pub(super) fn label(
        &mut self,
        key: &'static str,
        text: Option<&Located<String>>,
    ) -> Option<Located<String>> {
        let text = text?;
        let value = self.known_text(key, text)?;
        let plain = !value.is_empty() && !value.chars().any(|c| c.is_control() || c.is_whitespace());
        let (fits, hint) = match key {
            // Linux, admin-guide/LSM/Smack.rst.
            "smack" => (
                value.len() <= 255
                    && value.is_ascii()
                    && !value.starts_with('-')
                    && !value.contains(['/', '"', '\\', '\'']),
                "a Smack label has 1 to 255 characters, no blanks, quotes, `/` and `\\`, and starts with no `-`",
            ),
            "selinux" => (
                value.len() <= PATH_MAX && value.split(':').filter(|part| !part.is_empty()).count() >= 3,
                "an SELinux context is `user:role:type`, with a range behind it where the policy has them",
            ),
            _ => (value.len() <= PATH_MAX, "the name of a profile that is loaded: aa-status(8) lists them"),
        };
        if plain && fits {
            return Some(Located { value, place: text.place.clone() });
        }
        self.damage.add(key);
        self.error(codes::BAD_VALUE, &text.place, format!("`{key}` does not take `{}`", short(&value)), hint);
        None
    }

    pub(super) fn shares(&mut self, entries: &ShareEntries) -> Shares {
        let all = entries.all.clone().map(|entry| entry.map(stance));
        let mut one = |key, entry: &Option<Located<ShareEntry>>| self.share(key, entry.as_ref());
        Shares {
            all,
            user: one("share_user", &entries.user),
            cgroup: one("share_cgroup", &entries.cgroup),
            net: one("share_net", &entries.net),
            pid: one("share_pid", &entries.pid),
            ipc: one("share_ipc", &entries.ipc),
            time: one("share_time", &entries.time),
        }
    }

    pub(super) fn share(
        &mut self,
        key: &'static str,
        entry: Option<&Located<ShareEntry>>,
    ) -> Option<Located<Stance>> {
        let Located { value, place } = entry?;
        let stance = match value {
            ShareEntry::Switch(switch) => stance(*switch),
            ShareEntry::Join(path) => {
                let text = Located { value: path.clone(), place: place.clone() };
                Stance::Is(Share::Join(self.directory(key, Some(&text))?.value))
            }
        };
        Some(Located { value: stance, place: place.clone() })
    }

    pub(super) fn optional_text(&mut self, text: Option<&Located<String>>) -> Option<String> {
        self.text("a remark", text?)
    }
}
