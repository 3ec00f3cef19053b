//! Where commands run, what they see there, and what becomes of their output.

use redpak_commands::codes;
use redpak_model::effective::Layer;

use crate::Test;
use crate::ground::{Ground, ROOT, exists, file, file_at, root_file, short};

pub const TESTS: &[Test] = &[
    ("the_root_nodes_commands_run_on_the_host", the_root_nodes_commands_run_on_the_host),
    ("a_childs_commands_run_inside_its_parent", a_childs_commands_run_inside_its_parent),
    ("each_level_sees_its_parent_and_no_more", each_level_sees_its_parent_and_no_more),
    ("a_parents_commands_are_answered_first", a_parents_commands_are_answered_first),
    (
        "admin_files_run_in_the_parents_normal_configuration",
        admin_files_run_in_the_parents_normal_configuration,
    ),
    ("without_commands_nothing_happens", without_commands_nothing_happens),
    ("of_a_family_that_is_refused_nothing_runs", of_a_family_that_is_refused_nothing_runs),
    ("output_comes_as_it_is", output_comes_as_it_is),
    ("failures_are_told_with_their_place", failures_are_told_with_their_place),
    ("a_parent_without_a_shell_is_told", a_parent_without_a_shell_is_told),
    ("a_parent_that_cannot_be_launched_is_told", a_parent_that_cannot_be_launched_is_told),
    ("names_are_variables_of_the_command", names_are_variables_of_the_command),
];

fn the_root_nodes_commands_run_on_the_host() {
    let mut ground = Ground::new();
    ground.add("r", &root_file("uname -n; id -u; pwd; echo $FROM_CALLER $LISTEN_FDS"));
    ground.env.insert("LISTEN_FDS".into(), "3".into());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!(ground.answer(0), format!("{host}\n{uid}\n/\nyes\n"));
}

fn a_childs_commands_run_inside_its_parent() {
    let root = format!(
        "config: {{hostname: the-parent, umask: \"027\"}}\nenviron: [{{key: SET, value: there}}]\n{ROOT}"
    );
    let ground =
        Ground::family(&root, &[&file("uname -n; umask; echo $SET; echo caller: $FROM_CALLER; ls /")]);
    assert_eq!(ground.answer(1), "the-parent\n0027\nthere\ncaller:\nbin\ndev\nlib\nlib64\nproc\nusr\n");
}

fn each_level_sees_its_parent_and_no_more() {
    let shows = |alias: &str| format!("  - {{mount: /srv/{alias}, mode: Anonymous}}\n");
    let look = |alias: &str| file_at(&format!("/out-{alias}"), "ls /srv") + &shows(alias);
    let root = format!("{ROOT}{}", shows("r"));
    let ground = Ground::family(&root, &[&look("a"), &look("b"), &look("c")]);
    let seen: Vec<String> = (1..4).map(|node| ground.answer_of(node)).collect();
    assert_eq!(seen, ["r\n", "a\nr\n", "a\nb\nr\n"]);
}

fn a_parents_commands_are_answered_first() {
    // What the root node's command says is an environment variable of the launch in which the child's runs; the
    // leaf of that launch is the parent.
    let root = format!("environ: [{{key: WHO, value: \"$(echo $LEAF_ALIAS)\"}}]\n{ROOT}");
    let ground = Ground::family(&root, &["", &file("echo $WHO; echo $LEAF_ALIAS $NODE_ALIAS")]);
    assert_eq!(ground.answer_of(2), "a\nb b\n");
    assert_eq!(ground.answer_of(0), "b\n");
}

fn admin_files_run_in_the_parents_normal_configuration() {
    let ground = Ground::family(ROOT, &["exports: [{mount: /srv/normal, mode: Anonymous}]", ""]);
    ground.write(1, "redpak-admin.yaml", "a", "exports: [{mount: /srv/admin, mode: Anonymous}]");
    ground.write(2, "redpak-admin.yaml", "b", &file("ls /srv"));
    assert!(ground.answers().unwrap().is_empty(), "an admin file is only read for administration");
    let answers = ground.within(short(), true).unwrap();
    let output = answers.get(&(2, Layer::Admin, "ls /srv".to_owned())).expect("it was run");
    assert_eq!(output, b"normal\n");
}

fn without_commands_nothing_happens() {
    let ground = Ground::family(ROOT, &["exports: [{mount: /srv, mode: Anonymous}]"]);
    assert!(ground.answers().unwrap().is_empty());
}

fn of_a_family_that_is_refused_nothing_runs() {
    let ground = Ground::new();
    let mark = ground.at("mark");
    let command = format!("touch {}", mark.display());
    let mut ground = ground;
    ground.add("r", &root_file(&command));
    ground.answers().unwrap();
    assert!(exists(&mark), "the control: it does run");
    std::fs::remove_file(&mark).unwrap();
    ground.add("a", "exports: [{mount: /host, mode: Restricted, path: /}]");
    let found = ground.fails(short());
    assert!(found.iter().any(|(code, _)| code.starts_with("RP03")), "{found:?}");
    assert!(!exists(&mark));
}

fn output_comes_as_it_is() {
    let ground = Ground::family(ROOT, &[&file(r"printf 'a\0\377\n\n'")]);
    let answers = ground.answers().unwrap();
    assert_eq!(answers.values().collect::<Vec<_>>(), [b"a\0\xff\n\n"]);
    let ground = Ground::family(ROOT, &[&file("exit 0")]);
    assert_eq!(ground.answer(1), "");
}

fn failures_are_told_with_their_place() {
    let two = "environ:\n  - {key: A, value: \"$(echo to say >&2; exit 3)\"}\n  - {key: B, value: \"$(no-such-program)\"}\n  \
               - {key: C, value: \"$(kill -TERM $$)\"}\n  - {key: D, value: \"$(cd /)\"}\n";
    for ground in [Ground::family(&format!("{two}{ROOT}"), &[]), Ground::family(ROOT, &[two])] {
        let found = ground.within(short(), false).unwrap_err();
        let told: Vec<&str> = found.iter().map(|found| found.message.lines().next().unwrap()).collect();
        assert_eq!(
            told,
            [
                "the command `echo to say >&2; exit 3` failed with exit code 3, and said:",
                "the command `no-such-program` failed with exit code 127, and said:",
                "the command `kill -TERM $$` was ended by signal 15",
                "the command `cd /` failed with exit code 1, and said:",
            ]
        );
        assert_eq!(found[0].message.lines().nth(1), Some("to say"));
        assert!(found.iter().all(|found| found.code == codes::COMMAND_FAILED && found.hint.is_some()));
        let lines: Vec<u32> = found.iter().filter_map(|found| Some(found.place.as_ref()?.line)).collect();
        assert_eq!(lines, [3, 4, 5, 6]);
        assert!(found[3].hint.as_ref().is_some_and(|hint| hint.contains("restricted")), "{found:?}");
    }
}

fn a_parent_without_a_shell_is_told() {
    let ground = Ground::family("exports: [{mount: /srv, mode: Anonymous}]", &[&file("echo x")]);
    let found = ground.fails(short());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, codes::NO_SHELL);
    assert!(found[0].1.contains("neither bash nor sh in `r`"), "{found:?}");
}

fn a_parent_that_cannot_be_launched_is_told() {
    // The kernel's side.
    let ground = Ground::family(&format!("config: {{chdir: /nowhere}}\n{ROOT}"), &[&file("echo x")]);
    let found = ground.within(short(), false).unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].code, codes::PARENT_CANNOT_LAUNCH);
    assert!(found[0].message.contains("`r`, which cannot be launched: "), "{found:?}");
    assert!(found[0].hint.as_ref().is_some_and(|hint| hint.contains("chdir")), "{found:?}");
    // Its own commands.
    let ground = Ground::family(&root_file("exit 9"), &["", &file_at("/b", "echo x")]);
    let found = ground.fails(short());
    assert_eq!([found[0].0, found[1].0], [codes::PARENT_CANNOT_LAUNCH, codes::COMMAND_FAILED], "{found:?}");
}

fn names_are_variables_of_the_command() {
    let ground = Ground::family(
        ROOT,
        &["", &file("echo $NODE_PATH $LEAF_PATH; echo $REDNODE_CONF $UID; echo $node_path")],
    );
    let (path, uid) = (ground.nodes[2].display(), rustix::process::geteuid().as_raw());
    assert_eq!(ground.answer(2), format!("{path} {path}\n{path}/etc/redpak.yaml {uid}\n\n"));
}
