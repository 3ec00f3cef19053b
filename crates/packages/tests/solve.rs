//! Requests against families: real RPMs, real databases, real repositories.

mod lab;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use lab::{Lab, add_repo, find, installed, package, ready, repo_in, steps, url, words};
use redpak_packages::Kind;
use redpak_packages::family::{Descendant, FamilyContext, FamilyNode};
use redpak_packages::options::Options;
use redpak_packages::transaction::{Nevra, Reason};

/// What every test needs.
const TOOLS: [&str; 3] = ["rpmbuild", "rpm", "createrepo_c"];

/// One repository for all tests of this program, built once, in cargo's directory for what tests leave, or where an
/// ordinary user may write.
fn demo() -> &'static Path {
    static DEMO: OnceLock<PathBuf> = OnceLock::new();
    DEMO.get_or_init(|| {
        let cargos = Path::new(env!("CARGO_TARGET_TMPDIR")).join("solve");
        let _ = std::fs::remove_dir_all(&cargos);
        let directory = match std::fs::create_dir(&cargos) {
            Ok(()) => cargos,
            Err(_) => std::env::temp_dir().join(format!("redpak-solve-{}", std::process::id())),
        };
        repo_in(
            &directory,
            "demo",
            &[
                package("lib", "1", &["Provides: lib.so.1"]),
                package("lib", "2", &["Provides: lib.so.1", "Provides: lib.so.2"]),
                package("app", "1", &["Requires: lib.so.1", "Recommends: docs", "file /usr/bin/app"]),
                package("app", "2", &["Requires: lib.so.1", "Recommends: docs", "file /usr/bin/app"]),
                package("docs", "1", &["Supplements: other"]),
                package("tool", "1", &["Requires: app", "Requires: helper"]),
                package("helper", "1", &[]),
                package("newer", "1", &["Requires: lib.so.2"]),
                package("broken", "1", &["Requires: libfoo.so.2()(64bit)"]),
                package("replaces-app", "3", &["Obsoletes: app < 3", "Provides: app = 3"]),
                package("enemy", "1", &["Conflicts: lib"]),
                package("user-of-file", "1", &["Requires: /opt/strange/file"]),
                package("owner-of-file", "1", &["file /opt/strange/file"]),
                package("fake-libc", "1", &["Provides: libc.so.6()(64bit)", "Provides: rtld(GNU_HASH)"]),
                package("needs-libc", "1", &["Requires: libc.so.6()(64bit)", "Requires: /bin/sh"]),
                package("bash", "99", &["Provides: /usr/bin/bash"]),
            ],
        )
    })
}

/// A bare family in a lab of its own, with the demo repository in the root node.
fn setup(paths: &[&str]) -> Option<(Lab, FamilyContext, PathBuf)> {
    if !ready(&TOOLS) {
        return None;
    }
    let repo = demo().to_owned();
    let lab = Lab::new();
    let family = lab.family(paths);
    add_repo(&family.nodes[0], "demo", &url(&repo), "");
    Some((lab, family, repo))
}

fn install(
    lab: &Lab,
    family: &FamilyContext,
    specs: &[&str],
) -> redpak_packages::Result<redpak_packages::solve::Resolution> {
    lab.session(family, Options::default()).install(&words(specs))
}

#[test]
fn dependencies_and_weak_ones_come_along() {
    let Some((lab, family, repo)) = setup(&["root"]) else { return };
    let resolution = install(&lab, &family, &["app-1"]).expect("solvable");
    assert_eq!(
        steps(&resolution),
        [
            "install app-1-1.noarch (user)",
            "install docs-1-1.noarch (weak)",
            "install lib-2-1.noarch (dependency)"
        ]
    );
    let source = resolution.transaction.steps[0].source.as_ref().expect("a source");
    assert_eq!(source.repo, "demo");
    assert_eq!(source.path, find(&repo, "app-1"));
    assert_eq!(
        source.checksum.as_ref().map(|(algorithm, digest)| (algorithm.as_str(), digest.len())),
        Some(("sha256", 64))
    );
    assert!(source.size > 0 && !source.gpgcheck);
    let options = Options { weak_deps: false, ..Options::default() };
    let resolution = lab.session(&family, options).install(&words(&["app-1"])).expect("solvable");
    assert_eq!(steps(&resolution).len(), 2);
}

#[test]
fn specs_of_every_form() {
    let Some((lab, family, repo)) = setup(&["root"]) else { return };
    let file = find(&repo, "helper-1").display().to_string();
    for (spec, expected) in [
        ("helper", "install helper-1-1.noarch (user)"),
        ("helper.noarch", "install helper-1-1.noarch (user)"),
        ("helper-1", "install helper-1-1.noarch (user)"),
        ("helper-1-1.noarch", "install helper-1-1.noarch (user)"),
        ("help*", "install helper-1-1.noarch (user)"),
        ("lib.so.2", "install lib-2-1.noarch (user)"),
        ("lib < 2", "install lib-1-1.noarch (user)"),
        ("/opt/strange/file", "install owner-of-file-1-1.noarch (user)"),
        (&file, "install helper-1-1.noarch (user)"),
    ] {
        let resolution = install(&lab, &family, &[spec]).unwrap_or_else(|error| panic!("{spec}: {error}"));
        assert_eq!(steps(&resolution), [expected], "{spec}");
    }
    let error = install(&lab, &family, &["helpr"]).expect_err("no such package");
    assert_eq!((error.kind, error.hint.as_deref()), (Kind::NotFound, Some("did you mean `helper`?")));
    let skipping = Options { skip_unavailable: true, ..Options::default() };
    let resolution = lab.session(&family, skipping).install(&words(&["helpr", "helper"])).expect("skips");
    assert_eq!((steps(&resolution).len(), resolution.skipped.len()), (1, 1));
}

#[test]
fn what_an_ancestor_has_is_not_installed_again() {
    let Some((lab, family, repo)) = setup(&["root", "root/platform", "root/platform/app"]) else { return };
    installed(&family.nodes[1], &repo, &["lib-1", "app-1"]);
    let resolution = install(&lab, &family, &["tool"]).expect("solvable");
    assert_eq!(
        steps(&resolution),
        ["install helper-1-1.noarch (dependency)", "install tool-1-1.noarch (user)"]
    );
    for spec in ["app", "app-1", "lib.so.1", "/usr/bin/app", "app-1-1.noarch"] {
        let resolution = install(&lab, &family, &[spec]).unwrap_or_else(|error| panic!("{spec}: {error}"));
        assert!(resolution.is_empty(), "{spec}: {:?}", steps(&resolution));
        assert_eq!(resolution.provided.len(), 1, "{spec}");
        assert_eq!(resolution.provided[0].node, "platform", "{spec}");
    }
    let provided = install(&lab, &family, &["app"]).expect("provided").provided.remove(0);
    assert_eq!(provided.to_string(), "app: provided by platform (app-1-1.noarch)");
}

#[test]
fn another_version_than_an_ancestors_is_refused() {
    let Some((lab, family, repo)) = setup(&["root", "root/child"]) else { return };
    installed(&family.nodes[0], &repo, &["lib-1", "app-1"]);
    for (spec, needle) in [
        ("app-2", "the node `root` has app-1-1.noarch"),
        // Dragged in: newer needs lib 2, and root has lib 1.
        ("newer", "lib-1-1.noarch of the node root"),
        ("replaces-app", "obsoletes app < 3 provided by app-1-1.noarch of the node root"),
        ("enemy", "conflicts with lib provided by lib-1-1.noarch of the node root"),
    ] {
        let error = install(&lab, &family, &[spec]).expect_err(spec);
        assert_eq!(error.kind, Kind::Refused, "{spec}: {error}");
        assert!(error.to_string().contains(needle), "{spec}: {error}");
    }
}

#[test]
fn forcenode_makes_a_copy_for_the_child() {
    let Some((lab, family, repo)) = setup(&["root", "root/child"]) else { return };
    installed(&family.nodes[0], &repo, &["lib-1", "app-1"]);
    let force = || Options { force_node: true, ..Options::default() };
    let resolution = lab.session(&family, force()).install(&words(&["lib", "newer"])).expect("forced");
    assert_eq!(steps(&resolution), ["install lib-2-1.noarch (user)", "install newer-1-1.noarch (user)"]);
    // The copy is what the child sees from then on.
    installed(&family.nodes[1], &repo, &["lib-2"]);
    let resolution = install(&lab, &family, &["newer"]).expect("solvable");
    assert_eq!(steps(&resolution), ["install newer-1-1.noarch (user)"]);
    let resolution =
        lab.session(&family, Options::default()).remove(&words(&["lib"])).expect("the child's copy");
    assert_eq!(steps(&resolution), ["remove lib-2-1.noarch"]);
}

#[test]
fn what_is_missing_is_named() {
    let Some((lab, family, _)) = setup(&["root"]) else { return };
    let error = install(&lab, &family, &["broken"]).expect_err("unsolvable");
    assert_eq!(error.kind, Kind::Unsolvable);
    let needle = "nothing provides libfoo.so.2()(64bit) needed by broken-1-1.noarch from repository demo";
    assert!(error.to_string().contains(needle), "{error}");
    let error = install(&lab, &family, &["enemy", "lib"]).expect_err("unsolvable");
    assert!(
        error.to_string().contains("conflicts with lib provided by lib-2-1.noarch from repository demo"),
        "{error}"
    );
}

#[test]
fn removal_takes_dependents_and_what_only_they_needed() {
    let Some((lab, family, repo)) = setup(&["root", "root/child"]) else { return };
    installed(&family.nodes[0], &repo, &["lib-1"]);
    installed(&family.nodes[1], &repo, &["~app-1", "tool-1", "~helper-1", "docs-1"]);
    let remove = |specs: &[&str]| lab.session(&family, Options::default()).remove(&words(specs));
    let all = ["remove app-1-1.noarch", "remove helper-1-1.noarch", "remove tool-1-1.noarch"];
    assert_eq!(steps(&remove(&["tool"]).expect("solvable")), all);
    let resolution = remove(&["app"]).expect("takes tool along");
    assert_eq!(steps(&resolution), all);
    // People see what they did not ask for.
    let names = |set: &BTreeSet<Nevra>| set.iter().map(|nevra| nevra.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&resolution.dependents), ["tool"]);
    assert_eq!(names(&resolution.unneeded), ["helper"]);
    let keep = Options { clean_deps: false, ..Options::default() };
    let resolution = lab.session(&family, keep).remove(&words(&["tool"])).expect("solvable");
    assert_eq!(steps(&resolution), ["remove tool-1-1.noarch"]);
    for (spec, kind, needle) in [
        ("lib", Kind::Refused, "lib-1-1.noarch belongs to the node `root`"),
        ("lib.so.1", Kind::Refused, "belongs to the node `root`"),
        ("nothing", Kind::NotFound, "no package of `child` matches: nothing"),
        ("newer", Kind::NotFound, "no package of `child` matches: newer"),
    ] {
        let error = remove(&[spec]).expect_err(spec);
        assert_eq!(error.kind, kind, "{spec}: {error}");
        assert!(error.to_string().contains(needle), "{spec}: {error}");
    }
}

#[test]
fn an_upgrade_changes_the_leaf_alone() {
    let Some((lab, family, repo)) = setup(&["root", "root/child"]) else { return };
    installed(&family.nodes[0], &repo, &["lib-1"]);
    installed(&family.nodes[1], &repo, &["~app-1"]);
    let resolution = lab
        .session(&family, Options { exclude: words(&["replaces-app"]), ..Options::default() })
        .upgrade(&[])
        .expect("solvable");
    assert_eq!(steps(&resolution), ["upgrade app-2-1.noarch (dependency) <- app-1-1.noarch"]);
    assert_eq!(resolution.transaction.base, Some(1));
    let error = lab.session(&family, Options::default()).upgrade(&words(&["lib"])).expect_err("root's");
    assert_eq!(error.kind, Kind::Refused);
    // What obsoletes takes the place.
    let resolution = lab.session(&family, Options::default()).upgrade(&[]).expect("solvable");
    assert_eq!(steps(&resolution), ["install replaces-app-3-1.noarch (dependency) <- app-1-1.noarch"]);
}

#[test]
fn asking_for_a_dependency_marks_it() {
    let Some((lab, family, repo)) = setup(&["root"]) else { return };
    installed(&family.nodes[0], &repo, &["~helper-1"]);
    let resolution = install(&lab, &family, &["helper"]).expect("there");
    assert_eq!(steps(&resolution), Vec::<String>::new());
    let marks: Vec<_> =
        resolution.transaction.marks.iter().map(|(nevra, reason)| (nevra.to_string(), *reason)).collect();
    assert_eq!(marks, [("helper-1-1.noarch".to_owned(), Reason::User)]);
    assert_eq!(resolution.already.len(), 1);
}

fn below(family: &FamilyContext, node: &FamilyNode, between: &[&FamilyNode]) -> FamilyContext {
    let between = between.iter().map(|node| (*node).clone()).collect();
    FamilyContext { descendants: vec![Descendant { node: node.clone(), between }], ..family.clone() }
}

#[test]
fn a_change_that_breaks_a_descendant_is_refused() {
    let Some((lab, family, repo)) = setup(&["root"]) else { return };
    let (middle, low) = (lab.node("root/middle"), lab.node("root/middle/low"));
    installed(&family.nodes[0], &repo, &["lib-2", "app-1", "~helper-1", "docs-1"]);
    installed(&low, &repo, &["newer-1"]);
    let family = below(&family, &low, &[&middle]);
    let session = || lab.session(&family, Options::default());
    let error = session().remove(&words(&["lib"])).expect_err("low needs it");
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.to_string().contains("newer-1-1.noarch of the node low requires lib.so.2"), "{error}");
    assert_eq!(
        steps(&session().remove(&words(&["docs"])).expect("nobody needs it")),
        ["remove docs-1-1.noarch"]
    );
    // An ancestor gaining what a child has.
    let error = session().install(&words(&["newer"])).expect_err("low has it");
    assert!(error.to_string().contains("the node low has newer-1-1.noarch of its own"), "{error}");
    // Something that conflicts with what a child has.
    installed(&low, &repo, &["enemy-1"]);
    let bare_root = lab.node("root");
    installed(&bare_root, &repo, &["docs-1"]);
    let error = session().install(&words(&["lib"])).expect_err("low's enemy conflicts");
    assert!(error.to_string().contains("enemy-1-1.noarch of the node low conflicts with lib"), "{error}");
}

#[test]
fn what_a_descendant_needs_is_not_cleaned_up() {
    let Some((lab, family, repo)) = setup(&["root"]) else { return };
    let low = lab.node("root/low");
    installed(&family.nodes[0], &repo, &["~lib-1", "app-1", "~helper-1", "tool-1"]);
    let session = |family: &FamilyContext| lab.session(family, Options::default());
    let all = [
        "remove app-1-1.noarch",
        "remove helper-1-1.noarch",
        "remove lib-1-1.noarch",
        "remove tool-1-1.noarch",
    ];
    assert_eq!(steps(&session(&family).remove(&words(&["tool", "app"])).expect("solvable")), all);
    installed(&low, &repo, &["replaces-app-3", "user-of-file-1"]);
    let with_low = below(&family, &low, &[]);
    // What was broken before is nobody's fault.
    assert_eq!(steps(&session(&with_low).remove(&words(&["tool", "app"])).expect("solvable")), all);
    installed(&low, &repo, &["app-2"]);
    installed(&family.nodes[0], &repo, &["~lib-1", "docs-1", "~helper-1"]);
    let resolution = session(&with_low).autoremove().expect("solvable");
    assert_eq!(steps(&resolution), ["remove helper-1-1.noarch"]);
}

#[test]
fn the_host_offers_and_is_not_changed() {
    if !ready(&["/var/lib/dpkg/status"]) {
        return;
    }
    let Some((lab, mut family, _)) = setup(&["root", "root/child"]) else { return };
    family.bare = false;
    family.host.exports = vec![("/usr".into(), "/usr".into())];
    family.host.links = vec![
        ("/bin".into(), "usr/bin".into()),
        ("/lib".into(), "usr/lib".into()),
        ("/lib64".into(), "usr/lib64".into()),
    ];
    for round in ["fresh", "from the cache"] {
        let resolution =
            install(&lab, &family, &["needs-libc"]).unwrap_or_else(|error| panic!("{round}: {error}"));
        assert_eq!(steps(&resolution), ["install needs-libc-1-1.noarch (user)"], "{round}");
        // The host's bash satisfies requirements, and the repository's is installed when it is asked for.
        assert_eq!(
            steps(&install(&lab, &family, &["bash"]).expect(round)),
            ["install bash-99-1.noarch (user)"],
            "{round}"
        );
    }
    let error = install(&lab, &family, &["fake-libc"]).expect_err("the host has a libc");
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.to_string().contains("which the host has"), "{error}");
    let error = install(&lab, &family, &["user-of-file", "broken"]).expect_err("unsolvable");
    assert!(error.to_string().contains("nothing provides libfoo"), "{error}");
    family.nodes.truncate(1);
    let error = install(&lab, &family, &["app"]).expect_err("the root node is the host");
    assert!(error.to_string().contains("the root node's packages are the host's"), "{error}");
}

#[test]
fn declared_provides_count() {
    let Some((lab, mut family, _)) = setup(&["root", "root/child"]) else { return };
    family.bare = false;
    let error = install(&lab, &family, &["broken"]).expect_err("unsolvable");
    assert_eq!(error.kind, Kind::Unsolvable);
    family.host_provides = words(&["libfoo.so.2()(64bit)", "thing = 1.2-3"]);
    assert_eq!(
        steps(&install(&lab, &family, &["broken"]).expect("declared")),
        ["install broken-1-1.noarch (user)"]
    );
    family.host_provides = words(&["a ~~ b"]);
    let error = lab.try_session(&family, Options::default()).err().expect("no dependency");
    assert_eq!(error.kind, Kind::Config);
}
