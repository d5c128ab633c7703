//! `seal` and `open`: a section's text to a token and back.

use std::io::Write;

use anyhow::{Result, bail};
use clap::ValueEnum;
use countersign_crypto::sealed::{SealedToken, SectionName};
use countersign_crypto::section_token::SectionToken;
use countersign_crypto::token::{Prefix, Recipient, Token, Unopened};

use crate::answer::{Answer, note};
use crate::arguments::{Guest, Open, Seal, Section};
use crate::{encryption, files, time};

impl From<Section> for SectionName {
    fn from(section: Section) -> SectionName {
        match section {
            Section::Workload => SectionName::Workload,
            Section::Env => SectionName::Env,
            Section::AttestationPublicKey => SectionName::AttestationPublicKey,
        }
    }
}

/// What an old token does not do, said to whoever asks for one.
const UNPROTECTED: &str = "--for hpcr makes old tokens: whoever has one can alter its text, or put it beside another \
     section, and neither is noticed without a signature; a policy or signingKey in it is not kept by it";

pub(crate) fn seal(options: &Seal, out: &mut dyn Write) -> Result<Answer> {
    let section = match (options.section, options.guest) {
        (Some(section), _) => SectionName::from(section),
        // An old token opens wherever it stands.
        (None, Guest::Hpcr) => SectionName::Env,
        (None, Guest::Countersign) => {
            bail!(
                "expected --section: a token countersign-v1 is bound to where it stands (--for hpcr is not)"
            )
        }
    };
    let Some(recipient) = encryption::recipient(&options.cert, &options.issuance, time::now())? else {
        return Ok(Answer::No);
    };
    let text = files::text(options.file.as_deref())?;
    note_form(options.guest);
    writeln!(out, "{}", token(&text, section, &recipient, options.guest)?)?;
    Ok(Answer::Yes)
}

/// Says what the tokens do not protect, if they do not.
pub(crate) fn note_form(guest: Guest) {
    if guest == Guest::Hpcr {
        note(UNPROTECTED);
    }
}

/// The token of a text.
pub(crate) fn token(text: &str, section: SectionName, recipient: &Recipient, guest: Guest) -> Result<String> {
    Ok(match guest {
        Guest::Countersign => SealedToken::seal(text, section, recipient)?,
        Guest::Hpcr => Token::seal(text, recipient, Prefix::HyperProtectBasic)?,
    })
}

pub(crate) fn open(options: &Open, out: &mut dyn Write) -> Result<Answer> {
    let key = files::image_key(&options.key)?;
    let sealed = files::token(options.file.as_deref())?;
    let token = match SectionToken::parse(&sealed) {
        Ok(token) => token,
        Err(shape) => {
            note(&format!("{shape}; {}", shape.advice()));
            return Ok(Answer::No);
        }
    };
    let sections = match options.section {
        Some(section) => vec![section],
        // An old token opens wherever it stands.
        None if !token.is_authenticated() => vec![Section::Env],
        None => Section::value_variants().to_vec(),
    };
    for section in sections {
        if let Ok(text) = token.open(section.into(), &key) {
            if token.is_authenticated() && options.section.is_none() {
                note(&format!("the token is for {}", SectionName::from(section).as_str()));
            }
            files::write_result(out, options.output.as_deref(), text.expose().as_bytes())?;
            return Ok(Answer::Yes);
        }
    }
    note(&Unopened.to_string());
    Ok(Answer::No)
}
