//! The names that `$NAME` in a configuration may stand for, gathered once for one command.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use redpak_model::Names;

/// Where templates are searched unless `REDNODE_TEMPLATE_DIR` says otherwise.
pub const TEMPLATE_DIR: &str = "/etc/redpak/templates.d";

/// A random UUID. By getrandom(2) itself: a static program's fallback opens `/dev/urandom` and keeps it open, which
/// would stand for a descriptor of the caller's.
fn random_uuid() -> String {
    let mut bytes = [0; 16];
    let filled = rustix::io::retry_on_intr(|| {
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
    });
    // getrandom(2): up to 256 bytes come whole, once the kernel's pool is ready, for which it waits.
    debug_assert_eq!(filled, Ok(16));
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// User and group id of the caller, in force.
pub fn caller() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// The names for a caller with this environment.
pub fn gather(env: &BTreeMap<String, String>) -> Names {
    let from_env = |key: &str| env.get(key).filter(|value| !value.is_empty()).cloned();
    let template_dir = from_env("REDNODE_TEMPLATE_DIR").unwrap_or_else(|| TEMPLATE_DIR.into());
    Names {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        pid: std::process::id(),
        env: env.clone(),
        today: today(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())),
        uuid: random_uuid(),
        cgroups_mount_point: None,
        redpesk_version: from_env("REDPESK_VERSION"),
        prefix: from_env("NODE_PREFIX").unwrap_or_default(),
        main: format!("{template_dir}/main.yaml"),
        main_admin: format!("{template_dir}/main-admin.yaml"),
        template_dir,
        answers: redpak_model::commands::Answers::new(),
    }
}

/// `22:Nov:2026 19:16 (UTC)` for seconds since 1970.
pub fn today(seconds: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{day:02}:{}:{year} {hour:02}:{minute:02} (UTC)", MONTHS[month])
}

/// Year, month from 0 and day from 1, for days since 1970-01-01 in the Gregorian calendar.
fn civil(days: u64) -> (u64, usize, u64) {
    let leap = |year: u64| (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let (mut year, mut left) = (1970, days);
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::today;

    #[test]
    fn today_is_written_as_red_pak_writes_it() {
        for (seconds, expected) in [
            (0, "01:Jan:1970 00:00 (UTC)"),
            (1_795_374_960, "22:Nov:2026 19:16 (UTC)"),
            (951_782_400, "29:Feb:2000 00:00 (UTC)"),
        ] {
            assert_eq!(today(seconds), expected);
        }
    }
}
