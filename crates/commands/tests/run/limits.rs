//! Time and output, and that nothing is left running.

use std::time::Duration;

use redpak_commands::{Limits, codes};
use redpak_model::commands::{MAX_FILE, MAX_TEXT};

use crate::Test;
use crate::ground::{Ground, ROOT, ends, file, is_running, mark, root_file, short};

pub const TESTS: &[Test] = &[
    ("a_command_that_hangs_is_ended", a_command_that_hangs_is_ended),
    ("a_command_that_stops_is_ended", a_command_that_stops_is_ended),
    ("what_a_command_leaves_is_ended", what_a_command_leaves_is_ended),
    ("what_a_hanging_command_leaves_is_ended", what_a_hanging_command_leaves_is_ended),
    ("endless_output_is_ended", endless_output_is_ended),
    ("output_has_limits", output_has_limits),
    ("endless_errors_are_kept_from_their_end", endless_errors_are_kept_from_their_end),
    ("a_family_has_a_limit_of_its_own", a_family_has_a_limit_of_its_own),
    ("a_fork_bomb_ends_with_its_time", a_fork_bomb_ends_with_its_time),
];

/// The same command in the root node's file and in a child's.
fn both(command: &str) -> [Ground; 2] {
    [Ground::family(&root_file(command), &[]), Ground::family(ROOT, &[&file(command)])]
}

fn a_command_that_hangs_is_ended() {
    for ground in both("sleep 1000") {
        let found = ground.fails(short());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, codes::COMMAND_TIMEOUT);
        assert!(found[0].1.contains("0.5 s"), "{found:?}");
    }
    // Whatever it does about signals, and what comes after it is not begun.
    let ground = Ground::family(
        ROOT,
        &[&(file("trap : TERM INT HUP; while true; do read -t 60 < /dev/zero; done")
            + &file("echo x").replace("exports:", "").replace("/out", "/second"))],
    );
    assert_eq!(ground.fails(short()).len(), 1);
}

fn a_command_that_stops_is_ended() {
    for ground in both("kill -STOP $$") {
        assert_eq!(ground.fails(short())[0].0, codes::COMMAND_TIMEOUT);
    }
}

fn what_a_command_leaves_is_ended() {
    let mark = mark();
    for left in ["", "setsid ", "nohup setsid setsid "] {
        for ground in both(&format!("{left}sleep {mark} & echo started")) {
            let answers = ground.answers().unwrap();
            assert_eq!(answers.values().collect::<Vec<_>>(), [b"started\n"], "{left}");
            ends(&mark);
        }
    }
}

fn what_a_hanging_command_leaves_is_ended() {
    let mark = mark();
    for ground in both(&format!("setsid sleep {mark} & sleep {mark}")) {
        assert_eq!(ground.fails(short())[0].0, codes::COMMAND_TIMEOUT);
        ends(&mark);
    }
}

fn endless_output_is_ended() {
    for ground in both("yes") {
        let found = ground.fails(Limits::default());
        assert_eq!(found[0].0, codes::COMMAND_OUTPUT);
        assert!(found[0].1.contains(&MAX_FILE.to_string()), "{found:?}");
    }
    let ground = Ground::family(ROOT, &["environ: [{key: A, value: \"$(yes)\"}]"]);
    assert!(ground.fails(Limits::default())[0].1.contains(&MAX_TEXT.to_string()));
}

fn output_has_limits() {
    for ground in both(&format!("head -c {MAX_FILE} /dev/zero")) {
        assert_eq!(ground.answers().unwrap().values().next().map(Vec::len), Some(MAX_FILE));
    }
    for ground in both(&format!("head -c {} /dev/zero", MAX_FILE + 1)) {
        assert_eq!(ground.fails(Limits::default())[0].0, codes::COMMAND_OUTPUT);
    }
    // All of a file together.
    let two = "environ: [{key: A, value: \"$(echo 12345)\"}, {key: B, value: \"$(echo 1234)\"}]";
    let ground = Ground::family(ROOT, &[two]);
    assert!(ground.within(Limits { output: 11, ..Limits::default() }, false).is_ok());
    let found = ground.fails(Limits { output: 10, ..Limits::default() });
    assert_eq!((found.len(), found[0].0), (1, codes::COMMAND_OUTPUT));
}

fn endless_errors_are_kept_from_their_end() {
    for ground in both("yes first | head -n 20000 >&2; echo last >&2; exit 1") {
        let found = ground.fails(Limits::default());
        assert!(
            found[0].1.ends_with("\nlast") && found[0].1.len() < 5000,
            "…{}",
            &found[0].1[found[0].1.len() - 100..]
        );
    }
    for ground in both("yes >&2") {
        let found = ground.fails(short());
        assert!(found[0].0 == codes::COMMAND_TIMEOUT && found[0].1.len() < 5000, "{found:?}");
    }
}

fn a_family_has_a_limit_of_its_own() {
    for ground in both("echo x") {
        let found = ground.fails(Limits { family: Duration::ZERO, ..Limits::default() });
        assert_eq!((found.len(), found[0].0), (1, codes::COMMAND_TIMEOUT));
    }
}

fn a_fork_bomb_ends_with_its_time() {
    let mark = mark();
    // Not in the background alone: each of them waits, so that the shell that is waited for does not end.
    let bomb = format!("bomb() {{ sleep {mark} & bomb & bomb & wait; }}; bomb");
    let ground = Ground::family(ROOT, &[&file(&bomb)]);
    let found = ground.fails(Limits { file: Duration::from_millis(300), ..Limits::default() });
    assert_eq!(found[0].0, codes::COMMAND_TIMEOUT, "{found:?}");
    ends(&mark);
    assert!(!is_running(&mark));
}
