//! Encrypted volumes through libcryptsetup.
//!
//! Follows the LUKS2 on-disk format specification by way of the library. A header is never read from the
//! device: the caller hands over the copy that it has checked. Whether a header is acceptable is not asked
//! here. A new header is made in guest memory too, and it is the caller's to write it.
//!
//! With integrity, dm-crypt makes a tag for every sector (aes-xts-plain64 composed with hmac-sha256, as `cryptsetup
//! luksFormat --integrity hmac-sha256` has it), and a dm-integrity device below it stores sector and tag as one.
//!
//! The passphrase goes to the library by reference and is copied nowhere on this side. The volume key is derived
//! once, in a process of its own ([`super::keyslot`]), kept in a type of its own until the volume's record is checked,
//! and wiped. It reaches
//! dm-crypt by a key of the type "logon", which user space cannot read, in the keyring of a thread that ends
//! with the opening; the keyring and the key go with it, and the kernel's table shows a name instead of a key.

use std::io;
use std::path::{Path, PathBuf};

use countersign_crypto::secret::VolumePassphrase;
use countersign_crypto::volume_key::VolumeKey;
use libcryptsetup_rs::consts::flags::{CryptActivate, CryptPbkdf, CryptVolumeKey};
use libcryptsetup_rs::consts::vals::{CryptKdf, EncryptionFormat};
use libcryptsetup_rs::{
    CryptDevice, CryptInit, CryptParamsLuks2, CryptParamsLuks2Ref, CryptPbkdfType, Either, LibcryptErr,
};
use zeroize::Zeroizing;

use super::cryptsetup::{failure, listen};
use super::luks_header::{COPY, KEY_BYTES, LARGEST_KEY_BYTES, by_descriptor, in_memory, used_part};
use super::{Linux, device_mapper, keyslot, random};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::{Derivation, Discard, INTEGRITY_SUFFIX, Luks, LuksParameters, OpenError, Tables};

/// Both header copies and the key slots; the data begins behind them.
const HEADER_BYTES: u64 = 16 << 20;

/// The unit of offsets in the library, whatever the sector size of the volume.
const LIBRARY_SECTOR: u64 = 512;

impl Luks for Linux {
    fn format(
        &self,
        device: &Path,
        parameters: &LuksParameters,
        passphrase: &VolumePassphrase,
    ) -> Result<(Vec<u8>, VolumeKey)> {
        listen();
        let failed = |e| SystemError::io("format volume", device.display().to_string(), e);
        // The library reads its salts from /dev/urandom, which does not wait.
        random::wait_until_seeded().map_err(failed)?;
        let mut room = Zeroizing::new([0; LARGEST_KEY_BYTES]);
        let key = &mut room[..if parameters.integrity { LARGEST_KEY_BYTES } else { KEY_BYTES }];
        random::fill(key).map_err(failed)?;
        let mut file = in_memory(io::empty()).map_err(failed)?;
        format(&by_descriptor(&file), device, parameters, key, passphrase)
            .map_err(|e| failure("format volume", device, e))?;
        Ok((used_part(&mut file).map_err(failed)?, VolumeKey::copy_from(key)))
    }

    fn volume_keys(&self, derivations: &[Derivation<'_>]) -> Vec<std::result::Result<VolumeKey, OpenError>> {
        keyslot::volume_keys(&self.paths.own_program, derivations)
    }

    fn open(
        &self,
        device: &Path,
        header: &[u8],
        name: &str,
        key: &VolumeKey,
        discard: Discard,
    ) -> Result<PathBuf> {
        let flags = match discard {
            Discard::Kept => CryptActivate::empty(),
            Discard::Told => CryptActivate::ALLOW_DISCARDS,
        };
        self.activate(device, header, name, key, flags)
    }

    fn open_unjournalled(
        &self,
        device: &Path,
        header: &[u8],
        name: &str,
        key: &VolumeKey,
    ) -> Result<PathBuf> {
        self.activate(device, header, name, key, CryptActivate::NO_JOURNAL)
    }

    fn replace_slots(
        &self,
        header: &[u8],
        key: &VolumeKey,
        parameters: &LuksParameters,
        passphrase: &VolumePassphrase,
        old: &[u8],
    ) -> Result<Vec<u8>> {
        listen();
        let failed = |e| SystemError::io("replace key slots", COPY, e);
        random::wait_until_seeded().map_err(failed)?;
        let mut file = in_memory(header).map_err(failed)?;
        let replace = || {
            let mut volume: CryptDevice = CryptInit::init(&by_descriptor(&file))?;
            volume.context_handle().load::<()>(None, None)?;
            volume.settings_handle().set_pbkdf_type(&argon2id(parameters))?;
            volume.keyslot_handle().add_by_key(
                None,
                Some(Either::Left(key.expose())),
                passphrase.expose().as_bytes(),
                CryptVolumeKey::empty(),
            )?;
            old.iter().try_for_each(|slot| volume.keyslot_handle().destroy(u32::from(*slot)))
        };
        replace().map_err(|e| failure("replace key slots", Path::new(COPY), e))?;
        used_part(&mut file).map_err(failed)
    }

    fn close(&self, name: &str) -> Result<()> {
        let below = format!("{name}{INTEGRITY_SUFFIX}");
        let remove = |name: &str| {
            device_mapper::remove(&self.mapped("control"), name)
                .map_err(|e| SystemError::io("close mapped device", name, e))
        };
        remove(name)?;
        if self.mapped(&below).exists() { remove(&below) } else { Ok(()) }
    }
}

impl Tables for Linux {
    fn table(&self, name: &str) -> Result<String> {
        device_mapper::table(&self.mapped("control"), name)
            .map_err(|e| SystemError::io("read table of mapped device", name, e))
    }
}

impl Linux {
    /// Maps a container by the copy of its header.
    fn activate(
        &self,
        device: &Path,
        header: &[u8],
        name: &str,
        key: &VolumeKey,
        flags: CryptActivate,
    ) -> Result<PathBuf> {
        listen();
        let file = in_memory(header)
            .map_err(|e| SystemError::io("keep volume header", device.display().to_string(), e))?;
        in_thread_of_its_own(|| {
            let path = by_descriptor(&file);
            let activate = || {
                let mut volume: CryptDevice =
                    CryptInit::init_with_data_device(Either::Right((&path, device)))?;
                volume.context_handle().load::<()>(None, None)?;
                // Flags that the header would switch on are the host's wish, not the contract's.
                let flags = flags | CryptActivate::IGNORE_PERSISTENT;
                volume.activate_handle().activate_by_volume_key(Some(name), Some(key.expose()), flags)
            };
            activate().map_err(|error| failure("open volume", device, error))
        })?;
        Ok(self.mapped(name))
    }

    /// The node of a mapped device.
    pub(super) fn mapped(&self, name: &str) -> PathBuf {
        self.paths.dev.join("mapper").join(name)
    }
}

/// Makes a container whose header is the file `header` and whose data is to be on `device`.
fn format(
    header: &Path,
    device: &Path,
    parameters: &LuksParameters,
    key: &[u8],
    passphrase: &VolumePassphrase,
) -> std::result::Result<(), LibcryptErr> {
    let mut volume = CryptInit::init(header)?;
    volume.set_data_offset(HEADER_BYTES / LIBRARY_SECTOR)?;
    let luks2 = CryptParamsLuks2 {
        pbkdf: Some(argon2id(parameters)),
        integrity: parameters.integrity.then(|| String::from("hmac(sha256)")),
        integrity_params: None,
        data_alignment: 0,
        data_device: Some(device.to_owned()),
        sector_size: parameters.sector_size,
        label: Some(parameters.label.clone()),
        subsystem: None,
    };
    let mut luks2: CryptParamsLuks2Ref<'_> = (&luks2).try_into()?;
    volume.context_handle().format(
        EncryptionFormat::Luks2,
        ("aes", "xts-plain64"),
        None,
        Either::Left(key),
        Some(&mut luks2),
    )?;
    volume.keyslot_handle().add_by_key(
        None,
        None,
        passphrase.expose().as_bytes(),
        CryptVolumeKey::empty(),
    )?;
    Ok(())
}

/// The costs as given: a benchmark would take seconds and let a slow moment weaken the volume.
fn argon2id(parameters: &LuksParameters) -> CryptPbkdfType {
    CryptPbkdfType {
        type_: CryptKdf::Argon2Id,
        hash: String::from("sha256"),
        time_ms: 0,
        iterations: parameters.passes,
        max_memory_kb: parameters.memory_kib,
        parallel_threads: parameters.lanes,
        flags: CryptPbkdf::NO_BENCHMARK,
    }
}

/// Runs `work` in a new thread, whose keyring ends with it.
fn in_thread_of_its_own<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .spawn_scoped(scope, work)
            .map_err(|e| SystemError::io("start thread", "open volume", e))?;
        thread.join().unwrap_or_else(|_| {
            Err(SystemError::new("open volume", "libcryptsetup", "ended without an answer"))
        })
    })
}

#[cfg(test)]
mod tests;
