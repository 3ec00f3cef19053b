//! Users and groups of a launch: id maps, and the account files of the sandbox.

use crate::facts::HostFacts;
use crate::launch_plan::{IdRange, Ids};

/// Number of the overflow user and group (`/proc/sys/kernel/overflowuid`): what ids without a mapping look like.
const NOBODY: u32 = 65534;

/// Ids of the command. Root keeps every id as it is; an ordinary user has one, its own or 0.
pub fn ids(facts: &HostFacts, user_namespace: bool, map_root: bool) -> Ids {
    let root = facts.uid == 0;
    if !user_namespace {
        return Ids {
            uid_map: vec![],
            gid_map: vec![],
            deny_setgroups: false,
            drop_groups: true,
            uid: facts.uid,
            gid: facts.gid,
        };
    }
    if root {
        let all = vec![IdRange { inside: 0, outside: 0, count: u32::MAX }];
        return Ids {
            uid_map: all.clone(),
            gid_map: all,
            deny_setgroups: false,
            drop_groups: true,
            uid: 0,
            gid: facts.gid,
        };
    }
    let (uid, gid) = if map_root { (0, 0) } else { (facts.uid, facts.gid) };
    Ids {
        uid_map: vec![IdRange { inside: uid, outside: facts.uid, count: 1 }],
        gid_map: vec![IdRange { inside: gid, outside: facts.gid, count: 1 }],
        deny_setgroups: true,
        drop_groups: false,
        uid,
        gid,
    }
}

/// `/etc/passwd` of the sandbox (passwd(5)): root, the running user and nobody.
pub fn passwd(facts: &HostFacts, ids: &Ids, home: &str) -> String {
    let mut text = String::new();
    let root_home = if ids.uid == 0 { home } else { "/" };
    text.push_str(&format!("root:x:0:0:root:{root_home}:/bin/sh\n"));
    if ids.uid != 0 && ids.uid != NOBODY {
        text.push_str(&format!("{}:x:{}:{}::{home}:/bin/sh\n", name(&facts.user, ids.uid), ids.uid, ids.gid));
    }
    text.push_str("nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n");
    text
}

/// `/etc/group` of the sandbox (group(5)): root, the running group and nogroup.
pub fn group(facts: &HostFacts, ids: &Ids) -> String {
    let mut text = String::from("root:x:0:\n");
    if ids.gid != 0 && ids.gid != NOBODY {
        text.push_str(&format!("{}:x:{}:\n", name(&facts.group, ids.gid), ids.gid));
    }
    text.push_str("nogroup:x:65534:\n");
    text
}

/// An account name that cannot add a line or a field; `root` and `nobody` are taken.
fn name(name: &str, id: u32) -> String {
    let plain = !name.is_empty()
        && !matches!(name, "root" | "nobody" | "nogroup")
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if plain { name.to_owned() } else { format!("id{id}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(uid: u32, user: &str) -> HostFacts {
        HostFacts { uid, gid: uid, user: user.into(), group: user.into(), ..HostFacts::default() }
    }

    #[test]
    fn root_keeps_all_ids_and_a_user_has_one() {
        let root = ids(&facts(0, "root"), true, false);
        assert_eq!(root.uid_map, [IdRange { inside: 0, outside: 0, count: u32::MAX }]);
        assert!(root.drop_groups && !root.deny_setgroups);
        let user = ids(&facts(1000, "ann"), true, false);
        assert_eq!(user.uid_map, [IdRange { inside: 1000, outside: 1000, count: 1 }]);
        assert!(user.deny_setgroups);
        let mapped = ids(&facts(1000, "ann"), true, true);
        assert_eq!((mapped.uid, mapped.uid_map[0].inside, mapped.uid_map[0].outside), (0, 0, 1000));
    }

    #[test]
    fn account_files_hold_the_user_once_and_no_injected_line() {
        let ann = facts(1000, "ann");
        assert_eq!(
            passwd(&ann, &ids(&ann, true, false), "/var/home"),
            "root:x:0:0:root:/:/bin/sh\nann:x:1000:1000::/var/home:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
        );
        let evil = facts(1000, "x\nroot::0");
        assert!(passwd(&evil, &ids(&evil, true, false), "/").contains("\nid1000:x:1000:"));
        assert_eq!(
            group(&facts(0, "root"), &ids(&facts(0, "root"), true, false)),
            "root:x:0:\nnogroup:x:65534:\n"
        );
    }
}
