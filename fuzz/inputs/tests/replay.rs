//! The corpus, replayed: no panic, and each input within a bounded time. What the fuzzer found lives on here.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redpak_fuzz_inputs::TARGETS;

/// Far more than any input needs, and far less than one that goes on without end.
const LONGEST: Duration = Duration::from_secs(20);
/// An input of more bytes is no use to a fuzzer.
const LARGEST: usize = 64 << 10;

fn corpus(target: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    let entries =
        std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn the_corpus_is_taken_or_refused_and_never_a_panic() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        assert!(files.len() >= 10, "the corpus of `{name}` is nearly empty");
        for file in files {
            let data = std::fs::read(&file).expect("a file of the corpus");
            assert!(data.len() <= LARGEST, "{} is too large", file.display());
            let (done, waiting) = std::sync::mpsc::channel();
            let start = Instant::now();
            let run = *target;
            // Deep inputs must do with a thread's ordinary stack.
            let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
                run(&data);
                let _ = done.send(());
            });
            let thread = thread.expect("a thread");
            match waiting.recv_timeout(LONGEST) {
                Ok(()) => thread.join().expect("it has ended"),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                    panic!("{} panics: {:?}", file.display(), thread.join().err().map(|_| "see above"))
                }
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    panic!("{} runs for more than {:?}", file.display(), start.elapsed())
                }
            }
        }
    }
}

/// The replay can fail: a target that panics is told, and a family is split into its files.
#[test]
fn inputs_of_merge_are_families() {
    let family = redpak_fuzz_inputs::family("a\n===== admin\nb\n=====\nc\n===== admin\nd\n");
    let texts: Vec<(&str, Option<&str>)> = family
        .iter()
        .map(|node| (node.normal.text.as_str(), node.admin.as_ref().map(|admin| admin.text.as_str())))
        .collect();
    assert_eq!(texts, [("a\n", Some("b\n")), ("c\n", Some("d\n"))]);
}
