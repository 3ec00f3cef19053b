//! The command line of `redwrap-dnf`: dnf5's verbs and options.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use redpak_packages::execute::Scriptlet;
use redpak_packages::metadata::Freshness;
use redpak_packages::options::Options;

/// Packages of a rednode, with dnf5's command line.
#[derive(Debug, Parser)]
#[command(
    name = "redwrap-dnf",
    version,
    after_help = "Examples:
  redwrap-dnf --redpath /var/redpak/platform install jq     what the family has already is not installed again
  redwrap-dnf --redpath /var/redpak/platform remove jq      and what only jq needed
  redwrap-dnf --redpath /var/redpak/platform upgrade        this node alone; ancestors stay as they are
  redwrap-dnf --redpath /var/redpak/platform list --family  the node's packages and its ancestors'
  redwrap-dnf --redpath /var/redpak/platform provides '*/jq'
  redwrap-dnf --redpath /var/redpak/platform --repofrompath=local,/srv/rpms install ./x.rpm
  redwrap-dnf manager --redpath /var/redpak/platform/app --alias app

Exit code: 0 done, 1 there was an error, 2 the command line was not understood, 100 upgrades are available."
)]
pub struct Arguments {
    /// The node
    #[arg(long, short = 'r', visible_aliases = ["rpath", "rp"], global = true, value_name = "NODE")]
    pub redpath: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Args)]
pub struct Common {
    /// Answer yes to all questions
    #[arg(short = 'y', long, global = true)]
    pub assumeyes: bool,
    /// Answer no to all questions: show what would be done
    #[arg(long, global = true, conflicts_with = "assumeyes")]
    pub assumeno: bool,
    /// Use only these repositories
    #[arg(long, visible_alias = "repoid", global = true, value_name = "ID,…", value_delimiter = ',')]
    pub repo: Vec<String>,
    /// Use these repositories too
    #[arg(long, visible_alias = "enablerepo", global = true, value_name = "ID,…", value_delimiter = ',')]
    pub enable_repo: Vec<String>,
    /// Do not use these repositories
    #[arg(long, visible_alias = "disablerepo", global = true, value_name = "ID,…", value_delimiter = ',')]
    pub disable_repo: Vec<String>,
    /// Use a repository for this command alone
    #[arg(long, global = true, value_name = "ID,URL", value_parser = id_and_url)]
    pub repofrompath: Vec<(String, String)>,
    /// Set an option: KEY=VALUE, or REPO.KEY=VALUE
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub setopt: Vec<(String, String)>,
    /// Packages that are not seen: globs
    #[arg(short = 'x', long, global = true, value_name = "PACKAGE,…", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Value of $releasever
    #[arg(long, global = true, value_name = "RELEASE")]
    pub releasever: Option<String>,
    /// Ask the repositories, whatever is kept of them
    #[arg(long, global = true)]
    pub refresh: bool,
    /// Use what is kept, and no network
    #[arg(short = 'C', long, visible_alias = "offline", global = true, conflicts_with = "refresh")]
    pub cacheonly: bool,
    /// The best candidate or none (the default)
    #[arg(long, global = true, overrides_with = "no_best")]
    pub best: bool,
    /// A candidate that is not the best will do
    #[arg(long, visible_alias = "nobest", global = true)]
    pub no_best: bool,
    /// Let packages of this node go to solve conflicts
    #[arg(long, global = true)]
    pub allowerasing: bool,
    /// Skip names that no package has
    #[arg(long, visible_alias = "skip-broken", global = true)]
    pub skip_unavailable: bool,
    /// Give this node its own copy of the named packages that an ancestor has
    #[arg(long, global = true)]
    pub forcenode: bool,
    /// Demand no signatures
    #[arg(long, visible_alias = "nogpgcheck", global = true)]
    pub no_gpgchecks: bool,
    /// Fetch the packages, and change nothing
    #[arg(long, global = true)]
    pub downloadonly: bool,
    /// Leave documentation out
    #[arg(long, visible_alias = "nodocs", global = true)]
    pub no_docs: bool,
    /// Take failures of these scriptlets as warnings (post, preun, …)
    #[arg(long, global = true, value_name = "KIND,…", value_delimiter = ',')]
    pub ignore_scriptlets: Vec<Scriptlet>,
    /// Results as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Say less
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Install packages: names, globs, what is provided, paths, ./files.rpm
    #[command(visible_alias = "in")]
    Install(Packages),
    /// Remove packages of this node, what requires them, and what only they needed
    #[command(visible_aliases = ["rm", "erase"])]
    Remove(Packages),
    /// Bring this node's packages to the newest version
    #[command(visible_aliases = ["up", "update"])]
    Upgrade(AnyPackages),
    /// Remove packages that nobody asked for and nothing needs
    Autoremove,
    /// Fetch packages into the current directory
    Download(DownloadArguments),
    /// List packages
    #[command(visible_alias = "ls")]
    List(ListArguments),
    /// Show packages in full
    #[command(visible_alias = "if")]
    Info(InfoArguments),
    /// Search names and summaries
    #[command(visible_alias = "se")]
    Search(SearchArguments),
    /// Find the packages that provide something, or have a file
    #[command(visible_alias = "whatprovides")]
    Provides(Packages),
    /// Ask about packages and their dependencies
    #[command(visible_alias = "rq")]
    Repoquery(RepoqueryArguments),
    /// Show repositories
    Repo(RepoArguments),
    /// List repositories
    Repolist(RepolistArguments),
    /// Bring the metadata of the repositories up to date
    #[command(visible_alias = "mc")]
    Makecache,
    /// Remove what is kept of repositories
    Clean(CleanArguments),
    /// List available upgrades; exit code 100 when there are any
    #[command(visible_alias = "check-update")]
    CheckUpgrade(AnyPackages),
    /// Create a node
    Manager(ManagerArguments),
    /// Verbs of dnf5 that redwrap-dnf does not have yet
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// At least one package.
#[derive(Debug, Args)]
pub struct Packages {
    /// Packages
    #[arg(required = true, value_name = "PACKAGE")]
    pub specs: Vec<String>,
}

/// Any number of packages.
#[derive(Debug, Args)]
pub struct AnyPackages {
    /// Packages; all without one
    #[arg(value_name = "PACKAGE")]
    pub specs: Vec<String>,
}

/// `download`
#[derive(Debug, Args)]
pub struct DownloadArguments {
    /// Packages
    #[arg(required = true, value_name = "PACKAGE")]
    pub specs: Vec<String>,
    /// With what they require, and the family does not have
    #[arg(long)]
    pub resolve: bool,
    /// Where to
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub destdir: PathBuf,
}

/// `list`
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Globs of names; all without one
    #[arg(value_name = "PACKAGE")]
    pub specs: Vec<String>,
    #[command(flatten)]
    pub which: WhichArguments,
}

/// Which packages are looked at.
#[derive(Clone, Copy, Debug, Args)]
pub struct WhichArguments {
    /// Packages of this node
    #[arg(long)]
    pub installed: bool,
    /// Packages of the repositories
    #[arg(long)]
    pub available: bool,
    /// Packages of this node and its ancestors
    #[arg(long)]
    pub family: bool,
}

/// `info`
#[derive(Debug, Args)]
pub struct InfoArguments {
    /// Packages
    #[arg(required = true, value_name = "PACKAGE")]
    pub specs: Vec<String>,
    #[command(flatten)]
    pub which: WhichArguments,
}

/// `search`
#[derive(Debug, Args)]
pub struct SearchArguments {
    /// Words that must all be found
    #[arg(required = true, value_name = "WORD")]
    pub words: Vec<String>,
    /// Search descriptions too
    #[arg(long)]
    pub all: bool,
}

/// `repoquery`
#[derive(Debug, Args)]
pub struct RepoqueryArguments {
    /// Packages
    #[arg(value_name = "PACKAGE")]
    pub specs: Vec<String>,
    #[command(flatten)]
    pub which: WhichArguments,
    /// What they require
    #[arg(long, group = "property")]
    pub requires: bool,
    /// What they provide
    #[arg(long, group = "property")]
    pub provides: bool,
    /// What they conflict with
    #[arg(long, group = "property")]
    pub conflicts: bool,
    /// What they obsolete
    #[arg(long, group = "property")]
    pub obsoletes: bool,
    /// What they recommend
    #[arg(long, group = "property")]
    pub recommends: bool,
    /// What they supplement
    #[arg(long, group = "property")]
    pub supplements: bool,
    /// Their files
    #[arg(short = 'l', long = "list", alias = "files", group = "property")]
    pub files: bool,
    /// Packages that require this
    #[arg(long, value_name = "WHAT", group = "property")]
    pub whatrequires: Option<String>,
    /// Packages that provide this
    #[arg(long, value_name = "WHAT", group = "property")]
    pub whatprovides: Option<String>,
}

/// `repo`
#[derive(Debug, Args)]
pub struct RepoArguments {
    /// What to show
    #[command(subcommand)]
    pub what: RepoVerb,
}

/// `repo …`
#[derive(Debug, Subcommand)]
pub enum RepoVerb {
    /// List repositories
    #[command(visible_alias = "ls")]
    List(RepolistArguments),
    /// Show repositories in full
    Info(RepolistArguments),
}

/// `repo list`
#[derive(Debug, Args)]
pub struct RepolistArguments {
    /// Disabled ones too
    #[arg(long)]
    pub all: bool,
    /// Disabled ones alone
    #[arg(long)]
    pub disabled: bool,
    /// Ids or globs; all without one
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
}

/// `clean`
#[derive(Debug, Args)]
pub struct CleanArguments {
    /// What: all, metadata, packages
    #[arg(value_name = "WHAT", default_value = "all", value_parser = ["all", "metadata", "packages", "dbcache", "expire-cache"])]
    pub what: String,
}

/// `manager`
#[derive(Debug, Args)]
pub struct ManagerArguments {
    /// Name of the node; the directory's name without it
    #[arg(long, short)]
    pub alias: Option<String>,
    /// Create no system node above it: the node itself is a root node where none is above
    #[arg(long)]
    pub no_system_node: bool,
    /// Register an existing node where it is now
    #[arg(long)]
    pub update: bool,
    /// A file for the normal configuration
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// A file for the admin configuration
    #[arg(long, value_name = "FILE", requires = "template")]
    pub template_admin: Option<PathBuf>,
}

impl Common {
    /// The options as the library takes them.
    pub fn options(&self) -> Options {
        Options {
            only: self.repo.iter().cloned().chain(self.only_from_path()).collect(),
            enable: self.enable_repo.clone(),
            disable: self.disable_repo.clone(),
            from_path: self.repofrompath.clone(),
            set: self.setopt.clone(),
            releasever: self.releasever.clone(),
            freshness: match (self.refresh, self.cacheonly) {
                (true, _) => Freshness::Refresh,
                (_, true) => Freshness::CacheOnly,
                _ => Freshness::Expire,
            },
            best: !self.no_best,
            allow_erasing: self.allowerasing,
            force_node: self.forcenode,
            no_gpgcheck: self.no_gpgchecks,
            skip_unavailable: self.skip_unavailable,
            exclude: self.exclude.clone(),
            ..Options::default()
        }
    }

    /// With `--repo`, a repository of `--repofrompath` is meant too, as dnf5 has it.
    fn only_from_path(&self) -> Vec<String> {
        match self.repo.is_empty() {
            true => Vec::new(),
            false => self.repofrompath.iter().map(|(id, _)| id.clone()).collect(),
        }
    }
}

fn id_and_url(text: &str) -> Result<(String, String), String> {
    let (id, url) = text.split_once(',').ok_or("write ID,URL")?;
    let local = !url.contains("://");
    let url = match local {
        true => std::path::absolute(url).map_err(|error| error.to_string())?.display().to_string(),
        false => url.to_owned(),
    };
    Ok((id.to_owned(), url))
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_stand_before_and_after_the_verb() {
        let parse = |words: &[&str]| Arguments::try_parse_from(words).expect("parses");
        let before = parse(&["redwrap-dnf", "--redpath", "/n", "-y", "--repo=a,b", "install", "jq"]);
        let after = parse(&["redwrap-dnf", "in", "jq", "--rp", "/n", "-y", "--repo", "a,b"]);
        for arguments in [before, after] {
            assert_eq!(arguments.redpath, Some(PathBuf::from("/n")));
            assert!(arguments.common.assumeyes);
            assert_eq!(arguments.common.options().only, ["a", "b"]);
            assert!(matches!(arguments.verb, Verb::Install(packages) if packages.specs == ["jq"]));
        }
        let old = parse(&[
            "redwrap-dnf",
            "up",
            "--nogpgcheck",
            "--nobest",
            "--enablerepo=x",
            "--setopt=install_weak_deps=0",
        ]);
        let options = old.common.options();
        assert!(options.no_gpgcheck && !options.best && options.enable == ["x"]);
        assert_eq!(options.set, [("install_weak_deps".to_owned(), "0".to_owned())]);
    }
}
