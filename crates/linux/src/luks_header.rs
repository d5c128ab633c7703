//! A LUKS header in guest memory, for the library to read and write, and the opening of its key slots.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use countersign_crypto::secret::VolumePassphrase;
use countersign_crypto::volume_key::VolumeKey;
use countersign_ports::OpenError;
use libcryptsetup_rs::{CryptDevice, CryptInit, LibcryptErr};
use nix::sys::memfd::{MFdFlags, memfd_create};
use zeroize::Zeroizing;

use super::cryptsetup::{failure, listen};

/// 512 bits: two AES-256 keys of the XTS mode.
pub(super) const KEY_BYTES: usize = 64;

/// The key of HMAC-SHA-256, behind the cipher's in the volume key.
const INTEGRITY_KEY_BYTES: usize = 32;

/// Room for the key of any volume that is accepted.
pub(super) const LARGEST_KEY_BYTES: usize = KEY_BYTES + INTEGRITY_KEY_BYTES;

/// Room for the largest header that is accepted.
const HEADER_ROOM: u64 = 32 << 20;

/// What errors name where no device is touched.
pub(super) const COPY: &str = "header in memory";

/// Opens a key slot of the header that is in this file ([`in_memory`]).
pub(super) fn volume_key(
    header: &File,
    passphrase: &VolumePassphrase,
) -> std::result::Result<VolumeKey, OpenError> {
    listen();
    let mut key = Zeroizing::new([0; LARGEST_KEY_BYTES]);
    let mut derive = || {
        let mut volume: CryptDevice = CryptInit::init(&by_descriptor(header))?;
        // No type: the one of the header, which the caller has checked.
        volume.context_handle().load::<()>(None, None)?;
        volume.volume_key_handle().get(None, key.as_mut(), Some(passphrase.expose().as_bytes()))
    };
    match derive() {
        Ok((_, length)) => Ok(VolumeKey::copy_from(&key[..length])),
        Err(LibcryptErr::IOError(error)) if error.raw_os_error() == Some(libc::EPERM) => {
            Err(OpenError::WrongPassphrase)
        }
        Err(error) => Err(failure("open volume", Path::new(COPY), error).into()),
    }
}

/// A file in guest memory without a name, gone when closed.
pub(super) fn in_memory(mut content: impl Read) -> io::Result<File> {
    let mut file = File::from(memfd_create("luks-header", MFdFlags::MFD_CLOEXEC)?);
    let length = io::copy(&mut content, &mut file)?;
    // The library wants room for all key slots. What is not written is a hole and takes no memory.
    file.set_len(HEADER_ROOM.max(length))?;
    Ok(file)
}

/// The file up to its last block that is not zero: unused room for key slots is not carried about.
pub(super) fn used_part(file: &mut File) -> io::Result<Vec<u8>> {
    let mut block = [0; 4096];
    let (mut length, mut at) = (0, 0);
    file.rewind()?;
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            break;
        }
        at += read;
        if block[..read].iter().any(|byte| *byte != 0) {
            length = at;
        }
    }
    let mut header = vec![0; length];
    file.rewind()?;
    file.read_exact(&mut header)?;
    Ok(header)
}

pub(super) fn by_descriptor(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}
