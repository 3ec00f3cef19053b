//! What a transaction may not leave in a node.

use redpak_packages::execute::ExecuteErrorKind;
use redpak_packages::transaction::{Action, Nevra};

use crate::Test;
use crate::fixture::{Fixture, replace, step};

pub const TESTS: &[Test] = &[
    ("what_is_not_the_nodes_own_cannot_be_removed", what_is_not_the_nodes_own_cannot_be_removed),
    ("the_database_is_not_for_scriptlets", the_database_is_not_for_scriptlets),
    ("accounts_are_not_for_scriptlets", accounts_are_not_for_scriptlets),
    ("payloads_have_their_places", payloads_have_their_places),
    ("what_was_not_decided_is_not_done", what_was_not_decided_is_not_done),
    ("another_base_is_refused", another_base_is_refused),
];

fn what_is_not_the_nodes_own_cannot_be_removed() {
    let mut f = Fixture::new();
    for script in ["rm /usr/bin/env", "rm -r /usr/share/common-licenses && mkdir /usr/share/common-licenses"]
    {
        let package = f.one_file("remover", "1", "/usr/share/remover", &format!("%post\n{script}\n"));
        let error = f.refused(vec![step(Action::Install, &package)]);
        if crate::fixture::is_root() {
            assert_eq!(error.kind, ExecuteErrorKind::Result, "{error}: {:?}", error.output);
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(
                source.contains("/usr/bin/env") || source.contains("/usr/share/common-licenses"),
                "{source}"
            );
        } else {
            // Files of another owner cannot even be marked.
            assert!(matches!(error.kind, ExecuteErrorKind::Result | ExecuteErrorKind::Scriptlet), "{error}");
        }
    }
    assert!(std::path::Path::new("/usr/bin/env").exists());
}

/// A scriptlet has root's rights in the sandbox, and the database lies in it. librpm does not notice: it has it open.
fn the_database_is_not_for_scriptlets() {
    let mut f = Fixture::new();
    let good = f.one_file("good", "1", "/usr/share/good", "");
    f.install(&[&good]).unwrap();
    let place = "/usr/lib/sysimage/rpm";
    for script in [
        format!("rm -f {place}/*"),
        format!("rm -f {place}/*; cp {place}.kept {place}/rpmdb.sqlite"),
        format!("rm -f {place}/*; echo x > {place}/rpmdb.sqlite"),
    ] {
        let scripts = format!("%pre\ncp {place}/rpmdb.sqlite {place}.kept\n%posttrans\n{script}\n");
        let package = f.one_file("eraser", "1", "/usr/share/eraser", &scripts);
        let error = f.refused(vec![step(Action::Install, &package)]);
        assert!(matches!(error.kind, ExecuteErrorKind::Result | ExecuteErrorKind::Rpm), "{script}: {error}");
    }
}

fn accounts_are_not_for_scriptlets() {
    let mut f = Fixture::new();
    for file in ["shadow", "subuid", "gshadow", "shadow-"] {
        let script = format!("%post\necho x > /etc/{file}\n");
        let package = f.one_file("accounts", "1", "/usr/share/accounts", &script);
        let error = f.refused(vec![step(Action::Install, &package)]);
        assert_eq!(error.kind, ExecuteErrorKind::Result, "{file}: {error}");
        assert!(error.to_string().contains(&format!("/etc/{file}")), "{error}");
    }
    let script = "%post\necho u:x:1000:1000::/:/bin/sh >> /etc/passwd || exit 1\n";
    let package = f.one_file("accounts", "1", "/usr/share/accounts", script);
    f.refused(vec![step(Action::Install, &package)]);
}

fn payloads_have_their_places() {
    let mut f = Fixture::new();
    for path in [
        "/srv/www/file",
        "/home/user/.profile",
        "/etc/redpak.yaml",
        "/etc/redpak-admin.yaml",
        "/etc/yum.repos.d/evil.repo",
        "/usr/share/x/.rednode.yaml",
        "/opt/.redpak/file",
        "/usr/lib/sysimage/rpm/rpmdb.sqlite",
        "/var/lib/rpm/Packages",
        "/proc/file",
    ] {
        let package = f.one_file("payload", "1", path, "");
        let error = f.refused(vec![step(Action::Install, &package)]);
        assert_eq!(error.kind, ExecuteErrorKind::Payload, "{path}: {error}");
        assert!(error.to_string().contains(path) && error.to_string().contains("payload-1-1"), "{error}");
        assert!(!f.events.iter().any(|event| matches!(event, redpak_packages::execute::Event::Begin { .. })));
    }
}

fn what_was_not_decided_is_not_done() {
    let mut f = Fixture::new();
    let old = f.one_file("old", "1", "/usr/share/old", "");
    f.install(&[&old]).unwrap();
    let new = f.one_file("new", "1", "/usr/share/new", "");
    f.install(&[&new]).unwrap();
    let obsoletes = f.build(
        "Name: new\nVersion: 2\nRelease: 1\nSummary: t\nLicense: n\nBuildArch: noarch\nObsoletes: old\n\
         %description\nt\n%files\n",
    );
    let error = f.refused(vec![replace(Action::Upgrade, &obsoletes, &new)]);
    assert_eq!(error.kind, ExecuteErrorKind::Rpm);
    assert!(error.to_string().contains("old-1-1.noarch"), "{error}");
    // What is to go, and is not there.
    let mut gone = step(Action::Remove, &old);
    gone.nevra = Nevra { version: "9".into(), ..gone.nevra };
    let error = f.refused(vec![gone]);
    assert!(error.to_string().contains("old-9-1.noarch"), "{error}");
    // Two packages with the same file.
    let same = f.one_file("same", "1", "/usr/share/old", "");
    let error = f.refused(vec![step(Action::Install, &same)]);
    assert!(error.to_string().contains("/usr/share/old"), "{error}");
    f.options.replace_files = true;
    f.install(&[&same]).unwrap();
}

fn another_base_is_refused() {
    let mut f = Fixture::new();
    let package = f.one_file("late", "1", "/usr/share/late", "");
    let mut transaction = f.transaction(vec![step(Action::Install, &package)]);
    transaction.base = Some(7);
    let (lock, stage) = f.stage();
    let plan = f.plan(&stage);
    let error = redpak_packages::execute::run(redpak_packages::execute::ExecuteRequest {
        transaction: &transaction,
        plan,
        lock: &lock,
        stage,
        keys: &f.keys,
        command: "",
        options: f.options.clone(),
        progress: &mut |_| {},
    })
    .unwrap_err();
    assert_eq!(error.kind, ExecuteErrorKind::Store);
    drop(lock);
    f.options.program = "/nonexistent".into();
    assert_eq!(f.refused(vec![step(Action::Install, &package)]).kind, ExecuteErrorKind::System);
}
