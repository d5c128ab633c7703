//! `seal` and `open`: a section's text to a token and back.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use countersign_crypto::token::{self, Recipient, Token};

use crate::arguments::{Open, Prefix, Seal};
use crate::{Answer, files, note, time};

/// How long before its end an encryption certificate is worth a warning: 30 days, in seconds.
const SOON: i64 = 30 * 86_400;

impl From<Prefix> for token::Prefix {
    fn from(prefix: Prefix) -> token::Prefix {
        match prefix {
            Prefix::HyperProtectBasic => token::Prefix::HyperProtectBasic,
            Prefix::ContractBasic => token::Prefix::ContractBasic,
        }
    }
}

pub fn seal(options: &Seal, out: &mut dyn Write) -> Result<Answer> {
    let recipient = recipient(&options.cert)?;
    let text = files::text(options.file.as_deref())?;
    let sealed = Token::seal(&text, &recipient, options.prefix.into())?;
    writeln!(out, "{sealed}")?;
    Ok(Answer::Yes)
}

pub fn open(options: &Open, out: &mut dyn Write) -> Result<Answer> {
    let key = files::image_key(&options.key)?;
    let sealed = files::text(options.file.as_deref())?;
    let token = match Token::parse(&sealed) {
        Ok(token) => token,
        Err(shape) => {
            note(&shape.to_string());
            return Ok(Answer::No);
        }
    };
    match token.open(&key) {
        Ok(text) => {
            files::write_result(out, options.output.as_deref(), text.expose().as_bytes())?;
            Ok(Answer::Yes)
        }
        Err(unopened) => {
            note(&unopened.to_string());
            Ok(Answer::No)
        }
    }
}

/// The image to seal to. A certificate that is over, or soon will be, is said: the image may be, too.
pub fn recipient(path: &Path) -> Result<Recipient> {
    let recipient =
        Recipient::parse(&files::small_text(path)?).with_context(|| path.display().to_string())?;
    let now = time::now();
    match recipient.not_after() {
        Some(end) if end < now => {
            note(&format!("{}: the certificate is over since {}", path.display(), time::date(end)));
        }
        Some(end) if end - now < SOON => {
            note(&format!("{}: the certificate ends on {}", path.display(), time::date(end)));
        }
        _ => {}
    }
    Ok(recipient)
}
