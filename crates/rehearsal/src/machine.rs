//! Platform, disks, volumes and mapped devices, answered from the facts of the rehearsal.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_crypto::secret::{SecretBytes, VolumePassphrase};
use countersign_crypto::volume_key::VolumeKey;

use super::header::{key, same_material, same_metadata, uuid};
use super::integrity::{has_integrity, map_with_integrity};
use super::mapped::{HEADER_SECTORS, map};
use super::{Rehearsal, State};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::{
    Derivation, Discard, Disk, DiskWrites, Disks, FsType, INTEGRITY_SUFFIX, ImageFiles, Luks, LuksParameters,
    Mapper, OpenError, Platform, Tables, Verity,
};

/// What the partitions of a new table are multiples of.
const MIB: u64 = 1 << 20;

impl Platform for Rehearsal {
    fn memory_bytes(&self) -> Result<u64> {
        Ok(self.look("memory")?.facts.memory_bytes)
    }

    fn processors(&self) -> u64 {
        self.state().facts.processors
    }

    /// There is none to give.
    fn release_memory(&self) {}

    fn kernel_release(&self) -> Result<String> {
        Ok(self.look("kernel release")?.facts.kernel_release.clone())
    }

    fn system_information(&self) -> Result<String> {
        Ok(self.look("system information")?.facts.system_information.clone())
    }

    fn secure_execution(&self) -> bool {
        self.state().facts.secure_execution
    }

    fn mount_kernel_filesystems(&self) -> Result<()> {
        self.ask("mount kernel file systems").map(drop)
    }

    fn load_modules(&self) -> Result<usize> {
        Ok(self.ask("load modules")?.facts.modules)
    }

    fn load_filesystem(&self, filesystem: FsType) -> Result<()> {
        self.ask(format!("load modules of {}", filesystem.name())).map(drop)
    }

    fn load_integrity(&self) -> Result<()> {
        self.ask("load modules of integrity").map(drop)
    }

    fn missing_programs(&self) -> Vec<PathBuf> {
        self.state().facts.missing_programs.clone()
    }

    fn set_kernel_parameter(&self, name: &str, value: &str) -> Result<()> {
        self.ask(format!("set kernel parameter {name}={value}")).map(drop)
    }

    fn lock_down(&self) -> Result<String> {
        Ok(self.ask("lock down")?.facts.lockdown.clone())
    }

    fn hardware_random(&self) -> bool {
        self.state().facts.hardware_random
    }

    fn wait_until_seeded(&self) -> Result<()> {
        self.ask("wait until seeded").map(drop)
    }

    fn set_clock(&self, unix_time: i64) -> Result<()> {
        self.ask(format!("set clock to {unix_time}"))?.facts.unix_time = unix_time;
        Ok(())
    }

    fn set_hostname(&self, name: &str) -> Result<()> {
        self.ask(format!("set host name {name}")).map(drop)
    }

    fn power_off(&self) {
        // Nothing can be answered, so nothing can fail.
        drop(self.ask("power off"));
    }
}

impl ImageFiles for Rehearsal {
    fn image_key(&self) -> Result<SecretBytes> {
        Ok(SecretBytes::copy_from(&self.ask("read image key")?.facts.image_key))
    }

    fn manifest(&self) -> Result<Vec<u8>> {
        Ok(self.look("read manifest")?.facts.manifest.clone())
    }

    fn attestation_key(&self) -> Result<SecretBytes> {
        Ok(SecretBytes::copy_from(&self.ask("read attestation key")?.facts.attestation_key))
    }

    fn attestation_certificate(&self) -> Result<Vec<u8>> {
        Ok(self.look("read attestation certificate")?.facts.attestation_certificate.clone())
    }

    fn build_manifest(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.look("read build manifest")?.facts.build_manifest.clone())
    }

    fn forget_attestation_key(&self) -> Result<()> {
        self.ask("forget attestation key").map(drop)
    }

    fn forget_image_key(&self) -> Result<()> {
        self.ask("forget image key").map(drop)
    }
}

impl Disks for Rehearsal {
    fn disks(&self) -> Result<Vec<Disk>> {
        let state = self.look("list disks")?;
        Ok(state.disks.iter().filter(|disk| !state.released.contains(&disk.path)).cloned().collect())
    }

    fn wait_for_disk(&self, timeout: Duration) -> Result<bool> {
        let mut state = self.ask("wait for a disk")?;
        let now = state.facts.uptime;
        match state.late_disks.front() {
            Some((after, _)) if *after <= now + timeout => {
                let Some((after, disk)) = state.late_disks.pop_front() else { return Ok(false) };
                state.facts.uptime = now.max(after);
                state.attach(disk);
                Ok(true)
            }
            _ => {
                state.facts.uptime += timeout;
                Ok(false)
            }
        }
    }

    fn size(&self, device: &Path) -> Result<u64> {
        let state = self.look(format!("size {}", device.display()))?;
        state.size(device).ok_or_else(|| absent("read size of", device))
    }

    fn number(&self, device: &Path) -> Result<String> {
        let state = self.look(format!("number {}", device.display()))?;
        state.number(device).ok_or_else(|| absent("read number of", device))
    }

    fn read(&self, device: &Path, offset: u64, length: usize) -> Result<Vec<u8>> {
        let state = self.look(format!("read {} at {offset}", device.display()))?;
        let size = state.size(device).ok_or_else(|| absent("read disk", device))?;
        let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        Ok(state.get(device, offset, length.min(left)))
    }
}

impl DiskWrites for Rehearsal {
    fn write_disk(&self, device: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
        let request = format!("write disk {} at {offset} bytes={}", device.display(), bytes.len());
        let mut state = self.ask(request)?;
        writable(&state, device)?;
        let length = state.power_cut(bytes.len());
        state.put(device, offset, &bytes[..length.unwrap_or(bytes.len())]);
        match length {
            Some(_) => Err(SystemError::new("write disk", device.display().to_string(), "power cut")),
            None => Ok(()),
        }
    }

    fn write_zeros(&self, device: &Path, offset: u64, length: u64) -> Result<()> {
        let mut state = self.ask(format!("write zeros {} at {offset} length={length}", device.display()))?;
        let pace = state.facts.zeros_take;
        state.facts.uptime += pace;
        Ok(())
    }

    fn partition(&self, disk: &Disk, metadata_bytes: u64) -> Result<()> {
        let request = format!("partition {} metadata={metadata_bytes}", disk.path.display());
        let mut state = self.ask(request)?;
        writable(&state, &disk.path)?;
        let rest = (disk.size / MIB * MIB).saturating_sub(metadata_bytes + 2 * MIB);
        let partitions = [("metadata".to_owned(), metadata_bytes), ("data".to_owned(), rest)];
        state.part(disk, &partitions).map_err(|error| {
            SystemError::io("partition disk", disk.path.display().to_string(), io::Error::other(error))
        })
    }

    fn remove_partition_nodes(&self) -> Result<()> {
        self.ask("remove partition nodes").map(drop)
    }

    fn release_disk(&self, disk: &Path) -> Result<()> {
        let mut state = self.ask(format!("release disk {}", disk.display()))?;
        state.size(disk).ok_or_else(|| absent("release disk", disk))?;
        state.released.insert(disk.to_owned());
        Ok(())
    }
}

impl Luks for Rehearsal {
    fn format(
        &self,
        device: &Path,
        parameters: &LuksParameters,
        passphrase: &VolumePassphrase,
    ) -> Result<(Vec<u8>, VolumeKey)> {
        let LuksParameters { label, memory_kib, passes, lanes, sector_size, integrity } = parameters;
        let tags = if *integrity { " integrity" } else { "" };
        let mut state = self.ask(format!(
            "format {} label={label} memory_kib={memory_kib} passes={passes} lanes={lanes} \
             sector_size={sector_size}{tags}",
            device.display()
        ))?;
        let mut header = state.facts.new_header.clone();
        if header.is_empty() {
            // The marks by which anything recognises LUKS2, and an identity.
            header = vec![0; 2 * 4096];
            header[..8].copy_from_slice(b"LUKS\xba\xbe\0\x02");
            let uuid = format!("00000000-0000-4000-8000-{:012}", state.known.len());
            header[168..][..uuid.len()].copy_from_slice(uuid.as_bytes());
        }
        state.known.push((header.clone(), passphrase.expose().to_owned()));
        let key = key(&header);
        Ok((header, key))
    }

    fn volume_keys(&self, derivations: &[Derivation<'_>]) -> Vec<std::result::Result<VolumeKey, OpenError>> {
        if derivations.len() > 1 {
            // Nothing can be answered yet, so nothing can fail.
            drop(self.ask(format!("derive {} keys side by side", derivations.len())));
        }
        derivations.iter().map(|derivation| derive(self, derivation)).collect()
    }

    fn open(
        &self,
        device: &Path,
        header: &[u8],
        name: &str,
        with: &VolumeKey,
        discard: Discard,
    ) -> Result<PathBuf> {
        let discards = if discard == Discard::Told { " allow_discards" } else { "" };
        let mut state = self.ask(format!("open {} as {name}{discards}", device.display()))?;
        if with.expose() != key(header).expose() {
            return Err(absent("open volume", device));
        }
        if has_integrity(header) {
            return map_with_integrity(&mut state, device, header, name, 'J');
        }
        let sectors = (state.size(device).unwrap_or_default() / 512).saturating_sub(HEADER_SECTORS);
        let number = state.number(device).unwrap_or_default();
        let uuid = uuid(header);
        let count = 1 + usize::from(discard == Discard::Told);
        let table = format!(
            "0 {sectors} crypt aes-xts-plain64 :64:logon:cryptsetup:{uuid}-d0 0 {number} {HEADER_SECTORS} \
             {count}{discards} sector_size:4096"
        );
        map(&mut state, device, name, sectors * 512, table)
    }

    fn open_unjournalled(
        &self,
        device: &Path,
        header: &[u8],
        name: &str,
        with: &VolumeKey,
    ) -> Result<PathBuf> {
        let mut state = self.ask(format!("open {} as {name} without journal", device.display()))?;
        match with.expose() == key(header).expose() {
            true => map_with_integrity(&mut state, device, header, name, 'D'),
            false => Err(absent("open volume", device)),
        }
    }

    fn replace_slots(
        &self,
        _: &[u8],
        _: &VolumeKey,
        _: &LuksParameters,
        passphrase: &VolumePassphrase,
        old: &[u8],
    ) -> Result<Vec<u8>> {
        let mut state = self.ask(format!("replace key slots {old:?}"))?;
        let header = state.facts.rotated_header.clone();
        state.known.push((header.clone(), passphrase.expose().to_owned()));
        Ok(header)
    }

    fn close(&self, name: &str) -> Result<()> {
        let mut state = self.ask(format!("close {name}"))?;
        state.mapped.remove(&format!("{name}{INTEGRITY_SUFFIX}"));
        state.parts.remove(&Path::new("/dev/mapper").join(name));
        state.mapped.remove(name).map(drop).ok_or_else(|| absent("close", Path::new(name)))
    }
}

impl Tables for Rehearsal {
    fn table(&self, name: &str) -> Result<String> {
        let state = self.look(format!("table {name}"))?;
        let scripted = state.tables.get(name);
        scripted
            .or_else(|| Some(&state.mapped.get(name)?.table))
            .cloned()
            .ok_or_else(|| absent("read table of", Path::new(name)))
    }
}

impl Mapper for Rehearsal {
    fn open_part(&self, disk: &Path, name: &str, start: u64, length: u64) -> Result<PathBuf> {
        let mut state =
            self.ask(format!("map {name} on {} start={start} length={length}", disk.display()))?;
        let number = state.number(disk).ok_or_else(|| absent("open a part of", disk))?;
        let table = format!("0 {} linear {number} {}", length / 512, start / 512);
        let path = map(&mut state, disk, name, length, table)?;
        state.parts.insert(path.clone(), (disk.to_owned(), start));
        Ok(path)
    }

    fn open_verity(&self, device: &Path, name: &str, verity: &Verity) -> Result<PathBuf> {
        let mut state = self.ask(format!("open image {} as {name}", device.display()))?;
        let size = verity.data_blocks * u64::from(verity.block_size);
        map(&mut state, device, name, size, format!("0 {} verity", size / 512))
    }

    fn open_scratch(&self, device: &Path, name: &str) -> Result<PathBuf> {
        let mut state = self.ask(format!("open scratch {} as {name}", device.display()))?;
        let size = state.size(device).ok_or_else(|| absent("open scratch space", device))?;
        map(
            &mut state,
            device,
            &format!("{name}{INTEGRITY_SUFFIX}"),
            size,
            format!("0 {} integrity", size / 512),
        )?;
        map(&mut state, device, name, size, format!("0 {} crypt", size / 512))
    }

    fn open_plain_scratch(&self, device: &Path, name: &str) -> Result<PathBuf> {
        let mut state = self.ask(format!("open plain scratch {} as {name}", device.display()))?;
        let size = state.size(device).ok_or_else(|| absent("open scratch space", device))?;
        map(&mut state, device, name, size, format!("0 {} crypt", size / 512))
    }

    fn take_down(&self, folders: &[&Path]) -> Result<()> {
        let names: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        let mut state = self.ask(format!("take down {} and all mapped devices", names.join(" ")))?;
        state.mounts.retain(|mount| !folders.iter().any(|folder| mount.target.starts_with(folder)));
        state.mapped.clear();
        state.parts.retain(|path, _| !path.starts_with("/dev/mapper"));
        Ok(())
    }
}

fn derive(rehearsal: &Rehearsal, derivation: &Derivation<'_>) -> std::result::Result<VolumeKey, OpenError> {
    let Derivation { device, header, passphrase } = derivation;
    let state = rehearsal.ask(format!("derive key of {}", device.display()))?;
    let mut same = state.known.iter().filter(|(known, _)| same_metadata(known, header)).peekable();
    same.peek().ok_or_else(|| absent("open volume", device))?;
    match same.any(|(known, own)| own == passphrase.expose() && same_material(known, header)) {
        true => Ok(key(header)),
        false => Err(OpenError::WrongPassphrase),
    }
}

pub(super) fn absent(operation: &'static str, device: &Path) -> SystemError {
    SystemError::io(operation, device.display().to_string(), io::ErrorKind::NotFound)
}

/// A read-only disk refuses writes on itself and on its partitions.
fn writable(state: &State, device: &Path) -> Result<()> {
    let (holder, _) = state.place(device);
    match state.disks.iter().find(|disk| disk.path == holder) {
        Some(disk) if disk.read_only => Err(SystemError::io(
            "write disk",
            device.display().to_string(),
            io::ErrorKind::ReadOnlyFilesystem,
        )),
        Some(_) => Ok(()),
        None => Err(absent("write disk", device)),
    }
}
