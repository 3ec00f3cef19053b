//! One repository, as its section in a `.repo` file says.

use std::path::{Path, PathBuf};

use redpak_diagnostics::Finding;

use super::codes;
use super::ini::{Entry, Section};
use super::vars::Variables;

/// A repository. Keys that a file leaves out are `None` where a family or a default decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoConfig {
    /// The section's name.
    pub id: String,
    /// `name`, or the id.
    pub name: String,
    /// The file that it stands in; a label for one from the command line.
    pub file: PathBuf,
    /// Alias of the node that it is of.
    pub node: String,
    /// `baseurl`: `http`, `https` or `file` URLs, each ending with a slash.
    pub baseurl: Vec<String>,
    /// `mirrorlist`
    pub mirrorlist: Option<String>,
    /// `metalink`
    pub metalink: Option<String>,
    /// `enabled`; true when left out.
    pub enabled: bool,
    /// `gpgcheck` (`pkg_gpgcheck`)
    pub gpgcheck: Option<bool>,
    /// `repo_gpgcheck`
    pub repo_gpgcheck: Option<bool>,
    /// `gpgkey`: URLs.
    pub gpgkey: Vec<String>,
    /// `priority`, 1 the most preferred, 99 when left out.
    pub priority: i32,
    /// `cost`, 1000 when left out: the lower is preferred among equals.
    pub cost: i32,
    /// `excludepkgs`: globs of packages that are not seen.
    pub exclude: Vec<String>,
    /// `includepkgs`: globs; when there are any, nothing else is seen.
    pub include: Vec<String>,
    /// `sslverify`; true when left out.
    pub sslverify: bool,
    /// `sslcacert`
    pub sslcacert: Option<PathBuf>,
    /// `username`
    pub username: Option<String>,
    /// `password`
    pub password: Option<String>,
    /// `proxy`: a URL; `_none_` for none.
    pub proxy: Option<String>,
    /// `metadata_expire` in seconds; `None` is never, 48 hours when left out.
    pub metadata_expire: Option<u64>,
    /// `skip_if_unavailable`
    pub skip_if_unavailable: bool,
}

/// 48 hours, as dnf has it.
const METADATA_EXPIRE: u64 = 48 * 3600;

/// Keys of dnf that change nothing here, and are taken without a word.
const WITHOUT_EFFECT: [&str; 13] = [
    "type",
    "failovermethod",
    "keepcache",
    "fastestmirror",
    "countme",
    "deltarpm",
    "retries",
    "timeout",
    "minrate",
    "max_parallel_downloads",
    "bandwidth",
    "ip_resolve",
    "enablegroups",
];

/// Keys that dnf has and redpak refuses to ignore: leaving them out would weaken or change what is installed.
const NOT_SUPPORTED: [&str; 6] =
    ["sslclientcert", "sslclientkey", "proxy_username", "proxy_password", "module_hotfixes", "throttle"];

impl RepoConfig {
    /// A repository with dnf's defaults.
    pub fn new(id: &str, file: &Path, node: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: id.to_owned(),
            file: file.to_owned(),
            node: node.to_owned(),
            baseurl: Vec::new(),
            mirrorlist: None,
            metalink: None,
            enabled: true,
            gpgcheck: None,
            repo_gpgcheck: None,
            gpgkey: Vec::new(),
            priority: 99,
            cost: 1000,
            exclude: Vec::new(),
            include: Vec::new(),
            sslverify: true,
            sslcacert: None,
            username: None,
            password: None,
            proxy: None,
            metadata_expire: Some(METADATA_EXPIRE),
            skip_if_unavailable: false,
        }
    }

    /// Sets a key. `Err` holds what is wrong with the value; `Ok(false)` means that the key is not known.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, String> {
        match key {
            "name" => self.name = value.to_owned(),
            "baseurl" => self.baseurl = list(value).map(directory_url).collect::<Result<_, _>>()?,
            "mirrorlist" => self.mirrorlist = some_url(value)?,
            "metalink" => self.metalink = some_url(value)?,
            "enabled" => self.enabled = boolean(value)?,
            "gpgcheck" | "pkg_gpgcheck" => self.gpgcheck = Some(boolean(value)?),
            "repo_gpgcheck" => self.repo_gpgcheck = Some(boolean(value)?),
            "gpgkey" => self.gpgkey = list(value).map(key_url).collect::<Result<_, _>>()?,
            "priority" => self.priority = number(value, 1, 99)?,
            "cost" => self.cost = number(value, 0, i32::MAX)?,
            "excludepkgs" | "exclude" => self.exclude = list(value).map(str::to_owned).collect(),
            "includepkgs" => self.include = list(value).map(str::to_owned).collect(),
            "sslverify" => self.sslverify = boolean(value)?,
            "sslcacert" => self.sslcacert = (!value.is_empty()).then(|| PathBuf::from(value)),
            "username" => self.username = (!value.is_empty()).then(|| value.to_owned()),
            "password" => self.password = (!value.is_empty()).then(|| value.to_owned()),
            "proxy" => self.proxy = (!value.is_empty()).then(|| value.to_owned()),
            "metadata_expire" => self.metadata_expire = seconds(value)?,
            "skip_if_unavailable" => self.skip_if_unavailable = boolean(value)?,
            key if WITHOUT_EFFECT.contains(&key) => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Whether a text can be the id of a repository: it becomes part of paths.
pub fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 128
        && !id.starts_with('.')
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c))
}

/// Applies what a section says to a repository: an ancestor's, or a new one. Wrong values are errors among the
/// findings, unknown keys warnings.
pub fn apply(repo: &mut RepoConfig, section: &Section, variables: &Variables, findings: &mut Vec<Finding>) {
    for entry in &section.entries {
        take(repo, entry, variables, findings);
    }
}

fn take(repo: &mut RepoConfig, entry: &Entry, variables: &Variables, findings: &mut Vec<Finding>) {
    let (value, undefined) = variables.expand(&entry.value);
    for name in undefined {
        let hint = match name.as_str() {
            "releasever" => "give --releasever, or put it in etc/dnf/vars/releasever of the node".to_owned(),
            name => format!("put its value in etc/dnf/vars/{name} of the node"),
        };
        let message = format!("the variable `${name}` is not defined");
        let finding = Finding::warning(codes::UNDEFINED_VARIABLE, message);
        findings.push(finding.with_place(entry.place.clone()).with_hint(hint));
    }
    let finding = match repo.set(&entry.key, &value) {
        Ok(true) => return,
        Ok(false) if NOT_SUPPORTED.contains(&entry.key.as_str()) => {
            let message = format!("`{}` is not supported by this version", entry.key);
            Finding::error(codes::NOT_SUPPORTED, message)
        }
        Ok(false) => Finding::warning(codes::UNKNOWN_KEY, format!("unknown key `{}`, ignored", entry.key)),
        Err(wrong) => Finding::error(codes::BAD_VALUE, format!("`{}`: {wrong}", entry.key)),
    };
    findings.push(finding.with_place(entry.place.clone()));
}

/// Items of a list: divided by commas, blanks or line ends.
fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split([',', ' ', '\t', '\n']).filter(|item| !item.is_empty())
}

fn boolean(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => Ok(true),
        "0" | "no" | "false" | "off" => Ok(false),
        _ => Err(format!("`{value}` is neither 1 nor 0")),
    }
}

fn number(value: &str, least: i32, most: i32) -> Result<i32, String> {
    match value.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("`{value}` is no number from {least} to {most}")),
    }
}

/// `48h`, `7d`, `30m`, plain seconds, `-1` or `never`.
fn seconds(value: &str) -> Result<Option<u64>, String> {
    if matches!(value, "-1" | "never") {
        return Ok(None);
    }
    let unit = match value.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 24 * 3600,
        _ => 0,
    };
    let digits = if unit == 0 { value } else { &value[..value.len() - 1] };
    let count: u64 =
        digits.trim().parse().map_err(|_| format!("`{value}` is no span of time such as `48h`"))?;
    Ok(Some(count.saturating_mul(unit.max(1))))
}

fn directory_url(url: &str) -> Result<String, String> {
    let url = known_scheme(url)?;
    Ok(if url.ends_with('/') { url } else { format!("{url}/") })
}

fn some_url(url: &str) -> Result<Option<String>, String> {
    if url.is_empty() { Ok(None) } else { known_scheme(url).map(Some) }
}

fn key_url(url: &str) -> Result<String, String> {
    known_scheme(url)
}

fn known_scheme(url: &str) -> Result<String, String> {
    match url.split_once("://") {
        Some(("http" | "https" | "file", rest)) if !rest.is_empty() => Ok(url.to_owned()),
        _ if url.starts_with('/') => Ok(format!("file://{url}")),
        _ => Err(format!("`{url}` is no http, https or file URL")),
    }
}
