//! Verbs that change no node.

use redpak_diagnostics::exit;
use redpak_diagnostics::render::printable;
use redpak_packages::options::glob;
use redpak_packages::queries::{Info, Property, RepoRow, Row, Which};
use redpak_packages::solve::{Scope, Session};
use redpak_solv::DepKind;
use serde::Serialize;

use crate::arguments::{
    CleanArguments, Common, DownloadArguments, RepolistArguments, RepoqueryArguments, WhichArguments,
};
use crate::family::Loaded;
use crate::progress::Downloads;
use crate::table::{Table, size};
use crate::{Failure, open_session, report_session};

/// What is looked at: without a word, `installed` and `available` as the verb has it.
fn which(arguments: WhichArguments, otherwise: Which) -> Which {
    match (arguments.installed, arguments.available, arguments.family) {
        (false, false, false) => otherwise,
        (installed, available, family) => Which { installed: installed || family, available, family },
    }
}

const EVERYTHING: Which = Which { installed: true, family: true, available: true };
const REPOSITORIES: Which = Which { installed: false, family: false, available: true };

/// A session for a question; repositories are loaded only when it is about them.
fn session(loaded: &Loaded, common: &Common, which: Which, paths: bool) -> Result<Session, Failure> {
    let scope = if which.available { Scope::All } else { Scope::Installed };
    let session = open_session(&loaded.context, common, scope, paths)?;
    report_session(&session);
    Ok(session)
}

fn json(value: &impl Serialize) -> Result<u8, Failure> {
    println!("{}", serde_json::to_string_pretty(value).map_err(Failure::json)?);
    Ok(exit::OK)
}

pub fn list(
    loaded: &Loaded,
    specs: &[String],
    arguments: WhichArguments,
    common: &Common,
) -> Result<u8, Failure> {
    let which = which(arguments, Which { installed: true, family: false, available: true });
    let session = session(loaded, common, which, false)?;
    let rows = session.list(which, specs);
    if common.json {
        return json(&rows);
    }
    if rows.is_empty() && !specs.is_empty() {
        return Err(Failure::text(format!("no matching packages to list: {}", specs.join(" "))));
    }
    let mut table = Table::new(&[], &[]);
    for (title, installed) in [("Installed packages", true), ("Available packages", false)] {
        let mut group = rows.iter().filter(|row| row.installed == installed).peekable();
        if group.peek().is_some() {
            table.group(title);
        }
        group.for_each(|row| table.row(&cells(row)));
    }
    print!("{}", table.render());
    Ok(exit::OK)
}

fn cells(row: &Row) -> [String; 3] {
    [format!("{}.{}", row.nevra.name, row.nevra.arch), row.nevra.evr(), row.place.clone()]
}

pub fn info(
    loaded: &Loaded,
    specs: &[String],
    arguments: WhichArguments,
    common: &Common,
) -> Result<u8, Failure> {
    let which = which(arguments, EVERYTHING);
    let session = session(loaded, common, which, false)?;
    let all = session.info(which, specs)?;
    if common.json {
        return json(&all);
    }
    for (number, info) in all.iter().enumerate() {
        if number > 0 {
            println!();
        }
        print!("{}", in_full(info));
    }
    Ok(exit::OK)
}

fn in_full(info: &Info) -> String {
    let nevra = &info.row.nevra;
    let place = if info.row.installed { "Node" } else { "Repository" };
    let mut fields = vec![
        ("Name", nevra.name.clone()),
        ("Epoch", nevra.epoch.to_string()),
        ("Version", nevra.version.clone()),
        ("Release", nevra.release.clone()),
        ("Architecture", nevra.arch.clone()),
        ("Installed size", size(info.install_size)),
        ("Source", info.source.clone()),
        (place, info.row.place.clone()),
        ("Reason", info.reason.map(|reason| format!("{reason:?}").to_lowercase()).unwrap_or_default()),
        ("Summary", info.row.summary.clone()),
        ("URL", info.url.clone()),
        ("License", info.license.clone()),
        ("Vendor", info.vendor.clone()),
    ];
    if info.download_size > 0 {
        fields.insert(5, ("Download size", size(info.download_size)));
    }
    let description = info.description.lines().map(|line| ("Description", line.to_owned()));
    let mut out = String::new();
    let mut last = "";
    for (name, value) in fields.into_iter().chain(description).filter(|(_, value)| !value.is_empty()) {
        let shown = if name == last { "" } else { name };
        out += &format!("{shown:<16}: {}\n", printable(&value));
        last = name;
    }
    out
}

pub fn search(loaded: &Loaded, words: &[String], all: bool, common: &Common) -> Result<u8, Failure> {
    let session = session(loaded, common, EVERYTHING, false)?;
    let rows = session.search(words, all);
    if common.json {
        return json(&rows);
    }
    if rows.is_empty() {
        println!("No matches found.");
    }
    let mut table = Table::new(&[], &[]);
    rows.iter()
        .for_each(|row| table.row(&[format!(" {}.{}", row.nevra.name, row.nevra.arch), row.summary.clone()]));
    print!("{}", table.render());
    Ok(exit::OK)
}

pub fn provides(loaded: &Loaded, specs: &[String], common: &Common) -> Result<u8, Failure> {
    let session = session(loaded, common, EVERYTHING, true)?;
    let mut all = Vec::new();
    for spec in specs {
        let found = session.provides(spec);
        if found.is_empty() {
            return Err(Failure::text(format!("no matches found for {spec}")));
        }
        all.extend(found);
    }
    if common.json {
        return json(&all);
    }
    for (row, matched) in all {
        println!("{} : {}", row.nevra, printable(&row.summary));
        println!("{:<12}: {}", if row.installed { "Node" } else { "Repository" }, printable(&row.place));
        println!("{:<12}: {}\n", "Provides", printable(&matched));
    }
    Ok(exit::OK)
}

pub fn repoquery(loaded: &Loaded, arguments: &RepoqueryArguments, common: &Common) -> Result<u8, Failure> {
    let which = which(arguments.which, REPOSITORIES);
    let paths = arguments.files || redpak_packages::solve::names_paths(&arguments.specs);
    let session = session(loaded, common, which, paths)?;
    let properties = [
        (arguments.requires, Property::Dependencies(DepKind::Requires)),
        (arguments.provides, Property::Dependencies(DepKind::Provides)),
        (arguments.conflicts, Property::Dependencies(DepKind::Conflicts)),
        (arguments.obsoletes, Property::Dependencies(DepKind::Obsoletes)),
        (arguments.recommends, Property::Dependencies(DepKind::Recommends)),
        (arguments.supplements, Property::Dependencies(DepKind::Supplements)),
        (arguments.files, Property::Files),
    ];
    if let Some((_, property)) = properties.into_iter().find(|(asked, _)| *asked) {
        let lines = session.property(which, &arguments.specs, property)?;
        if common.json {
            return json(&lines);
        }
        lines.iter().for_each(|line| println!("{}", printable(line)));
        return Ok(exit::OK);
    }
    let rows = if let Some(what) = &arguments.whatrequires {
        session.what_requires(which, what)?
    } else if let Some(what) = &arguments.whatprovides {
        session.query(which, std::slice::from_ref(what))?
    } else if arguments.specs.is_empty() {
        session.list(which, &[])
    } else {
        session.query(which, &arguments.specs)?
    };
    if common.json {
        return json(&rows);
    }
    let mut lines: Vec<String> = rows.iter().map(|row| row.nevra.to_string()).collect();
    lines.dedup();
    lines.iter().for_each(|line| println!("{}", printable(line)));
    Ok(exit::OK)
}

pub fn repolist(
    loaded: &Loaded,
    arguments: &RepolistArguments,
    full: bool,
    common: &Common,
) -> Result<u8, Failure> {
    let session = session(loaded, common, Which { available: full, ..REPOSITORIES }, false)?;
    let shown = |row: &RepoRow| {
        let named = arguments.ids.is_empty() || arguments.ids.iter().any(|pattern| glob(pattern, &row.id));
        named && (arguments.all || row.enabled != arguments.disabled)
    };
    let rows: Vec<RepoRow> = session.repositories().into_iter().filter(shown).collect();
    if common.json {
        return json(&rows);
    }
    if full {
        for row in &rows {
            println!("{:<16}: {}", "Repo ID", row.id);
            println!("{:<16}: {}", "Name", printable(&row.name));
            println!("{:<16}: {}", "Node", row.node);
            println!("{:<16}: {}", "Status", if row.enabled { "enabled" } else { "disabled" });
            println!("{:<16}: {}", "Signatures", if row.gpgcheck { "verified" } else { "not verified" });
            println!("{:<16}: {}", "Source", printable(&row.source));
            row.packages.iter().for_each(|count| println!("{:<16}: {count}", "Packages"));
            println!();
        }
        return Ok(exit::OK);
    }
    let mut table = Table::new(&["repo id", "repo name", "node", "status"], &[]);
    for row in rows {
        let status = if row.enabled { "enabled" } else { "disabled" };
        table.row(&[row.id, row.name, row.node, status.to_owned()]);
    }
    print!("{}", table.render());
    Ok(exit::OK)
}

pub fn check_upgrade(loaded: &Loaded, specs: &[String], common: &Common) -> Result<u8, Failure> {
    let mut session = session(loaded, common, EVERYTHING, false)?;
    let rows = session.upgrades(specs)?;
    if common.json {
        json(&rows)?;
    } else {
        let mut table = Table::new(&[], &[]);
        rows.iter().for_each(|row| table.row(&cells(row)));
        print!("{}", table.render());
    }
    Ok(if rows.is_empty() { exit::OK } else { exit::UPGRADES_AVAILABLE })
}

pub fn makecache(loaded: &Loaded, common: &Common) -> Result<u8, Failure> {
    session(loaded, common, REPOSITORIES, true)?;
    if !common.quiet {
        println!("Metadata cache created.");
    }
    Ok(exit::OK)
}

pub fn clean(loaded: &Loaded, arguments: &CleanArguments, common: &Common) -> Result<u8, Failure> {
    let cache = redpak_packages::cache::Cache::of(&loaded.context)?;
    let (metadata, packages) =
        (arguments.what != "packages", matches!(arguments.what.as_str(), "all" | "packages"));
    let count = cache.clean(metadata, packages)?;
    if !common.quiet {
        println!("{count} files removed from {}", cache.root().display());
    }
    Ok(exit::OK)
}

pub fn download(loaded: &Loaded, arguments: &DownloadArguments, common: &Common) -> Result<u8, Failure> {
    let mut session =
        session(loaded, common, EVERYTHING, redpak_packages::solve::names_paths(&arguments.specs))?;
    let transaction = match arguments.resolve {
        true => session.install(&arguments.specs)?.transaction,
        false => session.as_they_are(&arguments.specs)?,
    };
    let total = session.download_size(&transaction);
    let downloads = Downloads::new(total, common.quiet || common.json || total == 0);
    let result =
        session.download_to(&transaction, &arguments.destdir, &|want, bytes| downloads.more(want, bytes));
    downloads.finish();
    let files = result?;
    if common.json {
        return json(&files);
    }
    files.iter().for_each(|file| println!("{}", file.display()));
    Ok(exit::OK)
}
