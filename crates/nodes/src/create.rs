//! Creates a node: built beside its place under a name of its own, judged together with its family, then renamed.
//! Whatever fails, nothing is left behind.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use redpak_diagnostics::Finding;
use redpak_model::effective::Effective;
use redpak_model::status::{Parent, State, Status};
use redpak_model::{Names, NodeText, SourceText};

use crate::codes;
use crate::descend::OWN;
use crate::family::{Family, LoadOptions, Refused};
use crate::leftovers;
use crate::templates::{self, Headers, Template};
use crate::walk::{STATUS, walk};

/// Directories of a new node's persistent data and their modes.
const VAR: [(&str, u32); 8] = [
    ("var", 0o755),
    ("var/cache", 0o755),
    ("var/home", 0o700),
    ("var/lib", 0o755),
    ("var/local", 0o755),
    ("var/log", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
];

/// What to create.
#[derive(Clone, Debug)]
pub struct Creation {
    /// Where, an absolute path.
    pub path: PathBuf,
    /// The alias; the directory's name without it.
    pub alias: Option<String>,
    /// The two files; without them `root` where there is no node above, else `leaf`.
    pub template: Option<Template>,
    /// The model's name, for the check that a root is a root.
    pub model: Option<String>,
    /// Where models are searched.
    pub template_dir: PathBuf,
}

/// What was created.
#[derive(Clone, Debug)]
pub struct Created {
    /// The node's path, without links.
    pub path: PathBuf,
    /// Its alias.
    pub alias: String,
    /// The model that was used, when by name.
    pub model: Option<String>,
    /// The parent, unless it is a root node.
    pub parent: Option<PathBuf>,
    /// Warnings.
    pub findings: Vec<Finding>,
}

/// Creates a node for the user `uid`.
pub fn create(creation: &Creation, names: &Names, uid: u32) -> Result<Created, Refused> {
    let place = Place::find(&creation.path, uid)?;
    let parent = match &place.parent {
        Some(path) => Some(Family::load(path, uid, LoadOptions::default())?),
        None => None,
    };
    let model = match (&creation.model, &creation.template, &parent) {
        (Some(model), _, _) => Some(model.clone()),
        (None, Some(_), _) => None,
        (None, None, Some(_)) => Some("leaf".to_owned()),
        (None, None, None) => Some("root".to_owned()),
    };
    fits(model.as_deref(), place.parent.as_deref(), &creation.path)?;
    let template = match (&creation.template, &model) {
        (Some(template), _) => template.clone(),
        (None, Some(model)) => templates::find(model, place.parent.is_some(), &creation.template_dir)?,
        (None, None) => return Err(Finding::error(codes::TEMPLATE, "no model and no file was given").into()),
    };
    let alias = match &creation.alias {
        Some(alias) => alias.clone(),
        None => place.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
    };
    if alias.is_empty() || !alias.chars().all(|c| c.is_ascii_alphanumeric() || "+-_@:".contains(c)) {
        return Err(Finding::error(codes::ALIAS, format!("`{alias}` cannot be an alias"))
            .with_hint("letters, digits and + - _ @ : only; give another with -a ALIAS")
            .into());
    }
    let info = info("created", names);
    let headers = Headers { alias: &alias, name: &names.uuid, info: &info };
    let text = node_text(&place.path, &template, &headers);
    let mut family = parent.as_ref().map(Family::texts).unwrap_or_default();
    family.push(text.clone());
    let (effective, findings) = redpak_model::effective(&family, false, names);
    let Some(effective) = effective else { return Err(Refused(findings)) };
    if text.admin.is_some() {
        let (admin, found) = redpak_model::effective(&family, true, names);
        if admin.is_none() {
            return Err(Refused(found));
        }
    }
    let build = Build { place: &place, text: &text, info: &info, generation: wants_generation(&effective) };
    build.run().map_err(Refused::from)?;
    Ok(Created { path: place.path, alias, model, parent: place.parent, findings })
}

/// Who did it, where and when.
pub(crate) fn info(did: &str, names: &Names) -> String {
    format!("{did} by {} on {} the {}", user(names), host(names), names.today)
}

fn user(names: &Names) -> String {
    names
        .env
        .get("LOGNAME")
        .or_else(|| names.env.get("USER"))
        .cloned()
        .unwrap_or_else(|| crate::accounts::user(names.uid))
}

fn host(names: &Names) -> String {
    names
        .env
        .get("HOSTNAME")
        .cloned()
        .unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
}

fn node_text(path: &Path, template: &Template, headers: &Headers) -> NodeText {
    let source = |name: &str, text: &str| SourceText {
        file: Arc::from(path.join("etc").join(name).to_string_lossy().as_ref()),
        text: templates::fill(text, headers),
    };
    NodeText {
        redpath: path.to_owned(),
        normal: source("redpak.yaml", &template.normal),
        admin: template.admin.as_ref().map(|text| source("redpak-admin.yaml", text)),
    }
}

/// A root model stands alone, a leaf model does not.
fn fits(model: Option<&str>, parent: Option<&Path>, path: &Path) -> Result<(), Finding> {
    match (model, parent) {
        (Some(model @ ("root" | "bare" | "full")), Some(parent)) => Err(Finding::error(
            codes::TEMPLATE,
            format!("`{model}` is a model of root nodes, and `{}` is a node above", parent.display()),
        )
        .with_hint("leave -m out, or use -m leaf")),
        (Some("leaf"), None) => Err(Finding::error(
            codes::TEMPLATE,
            format!("`leaf` needs a node above `{}`, and there is none", path.display()),
        )
        .with_hint("create a root node first: `redconf create -m root DIRECTORY`")),
        _ => Ok(()),
    }
}

/// A child always gets generations, a root node when its own files show what packages put into it.
fn wants_generation(effective: &Effective) -> bool {
    let leaf = effective.nodes.len() - 1;
    leaf > 0 || redpak_plan::transaction_view::has_packages(effective, leaf)
}

/// Where a new node goes.
struct Place {
    /// Its path, without links.
    path: PathBuf,
    /// The node above.
    parent: Option<PathBuf>,
    /// The deepest directory above that exists.
    existing: PathBuf,
}

impl Place {
    fn find(path: &Path, uid: u32) -> Result<Self, Finding> {
        if std::fs::symlink_metadata(path.join(STATUS)).is_ok() {
            return Err(Finding::error(codes::EXISTS, format!("`{}` is a node already", path.display()))
                .with_hint(format!(
                    "`redconf create --update {0}` registers it anew, `redconf delete {0}` removes it",
                    path.display()
                )));
        }
        let empty = match std::fs::read_dir(path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if !empty {
            return Err(Finding::error(
                codes::EXISTS,
                format!("`{}` exists and is not an empty directory", path.display()),
            )
            .with_hint("give a path that does not exist yet"));
        }
        let mut above = path.parent().unwrap_or(Path::new("/"));
        while std::fs::symlink_metadata(above).is_err() {
            above = above.parent().unwrap_or(Path::new("/"));
        }
        let steps = walk(above, uid)?;
        let existing = steps.last().map_or_else(|| PathBuf::from("/"), |step| step.path.clone());
        let parent = steps.iter().rev().find(|step| step.node).map(|step| step.path.clone());
        let rest = path.strip_prefix(above).unwrap_or(Path::new(""));
        let path = existing.join(rest);
        if let Some(own) = parent.as_deref().and_then(|parent| in_nodes_own(parent, &path)) {
            return Err(Finding::error(
                codes::NOT_FOR_NODES,
                format!("`{}` lies in `{}`, which is no place for nodes", path.display(), own.display()),
            )
            .with_hint("create it beside that directory: packages and data of the node above are there"));
        }
        Ok(Self { path, parent, existing })
    }
}

/// The directory of the node `parent` that holds its own files, and that `path` lies in.
fn in_nodes_own(parent: &Path, path: &Path) -> Option<PathBuf> {
    let first = path.strip_prefix(parent).ok()?.components().next()?;
    OWN.iter().any(|own| first.as_os_str() == *own).then(|| parent.join(first))
}

struct Build<'a> {
    place: &'a Place,
    text: &'a NodeText,
    info: &'a str,
    generation: bool,
}

impl Build<'_> {
    /// Makes the directories above, builds beside, renames; undoes all of it on failure.
    fn run(&self) -> Result<(), Finding> {
        let path = &self.place.path;
        let above = path.parent().unwrap_or(Path::new("/"));
        let made = make_above(&self.place.existing, above)?;
        leftovers::sweep(above);
        let fresh = leftovers::beside(path, leftovers::NEW);
        let done = self.fill(&fresh).and_then(|()| {
            std::fs::rename(&fresh, path).map_err(|error| write_error("rename", path, &error))?;
            sync(above)
        });
        let done = done.map_err(|mut finding| {
            // Nobody knows the name under which it was built.
            finding.message =
                finding.message.replace(&fresh.display().to_string(), &path.display().to_string());
            finding
        });
        if done.is_err() {
            // Best effort on what this very call made; the first error is what counts.
            let _ = std::fs::remove_dir_all(&fresh);
            for directory in made.iter().rev() {
                let _ = std::fs::remove_dir(directory);
            }
        }
        done
    }

    fn fill(&self, fresh: &Path) -> Result<(), Finding> {
        directory(fresh, 0o755)?;
        let _held = leftovers::hold(fresh).map_err(|error| write_error("lock", fresh, &error))?;
        for (name, mode) in [("etc", 0o755), ("etc/yum.repos.d", 0o755)].into_iter().chain(VAR) {
            directory(&fresh.join(name), mode)?;
        }
        std::os::unix::fs::symlink("/run", fresh.join("var/run"))
            .map_err(|error| write_error("symlink", fresh, &error))?;
        write(&fresh.join("etc/redpak.yaml"), &self.text.normal.text)?;
        if let Some(admin) = &self.text.admin {
            write(&fresh.join("etc/redpak-admin.yaml"), &admin.text)?;
        }
        if self.generation {
            redpak_store::Node::create_first(fresh, "redconf create").map_err(|error| {
                Finding::error(
                    codes::WRITE,
                    format!("cannot make the first generation of `{}`: {error}", self.place.path.display()),
                )
            })?;
        }
        let status = Status {
            state: State::Enable,
            realpath: self.place.path.clone(),
            timestamp: milliseconds(),
            info: self.info.to_owned(),
            parent: Some(self.place.parent.clone().map_or(Parent::None, Parent::Redpath)),
        };
        write(&fresh.join(STATUS), &redpak_model::status::render(&status))?;
        sync(fresh)
    }
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The directories made between what exists and `above`, topmost first.
fn make_above(existing: &Path, above: &Path) -> Result<Vec<PathBuf>, Finding> {
    let mut made = Vec::new();
    let mut here = existing.to_owned();
    for name in above.strip_prefix(existing).unwrap_or(Path::new("")) {
        here.push(name);
        if let Err(finding) = directory(&here, 0o755) {
            for directory in made.iter().rev() {
                let _ = std::fs::remove_dir(directory);
            }
            return Err(finding);
        }
        made.push(here.clone());
    }
    Ok(made)
}

fn directory(path: &Path, mode: u32) -> Result<(), Finding> {
    let make = || -> std::io::Result<()> {
        std::fs::DirBuilder::new().mode(0o700).create(path)?;
        // Past the caller's umask, which is not the node's business.
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
    };
    make().map_err(|error| write_error("create", path, &error))
}

/// Writes a new file and syncs it.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Finding> {
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let put = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.sync_all()
    };
    put().map_err(|error| write_error("write", path, &error))
}

/// Syncs the file system that holds `path`, and looks at the result.
fn sync(path: &Path) -> Result<(), Finding> {
    let done =
        std::fs::File::open(path).and_then(|dir| rustix::fs::syncfs(&dir).map_err(std::io::Error::from));
    done.map_err(|error| write_error("sync", path, &error))
}

pub(crate) fn write_error(what: &str, path: &Path, error: &std::io::Error) -> Finding {
    let finding = Finding::error(codes::WRITE, format!("cannot {what} `{}`: {error}", path.display()));
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            finding.with_hint("choose a directory that you may write, or run as root")
        }
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ReadOnlyFilesystem => {
            finding.with_hint("nothing can be made there: choose another directory")
        }
        std::io::ErrorKind::StorageFull => finding.with_hint("free some space; nothing was left behind"),
        _ => finding,
    }
}
