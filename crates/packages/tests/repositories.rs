//! Repositories on disk and over HTTP: what is kept, what is refused, what is fetched and compared.

mod lab;

use std::fs;
use std::path::{Path, PathBuf};

use lab::{Lab, add_repo, createrepo, find, installed, package, ready, serve, steps, url, words};
use redpak_packages::Kind;
use redpak_packages::cache::Cache;
use redpak_packages::family::{Descendant, FamilyContext};
use redpak_packages::fetch::digest::sha256;
use redpak_packages::metadata::Freshness;
use redpak_packages::options::Options;
use redpak_packages::queries::{Property, Which};
use redpak_solv::DepKind;

const TOOLS: [&str; 3] = ["rpmbuild", "rpm", "createrepo_c"];
const ALL: Which = Which { installed: true, family: true, available: true };

fn setup() -> Option<(Lab, FamilyContext, PathBuf)> {
    if !ready(&TOOLS) {
        return None;
    }
    let lab = Lab::new();
    let repo = lab.repo(
        "demo",
        &[
            package("app", "1", &["Requires: lib", "file /usr/bin/app one", "file /usr/share/app/data x"]),
            package("lib", "1", &["Provides: lib.so.1", "file /usr/lib/lib.so.1"]),
            package("other", "1", &["file /usr/bin/app two"]),
            package("same", "1", &["file /usr/bin/app one"]),
            package("linked", "1", &["file /bin/app three"]),
        ],
    );
    let family = lab.family(&["root", "root/child"]);
    add_repo(&family.nodes[0], "demo", &url(&repo), "");
    Some((lab, family, repo))
}

#[test]
fn metadata_is_kept_and_not_read_again() {
    let Some((lab, family, repo)) = setup() else { return };
    let session = lab.session(&family, Options::default());
    assert_eq!(session.list(ALL, &[]).len(), 5);
    // The XML is gone, and what libsolv made of it is there.
    for entry in fs::read_dir(repo.join("repodata")).expect("there").flatten() {
        if entry.file_name() != "repomd.xml" {
            fs::remove_file(entry.path()).expect("writable");
        }
    }
    let session = lab.session(&family, Options::default());
    assert_eq!(session.list(ALL, &[]).len(), 5);
    assert_eq!(
        session.universe.pool.owners("/usr/share/app/data", redpak_solv::Match::Exact).len(),
        1,
        "file lists"
    );
    fs::remove_dir_all(&repo).expect("writable");
    let offline = Options { freshness: Freshness::CacheOnly, ..Options::default() };
    assert_eq!(lab.session(&family, offline.clone()).list(ALL, &[]).len(), 5);
    // What is kept is used, with a warning, when the repository does not answer.
    let session = lab.session(&family, Options::default());
    assert_eq!((session.list(ALL, &[]).len(), session.warnings().len()), (5, 1));
    Cache::at(&lab.path().join("cache")).clean(true, true).expect("cleans");
    let error = lab.try_session(&family, offline).err().expect("nothing is kept");
    assert_eq!(error.kind, Kind::Network);
}

#[test]
fn older_metadata_than_was_seen_is_not_used() {
    let Some((lab, family, repo)) = setup() else { return };
    let old = lab.path().join("old");
    let set_time = |to: &str| {
        let path = repo.join("repodata/repomd.xml");
        let text = fs::read_to_string(&path).expect("there");
        let (mut out, mut rest) = (String::new(), text.as_str());
        while let Some((before, after)) = rest.split_once("<timestamp>") {
            out += &format!("{before}<timestamp>{to}");
            rest = &after[after.find('<').expect("closed")..];
        }
        fs::write(&path, out + rest).expect("writable");
    };
    set_time("1000");
    lab::run(std::process::Command::new("cp").arg("-a").arg(repo.join("repodata")).arg(&old));
    assert_eq!(lab.session(&family, Options::default()).list(ALL, &[]).len(), 5);
    fs::remove_file(find(&repo, "same-1")).expect("there");
    createrepo(&repo);
    set_time("2000");
    assert_eq!(lab.session(&family, Options::default()).list(ALL, &[]).len(), 4);
    // Somebody serves the old state again.
    fs::remove_dir_all(repo.join("repodata")).expect("there");
    fs::rename(&old, repo.join("repodata")).expect("writable");
    let session = lab.session(&family, Options::default());
    assert_eq!(session.list(ALL, &[]).len(), 4, "what is kept is used");
    assert!(session.warnings()[0].contains("older"), "{:?}", session.warnings());
    // `clean` does not forget what was seen.
    Cache::at(&lab.path().join("cache")).clean(true, true).expect("cleans");
    let error = lab.try_session(&family, Options::default()).err().expect("refused");
    assert_eq!(error.kind, Kind::Integrity, "{error}");
}

/// A repository with a primary.xml of this text.
fn forged(lab: &Lab, primary: &str, open_size: Option<usize>) -> PathBuf {
    let repo = lab.path().join("forged");
    fs::create_dir_all(repo.join("repodata")).expect("writable");
    fs::write(repo.join("repodata/primary.xml"), primary).expect("writable");
    let size = primary.len();
    let repomd = format!(
        "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><revision>1</revision><data type=\"primary\">\
         <checksum type=\"sha256\">{}</checksum><location href=\"repodata/primary.xml\"/><timestamp>1</timestamp>\
         <size>{size}</size><open-size>{}</open-size></data></repomd>",
        sha256(primary.as_bytes()),
        open_size.unwrap_or(size),
    );
    fs::write(repo.join("repodata/repomd.xml"), repomd).expect("writable");
    repo
}

fn primary(location: &str, checksum: &str) -> String {
    format!(
        "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" \
         packages=\"1\"><package type=\"rpm\"><name>evil</name><arch>noarch</arch><version epoch=\"0\" ver=\"1\" rel=\"1\"/>\
         {checksum}<summary>x</summary><description/><size package=\"10\" installed=\"1\" archive=\"1\"/>{location}\
         <format><rpm:provides><rpm:entry name=\"evil\" flags=\"EQ\" epoch=\"0\" ver=\"1\" rel=\"1\"/></rpm:provides></format>\
         </package></metadata>"
    )
}

#[test]
fn forged_metadata_is_refused() {
    let Some((lab, family, _)) = setup() else { return };
    let good = format!("<checksum type=\"sha256\" pkgid=\"YES\">{}</checksum>", "0".repeat(64));
    for (name, location, checksum, open_size) in [
        ("traversal", "<location href=\"../../evil.rpm\"/>", good.as_str(), None),
        ("absolute", "<location href=\"/etc/passwd\"/>", &good, None),
        ("another scheme", "<location href=\"file:///etc/passwd\"/>", &good, None),
        ("another server", "<location xml:base=\"http://evil/\" href=\"evil.rpm\"/>", &good, None),
        ("no location", "", &good, None),
        ("no checksum", "<location href=\"evil.rpm\"/>", "", None),
        ("larger than it says", "<location href=\"evil.rpm\"/>", &good, Some(10)),
    ] {
        let repo = forged(&lab, &primary(location, checksum), open_size);
        add_repo(&family.nodes[0], "forged", &url(&repo), "");
        Cache::at(&lab.path().join("cache")).clean(true, true).expect("cleans");
        let error = lab
            .try_session(&family, Options::default())
            .and_then(|mut session| session.install(&words(&["evil"])))
            .err()
            .unwrap_or_else(|| panic!("{name} is refused"));
        assert!(matches!(error.kind, Kind::Integrity | Kind::Metadata), "{name}: {error}");
    }
}

#[test]
fn altered_metadata_and_packages_are_noticed() {
    let Some((lab, family, repo)) = setup() else { return };
    let mut session = lab.session(&family, Options::default());
    let resolution = session.install(&words(&["app"])).expect("solvable");
    session.download(&resolution.transaction, &|_, _| {}).expect("as it was");
    let file = find(&repo, "app-1");
    let mut content = fs::read(&file).expect("there");
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&file, content).expect("writable");
    let error = session.download(&resolution.transaction, &|_, _| {}).expect_err("altered");
    assert_eq!(error.kind, Kind::Integrity);
    Cache::at(&lab.path().join("cache")).clean(true, false).expect("cleans");
    let primary = fs::read_dir(repo.join("repodata")).expect("there").flatten().map(|entry| entry.path());
    let primary =
        primary.filter(|path| path.to_string_lossy().ends_with("primary.xml.gz")).last().expect("one");
    let mut content = fs::read(&primary).expect("there");
    content[100] ^= 1;
    fs::write(&primary, content).expect("writable");
    let error = lab.try_session(&family, Options::default()).err().expect("altered");
    assert_eq!(error.kind, Kind::Integrity, "{error}");
    // A repository that may be left out is left out.
    add_repo(&family.nodes[0], "demo", &url(&repo), "skip_if_unavailable=1");
    let session = lab.session(&family, Options::default());
    assert_eq!((session.list(ALL, &[]).len(), session.warnings().len()), (0, 1));
}

#[test]
fn packages_come_over_http_and_stay() {
    let Some((lab, family, repo)) = setup() else { return };
    let served = lab.path().join("served");
    fs::rename(&repo, &served).expect("writable");
    add_repo(&family.nodes[0], "demo", &serve(&served), "proxy=_none_");
    let mut session = lab.session(&family, Options::default());
    let resolution = session.install(&words(&["app"])).expect("solvable");
    assert_eq!(steps(&resolution).len(), 2);
    assert!(session.download_size(&resolution.transaction) > 0);
    let came = std::sync::atomic::AtomicU64::new(0);
    let count = |_: &redpak_packages::fetch::Want, bytes| {
        came.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    };
    session.download(&resolution.transaction, &count).expect("comes");
    let sizes: u64 =
        resolution.transaction.steps.iter().filter_map(|step| step.source.as_ref()).map(|s| s.size).sum();
    assert_eq!(came.into_inner(), sizes);
    assert_eq!(session.download_size(&resolution.transaction), 0);
    // Without the server: the metadata is fresh enough, and the packages are there.
    fs::remove_dir_all(&served).expect("writable");
    let mut session = lab.session(&family, Options::default());
    let resolution = session.install(&words(&["app"])).expect("solvable");
    session.download(&resolution.transaction, &|_, _| {}).expect("from the cache");
    // A package of the cache that was altered is fetched again, and the server is gone.
    fs::write(&resolution.transaction.steps[0].source.as_ref().expect("a source").path, b"x")
        .expect("writable");
    assert_eq!(session.download(&resolution.transaction, &|_, _| {}).expect_err("gone").kind, Kind::Network);
}

#[test]
fn files_of_ancestors_are_not_shadowed() {
    let Some((lab, family, repo)) = setup() else { return };
    installed(&family.nodes[0], &repo, &["app-1", "lib-1"]);
    let check = |family: &FamilyContext, spec: &str| {
        let mut session = lab.session(family, Options::default());
        let resolution = session.install(&words(&[spec])).expect("solvable");
        session.check_files(&resolution)
    };
    let error = check(&family, "other").expect_err("app has the file");
    assert_eq!(error.kind, Kind::Refused);
    assert!(
        error
            .to_string()
            .contains("/usr/bin/app of other-1-1.noarch is in app-1-1.noarch of the node root too"),
        "{error}"
    );
    let error = check(&family, "linked").expect_err("/bin is /usr/bin");
    assert!(error.to_string().contains("/bin/app (the same place as /usr/bin/app)"), "{error}");
    check(&family, "same").expect("the same content is no shadowing");
    // Two new packages.
    let alone = lab.family(&["alone"]);
    add_repo(&alone.nodes[0], "demo", &url(&repo), "");
    let mut session = lab.session(&alone, Options::default());
    let resolution = session.install(&words(&["app", "other"])).expect("solvable");
    let error = session.check_files(&resolution).expect_err("both have the file");
    assert!(error.to_string().contains("/usr/bin/app"), "{error}");
    // An ancestor gaining a file that a descendant's package has otherwise.
    let low = lab.node("alone/low");
    installed(&low, &repo, &["other-1"]);
    let above = FamilyContext { descendants: vec![Descendant { node: low, between: Vec::new() }], ..alone };
    let error = check(&above, "app").expect_err("low's other has the file");
    assert!(error.to_string().contains("is in other-1-1.noarch of the node low too"), "{error}");
}

#[test]
fn a_database_that_was_altered_is_not_believed() {
    let Some((lab, family, repo)) = setup() else { return };
    installed(&family.nodes[0], &repo, &["app-1", "lib-1"]);
    let generation = family.nodes[0].redpath.join(".redpak/gen/1");
    let database = generation.join("usr/lib/sysimage/rpm/rpmdb.sqlite");
    let original = fs::read(&database).expect("there");
    let manifest = generation.join("manifest.json");
    let mut text: serde_json::Value =
        serde_json::from_slice(&fs::read(&manifest).expect("there")).expect("JSON");
    text["rpmdb"] = serde_json::json!({"sha256": sha256(&original), "packages": 2, "size": original.len()});
    fs::write(&manifest, text.to_string()).expect("writable");
    lab.session(&family, Options::default());
    for at in (0..original.len()).step_by(original.len() / 50) {
        let mut content = original.clone();
        content[at] ^= 1;
        fs::write(&database, content).expect("writable");
        let error = lab.try_session(&family, Options::default()).err().unwrap_or_else(|| panic!("byte {at}"));
        assert_eq!(error.kind, Kind::Database, "byte {at}: {error}");
    }
    fs::remove_file(&database).expect("there");
    let error = lab.try_session(&family, Options::default()).err().expect("missing");
    assert_eq!(error.kind, Kind::Database);
    assert!(!database.exists(), "reading makes no database");
}

#[test]
fn excludes_priorities_and_choices() {
    let Some((lab, family, repo)) = setup() else { return };
    let second =
        lab.repo("second", &[package("app", "9", &[]), package("lib", "9", &["Provides: lib.so.1"])]);
    add_repo(&family.nodes[0], "second", &url(&second), "priority=99");
    let install = |options: Options| {
        lab.try_session(&family, options)
            .and_then(|mut session| session.install(&words(&["app"])))
            .map(|r| steps(&r))
    };
    assert_eq!(install(Options::default()).expect("solvable"), ["install app-9-1.noarch (user)"]);
    let one = |exclude: &str| Options { exclude: words(&[exclude]), ..Options::default() };
    assert_eq!(install(one("app-9*")).expect("solvable")[0], "install app-1-1.noarch (user)");
    let error = install(one("app")).expect_err("excluded");
    assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("excluded")), "{error}");
    add_repo(&family.nodes[0], "demo", &url(&repo), "priority=1");
    assert_eq!(install(Options::default()).expect("solvable")[0], "install app-1-1.noarch (user)");
    let disable = Options { disable: words(&["dem*"]), ..Options::default() };
    assert_eq!(install(disable).expect("solvable"), ["install app-9-1.noarch (user)"]);
    let only = Options { only: words(&["second"]), ..Options::default() };
    assert_eq!(install(only).expect("solvable"), ["install app-9-1.noarch (user)"]);
    let error =
        install(Options { enable: words(&["nope"]), ..Options::default() }).expect_err("no such repository");
    assert_eq!(error.kind, Kind::Config);
    let path = Options {
        from_path: vec![("tmp".into(), url(&second))],
        only: words(&["tmp"]),
        ..Options::default()
    };
    let resolution = lab.session(&family, path).install(&words(&["lib"])).expect("solvable");
    let source = resolution.transaction.steps[0].source.as_ref().expect("a source");
    assert_eq!((source.repo.as_str(), source.gpgcheck), ("tmp", true));
    let set =
        |key: &str, value: &str| Options { set: vec![(key.into(), value.into())], ..Options::default() };
    assert_eq!(install(set("demo.enabled", "0")).expect("solvable"), ["install app-9-1.noarch (user)"]);
    assert_eq!(install(set("nope.enabled", "0")).expect_err("no such repository").kind, Kind::Config);
}

#[test]
fn questions() {
    let Some((lab, family, repo)) = setup() else { return };
    installed(&family.nodes[0], &repo, &["lib-1"]);
    installed(&family.nodes[1], &repo, &["~app-1"]);
    let session = lab.session(&family, Options::default());
    let names = |which, patterns: &[&str]| -> Vec<String> {
        let rows = session.list(which, &words(patterns));
        rows.iter().map(|row| format!("{} {} {}", row.nevra.name, row.place, row.installed)).collect()
    };
    let installed = Which { installed: true, family: false, available: false };
    assert_eq!(names(installed, &[]), ["app child true"]);
    assert_eq!(names(Which { family: true, ..installed }, &[]), ["app child true", "lib root true"]);
    assert_eq!(
        names(Which { available: true, installed: false, family: false }, &["s*"]),
        ["same demo false"]
    );
    let info = session.info(ALL, &words(&["app"])).expect("there");
    assert_eq!(info[0].description, "app is a package for tests.");
    assert_eq!(info[0].reason, Some(redpak_packages::transaction::Reason::Dependency));
    assert_eq!(info.len(), 2, "installed and available");
    let found: Vec<String> =
        session.search(&words(&["APP"]), false).iter().map(|row| row.nevra.name.clone()).collect();
    assert_eq!(found, ["app"]);
    for (what, expected) in [
        ("lib.so.1", vec!["lib"]),
        ("/usr/bin/app", vec!["app", "other", "same"]),
        ("app", vec!["app", "linked", "other", "same"]),
        ("*/lib.so.1", vec!["lib"]),
        ("lib.so*", vec!["lib"]),
    ] {
        let mut names: Vec<String> =
            session.provides(what).into_iter().map(|(row, _)| row.nevra.name).collect();
        names.dedup();
        assert_eq!(names, expected, "{what}");
    }
    let requires =
        session.property(ALL, &words(&["app"]), Property::Dependencies(DepKind::Requires)).expect("there");
    assert!(requires.contains(&"lib".to_owned()), "{requires:?}");
    let files = session.property(ALL, &words(&["app"]), Property::Files).expect("there");
    assert!(files.contains(&"/usr/share/app/data".to_owned()), "{files:?}");
    let requiring = session.what_requires(ALL, "lib").expect("there");
    assert!(requiring.iter().all(|row| row.nevra.name == "app") && !requiring.is_empty());
    let repos = session.repositories();
    assert_eq!((repos[0].id.as_str(), repos[0].enabled, repos[0].packages), ("demo", true, Some(5)));
}

/// The same choice as dnf's for a base system of nothing.
#[test]
fn a_bare_family_gets_what_dnf_would_install() {
    // dnf wants to be root even for --assumeno.
    if !rustix::process::geteuid().is_root() || !ready(&["dnf", &lab::real()]) {
        return;
    }
    let lab = Lab::new();
    let family = lab.family(&["root"]);
    add_repo(&family.nodes[0], "real", &url(Path::new(&lab::real())), "");
    for specs in
        [&["jq"][..], &["nginx-light"], &["git", "less"], &["redis-server", "tcpdump"], &["perl", "htop"]]
    {
        let expected = dnf(&lab, specs);
        let mut session = lab.session(&family, Options::default());
        let resolution = session.install(&words(specs)).unwrap_or_else(|error| panic!("{specs:?}: {error}"));
        let mut got: Vec<String> =
            resolution.transaction.steps.iter().map(|step| step.nevra.to_string()).collect();
        got.sort();
        assert_eq!(got, expected, "{specs:?}");
        session.check_files(&resolution).unwrap_or_else(|error| panic!("{specs:?}: {error}"));
    }
}

/// What dnf would install into an empty root.
fn dnf(lab: &Lab, specs: &[&str]) -> Vec<String> {
    let root = lab.path().join("dnf-root");
    fs::create_dir_all(&root).expect("writable");
    let output = std::process::Command::new("dnf")
        .arg(format!("--installroot={}", root.display()))
        .arg(format!("--repofrompath=real,file://{}", lab::real()))
        .args([
            "--repo=real",
            "--nogpgcheck",
            "--assumeno",
            "--releasever=1",
            "--setopt=best=1",
            "--setopt=cachedir=/cache",
        ])
        .arg("install")
        .args(specs)
        .env("LC_ALL", "C")
        .env("COLUMNS", "400")
        .output()
        .expect("dnf");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut found: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.len() >= 5 && words[3] == "real")
        .map(|words| format!("{}-{}.{}", words[0], words[2], words[1]))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "dnf says: {text}{}", String::from_utf8_lossy(&output.stderr));
    found
}
