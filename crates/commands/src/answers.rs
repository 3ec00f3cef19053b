//! Which commands run where and in which order, and what is said when one fails.

use std::collections::BTreeMap;
use std::time::Instant;

use redpak_diagnostics::Finding;
use redpak_launch::Inputs;
use redpak_model::commands::{Answers, Command, MAX_FILE, MAX_TEXT, Output, environment};
use redpak_model::effective::{Layer, NodeHead};
use redpak_model::{Names, NodeText};
use redpak_nodes::{Family, Refused};
use redpak_plan::LaunchPlan;
use redpak_sys::RawFd;

use crate::batch::Task;
use crate::codes;
use crate::limits::Limits;
use crate::parent;
use crate::record::{End, Record};
use crate::runner::{self, Finished, Where};

/// Characters of a command that a message shows.
const SHOWN: usize = 200;
/// Lines of its error output that follow.
const LINES: usize = 10;

/// What the caller was handed as descriptors.
#[derive(Clone, Copy, Debug)]
pub struct Handed<'a> {
    /// What is read of them for files inside. A parent that is launched for commands shows it as well.
    pub inputs: &'a Inputs,
    /// Numbers of those that the launch to come passes on. No command gets them.
    pub passed_on: &'a [RawFd],
}

/// Runs the commands of a family's files, and returns what they wrote, for [`Names::answers`]. With `admin`, those of
/// the admin files too. Where there is none, nothing happens.
///
/// The caller must have one thread.
///
/// # Errors
/// A file is wrong (then nothing was run), a parent cannot be launched, or a command failed.
pub fn answer(
    family: &Family,
    admin: bool,
    names: &Names,
    handed: Handed<'_>,
    limits: Limits,
) -> Result<Answers, Refused> {
    let texts = family.texts();
    let files = files(&texts, admin);
    if files.is_empty() {
        return Ok(Answers::new());
    }
    // Nothing of a family runs that is refused whatever its commands say.
    let (effective, _) = family.effective(admin, names)?;
    let (heads, started, plans) = (effective.nodes, Instant::now(), BTreeMap::new());
    let mut family = Asked { family, names, handed, heads, limits, started, plans };
    let below: Vec<File> = files.iter().filter(|file| file.layer == Layer::Normal).cloned().collect();
    // The parents in which commands run, root node first: what launching one takes is there when its turn comes.
    let mut parents: Vec<usize> = files.iter().filter_map(|file| file.node.checked_sub(1)).collect();
    parents.dedup();
    for index in parents {
        let failed = |why| {
            let first = files.iter().find(|file| file.node == index + 1);
            first.map(|file| cannot_launch(&family.heads[index], file, why))
        };
        let plan = family
            .answers(index, below.iter().filter(|file| file.node <= index))
            .and_then(|answers| family.plan(index, answers))
            .map_err(|Refused(found)| Refused(failed(None).into_iter().chain(found).collect()))?;
        handed.inputs.read(&plan, handed.passed_on).map_err(|error| {
            let why = (format!("{error}: {}", error.cause), error.hint.clone());
            Refused(failed(Some(why)).into_iter().collect())
        })?;
        family.plans.insert(index, plan);
    }
    family.answers(texts.len() - 1, files.iter())
}

/// The commands of one file.
#[derive(Clone, Debug)]
struct File {
    node: usize,
    layer: Layer,
    commands: Vec<Command>,
}

/// Files that have commands, root node first, normal before admin.
fn files(texts: &[NodeText], admin: bool) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    for command in redpak_model::commands::commands(texts, admin) {
        match files.last_mut().filter(|file| (file.node, file.layer) == (command.node, command.layer)) {
            Some(file) => file.commands.push(command),
            None => {
                files.push(File { node: command.node, layer: command.layer, commands: vec![command] });
            }
        }
    }
    files
}

/// A family whose commands are being run.
struct Asked<'a> {
    family: &'a Family,
    names: &'a Names,
    handed: Handed<'a>,
    heads: Vec<NodeHead>,
    limits: Limits,
    started: Instant,
    /// How each parent in which commands run is launched, by its index.
    plans: BTreeMap<usize, LaunchPlan>,
}

impl Asked<'_> {
    /// Runs the commands of these files, with the node at `leaf` as the leaf.
    fn answers<'f>(&self, leaf: usize, files: impl Iterator<Item = &'f File>) -> Result<Answers, Refused> {
        let mut answers = Answers::new();
        let mut findings = Vec::new();
        for file in files {
            match self.run(leaf, file) {
                Ok(records) => {
                    for (command, output) in file.commands.iter().zip(records) {
                        answers.insert((file.node, file.layer, command.text.clone()), output);
                    }
                }
                Err(found) => findings.extend(found),
            }
        }
        if findings.is_empty() { Ok(answers) } else { Err(Refused(findings)) }
    }

    fn plan(&self, index: usize, answers: Answers) -> Result<LaunchPlan, Refused> {
        parent::plan(self.family, index, &Names { answers, ..self.names.clone() })
    }

    /// Runs the commands of one file; the output of each.
    fn run(&self, leaf: usize, file: &File) -> Result<Vec<Vec<u8>>, Vec<Finding>> {
        let left = self.limits.family.saturating_sub(self.started.elapsed());
        if left.is_zero() {
            let limit = self.limits.family.as_secs_f32();
            let finding = Finding::error(
                codes::COMMAND_TIMEOUT,
                format!("the commands of this family took longer than {limit} s together"),
            );
            return Err(vec![at(file, finding).with_hint("let them do less: they run at every launch")]);
        }
        let limits = Limits { file: self.limits.file.min(left), ..self.limits };
        let own = environment(self.names, &self.heads[file.node], &self.heads[leaf]);
        let tasks: Vec<Task> = file
            .commands
            .iter()
            .map(|command| Task { text: command.text.clone(), limit: limit(command.output) })
            .collect();
        let plan = file.node.checked_sub(1).and_then(|parent| self.plans.get(&parent));
        let (place, around, held) = match plan {
            Some(plan) => (Where::Launch(plan, self.handed.inputs), plan.environ.clone(), hold(plan)),
            None => (Where::Host, host_environment(self.names), Ok(Vec::new())),
        };
        let _generations = held.map_err(|finding| vec![finding])?;
        let mut environ: BTreeMap<String, String> = around.into_iter().collect();
        environ.extend(own);
        let environ: Vec<(String, String)> = environ.into_iter().collect();
        let finished = runner::run(place, &tasks, &environ, limits).map_err(|error| {
            let finding = Finding::error(
                codes::COMMAND_FAILED,
                format!("no process can be started for the commands of this file: {error}"),
            );
            vec![at(file, finding).with_hint("see the limits of processes and open files (`ulimit -a`)")]
        })?;
        self.judge(file, finished, limits)
    }

    /// The outputs, or why there are none.
    fn judge(&self, file: &File, finished: Finished, limits: Limits) -> Result<Vec<Vec<u8>>, Vec<Finding>> {
        if let Some((why, hint)) = finished.trouble {
            let parent = &self.heads[file.node - 1];
            return Err(vec![cannot_launch(parent, file, Some((why, hint)))]);
        }
        let ran = finished.records.len();
        let report = Report { heads: &self.heads, file, limits };
        let mut findings: Vec<Finding> = Vec::new();
        let mut outputs = Vec::with_capacity(ran);
        for (command, record) in file.commands.iter().zip(finished.records) {
            findings.extend(report.failure(command, &record));
            outputs.push(record.output);
        }
        let over =
            findings.iter().any(|found| matches!(found.code, codes::COMMAND_TIMEOUT | codes::NO_SHELL));
        if let Some(command) =
            file.commands.get(ran).filter(|_| !over && findings.is_empty() || finished.late)
        {
            findings.push(report.unheard(command, finished.late));
        }
        if findings.is_empty() { Ok(outputs) } else { Err(findings) }
    }
}

/// Generations that are mounted while commands run are kept.
fn hold(plan: &LaunchPlan) -> Result<Vec<impl Sized + use<>>, Finding> {
    redpak_nodes::directories::hold_generations(plan)
}

/// The caller's environment, without what speaks of descriptors that a command does not get (sd_listen_fds(3)).
fn host_environment(names: &Names) -> Vec<(String, String)> {
    let listening = |key: &str| matches!(key, "LISTEN_FDS" | "LISTEN_PID" | "LISTEN_FDNAMES");
    let kept = names.env.iter().filter(|(key, _)| !listening(key));
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn limit(output: Output) -> usize {
    match output {
        Output::Text => MAX_TEXT,
        Output::File => MAX_FILE,
    }
}

/// At the first command of a file.
fn at(file: &File, finding: Finding) -> Finding {
    match file.commands.first() {
        Some(command) => finding.with_place(command.place.clone()),
        None => finding,
    }
}

fn cannot_launch(parent: &NodeHead, file: &File, why: Option<(String, Option<String>)>) -> Finding {
    let (why, hint) = why.map_or((String::new(), None), |(why, hint)| (format!(": {why}"), hint));
    let message =
        format!("the commands of this file run inside `{}`, which cannot be launched{why}", parent.alias);
    let path = parent.redpath.display();
    at(file, Finding::error(codes::PARENT_CANNOT_LAUNCH, message))
        .with_hint(hint.unwrap_or_else(|| format!("mend that node first: `redwrap -r {path} -- true`")))
}

/// Says what became of the commands of a file.
struct Report<'a> {
    heads: &'a [NodeHead],
    file: &'a File,
    limits: Limits,
}

impl Report<'_> {
    /// What is wrong with a command that was run.
    fn failure(&self, command: &Command, record: &Record) -> Option<Finding> {
        let text = shown(&command.text);
        let (code, message, hint) = match record.end {
            End::Exited(0) => return None,
            End::Exited(code) => (
                codes::COMMAND_FAILED,
                format!("the command `{text}` failed with exit code {code}"),
                self.advice(code, &record.errors),
            ),
            End::Signaled(signal) => (
                codes::COMMAND_FAILED,
                format!("the command `{text}` was ended by signal {signal}"),
                self.try_it(),
            ),
            End::NotStarted => {
                (codes::COMMAND_FAILED, format!("the command `{text}` could not be started"), self.try_it())
            }
            End::TimedOut => (
                codes::COMMAND_TIMEOUT,
                format!(
                    "the command `{text}` was ended: the commands of a file have {} s together",
                    self.limits.file.as_secs_f32()
                ),
                "let it do less: it runs at every launch".to_owned(),
            ),
            End::TooLong(limit) => (
                codes::COMMAND_OUTPUT,
                format!("the command `{text}` was ended: it writes more than {limit} bytes"),
                "let it write less (`| head -c 1000`)".to_owned(),
            ),
            End::NoShell => (
                codes::NO_SHELL,
                format!("the command `{text}` cannot run: there is neither bash nor sh in {}", self.place()),
                match self.parent() {
                    Some(_) => {
                        "let that node show a shell (an export of /usr or /bin), or write the value itself"
                            .to_owned()
                    }
                    None => "install one, or write the value itself".to_owned(),
                },
            ),
        };
        let message = message + &said(&record.errors);
        Some(Finding::error(code, message).with_place(command.place.clone()).with_hint(hint))
    }

    /// A command of which nothing was heard: it ended what runs it, or stopped it.
    fn unheard(&self, command: &Command, late: bool) -> Finding {
        let text = shown(&command.text);
        let (code, message) = match late {
            true => (codes::COMMAND_TIMEOUT, "it and what runs it did not end in time"),
            false => (codes::COMMAND_FAILED, "what runs it was ended"),
        };
        Finding::error(code, format!("nothing was heard of the command `{text}`: {message}"))
            .with_place(command.place.clone())
            .with_hint(self.try_it())
    }

    fn parent(&self) -> Option<&NodeHead> {
        self.file.node.checked_sub(1).map(|parent| &self.heads[parent])
    }

    /// Where the commands of the file run.
    fn place(&self) -> String {
        self.parent().map_or("the host".to_owned(), |parent| format!("`{}`, where it runs", parent.alias))
    }

    fn try_it(&self) -> String {
        match self.parent() {
            Some(parent) => format!("it runs as in `redwrap -r {} -- bash -r`", parent.redpath.display()),
            None => "it runs as in `bash -r` on the host".to_owned(),
        }
    }

    fn advice(&self, code: u8, errors: &[u8]) -> String {
        if errors.windows(10).any(|part| part == b"restricted") {
            return "the shell is a restricted one (`bash -r`): no `cd`, no `>`, no program by its path"
                .to_owned();
        }
        match (code, self.parent()) {
            (127, Some(parent)) => format!(
                "it has the programs that `{}` shows: `redwrap -r {} -- bash -r`",
                parent.alias,
                parent.redpath.display()
            ),
            _ => self.try_it(),
        }
    }
}

/// The end of what a command wrote on standard error, as lines below the message.
fn said(errors: &[u8]) -> String {
    let text = String::from_utf8_lossy(errors);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    if last.is_empty() { String::new() } else { format!(", and said:\n{}", last.join("\n")) }
}

/// A command on one line, not too long.
fn shown(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
