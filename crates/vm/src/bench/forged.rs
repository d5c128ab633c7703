//! A volume header as a hostile host would hand it over: no cipher, and checksums that hold.
//!
//! One forgery, for the clock; that all kinds are refused is shown by the tests.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::process::{feed, tied};

/// Bytes of one header copy.
const COPY: usize = 0x4000;
/// Offset and length of a copy's checksum.
const CHECKSUM: (usize, usize) = (448, 64);

/// Replaces the ciphers in both copies by the null cipher; the volume is the whole disk.
pub(super) fn forge(disk: &Path) -> Result<()> {
    const CIPHER: &[u8] = b"aes-xts-plain64";
    const NULL: &[u8] = b"cipher_null-ecb";
    let file = File::options().read(true).write(true).open(disk).map_err(Error::at(disk))?;
    for copy in [0, COPY] {
        let at = copy as u64;
        let mut bytes = vec![0; COPY];
        file.read_exact_at(&mut bytes, at).map_err(Error::at(disk))?;
        let found: Vec<usize> =
            (0..COPY - CIPHER.len()).filter(|from| bytes[*from..].starts_with(CIPHER)).collect();
        if found.is_empty() {
            return Err(Error::format(disk.display().to_string(), "the header of a volume"));
        }
        for from in found {
            bytes[from..from + NULL.len()].copy_from_slice(NULL);
        }
        bytes[CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1].fill(0);
        let mut openssl = tied("openssl");
        openssl.args(["dgst", "-sha256", "-binary"]);
        let sum = feed(openssl, |pipe| pipe.write_all(&bytes))?;
        bytes[CHECKSUM.0..CHECKSUM.0 + sum.len()].copy_from_slice(&sum);
        file.write_all_at(&bytes, at).map_err(Error::at(disk))?;
    }
    Ok(())
}
