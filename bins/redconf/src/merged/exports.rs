//! Exports by their exact mode.

use redpak_model::effective::{Access, Export, ExportKind, Source};

use super::Writer;
use super::sheet::{literal, scalar};

impl Writer<'_> {
    pub(super) fn exports(&mut self) {
        let effective = self.effective;
        let mount = |export: &Export| literal(&export.mount.display().to_string());
        let width =
            effective.exports.iter().map(|export| mount(export).chars().count()).max().unwrap_or(0).min(40)
                + 1;
        let modes = effective.exports.iter().map(|export| mode_of(export).len() + 1).max().unwrap_or(0);
        self.sheet.line(if effective.exports.is_empty() { "exports: []" } else { "exports:" }, "");
        for export in &effective.exports {
            let mount = format!("{},", mount(export));
            let mut more = String::new();
            if let Some(path) = path(export) {
                more.push_str(&format!(", path: {path}"));
            }
            if let ExportKind::Tmpfs { size: Some(size) } = export.kind {
                more.push_str(&format!(", size: {size}"));
            }
            if export.optional {
                more.push_str(", optional: true");
            }
            let mode = mode_of(export);
            let entry = match more.strip_prefix(',') {
                None => format!("  - {{mount: {mount:width$} mode: {mode}}}"),
                Some(more) => {
                    format!("  - {{mount: {mount:width$} mode: {:modes$}{more}}}", format!("{mode},"))
                }
            };
            let decided = matches!(export.kind, ExportKind::Execfd { .. });
            let comment = self.comment(&export.origin, decided);
            self.sheet.line(entry, comment);
            let last = effective.exports.iter().rfind(|other| other.mount == export.mount);
            if last.is_some_and(|last| std::ptr::eq(last, export)) {
                let overridden = self.overridden.iter().filter(|other| other.mount == export.mount);
                let origins: Vec<_> = overridden.map(|other| other.origin.clone()).collect();
                self.overrode(4, &origins);
            }
        }
    }
}

fn mode_of(export: &Export) -> &'static str {
    mode(&export.kind, export.private)
}

/// What stands behind `path:`, where it is not the mount path.
fn path(export: &Export) -> Option<String> {
    match &export.kind {
        ExportKind::Symlink { target } => Some(literal(target)),
        ExportKind::Execfd { command, .. } => Some(scalar(command)),
        ExportKind::Internal { descriptor } => Some(descriptor.to_string()),
        kind => source(kind)
            .filter(|source| source.host != export.mount)
            .map(|source| literal(&source.host.display().to_string())),
    }
}

/// Where what an export shows lies, when it is something of the host or of a node.
pub fn source(kind: &ExportKind) -> Option<&Source> {
    match kind {
        ExportKind::Bind { source, .. } | ExportKind::Overlay { source } | ExportKind::Device { source } => {
            Some(source)
        }
        _ => None,
    }
}

/// The word for an export's mode.
pub fn mode(kind: &ExportKind, private: bool) -> &'static str {
    match kind {
        ExportKind::Bind { access, file, .. } => match (access, private, file) {
            (Access::ReadOnly, false, false) => "Restricted",
            (Access::ReadOnly, false, true) => "RestrictedFile",
            (Access::ReadOnly, true, _) => "PrivateRestricted",
            (Access::ReadWrite, false, false) => "Public",
            (Access::ReadWrite, false, true) => "PublicFile",
            (Access::ReadWrite, true, false) => "Private",
            (Access::ReadWrite, true, true) => "PrivateFile",
        },
        ExportKind::Overlay { .. } => "Overlay",
        ExportKind::Symlink { .. } => "Symlink",
        ExportKind::Anonymous => "Anonymous",
        ExportKind::Execfd { .. } => "Execfd",
        ExportKind::Internal { .. } => "Internal",
        ExportKind::Device { .. } => "Device",
        ExportKind::Lock => "Lock",
        ExportKind::Tmpfs { .. } => "Tmpfs",
        ExportKind::Procfs => "Procfs",
        ExportKind::Mqueue => "Mqueue",
        ExportKind::Devfs => "Devfs",
        ExportKind::Passwd => "Passwd",
        ExportKind::Group => "Group",
    }
}
