//! The tree as a picture: boxes from left to right, one column a level, leaves below each other.

use std::fmt::Write;

use super::{Shown, State, lines};

/// Width of a box, in pixels.
const WIDTH: usize = 264;
/// Between two columns.
const GAP: usize = 48;
/// Between two boxes of a column.
const SPACE: usize = 14;
/// Height of a line of text.
const LINE: usize = 16;
/// Around the text of a box.
const PAD: usize = 10;
/// Around the picture.
const MARGIN: usize = 16;
/// Widths of a character, in hundredths of a pixel: bold 13 and plain 11.
const BOLD: usize = 820;
const PLAIN: usize = 620;

/// A box with its place.
struct Placed {
    index: usize,
    level: usize,
    /// Upper edge.
    y: usize,
    text: Vec<String>,
    /// Positions in the list of boxes.
    children: Vec<usize>,
}

impl Placed {
    fn x(&self) -> usize {
        MARGIN + self.level * (WIDTH + GAP)
    }

    fn height(&self) -> usize {
        2 * PAD + LINE * (self.text.len() + 1)
    }

    fn middle(&self) -> usize {
        self.y + self.height() / 2
    }
}

pub fn render(shown: &[Shown], top: usize) -> String {
    let mut boxes = Vec::new();
    let mut next = MARGIN;
    place(shown, top, 0, &mut next, &mut boxes);
    let levels = boxes.iter().map(|placed| placed.level + 1).max().unwrap_or(1);
    let (width, height) = (2 * MARGIN + levels * WIDTH + (levels - 1) * GAP, next - SPACE + MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" \
         font-size=\"11\">\n<title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        escaped(&format!("the family of {}", shown[top].alias))
    );
    for placed in &boxes {
        edges(placed, &boxes, &mut out);
    }
    for placed in &boxes {
        draw(&shown[placed.index], placed, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// Gives a node and those below it their places; `next` is where the next box that has none below it goes.
fn place(shown: &[Shown], index: usize, level: usize, next: &mut usize, boxes: &mut Vec<Placed>) -> usize {
    let position = boxes.len();
    let text = wrapped(&shown[index]);
    boxes.push(Placed { index, level, y: *next, text, children: Vec::new() });
    let start = *next;
    let children: Vec<usize> =
        shown[index].children.iter().map(|child| place(shown, *child, level + 1, next, boxes)).collect();
    let height = boxes[position].height();
    if let (Some(first), Some(last)) = (children.first(), children.last()) {
        let middle = usize::midpoint(boxes[*first].middle(), boxes[*last].middle());
        boxes[position].y = middle.saturating_sub(height / 2).max(start);
    }
    *next = (*next).max(boxes[position].y + height + SPACE);
    boxes[position].children = children;
    position
}

/// One bent line for each child, which share the way down.
fn edges(parent: &Placed, boxes: &[Placed], out: &mut String) {
    let (x, y) = (parent.x() + WIDTH, parent.middle());
    let bend = x + GAP / 2;
    for child in parent.children.iter().map(|child| &boxes[*child]) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "<path d=\"M{x} {y}H{bend}V{}H{}\" fill=\"none\" stroke=\"#555555\"/>",
            child.middle(),
            child.x()
        );
    }
}

fn draw(node: &Shown, placed: &Placed, out: &mut String) {
    let (x, y, height) = (placed.x(), placed.y, placed.height());
    let (fill, stroke, more) = match node.state {
        State::Enabled => ("#ffffff", "#1f4e79", ""),
        State::Disabled => ("#f2f2f2", "#777777", " stroke-dasharray=\"5 3\""),
        State::Moved => ("#fff4e0", "#b26a00", ""),
        State::Broken => ("#fdecee", "#b00020", " stroke-width=\"2\""),
    };
    let _ = writeln!(
        out,
        "<g>\n<rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{height}\" rx=\"4\" fill=\"{fill}\" \
         stroke=\"{stroke}\"{more}/>"
    );
    let (left, right, first) = (x + PAD, x + WIDTH - PAD, y + PAD + 12);
    let state = node.state.word();
    let room = WIDTH - 3 * PAD - (state.len() * PLAIN).div_ceil(100);
    let _ = writeln!(
        out,
        "<text x=\"{left}\" y=\"{first}\" font-size=\"13\" font-weight=\"bold\" fill=\"#111111\">{}</text>\n\
         <text x=\"{right}\" y=\"{first}\" text-anchor=\"end\" fill=\"{stroke}\">{state}</text>",
        escaped(&cut(&node.alias, room, BOLD))
    );
    for (number, line) in placed.text.iter().enumerate() {
        let y = first + LINE * (number + 1);
        let _ = writeln!(out, "<text x=\"{left}\" y=\"{y}\" fill=\"#333333\">{}</text>", escaped(line));
    }
    out.push_str("</g>\n");
}

/// The lines of a box. A reason may take three, the others one each.
fn wrapped(node: &Shown) -> Vec<String> {
    const REASON: usize = 3;
    let room = WIDTH - 2 * PAD;
    let mut lines = lines(node);
    let reason = if node.reason.is_some() { lines.pop() } else { None };
    let mut out: Vec<String> = lines.iter().map(|line| cut(line, room, PLAIN)).collect();
    let mut rest = reason.unwrap_or_default();
    for number in 0..REASON {
        if rest.is_empty() {
            break;
        }
        let fits = rest.chars().count().min(room * 100 / PLAIN);
        if number + 1 == REASON || cut(&rest, room, PLAIN) == rest {
            out.push(cut(&rest, room, PLAIN));
            break;
        }
        let end = rest.char_indices().nth(fits).map_or(rest.len(), |(end, _)| end);
        let end = rest[..end].rfind(' ').filter(|blank| *blank > 0).unwrap_or(end);
        out.push(cut(&rest[..end], room, PLAIN));
        rest = rest[end..].trim_start().to_owned();
    }
    out
}

/// A text that fits, cut where it does not. Characters beyond Latin count twice.
fn cut(text: &str, room: usize, width: usize) -> String {
    let of = |c: char| if u32::from(c) < 0x1100 { width } else { 2 * width };
    if text.chars().map(of).sum::<usize>() <= room * 100 {
        return text.to_owned();
    }
    let mut used = width;
    let kept: String = text
        .chars()
        .take_while(|c| {
            used += of(*c);
            used <= room * 100
        })
        .collect();
    format!("{kept}…")
}

/// Text of an XML document (XML 1.0, 2.2 and 2.4): what it cannot hold is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}') => {
                out.push('\u{fffd}');
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(escaped("<a b=\"&\">\u{1b}\n"), "&lt;a b=&quot;&amp;&quot;&gt;\u{fffd}\u{fffd}");
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        assert_eq!(cut("abc", 100, 600), "abc");
        assert_eq!(cut(&"x".repeat(100), 60, 600), format!("{}…", "x".repeat(9)));
    }
}
