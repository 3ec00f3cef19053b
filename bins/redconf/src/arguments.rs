//! The command line of `redconf`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
  redconf tree --svg /var/redpak > family.svg     a picture of it
  redconf mergeconfig /var/redpak/platform        what is in force there, and where each value stands
  redconf why /var/redpak/platform --mount /usr   who grants it
  redconf check /var/redpak                       what is wrong with the files of the nodes below
  redconf explain RP0303                          what a finding means, and what to do

Exit code: 0 done, 1 there was an error (`why`: it is not granted), 2 the command line was not understood."
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
    /// Say which node and line grants or denies a path, capability or variable
    Why(WhyArguments),
    /// Show the family tree
    Tree(TreeArguments),
    /// Find the errors and warnings of files and families, without launching anything
    Check(CheckArguments),
    /// Explain a code of findings; without one, list them all
    Explain {
        /// The code, `RP0303` for one
        code: Option<String>,
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
    /// Not supported yet
    #[command(hide = true)]
    Lock(Later),
    /// Not supported yet
    #[command(hide = true)]
    Prove(Later),
}

/// The arguments of what is not supported yet.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Later {
    /// Whatever stands there
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Judged is what the files of the nodes say. What the host lacks, a source that does not exist for one, is told
at launch, and by `redwrap --dump-only`. No command of a file is run: what one decides is a note."
)]
pub struct CheckArguments {
    /// Nodes; the nodes below them are checked too
    #[arg(default_value = ".")]
    pub paths: Vec<PathBuf>,
    /// How findings are written
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// The same as `--format json`
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// For editors and code hosts: SARIF 2.1.0
    Sarif,
}

#[derive(Debug, Args)]
pub struct TreeArguments {
    /// The topmost node
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// For Graphviz: `redconf tree --dot | dot -Tpdf`
    #[arg(long, conflicts_with = "json")]
    pub dot: bool,
    /// As a picture
    #[arg(long, conflicts_with_all = ["json", "dot"])]
    pub svg: bool,
}

#[derive(Debug, Args)]
#[command(override_usage = "redconf why [OPTIONS] <--mount <PATH>|--cap <CAP>|--env <KEY>> <NODE>")]
pub struct WhyArguments {
    /// The node, as it is launched
    #[arg(value_name = "NODE")]
    pub path: PathBuf,
    #[command(flatten)]
    pub what: What,
    /// With the admin configuration on top
    #[arg(short = 'e', long)]
    pub admin: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// What is asked for.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct What {
    /// A path inside the launched node
    #[arg(short, long, value_name = "PATH")]
    pub mount: Option<PathBuf>,
    /// A capability: `CAP_NET_ADMIN`, or `net_admin`
    #[arg(short, long)]
    pub cap: Option<String>,
    /// A variable of the environment
    #[arg(short = 'k', long, value_name = "KEY")]
    pub env: Option<String>,
    /// Not supported yet: who put a file there
    #[arg(long, hide = true)]
    pub file: Option<PathBuf>,
    /// Not supported yet: which node has a package
    #[arg(long, hide = true)]
    pub package: Option<String>,
    /// Not supported yet: where a library is found
    #[arg(long, hide = true)]
    pub library: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Models: root, leaf, full (root and leaf in one), bare (a root that shows nothing of the host's
software), redpak25 (the layout of red-pak 2.5). A model X is X, X.yaml or X-normal.yaml with X-admin.yaml in the
template directory, else built in; below a node X-leaf is taken where there is one. Without a model: leaf below a node,
root where there is none above."
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
    /// As a file that can be read again: `mergeconfig` without its comments, `config` as the file stands, with those
    /// of the file
    #[arg(short, long)]
    pub yaml: bool,
    /// As JSON
    #[arg(long, conflicts_with = "yaml")]
    pub json: bool,
}
