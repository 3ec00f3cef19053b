//! librpm's configuration, all of it redpak's: no file of the host, of a user or of the node has a say.
//!
//! librpm reads `rpmrc`, macro files and (on the first Lua scriptlet) `init.lua` from `RPM_CONFIGDIR`, which is set to
//! a place where nothing can ever be. `/etc/rpm/macros*` is compiled into it; what it looks up in a transaction is
//! therefore defined here, after reading.

use std::io::Write;
use std::os::fd::AsRawFd;

use librpm::{LogLevel, MacroContext, VerificationFlags};
use rustix::fs::{MemfdFlags, memfd_create};

use super::package::descriptor_path;

/// A directory below a device: whatever is looked up there is not found.
pub(crate) const NOWHERE: &str = "/dev/null/redpak";

/// Environment of the transaction's process, beside the plan's.
pub(crate) const ENVIRONMENT: [(&str, &str); 2] = [("RPM_CONFIGDIR", NOWHERE), ("HOME", "/")];

/// Where librpm's database is in the view.
pub(crate) const DATABASE: &str = "/usr/lib/sysimage/rpm";

/// Machine types that librpm would otherwise not know by name. Whether a package fits the machine is decided by the
/// solver, which knows `--forcearch`; librpm's own check is switched off in the transaction.
const RPMRC: &str = "\
os_canon: Linux: Linux 1
arch_canon: x86_64: x86_64 1
arch_canon: i686: i686 1
arch_canon: aarch64: aarch64 19
arch_canon: armv7hl: armv7hl 12
arch_canon: ppc64le: ppc64le 16
arch_canon: riscv64: riscv64 22
arch_canon: s390x: s390x 15
";

/// Initialises librpm, once in a process, before it enters the view.
pub(crate) fn initialise() -> Result<(), String> {
    let mut file = std::fs::File::from(
        memfd_create("redpak-rpmrc", MemfdFlags::CLOEXEC).map_err(|e| format!("memfd_create: {e}"))?,
    );
    file.write_all(RPMRC.as_bytes()).map_err(|e| format!("write: {e}"))?;
    librpm::init_with(Some(&descriptor_path(file.as_raw_fd())), None).map_err(|e| e.to_string())?;
    librpm::logging::set_verbosity(LogLevel::Warning);
    let macros = MacroContext::default();
    for (name, value) in definitions() {
        macros.define(&format!("{name} {value}"), 0).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn definitions() -> Vec<(&'static str, String)> {
    // Files of different colours (32 and 64 bit) may have the same path where both can run.
    let colours = match std::env::consts::ARCH {
        "x86_64" | "s390x" | "powerpc64" => ("3", "2"),
        _ => ("0", "0"),
    };
    let none = "%{nil}";
    [
        ("_dbpath", DATABASE),
        ("_dbpath_rebuild", DATABASE),
        ("_db_backend", "sqlite"),
        ("_rpmlock_path", "/usr/lib/sysimage/rpm/.rpm.lock"),
        ("_keyring", "rpmdb"),
        ("_keyringpath", "/usr/lib/sysimage/rpm/pubkeys"),
        ("_tmppath", "/tmp"),
        ("_pkgverify_level", "none"),
        ("_install_script_path", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("_install_langs", "all"),
        ("_netsharedpath", none),
        ("_dependency_whiteout", none),
        ("_dependency_whiteout_system", none),
        ("_transaction_color", colours.0),
        ("_prefer_color", colours.1),
        ("_flush_io", "0"),
        ("_minimize_writes", "0"),
        ("_allow_missing_doc_files", "0"),
        ("__plugindir", "/dev/null/redpak/plugins"),
        ("_rpmlua_path", "/dev/null/redpak/lua"),
        ("__bash", "/bin/sh"),
    ]
    .into_iter()
    .map(|(name, value)| (name, value.to_owned()))
    .chain([("_pkgverify_flags", VerificationFlags::all_disabled().bits().to_string())])
    .collect()
}
