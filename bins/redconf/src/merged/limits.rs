//! Control groups, filters, Landlock rules and resource limits: those of all nodes apply together, and a file can say
//! one of each. The leaf's stand as values, its ancestors' as comments that are never left out.

use redpak_model::effective::{CallAction, Landlock, Rlimit, Seccomp, Sourced};

use super::Writer;
use super::sheet::scalar;

fn action(action: CallAction) -> (&'static str, Option<u16>) {
    match action {
        CallAction::Allow => ("allow", None),
        CallAction::Log => ("log", None),
        CallAction::Errno(number) => ("errno", Some(number)),
        CallAction::Kill => ("kill", None),
    }
}

/// One limit, `max` for none.
fn limit(limit: Option<u64>) -> String {
    limit.map_or("max".to_owned(), |limit| limit.to_string())
}

/// A number as it stands, any other text as a scalar.
fn number(text: &str) -> String {
    if text.parse::<u64>().is_ok_and(|number| number.to_string() == text) {
        return text.to_owned();
    }
    scalar(text)
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

impl Writer<'_> {
    /// Lines of a section of one node: as they are for the leaf, as comments for the others.
    fn of_node(&mut self, own: bool, lines: Vec<(String, String)>) {
        for (text, comment) in lines {
            if own {
                self.sheet.line(text, comment);
            } else {
                self.sheet.must_note(2, format!("{text}  {comment}").trim_end());
            }
        }
    }

    fn together(&mut self, node: usize) {
        let alias = self.effective.nodes.get(node).map_or("?", |node| node.alias.as_str());
        let text = format!("of {alias}, in force too:");
        self.sheet.must_note(2, &text);
    }

    pub(super) fn cgroups(&mut self) {
        let all = &self.effective.settings.cgroups;
        for (index, limits) in all.iter().enumerate() {
            let own = index + 1 == all.len();
            if !own {
                self.together(limits.node);
            }
            let mut lines = vec![("  cgroups:".to_owned(), String::new())];
            let mut section = "";
            for (file, set) in &limits.files {
                let (controller, rest) = file.split_once('.').unwrap_or((file, ""));
                let key = if controller == "memory" { "mem" } else { controller };
                if key != section {
                    lines.push((format!("    {key}:"), String::new()));
                    section = key;
                }
                let text = format!("      {}: {}", rest.replace('.', "_"), number(&set.value));
                lines.push((text, self.at(&set.origin)));
            }
            self.of_node(own, lines);
        }
    }

    pub(super) fn seccomp(&mut self) {
        let all = &self.effective.settings.seccomp;
        for (index, filter) in all.iter().enumerate() {
            let own = index + 1 == all.len();
            if !own {
                self.together(filter.origin.node);
            }
            let lines = self.filter(filter);
            self.of_node(own, lines);
        }
    }

    fn filter(&self, filter: &Sourced<Seccomp>) -> Vec<(String, String)> {
        let Seccomp { default, rules } = &filter.value;
        let error =
            |number: Option<u16>| number.and_then(redpak_model::error_numbers::name).map(str::to_owned);
        let (word, number) = action(*default);
        let mut lines = vec![("  seccomp:".to_owned(), self.at(&filter.origin))];
        lines.push((format!("    default: {word}"), String::new()));
        if let Some(name) = error(number) {
            lines.push((format!("    errno: {name}"), String::new()));
        }
        if !rules.is_empty() {
            lines.push(("    rules:".to_owned(), String::new()));
        }
        for rule in rules {
            let (word, number) = action(rule.action);
            let errno = error(number).map_or(String::new(), |name| format!(", errno: {name}"));
            let calls = list(rule.calls.iter().map(|call| scalar(call)));
            lines.push((format!("      - {{action: {word}{errno}, calls: {calls}}}"), String::new()));
        }
        lines
    }

    pub(super) fn landlock(&mut self) {
        let all = &self.effective.settings.landlock;
        for (index, rules) in all.iter().enumerate() {
            let own = index + 1 == all.len();
            if !own {
                self.together(rules.origin.node);
            }
            let lines = self.rules(rules);
            self.of_node(own, lines);
        }
    }

    fn rules(&self, rules: &Sourced<Landlock>) -> Vec<(String, String)> {
        let Landlock { abi, files, tcp_bind, tcp_connect, abstract_sockets, signals } = &rules.value;
        let switch = |on: bool| if on { "enabled" } else { "disabled" }.to_owned();
        let ports =
            |ports: &Option<Vec<u16>>| ports.as_ref().map(|ports| list(ports.iter().map(u16::to_string)));
        let mut lines = vec![("  landlock:".to_owned(), self.at(&rules.origin))];
        for (key, value) in [
            ("abi", abi.map(|abi| abi.to_string())),
            ("files", Some(switch(*files))),
            ("tcp-bind", ports(tcp_bind)),
            ("tcp-connect", ports(tcp_connect)),
            ("abstract-sockets", Some(switch(*abstract_sockets))),
            ("signals", Some(switch(*signals))),
        ] {
            if let Some(value) = value {
                lines.push((format!("    {key}: {value}"), String::new()));
            }
        }
        lines
    }

    pub(super) fn rlimits(&mut self) {
        let limits = &self.effective.settings.rlimits;
        if limits.is_empty() {
            return;
        }
        self.sheet.line("  rlimits:", "");
        for (name, set) in limits {
            let show = |value: &Rlimit| match (limit(value.soft), limit(value.hard)) {
                (soft, hard) if soft == hard => soft,
                (soft, hard) => format!("\"{soft}:{hard}\""),
            };
            self.line(4, &format!("{name}: "), set, show);
        }
    }
}
