//! The models: each creates a node that passes `redconf check` and launches; and what `make install` installs.

use std::fs::{read_dir, read_to_string};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use redpak_tests::{Ground, Ran, bin, repository, run, skip};

/// The source tree, where whoever runs this can read it.
fn tree() -> PathBuf {
    std::env::var_os("REDPAK_TREE")
        .map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/..").into(), PathBuf::from)
}

fn check(ground: &Ground, node: &str) -> Ran {
    run(bin("redconf"), &["check", &ground.at(node)]).ok().says("0 errors, 0 warnings")
}

/// Launches, and says nothing of its own.
#[track_caller]
fn silent(ground: &Ground, node: &str, script: &str) -> String {
    let ran = ground.wrap(node, &["/bin/sh", "-c", script]).ok();
    assert_eq!(ran.stderr, "", "redwrap says something of {node}");
    ran.stdout
}

#[test]
fn models_of_a_host_launch_without_a_word() {
    for model in ["root", "full"] {
        let ground = Ground::new();
        ground.create("r", &["-m", model]);
        ground.create("r/c", &["-m", "leaf"]);
        check(&ground, "r");
        for node in ["r", "r/c"] {
            assert_eq!(silent(&ground, node, "echo $HOME; hostname; umask; pwd"), {
                let alias = node.rsplit('/').next().unwrap_or_default();
                format!("/var/home\n{alias}\n0022\n/\n")
            });
        }
    }
}

#[test]
fn a_bare_model_launches_and_has_nothing_of_the_host() {
    let ground = Ground::new();
    ground.create("b", &["-m", "bare"]);
    ground.create("b/c", &["-m", "leaf"]);
    check(&ground, "b");
    for node in ["b", "b/c"] {
        ground.wrap(node, &["/bin/sh"]).expect(127).says("not found inside");
    }
}

#[test]
fn the_model_of_red_pak_25_has_its_layout() {
    let ground = Ground::new();
    ground.create("r", &["-m", "redpak25"]);
    ground.create("r/c", &["-m", "redpak25"]);
    ground.create("r/c/d", &["-m", "redpak25"]);
    check(&ground, "r");
    let root = silent(&ground, "r", "echo $PATH; pwd; echo $HOME; hostname; umask");
    assert_eq!(root, "/bin\n/nodes/_private\n/home/r\nr\n0027\n");
    let shown =
        silent(&ground, "r/c/d", "echo $PATH; echo $LD_LIBRARY_PATH; ls /nodes; pwd; echo $HOME; hostname");
    let expected = "/nodes/d/usr/bin:/nodes/c/usr/bin:/bin\n\
                    /nodes/d/usr/lib:/nodes/d/usr/lib64:/nodes/c/usr/lib:/nodes/c/usr/lib64:/lib64\n\
                    _private\nc\nd\n/nodes/_private\n/home/d\nd\n";
    assert_eq!(shown, expected);
    // The running user, out of the host's accounts, by a command of the root node's file.
    let me = run("id", &["-un"]).ok().stdout;
    let passwd = silent(&ground, "r/c", "cat /etc/passwd; id -un");
    assert!(passwd.starts_with(&format!("{}:", me.trim())) && passwd.ends_with(&me), "{passwd}");
    // What is private is each node's own; `var` of a parent is its descendants', too.
    silent(&ground, "r/c", "echo c > kept; echo c > /nodes/c/var/local/shared; echo c > /var/local/own");
    let seen =
        silent(&ground, "r/c/d", "ls; cat /nodes/c/var/local/shared; ls /var/local; test -d /var/lib/rpm");
    assert_eq!(seen, "c\n");
    assert_eq!(silent(&ground, "r/c", "cat kept /var/local/own"), "c\nc\n");
    for (node, path) in
        [("r", "/bin"), ("r/c", "/usr/share"), ("r/c", "/nodes/c/usr"), ("r/c", "/var/lib/rpm")]
    {
        ground.wrap(node, &["/bin/sh", "-c", &format!("echo x > {path}/x")]).expect(2).says("Read-only");
    }
}

#[test]
fn packages_are_found_in_the_layout_of_red_pak_25() {
    let Some(packages) = repository("REDPAK_DEMO_REPOSITORY") else {
        skip("the demonstration's repository is not there: set REDPAK_DEMO_REPOSITORY");
        return;
    };
    let ground = Ground::new();
    for node in ["r", "r/a", "r/b", "r/a/c"] {
        ground.create(node, &["-m", "redpak25"]);
    }
    ground.repository("r", "demo", &packages);
    ground.dnf("r/a", &["install", "-y", "greet", "libgreet-1.0"]).ok().says("Complete!");
    ground.dnf("r/b", &["install", "-y", "greet", "libgreet-2.0"]).ok();
    for (node, version) in [("r/a", "version 1.0"), ("r/a/c", "version 1.0"), ("r/b", "version 2.0")] {
        ground.wrap(node, &["greet"]).ok().says(version);
    }
    ground.wrap("r", &["greet"]).expect(127);
}

#[test]
fn every_template_is_built_in_as_it_stands() {
    let ground = Ground::new();
    let empty = ground.at("none");
    let templates = tree().join("templates");
    let mut count = 0;
    for entry in read_dir(&templates).expect("the templates") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let Some(model) = name.strip_suffix("-normal.yaml") else { continue };
        let mut texts = Vec::new();
        for (from, directory) in
            [("file", templates.to_string_lossy().into_owned()), ("built-in", empty.clone())]
        {
            // Below a node of its own, for those that need one.
            let above = format!("{model}-{from}");
            let path = format!("{above}/same");
            if model.ends_with("leaf") {
                ground.create(&above, &[]);
            }
            ground.create(&path, &["-t", &directory, "-m", model]);
            let text = read_to_string(ground.path().join(path).join("etc/redpak.yaml")).expect("its file");
            let own = |line: &&str| {
                !line.trim_start().starts_with("name:") && !line.trim_start().starts_with("info:")
            };
            texts.push(text.lines().filter(own).collect::<Vec<_>>().join("\n"));
        }
        assert_eq!(texts[0], texts[1], "{model}");
        count += 1;
    }
    assert_eq!(count, 6);
}

fn install(ground: &Ground, dest: &str, prefix: &str) -> Ran {
    let programs = bin("redwrap").parent().expect("a directory").display().to_string();
    run(
        "make",
        &[
            "--no-print-directory",
            "-C",
            &tree().to_string_lossy(),
            "install",
            &format!("DESTDIR={}", ground.at(dest)),
            &format!("PREFIX={prefix}"),
            &format!("BIN={programs}"),
        ],
    )
}

#[test]
fn installing_is_safe_to_repeat() {
    let ground = Ground::new();
    install(&ground, "dest", "/usr").ok();
    let dest = ground.path().join("dest");
    let mode = |path: &str| {
        let metadata = std::fs::metadata(dest.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        metadata.permissions().mode() & 0o7777
    };
    for program in ["redwrap", "redconf", "redwrap-dnf"] {
        assert_eq!(mode(&format!("usr/bin/{program}")), 0o755);
        run(dest.join("usr/bin").join(program), &["--version"]).ok();
    }
    for file in [
        "usr/share/redpak/redpak.schema.json",
        "usr/share/redpak/rednode.schema.json",
        "usr/share/doc/redpak/configuration.md",
        "usr/share/doc/redpak/codes/RP0101.md",
        "etc/redpak/templates.d/root-normal.yaml",
        "etc/redpak/templates.d/redpak25-leaf-normal.yaml",
    ] {
        assert_eq!(mode(file), 0o644, "{file}");
    }
    let list = || run("find", &[&ground.at("dest"), "-type", "f", "-name", "*.yaml*"]).ok().stdout;
    let before = list();
    // The installed templates make nodes.
    let templates = dest.join("etc/redpak/templates.d");
    ground.create("n", &["-t", &templates.to_string_lossy(), "-m", "root"]);
    // An edited template stays, one that was not edited is replaced.
    let (edited, old) = (templates.join("root-normal.yaml"), templates.join("leaf-normal.yaml"));
    let text = |path: &Path| read_to_string(path).expect("a template");
    let mine = format!("{}# mine\n", text(&edited));
    std::fs::write(&edited, &mine).expect("it can be edited");
    for path in [&old, &dest.join("usr/share/redpak/templates/leaf-normal.yaml")] {
        std::fs::write(path, "# an older version\n").expect("it can be written");
    }
    install(&ground, "dest", "/usr").ok().says("was edited");
    assert_eq!(text(&edited), mine);
    assert!(text(&old).starts_with("# yaml-language-server"));
    assert!(list().contains("root-normal.yaml.new"));
    std::fs::remove_file(&edited).expect("it can be removed");
    install(&ground, "dest", "/usr").ok();
    assert_eq!(list().lines().count(), before.lines().count());
    // The templates name the schema where it is.
    install(&ground, "other", "/opt/redpak").ok();
    let other = ground.path().join("other");
    let named = text(&other.join("etc/redpak/templates.d/leaf-normal.yaml"));
    assert!(
        named.starts_with("# yaml-language-server: $schema=/opt/redpak/share/redpak/redpak.schema.json\n")
    );
    assert!(other.join("opt/redpak/share/redpak/redpak.schema.json").exists());
}
