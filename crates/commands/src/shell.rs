//! The shell that runs commands, as an open file: `bash -r`, or `sh` where there is no bash.
//!
//! It is looked for once, before the first command runs, and what was found is what is executed. A script or a link of
//! procfs is none: `/proc/self/exe` would be redpak itself, with a way to the host's executable.

use std::ffi::CString;
use std::path::Path;

use redpak_sys::OwnedFd;
use redpak_sys::process::CStrings;
use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, accessat, fstat, openat2};

/// Where shells are looked for after the directories of `PATH`.
const USUAL: [&str; 2] = ["/usr/bin", "/bin"];

/// How every program starts (elf(5)).
const ELF: &[u8; 4] = b"\x7fELF";

/// A shell.
#[derive(Debug)]
pub(crate) struct Shell {
    pub file: OwnedFd,
    name: &'static str,
}

impl Shell {
    /// Looks for bash, then for sh, in the absolute directories of a `PATH`.
    pub fn find(path: &str) -> Option<Self> {
        let directories = || path.split(':').filter(|item| item.starts_with('/')).chain(USUAL).map(Path::new);
        ["bash", "sh"].into_iter().find_map(|name| {
            let file = directories().find_map(|directory| program(&directory.join(name)))?;
            Some(Self { file, name })
        })
    }

    /// The arguments with which it runs `text`; `None` when that holds a NUL character.
    pub fn arguments(&self, text: &str) -> Option<CStrings> {
        // A command is never taken for an option.
        let text = if text.starts_with(['-', '+']) { format!(" {text}") } else { text.to_owned() };
        let options = if self.name == "bash" { &["-r", "-c"][..] } else { &["-c"] };
        let words = std::iter::once(self.name).chain(options.iter().copied()).chain([text.as_str()]);
        Some(CStrings::new(words.map(CString::new).collect::<Result<_, _>>().ok()?))
    }
}

fn program(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS).ok()?;
    let regular = FileType::from_raw_mode(fstat(&file).ok()?.st_mode).is_file();
    let mut start = [0; 4];
    let is_program = rustix::io::pread(&file, &mut start, 0).is_ok_and(|read| read == 4) && start == *ELF;
    let may = accessat(CWD, path, Access::EXEC_OK, AtFlags::empty()).is_ok();
    (regular && is_program && may).then_some(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn scripts_and_links_of_procfs_are_no_shells() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("script"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(at("script"), std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink("/proc/self/exe", at("magic")).unwrap();
        symlink("/bin/sh", at("link")).unwrap();
        std::fs::copy("/bin/sh", at("copy")).unwrap();
        std::fs::set_permissions(at("copy"), std::fs::Permissions::from_mode(0o644)).unwrap();
        for (name, good) in
            [("script", false), ("magic", false), ("none", false), ("copy", false), ("link", true)]
        {
            assert_eq!(program(&at(name)).is_some(), good, "{name}");
        }
        assert!(program(directory.path()).is_none());
    }

    #[test]
    fn relative_directories_are_not_searched() {
        assert!(Shell::find("::.:relative").is_some_and(|shell| shell.name == "bash" || shell.name == "sh"));
    }

    #[test]
    fn a_command_is_never_an_option() {
        let shell = |name| Shell { file: std::fs::File::open("/dev/null").unwrap().into(), name };
        let words = |name, text: &str| -> Vec<String> {
            let arguments = shell(name).arguments(text).unwrap();
            arguments.strings().iter().map(|word| word.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(words("bash", "id; id"), ["bash", "-r", "-c", "id; id"]);
        assert_eq!(words("sh", "id"), ["sh", "-c", "id"]);
        assert_eq!(words("bash", "-i"), ["bash", "-r", "-c", " -i"]);
        assert_eq!(words("bash", "+r"), ["bash", "-r", "-c", " +r"]);
        assert!(shell("sh").arguments("a\0b").is_none());
    }
}
