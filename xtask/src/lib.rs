//! What of `docs` is generated from the tables of [`redpak_model::schema`] and [`redpak_model::describe`]: the JSON
//! Schemas and the reference. [`generated::check`] says what stands there and is not what would be generated.

#![forbid(unsafe_code)]

pub mod generated;
pub mod json_schema;
pub mod patterns;
pub mod reference;
