//! The records as they were given: a file, a token, a bundle, a log with the lines of one, or a copy of `/var/hyperprotect`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use countersign_crypto::image_key::ImageKey;
use countersign_crypto::token::{Token, looks_like_token};
use countersign_plan::record::bundle::{self, Bundle};
use countersign_plan::record::folder::{CERTIFICATE, FINAL_RECORD, FINAL_SIGNATURE, OWN};
use countersign_plan::record::{MAX_BYTES, read};

use crate::files;

/// Records in the open, with what came beside them.
#[derive(Debug)]
pub(crate) struct Given {
    /// The first record: the bytes that are signed.
    pub(crate) record: Vec<u8>,
    /// Its signature.
    pub(crate) signature: Option<Vec<u8>>,
    /// The certificate that came with it, PEM, of which nobody says that it is the image's.
    pub(crate) certificate: Option<String>,
    /// The final record and its signature.
    pub(crate) last: Option<(Vec<u8>, Vec<u8>)>,
}

/// Reads what was given; tokens are opened with the auditor's key.
pub(crate) fn read(path: &Path, key: Option<&ImageKey>) -> Result<Given> {
    if path.is_dir() {
        return folder(path, key);
    }
    let bytes = files::log(path)?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains(bundle::MARKER) {
        return bundled(Bundle::find(&own_lines(&text))?, key);
    }
    if text.trim_start().starts_with('{') {
        return bundled(Bundle::parse(&bytes)?, key);
    }
    let record = opened(bytes.to_vec(), key)?;
    Ok(Given { record, signature: None, certificate: None, last: None })
}

/// The lines of a bundle that the guest wrote: a container may print lines that look the same. Where a log says who wrote a
/// line, it does so before the line's text, in structured data that no writer can give.
fn own_lines(log: &str) -> String {
    const ORIGIN: &str = "origin=\"";
    let marked = || log.lines().filter(|line| line.contains(bundle::MARKER));
    let origin = |line: &str| line.split_once(ORIGIN).map(|(_, rest)| rest.starts_with("guest\""));
    let told = marked().any(|line| origin(line).is_some());
    let own = marked().filter(|line| !told || origin(line) == Some(true));
    own.map(|line| format!("{line}\n")).collect()
}

/// The text of a record that may be a token.
pub(crate) fn opened(bytes: Vec<u8>, key: Option<&ImageKey>) -> Result<Vec<u8>> {
    let Some(text) = std::str::from_utf8(&bytes).ok().filter(|text| looks_like_token(text)) else {
        if bytes.len() > MAX_BYTES {
            return Err(read::RecordError::Bytes.into());
        }
        return Ok(bytes);
    };
    let token = Token::parse(text)?;
    let Some(key) = key else {
        bail!("the record is encrypted to an auditor: expected --key with that auditor's private key");
    };
    match token.open(key) {
        Ok(text) => Ok(text.expose().as_bytes().to_vec()),
        Err(_) => bail!(
            "the record does not open with this key: it is encrypted to another auditor, or was altered"
        ),
    }
}

fn bundled(bundle: Bundle, key: Option<&ImageKey>) -> Result<Given> {
    let (signature, last_signature) = (bundle.signature(), bundle.final_signature());
    let record = opened(bundle.record.into_bytes(), key)?;
    let last = bundle.final_record.map(|last| opened(last.into_bytes(), key)).transpose()?;
    Ok(Given { record, signature, certificate: bundle.certificate, last: last.zip(last_signature) })
}

fn folder(path: &Path, key: Option<&ImageKey>) -> Result<Given> {
    let there = |name: &str| -> Result<Option<Vec<u8>>> {
        let path = path.join(name);
        if !path.exists() {
            return Ok(None);
        }
        files::small(&path).map(|bytes| Some(bytes.to_vec()))
    };
    let record = match there("se-checksums.txt")? {
        Some(record) => record,
        None => there("se-checksums.txt.enc")?.with_context(|| {
            format!("{}: expected se-checksums.txt or se-checksums.txt.enc in the folder", path.display())
        })?,
    };
    let own = |name: &str| there(&format!("{OWN}/{name}"));
    let last = own(FINAL_RECORD)?.map(|last| opened(last, key)).transpose()?;
    Ok(Given {
        record: opened(record, key)?,
        signature: there("se-signature.bin")?,
        certificate: own(CERTIFICATE)?.map(|pem| String::from_utf8_lossy(&pem).into_owned()),
        last: last.zip(own(FINAL_SIGNATURE)?),
    })
}
