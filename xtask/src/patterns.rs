//! Regular expressions of the JSON Schemas (ECMA-262, which editors use). Case of letters is of no meaning in the
//! configuration language, and JSON Schema has no way to say so but by patterns.

/// A pattern for a word in any case, not anchored: `[uU][mM]…`.
pub fn any_case(word: &str) -> String {
    word.chars()
        .map(|c| match c {
            c if c.is_ascii_alphabetic() => format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase()),
            c => c.to_string(),
        })
        .collect()
}

/// A pattern for a whole text that is one of the words, in any case.
pub fn one_of<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.into_iter().map(any_case).collect();
    format!("^(?:{})$", words.join("|"))
}

/// A pattern for a key in any case but the one of the schema.
pub fn other_case(key: &str) -> String {
    format!("^(?!{key}$){}$", any_case(key))
}
