//! Findings for people ([`text`]), for programs ([`json`]), and for tools that show findings beside the code
//! ([`sarif`]).

mod color;
mod json;
mod sarif;
mod text;

pub use color::Color;
pub use json::{VERSION as JSON_VERSION, json};
pub use sarif::{Tool, sarif};
pub use text::{printable, text};
