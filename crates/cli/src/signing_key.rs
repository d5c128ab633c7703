//! The key that signs, from a file that a passphrase may protect.
//!
//! The passphrase comes from a file descriptor or is asked for on the terminal, by OpenSSL, which does not show it. Never
//! from an argument or the environment: every process of the user can read those.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use countersign_crypto::private_key::PrivateKey;
use openssl::pkey::PKey;
use zeroize::Zeroizing;

use crate::files;

/// The longest passphrase, in bytes: what OpenSSL's own programs take.
const LONGEST: u64 = 1024;

/// Reads the key; with the passphrase, if it is protected by one.
///
/// # Errors
/// No key in the file, no passphrase to be had, or another than that of the key.
pub(crate) fn read(path: &Path, passphrase_fd: Option<u32>) -> Result<PrivateKey> {
    let text = files::small_text(path)?;
    let key = match is_protected(&text) {
        true => open(&text, passphrase_fd),
        false => PrivateKey::parse(&text).map_err(anyhow::Error::from),
    };
    key.with_context(|| path.display().to_string())
}

/// PKCS#8 with a passphrase (RFC 7468), and the older form of OpenSSL (RFC 1421).
fn is_protected(text: &str) -> bool {
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn open(text: &str, passphrase_fd: Option<u32>) -> Result<PrivateKey> {
    let opened = match passphrase_fd {
        Some(number) => PKey::private_key_from_pem_passphrase(text.as_bytes(), &passphrase(number)?),
        // Without one OpenSSL would take the passphrase from standard input, where the contract may be.
        None if File::open("/dev/tty").is_err() => {
            bail!("the key is protected by a passphrase: expected a terminal to ask on, or --passphrase-fd")
        }
        None => PKey::private_key_from_pem(text.as_bytes()),
    };
    let Ok(key) = opened else { bail!("expected the passphrase of this key") };
    let pem = Zeroizing::new(key.private_key_to_pem_pkcs8()?);
    Ok(PrivateKey::parse(std::str::from_utf8(&pem)?)?)
}

/// The first line of what can be read there.
fn passphrase(number: u32) -> Result<Zeroizing<Vec<u8>>> {
    let named = || format!("--passphrase-fd {number}: expected a descriptor that can be read");
    let file = File::open(format!("/dev/fd/{number}")).with_context(named)?;
    let mut line = Zeroizing::new(Vec::with_capacity(1 + usize::try_from(LONGEST)?));
    file.take(LONGEST + 1).read_to_end(&mut line).with_context(named)?;
    if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
        line.truncate(end);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    if line.is_empty() || line.len() as u64 > LONGEST {
        bail!("--passphrase-fd {number}: expected a line of 1 to {LONGEST} bytes");
    }
    Ok(line)
}
