//! The command line of `redwrap`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Runs a command in a rednode.
#[derive(Debug, Parser)]
#[command(
    name = "redwrap",
    version,
    about = "Runs a command in a rednode",
    override_usage = "redwrap --redpath NODE [OPTIONS] [--] [COMMAND [ARG]...]",
    after_help = "Examples:
  redwrap -r /var/redpak/platform -- ls -l /usr          run a command in a node
  redwrap -r /var/redpak/platform                        your shell in it
  redwrap -r /var/redpak/platform -e LANG=de_DE -w /tmp -- env
  redwrap -r /var/redpak/platform --dump-only -- id      what would be done, as a bwrap command line
  redwrap -r /var/redpak/platform --dump-only=json -- id the whole plan

Exit code: the command's; 128+n when signal n ended it; 125 redpak itself failed,
126 the command cannot be executed, 127 it was not found.

A node gets its rights from its file etc/redpak.yaml and from those of the nodes above it.
See redconf(1) to create nodes and redwrap-dnf(1) to install packages into them."
)]
pub struct Arguments {
    /// Directory of the node
    #[arg(short = 'r', long, visible_alias = "rp", alias = "rpath", value_name = "NODE", required = true)]
    pub redpath: PathBuf,

    /// Lay the admin configuration on top; FILE instead of the node's own
    #[arg(short = 'a', long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub admin: Option<Option<PathBuf>>,

    /// Print the plan to stderr as a bwrap command line, then run
    #[arg(short = 'd', long)]
    pub dump: bool,

    /// Print the plan and run nothing
    #[arg(short = 'D', long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "bwrap", value_enum)]
    pub dump_only: Option<DumpFormat>,

    /// A missing source of an export is an error
    #[arg(short, long, value_name = "yes|no", num_args = 0..=1, require_equals = true, default_missing_value = "yes", value_enum)]
    pub strict: Option<YesNo>,

    /// Run a node that is disabled, or not where it was registered
    #[arg(short, long, value_name = "yes|no", num_args = 0..=1, require_equals = true, default_missing_value = "yes", value_enum)]
    pub force: Option<YesNo>,

    /// Skip the moved-node check
    #[arg(short, long, value_name = "yes|no", num_args = 0..=1, require_equals = true, default_missing_value = "yes", value_enum)]
    pub r#unsafe: Option<YesNo>,

    /// Say more; notes are printed too
    #[arg(short, long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    pub verbose: Option<u8>,

    /// Set a variable of the command's environment
    #[arg(short = 'e', long = "env", value_name = "KEY=VALUE", value_parser = key_value)]
    pub environ: Vec<(String, String)>,

    /// Working directory inside
    #[arg(short = 'w', long = "workdir", value_name = "DIR")]
    pub workdir: Option<String>,

    /// Keep standard input open (it always is)
    #[arg(short, long)]
    pub interactive: bool,

    /// Pass descriptors 3 to 2+N on to the command, besides those of LISTEN_FDS
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub preserve_fds: u32,

    /// The command and its arguments; your shell when there is none
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DumpFormat {
    /// A bwrap command line that can be replayed.
    Bwrap,
    /// The plan as it is.
    Json,
}

/// A switch with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    /// On.
    Yes,
    /// Off.
    No,
}

/// Whether a switch is on.
pub fn on(switch: Option<YesNo>) -> bool {
    switch == Some(YesNo::Yes)
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it must read KEY=VALUE".to_owned()),
    }
}
