//! A manifest of an image with its signature beside it, and the key of who signed it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use countersign_ultravisor::manifest::{Builder, Signed};
use zeroize::Zeroizing;

use crate::files;

/// A manifest's file and, if there is one, that of its signature.
#[derive(Debug)]
pub(crate) struct SignedFile {
    pub(crate) text: Zeroizing<Vec<u8>>,
    signature: Option<Zeroizing<Vec<u8>>>,
}

impl SignedFile {
    pub(crate) fn read(path: &Path) -> Result<SignedFile> {
        let signature = signature_of(path);
        let signature = if signature.exists() { Some(files::small(&signature)?) } else { None };
        Ok(SignedFile { text: files::small(path)?, signature })
    }

    pub(crate) fn signed(&self) -> Signed<'_> {
        Signed { text: &self.text, signature: self.signature.as_ref().map(|signature| signature.as_slice()) }
    }
}

/// Where the signature of a manifest is: the manifest's name and the ending `.sig`.
fn signature_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// The public key of an image's builder, from a file of it or of its certificate.
pub(crate) fn builder(path: &Path) -> Result<Builder> {
    Builder::from_pem(&files::small(path)?).with_context(|| path.display().to_string())
}
