//! The ports of a boot in the lab: disks, volumes and file systems are the machine's, the rest is left out.
//!
//! What differs from the shipped wiring, all of it: a boot sees only the disks of its case; the wait for a disk that
//! never comes is not waited out, its clock jumps; key slots are made at the least cost that is accepted; a key is altered
//! where the case says so; the kernel is not locked down, modules stay loadable, the contract's disk stays; guest OS, scratch
//! and handover do nothing; what is said is kept.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_crypto::secret::{SecretBytes, VolumePassphrase};
use countersign_crypto::volume_key::VolumeKey;
use countersign_linux::{Linux, Paths};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::{
    Clock, Derivation, Discard, Disk, DiskWrites, Disks, Durability, Event, Files, Filesystems, FsType,
    ImageFiles, Luks, LuksParameters, Mapper, MountFlags, Mounts, OpenError, Platform, Report, Tables,
    Verity,
};
use countersign_tests::lab::{Answer, Boot, WAITS};

/// Where the stage mounts volumes.
pub(crate) const VOLUMES: &str = "/volumes";

/// Serial number of the guest OS, which is not there.
const GUEST_OS: &str = "lab-os";

/// What the stage `root` calls its mapping; asked for its table, which nobody reads here.
const GUEST_OS_MAPPING: &str = "os";

/// Modules of the shipped list that no volume needs.
const UNUSED: [&str; 17] = [
    "uvdevice",
    "virtio_net",
    "net_failover",
    "failover",
    "dm_verity",
    "reed_solomon",
    "af_packet",
    "erofs",
    "overlay",
    "veth",
    "bridge",
    "8021q",
    "garp",
    "mrp",
    "stp",
    "llc",
    "nf",
];

/// Memory of new key slots, in KiB: half of what the stage asks for, and half the time. Costs are not what is tested
/// with them.
const SLOT_MEMORY_KIB: u32 = 32 << 10;

/// Real time that one wait for a disk takes, where the case says nothing.
const SHORT: Duration = Duration::from_millis(50);

/// Loads the modules of the shipped list that volumes need.
pub(crate) fn load_modules() -> std::result::Result<usize, Box<dyn std::error::Error>> {
    let list = std::fs::read_to_string("/etc/countersign/modules")?;
    let needed = |line: &&str| {
        let name = line.rsplit('/').next().unwrap_or_default();
        !UNUSED.iter().any(|unused| name.starts_with(unused))
    };
    let list: String = list.lines().filter(needed).map(|line| format!("{line}\n")).collect();
    std::fs::create_dir_all("/run/lab")?;
    std::fs::write("/run/lab/modules", list)?;
    let paths = Paths { configuration: "/run/lab".into(), ..Paths::default() };
    Ok(Linux::with_paths(paths).load_modules()?)
}

/// The disks that are attached, as sysfs has them, by their serial numbers.
fn attached() -> std::io::Result<Vec<(String, PathBuf)>> {
    let mut attached = Vec::new();
    for entry in std::fs::read_dir("/sys/block")? {
        let folder = entry?.path();
        // A virtio disk's, or the page of a SCSI disk behind its four bytes.
        let page =
            || std::fs::read(folder.join("device/vpd_pg80")).map(|page| page[4.min(page.len())..].to_vec());
        if let Ok(serial) = std::fs::read(folder.join("serial")).or_else(|_| page()) {
            let serial = String::from_utf8_lossy(&serial);
            attached.push((serial.trim_end_matches(['\0', '\n']).to_owned(), folder));
        }
    }
    Ok(attached)
}

/// A sysfs in which a boot finds the disks of its case and no other: to look at thirty, again and again, would take
/// longer than the boot. Where one of them is still to come it is the kernel's.
fn view(boot: &Boot) -> std::io::Result<PathBuf> {
    let serials: Vec<&String> = boot.disks.iter().map(|(serial, _)| serial).chain([&boot.contract]).collect();
    let shown: Vec<PathBuf> = attached()?
        .into_iter()
        .filter_map(|(serial, folder)| serials.contains(&&serial).then_some(folder))
        .collect();
    if shown.len() < serials.len() {
        return Ok("/sys".into());
    }
    let view = PathBuf::from("/run/lab/sys");
    let block = view.join("block");
    if block.exists() {
        std::fs::remove_dir_all(&block)?;
    }
    std::fs::create_dir_all(&block)?;
    for folder in shown {
        std::os::unix::fs::symlink(&folder, block.join(folder.file_name().unwrap_or_default()))?;
    }
    Ok(view)
}

/// What the boot did, counted.
#[derive(Debug, Default)]
struct Counts {
    lines: Vec<String>,
    derivations: u32,
    formats: u32,
    waited: Duration,
    unlock: Option<(Duration, Duration)>,
    /// Whether the contract's disk was let go.
    released: bool,
}

/// The machine as one boot sees it.
#[derive(Debug)]
pub(crate) struct Machine {
    linux: Linux,
    boot: Boot,
    image_key: String,
    counts: Mutex<Counts>,
}

impl Machine {
    pub(crate) fn new(boot: Boot, image_key: String) -> std::io::Result<Machine> {
        let linux = Linux::with_paths(Paths { sys: view(&boot)?, ..Paths::default() });
        Ok(Machine { linux, boot, image_key, counts: Mutex::default() })
    }

    /// Writes down what was counted.
    pub(crate) fn tell(self, answer: &mut Answer) {
        let counts = self.counts.into_inner().unwrap_or_else(PoisonError::into_inner);
        answer.lines = counts.lines;
        answer.derivations = counts.derivations;
        answer.formats = counts.formats;
        if let Some((start, end)) = counts.unlock {
            answer.unlock_ms = u64::try_from(end.saturating_sub(start).as_millis()).unwrap_or(u64::MAX);
        }
    }

    fn count<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key as the boot gets it.
    fn answered(&self, key: VolumeKey) -> VolumeKey {
        if !self.boot.false_keys {
            return key;
        }
        let mut altered = key.expose().to_vec();
        altered[0] ^= 1;
        VolumeKey::copy_from(&altered)
    }

    fn real_uptime(&self) -> Duration {
        self.linux.uptime()
    }
}

impl Report for Machine {
    fn tell(&self, event: &Event<'_>) {
        let (now, text) = (self.real_uptime(), event.console.as_deref().unwrap_or(&event.text));
        if text.starts_with("waiting for the disk") {
            crate::say(&format!("{WAITS}{text}"));
        }
        self.count(|counts| {
            if text == "countersign: stage=unlock state=start" {
                counts.unlock = Some((now, now));
            } else if (text.starts_with("countersign: stage=unlock ")
                || text.starts_with("countersign: stage=root "))
                && let Some((_, end)) = counts.unlock.as_mut().filter(|(start, end)| start == end)
            {
                *end = now;
            }
            counts.lines.push(text.to_owned());
        });
    }
}

impl Clock for Machine {
    fn unix_time(&self) -> i64 {
        self.linux.unix_time()
    }
    fn uptime(&self) -> Duration {
        self.real_uptime() + self.count(|counts| counts.waited)
    }
}

impl Platform for Machine {
    fn memory_bytes(&self) -> Result<u64> {
        self.linux.memory_bytes()
    }
    fn processors(&self) -> u64 {
        self.linux.processors()
    }
    fn release_memory(&self) {
        self.linux.release_memory();
    }
    fn kernel_release(&self) -> Result<String> {
        self.linux.kernel_release()
    }
    fn system_information(&self) -> Result<String> {
        self.linux.system_information()
    }
    fn secure_execution(&self) -> bool {
        self.linux.secure_execution()
    }
    fn mount_kernel_filesystems(&self) -> Result<()> {
        Ok(())
    }
    fn load_modules(&self) -> Result<usize> {
        Ok(0)
    }
    fn load_filesystem(&self, filesystem: FsType) -> Result<()> {
        // An earlier case has loaded it: the kernel would check its signature again before it says so.
        if Path::new("/sys/module").join(filesystem.name()).exists() {
            return Ok(());
        }
        self.linux.load_filesystem(filesystem)
    }
    fn load_integrity(&self) -> Result<()> {
        // As above.
        if Path::new("/sys/module/authenc").exists() { Ok(()) } else { self.linux.load_integrity() }
    }
    fn missing_programs(&self) -> Vec<PathBuf> {
        self.linux.missing_programs()
    }
    fn lock_down(&self) -> Result<String> {
        Ok("[confidentiality]".to_owned())
    }
    fn hardware_random(&self) -> bool {
        self.linux.hardware_random()
    }
    fn wait_until_seeded(&self) -> Result<()> {
        self.linux.wait_until_seeded()
    }
    fn set_clock(&self, unix_time: i64) -> Result<()> {
        self.linux.set_clock(unix_time)
    }
    fn set_hostname(&self, _: &str) -> Result<()> {
        Ok(())
    }
    fn set_kernel_parameter(&self, name: &str, value: &str) -> Result<()> {
        // The boots of later cases load what theirs need.
        if name == "kernel.modules_disabled" { Ok(()) } else { self.linux.set_kernel_parameter(name, value) }
    }
    fn power_off(&self) {}
}

impl ImageFiles for Machine {
    fn image_key(&self) -> Result<SecretBytes> {
        Ok(SecretBytes::copy_from(self.image_key.as_bytes()))
    }
    fn manifest(&self) -> Result<Vec<u8>> {
        let manifest = serde_json::json!({
            "version": "lab",
            "secure-execution": "test",
            // The lab signs no records.
            "attestation": "none",
            "root": {
                "serial": GUEST_OS, "data_blocks": 1, "block_size": 4096, "hash_offset": 4096,
                "salt": "00", "root_hash": "00", "algorithm": "sha256"
            },
            "scratch": { "serial": "lab-scratch" }
        });
        Ok(manifest.to_string().into_bytes())
    }
    fn attestation_key(&self) -> Result<SecretBytes> {
        Ok(SecretBytes::copy_from(b""))
    }
    fn attestation_certificate(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
    fn build_manifest(&self) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
    fn forget_attestation_key(&self) -> Result<()> {
        Ok(())
    }
    fn forget_image_key(&self) -> Result<()> {
        Ok(())
    }
}

impl Disks for Machine {
    fn disks(&self) -> Result<Vec<Disk>> {
        let mut shown = Vec::new();
        for mut disk in self.linux.disks()? {
            if disk.serial == self.boot.contract {
                if !self.count(|counts| counts.released) {
                    shown.push(disk);
                }
            } else if let Some((_, called)) =
                self.boot.disks.iter().find(|(serial, _)| *serial == disk.serial)
            {
                disk.serial.clone_from(called);
                shown.push(disk);
            }
        }
        shown.push(Disk { path: "/dev/null".into(), serial: GUEST_OS.to_owned(), size: 0, read_only: true });
        Ok(shown)
    }
    fn wait_for_disk(&self, timeout: Duration) -> Result<bool> {
        let real = Duration::from_millis(self.boot.wait_ms).max(SHORT);
        let came = self.linux.wait_for_disk(timeout.min(real))?;
        if !came {
            self.count(|counts| counts.waited += timeout);
        }
        Ok(came)
    }
    fn size(&self, device: &Path) -> Result<u64> {
        self.linux.size(device)
    }
    fn number(&self, device: &Path) -> Result<String> {
        self.linux.number(device)
    }
    fn read(&self, device: &Path, offset: u64, length: usize) -> Result<Vec<u8>> {
        self.linux.read(device, offset, length)
    }
}

impl DiskWrites for Machine {
    fn write_disk(&self, device: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
        self.linux.write_disk(device, offset, bytes)
    }
    fn write_zeros(&self, device: &Path, offset: u64, length: u64) -> Result<()> {
        self.linux.write_zeros(device, offset, length)
    }
    fn partition(&self, disk: &Disk, metadata_bytes: u64) -> Result<()> {
        self.linux.partition(disk, metadata_bytes)
    }
    fn remove_partition_nodes(&self) -> Result<()> {
        self.linux.remove_partition_nodes()
    }
    fn release_disk(&self, _: &Path) -> Result<()> {
        // The boots of later cases read it again.
        self.count(|counts| counts.released = true);
        Ok(())
    }
}

fn cheap(parameters: &LuksParameters) -> LuksParameters {
    LuksParameters { memory_kib: SLOT_MEMORY_KIB, ..parameters.clone() }
}

impl Luks for Machine {
    fn format(
        &self,
        device: &Path,
        parameters: &LuksParameters,
        passphrase: &VolumePassphrase,
    ) -> Result<(Vec<u8>, VolumeKey)> {
        self.count(|counts| counts.formats += 1);
        self.linux.format(device, &cheap(parameters), passphrase)
    }
    fn volume_keys(&self, derivations: &[Derivation<'_>]) -> Vec<std::result::Result<VolumeKey, OpenError>> {
        self.count(|counts| counts.derivations += u32::try_from(derivations.len()).unwrap_or(u32::MAX));
        let answers = self.linux.volume_keys(derivations);
        answers.into_iter().map(|answer| answer.map(|key| self.answered(key))).collect()
    }
    fn open(
        &self,
        device: &Path,
        header: &[u8],
        name: &str,
        key: &VolumeKey,
        discard: Discard,
    ) -> Result<PathBuf> {
        self.linux.open(device, header, name, key, discard)
    }
    fn open_unjournalled(
        &self,
        device: &Path,
        header: &[u8],
        name: &str,
        key: &VolumeKey,
    ) -> Result<PathBuf> {
        self.linux.open_unjournalled(device, header, name, key)
    }
    fn replace_slots(
        &self,
        header: &[u8],
        key: &VolumeKey,
        parameters: &LuksParameters,
        passphrase: &VolumePassphrase,
        old: &[u8],
    ) -> Result<Vec<u8>> {
        self.linux.replace_slots(header, key, &cheap(parameters), passphrase, old)
    }
    fn close(&self, name: &str) -> Result<()> {
        self.linux.close(name)
    }
}

impl Tables for Machine {
    fn table(&self, name: &str) -> Result<String> {
        match name {
            GUEST_OS_MAPPING => Ok("0 0 verity".to_owned()),
            _ => self.linux.table(name),
        }
    }
}

impl Mapper for Machine {
    /// What the stage left mapped is what the tests ask about; the lab clears up behind each case itself.
    fn take_down(&self, _: &[&Path]) -> Result<()> {
        Ok(())
    }
    fn open_part(&self, disk: &Path, name: &str, start: u64, length: u64) -> Result<PathBuf> {
        self.linux.open_part(disk, name, start, length)
    }
    fn open_verity(&self, device: &Path, _: &str, _: &Verity) -> Result<PathBuf> {
        Ok(device.to_owned())
    }
    fn open_scratch(&self, device: &Path, _: &str) -> Result<PathBuf> {
        Err(SystemError::new("open scratch space", device.display().to_string(), "the lab has none"))
    }
    fn open_plain_scratch(&self, device: &Path, name: &str) -> Result<PathBuf> {
        self.open_scratch(device, name)
    }
}

impl Filesystems for Machine {
    fn make(&self, filesystem: FsType, device: &Path, label: &str, durability: Durability) -> Result<()> {
        self.linux.make(filesystem, device, label, durability)
    }
    fn mount(&self, filesystem: FsType, device: &Path, target: &Path, flags: MountFlags) -> Result<()> {
        match filesystem {
            FsType::Erofs | FsType::Tmpfs => Ok(()),
            _ => self.linux.mount(filesystem, device, target, flags),
        }
    }
    fn bind(&self, _: &Path, _: &Path, _: MountFlags) -> Result<()> {
        Ok(())
    }
    /// Volumes stay where the stage mounted them.
    fn move_mount(&self, _: &Path, _: &Path) -> Result<()> {
        Ok(())
    }
    fn grow(&self, filesystem: FsType, target: &Path, bytes: u64) -> Result<()> {
        self.linux.grow(filesystem, target, bytes)
    }
    fn set_attribute(&self, path: &Path, name: &str, value: &[u8]) -> Result<()> {
        self.linux.set_attribute(path, name, value)
    }
    fn unmount(&self, target: &Path) -> Result<()> {
        self.linux.unmount(target)
    }
}

impl Mounts for Machine {
    fn mounts(&self) -> Result<String> {
        self.linux.mounts()
    }
    fn attribute(&self, path: &Path, name: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        self.linux.attribute(path, name, limit)
    }
}

impl Files for Machine {
    fn make_directory(&self, _: &Path, _: u32) -> Result<()> {
        Ok(())
    }
    fn write(&self, _: &Path, _: u32, _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn symlink(&self, _: &Path, _: &Path) -> Result<()> {
        Ok(())
    }
    fn switch_root(&self, _: &Path, _: &Path, _: &[&str]) -> Result<()> {
        Ok(())
    }
}
