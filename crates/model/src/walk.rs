//! From the tree to checked fields, by the tables of [`crate::schema`]: unknown, missing and unsupported keys, and
//! values that their key does not take, are found here, all of them.

use redpak_diagnostics::{Finding, Place};

use crate::capability::Capability;
use crate::codes;
use crate::config::{ExportMode, Located, ShareEntry, Switch, VariableMode};
use crate::effective::Rlimit;
use crate::scalar::{self, Refused};
use crate::schema::{self, Key, Kind, Support, nearest};
use crate::source::Span;
use crate::tree::{Data, Node, Reader};

/// More keys than this are not listed in a hint.
const MANY: usize = 10;

/// A checked value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    Switch(Switch),
    Size(u64),
    Word(usize),
    Capability(Capability),
    VariableMode(VariableMode),
    ExportMode(ExportMode),
    Rlimit(Rlimit),
    Errno(u16),
    Texts(Vec<Located<String>>),
    Integers(Vec<Located<i64>>),
    Section(Fields),
    Entries(Vec<Fields>),
}

/// The fields of one mapping. A field whose value was refused has a key and no value.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub place: Place,
    fields: Vec<Field>,
    /// Keys in which something was refused: what their values are meant to be is not known.
    damaged: Vec<&'static str>,
}

#[derive(Clone, Debug)]
struct Field {
    name: &'static str,
    key: Place,
    value: Option<Located<Value>>,
}

impl Fields {
    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Where a key stands, whatever its value.
    pub fn key_place(&self, name: &str) -> Option<Place> {
        self.field(name).map(|field| field.key.clone())
    }

    /// A value, when it is there and `pick` takes it.
    pub fn get<T>(&self, name: &str, pick: impl FnOnce(&Value) -> Option<T>) -> Option<Located<T>> {
        let located = self.field(name)?.value.as_ref()?;
        Some(Located { value: pick(&located.value)?, place: located.place.clone() })
    }

    pub fn text(&self, name: &str) -> Option<Located<String>> {
        self.get(name, |value| if let Value::Text(text) = value { Some(text.clone()) } else { None })
    }

    pub fn integer(&self, name: &str) -> Option<Located<i64>> {
        self.get(name, |value| if let Value::Integer(number) = value { Some(*number) } else { None })
    }

    pub fn boolean(&self, name: &str) -> Option<Located<bool>> {
        self.get(name, |value| if let Value::Boolean(boolean) = value { Some(*boolean) } else { None })
    }

    pub fn switch(&self, name: &str) -> Option<Located<Switch>> {
        self.get(name, |value| if let Value::Switch(switch) = value { Some(*switch) } else { None })
    }

    pub fn share(&self, name: &str) -> Option<Located<ShareEntry>> {
        self.get(name, |value| match value {
            Value::Switch(switch) => Some(ShareEntry::Switch(*switch)),
            Value::Text(path) => Some(ShareEntry::Join(path.clone())),
            _ => None,
        })
    }

    pub fn word(&self, name: &str) -> Option<Located<usize>> {
        self.get(name, |value| if let Value::Word(index) = value { Some(*index) } else { None })
    }

    pub fn texts(&self, name: &str) -> Vec<Located<String>> {
        match self.field(name).and_then(|field| field.value.as_ref()) {
            Some(Located { value: Value::Texts(texts), .. }) => texts.clone(),
            _ => Vec::new(),
        }
    }

    pub fn integers(&self, name: &str) -> Option<Vec<i64>> {
        match self.field(name).and_then(|field| field.value.as_ref()) {
            Some(Located { value: Value::Integers(numbers), .. }) => {
                Some(numbers.iter().map(|number| number.value).collect())
            }
            _ => None,
        }
    }

    /// Keys in which something was refused.
    pub fn damaged(&self) -> &[&'static str] {
        &self.damaged
    }

    pub fn section(&self, name: &str) -> Option<&Fields> {
        match self.field(name)?.value.as_ref() {
            Some(Located { value: Value::Section(fields), .. }) => Some(fields),
            _ => None,
        }
    }

    pub fn entries(&self, name: &str) -> &[Fields] {
        match self.field(name).and_then(|field| field.value.as_ref()) {
            Some(Located { value: Value::Entries(entries), .. }) => entries,
            _ => &[],
        }
    }
}

impl Reader<'_> {
    /// Checks a mapping; `at` is where to point when a key is missing, `what` names it.
    pub fn section(&mut self, node: &Node, at: Span, keys: &'static [Key], what: &str) -> Fields {
        let mut fields = Fields { place: self.place(at), fields: Vec::new(), damaged: Vec::new() };
        match &node.data {
            Data::Mapping(pairs) => {
                for (name, value) in pairs {
                    let before = self.report.errors();
                    let (key, meant) = self.known_key(name, keys, what);
                    fields.fields.extend(key.and_then(|key| self.field(key, name, value)));
                    let damaged = key.map(|key| key.name).or(meant);
                    fields.damaged.extend(damaged.filter(|_| self.report.errors() > before));
                }
            }
            _ if node.is_nothing() => {}
            _ => {
                self.no_mapping(node, keys, what);
                fields.damaged.extend(keys.iter().map(|key| key.name));
            }
        }
        // A key that is meant by a misspelt one is not missing.
        let there = |key: &&Key| fields.field(key.name).is_some() || fields.damaged.contains(&key.name);
        for key in keys.iter().filter(|key| key.mandatory && !there(key)) {
            if matches!(node.data, Data::Mapping(_)) || node.is_nothing() {
                self.error(
                    codes::MISSING_KEY,
                    at,
                    format!("{what} has no `{}`", key.name),
                    match key.name {
                        "headers" => "add `headers: {alias: NAME}`".to_owned(),
                        name => format!("add `{name}: …`"),
                    },
                );
            }
        }
        fields
    }

    /// The key of that name, else the name of the one that is probably meant.
    fn known_key(
        &mut self,
        name: &Node,
        keys: &'static [Key],
        what: &str,
    ) -> (Option<&'static Key>, Option<&'static str>) {
        let Data::Scalar { text, .. } = &name.data else { return (None, None) };
        let found = keys.iter().find(|key| key.name.eq_ignore_ascii_case(text));
        let mut meant = None;
        if found.is_none() {
            let place = self.place(name.span);
            // `mode Tmpfs`: the key is followed by its value.
            let (word, rest) = text.split_once([' ', '=', ':']).unwrap_or((text, ""));
            let glued = keys.iter().find(|key| key.name.eq_ignore_ascii_case(word)).map(|key| key.name);
            meant = glued.or_else(|| nearest(text, keys.iter().map(|key| key.name)));
            self.report.error(|| {
                let odd = text.chars().next().filter(|first| first.is_whitespace());
                let hint = match meant {
                    _ if odd.is_some() => {
                        let odd = odd.map_or(0, u32::from);
                        format!("it starts with U+{odd:04X}, which looks like a blank and is none")
                    }
                    Some(key) if glued.is_some() => format!("did you mean `{key}: {}`?", short(rest.trim())),
                    Some(near) => format!("did you mean `{near}`?"),
                    None => match schema::home(text) {
                        Some((key, home)) => format!("`{key}` is a key of {home}: write it there"),
                        None if keys.len() > MANY => {
                            "`redconf explain RP0110` says where the keys are listed".to_owned()
                        }
                        None => format!("the keys here are {}", listed(keys.iter().map(|key| key.name))),
                    },
                };
                let message = format!("unknown key `{}` in {what}", short(text));
                Finding::error(codes::UNKNOWN_KEY, message).with_place(place).with_hint(hint)
            });
        }
        (found, meant)
    }

    fn field(&mut self, key: &'static Key, name: &Node, node: &Node) -> Option<Field> {
        let at = self.place(name.span);
        if key.support == Support::Ignored {
            let finding = Finding::warning(codes::KEY_IGNORED, format!("`{}` has no effect", key.name));
            self.report.push(finding.with_place(at).with_hint("remove it"));
            return None;
        }
        let value = self.value(key, name.span, node);
        let place = if node.is_nothing() { at.clone() } else { self.place(node.span) };
        Some(Field { name: key.name, key: at, value: value.map(|value| Located { value, place }) })
    }

    fn value(&mut self, key: &'static Key, at: Span, node: &Node) -> Option<Value> {
        let what = format!("`{}`", key.name);
        match key.kind {
            Kind::Section(keys) => Some(Value::Section(self.section(node, at, keys, &what))),
            Kind::Entries(keys) => {
                let items = self.items(node, &what)?;
                let entry = format!("an entry of {what}");
                Some(Value::Entries(items.iter().filter_map(|item| self.entry(item, keys, &entry)).collect()))
            }
            Kind::Texts | Kind::Calls => {
                let items = self.items(node, &what)?;
                let texts = items.iter().filter_map(|item| self.text_item(key, item)).collect();
                Some(Value::Texts(texts))
            }
            Kind::Ports => {
                let items = self.items(node, &what)?;
                let numbers = items.iter().filter_map(|item| match self.scalar(key, item.span, item)? {
                    Value::Integer(value) => Some(Located { value, place: self.place(item.span) }),
                    _ => None,
                });
                Some(Value::Integers(numbers.collect()))
            }
            _ => self.scalar(key, at, node),
        }
    }

    fn items<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        match &node.data {
            Data::Sequence(items) => Some(items),
            _ if node.is_nothing() => Some(&[]),
            _ => {
                self.wrong_type(node, what, "a sequence: lines that start with `-`");
                None
            }
        }
    }

    fn entry(&mut self, item: &Node, keys: &'static [Key], what: &str) -> Option<Fields> {
        if matches!(item.data, Data::Mapping(_)) {
            return Some(self.section(item, item.span, keys, what));
        }
        self.wrong_type(item, what, "a mapping: `key: value` lines");
        None
    }

    fn text_item(&mut self, key: &'static Key, item: &Node) -> Option<Located<String>> {
        match self.scalar(key, item.span, item) {
            Some(Value::Text(value)) => Some(Located { value, place: self.place(item.span) }),
            _ => None,
        }
    }

    fn scalar(&mut self, key: &'static Key, at: Span, node: &Node) -> Option<Value> {
        let Data::Scalar { text, .. } = &node.data else {
            self.wrong_type(node, &format!("`{}`", key.name), "one value");
            return None;
        };
        let at = if node.is_nothing() { at } else { node.span };
        match scalar::read(key.kind, text) {
            Ok(value) => Some(value),
            Err(Refused { code, message, hint }) => {
                self.error(code, at, format!("`{}` {message}", key.name), hint);
                None
            }
        }
    }

    /// Text where lines of `key: value` are wanted: often the `:` is missing.
    fn no_mapping(&mut self, node: &Node, keys: &'static [Key], what: &str) {
        if let Data::Scalar { text, .. } = &node.data {
            let (word, rest) = text.split_once([' ', '=', ':']).unwrap_or((text, ""));
            let key = keys.iter().find(|key| key.name.eq_ignore_ascii_case(word));
            if let Some(key) = key {
                let message = format!("{what} is a text: a `: ` is missing behind `{}`", key.name);
                let hint = format!("write `{}: {}`", key.name, short(rest.trim()));
                self.error(codes::WRONG_TYPE, node.span, message, hint);
                return;
            }
        }
        self.wrong_type(node, what, "a mapping: `key: value` lines");
    }

    fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str) {
        self.error(
            codes::WRONG_TYPE,
            node.span,
            format!("{what} is {}", node.kind()),
            format!("it takes {wanted}"),
        );
    }
}

/// Words for a hint: `a`, `b`, `c`.
pub(crate) fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// A word of the file for a message: not more of it than helps.
pub(crate) fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
