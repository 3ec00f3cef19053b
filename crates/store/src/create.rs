//! A node's first generation, and the links that lead to the current one.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::io::Errno;
use serde_json::{Map, Value};

use crate::dir::Dir;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::LOCK_FILE;
use crate::manifest::{MANIFEST_VERSION, Manifest};
use crate::node::{CURRENT, GENERATIONS};
use crate::{DATABASE, LINKED_TOPS, REDPAK_DIR, TOPS};

/// Where the distribution's rpm looks for a database, and the way from there to the generation's.
const DATABASE_LINK: (&str, &str) = ("rpm", "../../.redpak/current/usr/lib/sysimage/rpm");

pub(crate) fn create_first(node: Dir, command: &str) -> Result<()> {
    let redpak = node.make_if_missing(REDPAK_DIR, 0o755)?;
    match redpak.write_file(LOCK_FILE, b"", 0o644) {
        Err(e) if e.errno() == Some(Errno::EXIST) => {}
        other => other?,
    }
    let generations = redpak.make_if_missing(GENERATIONS, 0o755)?;
    match redpak.stat_entry(CURRENT) {
        Ok(_) => {}
        Err(e) if e.errno() == Some(Errno::NOENT) => first(&redpak, &generations, command)?,
        Err(e) => return Err(e),
    }
    links(&node)?;
    node.sync_file_system()
}

/// Made under another name, so that generation 1 is whole whenever it is there.
fn first(redpak: &Dir, generations: &Dir, command: &str) -> Result<()> {
    crate::remove::remove_tree(redpak, "staging.1")?;
    crate::remove::remove_tree(generations, "1")?;
    let staging = redpak.make("staging.1", 0o755)?;
    for top in TOPS {
        staging.make(top, 0o755)?;
    }
    let mut dir = staging.try_clone()?;
    for component in DATABASE.split('/') {
        dir = dir.make_if_missing(component, 0o755)?;
    }
    let mut payload = Map::new();
    payload.insert("packages".into(), Value::Array(Vec::new()));
    payload.insert("unowned".into(), Value::Array(Vec::new()));
    payload.insert("rpmdb".into(), Value::Null);
    let manifest = Manifest {
        version: MANIFEST_VERSION,
        number: 1,
        parent: None,
        timestamp: now(),
        command: command.to_owned(),
        payload,
    };
    manifest.write(&staging)?;
    staging.sync_file_system()?;
    redpak.rename("staging.1", generations, "1")?;
    generations.sync()?;
    redpak.make_link("gen/1", CURRENT)?;
    redpak.sync()
}

fn links(node: &Dir) -> Result<()> {
    for top in LINKED_TOPS {
        link(node, &format!("{REDPAK_DIR}/{CURRENT}/{top}"), top)?;
    }
    let lib = node.make_if_missing("var", 0o755)?.make_if_missing("lib", 0o755)?;
    link(&lib, DATABASE_LINK.1, DATABASE_LINK.0)
}

/// Makes the link to the database again where a transaction put another one, or an empty directory (packages of rpm
/// own one, and within the sandbox the link leads nowhere). Anything else is left to people.
pub(crate) fn mend_database_link(node: &Dir) -> Result<()> {
    let Ok(Some(var)) = node.open_if_there("var") else { return Ok(()) };
    let Ok(Some(lib)) = var.open_if_there("lib") else { return Ok(()) };
    let (name, text) = DATABASE_LINK;
    match lib.read_link(name) {
        Ok(there) if there == text => return Ok(()),
        Ok(_) => lib.unlink(name)?,
        Err(e) if e.errno() == Some(Errno::NOENT) => {}
        Err(_) if lib.remove_empty(name).is_ok() => {}
        Err(_) => return Ok(()),
    }
    lib.make_link(text, name)
}

fn link(dir: &Dir, text: &str, name: &str) -> Result<()> {
    match dir.make_link(text, name) {
        Err(e) if e.errno() == Some(Errno::EXIST) => {}
        other => return other,
    }
    if dir.read_link(name).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let text = format!("{} is in the way of a link to {text}", dir.join(name).display());
    Err(Error::new(ErrorKind::Refused, text).with_hint("move it away, and try again"))
}

/// Milliseconds since 1970; 0 for a clock before that.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
