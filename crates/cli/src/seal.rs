//! `seal` and `open`: a section's text to a token and back.

use std::io::Write;

use anyhow::Result;
use clap::ValueEnum;
use countersign_crypto::sealed::{SealedToken, SectionName};
use countersign_crypto::section_token::SectionToken;
use countersign_crypto::token::{self, Recipient, Token, Unopened};

use crate::arguments::{Open, Prefix, Seal, Section};
use crate::{Answer, encryption, files, note, time};

impl From<Section> for SectionName {
    fn from(section: Section) -> SectionName {
        match section {
            Section::Workload => SectionName::Workload,
            Section::Env => SectionName::Env,
            Section::AttestationPublicKey => SectionName::AttestationPublicKey,
        }
    }
}

pub fn seal(options: &Seal, out: &mut dyn Write) -> Result<Answer> {
    let Some(recipient) = encryption::recipient(&options.cert, &options.issuance, time::now())? else {
        return Ok(Answer::No);
    };
    let text = files::text(options.file.as_deref())?;
    // Only a token v1 is bound to a section, and for that one the section was asked for.
    let section = options.section.map_or(SectionName::Env, SectionName::from);
    writeln!(out, "{}", token(&text, section, &recipient, options.prefix)?)?;
    Ok(Answer::Yes)
}

/// The token of a text.
pub fn token(text: &str, section: SectionName, recipient: &Recipient, prefix: Prefix) -> Result<String> {
    Ok(match prefix {
        Prefix::HyperProtectBasic => Token::seal(text, recipient, token::Prefix::HyperProtectBasic)?,
        Prefix::ContractBasic => Token::seal(text, recipient, token::Prefix::ContractBasic)?,
        Prefix::CountersignV1 => SealedToken::seal(text, section, recipient)?,
    })
}

pub fn open(options: &Open, out: &mut dyn Write) -> Result<Answer> {
    let key = files::image_key(&options.key)?;
    let sealed = files::token(options.file.as_deref())?;
    let token = match SectionToken::parse(&sealed) {
        Ok(token) => token,
        Err(shape) => {
            note(&shape.to_string());
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
