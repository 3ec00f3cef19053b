//! YAML text to a small tree with spans, within budgets. What the schema does not need is refused here: tags,
//! merge keys, several documents, duplicate keys, directives, NUL.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError};
use redpak_diagnostics::{Finding, Place};

use crate::codes;
use crate::slips::{self, Slip};
use crate::source::{Lines, MAX_BYTES, Mark, Report, SourceText, Span, too_large};

/// Collections are nested at most this deep, aliases included.
pub const MAX_DEPTH: usize = 64;
/// Aliases expand to at most this many nodes.
pub const MAX_ALIAS_NODES: usize = 10_000;
/// A file holds at most this many nodes, aliases expanded. An honest file has a few hundred.
pub const MAX_NODES: usize = 20_000;

/// A node of the tree.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub data: Data,
    pub span: Span,
    weight: Weight,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// A scalar's text, and whether it stands without quotes.
    Scalar { text: Arc<str>, plain: bool },
    /// A sequence.
    Sequence(Vec<Node>),
    /// A mapping; keys are scalars, in the file's order, none twice.
    Mapping(Vec<(Node, Node)>),
}

#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Weight {
    fn over(parts: impl Iterator<Item = Weight>) -> Self {
        let mut sum = Weight { nodes: 1, bytes: 0, depth: 0 };
        for part in parts {
            sum.nodes += part.nodes;
            sum.bytes += part.bytes;
            sum.depth = sum.depth.max(part.depth);
        }
        sum.depth += 1;
        sum
    }
}

impl Node {
    fn scalar(text: Arc<str>, plain: bool, span: Span) -> Self {
        let weight = Weight { nodes: 1, bytes: text.len(), depth: 0 };
        Self { data: Data::Scalar { text, plain }, span, weight }
    }

    /// Nothing stands there: `key:` and no more.
    pub fn is_nothing(&self) -> bool {
        matches!(&self.data, Data::Scalar { text, plain: true } if text.is_empty())
    }

    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match &self.data {
            Data::Scalar { .. } if self.is_nothing() => "nothing",
            Data::Scalar { .. } => "a text",
            Data::Sequence(_) => "a sequence",
            Data::Mapping(_) => "a mapping",
        }
    }
}

/// A file being read: its lines and what was found so far.
pub(crate) struct Reader<'a> {
    lines: Lines<'a>,
    pub report: Report,
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a SourceText) -> Self {
        Self { lines: Lines::new(source), report: Report::default() }
    }

    pub fn place(&self, span: Span) -> Place {
        self.lines.place(span)
    }

    pub fn error(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let lines = &self.lines;
        self.report.error(|| Finding::error(code, message).with_place(lines.place(span)).with_hint(hint));
    }

    /// Reads the text. `None` when it cannot be read on; what is wrong but does not stop the reading is reported,
    /// and the tree is then what is left without it.
    pub fn tree(&mut self, source: &SourceText) -> Option<Node> {
        if source.text.len() > MAX_BYTES {
            self.report.push(too_large(Arc::clone(&source.file)));
            return None;
        }
        let mut builder = Builder {
            reader: self,
            open: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            spent: Spent::default(),
        };
        builder.read(&source.text).then_some(())?;
        let root = builder.root.take();
        Some(root.unwrap_or_else(|| Node {
            data: Data::Mapping(Vec::new()),
            span: Span::default(),
            weight: Weight::default(),
        }))
    }
}

/// A collection whose end has not been seen.
struct Open {
    items: Vec<Node>,
    mapping: bool,
    anchor: usize,
    start: Span,
}

#[derive(Default)]
struct Spent {
    nodes: usize,
    alias_nodes: usize,
    alias_bytes: usize,
    documents: usize,
}

struct Builder<'r, 'a> {
    reader: &'r mut Reader<'a>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    spent: Spent,
}

impl Builder<'_, '_> {
    /// Whether the text was read to its end.
    fn read(&mut self, text: &str) -> bool {
        // A raw NUL ends the parser's input: it would read what stands before, and nothing behind.
        if let Some(at) = text.find('\0') {
            self.nul(at);
            return false;
        }
        let mut options = Options::default();
        options.disallow_directives = true;
        options.flow_nesting_limit = MAX_DEPTH;
        options.block_nesting_limit = MAX_DEPTH;
        options.set_emit_comments(false);
        for event in Parser::new_from_str_with_options(text, options) {
            let more = match event {
                Ok((event, span)) => {
                    self.tag(span.tag_span());
                    self.event(event, own_span(span))
                }
                Err(error) => {
                    self.syntax(&error);
                    false
                }
            };
            if !more {
                return false;
            }
        }
        true
    }

    /// Takes one event; `false` ends the reading.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        match event {
            Event::DocumentStart(..) => {
                self.spent.documents += 1;
                if self.spent.documents > 1 {
                    self.reader.error(
                        codes::SEVERAL_DOCUMENTS,
                        span,
                        "a second document starts here",
                        "keep one document in the file",
                    );
                    return false;
                }
                true
            }
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                // Where nothing stands, the parser says `~`.
                let text: Arc<str> = if plain && span.start == span.end { "".into() } else { text.into() };
                if text.contains('\0') {
                    self.reader.error(codes::NUL, span, "the text holds a NUL character", "remove the `\\0`");
                }
                self.add(Node::scalar(text, plain, span), anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.start(false, anchor, span),
            Event::MappingStart(_, anchor, _) => self.start(true, anchor, span),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(id) => self.alias(id, span),
            _ => true,
        }
    }

    fn start(&mut self, mapping: bool, anchor: usize, start: Span) -> bool {
        self.open.push(Open { items: Vec::new(), mapping, anchor, start });
        self.depth(self.open.len(), start)
    }

    fn end(&mut self) -> bool {
        let Some(open) = self.open.pop() else { return true };
        let weight = Weight::over(open.items.iter().map(|node| node.weight));
        let data =
            if open.mapping { Data::Mapping(self.pairs(open.items)) } else { Data::Sequence(open.items) };
        self.add(Node { data, span: open.start, weight }, open.anchor)
    }

    fn add(&mut self, node: Node, anchor: usize) -> bool {
        let span = node.span;
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            Some(open) => open.items.push(node),
            None => self.root = Some(node),
        }
        self.spent.nodes += 1;
        let within = self.spent.nodes + self.spent.alias_nodes <= MAX_NODES;
        if !within {
            let message = format!("the file holds more than {MAX_NODES} nodes");
            self.reader.error(
                codes::TOO_MANY_NODES,
                span,
                message,
                "split the node's configuration over child nodes",
            );
        }
        within
    }

    fn alias(&mut self, id: usize, span: Span) -> bool {
        let Some(weight) = self.anchors.get(&id).map(|node| node.weight) else {
            self.reader.error(
                codes::TOO_MANY_NODES,
                span,
                "the alias stands inside of what it names",
                "write it out",
            );
            return false;
        };
        self.spent.alias_nodes += weight.nodes;
        self.spent.alias_bytes += weight.bytes;
        if self.spent.alias_nodes > MAX_ALIAS_NODES || self.spent.alias_bytes > MAX_BYTES {
            let message = format!("aliases expand to more than {MAX_ALIAS_NODES} nodes, or 1 MiB of text");
            self.reader.error(codes::TOO_MANY_NODES, span, message, "write the values out");
            return false;
        }
        if !self.depth(self.open.len() + weight.depth, span) {
            return false;
        }
        match self.anchors.get(&id).cloned() {
            Some(node) => self.add(node, 0),
            None => false,
        }
    }

    fn depth(&mut self, depth: usize, span: Span) -> bool {
        if depth > MAX_DEPTH {
            let message = format!("collections are nested deeper than {MAX_DEPTH} levels");
            self.reader.error(codes::TOO_DEEP, span, message, "no key needs more than a few levels");
        }
        depth <= MAX_DEPTH
    }

    /// Key, value, key, value: to pairs, without those whose key cannot be one.
    fn pairs(&mut self, items: Vec<Node>) -> Vec<(Node, Node)> {
        let mut pairs = Vec::with_capacity(items.len() / 2);
        let mut seen: HashMap<String, Span> = HashMap::new();
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            let Data::Scalar { text, plain } = &key.data else {
                self.reader.error(
                    codes::COMPLEX_KEY,
                    key.span,
                    format!("a key is {}", key.kind()),
                    "keys are plain words",
                );
                continue;
            };
            if *plain && &**text == "<<" {
                self.reader.error(
                    codes::MERGE_KEY,
                    key.span,
                    "merge keys are not supported",
                    "write the keys out",
                );
                continue;
            }
            if let Some(first) = seen.get(&text.to_lowercase()) {
                let lines = &self.reader.lines;
                self.reader.report.error(|| {
                    Finding::error(codes::DUPLICATE_KEY, format!("key `{text}` stands twice"))
                        .with_place(lines.place(key.span))
                        .with_related("it stands here first", lines.place(*first))
                        .with_hint("keep one of them; keys are the same in upper and lower case")
                });
                continue;
            }
            seen.insert(text.to_lowercase(), key.span);
            pairs.push((key, value));
        }
        pairs
    }

    fn tag(&mut self, tag: Option<granit_parser::Span>) {
        if let Some(span) = tag {
            let message = "YAML tags are not supported";
            self.reader.error(codes::TAG, own_span(span), message, "remove the word that starts with `!`");
        }
    }

    fn nul(&mut self, at: usize) {
        let mark = self.reader.lines.mark(at);
        self.reader.error(
            codes::NUL,
            Span { start: mark, end: mark },
            "the text holds a NUL character",
            "remove it",
        );
    }

    fn syntax(&mut self, error: &ScanError) {
        let mark = Mark { line: error.marker().line(), column: error.marker().col() };
        let span = Span { start: mark, end: mark };
        if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            self.depth(MAX_DEPTH + 1, span);
            return;
        }
        let Slip { message, hint, at } = slips::slip(error.kind(), self.reader.lines.text(), mark);
        let span = at.map_or(span, |(start, length)| Span {
            start,
            end: Mark { column: start.column + length, ..start },
        });
        self.reader.error(codes::SYNTAX, span, message, hint);
    }
}

fn own_span(span: granit_parser::Span) -> Span {
    let mark = |mark: granit_parser::Marker| Mark { line: mark.line(), column: mark.col() };
    Span { start: mark(span.start), end: mark(span.end) }
}
