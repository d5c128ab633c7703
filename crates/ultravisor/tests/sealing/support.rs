//! Machines and who vouches for them, made by `qemu/party/machines`; parts to seal, and a sealed image.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use countersign_ultravisor::document::{
    Certificate, HostKey, HostKeyDocument, Issuers, IssuersFault, RevocationList,
};
use countersign_ultravisor::image::{BootLoader, Parts, Rules, Sealed, seal};
use countersign_ultravisor::machine::Machine;

pub(crate) const DAY: i64 = 86_400;

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// A signing service with everybody above it.
pub(crate) struct Service(tempfile::TempDir);

impl Service {
    pub(crate) fn new() -> Self {
        let service = Self(tempfile::tempdir().unwrap());
        service.does(&["service"]);
        service
    }

    /// The folder, for programs of others.
    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A verb of `qemu/party/machines`.
    pub(crate) fn does(&self, words: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../qemu/party/machines");
        let done = Command::new("bash").arg(script).arg(self.0.path()).args(words).output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).unwrap()
    }

    pub(crate) fn certificates(&self, name: &str) -> Vec<Certificate> {
        Certificate::parse_all(&self.file(name)).unwrap()
    }

    pub(crate) fn lists(&self, names: &[&str]) -> Vec<RevocationList> {
        names.iter().map(|name| RevocationList::parse(&self.file(&format!("{name}.crl"))).unwrap()).collect()
    }

    pub(crate) fn document(&self, name: &str) -> HostKeyDocument {
        HostKeyDocument::parse(&self.file(&format!("{name}.crt"))).unwrap()
    }

    /// The chain with all lists, at a time.
    pub(crate) fn issuers(&self, now: i64) -> Result<Issuers, IssuersFault> {
        self.issuers_with(&["root", "intermediate", "signing"], now)
    }

    /// The chain with the lists of these authorities, at a time.
    pub(crate) fn issuers_with(&self, lists: &[&str], now: i64) -> Result<Issuers, IssuersFault> {
        let between = [self.certificates("signing.crt"), self.certificates("intermediate.crt")].concat();
        Issuers::new(&self.certificates("root.crt"), &between, self.lists(lists), now)
    }

    pub(crate) fn host(&self, name: &str) -> HostKey {
        self.issuers(now()).unwrap().check(&self.document(name)).unwrap()
    }

    pub(crate) fn machine(&self, name: &str) -> Machine {
        Machine::from_pem(&self.file(&format!("{name}.key"))).unwrap()
    }
}

/// A service that has made documents for the machines z1, z2 and z3.
pub(crate) fn machines() -> Service {
    let service = Service::new();
    for name in ["z1", "z2", "z3"] {
        service.does(&["document", name]);
    }
    service
}

/// Both boot loader parts; says so where they are not to be had.
pub(crate) fn loader_files() -> Option<(Vec<u8>, Vec<u8>)> {
    let Some(folder) = std::env::var_os("COUNTERSIGN_BOOT_LOADER").map(PathBuf::from) else {
        eprintln!("skipped: the boot loader parts, which COUNTERSIGN_BOOT_LOADER does not name");
        return None;
    };
    let read = |name| std::fs::read(folder.join(name)).unwrap();
    Some((read("stage3a.bin"), read("stage3b_reloc.bin")))
}

/// A file with the marks of a kernel that takes a command line of 4096 bytes, of no whole number of pages.
pub(crate) static KERNEL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut kernel: Vec<u8> = (0..0x1_2345_u32).map(|place| (place * 7 % 251) as u8).collect();
    kernel[0x10008..0x1000e].copy_from_slice(b"S390EP");
    kernel[0x10430..0x10438].copy_from_slice(&4096_u64.to_be_bytes());
    kernel
});

/// An initramfs of several pages, with the canary in it.
pub(crate) static INITRAMFS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut initramfs = vec![b'i'; 3 * 4096 + 17];
    initramfs[5000..5000 + CANARY.len()].copy_from_slice(CANARY);
    initramfs
});

pub(crate) const CANARY: &[u8] = b"a private key that nobody may find in the sealed image";
pub(crate) const COMMAND_LINE: &str = "quiet panic=0";

pub(crate) fn parts() -> Parts<'static> {
    Parts { kernel: &KERNEL, initramfs: &INITRAMFS, command_line: COMMAND_LINE }
}

/// An image of [`parts`] for these machines, `None` without the boot loader parts.
pub(crate) fn sealed(hosts: &[HostKey], rules: Rules) -> Option<Sealed> {
    let (stage3a, stage3b) = loader_files()?;
    Some(seal(&parts(), &BootLoader::new(&stage3a, &stage3b).unwrap(), hosts, rules).unwrap())
}
