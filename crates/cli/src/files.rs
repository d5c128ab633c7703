//! Files and standard input, bounded; and files for their owner alone.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use countersign_crypto::image_key::ImageKey;
use countersign_plan::report::capsule;
use zeroize::Zeroizing;

/// The largest key, certificate or facts file.
const MAX_SMALL: u64 = 1 << 20;
/// The largest token that a section within its bounds makes: base64 of 1 MiB and of an RSA message.
const MAX_TOKEN: u64 = 2 << 20;

/// The largest log: many boots, or one with much beside it.
const MAX_LOG: u64 = 64 << 20;

/// Reads a file, or standard input for `None` and for `-`; at most `limit` bytes and one, so that who measures it
/// notices.
fn read(path: Option<&Path>, limit: u64) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    match path.filter(|path| *path != Path::new("-")) {
        None => std::io::stdin()
            .lock()
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .context("expected readable standard input")?,
        Some(path) => {
            let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
            file.take(limit + 1).read_to_end(&mut bytes).with_context(|| path.display().to_string())?
        }
    };
    Ok(bytes)
}

/// The bytes of a contract; one that is too large is for the contract's reader to refuse.
pub(crate) fn contract(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    read(Some(path), countersign_contract::yaml::MAX_BYTES as u64)
}

/// The text of a section or of a token.
pub(crate) fn text(path: Option<&Path>) -> Result<Zeroizing<String>> {
    as_text(path, read(path, MAX_TOKEN)?)
}

/// Reads a token, or takes it from a log that holds the lines of a capsule. An incomplete capsule is ignored.
pub(crate) fn token(path: Option<&Path>) -> Result<Zeroizing<String>> {
    let bytes = log(path.unwrap_or(Path::new("-")))?;
    // A console may hold anything beside.
    let lossy = String::from_utf8_lossy(&bytes);
    if !lossy.contains(capsule::MARKER) {
        return as_text(path, bytes);
    }
    match capsule::find(&lossy) {
        Some(token) => Ok(Zeroizing::new(token)),
        None => bail!("expected all lines of the capsule, from the first to the last"),
    }
}

fn as_text(path: Option<&Path>, bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>> {
    let name = path.map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
    if bytes.len() as u64 > MAX_TOKEN {
        bail!("{name}: expected at most {MAX_TOKEN} bytes");
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => bail!("{name}: expected text in UTF-8"),
    }
}

/// A transcript or a log.
pub(crate) fn log(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let bytes = read(Some(path), MAX_LOG)?;
    if bytes.len() as u64 > MAX_LOG {
        bail!("{}: expected at most {MAX_LOG} bytes; cut the log down to one boot", path.display());
    }
    Ok(bytes)
}

/// A small file: key, certificate, facts.
pub(crate) fn small(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let bytes = read(Some(path), MAX_SMALL)?;
    if bytes.len() as u64 > MAX_SMALL {
        bail!("{}: expected at most {MAX_SMALL} bytes", path.display());
    }
    Ok(bytes)
}

/// A small file of text.
pub(crate) fn small_text(path: &Path) -> Result<Zeroizing<String>> {
    let bytes = small(path)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => bail!("{}: expected text in PEM form", path.display()),
    }
}

/// The private key of an image.
pub(crate) fn image_key(path: &Path) -> Result<ImageKey> {
    ImageKey::from_pem(&small(path)?).with_context(|| path.display().to_string())
}

/// Writes the result: to standard output, or to a file that only its owner can read and that is there whole or not
/// at all.
pub(crate) fn write_result(out: &mut dyn Write, path: Option<&Path>, bytes: &[u8]) -> Result<()> {
    let Some(path) = path else {
        out.write_all(bytes)?;
        return Ok(());
    };
    let mut name =
        path.file_name().with_context(|| format!("{}: expected a file", path.display()))?.to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    create(&part, 0o600, bytes)?;
    std::fs::rename(&part, path).with_context(|| path.display().to_string())
}

/// Writes a file that must not exist yet.
pub(crate) fn create(path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(bytes)).with_context(|| path.display().to_string())
}
