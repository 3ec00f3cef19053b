//! What `docs` says is true: generated files are up to date, the JSON Schemas take what the program takes, and every
//! example of the guides does what the guide says.

mod corpus;
mod families;
mod generated;
mod links;
mod schemas;
mod yaml;
