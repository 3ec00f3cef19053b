//! The plan of an ordinary launch, put together from its parts.

use redpak_diagnostics::Finding;
use redpak_model::effective::{Effective, ExportKind, Share, Sourced, Unjudged, VariableAction};

use crate::codes;
use crate::environment::environ;
use crate::facts::HostFacts;
use crate::identity;
use crate::launch_plan::{
    Content, LaunchPlan, Mount, MountKind, Namespaces, NodeDir, NotJudged, PLAN_VERSION, Rights, Tmpfs,
};
use crate::mounts::Assembly;
use crate::refused;

/// Size limit of the root tmpfs in bytes, for mount points, links and small files; large ones are added to it.
pub const ROOT_SIZE: u64 = 4 << 20;
/// The share of [`ROOT_SIZE`] that files may take.
const SMALL_FILES: u64 = 1 << 20;
/// At most this much is read from a descriptor for a file, in bytes.
pub const DESCRIPTOR_SIZE: u64 = 1 << 20;
/// umask(2) of the command when nobody sets one.
pub const DEFAULT_UMASK: u32 = 0o022;

/// What the caller of `redwrap` asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Program and arguments; not empty.
    pub command: Vec<String>,
    /// `-e KEY=VALUE`.
    pub environ: Vec<(String, String)>,
    /// `-w DIR`.
    pub cwd: Option<String>,
    /// A missing source is an error.
    pub strict: bool,
    /// The plan is for showing: commands that were not run stand in it as they are ([`Effective::unjudged`]). Without
    /// it they are an error.
    pub show: bool,
}

/// Plans a launch of the leaf. `None` when a finding is an error.
pub fn launch_plan(
    effective: &Effective,
    facts: &HostFacts,
    request: &Request,
) -> (Option<LaunchPlan>, Vec<Finding>) {
    let mut findings = refused::refused(effective);
    if !request.show {
        findings.extend(refused::unjudged(effective));
    }
    let settings = &effective.settings;
    let namespaces = namespaces(effective, facts, &mut findings);
    judge_mqueue(effective, namespaces, &mut findings);
    let map_root = on(settings.map_root_user.as_ref());
    let ids = identity::ids(facts, namespaces.user, map_root);
    let environ = environ(effective, facts, &request.environ);
    let home = environ.iter().find(|(key, _)| key == "HOME").map_or("/", |(_, home)| home.as_str());
    let assembly = Assembly::new(effective, facts, request.strict, &ids, home).assemble(&mut findings);
    let capabilities =
        capabilities(settings.capabilities.iter().map(|(name, keep)| (name.as_str(), keep.value)));
    let leaf = &effective.nodes[effective.nodes.len() - 1];
    let plan = LaunchPlan {
        version: PLAN_VERSION,
        alias: leaf.alias.clone(),
        redpath: leaf.redpath.clone(),
        admin: effective.admin,
        nodes: node_dirs(effective, facts),
        new_directories: assembly.new_directories,
        namespaces,
        ids,
        hostname: if namespaces.uts {
            settings.hostname.as_ref().map(|name| name.value.clone())
        } else {
            None
        },
        root: Tmpfs { size: root_size(&assembly.mounts), mode: 0o755 },
        mounts: assembly.mounts,
        locks: assembly.locks,
        rights: Rights { capabilities, no_new_privs: true },
        umask: settings.umask.as_ref().map_or(DEFAULT_UMASK, |umask| umask.value),
        environ,
        cwd: request
            .cwd
            .clone()
            .or_else(|| settings.chdir.as_ref().map(|dir| dir.value.clone()))
            .unwrap_or_else(|| "/".into())
            .into(),
        new_session: on(settings.new_session.as_ref()),
        die_with_parent: on(settings.die_with_parent.as_ref()),
        command: request.command.clone(),
        unjudged: not_judged(effective),
    };
    if findings.iter().any(Finding::is_error) { (None, findings) } else { (Some(plan), findings) }
}

/// The root tmpfs holds the files: those that would take more than their share of it are added to its size.
fn root_size(mounts: &[Mount]) -> u64 {
    const PAGE: u64 = 4096;
    let files: u64 = mounts
        .iter()
        .map(|mount| match &mount.kind {
            MountKind::File { content, .. } => match content {
                Content::Text(text) => text.len() as u64,
                Content::Bytes(bytes) => bytes.len() as u64,
                Content::Descriptor(_) => DESCRIPTOR_SIZE,
                Content::Command(_) => 0,
            },
            _ => 0,
        })
        .map(|length| length.div_ceil(PAGE) * PAGE)
        .sum();
    ROOT_SIZE + files.saturating_sub(SMALL_FILES)
}

/// What commands decide that were not run, for the plan to show. Files say it themselves.
fn not_judged(effective: &Effective) -> Vec<NotJudged> {
    let is_file = |one: &Unjudged| {
        effective.exports.iter().any(|export| match &export.kind {
            ExportKind::Execfd { command, .. } => refused::decides(one, command, &export.origin),
            _ => false,
        })
    };
    // The same command may stand in both: told twice is better than not at all.
    let is_variable = |one: &Unjudged| {
        effective.environ.iter().any(|variable| match &variable.value.action {
            VariableAction::Command(command) => refused::decides(one, command, &variable.origin),
            _ => false,
        })
    };
    effective
        .unjudged
        .iter()
        .filter(|one| !is_file(one) || is_variable(one))
        .map(|one| NotJudged {
            what: one.what.clone(),
            text: one.text.clone(),
            left_out: one.left_out,
            origin: one.origin.place.to_string(),
        })
        .collect()
}

/// A mqueue shows the queues of an ipc namespace, and can be mounted only by who has rights over that one: in a user
/// namespace of its own, over one of its own (mq_overview(7), `mqueue_get_tree` in ipc/mqueue.c).
fn judge_mqueue(effective: &Effective, namespaces: Namespaces, findings: &mut Vec<Finding>) {
    if !namespaces.user || namespaces.ipc {
        return;
    }
    for export in effective.exports.iter().filter(|export| export.kind == ExportKind::Mqueue) {
        let mut finding = Finding::error(
            codes::CANNOT_PLACE,
            format!("a mqueue at `{}` needs an ipc namespace of its own", export.mount.display()),
        )
        .with_place(export.origin.place.clone())
        .with_hint("say `share_ipc: disabled`, or remove the export");
        if let Some(ipc) = &effective.settings.share.ipc {
            finding = finding.with_related("the ipc namespace is shared here", ipc.origin.place.clone());
        }
        findings.push(finding);
    }
}

/// The family's directories as the plan names them.
pub(crate) fn node_dirs(effective: &Effective, facts: &HostFacts) -> Vec<NodeDir> {
    effective
        .nodes
        .iter()
        .zip(&facts.nodes)
        .map(|(head, node)| NodeDir {
            path: head.redpath.clone(),
            dev: node.dev,
            ino: node.ino,
            generation: node.generation,
        })
        .collect()
}

/// Numbers of the capabilities that are kept, ascending.
pub(crate) fn capabilities<'a>(set: impl Iterator<Item = (&'a str, bool)>) -> Vec<u8> {
    let mut kept: Vec<u8> = set
        .filter(|(_, keep)| *keep)
        .filter_map(|(name, _)| redpak_model::capability::NAMES.iter().position(|known| *known == name))
        .filter_map(|number| u8::try_from(number).ok())
        .collect();
    kept.sort_unstable();
    kept
}

fn on(setting: Option<&Sourced<bool>>) -> bool {
    setting.is_some_and(|set| set.value)
}

fn shared(setting: Option<&Sourced<Share>>) -> bool {
    setting.is_some_and(|set| set.value == Share::Shared)
}

fn namespaces(effective: &Effective, facts: &HostFacts, findings: &mut Vec<Finding>) -> Namespaces {
    let share = &effective.settings.share;
    if facts.uid != 0
        && let Some(user) = share.user.as_ref().filter(|user| user.value == Share::Shared)
    {
        findings.push(
            Finding::error(codes::NEEDS_ROOT, "`share_user: enabled` needs root: an ordinary user can mount nothing outside a user namespace of its own")
                .with_place(user.origin.place.clone())
                .with_hint("leave share_user out, or run redwrap as root"),
        );
    }
    Namespaces {
        user: !shared(share.user.as_ref()),
        pid: !shared(share.pid.as_ref()),
        net: !shared(share.net.as_ref()),
        ipc: !shared(share.ipc.as_ref()),
        // Host and domain name have no key of their own: they are always the node's.
        uts: true,
        cgroup: !shared(share.cgroup.as_ref()),
    }
}
