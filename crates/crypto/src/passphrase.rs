//! The LUKS passphrase of a volume, from the seeds of both parties.
//!
//! `lowercase_hex(SHA-256(deployer's seed || workload's seed))`, no separator, the seeds as UTF-8
//! bytes: what `echo -n "seed1seed2" | sha256sum` prints. The 64 digits are the passphrase, not
//! the 32 bytes. HPCR's public documents leave room for the other order of the seeds, hence the
//! second function; who opens a volume tries it second.
//!
//! Without a separator ("ab", "c") and ("a", "bc") give the same passphrase. That is the format;
//! the rule against short seeds stands elsewhere.

use crate::LibraryError;
use crate::digest::{hex_digit, secret_sha256};
use crate::secret::{VolumePassphrase, VolumeSeed};
use zeroize::Zeroizing;

impl VolumePassphrase {
    /// The passphrase as documented: the deployer's seed first.
    ///
    /// ```
    /// use countersign_crypto::secret::{VolumePassphrase, VolumeSeed};
    ///
    /// let (deployer, workload) = (VolumeSeed::copy_from("one"), VolumeSeed::copy_from("two"));
    /// let passphrase = VolumePassphrase::derive(&deployer, &workload)?;
    /// // printf onetwo | sha256sum
    /// assert_eq!(passphrase.expose(), "25b6746d5172ed6352966a013d93ac846e1110d5a25e8f183b5931f4688842a1");
    /// # Ok::<(), countersign_crypto::LibraryError>(())
    /// ```
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL cannot compute a digest.
    pub fn derive(deployer: &VolumeSeed, workload: &VolumeSeed) -> Result<Self, LibraryError> {
        passphrase(deployer, workload)
    }

    /// The passphrase under the other reading: the workload's seed first.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL cannot compute a digest.
    pub fn derive_workload_first(deployer: &VolumeSeed, workload: &VolumeSeed) -> Result<Self, LibraryError> {
        passphrase(workload, deployer)
    }
}

fn passphrase(first: &VolumeSeed, second: &VolumeSeed) -> Result<VolumePassphrase, LibraryError> {
    let digest = secret_sha256(&[first.expose().as_bytes(), second.expose().as_bytes()])?;
    let mut digits = Zeroizing::new([0; 64]);
    for (pair, byte) in digits.chunks_exact_mut(2).zip(digest.iter()) {
        pair[0] = hex_digit(byte >> 4);
        pair[1] = hex_digit(byte & 15);
    }
    let text = std::str::from_utf8(digits.as_ref()).map_err(LibraryError::of("write hexadecimal digits"))?;
    Ok(VolumePassphrase::copy_from(text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sha256sum_of_both_seeds() {
        // printf 'hello world' | sha256sum; printf ' worldhello' | sha256sum
        let (deployer, workload) = (VolumeSeed::copy_from("hello"), VolumeSeed::copy_from(" world"));
        assert_eq!(
            VolumePassphrase::derive(&deployer, &workload).unwrap().expose(),
            "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
        );
        assert_eq!(
            VolumePassphrase::derive_workload_first(&deployer, &workload).unwrap().expose(),
            "9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a"
        );
    }
}
