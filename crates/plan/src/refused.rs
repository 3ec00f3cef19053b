//! What a plan refuses by name: keys that no launch has an effect for yet, and values that a command decides which was
//! not run. Never left out in silence: each of them narrows what runs.

use redpak_diagnostics::{Finding, Place};
use redpak_model::codes::{NOT_JUDGED, NOT_SUPPORTED};
use redpak_model::effective::{
    Effective, ExportKind, Origin, Settings, Share, Sourced, Unjudged, VariableAction,
};

/// One finding, an error, for each value that cannot be put in force.
pub fn refused(effective: &Effective) -> Vec<Finding> {
    let mut refused = Refused(Vec::new());
    let settings = &effective.settings;
    refused.identity(settings);
    refused.namespaces(settings);
    refused.limits(settings);
    refused.0
}

struct Refused(Vec<Finding>);

impl Refused {
    fn key(&mut self, key: &str, place: &Place) {
        self.0.push(
            Finding::error(NOT_SUPPORTED, format!("not supported yet: `{key}`"))
                .with_place(place.clone())
                .with_hint("remove it to launch without it; `redconf check` judges it all the same"),
        );
    }

    fn set<T>(&mut self, key: &str, value: Option<&Sourced<T>>) {
        if let Some(value) = value {
            self.key(key, &value.origin.place);
        }
    }

    fn identity(&mut self, settings: &Settings) {
        self.set("set-user", settings.set_user.as_ref());
        self.set("set-group", settings.set_group.as_ref());
        self.set("smack", settings.smack.as_ref());
        self.set("selinux", settings.selinux.as_ref());
        self.set("apparmor", settings.apparmor.as_ref());
    }

    fn namespaces(&mut self, settings: &Settings) {
        let share = &settings.share;
        for (key, value) in [
            ("share_user", &share.user),
            ("share_cgroup", &share.cgroup),
            ("share_net", &share.net),
            ("share_pid", &share.pid),
            ("share_ipc", &share.ipc),
        ] {
            if let Some(Sourced { value: Share::Join(path), origin, .. }) = value {
                self.key(&format!("{key}: {}", path.display()), &origin.place);
            }
        }
        // To share the host's clocks is what every launch does.
        let time = share.time.as_ref().filter(|time| time.value != Share::Shared);
        self.set("share_time", time);
        self.set("time-offsets.monotonic", settings.time_offsets.monotonic.as_ref());
        self.set("time-offsets.boottime", settings.time_offsets.boottime.as_ref());
    }

    fn limits(&mut self, settings: &Settings) {
        self.set("cgrouproot", settings.cgrouproot.as_ref());
        for limits in &settings.cgroups {
            // One a node: the group is what is missing, not each of its files.
            self.set("cgroups", limits.files.first().map(|(_, value)| value));
        }
        settings.seccomp.iter().for_each(|filter| self.set("seccomp", Some(filter)));
        settings.landlock.iter().for_each(|rules| self.set("landlock", Some(rules)));
        for (name, limit) in &settings.rlimits {
            self.set(&format!("rlimits.{name}"), Some(limit));
        }
    }
}

/// One finding, an error, for each value that a command decides which was not run.
pub fn unjudged(effective: &Effective) -> Vec<Finding> {
    let found = |what: &str, text: &str, place: &Place| {
        Finding::error(NOT_JUDGED, format!("a command decides {what} and was not run: `{text}`"))
            .with_place(place.clone())
            .with_hint(
                "nothing is launched without its output; `--dump-only` shows the plan as far as it is known",
            )
    };
    let mut findings: Vec<Finding> =
        effective.unjudged.iter().map(|one| found(&one.what, &one.text, &one.origin.place)).collect();
    let told =
        |command: &str, entry: &Origin| effective.unjudged.iter().any(|one| decides(one, command, entry));
    for export in &effective.exports {
        if let ExportKind::Execfd { command, output: None } = &export.kind
            && !told(command, &export.origin)
        {
            let what = format!("the export at `{}`", export.mount.display());
            findings.push(found(&what, command, &export.origin.place));
        }
    }
    for variable in &effective.environ {
        if let VariableAction::Command(command) = &variable.value.action
            && !told(command, &variable.origin)
        {
            let what = format!("the variable `{}`", variable.value.key);
            findings.push(found(&what, command, &variable.origin.place));
        }
    }
    findings
}

/// Whether this is said of a command of an entry: it stands in the same file, at the value's place.
pub(crate) fn decides(one: &Unjudged, command: &str, entry: &Origin) -> bool {
    one.text == command && (one.origin.node, one.origin.layer) == (entry.node, entry.layer)
}
