//! Families and facts made by hand.

use std::path::PathBuf;

use redpak_diagnostics::{Finding, Place};
use redpak_model::effective::{
    Access, Effective, Export, ExportKind, Inheritance, Layer, Lies, NodeHead, Origin, Settings, Source,
    Sourced,
};
use redpak_plan::launch_plan::{FileKind, LaunchPlan, Mount, MountKind, Source as Opened};
use redpak_plan::{HostFacts, NodeFacts, OwnFact, Request, launch_plan};

/// A family of nodes `/r`, `/r/1`, `/r/1/2`, … with generation 1 each and content in every snippet directory.
pub struct World {
    pub effective: Effective,
    pub facts: HostFacts,
}

pub fn world(levels: usize) -> World {
    let mut redpath = PathBuf::from("/r");
    let mut nodes = Vec::new();
    let mut facts =
        HostFacts { uid: 1000, gid: 1000, user: "ann".into(), group: "ann".into(), ..HostFacts::default() };
    for level in 0..levels {
        if level > 0 {
            redpath.push(level.to_string());
        }
        nodes.push(NodeHead {
            alias: format!("n{level}"),
            name: String::new(),
            info: String::new(),
            redpath: redpath.clone(),
        });
        let full = OwnFact { kind: FileKind::Directory, empty: false };
        facts.nodes.push(NodeFacts {
            dev: 1,
            ino: level as u64 + 2,
            generation: Some(1),
            snippet: ["usr".to_owned(), "opt".to_owned()].into(),
            database: true,
            own: [(PathBuf::from(".redpak/gen/1/usr"), full), (".redpak/gen/1/etc".into(), full)].into(),
        });
    }
    for (path, kind) in
        [("/usr", FileKind::Directory), ("/etc/hosts", FileKind::File), ("/srv", FileKind::Directory)]
    {
        facts.host.insert(path.into(), kind);
    }
    let effective = Effective {
        nodes,
        admin: false,
        unjudged: vec![],
        settings: Settings::default(),
        environ: vec![],
        exports: vec![],
    };
    World { effective, facts }
}

impl World {
    pub fn export(&mut self, level: usize, mount: &str, kind: ExportKind) -> usize {
        let place = Place {
            file: format!("n{level}.yaml").into(),
            line: self.effective.exports.len() as u32 + 1,
            column: 1,
            length: 1,
            source: "".into(),
        };
        self.effective.exports.push(Export {
            mount: mount.into(),
            kind,
            level,
            private: false,
            optional: false,
            origin: Origin { node: level, layer: Layer::Normal, place },
            info: None,
        });
        self.effective.exports.len() - 1
    }

    pub fn own(&self, level: usize, beneath: &str) -> Source {
        Source {
            host: self.effective.nodes[level].redpath.join(beneath),
            lies: Lies::Own { beneath: beneath.into() },
        }
    }

    pub fn overlay(&mut self, level: usize, mount: &str, beneath: &str) -> usize {
        let source = self.own(level, beneath);
        self.export(level, mount, ExportKind::Overlay { source })
    }

    /// A value at a place of its own.
    pub fn sourced<T>(&self, level: usize, line: u32, value: T) -> Sourced<T> {
        let place =
            Place { file: format!("n{level}.yaml").into(), line, column: 3, length: 1, source: "".into() };
        Sourced { value, origin: Origin { node: level, layer: Layer::Normal, place }, overrode: vec![] }
    }

    /// Exports as a compatible family has them: by path.
    pub fn compatible(&mut self) {
        self.effective.settings.inheritance = Some(self.sourced(0, 100, Inheritance::Compatible));
        self.effective.exports.sort_by(|one, other| one.mount.cmp(&other.mount));
    }

    pub fn request(&self, show: bool) -> (Option<LaunchPlan>, Vec<Finding>) {
        let request = Request { command: vec!["true".into()], show, ..Request::default() };
        launch_plan(&self.effective, &self.facts, &request)
    }

    pub fn launch(&self) -> LaunchPlan {
        let (plan, findings) = self.request(false);
        plan.unwrap_or_else(|| panic!("refused: {findings:?}"))
    }

    pub fn plan(&self) -> (Option<Vec<Mount>>, Vec<Finding>) {
        self.plan_with(false)
    }

    pub fn plan_with(&self, strict: bool) -> (Option<Vec<Mount>>, Vec<Finding>) {
        let request = Request { command: vec!["true".into()], strict, ..Request::default() };
        let (plan, findings) = launch_plan(&self.effective, &self.facts, &request);
        (plan.map(|plan| plan.mounts), findings)
    }

    pub fn mounts(&self) -> Vec<Mount> {
        let (mounts, findings) = self.plan();
        mounts.unwrap_or_else(|| panic!("refused: {findings:?}"))
    }
}

pub fn host(path: &str) -> Source {
    Source { host: path.into(), lies: Lies::Host }
}

pub fn bind(source: Source, access: Access) -> ExportKind {
    ExportKind::Bind { source, access, file: false }
}

pub fn node(node: usize, beneath: &str) -> Opened {
    Opened::Node { node, beneath: beneath.into() }
}

pub fn layers(mount: &Mount) -> &[Opened] {
    match &mount.kind {
        MountKind::Overlay { layers, .. } => layers,
        other => panic!("{} is no overlay: {other:?}", mount.at.display()),
    }
}

pub fn ats(mounts: &[Mount]) -> Vec<&str> {
    mounts.iter().map(|mount| mount.at.to_str().unwrap_or("?")).collect()
}

/// Codes of findings, in their order.
pub fn codes(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code).collect()
}

/// Places of findings, as they are shown.
pub fn places(findings: &[Finding]) -> Vec<String> {
    let show = |finding: &Finding| finding.place.as_ref().map(ToString::to_string).unwrap_or_default();
    findings.iter().map(show).collect()
}
