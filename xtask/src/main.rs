//! `cargo xtask`: generates what is generated, and checks that it is up to date.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use redpak_xtask::generated::{self, FILES};

const USAGE: &str = "usage: cargo xtask COMMAND
  schema      write the JSON Schemas: docs/*.schema.json
  reference   write the configuration reference: docs/configuration.md
  generate    write all of them
  check       fail when one of them is not what would be written";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["schema"] => write(|name| name.ends_with(".json")),
        ["reference"] => write(|name| name.ends_with(".md")),
        ["generate"] => write(|_| true),
        ["check"] => generated::check(),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn write(which: impl Fn(&str) -> bool) -> Result<(), String> {
    for file in FILES.iter().filter(|file| which(file.name)) {
        let path = generated::directory().join(file.name);
        std::fs::write(&path, (file.text)())
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        println!("wrote docs/{}", file.name);
    }
    Ok(())
}
