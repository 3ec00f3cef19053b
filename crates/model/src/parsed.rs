//! Files that were parsed for one family, kept for the next: the families of a tree share their ancestors, and parsing
//! is most of the work of judging one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use redpak_diagnostics::Finding;

use crate::effective::Layer;
use crate::parse::{self, Draft};
use crate::source::SourceText;

/// What was parsed.
#[derive(Debug, Default)]
pub struct ParsedFiles {
    files: RefCell<HashMap<(Arc<str>, Layer), Known>>,
}

/// With the text that it was parsed from: a name alone says nothing.
type Known = (String, Parsed);
/// What is sound of a file, and what is found in it.
type Parsed = (Draft, Vec<Finding>);

impl ParsedFiles {
    /// Parses a file, or takes what it was parsed to before.
    pub(crate) fn draft(&self, source: &SourceText, layer: Layer) -> Parsed {
        let key = (Arc::clone(&source.file), layer);
        if let Some((text, known)) = self.files.borrow().get(&key)
            && *text == source.text
        {
            return known.clone();
        }
        let parsed = parse::draft(source, layer);
        self.files.borrow_mut().insert(key, (source.text.clone(), parsed.clone()));
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_text() {
        let parsed = ParsedFiles::default();
        for alias in ["a", "b", "a", "b"] {
            let source = SourceText::new("f", format!("headers: {{alias: {alias}}}\n"));
            for _ in 0..2 {
                let (draft, findings) = parsed.draft(&source, Layer::Normal);
                assert_eq!((draft.config.headers.alias.value.as_str(), findings.len()), (alias, 0));
            }
        }
    }
}
