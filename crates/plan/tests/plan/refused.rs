//! What is refused by name.

use redpak_model::effective::{
    Account, CallAction, ExportKind, Landlock, NodeLimits, Rlimit, Seccomp, Share, Unjudged, Variable,
    VariableAction,
};
use redpak_plan::{TransactionView, transaction_plan};

use crate::world::{World, codes, places, world};

type Change = fn(&mut World);

const NAMED: &[(&str, Change)] = &[
    ("set-user", |world| {
        world.effective.settings.set_user = Some(world.sourced(1, 7, Account::Name("ann".into())));
    }),
    ("set-group", |world| {
        world.effective.settings.set_group = Some(world.sourced(1, 7, Account::Id(5)));
    }),
    ("smack", |world| world.effective.settings.smack = Some(world.sourced(1, 7, "User".into()))),
    ("selinux", |world| world.effective.settings.selinux = Some(world.sourced(1, 7, "a:b:c:s0".into()))),
    ("apparmor", |world| world.effective.settings.apparmor = Some(world.sourced(1, 7, "x".into()))),
    ("cgrouproot", |world| world.effective.settings.cgrouproot = Some(world.sourced(1, 7, "/x".into()))),
    ("cgroups", |world| {
        let files = vec![
            ("memory.max".to_owned(), world.sourced(1, 7, "1".to_owned())),
            ("pids.max".to_owned(), world.sourced(1, 8, "1".to_owned())),
        ];
        world.effective.settings.cgroups = vec![NodeLimits { node: 1, files }];
    }),
    ("seccomp", |world| {
        let filter = Seccomp { default: CallAction::Allow, rules: vec![] };
        world.effective.settings.seccomp = vec![world.sourced(1, 7, filter)];
    }),
    ("landlock", |world| {
        let rules = Landlock {
            abi: None,
            files: true,
            tcp_bind: None,
            tcp_connect: None,
            abstract_sockets: true,
            signals: true,
        };
        world.effective.settings.landlock = vec![world.sourced(1, 7, rules)];
    }),
    ("rlimits.nofile", |world| {
        let limit = Rlimit { soft: Some(1), hard: None };
        world.effective.settings.rlimits = vec![("nofile".into(), world.sourced(1, 7, limit))];
    }),
    ("share_time", |world| world.effective.settings.share.time = Some(world.sourced(1, 7, Share::Isolated))),
    ("time-offsets.monotonic", |world| {
        world.effective.settings.time_offsets.monotonic = Some(world.sourced(1, 7, 5));
    }),
    ("time-offsets.boottime", |world| {
        world.effective.settings.time_offsets.boottime = Some(world.sourced(1, 7, 5));
    }),
    ("share_user: /proc/1/ns", |world| world.effective.settings.share.user = Some(join(world))),
    ("share_cgroup: /proc/1/ns", |world| world.effective.settings.share.cgroup = Some(join(world))),
    ("share_net: /proc/1/ns", |world| world.effective.settings.share.net = Some(join(world))),
    ("share_pid: /proc/1/ns", |world| world.effective.settings.share.pid = Some(join(world))),
    ("share_ipc: /proc/1/ns", |world| world.effective.settings.share.ipc = Some(join(world))),
];

fn join(world: &World) -> redpak_model::effective::Sourced<Share> {
    world.sourced(1, 7, Share::Join("/proc/1/ns".into()))
}

fn package_work(world: &World) -> Vec<redpak_diagnostics::Finding> {
    let view = TransactionView { stage: "stage".into(), rpmdb: "db".into(), accounts: false };
    let (plan, findings) = transaction_plan(&world.effective, &world.facts, &view);
    assert_eq!(plan.is_none(), !findings.is_empty());
    findings
}

#[test]
fn what_is_not_put_in_force_is_refused_by_name() {
    for (name, change) in NAMED {
        let mut world = world(2);
        assert!(world.request(false).0.is_some() && package_work(&world).is_empty());
        change(&mut world);
        for show in [false, true] {
            let (plan, findings) = world.request(show);
            assert!(plan.is_none(), "{name}");
            assert_eq!(
                (codes(&findings), places(&findings)),
                (vec!["RP0117"], vec!["n1.yaml:7:3".to_owned()])
            );
            assert_eq!(findings[0].message, format!("not supported yet: `{name}`"));
            assert!(findings[0].is_error());
        }
        assert_eq!(codes(&package_work(&world)), ["RP0117"], "{name}");
    }
}

#[test]
fn each_is_one_finding_and_all_are_told() {
    let mut world = world(2);
    for (_, change) in NAMED {
        change(&mut world);
    }
    assert_eq!(world.request(false).1.len(), NAMED.len());
}

#[test]
fn shared_and_isolated_namespaces_are_no_matter() {
    let mut world = world(1);
    for share in [Share::Shared, Share::Isolated] {
        let value = Some(world.sourced(0, 1, share));
        world.effective.settings.share.net = value.clone();
        world.effective.settings.share.cgroup = value;
        world.effective.settings.share.time = Some(world.sourced(0, 1, Share::Shared));
        assert_eq!(world.request(false).1, []);
    }
}

#[test]
fn what_a_command_decides_is_refused_unless_it_is_to_be_shown() {
    let mut world = world(2);
    let variable =
        |world: &World, line, key: &str, action| world.sourced(1, line, Variable { key: key.into(), action });
    let command = VariableAction::Command("id -u".into());
    let file = ExportKind::Execfd { command: "id -g".into(), output: None };
    world.export(0, "/etc/x", file);
    let environ = vec![
        variable(&world, 4, "A", command),
        variable(&world, 5, "B", VariableAction::Set("x$(id)".into())),
    ];
    world.effective.environ = environ;
    world.effective.unjudged = vec![
        Unjudged {
            what: "the variable `B`".into(),
            text: "x$(id)".into(),
            left_out: false,
            origin: world.sourced(1, 5, ()).origin,
        },
        Unjudged {
            what: "the export at `$(x)`".into(),
            text: "$(x)".into(),
            left_out: true,
            origin: world.sourced(0, 6, ()).origin,
        },
        // At the place of the path: the export's own is that of its mount.
        Unjudged {
            what: "the export at `/etc/x`".into(),
            text: "id -g".into(),
            left_out: false,
            origin: world.sourced(0, 12, ()).origin,
        },
    ];
    let (plan, findings) = world.request(false);
    assert!(plan.is_none());
    assert_eq!(codes(&findings), ["RP0213"; 4]);
    assert_eq!(places(&findings), ["n1.yaml:5:3", "n0.yaml:6:3", "n0.yaml:12:3", "n1.yaml:4:3"]);
    assert_eq!(codes(&package_work(&world)), ["RP0213"; 4]);
    let (plan, findings) = world.request(true);
    assert_eq!(findings, []);
    let plan = plan.unwrap();
    for (key, value) in [("A", "$(id -u)"), ("B", "x$(id)")] {
        assert!(plan.environ.contains(&(key.into(), value.into())), "{:?}", plan.environ);
    }
    assert_eq!(plan.unjudged.len(), 2, "the file's is in its content");
    assert!(plan.unjudged[1].left_out && plan.unjudged[1].origin == "n0.yaml:6:3");
}
