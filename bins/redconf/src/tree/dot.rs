//! The tree in the language of Graphviz.

use std::fmt::Write;

use redpak_diagnostics::render::printable;

use super::{Shown, State, lines};

pub fn render(shown: &[Shown], top: usize) -> String {
    let mut out = String::from(
        "digraph family {\n  rankdir=LR;\n  node [shape=box, style=\"filled\", fillcolor=\"#ffffff\", \
         fontname=\"Helvetica\", fontsize=11];\n  edge [arrowhead=none, color=\"#555555\"];\n",
    );
    below(shown, top, &mut out);
    out.push_str("}\n");
    out
}

fn below(shown: &[Shown], index: usize, out: &mut String) {
    let node = &shown[index];
    let mut label = quoted(&format!("{} ({})", node.alias, node.state.word()));
    for line in lines(node) {
        label.push_str("\\l");
        label.push_str(&quoted(&line));
    }
    let style = match node.state {
        State::Enabled => "color=\"#1f4e79\"",
        State::Disabled => "color=\"#777777\", fontcolor=\"#555555\", style=\"filled,dashed\"",
        State::Moved => "color=\"#b26a00\", fillcolor=\"#fff4e0\"",
        State::Broken => "color=\"#b00020\", fillcolor=\"#fdecee\", penwidth=2",
    };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "  n{index} [label=\"{label}\\l\", {style}];");
    for child in &node.children {
        below(shown, *child, out);
        let _ = writeln!(out, "  n{index} -> n{child};");
    }
}

/// For a double-quoted string of the language, in which a backslash begins an escape.
fn quoted(text: &str) -> String {
    printable(text).replace('\\', "\\\\").replace('"', "\\\"")
}
