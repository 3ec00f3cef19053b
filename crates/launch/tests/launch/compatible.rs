//! A family as red-pak 2.5 lays it out, planned and launched: all exports by path, from anywhere on the host.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use redpak_model::effective::{
    Access, Effective, Export, ExportKind, Inheritance, Layer, Lies, NodeHead, Origin, Settings, Source,
    Sourced,
};
use redpak_plan::launch_plan::FileKind;
use redpak_plan::{HostFacts, LaunchPlan, NodeFacts, OwnFact, Request, launch_plan};

use crate::harness::{BOTH, SOMEBODY, Test, Who, directory, populate, run, test};

pub const TESTS: &[Test] = &[
    test("a_family_of_red_pak_2_5_is_launched", BOTH, a_family_of_red_pak_2_5_is_launched),
    test("overlays_are_laid_over_what_anybody_binds", BOTH, overlays_are_laid_over_what_anybody_binds),
];

/// A root node, `child` and `child/leaf`.
struct Family {
    effective: Effective,
    facts: HostFacts,
}

impl Family {
    fn new(who: Who, root: &Path) -> Self {
        let uid = if who == Who::Root { 0 } else { SOMEBODY };
        let paths = [root.to_owned(), root.join("child"), root.join("child/leaf")];
        let head = |(index, path): (usize, &PathBuf)| NodeHead {
            alias: format!("n{index}"),
            name: String::new(),
            info: String::new(),
            redpath: path.clone(),
        };
        let inheritance = Inheritance::Compatible;
        let origin = origin(0, "inheritance");
        let inheritance = Some(Sourced { value: inheritance, origin, overrode: vec![] });
        let settings = Settings { inheritance, ..Settings::default() };
        let facts = |path: &PathBuf| {
            let found = std::fs::metadata(path).unwrap();
            NodeFacts { dev: found.dev(), ino: found.ino(), ..NodeFacts::default() }
        };
        Self {
            effective: Effective {
                nodes: paths.iter().enumerate().map(head).collect(),
                admin: false,
                unjudged: vec![],
                settings,
                environ: vec![],
                exports: vec![],
            },
            facts: HostFacts {
                uid,
                gid: uid,
                user: "somebody".into(),
                group: "somebody".into(),
                env: BTreeMap::new(),
                nodes: paths.iter().map(facts).collect(),
                devices: ["null", "zero", "tty"].map(str::to_owned).to_vec(),
                ..HostFacts::default()
            },
        }
    }

    fn export(&mut self, level: usize, mount: &str, kind: ExportKind) {
        let origin = origin(level, mount);
        let (private, optional, info) = (false, false, None);
        self.effective.exports.push(Export {
            mount: mount.into(),
            kind,
            level,
            private,
            optional,
            origin,
            info,
        });
    }

    fn bind(&mut self, level: usize, mount: &str, source: Source, access: Access) {
        self.export(level, mount, ExportKind::Bind { source, access, file: false });
    }

    fn own(&mut self, level: usize, beneath: &str) -> Source {
        let host = self.effective.nodes[level].redpath.join(beneath);
        let there = OwnFact { kind: kind(&host), empty: false };
        self.facts.nodes[level].own.insert(beneath.into(), there);
        Source { host, lies: Lies::Own { beneath: beneath.into() } }
    }

    fn host(&mut self, path: &Path) -> Source {
        self.facts.host.insert(path.to_owned(), kind(path));
        Source { host: path.to_owned(), lies: Lies::Host }
    }

    fn plan(mut self, script: &str) -> LaunchPlan {
        self.effective.exports.sort_by(|one, other| one.mount.cmp(&other.mount));
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let request = Request { command, ..Request::default() };
        let (plan, findings) = launch_plan(&self.effective, &self.facts, &request);
        assert!(findings.is_empty(), "{findings:?}");
        plan.unwrap()
    }
}

fn kind(path: &Path) -> FileKind {
    if path.is_dir() { FileKind::Directory } else { FileKind::File }
}

fn origin(node: usize, mount: &str) -> Origin {
    let place = redpak_diagnostics::Place {
        file: format!("n{node}.yaml{mount}").into(),
        line: 1,
        column: 1,
        length: 1,
        source: "".into(),
    };
    Origin { node, layer: Layer::Normal, place }
}

/// What every node of that layout needs to run a shell.
fn system(family: &mut Family) {
    for (at, path) in [("/usr", "/usr"), ("/lib64", "/usr/lib64"), ("/lib", "/usr/lib"), ("/bin", "/usr/bin")]
    {
        let source = family.host(Path::new(path));
        family.bind(0, at, source, Access::ReadOnly);
    }
    family.export(0, "/dev", ExportKind::Devfs);
    family.export(0, "/proc", ExportKind::Procfs);
    family.export(0, "/tmp", ExportKind::Tmpfs { size: None });
}

fn a_family_of_red_pak_2_5_is_launched(who: Who) {
    let root = directory(who);
    let host = directory(who);
    populate(
        who,
        root.path(),
        &[
            "child/usr/bin/tool",
            "child/leaf/usr/bin/tool",
            "child/leaf/usr/share/mine",
            "child/leaf/private/",
            "child/leaf/var/lib/rpm/db",
        ],
    );
    populate(who, host.path(), &["host/shown", "rw/", "socket/"]);
    let mut family = Family::new(who, root.path());
    system(&mut family);
    family.export(0, "/var", ExportKind::Anonymous);
    family.export(0, "/run", ExportKind::Anonymous);
    family.export(0, "/home/n2", ExportKind::Symlink { target: "/nodes/_private".into() });
    for (level, mount, beneath, access) in [
        (1, "/nodes/n1/usr", "usr", Access::ReadOnly),
        (2, "/nodes/n2/usr", "usr", Access::ReadOnly),
        (2, "/nodes/_private", "private", Access::ReadWrite),
        (2, "/var/lib/rpm", "var/lib/rpm", Access::ReadWrite),
    ] {
        let source = family.own(level, beneath);
        family.bind(level, mount, source, access);
    }
    // Of a child, paths of the host that no ancestor shows; one of them over a bind of another node.
    let shown = family.host(&host.path().join("host"));
    family.bind(1, "/nodes/n2/usr/share", shown, Access::ReadOnly);
    let writable = family.host(&host.path().join("rw"));
    family.bind(2, "/run/shared", writable, Access::ReadWrite);
    let script = "cat /nodes/n1/usr/bin/tool /nodes/n2/usr/bin/tool /nodes/n2/usr/share/shown /var/lib/rpm/db; echo; \
                  ls /nodes/n2/usr/share /var /run /nodes; readlink /home/n2; \
                  echo x >/home/n2/file; echo x >/run/shared/file; echo x >/var/lib/rpm/new; touch /var/made; \
                  touch /nodes/n2/usr/bin/new 2>&1 | grep -o Read-only";
    let plan = family.plan(script);
    assert!(plan.mounts.iter().all(|mount| mount.level == 0));
    let out = run(who, &plan).good();
    assert_eq!(
        out,
        "child/usr/bin/toolchild/leaf/usr/bin/toolhost/shownchild/leaf/var/lib/rpm/db\n\
         /nodes:\n_private\nn1\nn2\n\n/nodes/n2/usr/share:\nshown\n\n/run:\nshared\n\n/var:\nlib\n\
         /nodes/_private\nRead-only\n"
    );
    for path in ["child/leaf/private/file", "child/leaf/var/lib/rpm/new"] {
        assert!(root.path().join(path).exists(), "{path}");
    }
    assert!(host.path().join("rw/file").exists());
    assert!(root.path().join("child/leaf/usr/share/mine").exists());
}

fn overlays_are_laid_over_what_anybody_binds(who: Who) {
    let root = directory(who);
    populate(
        who,
        root.path(),
        &[
            "base/file",
            "base/shared",
            "base/below/",
            "base/deep/base",
            "one/shared",
            "child/two/shared",
            "child/data/inside",
            "child/deep/laid",
            "child/leaf/three/leaf",
        ],
    );
    let mut family = Family::new(who, root.path());
    system(&mut family);
    // The leaf binds, and its ancestors lay over that.
    let base = family.host(&root.path().join("base"));
    family.bind(2, "/opt", base, Access::ReadOnly);
    for (level, beneath) in [(1, "two"), (0, "one"), (2, "three")] {
        let source = family.own(level, beneath);
        family.export(level, "/opt", ExportKind::Overlay { source });
    }
    let data = family.own(1, "data");
    family.bind(1, "/opt/below", data, Access::ReadWrite);
    // Below a bind, over what that shows.
    let base = family.host(&root.path().join("base"));
    family.bind(0, "/srv", base, Access::ReadOnly);
    let deep = family.own(1, "deep");
    family.export(1, "/srv/deep", ExportKind::Overlay { source: deep });
    let script = "cat /opt/file /opt/shared /opt/leaf /opt/below/inside; echo; ls /srv/deep /srv";
    let plan = family.plan(script);
    let out = run(who, &plan).good();
    assert_eq!(
        out,
        "base/filechild/two/sharedchild/leaf/three/leafchild/data/inside\n\
         /srv:\nbelow\ndeep\nfile\nshared\n\n/srv/deep:\nbase\nlaid\n"
    );
}
