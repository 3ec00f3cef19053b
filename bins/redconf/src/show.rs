//! `redconf config`, `mergeconfig` and `check`.

use std::path::PathBuf;

use redpak_diagnostics::{Finding, exit};
use redpak_model::Names;
use redpak_model::effective::{Access, Effective, ExportKind, Origin, VariableAction};
use redpak_nodes::{Family, LoadOptions, Refused};

use crate::arguments::ShowArguments;
use crate::{absolute, report};

/// The node's own file, after it was found to be valid.
pub fn own(arguments: &ShowArguments, names: &Names) -> Result<(), Refused> {
    let family = Family::load(&absolute(&arguments.path)?, names.uid, LoadOptions { force: true })?;
    let leaf = family.leaf();
    let source = match (arguments.admin, &leaf.text.admin) {
        (true, Some(admin)) => admin,
        (true, None) => {
            crate::print("# the node has no admin configuration")?;
            return Ok(());
        }
        (false, _) => &leaf.text.normal,
    };
    let layer = if arguments.admin {
        redpak_model::effective::Layer::Admin
    } else {
        redpak_model::effective::Layer::Normal
    };
    let (parsed, findings) = redpak_model::parse(source, layer);
    if parsed.is_none() {
        return Err(Refused(findings));
    }
    report(&findings);
    if arguments.json {
        crate::print(&serde_json::json!({ "file": &*source.file, "text": source.text }).to_string())?;
    } else {
        crate::print(&format!("# {}", source.file))?;
        crate::print(source.text.strip_suffix('\n').unwrap_or(&source.text))?;
    }
    Ok(())
}

/// What is in force, each value with its origin.
pub fn effective(arguments: &ShowArguments, names: &Names) -> Result<(), Refused> {
    let family = Family::load(&absolute(&arguments.path)?, names.uid, LoadOptions { force: true })?;
    let (effective, findings) = family.effective(arguments.admin, names)?;
    report(&findings);
    if arguments.json {
        match serde_json::to_string_pretty(&effective) {
            Ok(text) => crate::print(&text)?,
            Err(error) => return Err(Finding::error("RP0422", format!("cannot print: {error}")).into()),
        }
        return Ok(());
    }
    for line in lines(&effective) {
        crate::print(&line)?;
    }
    Ok(())
}

fn at(origin: &Origin) -> String {
    format!("# {}", origin.place)
}

/// The effective configuration in the language of the files, an origin behind each value.
fn lines(effective: &Effective) -> Vec<String> {
    let mut out = vec!["family:".to_owned()];
    for node in &effective.nodes {
        out.push(format!("- {}  # {}", node.alias, node.redpath.display()));
    }
    out.push("config:".into());
    let settings = &effective.settings;
    macro_rules! scalar {
        ($key:literal, $field:expr, $show:expr) => {
            if let Some(set) = &$field {
                out.push(format!("  {}: {}  {}", $key, $show(&set.value), at(&set.origin)));
                out.extend(set.overrode.iter().map(|origin| format!("    # overrode {}", origin.place)));
            }
        };
    }
    let shared = |set: &bool| if *set { "enabled" } else { "disabled" };
    scalar!("umask", settings.umask, |mask: &u32| format!("\"{mask:03o}\""));
    scalar!("hostname", settings.hostname, String::clone);
    scalar!("chdir", settings.chdir, String::clone);
    scalar!("map-root-user", settings.map_root_user, |set: &bool| u8::from(*set));
    scalar!("gpgcheck", settings.gpgcheck, bool::to_string);
    scalar!("inherit-env", settings.inherit_env, bool::to_string);
    scalar!("die-with-parent", settings.die_with_parent, shared);
    scalar!("new-session", settings.new_session, shared);
    scalar!("share_user", settings.share.user, shared);
    scalar!("share_cgroup", settings.share.cgroup, shared);
    scalar!("share_net", settings.share.net, shared);
    scalar!("share_pid", settings.share.pid, shared);
    scalar!("share_ipc", settings.share.ipc, shared);
    for (key, items) in [("path", &settings.path), ("ldpath", &settings.ldpath)] {
        out.extend(items.iter().map(|item| format!("  {key}: {}  {}", item.value, at(&item.origin))));
    }
    for (name, keep) in &settings.capabilities {
        out.push(format!("  {name}: {}  {}", if keep.value { "kept" } else { "dropped" }, at(&keep.origin)));
    }
    out.push("environ:".into());
    for variable in &effective.environ {
        let action = match &variable.value.action {
            VariableAction::Set(value) => format!("{value:?}"),
            VariableAction::Inherit => "inherited".into(),
            VariableAction::Remove => "removed".into(),
        };
        out.push(format!("  {}: {action}  {}", variable.value.key, at(&variable.origin)));
    }
    out.push("exports:".into());
    for export in &effective.exports {
        let what = words(&export.kind, export.private);
        out.push(format!("  {}: {what}  {}", export.mount.display(), at(&export.origin)));
    }
    out
}

/// An export as the configuration spells it: its mode, then its source.
fn words(kind: &ExportKind, private: bool) -> String {
    match kind {
        ExportKind::Bind { source, access, file } => {
            let mode = match (access, private, file) {
                (Access::ReadOnly, false, false) => "Restricted",
                (Access::ReadOnly, false, true) => "RestrictedFile",
                (Access::ReadOnly, true, _) => "PrivateRestricted",
                (Access::ReadWrite, false, false) => "Public",
                (Access::ReadWrite, false, true) => "PublicFile",
                (Access::ReadWrite, true, false) => "Private",
                (Access::ReadWrite, true, true) => "PrivateFile",
            };
            format!("{mode} {}", source.host.display())
        }
        ExportKind::Overlay { source } => format!("Overlay {}", source.host.display()),
        ExportKind::Symlink { target } => format!("Symlink {target}"),
        ExportKind::Anonymous => "Anonymous".into(),
        ExportKind::Tmpfs { size: Some(size) } => format!("Tmpfs, {size} bytes"),
        ExportKind::Tmpfs { size: None } => "Tmpfs".into(),
        ExportKind::Procfs => "Procfs".into(),
        ExportKind::Devfs => "Devfs".into(),
        ExportKind::Passwd => "Passwd".into(),
        ExportKind::Group => "Group".into(),
    }
}

/// Judges the nodes at and below each path, normal and admin.
pub fn check(paths: &[PathBuf], json: bool, names: &Names) -> Result<u8, Refused> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut count = 0;
    for path in paths {
        let path = absolute(path)?;
        let below = redpak_nodes::descendants(&path)?;
        for node in std::iter::once(path.clone()).chain(below.into_iter().map(|node| node.path)) {
            count += 1;
            findings.extend(judge(&node, names));
        }
    }
    // A family shares its ancestors' findings: each is told once.
    let mut told: Vec<Finding> = Vec::new();
    for finding in findings {
        if !told.contains(&finding) {
            told.push(finding);
        }
    }
    if json {
        crate::print(&format!("{}", serde_json::json!({ "version": 1, "nodes": count, "findings": told })))?;
    } else {
        report(&told);
        let errors = told.iter().filter(|finding| finding.is_error()).count();
        let counted =
            |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
        let others = counted(told.len() - errors, "other finding");
        crate::print(&format!("{} checked: {}, {others}", counted(count, "node"), counted(errors, "error")))?;
    }
    Ok(if told.iter().any(Finding::is_error) { exit::ERROR } else { exit::OK })
}

fn judge(path: &std::path::Path, names: &Names) -> Vec<Finding> {
    let family = match Family::load(path, names.uid, LoadOptions::default()) {
        Ok(family) => family,
        Err(Refused(findings)) => return findings,
    };
    let mut findings = Vec::new();
    for admin in [false, true] {
        match family.effective(admin, names) {
            Ok((_, found)) | Err(Refused(found)) => findings.extend(found),
        }
    }
    findings
}
