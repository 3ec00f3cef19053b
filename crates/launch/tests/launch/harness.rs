//! Runs the tests, and this program again as the one that launches.

use std::io::Write;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};

use redpak_launch::{Inputs, Options, Payload, launch};
use redpak_plan::launch_plan::LaunchPlan;

/// A uid and gid that nobody has.
pub const SOMEBODY: u32 = 54321;

/// Who launches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Root.
    Root,
    /// An ordinary user.
    User,
}

/// A test: its name, whom it is run as, and what it does.
#[derive(Clone, Copy)]
pub struct Test {
    pub name: &'static str,
    pub whom: &'static [Who],
    pub body: fn(Who),
}

pub const BOTH: &[Who] = &[Who::Root, Who::User];
pub const ROOT: &[Who] = &[Who::Root];
pub const USER: &[Who] = &[Who::User];

pub const fn test(name: &'static str, whom: &'static [Who], body: fn(Who)) -> Test {
    Test { name, whom, body }
}

/// A function payload by name.
pub type Functions = fn(&str) -> Option<fn() -> u8>;

/// Runs what the command line asks for: a launch, the list of tests, or the tests whose names hold the filters.
pub fn main(tests: &[Test], functions: Functions) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("launch") => return launch_here(&arguments[1..], functions),
        Some("tool") => return crate::functions::tool(&arguments[1..]),
        _ => {}
    }
    let all = tests.iter().flat_map(|test| {
        test.whom.iter().map(move |who| (format!("{}::{who:?}", test.name), *who, test.body))
    });
    let exact = arguments.iter().any(|argument| argument == "--exact");
    let filters: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let chosen: Vec<_> = all
        .filter(|(name, ..)| {
            filters.is_empty()
                || filters.iter().any(|f| if exact { name == *f } else { name.contains(f.as_str()) })
        })
        .collect();
    if arguments.iter().any(|argument| argument == "--list") {
        let ignored = arguments.iter().any(|argument| argument == "--ignored");
        chosen.iter().filter(|_| !ignored).for_each(|(name, ..)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let failed: Vec<_> = chosen.iter().filter(|(name, who, body)| !passes(name, *who, *body)).collect();
    println!("\ntest result: {} passed, {} failed", chosen.len() - failed.len(), failed.len());
    failed.iter().for_each(|(name, ..)| println!("failed: {name}"));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn passes(name: &str, who: Who, body: fn(Who)) -> bool {
    if let Some(reason) = cannot_run(who) {
        assert!(std::env::var_os("REDPAK_MUST_WORK").is_none(), "{name} must work: {reason}");
        println!("SKIP: {name}: {reason}");
        return true;
    }
    let passed = catch_unwind(AssertUnwindSafe(|| body(who))).is_ok();
    println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
    passed
}

fn cannot_run(who: Who) -> Option<&'static str> {
    let caller = rustix::process::geteuid();
    // The plans for ordinary users map one id: whoever has it runs them too.
    if !caller.is_root() && (who == Who::Root || caller.as_raw() != SOMEBODY) {
        return Some("needs root, also to become another user");
    }
    let limit = std::fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
    match who {
        Who::User if limit.trim() == "0" => Some("needs user namespaces (user.max_user_namespaces)"),
        _ => None,
    }
}

/// What a launcher is started with beside its plan.
#[derive(Default)]
pub struct How<'a> {
    /// Name of the function to run in the command's place.
    pub function: Option<&'a str>,
    pub preserve: &'a [RawFd],
    pub keep: &'a [RawFd],
    /// What the launcher does first: `own` opens descriptor 40, `twice` launches the plan once before.
    pub before: Option<&'a str>,
}

/// A command that launches the plan, as this user.
pub fn launcher(who: Who, plan: &LaunchPlan, how: &How<'_>) -> Command {
    let mut command = Command::new(program());
    let numbers = |fds: &[RawFd]| fds.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    command
        .args(["launch", &serde_json::to_string(plan).expect("a plan is JSON"), how.function.unwrap_or("")])
        .args([numbers(how.preserve), numbers(how.keep)])
        .arg(how.before.unwrap_or(""))
        .stdin(Stdio::null())
        .current_dir("/");
    if who == Who::User {
        command.uid(SOMEBODY).gid(SOMEBODY);
    }
    command
}

/// Launches and waits; what the command wrote, and the exit code.
pub fn run(who: Who, plan: &LaunchPlan) -> Ran {
    finish(launcher(who, plan, &How::default()))
}

pub fn finish(mut command: Command) -> Ran {
    Ran::of(command.output().expect("the launcher starts"))
}

/// Starts a launcher with its standard output and error piped.
pub fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the launcher starts")
}

/// How a launcher ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The output of a command that went well.
    #[track_caller]
    pub fn good(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{self:?}");
        self.out
    }

    /// The error of a launch that failed: the command did not start.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(125), ""), "{self:?}");
        assert!(self.err.starts_with("launch error: "), "{self:?}");
        self.err
    }
}

/// This program, where an ordinary user can execute it.
pub fn program() -> PathBuf {
    use std::sync::OnceLock;
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| std::env::current_exe().expect("the program has a path")).clone()
}

/// The launcher's side.
fn launch_here(arguments: &[String], functions: Functions) -> ExitCode {
    let plan: LaunchPlan = serde_json::from_str(&arguments[0]).expect("a plan");
    let numbers = |text: &str| -> Vec<RawFd> {
        text.split(',').filter(|n| !n.is_empty()).map(|n| n.parse().expect("a number")).collect()
    };
    let (preserve, keep) = (numbers(&arguments[2]), numbers(&arguments[3]));
    let inputs = Inputs::default();
    let options = Options { preserve_fds: &preserve, keep_fds: &keep, inputs: Some(&inputs) };
    let mut own = None;
    match arguments[4].as_str() {
        "own" => {
            let opened = std::fs::File::open("/etc/passwd").expect("a file");
            own = Some(rustix::io::fcntl_dupfd_cloexec(opened, 40).expect("a descriptor"));
        }
        "twice" => {
            inputs.read(&plan, &preserve).expect("readable descriptors");
            launch(&plan, Payload::Command, &options).expect("a first launch");
        }
        _ => {}
    }
    let mut function = functions(&arguments[1]);
    let mut call;
    let payload = match &mut function {
        Some(function) => {
            call = || function();
            Payload::Function(&mut call)
        }
        None => Payload::Command,
    };
    let launched = launch(&plan, payload, &options);
    drop(own);
    match launched {
        Ok(outcome) => {
            if let Some(message) = outcome.message() {
                eprintln!("{message}");
            }
            ExitCode::from(outcome.exit_code())
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            let hint = error.hint.as_deref().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "launch error: {error}: {cause}{hint}");
            ExitCode::from(125)
        }
    }
}

/// A directory of the launching user's, removed when dropped.
pub fn directory(who: Who) -> tempfile::TempDir {
    let made = tempfile::Builder::new().prefix("redpak-launch-").tempdir_in("/tmp").expect("a directory");
    give(who, made.path());
    made
}

/// Makes the launching user the owner.
pub fn give(who: Who, path: &Path) {
    if who == Who::User {
        std::os::unix::fs::lchown(path, Some(SOMEBODY), Some(SOMEBODY)).expect("root gives files away");
    }
}

/// Makes files below a directory: a path ending with `/` is a directory, `a -> b` a link, anything else a file holding
/// its own name.
pub fn populate(who: Who, below: &Path, entries: &[&str]) {
    for entry in entries {
        let (path, target) =
            entry.split_once(" -> ").map_or((*entry, None), |(path, target)| (path, Some(target)));
        let full = below.join(path.trim_end_matches('/'));
        let parents: Vec<_> =
            full.ancestors().skip(1).take_while(|a| *a != below).map(Path::to_owned).collect();
        for parent in parents.iter().rev().filter(|parent| !parent.exists()) {
            std::fs::create_dir(parent).expect("a directory");
            give(who, parent);
        }
        match target {
            Some(target) => std::os::unix::fs::symlink(target, &full).expect("a link"),
            None if path.ends_with('/') => std::fs::create_dir_all(&full).expect("a directory"),
            None => std::fs::write(&full, path).expect("a file"),
        }
        give(who, &full);
    }
}
