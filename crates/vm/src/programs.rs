//! Where programs lie. The set-up found each once and hands absolute paths on (`qemu/lib/programs.sh`); nothing that is
//! unpacked, the emulator above all, is ever looked for in `PATH`: what is there by luck on one machine is missing on
//! the next.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The emulator's name in the list.
const EMULATOR: &str = "qemu-system-s390x";

/// Where the system keeps its own programs; those of servers lie where an ordinary user's `PATH` does not lead.
const SYSTEM: [&str; 4] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/// Search path of programs that programs start.
pub(crate) const SEARCH: &str = "/usr/bin:/usr/sbin:/bin:/sbin";

/// Path of the emulator.
///
/// # Errors
/// [`Error::Missing`] when `COUNTERSIGN_PROGRAMS` does not name it.
pub fn emulator() -> Result<PathBuf> {
    listed(EMULATOR).ok_or_else(|| {
        let what = "the emulator, which COUNTERSIGN_PROGRAMS has to name; tests/run and qemu/demo do";
        Error::Missing(vec![(what.into(), EMULATOR.into())])
    })
}

/// Path of the program `name`: as the set-up's list has it, else one of the system's own. A name with a `/` is a path
/// already. What is nowhere keeps its name; starting it says so.
pub(crate) fn path(name: &str) -> PathBuf {
    if name.contains('/') {
        return name.into();
    }
    let installed = || SYSTEM.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file());
    listed(name).or_else(installed).unwrap_or_else(|| name.into())
}

fn listed(name: &str) -> Option<PathBuf> {
    find(&std::env::var_os("COUNTERSIGN_PROGRAMS")?, name)
}

/// In a list `name=path`, entries separated by colons.
fn find(list: &OsString, name: &str) -> Option<PathBuf> {
    let entries = list.to_str()?.split(':').filter_map(|entry| entry.split_once('='));
    entries.into_iter().find(|(key, path)| *key == name && path.starts_with('/')).map(|(_, path)| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_program_is_found_by_its_whole_name_and_absolute_path() {
        let list = OsString::from("openssl=/opt/openssl:qemu-system-s390x=/opt/emulator:skopeo=skopeo");
        assert_eq!(find(&list, "qemu-system-s390x"), Some("/opt/emulator".into()));
        assert_eq!(find(&list, "openssl"), Some("/opt/openssl".into()));
        assert_eq!(find(&list, "qemu-system"), None);
        assert_eq!(find(&list, "skopeo"), None);
    }

    #[test]
    fn what_is_not_listed_is_the_systems_own_and_never_the_search_paths() {
        assert_eq!(path("no-such-program-anywhere"), Path::new("no-such-program-anywhere"));
        assert_eq!(path("/some/program"), Path::new("/some/program"));
        assert!(SYSTEM.iter().any(|folder| path("sh") == Path::new(folder).join("sh")));
    }
}
