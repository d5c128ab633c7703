//! `sign`: the builder's signature over a manifest.

use anyhow::{Context, Result};
use countersign_crypto::private_key::PrivateKey;
use countersign_ultravisor::manifest;

use super::arguments::Sign;
use super::beside;
use crate::answer::Answer;
use crate::files;

pub(super) fn run(options: &Sign) -> Result<Answer> {
    let key = files::small_text(&options.builder_key)?;
    let key = PrivateKey::parse(&key).with_context(|| options.builder_key.display().to_string())?;
    let text = files::small(&options.manifest)?;
    let signature = manifest::sign(&text, &key).with_context(|| options.builder_key.display().to_string())?;
    files::write_result(&mut std::io::sink(), Some(&beside(&options.manifest, ".sig")), &signature)?;
    Ok(Answer::Yes)
}
