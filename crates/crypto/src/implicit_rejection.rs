//! RSA PKCS#1 v1.5 decryption that never says whether the padding was right.
//!
//! Who can hand the guest altered tokens and tell a padding failure from another one, by message
//! or by time, can decrypt anything sealed to the image key (Bleichenbacher's attack). The cure is
//! implicit rejection: a broken ciphertext decrypts to a message of its own, pseudo-random but the
//! same each time, and the caller fails later, where every wrong key fails.
//!
//! OpenSSL has this since version 3.2. The 3.0 of Debian 12 has not, and which one a build links
//! is not known here, so the work is done above OpenSSL's unpadded RSA operation, on every
//! version alike. The message is the one OpenSSL 3.2 yields, by the draft that it follows
//! (draft-irtf-cfrg-rsa-guidance), so the `openssl` program can be asked whether this is right.
//!
//! No branch and no index depends on the decrypted bytes until a length has been chosen, from the
//! true message or the made-up one.

use crate::LibraryError;
use crate::digest::secret_sha256;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::sign::Signer;
use std::hint::black_box;
use zeroize::Zeroizing;

/// Bytes before the message at least: 0, 2, eight of padding, 0.
const OVERHEAD: usize = 11;
/// How many lengths are drawn for the made-up message; one of them fits but for 2^-128.
const LENGTH_DRAWS: usize = 128;

/// The message in `ciphertext`, or the pseudo-random one that stands for a broken padding; `seed` is that of [`seed`].
///
/// `None` for a ciphertext that is no number below the modulus, written with as many bytes as the
/// modulus has. Everybody can see that without the key.
///
/// # Errors
/// [`LibraryError`] when OpenSSL has no memory or no HMAC-SHA-256.
pub(crate) fn decrypt(
    key: &PKeyRef<Private>,
    seed: &[u8; 32],
    ciphertext: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, LibraryError> {
    let len = key.size();
    if ciphertext.len() != len {
        return Ok(None);
    }
    // Made before anything is known of the padding, so it takes the same time always.
    let made_up = MadeUp::new(seed, ciphertext)?;
    let Some(padded) = raw_decrypt(key, ciphertext, len) else {
        return Ok(None);
    };
    Ok(Some(unpad(&padded, &made_up)))
}

/// The number behind the ciphertext, as `len` bytes.
fn raw_decrypt(key: &PKeyRef<Private>, ciphertext: &[u8], len: usize) -> Option<Zeroizing<Vec<u8>>> {
    let mut padded = Zeroizing::new(vec![0; len]);
    let mut context = PkeyCtx::new(key).ok()?;
    context.decrypt_init().ok()?;
    context.set_rsa_padding(Padding::NONE).ok()?;
    let written = context.decrypt(ciphertext, Some(&mut padded)).ok()?;
    (written == len).then_some(padded)
}

/// What a broken ciphertext decrypts to: the last `message_len` of `bytes`.
pub(crate) struct MadeUp {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) message_len: u32,
}

impl MadeUp {
    fn new(seed: &[u8; 32], ciphertext: &[u8]) -> Result<Self, LibraryError> {
        let derivation_key = {
            let mut mac = Zeroizing::new([0; 32]);
            hmac(seed, &[ciphertext], &mut mac)?;
            mac
        };
        let bytes = expand(&derivation_key, b"message", ciphertext.len())?;
        let draws = expand(&derivation_key, b"length", LENGTH_DRAWS * 2)?;
        let longest = small(ciphertext.len() - (OVERHEAD - 1));
        // All bits up to the highest one of `longest`.
        let mask = u32::MAX >> longest.leading_zeros();
        let mut message_len = 0;
        for draw in draws.chunks_exact(2) {
            let candidate = (u32::from(draw[0]) << 8 | u32::from(draw[1])) & mask;
            message_len = select(below(candidate, longest), candidate, message_len);
        }
        Ok(Self { bytes, message_len })
    }
}

/// `len` pseudo-random bytes for one purpose, as the draft's PRF has it: HMAC over a counter, the
/// label and the length in bits, both numbers as two bytes, big end first.
fn expand(key: &[u8; 32], label: &[u8], len: usize) -> Result<Zeroizing<Vec<u8>>, LibraryError> {
    let bits = u16::try_from(len * 8).map_err(LibraryError::of("size a pseudo-random string"))?;
    let mut bytes = Zeroizing::new(vec![0; len]);
    for (counter, chunk) in (0_u16..).zip(bytes.chunks_mut(32)) {
        let mut mac = Zeroizing::new([0; 32]);
        hmac(key, &[&counter.to_be_bytes(), label, &bits.to_be_bytes()], &mut mac)?;
        chunk.copy_from_slice(&mac[..chunk.len()]);
    }
    Ok(bytes)
}

fn hmac(key: &[u8; 32], parts: &[&[u8]], mac: &mut [u8; 32]) -> Result<(), LibraryError> {
    let failed = || LibraryError::of("compute an HMAC");
    let key = PKey::hmac(key).map_err(failed())?;
    let mut signer = Signer::new(MessageDigest::sha256(), &key).map_err(failed())?;
    for part in parts {
        signer.update(part).map_err(failed())?;
    }
    signer.sign(mac).map_err(failed())?;
    Ok(())
}

/// Takes the padding off, or takes the made-up message, without showing which.
pub(crate) fn unpad(padded: &[u8], made_up: &MadeUp) -> Zeroizing<Vec<u8>> {
    let mut good = is_zero(u32::from(padded[0])) & is_zero(u32::from(padded[1]) ^ 2);
    let mut found = 0;
    let mut separator = 0;
    for (at, byte) in (0_u32..).zip(padded).skip(2) {
        let first_zero = is_zero(u32::from(*byte)) & !found;
        separator = select(first_zero, at, separator);
        found |= first_zero;
    }
    // A separator not found is at 0 and fails here too.
    good &= !below(separator, small(OVERHEAD - 1));
    let good = black_box(good);

    let len = small(padded.len());
    let message_len = select(good, len - 1 - separator, made_up.message_len);
    let mut chosen = Zeroizing::new(vec![0; padded.len()]);
    for (to, (from, other)) in chosen.iter_mut().zip(padded.iter().zip(made_up.bytes.iter())) {
        // The masks are all ones or all zeros, so the low byte is enough.
        *to = (select(good, u32::from(*from), u32::from(*other)) & 0xff) as u8;
    }
    let start = (len - message_len) as usize;
    Zeroizing::new(chosen[start..].to_vec())
}

/// Lengths here are those of an RSA modulus, at most 1024 bytes.
fn small(len: usize) -> u32 {
    len as u32
}

/// All ones when `value` is 0, otherwise 0.
fn is_zero(value: u32) -> u32 {
    0_u32.wrapping_sub(black_box((!value & value.wrapping_sub(1)) >> 31))
}

/// All ones when `left < right`, otherwise 0; both below 2^31.
fn below(left: u32, right: u32) -> u32 {
    0_u32.wrapping_sub(black_box(left.wrapping_sub(right) >> 31))
}

/// `yes` where the mask is all ones, `no` where it is 0.
fn select(mask: u32, yes: u32, no: u32) -> u32 {
    (mask & yes) | (!mask & no)
}

/// SHA-256 of the private exponent, written with as many bytes as the modulus has: the key from
/// which made-up messages are derived.
pub(crate) fn seed(exponent: &[u8]) -> Result<Zeroizing<[u8; 32]>, LibraryError> {
    secret_sha256(&[exponent])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::digest::sha256_hex;

    fn made_up(len: usize) -> MadeUp {
        MadeUp { bytes: Zeroizing::new(vec![0xee; len]), message_len: 5 }
    }

    fn padded(start: &[u8], filler: usize, message: &[u8]) -> Vec<u8> {
        let mut bytes = start.to_vec();
        bytes.extend(vec![0xff; filler]);
        bytes.push(0);
        bytes.extend_from_slice(message);
        bytes
    }

    #[test]
    fn takes_the_padding_off() {
        for filler in [8, 9, 100] {
            for message in [&b""[..], b"x", b"with\0zero", &[0; 40]] {
                let bytes = padded(&[0, 2], filler, message);
                assert_eq!(**unpad(&bytes, &made_up(bytes.len())), *message);
            }
        }
    }

    #[test]
    fn every_broken_padding_yields_the_made_up_message() {
        let no_separator = [&[0, 2][..], &[0xff; 60]].concat();
        let broken = [
            padded(&[1, 2], 20, b"message"),
            padded(&[0, 1], 20, b"message"),
            padded(&[0, 3], 20, b"message"),
            padded(&[0, 2], 7, b"message"),
            padded(&[0, 2], 0, b"message"),
            no_separator,
        ];
        for bytes in broken {
            assert_eq!(**unpad(&bytes, &made_up(bytes.len())), [0xee; 5], "{bytes:?}");
        }
    }

    #[test]
    fn made_up_message_follows_the_draft() {
        // From a reading of the draft in Python; the seed is 0, 1 .. 31, the ciphertext 0 .. 255.
        let seed = std::array::from_fn(|at| at as u8);
        let ciphertext: Vec<u8> = (0..=255).collect();
        let made_up = MadeUp::new(&seed, &ciphertext).unwrap();
        assert_eq!(made_up.message_len, 103);
        assert_eq!(
            sha256_hex(&made_up.bytes[256 - 103..]),
            "3e72361330c3eaea50a96b8b1b64586f382c24bbd64085c44315f704fb006ec6"
        );
    }

    #[test]
    fn masks() {
        for value in [1, 2, 255, 1 << 31, u32::MAX] {
            assert_eq!(is_zero(value), 0);
        }
        assert_eq!(is_zero(0), u32::MAX);
        assert_eq!((below(1, 2), below(2, 2), below(3, 2), below(0, 1024)), (u32::MAX, 0, 0, u32::MAX));
        assert_eq!((select(u32::MAX, 1, 2), select(0, 1, 2)), (1, 2));
    }
}
