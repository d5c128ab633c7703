//! The machine as data: `qemu/profiles/*.toml`.
//!
//! A profile holds what is the same for every run on that machine; kernel, disks and forwarded ports belong to a run
//! ([`crate::arguments::Run`]). Names are QEMU's own, see the manual page of `qemu-system-s390x`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};

/// An emulated machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Machine type, `s390-ccw-virtio`.
    pub machine: String,
    /// CPU model and features, `max` for everything that the emulator knows.
    pub cpu: String,
    /// Number of processors.
    pub cpus: u32,
    /// Guest memory in MiB.
    pub memory_mib: u32,
    /// Who executes the guest's instructions, `tcg,thread=multi` for the emulator with a thread for each processor.
    pub accelerator: String,
    /// Device that feeds the guest's random number generator, if any.
    pub rng: Option<String>,
    /// What this machine adds to the shipped command line ([`command_line`]), one word each.
    pub command_line: Vec<String>,
    /// Network, if any.
    pub network: Option<Network>,
}

/// QEMU's user-mode network: no privileges, no traces on the host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Device model in the guest, `virtio-net-ccw`.
    pub device: String,
    /// TCP ports of the guest that become reachable on ports of 127.0.0.1 which the system chooses.
    pub forward: Vec<u16>,
}

/// The address under which the guest of a user-mode network reaches the host's 127.0.0.1.
pub const HOST_SEEN_FROM_GUEST: &str = "10.0.2.2";

impl Profile {
    /// Reads `qemu/profiles/<name>.toml` of this checkout.
    ///
    /// # Errors
    /// As [`Profile::read`].
    pub fn named(name: &str) -> Result<Self> {
        Self::read(&checkout().join("qemu/profiles").join(name).with_extension("toml"))
    }

    /// Reads a profile.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read, [`Error::Format`] when it is no profile.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::at(path))?;
        toml::from_str(&text)
            .map_err(|error| Error::format(path.display().to_string(), format!("a profile: {error}")))
    }
}

/// The words of `initramfs/command-line`, which every guest starts with.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read.
pub fn command_line() -> Result<Vec<String>> {
    let path = checkout().join("initramfs/command-line");
    let text = std::fs::read_to_string(&path).map_err(Error::at(&path))?;
    let words = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(words.filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

/// The top folder of this checkout.
#[must_use]
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_of_the_checkout_is_one() {
        let mut count = 0;
        for entry in std::fs::read_dir(checkout().join("qemu/profiles")).unwrap() {
            let path = entry.unwrap().path();
            let profile = Profile::read(&path).unwrap();
            assert_eq!(profile.machine, "s390-ccw-virtio", "{}", path.display());
            count += 1;
        }
        assert_eq!(count, 3);
    }

    #[test]
    fn the_default_machine_is_the_documented_one() {
        let profile = Profile::named("default").unwrap();
        assert_eq!((profile.cpus, profile.memory_mib, profile.cpu.as_str()), (2, 4096, "max"));
        assert_eq!(profile.network.unwrap().forward, [8080]);
        assert!(profile.command_line.contains(&"console=ttysclp0".to_owned()));
    }

    #[test]
    fn every_word_of_the_command_line_has_a_reason() {
        let words = command_line().unwrap();
        assert!(words.contains(&"init_on_free=1".to_owned()), "{words:?}");
        assert!(words.iter().all(|word| !word.contains(char::is_whitespace)), "{words:?}");
        let text = std::fs::read_to_string(checkout().join("initramfs/command-line")).unwrap();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.split_once('#').is_some_and(|(_, why)| !why.trim().is_empty()), "{line}");
        }
    }

    #[test]
    fn a_misspelt_name_is_refused() {
        let error = toml::from_str::<Profile>("machine = \"m\"\nmemory = 1").unwrap_err();
        assert!(error.to_string().contains("unknown field `memory`"), "{error}");
    }
}
