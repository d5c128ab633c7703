//! Mapped devices without a party's key: parts of disks (dm-linear), the image under dm-verity, scratch space under
//! dm-crypt over dm-integrity.
//!
//! Image and scratch space are mapped with constants of the image only: no header that was there is read from a disk.
//! Follows the kernel's `Documentation/admin-guide/device-mapper/{linear,verity,dm-crypt,dm-integrity}.rst`.
//!
//! Scratch space is encrypted, and what lies on the disk is authenticated: HMAC-SHA-512 over sector and place, cut to 32
//! bytes, without a journal, since nobody reads it after a power cut. Nothing is wiped: a sector that was never written has
//! no tag that fits, and its reader gets an error.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use libcryptsetup_rs::consts::flags::{CryptActivate, CryptVerity};
use libcryptsetup_rs::consts::vals::EncryptionFormat;
use libcryptsetup_rs::{
    CryptInit, CryptParamsPlain, CryptParamsPlainRef, CryptParamsVerity, CryptParamsVerityRef, Either,
    LibcryptErr,
};
use zeroize::Zeroizing;

use super::cryptsetup::{failure, listen};
use super::device_mapper::{self, Target};
use super::luks_header::KEY_BYTES;
use super::{Linux, random, take_down};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::{DiskWrites, Disks, INTEGRITY_SUFFIX, Mapper, Verity};

/// Encrypting larger sectors costs less; file systems use 4 KiB blocks anyway.
const SCRATCH_SECTOR: u64 = 4096;

/// Bytes at the start of a device that a program reads before it makes a file system there: it looks for another one.
const READ_BEFORE_WRITTEN: u64 = 2 << 20;

/// Bytes of a sector's tag: an HMAC cut to half its length, the least that RFC 2104 section 5 recommends.
const TAG_BYTES: usize = 32;

/// The unit of tables.
const SECTOR: u64 = 512;

/// The disk has a journal though it is not used; the kernel writes it once. It makes this as large as one of its units.
const JOURNAL_SECTORS: u64 = 8;

/// Bytes of the key of an HMAC-SHA-512: as many as its output has (RFC 2104 section 3).
const TAG_KEY_BYTES: usize = 64;

impl Mapper for Linux {
    fn open_part(&self, disk: &Path, name: &str, start: u64, length: u64) -> Result<PathBuf> {
        let number = self.number(disk)?;
        let open = || -> io::Result<()> {
            if !(start.is_multiple_of(SECTOR) && length.is_multiple_of(SECTOR)) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "expected whole sectors of 512 bytes",
                ));
            }
            let parameters = format!("{number} {}", start / SECTOR);
            let target = Target { length: length / SECTOR, kind: "linear", parameters: &parameters };
            device_mapper::create(&self.mapped("control"), name, &target)
        };
        open().map_err(|e| SystemError::io("open a part of", disk.display().to_string(), e))?;
        Ok(self.mapped(name))
    }

    fn open_verity(&self, device: &Path, name: &str, verity: &Verity) -> Result<PathBuf> {
        listen();
        open_verity(device, name, verity).map_err(|e| failure("open image", device, e))?;
        Ok(self.mapped(name))
    }

    fn open_scratch(&self, device: &Path, name: &str) -> Result<PathBuf> {
        let below = format!("{name}{INTEGRITY_SUFFIX}");
        authenticate(&self.mapped("control"), device, &below, &self.number(device)?)
            .map_err(|e| SystemError::io("open scratch space", device.display().to_string(), e))?;
        let below = self.mapped(&below);
        // libcryptsetup tries to read what it is to map.
        self.write_zeros(&below, 0, SCRATCH_SECTOR)?;
        let opened = self.open_plain_scratch(&below, name)?;
        self.write_zeros(&opened, 0, READ_BEFORE_WRITTEN)?;
        Ok(opened)
    }

    fn open_plain_scratch(&self, device: &Path, name: &str) -> Result<PathBuf> {
        listen();
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        random::fill(&mut *key)
            .map_err(|e| SystemError::io("make scratch key", device.display().to_string(), e))?;
        let size = device_size(device)
            .map_err(|e| SystemError::io("open scratch space", device.display().to_string(), e))?;
        open_scratch(device, name, scratch_sector(size), &*key)
            .map_err(|e| failure("open scratch space", device, e))?;
        Ok(self.mapped(name))
    }

    fn take_down(&self, folders: &[&Path]) -> Result<()> {
        take_down::take_down(self, folders)
            .map_err(|e| SystemError::io("take down", "mounts and mapped devices", e))
    }
}

fn open_verity(device: &Path, name: &str, verity: &Verity) -> std::result::Result<(), LibcryptErr> {
    let flags = CryptActivate::READONLY | CryptActivate::PANIC_ON_CORRUPTION;
    activate_verity(device, &verity_parameters(device, verity), &verity.root_hash, Some(name), flags)
}

fn activate_verity(
    device: &Path,
    parameters: &CryptParamsVerity,
    root_hash: &[u8],
    name: Option<&str>,
    flags: CryptActivate,
) -> std::result::Result<(), LibcryptErr> {
    let mut image = CryptInit::init(device)?;
    let mut parameters: CryptParamsVerityRef<'_> = parameters.try_into()?;
    // With NO_HEADER this writes nothing: it sets the parameters.
    let size = Either::Right(root_hash.len());
    image.context_handle().format(EncryptionFormat::Verity, ("", ""), None, size, Some(&mut parameters))?;
    image.activate_handle().activate_by_volume_key(name, Some(root_hash), flags)
}

fn verity_parameters(device: &Path, verity: &Verity) -> CryptParamsVerity {
    CryptParamsVerity {
        hash_name: String::from(verity.algorithm),
        data_device: device.to_owned(),
        hash_device: None,
        fec_device: None,
        salt: verity.salt.clone(),
        hash_type: 1,
        data_block_size: verity.block_size,
        hash_block_size: verity.block_size,
        data_size: verity.data_blocks,
        hash_area_offset: verity.hash_offset,
        fec_area_offset: 0,
        fec_roots: 0,
        flags: CryptVerity::NO_HEADER,
    }
}

fn open_scratch(
    device: &Path,
    name: &str,
    sector_size: u32,
    key: &[u8],
) -> std::result::Result<(), LibcryptErr> {
    let mut scratch = CryptInit::init(device)?;
    let parameters =
        CryptParamsPlain { hash: String::from("plain"), offset: 0, sector_size, size: 0, skip: 0 };
    let mut parameters: CryptParamsPlainRef<'_> = (&parameters).try_into()?;
    scratch.context_handle().format(
        EncryptionFormat::Plain,
        ("aes", "xts-plain64"),
        None,
        Either::Right(key.len()),
        Some(&mut parameters),
    )?;
    scratch.activate_handle().activate_by_volume_key(Some(name), Some(key), CryptActivate::empty())
}

/// Makes the device `name` over the device `number`, whose sectors have tags under a fresh key.
///
/// The first table is for one sector: the kernel lays out the disk by it, and its status says how many sectors there are.
fn authenticate(control: &Path, device: &Path, name: &str, number: &str) -> io::Result<()> {
    let mut key = Zeroizing::new([0; TAG_KEY_BYTES]);
    random::fill(&mut *key)?;
    let parameters = integrity_parameters(number, &*key);
    let make = |length| {
        let target = Target { length, kind: "integrity", parameters: &parameters };
        device_mapper::create(control, name, &target)
    };
    // Only where these are zero the kernel lays out anew.
    let disk = std::fs::File::options().write(true).open(device)?;
    disk.write_all_at(&[0; SCRATCH_SECTOR as usize], 0)?;
    disk.sync_all()?;
    make(SCRATCH_SECTOR / SECTOR)?;
    let sectors = provided_sectors(&device_mapper::status(control, name)?)
        .ok_or_else(|| io::Error::other("expected the kernel to say how many sectors there are"));
    device_mapper::remove(control, name)?;
    make(sectors?)
}

/// The parameters of the target: `D` writes sectors and tags without a journal.
fn integrity_parameters(number: &str, key: &[u8]) -> Zeroizing<String> {
    let open = format!(
        "{number} 0 {TAG_BYTES} D 3 block_size:{SCRATCH_SECTOR} journal_sectors:{JOURNAL_SECTORS} \
         internal_hash:hmac(sha512):"
    );
    // Large enough from the start: a text that grows leaves copies behind.
    let mut parameters = Zeroizing::new(String::with_capacity(open.len() + 2 * key.len()));
    parameters.push_str(&open);
    let digits = key.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    parameters.extend(digits.filter_map(|digit| char::from_digit(digit.into(), 16)));
    parameters
}

/// The second number of the target's status: sectors that can be mapped.
fn provided_sectors(status: &str) -> Option<u64> {
    status.split(' ').nth(4)?.parse().ok()
}

/// dm-crypt wants whole sectors.
fn scratch_sector(size: u64) -> u32 {
    if size.is_multiple_of(SCRATCH_SECTOR) { SCRATCH_SECTOR as u32 } else { 512 }
}

/// Works for block devices and files alike.
fn device_size(device: &Path) -> io::Result<u64> {
    io::Seek::seek(&mut std::fs::File::open(device)?, io::SeekFrom::End(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn scratch_sectors_divide_the_device() {
        assert_eq!(scratch_sector(1 << 30), 4096);
        assert_eq!(scratch_sector((1 << 30) + 512), 512);
    }

    #[test]
    fn the_status_says_how_many_sectors_there_are() {
        assert_eq!(provided_sectors("0 8 integrity 0 7864320 -"), Some(7_864_320));
        assert_eq!(provided_sectors("0 8 integrity 0"), None);
    }

    #[test]
    fn the_key_of_tags_is_hexadecimal() {
        let parameters = integrity_parameters("253:16", &[0x0f, 0xa0]);
        let expected = "253:16 0 32 D 3 block_size:4096 journal_sectors:8 internal_hash:hmac(sha512):0fa0";
        assert_eq!(*parameters, expected);
    }

    /// Without a name the library checks the root hash by reading the tree, as far as it can without mapping:
    /// `veritysetup verify` with the same constants does so in user space.
    #[test]
    fn constants_mean_to_the_library_what_veritysetup_means_by_them() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        let data: Vec<u8> = (0..64 * 4096u32).map(|i| (i / 7) as u8).collect();
        std::fs::write(&image, data).unwrap();
        let output = Command::new("/usr/sbin/veritysetup")
            .args([
                "format",
                "--no-superblock",
                "--data-blocks=64",
                "--hash-offset=262144",
                "--salt=0123abcd",
            ])
            .args([&image, &image])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let root_hash = text.lines().find_map(|line| line.strip_prefix("Root hash:")).unwrap().trim();
        let mut verity = Verity {
            data_blocks: 64,
            block_size: 4096,
            hash_offset: 262_144,
            salt: vec![0x01, 0x23, 0xab, 0xcd],
            algorithm: "sha256",
            root_hash: (0..root_hash.len())
                .step_by(2)
                .map(|i| u8::from_str_radix(&root_hash[i..i + 2], 16).unwrap())
                .collect(),
        };
        verify_in_user_space(&image, &verity).unwrap();
        verity.salt[0] ^= 1;
        assert!(verify_in_user_space(&image, &verity).is_err());
        verity.salt[0] ^= 1;
        verity.root_hash[31] ^= 1;
        assert!(verify_in_user_space(&image, &verity).is_err());
    }

    fn verify_in_user_space(device: &Path, verity: &Verity) -> std::result::Result<(), LibcryptErr> {
        let mut parameters = verity_parameters(device, verity);
        parameters.flags |= CryptVerity::CHECK_HASH;
        activate_verity(device, &parameters, &verity.root_hash, None, CryptActivate::READONLY)
    }
}
