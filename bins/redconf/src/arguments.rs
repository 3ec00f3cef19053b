//! The command line of `redconf`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Creates, shows and checks rednodes.
#[derive(Debug, Parser)]
#[command(
    name = "redconf",
    version,
    about = "Creates, shows and checks rednodes",
    after_help = "Examples:
  redconf create /var/redpak                      a root node on this host
  redconf create /var/redpak/platform             a child of it
  redconf create -m bare /srv/base                a root that shows nothing of the host's software
  redconf tree /var/redpak                        the family tree
  redconf mergeconfig /var/redpak/platform        what is in force there, and where each value stands
  redconf check /var/redpak                       every error and warning of the nodes below

Exit code: 0 done, 1 there was an error, 2 the command line was not understood."
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a node
    Create(CreateArguments),
    /// Show one node's own configuration
    Config(ShowArguments),
    /// Show a node's effective configuration with the origin of each value
    Mergeconfig(ShowArguments),
    /// Show the family tree
    Tree {
        /// The topmost node
        #[arg(default_value = ".")]
        path: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Find every error and warning, without launching anything
    Check {
        /// Nodes; the nodes below them are checked too
        #[arg(default_value = ".")]
        paths: Vec<PathBuf>,
        /// Findings as JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a node launch again
    Enable {
        /// The node
        path: PathBuf,
    },
    /// Keep a node, and those below it, from launching
    Disable {
        /// The node
        path: PathBuf,
    },
    /// Remove a node with all that it holds
    Delete {
        /// The node
        path: PathBuf,
        /// The nodes below it too
        #[arg(short, long)]
        recursive: bool,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "Models: root, leaf, full (root and leaf in one), bare (a root that shows nothing of the host's
software). A model X is X, X.yaml or X-normal.yaml with X-admin.yaml in the template directory, else built in.
Without one: leaf below a node, root where there is none above."
)]
pub struct CreateArguments {
    /// Directory of the node
    pub path: PathBuf,
    /// Name of the node; the directory's name without it
    #[arg(short, long)]
    pub alias: Option<String>,
    /// Model to start from
    #[arg(short, long, conflicts_with_all = ["full", "leaf", "root", "config"])]
    pub model: Option<String>,
    /// The model `full`
    #[arg(short, long, conflicts_with_all = ["leaf", "root", "config"])]
    pub full: bool,
    /// The model `leaf`
    #[arg(short, long, conflicts_with_all = ["root", "config"])]
    pub leaf: bool,
    /// The model `root`
    #[arg(short, long, conflicts_with = "config")]
    pub root: bool,
    /// A file for the normal configuration
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A file for the admin configuration
    #[arg(short = 'C', long, value_name = "FILE", requires = "config")]
    pub config_admin: Option<PathBuf>,
    /// Where models are searched
    #[arg(short, long, value_name = "DIR", env = "REDNODE_TEMPLATE_DIR")]
    pub template_dir: Option<PathBuf>,
    /// Register an existing node where it is now
    #[arg(short, long)]
    pub update: bool,
    /// PATH is below this directory
    #[arg(short = 'R', long, value_name = "DIR")]
    pub redroot: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The node
    pub path: PathBuf,
    /// With the admin configuration on top
    #[arg(short = 'e', long)]
    pub admin: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}
