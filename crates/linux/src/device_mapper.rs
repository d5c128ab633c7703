//! The requests to the device mapper that libcryptsetup does not offer: read a table back, take a device down by its name
//! alone, make a device of one target.
//!
//! Follows `<linux/dm-ioctl.h>`, interface 4. libcryptsetup could only take a device down after reading its
//! header again from the device, which is in the host's hands; for a dm-integrity device its Rust binding names
//! algorithms of the journal even where there are none, by empty words.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, mknod};
use zeroize::Zeroizing;

/// `struct dm_ioctl`: offsets of its fields, its size.
mod header {
    pub(super) const VERSION: usize = 0;
    pub(super) const DATA_SIZE: usize = 12;
    pub(super) const DATA_START: usize = 16;
    pub(super) const TARGET_COUNT: usize = 20;
    pub(super) const FLAGS: usize = 28;
    pub(super) const DEVICE: usize = 40;
    pub(super) const NAME: usize = 48;
    pub(super) const NAME_SIZE: usize = 128;
    pub(super) const SIZE: usize = 312;
}

/// `struct dm_target_spec`: offsets of its fields, its size.
mod target {
    pub(super) const START: usize = 0;
    pub(super) const LENGTH: usize = 8;
    pub(super) const NEXT: usize = 20;
    pub(super) const TYPE: usize = 24;
    pub(super) const SIZE: usize = 40;
}

const STATUS_TABLE: u32 = 1 << 4;
const BUFFER_FULL: u32 = 1 << 8;
/// The kernel wipes its copy of the answer.
const SECURE_DATA: u32 = 1 << 15;

/// Room for the answer. A table of ours is one line of a few hundred bytes.
const BUFFER: usize = 16 * 1024;

/// `_IOWR(0xfd, number, struct dm_ioctl)`.
const fn request(number: u64) -> libc::Ioctl {
    nix::request_code_readwrite!(0xfd, number, header::SIZE) as libc::Ioctl
}
const DEVICE_CREATE: libc::Ioctl = request(3);
const DEVICE_REMOVE: libc::Ioctl = request(4);
const DEVICE_RESUME: libc::Ioctl = request(6);
const TABLE_LOAD: libc::Ioctl = request(9);
const TABLE_STATUS: libc::Ioctl = request(12);

/// One target over a whole device.
pub(super) struct Target<'a> {
    /// In sectors of 512 bytes.
    pub(super) length: u64,
    /// The kernel's name.
    pub(super) kind: &'a str,
    /// As `dmsetup create` takes them; keys included.
    pub(super) parameters: &'a str,
}

/// Makes the device `name` with its node beside `control`. Nothing stays of one that could not be made.
pub(super) fn create(control: &Path, name: &str, target: &Target<'_>) -> io::Result<()> {
    let made = ask(control, DEVICE_CREATE, question(name, 0)?)?;
    let device = number64(&made, header::DEVICE)?;
    let fill = || -> io::Result<()> {
        ask(control, TABLE_LOAD, filled(name, target)?)?;
        ask(control, DEVICE_RESUME, question(name, 0)?)?;
        let mode = Mode::from_bits_truncate(0o600);
        Ok(mknod(&control.with_file_name(name), SFlag::S_IFBLK, mode, device)?)
    };
    // What failed first is told.
    fill().inspect_err(|_| drop(ask_to_remove(control, name)))
}

/// What the targets of a device say of themselves, one a line, as `dmsetup status` prints it.
pub(super) fn status(control: &Path, name: &str) -> io::Result<String> {
    parse_table(&ask(control, TABLE_STATUS, question(name, SECURE_DATA)?)?)
}

/// The kernel's table of a device, one target a line, keys as zeros.
pub(super) fn table(control: &Path, name: &str) -> io::Result<String> {
    parse_table(&ask(control, TABLE_STATUS, question(name, STATUS_TABLE | SECURE_DATA)?)?)
}

/// Takes a device down and removes the node that libdevmapper made for it.
pub(super) fn remove(control: &Path, name: &str) -> io::Result<()> {
    ask_to_remove(control, name)?;
    match fs::remove_file(control.with_file_name(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn ask_to_remove(control: &Path, name: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    ask(control, DEVICE_REMOVE, question(name, 0)?)
}

fn ask(
    control: &Path,
    request: libc::Ioctl,
    mut buffer: Zeroizing<Vec<u8>>,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::options().read(true).write(true).open(control)?;
    // SAFETY: the kernel reads a `struct dm_ioctl` at the pointer and writes at most `data_size` bytes, which
    // is the length of `buffer`, which outlives the call; it copies bytewise, so alignment does not matter.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), request, buffer.as_mut_ptr()) };
    Errno::result(result)?;
    if number(&buffer, header::FLAGS)? & BUFFER_FULL != 0 {
        return Err(io::Error::other("expected a table of at most 16 KiB"));
    }
    Ok(buffer)
}

/// The request to load a target: behind the header its spec, then its parameters, ended by NUL.
fn filled(name: &str, target: &Target<'_>) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut buffer = question(name, SECURE_DATA)?;
    let text = header::SIZE + target::SIZE;
    if target.kind.len() >= target::SIZE - target::TYPE || text + target.parameters.len() >= BUFFER {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a target of at most 16 KiB"));
    }
    let mut put = |offset: usize, bytes: &[u8]| buffer[offset..][..bytes.len()].copy_from_slice(bytes);
    put(header::TARGET_COUNT, &1u32.to_ne_bytes());
    put(header::SIZE + target::LENGTH, &target.length.to_ne_bytes());
    put(header::SIZE + target::TYPE, target.kind.as_bytes());
    put(text, target.parameters.as_bytes());
    Ok(buffer)
}

fn question(name: &str, flags: u32) -> io::Result<Zeroizing<Vec<u8>>> {
    if name.is_empty() || name.len() >= header::NAME_SIZE || name.contains(['/', '\0']) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a device-mapper name"));
    }
    let mut buffer = Zeroizing::new(vec![0; BUFFER]);
    let mut put = |offset: usize, value: u32| buffer[offset..][..4].copy_from_slice(&value.to_ne_bytes());
    put(header::VERSION, 4);
    put(header::DATA_SIZE, BUFFER as u32);
    put(header::DATA_START, header::SIZE as u32);
    put(header::FLAGS, flags);
    buffer[header::NAME..][..name.len()].copy_from_slice(name.as_bytes());
    Ok(buffer)
}

fn parse_table(answer: &[u8]) -> io::Result<String> {
    let mut lines = Vec::new();
    let data = answer.get(number(answer, header::DATA_START)? as usize..).ok_or_else(malformed)?;
    let mut at = 0;
    for _ in 0..number(answer, header::TARGET_COUNT)? {
        let spec = data.get(at..).filter(|spec| spec.len() > target::SIZE).ok_or_else(malformed)?;
        let kind = c_string(&spec[target::TYPE..target::SIZE])?;
        let parameters = masked(kind, c_string(&spec[target::SIZE..])?);
        let (start, length) = (number64(spec, target::START)?, number64(spec, target::LENGTH)?);
        lines.push(format!("{start} {length} {kind} {parameters}"));
        // Offsets count from the first target.
        let next = number(spec, target::NEXT)? as usize;
        if next <= at {
            break;
        }
        at = next;
    }
    if lines.len() != number(answer, header::TARGET_COUNT)? as usize {
        return Err(malformed());
    }
    Ok(lines.join("\n"))
}

/// Replaces keys by as many zeros: the second word of a crypt target unless it names a key of the keyring, and
/// the last part of the options of an integrity target that may carry one.
fn masked(kind: &str, parameters: &str) -> String {
    let word = |(index, word): (usize, &str)| match (kind, index) {
        ("crypt", 1) if !word.starts_with(':') => zeros(word),
        ("integrity", _) => match *word.splitn(3, ':').collect::<Vec<_>>() {
            [option @ ("internal_hash" | "journal_crypt" | "journal_mac"), algorithm, key] => {
                format!("{option}:{algorithm}:{}", zeros(key))
            }
            _ => word.to_owned(),
        },
        _ => word.to_owned(),
    };
    parameters.split(' ').enumerate().map(word).collect::<Vec<_>>().join(" ")
}

fn zeros(key: &str) -> String {
    "0".repeat(key.len())
}

fn c_string(bytes: &[u8]) -> io::Result<&str> {
    let end = bytes.iter().position(|byte| *byte == 0).ok_or_else(malformed)?;
    std::str::from_utf8(&bytes[..end]).map_err(|_| malformed())
}

fn number(bytes: &[u8], offset: usize) -> io::Result<u32> {
    let field = bytes.get(offset..).and_then(|rest| rest.first_chunk()).ok_or_else(malformed)?;
    Ok(u32::from_ne_bytes(*field))
}

fn number64(bytes: &[u8], offset: usize) -> io::Result<u64> {
    let field = bytes.get(offset..).and_then(|rest| rest.first_chunk()).ok_or_else(malformed)?;
    Ok(u64::from_ne_bytes(*field))
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "expected a device-mapper table")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer as the kernel lays it out: header, then for each target a spec, its text, NUL, padding to 8.
    fn answer(targets: &[(u64, u64, &str, &str)]) -> Vec<u8> {
        let mut data = Vec::new();
        for (start, length, kind, text) in targets {
            let mut spec = Vec::new();
            spec.extend(start.to_ne_bytes());
            spec.extend(length.to_ne_bytes());
            spec.extend(0i32.to_ne_bytes());
            let size = (target::SIZE + text.len() + 1).next_multiple_of(8);
            spec.extend(((data.len() + size) as u32).to_ne_bytes());
            spec.extend(kind.bytes().chain(std::iter::repeat(0)).take(16));
            spec.extend(text.bytes());
            spec.resize(size, 0);
            data.extend(spec);
        }
        let mut all = vec![0; header::SIZE];
        all[header::DATA_START..][..4].copy_from_slice(&(header::SIZE as u32).to_ne_bytes());
        all[header::TARGET_COUNT..][..4].copy_from_slice(&(targets.len() as u32).to_ne_bytes());
        all.extend(data);
        all
    }

    #[test]
    fn the_request_numbers_are_those_of_the_kernel() {
        // strace and the kernel's headers print these.
        assert_eq!(TABLE_STATUS as u32, 0xc138_fd0c);
        assert_eq!(DEVICE_REMOVE as u32, 0xc138_fd04);
        assert_eq!(DEVICE_CREATE as u32, 0xc138_fd03);
        assert_eq!(DEVICE_RESUME as u32, 0xc138_fd06);
        assert_eq!(TABLE_LOAD as u32, 0xc138_fd09);
    }

    #[test]
    fn tables_print_as_dmsetup_does_with_the_key_as_zeros() {
        let text = "aes-xts-plain64 00ff17canary 0 253:16 32768 1 sector_size:4096";
        let table = parse_table(&answer(&[(0, 4096, "crypt", text), (4096, 8, "zero", "")])).unwrap();
        assert_eq!(
            table,
            "0 4096 crypt aes-xts-plain64 000000000000 0 253:16 32768 1 sector_size:4096\n4096 8 zero "
        );
    }

    #[test]
    fn keys_of_integrity_targets_are_zeros_and_keyring_names_stay() {
        assert_eq!(
            masked("crypt", "aes-xts-plain64 :64:logon:cryptsetup:uuid-d0 0 1:1 0"),
            "aes-xts-plain64 :64:logon:cryptsetup:uuid-d0 0 1:1 0"
        );
        assert_eq!(
            masked("integrity", "1:1 0 32 J 3 block_size:512 internal_hash:hmac(sha256):c0ffee fix_padding"),
            "1:1 0 32 J 3 block_size:512 internal_hash:hmac(sha256):000000 fix_padding"
        );
        assert_eq!(masked("integrity", "journal_mac:hmac(sha256):ab"), "journal_mac:hmac(sha256):00");
        assert_eq!(masked("integrity", "internal_hash:crc32c"), "internal_hash:crc32c");
    }

    #[test]
    fn a_request_to_load_has_the_kernels_layout_and_fits() {
        let target = Target { length: 4096, kind: "integrity", parameters: "1:1 0 32 D 0" };
        let request = filled("scratch_dif", &target).unwrap();
        assert_eq!(parse_table(&request).unwrap(), "0 4096 integrity 1:1 0 32 D 0");
        assert_eq!(request[header::NAME..][..12], *b"scratch_dif\0");
        for (kind, parameters) in [("x".repeat(16), String::new()), ("zero".into(), "x".repeat(BUFFER))] {
            assert!(filled("a", &Target { length: 8, kind: &kind, parameters: &parameters }).is_err());
        }
    }

    #[test]
    fn a_malformed_answer_is_an_error() {
        let good = answer(&[(0, 8, "zero", "")]);
        assert!(parse_table(&good[..header::SIZE]).is_err());
        assert!(parse_table(&good[..header::SIZE + target::SIZE]).is_err());
        assert!(parse_table(&[]).is_err());
        let mut endless = answer(&[(0, 8, "zero", "")]);
        endless[header::TARGET_COUNT..][..4].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert!(parse_table(&endless).is_err());
    }

    #[test]
    fn names_that_are_paths_are_refused() {
        for name in ["", "a/b", "a\0b", &"x".repeat(128)] {
            assert_eq!(question(name, 0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        assert!(question(&"x".repeat(127), 0).is_ok());
    }
}
