//! What is probably meant by a text that is not YAML: the parser's findings in words for whoever writes the file, with
//! the place to look at and one hint.

use granit_parser::ErrorKind;

use crate::source::Mark;
use crate::walk::short;

/// A finding on the syntax of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Slip {
    pub message: String,
    pub hint: String,
    /// Where to look, when it is not where the parser stopped: columns from 0.
    pub at: Option<(Mark, usize)>,
}

impl Slip {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), at: None }
    }

    /// At the whole of a line, its indentation aside.
    fn on(self, line: &Line<'_>) -> Self {
        let mark = Mark { line: line.number, column: line.indentation };
        Self { at: Some((mark, line.text.chars().count())), ..self }
    }
}

/// A line with something on it.
struct Line<'t> {
    /// From 1.
    number: usize,
    /// Blanks before the text.
    indentation: usize,
    /// Without blanks at both ends.
    text: &'t str,
    /// Column of a tab in the indentation.
    tab: Option<usize>,
    /// Column of another blank in the indentation, and which.
    odd: Option<(usize, char)>,
}

impl<'t> Line<'t> {
    fn new(line: &'t str, number: usize) -> Self {
        let indentation = line.chars().take_while(|c| *c == ' ').count();
        let mut blanks = line.chars().take_while(|c| c.is_whitespace()).enumerate();
        let tab = blanks.clone().find(|(_, c)| *c == '\t').map(|(column, _)| column);
        let odd = blanks.find(|(_, c)| !matches!(c, ' ' | '\t'));
        Self { number, indentation, text: line.trim(), tab, odd }
    }

    /// The line of this number, and the nearest one above that holds more than a comment. One pass: hostile texts have
    /// a million lines.
    fn around(text: &'t str, number: usize) -> (Option<Self>, Option<Self>) {
        let mut above = None;
        for (index, line) in text.lines().take(number).enumerate() {
            if index + 1 == number {
                return (Some(Self::new(line, number)), above.map(|(line, number)| Self::new(line, number)));
            }
            let start = line.trim_start();
            if !start.is_empty() && !start.starts_with('#') {
                above = Some((line, index + 1));
            }
        }
        (None, above.map(|(line, number)| Self::new(line, number)))
    }

    /// `word:value`: a colon that no blank follows, behind a word at the start. The word, and what follows.
    fn glued(&self) -> Option<(&'t str, &'t str)> {
        let (word, rest) = self.text.trim_start_matches("- ").split_once(':')?;
        let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        (plain && !rest.is_empty() && !rest.starts_with([' ', '/'])).then_some((word, rest))
    }

    /// `-word`: a dash that no blank follows.
    fn dashed(&self) -> bool {
        let rest = self.text.strip_prefix('-');
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '{'))
    }
}

/// What is wrong with `text`, where the parser stopped at `mark`.
pub(crate) fn slip(kind: &ErrorKind, text: &str, mark: Mark) -> Slip {
    let (line, above) = Line::around(text, mark.line);
    match kind {
        ErrorKind::TabInBlockIndentation | ErrorKind::TabNotAllowed | ErrorKind::TabInIndentation => {
            let slip = Slip::new("a tab stands where only blanks may", "indent with blanks");
            match line.as_ref().and_then(|line| line.tab) {
                Some(column) => Slip { at: Some((Mark { column, ..mark }, 1)), ..slip },
                None => slip,
            }
        }
        _ if line.as_ref().is_some_and(|line| line.odd.is_some()) => odd_blank(line),
        ErrorKind::DirectiveDisallowed => {
            Slip::new("YAML directives are not supported", "remove the line that starts with `%`")
        }
        ErrorKind::MappingValueNotAllowed => value_in_value(line, above),
        ErrorKind::SimpleKeyExpected => missing_colon(line),
        ErrorKind::ExpectedBlockMappingKey => Slip::new(
            "the line does not stand below those that it belongs to",
            "indent it by as many blanks as the keys beside it",
        ),
        ErrorKind::ExpectedBlockSequenceEntry if line.as_ref().is_some_and(Line::dashed) => no_blank(line),
        ErrorKind::BlockEntryInFlowCollection => unclosed(above),
        ErrorKind::MisplacedFlowCollectionEnd => {
            Slip::new("this bracket closes nothing", "remove it, or open it further up")
        }
        ErrorKind::MissingAnchorOrAliasName => {
            Slip::new("a value cannot start with `*` or `&`", "put quotes around the value")
        }
        ErrorKind::CommentNotSeparated => Slip::new(
            "a blank is missing before the `#` of a comment",
            "write ` #`, or put the `#` in quotes",
        ),
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator
            if line.as_ref().is_some_and(|line| line.text.contains("${")) =>
        {
            Slip::new(
                "a `{` or `}` stands in a value between brackets",
                "put quotes around the value: `\"${NAME}/x\"`, or write `$NAME/x`",
            )
        }
        ErrorKind::ExpectedBlockSequenceEntry => Slip::new(
            "a `-` is expected here: the line stands below the `-` of an entry, and starts none",
            "indent it as the first key of the entry above, two blanks more than its `-`",
        ),
        ErrorKind::ExpectedFlowMappingSeparator => Slip::new(
            "a `,` or `}` is missing before this",
            "between `{` and `}` entries are separated with `, `",
        ),
        ErrorKind::ExpectedFlowSequenceSeparator => Slip::new(
            "a `,` or `]` is missing before this",
            "between `[` and `]` entries are separated with `, `",
        ),
        ErrorKind::UnclosedFlowCollection { open } => {
            Slip::new(format!("the `{open}` is not closed"), format!("close it with `{}`", closing(*open)))
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => Slip::new(
            format!("the `{open}` is closed by `{close}`"),
            format!("close it with `{}`", closing(*open)),
        ),
        ErrorKind::UnclosedQuotedScalar => {
            Slip::new("the quote is not closed", "put the same quote at the end of the value")
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar => Slip::new(
            "the quote ends before this",
            "a quote within single quotes is written twice: `'it''s'`",
        ),
        ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            Slip::new("the quote ends before this", "a quote within double quotes is written `\\\"`")
        }
        ErrorKind::UnknownQuotedScalarEscape => Slip::new(
            "the text in double quotes holds a backslash that YAML does not know",
            "put it in single quotes, where backslashes stand for themselves",
        ),
        ErrorKind::UnexpectedCharacter { character } => Slip::new(
            format!("a value cannot start with `{}`", character.escape_default()),
            "put quotes around the value",
        ),
        ErrorKind::UnknownAnchor => Slip::new(
            "a value that starts with `*` stands for another one, and there is none of this name",
            "put quotes around the value if the `*` belongs to it",
        ),
        kind => Slip::new(kind.to_string(), "look at the indentation, quotes and brackets here and above"),
    }
}

fn closing(open: char) -> char {
    if open == '{' { '}' } else { ']' }
}

/// `key: value` where a value stands already: most often something is missing further up.
fn value_in_value(line: Option<Line<'_>>, above: Option<Line<'_>>) -> Slip {
    if above.as_ref().is_some_and(Line::dashed) {
        return no_blank(above);
    }
    for line in [above.as_ref(), line.as_ref()].into_iter().flatten() {
        if let Some((word, rest)) = line.glued() {
            let hint = format!("write `{word}: {}`", short(rest));
            return Slip::new("a blank is missing behind the `:`", hint).on(line);
        }
    }
    if let Some(above) = above.as_ref().filter(|above| !above.text.contains(':')) {
        let word = above.text.split_whitespace().next().unwrap_or_default();
        let hint = format!("write `{}: …`", short(word.trim_start_matches('-')));
        return Slip::new("a `:` is missing in this line", hint).on(above);
    }
    let deeper = line.as_ref().zip(above.as_ref()).filter(|(line, above)| {
        let start = above.indentation + if above.text.starts_with("- ") { 2 } else { 0 };
        line.indentation > start && !above.text.ends_with(':')
    });
    match deeper {
        Some((line, _)) => Slip::new(
            "the line stands deeper than the line above, which has a value already",
            "indent both by as many blanks",
        )
        .on(line),
        None => Slip::new("the value holds `: `, as if it were a key", "put quotes around the value"),
    }
}

/// `-word`.
fn no_blank(line: Option<Line<'_>>) -> Slip {
    let text = line.as_ref().map_or("", |line| line.text.trim_start_matches('-'));
    let slip = Slip::new("a blank is missing behind the `-`", format!("write `- {}`", short(text)));
    match line {
        Some(line) => slip.on(&line),
        None => slip,
    }
}

/// A `-` between brackets: those of a line above are open.
fn unclosed(above: Option<Line<'_>>) -> Slip {
    let hint = "close it with `}` or `]`; a value with `{` in it is written in quotes";
    let slip = Slip::new("a `{` or `[` further up is not closed", hint);
    match above {
        Some(line) => slip.on(&line),
        None => slip,
    }
}

/// A blank that is none for YAML, and looks like one.
fn odd_blank(line: Option<Line<'_>>) -> Slip {
    let (number, column, odd) = line.map_or((1, 0, ' '), |line| {
        let (column, odd) = line.odd.unwrap_or_default();
        (line.number, column, odd)
    });
    let message =
        format!("U+{:04X} stands in the indentation: it looks like a blank and is none", u32::from(odd));
    Slip { at: Some((Mark { line: number, column }, 1)), ..Slip::new(message, "replace it by a blank") }
}

fn missing_colon(line: Option<Line<'_>>) -> Slip {
    let hint = match line.as_ref().map(|line| (line, line.glued())) {
        Some((_, Some((word, rest)))) => format!("write `{word}: {}`", short(rest)),
        _ => "a key is followed by a `:` and a blank: `key: value`".to_owned(),
    };
    let slip = Slip::new("this line is no `key: value`", hint);
    match line {
        Some(line) => slip.on(&line),
        None => slip,
    }
}

#[cfg(test)]
mod tests {
    use crate::{Layer, SourceText};

    /// Each of these is told with the line that it is in, and how to write it.
    #[test]
    fn what_people_write_is_answered_with_what_to_write() {
        for (text, line, message, hint) in [
            ("config:\n\tumask: 027\n", 2, "a tab", "indent with blanks"),
            ("config:\n  umask:027\n  chdir: /\n", 2, "behind the `:`", "write `umask: 027`"),
            ("config:\n  hostname my-host\n", 2, "behind `hostname`", "write `hostname: my-host`"),
            ("config:\n  chdir: /\n  hostname my-host\n", 3, "no `key: value`", "`key: value`"),
            ("config:\n  hostname: x\n umask: 027\n", 3, "does not stand below", "as many blanks"),
            ("config:\n  hostname: x\n    umask: 027\n", 3, "stands deeper", "as many blanks"),
            ("config:\n  hostname: \"x\n  umask: 027\n", 2, "not closed", "the same quote"),
            ("config:\n  hostname: 'it's'\n", 2, "ends before this", "`'it''s'`"),
            ("config:\n  hostname: @x\n", 2, "start with `@`", "quotes"),
            ("config:\n  hostname: a: b\n", 2, "holds `: `", "quotes"),
            ("config:\n  hostname: *x\n", 2, "stands for another", "quotes"),
            ("config: {hostname: x\n", 1, "the `{` is not closed", "`}`"),
            ("config: {hostname: [x}\n", 1, "the `[` is closed by `}`", "`]`"),
            ("exports:\n  - mount: /a\n  mode: Tmpfs\n", 3, "a `-` is expected", "two blanks more"),
            ("exports:\n  -mount: /a\n   mode: Tmpfs\n", 2, "behind the `-`", "`- mount: /a`"),
            ("exports:\n  - {mount: /a, mode Tmpfs}\n", 2, "unknown key `mode Tmpfs`", "`mode: Tmpfs`"),
            ("exports:\n  - {mount: /a mode: Tmpfs}\n", 2, "a `,` or `}` is missing", "separated"),
            ("environ:\n  - key: A\n    value: \"\\$ \"\n", 3, "backslash", "single quotes"),
            ("config = 3\n", 1, "no `key: value`", "`key: value`"),
            ("config:\n  chdir: /\n \u{a0}umask: 027\n", 3, "U+00A0", "blank"),
            ("config:\n\u{a0} umask: 027\n", 2, "unknown key", "U+00A0"),
            ("environ:\n  - key: A\n    value: a\n  -key: TZ\n", 4, "behind the `-`", "`- key: TZ`"),
            ("exports:\n- {mount: /a, mode: Tmpfs\n- {mount: /b, mode: Tmpfs}\n", 2, "not closed", "`}`"),
            ("exports:\n- {mount: ${X}/a, mode: Tmpfs}\n", 2, "in a value between brackets", "quotes"),
            ("config: {umask: 027}}\n", 1, "closes nothing", "remove"),
            ("config:\n  hostname: * x\n", 2, "start with `*`", "quotes"),
            ("config:\n  hostname: \"a\"#x\n", 2, "before the `#`", "` #`"),
        ] {
            let source = SourceText::new("f", format!("headers: {{alias: a}}\n{text}"));
            let (_, findings) = crate::parse(&source, Layer::Normal);
            let finding = findings.first().unwrap_or_else(|| panic!("nothing is wrong with {text:?}"));
            let place = finding.place.as_ref().map(|place| place.line);
            let said = finding.hint.clone().unwrap_or_default();
            assert!(finding.message.contains(message), "{text:?}: {}", finding.message);
            assert!(said.contains(hint), "{text:?}: {said}");
            assert_eq!(place, Some(line + 1), "{text:?}");
        }
    }
}
