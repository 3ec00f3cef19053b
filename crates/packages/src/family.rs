//! The family that packages are worked on for: what the solving side needs to know of it.

use std::path::{Path, PathBuf};

use redpak_model::effective::{Effective, ExportKind, Lies, Sourced};

/// A node, by name and place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FamilyNode {
    /// Its alias.
    pub alias: String,
    /// Its directory.
    pub redpath: PathBuf,
}

/// A setting and the node that sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetBy {
    /// The value.
    pub value: bool,
    /// Index into the family.
    pub node: usize,
}

/// A node below the leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descendant {
    /// The node.
    pub node: FamilyNode,
    /// The nodes between the leaf and it, the upper first.
    pub between: Vec<FamilyNode>,
}

/// What of the host is seen in a launched node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostView {
    /// Mount path and host path of each directory or file of the host that the root node exports.
    pub exports: Vec<(PathBuf, PathBuf)>,
    /// Mount path and target of each symbolic link that the root node exports.
    pub links: Vec<(PathBuf, String)>,
}

/// A family, root node first, and what lies below its leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyContext {
    /// Root node first, the leaf last; never empty.
    pub nodes: Vec<FamilyNode>,
    /// The first of them is the host itself, above a root node with packages of its own; it has no directory.
    pub host_above: bool,
    /// The root node shows nothing of the host's software and has packages of its own.
    pub bare: bool,
    /// RPM architecture of the machine: `x86_64`, `aarch64`, …
    pub arch: String,
    /// `config.gpgcheck`, and who sets it.
    pub gpgcheck: Option<SetBy>,
    /// The host's RPM database, where the configuration names one.
    pub rpmdir: Option<PathBuf>,
    /// Where downloads are kept, where the configuration says so.
    pub cachedir: Option<PathBuf>,
    /// Where what was seen of repositories is kept, where the configuration says so.
    pub persistdir: Option<PathBuf>,
    /// What the root node declares that the host provides: RPM dependency texts.
    pub host_provides: Vec<String>,
    /// What of the host is seen.
    pub host: HostView,
    /// All nodes below the leaf.
    pub descendants: Vec<Descendant>,
}

impl FamilyContext {
    /// From the effective configuration. Descendants are the caller's to find.
    pub fn from_effective(effective: &Effective, descendants: Vec<Descendant>) -> Self {
        let settings = &effective.settings;
        let value =
            |setting: &Option<Sourced<PathBuf>>| setting.as_ref().map(|setting| setting.value.clone());
        let host = host_view(effective);
        let bare = !redpak_plan::transaction_view::shows_host(effective);
        let mut nodes: Vec<FamilyNode> = effective
            .nodes
            .iter()
            .map(|node| FamilyNode { alias: node.alias.clone(), redpath: node.redpath.clone() })
            .collect();
        // A root node that shows the host and has packages of its own: the host stands above it, as a node without
        // files.
        let above = usize::from(!bare && redpak_plan::transaction_view::has_packages(effective, 0));
        let (mut cachedir, mut persistdir) = (value(&settings.cachedir), value(&settings.persistdir));
        if above > 0 {
            let root = nodes[0].redpath.clone();
            cachedir = cachedir.or_else(|| Some(root.join(crate::cache::CACHE)));
            persistdir = persistdir.or_else(|| Some(root.join(crate::cache::SEEN)));
            nodes.insert(0, FamilyNode { alias: "host".to_owned(), redpath: root.join(".redpak/host") });
        }
        Self {
            nodes,
            host_above: above > 0,
            bare,
            arch: machine_arch().to_owned(),
            gpgcheck: settings
                .gpgcheck
                .as_ref()
                .map(|set| SetBy { value: set.value, node: set.origin.node + above }),
            // Of a child, the setting names the child's own database, whose place redpak knows.
            rpmdir: settings.rpmdir.as_ref().filter(|set| set.origin.node == 0).map(|set| set.value.clone()),
            cachedir,
            persistdir,
            host_provides: settings.host_provides.iter().map(|text| text.value.clone()).collect(),
            host,
            descendants,
        }
    }

    /// A family of one bare node: everything comes from packages.
    pub fn bare(alias: &str, redpath: &Path) -> Self {
        Self {
            nodes: vec![FamilyNode { alias: alias.to_owned(), redpath: redpath.to_owned() }],
            host_above: false,
            bare: true,
            arch: machine_arch().to_owned(),
            gpgcheck: None,
            rpmdir: None,
            cachedir: None,
            persistdir: None,
            host_provides: Vec::new(),
            host: HostView::default(),
            descendants: Vec::new(),
        }
    }

    /// The nodes that are directories, with their indices.
    pub fn directories(&self) -> impl Iterator<Item = (usize, &FamilyNode)> {
        self.nodes.iter().enumerate().skip(usize::from(self.host_above))
    }

    /// The node that is changed.
    pub fn leaf(&self) -> &FamilyNode {
        &self.nodes[self.nodes.len() - 1]
    }

    /// The root node.
    pub fn root(&self) -> &FamilyNode {
        &self.nodes[0]
    }

    /// Whether signatures of packages are verified where a repository says nothing.
    pub fn gpgcheck_default(&self) -> bool {
        self.gpgcheck.is_none_or(|check| check.value)
    }

    /// Whether the leaf is a root node that speaks for the host, and so has no packages of its own.
    pub fn leaf_is_host(&self) -> bool {
        self.nodes.len() == 1 && !self.bare
    }
}

/// What the root node exports of the host.
fn host_view(effective: &Effective) -> HostView {
    let mut view = HostView::default();
    for export in effective.exports.iter().filter(|export| export.level == 0) {
        match &export.kind {
            ExportKind::Bind { source, .. } | ExportKind::Overlay { source } if source.lies == Lies::Host => {
                view.exports.push((export.mount.clone(), source.host.clone()));
            }
            ExportKind::Symlink { target } => view.links.push((export.mount.clone(), target.clone())),
            _ => {}
        }
    }
    view
}

/// The machine's architecture, as RPM names it.
pub fn machine_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86" => "i686",
        "arm" => "armv7hl",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        arch => arch,
    }
}
