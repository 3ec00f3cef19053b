//! What is read from descriptors of the caller's for files inside (`Internal` exports), before anything else is done.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use redpak_plan::launch_plan::{Content, LaunchPlan, MountKind};
use redpak_plan::planner::DESCRIPTOR_SIZE;
use redpak_sys::descriptor::{self, Inherited};
use redpak_sys::{Errno, RawFd};

use crate::error::{Explain, Failure, LaunchError, Step, refuse};

/// What was read from descriptors, kept for further launches of one program: a descriptor can be read to its end but
/// once, and a family may be launched for the commands of its files before the leaf is.
#[derive(Debug, Default)]
pub struct Inputs(RefCell<BTreeMap<u32, Rc<[u8]>>>);

impl Inputs {
    /// Reads what the files of a plan are filled from and was not read before: for launches by processes that are
    /// forked from this one. Of what is given to `launch` itself, the launch reads what is missing.
    ///
    /// # Errors
    /// A descriptor is not open or cannot be read, gives more than [`DESCRIPTOR_SIZE`] bytes, or is among those passed
    /// on to the command.
    pub fn read(&self, plan: &LaunchPlan, passed_on: &[RawFd]) -> Result<(), LaunchError> {
        read(plan, self, &[passed_on]).map(|_| ())
    }
}

/// What the files of one launch hold.
#[derive(Debug, Default)]
pub(crate) struct Contents(BTreeMap<u32, Rc<[u8]>>);

impl Contents {
    /// The bytes of a file.
    pub(crate) fn bytes<'c>(&'c self, content: &'c Content) -> Step<&'c [u8]> {
        match content {
            Content::Text(text) => Ok(text.as_bytes()),
            Content::Bytes(bytes) => Ok(bytes),
            Content::Descriptor(number) => match self.0.get(number) {
                Some(bytes) => Ok(bytes),
                None => refuse(format!("descriptor {number} was not read")),
            },
            Content::Command(command) => {
                refuse(format!("it holds the output of a command, which was not run: {command:?}"))
            }
        }
    }
}

/// Reads all descriptors that the plan's files are filled from, and closes them. A number among `passed_on` is meant
/// for the command, and is no input.
pub(crate) fn read(
    plan: &LaunchPlan,
    inputs: &Inputs,
    passed_on: &[&[RawFd]],
) -> Result<Contents, LaunchError> {
    let mut contents = BTreeMap::new();
    for mount in &plan.mounts {
        let MountKind::File { content: Content::Descriptor(number), .. } = &mount.kind else { continue };
        let known = inputs.0.borrow().get(number).cloned();
        let bytes = match known {
            Some(bytes) => bytes,
            None => {
                let is_passed_on = passed_on
                    .iter()
                    .flat_map(|numbers| numbers.iter())
                    .any(|passed| u32::try_from(*passed).is_ok_and(|passed| passed == *number));
                let bytes: Rc<[u8]> = read_one(*number, is_passed_on).mount(mount)?.into();
                inputs.0.borrow_mut().insert(*number, bytes.clone());
                bytes
            }
        };
        contents.insert(*number, bytes);
    }
    Ok(Contents(contents))
}

fn read_one(number: u32, is_passed_on: bool) -> Step<Vec<u8>> {
    if is_passed_on {
        return refuse(format!(
            "descriptor {number} is to be read for this file, and to be passed on to the command as well"
        ));
    }
    let not_open = || {
        Err(Box::new(Failure {
            cause: crate::error::Cause::Refused(format!(
                "descriptor {number}, which the file's content is read from, is not open"
            )),
            hint: Some(format!("open it for redwrap, as a shell does with `{number}< FILE`")),
        }))
    };
    let Ok(raw) = RawFd::try_from(number) else { return not_open() };
    match descriptor::inspect(raw)? {
        Inherited::Closed => return not_open(),
        Inherited::Path => {
            return refuse(format!("descriptor {number} is an O_PATH descriptor, which cannot be read"));
        }
        found if found.is_directory() => {
            return refuse(format!("descriptor {number} is a directory, which cannot be read"));
        }
        Inherited::Open(_) => {}
    }
    // One of this program's own happens to have the number: nobody handed that over.
    if descriptor::closes_on_exec(raw)? {
        return not_open();
    }
    let limit = usize::try_from(DESCRIPTOR_SIZE).unwrap_or(usize::MAX);
    let read = descriptor::read_to_end(raw, limit)
        .hint(&[Errno::BADF], "the descriptor must be open for reading")?;
    let Some(bytes) = read else {
        return refuse(format!("descriptor {number} gives more than {limit} bytes, which a file may hold"));
    };
    descriptor::close(raw)?;
    Ok(bytes)
}
