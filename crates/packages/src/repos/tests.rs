//! Tables for `.repo` files of one node and of families.

use std::path::{Path, PathBuf};

use redpak_diagnostics::Severity;

use super::*;
use crate::family::{FamilyNode, SetBy};

fn family(count: usize) -> FamilyContext {
    let mut family = FamilyContext::bare("n0", Path::new("/n0"));
    family.nodes = (0..count)
        .map(|i| FamilyNode { alias: format!("n{i}"), redpath: PathBuf::from(format!("/n{i}")) })
        .collect();
    family
}

fn merged(texts: &[&str], family: &FamilyContext) -> Repositories {
    let files: Vec<RepoFile> = texts
        .iter()
        .enumerate()
        .map(|(node, text)| RepoFile {
            node,
            path: format!("/n{node}/x.repo").into(),
            text: (*text).to_owned(),
        })
        .collect();
    merge(&files, family, &Variables::of_arch("x86_64"))
}

fn one(text: &str) -> (RepoConfig, Vec<String>) {
    let all = merged(&[text], &family(1));
    (all.repos[0].clone(), all.findings.iter().map(|f| format!("{}: {}", f.severity, f.message)).collect())
}

#[test]
fn every_key_of_dnf_is_understood() {
    let (repo, findings) = one(
        "[demo]\nname=A demo $basearch\nbaseurl=http://a/$basearch,https://b/\n file:///c\n\
        enabled=1\ngpgcheck=0\nrepo_gpgcheck=yes\ngpgkey=file:///k1 https://h/k2\npriority=10\ncost=5\n\
        excludepkgs=foo* bar\nincludepkgs=baz\nsslverify=False\nusername=u\npassword=p\nproxy=http://proxy:3128\n\
        metadata_expire=7d\nskip_if_unavailable=true\ncountme=1\n",
    );
    assert_eq!(findings, Vec::<String>::new());
    assert_eq!(repo.name, "A demo x86_64");
    assert_eq!(repo.baseurl, ["http://a/x86_64/", "https://b/", "file:///c/"]);
    assert_eq!((repo.gpgcheck, repo.repo_gpgcheck), (Some(false), Some(true)));
    assert_eq!(repo.gpgkey, ["file:///k1", "https://h/k2"]);
    assert_eq!((repo.priority, repo.cost), (10, 5));
    assert_eq!(
        (repo.exclude.as_slice(), repo.include.as_slice()),
        (&["foo*".into(), "bar".into()][..], &["baz".into()][..])
    );
    assert!(!repo.sslverify && repo.skip_if_unavailable && repo.enabled);
    assert_eq!(repo.metadata_expire, Some(7 * 24 * 3600));
}

#[test]
fn what_is_wrong_is_said() {
    for (text, expected) in [
        ("[a]\nbaseurl=http://h/\nfoo=1\n", "warning: unknown key `foo`, ignored"),
        ("[a]\nbaseurl=http://h/\nenabled=maybe\n", "error: `enabled`: `maybe` is neither 1 nor 0"),
        ("[a]\nbaseurl=http://h/\npriority=0\n", "error: `priority`: `0` is no number from 1 to 99"),
        ("[a]\nbaseurl=ftp://h/\nenabled=0\n", "error: `baseurl`: `ftp://h/` is no http, https or file URL"),
        (
            "[a]\nbaseurl=http://h/\nsslclientcert=/x\n",
            "error: `sslclientcert` is not supported by this version",
        ),
        ("[a]\nbaseurl=http://h/$nope\n", "warning: the variable `$nope` is not defined"),
        ("[a]\nname=x\n", "error: the repository `a` has neither baseurl nor mirrorlist nor metalink"),
    ] {
        let (_, findings) = one(text);
        assert_eq!(findings, [expected], "{text}");
    }
    for id in ["../x", ".x", "a/b", "a b", "$x"] {
        let all = merged(&[&format!("[{id}]\nbaseurl=http://h/\n")], &family(1));
        assert!(all.repos.is_empty() && all.findings[0].is_error(), "{id}");
    }
}

#[test]
fn spans_of_time() {
    for (text, expected) in
        [("90", Some(90)), ("2m", Some(120)), ("48h", Some(172_800)), ("never", None), ("-1", None)]
    {
        let (repo, findings) = one(&format!("[a]\nbaseurl=http://h/\nmetadata_expire={text}\n"));
        assert_eq!((repo.metadata_expire, findings.len()), (expected, 0), "{text}");
    }
}

#[test]
fn a_child_inherits_and_overrides_key_by_key() {
    let root = "[os]\nname=OS\nbaseurl=http://h/os\ngpgkey=file:///k\n";
    let all = merged(&[root, "[os]\nenabled=0\n[own]\nbaseurl=http://h/own\n"], &family(2));
    assert_eq!(all.findings, []);
    let (os, own) = (&all.repos[0], &all.repos[1]);
    assert_eq!(
        (os.id.as_str(), os.enabled, os.baseurl.as_slice()),
        ("os", false, &["http://h/os/".to_owned()][..])
    );
    assert_eq!((os.node.as_str(), own.node.as_str()), ("n0", "n1"));
}

#[test]
fn a_child_cannot_turn_a_check_off() {
    let explicit = |node: usize| FamilyContext { gpgcheck: Some(SetBy { value: true, node }), ..family(2) };
    let root = "[os]\nbaseurl=http://h/os\n";
    for (name, family, texts, errors) in [
        ("inherited, default on", family(2), [root, "[os]\ngpgcheck=0\n"], 1),
        (
            "inherited, off before",
            family(2),
            ["[os]\nbaseurl=http://h/\ngpgcheck=0\n", "[os]\ngpgcheck=0\n"],
            0,
        ),
        ("its own", family(2), [root, "[own]\nbaseurl=http://h/\ngpgcheck=0\n"], 0),
        (
            "demanded by the parent's configuration",
            explicit(0),
            ["", "[own]\nbaseurl=http://h/\ngpgcheck=0\n"],
            1,
        ),
        ("demanded by its own configuration", explicit(1), ["", "[own]\nbaseurl=http://h/\ngpgcheck=0\n"], 0),
        ("turned on", family(2), ["[os]\nbaseurl=http://h/\ngpgcheck=0\n", "[os]\ngpgcheck=1\n"], 0),
        ("sslverify", family(2), [root, "[os]\nsslverify=0\n"], 1),
        (
            "repo_gpgcheck",
            family(2),
            ["[os]\nbaseurl=http://h/\nrepo_gpgcheck=1\n", "[os]\nrepo_gpgcheck=0\n"],
            1,
        ),
    ] {
        let all = merged(&texts, &family);
        let found = all.findings.iter().filter(|f| f.severity == Severity::Error).count();
        assert_eq!(found, errors, "{name}: {:?}", all.findings);
    }
}

/// Whoever may write a `.repo` file decides what is installed, and may turn its checks off.
#[test]
fn files_that_others_may_write_are_not_believed() {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    let node = tempfile::tempdir().unwrap();
    let mut family = family(1);
    family.nodes[0].redpath = node.path().to_owned();
    let (repos, vars) = (node.path().join("etc/yum.repos.d"), node.path().join("etc/dnf/vars"));
    fs::create_dir_all(&repos).unwrap();
    fs::create_dir_all(&vars).unwrap();
    let (repo, variable) = (repos.join("a.repo"), vars.join("releasever"));
    fs::write(&repo, "[a]\nbaseurl=file:///a\n").unwrap();
    fs::write(&variable, "9\n").unwrap();
    fs::write(repos.join("a.repo.orig"), b"\xff").unwrap();
    let read = || {
        let variables = variables(&family, None)?;
        read_files(&family).map(|files| (files.len(), variables.expand("$releasever").0))
    };
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for path in [&repo, &variable, &repos, &vars, &node.path().join("etc")] {
        let good = if path.is_dir() { 0o755 } else { 0o644 };
        for bad in [good | 0o020, good | 0o002] {
            mode(path, bad);
            let error = read().unwrap_err();
            assert!(error.message.contains("can be written"), "{error}");
            assert!(error.message.contains(&path.display().to_string()), "{error}");
        }
        mode(path, good);
    }
    assert_eq!(read().unwrap(), (1, "9".to_owned()));
    symlink(&repo, repos.join("b.repo")).unwrap();
    assert!(read().unwrap_err().message.contains("symbolic link"));
}
