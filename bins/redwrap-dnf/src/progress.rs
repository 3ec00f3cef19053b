//! Progress: a bar on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};
use redpak_diagnostics::render::printable;
use redpak_packages::execute::Event;
use redpak_packages::fetch::Want;

use crate::table::size;

/// Downloads: all of them in one bar.
pub struct Downloads {
    bar: Option<ProgressBar>,
    lines: bool,
    came: Mutex<HashMap<PathBuf, u64>>,
}

impl Downloads {
    /// `total` bytes are expected; `quiet` shows nothing.
    pub fn new(total: u64, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = (terminal && !quiet && total > 0).then(|| {
            let bar = ProgressBar::new(total);
            let style =
                ProgressStyle::with_template("{bar:30} {percent:>3}% {bytes:>10} {bytes_per_sec:>12} {msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, lines: !terminal && !quiet, came: Mutex::default() }
    }

    /// More bytes of a file have come.
    pub fn more(&self, want: &Want, bytes: u64) {
        let name = || printable(&want.path.file_name().unwrap_or_default().to_string_lossy());
        if let Some(bar) = &self.bar {
            bar.set_message(name());
            bar.inc(bytes);
            return;
        }
        let Ok(mut came) = self.came.lock() else { return };
        let sum = came.entry(want.path.clone()).or_default();
        let before = *sum;
        *sum += bytes;
        if self.lines && want.size.is_some_and(|whole| before < whole && *sum >= whole) {
            eprintln!("  {} {}", name(), size(*sum));
        }
    }

    /// All is there, or failed.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The transaction: a line each for what happens.
pub struct Steps {
    total: usize,
    done: usize,
    quiet: bool,
    verbose: bool,
}

impl Steps {
    pub fn new(quiet: bool, verbose: bool) -> Self {
        Self { total: 0, done: 0, quiet, verbose }
    }

    pub fn event(&mut self, event: &Event) {
        if self.quiet {
            return;
        }
        match event {
            Event::Begin { elements } => {
                self.total = *elements;
                println!("Running transaction");
            }
            Event::Install { nevra } => self.step("Installing", nevra),
            Event::Erase { nevra } => self.step("Removing", nevra),
            Event::Script { nevra, kind } if self.verbose => println!("  {kind} of {}", printable(nevra)),
            Event::Output(line) => println!("  >>> {}", printable(line)),
            Event::Verified { nevra, .. } if self.verbose => println!("  verified {}", printable(nevra)),
            Event::LdConfig if self.verbose => println!("  ldconfig"),
            Event::Commit if self.verbose => println!("  committing"),
            _ => {}
        }
    }

    fn step(&mut self, what: &str, nevra: &str) {
        self.done += 1;
        println!("[{}/{}] {what} {}", self.done, self.total.max(self.done), printable(nevra));
    }
}
