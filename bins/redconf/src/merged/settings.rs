//! The `config` section.

use std::path::Path;

use redpak_model::effective::{Account, Inheritance, Share, Sourced};

use super::Writer;
use super::defaults;
use super::sheet::literal;

fn path(path: &Path) -> String {
    literal(&path.display().to_string())
}

fn switch(set: &bool) -> String {
    if *set { "enabled" } else { "disabled" }.to_owned()
}

fn text(text: &str) -> String {
    literal(text)
}

fn number(set: &bool) -> String {
    u8::from(*set).to_string()
}

fn share(share: &Share) -> String {
    match share {
        Share::Shared => "enabled".to_owned(),
        Share::Isolated => "disabled".to_owned(),
        Share::Join(path) => literal(&path.display().to_string()),
    }
}

fn account(account: &Account) -> String {
    match account {
        Account::Name(name) => literal(name),
        Account::Id(id) => id.to_string(),
    }
}

fn inheritance(inheritance: &Inheritance) -> String {
    match inheritance {
        Inheritance::Strict => "strict",
        Inheritance::Compatible => "compatible",
    }
    .to_owned()
}

impl Writer<'_> {
    /// In the order of the schema.
    pub(super) fn settings(&mut self) {
        let settings = &self.effective.settings;
        self.sheet.line("config:", "");
        self.set("rpmdir", settings.rpmdir.as_ref(), |set| path(set));
        self.set("persistdir", settings.persistdir.as_ref(), |set| path(set));
        self.set("cachedir", settings.cachedir.as_ref(), |set| path(set));
        self.items("path", &settings.path);
        self.items("ldpath", &settings.ldpath);
        self.set("umask", settings.umask.as_ref(), |mask| format!("\"{mask:03o}\""));
        self.set("set-user", settings.set_user.as_ref(), account);
        self.set("set-group", settings.set_group.as_ref(), account);
        self.set("smack", settings.smack.as_ref(), |set| text(set));
        self.set("selinux", settings.selinux.as_ref(), |set| text(set));
        self.set("apparmor", settings.apparmor.as_ref(), |set| text(set));
        self.set("map-root-user", settings.map_root_user.as_ref(), number);
        self.set("verbose", settings.verbose.as_ref(), i64::to_string);
        self.set("gpgcheck", settings.gpgcheck.as_ref(), bool::to_string);
        self.set("unsafe", settings.r#unsafe.as_ref(), bool::to_string);
        self.set("inherit-env", settings.inherit_env.as_ref(), bool::to_string);
        self.set("die-with-parent", settings.die_with_parent.as_ref(), switch);
        self.set("new-session", settings.new_session.as_ref(), switch);
        self.set("share_user", settings.share.user.as_ref(), share);
        self.set("share_cgroup", settings.share.cgroup.as_ref(), share);
        self.set("share_net", settings.share.net.as_ref(), share);
        self.set("share_pid", settings.share.pid.as_ref(), share);
        self.set("share_ipc", settings.share.ipc.as_ref(), share);
        self.set("share_time", settings.share.time.as_ref(), share);
        self.time_offsets();
        self.set("hostname", settings.hostname.as_ref(), |set| text(set));
        self.set("chdir", settings.chdir.as_ref(), |set| text(set));
        self.set("cgrouproot", settings.cgrouproot.as_ref(), |set| path(set));
        self.cgroups();
        self.capabilities();
        self.set("inheritance", settings.inheritance.as_ref(), inheritance);
        self.host_provides();
        self.seccomp();
        self.landlock();
        self.rlimits();
        self.sheet.note(2, "what nobody says:");
        for default in defaults::settings(settings) {
            if default.said {
                let value = if default.key == "umask" {
                    format!("\"{}\"", default.value)
                } else {
                    default.value.clone()
                };
                self.sheet.line(format!("  {}: {value}", default.key), "default");
            } else {
                self.sheet.note(2, &format!("{}: {} (default)", default.key, default.value));
            }
        }
    }

    fn set<T>(&mut self, key: &str, set: Option<&Sourced<T>>, show: impl Fn(&T) -> String) {
        if let Some(set) = set {
            self.line(2, &format!("{key}: "), set, show);
        }
        let what = format!("`{key}`");
        for unjudged in self.effective.unjudged.iter().filter(|left| left.left_out && left.what == what) {
            let at = self.at(&unjudged.origin);
            self.sheet.note(4, &format!("not judged, a command decides it: {} of {at}", unjudged.text));
        }
    }

    /// A value behind what leads to it, its origin, what it overrode.
    pub(super) fn line<T>(
        &mut self,
        indent: usize,
        lead: &str,
        set: &Sourced<T>,
        show: impl Fn(&T) -> String,
    ) {
        let key = lead.trim_end_matches([':', ' ']);
        let unjudged = self.unjudged(&format!("`{key}`"), &set.origin);
        let value = unjudged.map_or_else(|| show(&set.value), |unjudged| super::scalar(&unjudged.text));
        let comment = self.comment(&set.origin, unjudged.is_some());
        self.sheet.line(format!("{:indent$}{lead}{value}", ""), comment);
        self.overrode(indent + 2, &set.overrode);
    }

    fn time_offsets(&mut self) {
        let offsets = &self.effective.settings.time_offsets;
        if offsets.monotonic.is_none() && offsets.boottime.is_none() {
            return;
        }
        self.sheet.line("  time-offsets:", "");
        for (key, set) in [("monotonic", &offsets.monotonic), ("boottime", &offsets.boottime)] {
            if let Some(set) = set {
                self.line(4, &format!("{key}: "), set, i64::to_string);
            }
        }
    }

    fn capabilities(&mut self) {
        let capabilities = &self.effective.settings.capabilities;
        if capabilities.is_empty() {
            return;
        }
        let name_width = capabilities.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 1;
        self.sheet.line("  capabilities:", "");
        for (name, keep) in capabilities {
            let name = format!("{name},");
            let show = |keep: &bool| format!("{{cap: {name:name_width$} add: {}}}", u8::from(*keep));
            self.line(4, "- ", keep, show);
        }
    }

    fn host_provides(&mut self) {
        let provides = &self.effective.settings.host_provides;
        if provides.is_empty() {
            return;
        }
        self.sheet.line("  host-provides:", "");
        for provided in provides {
            self.line(4, "- ", provided, |provided| text(provided));
        }
    }
}
