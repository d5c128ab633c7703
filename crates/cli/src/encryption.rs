//! The encryption certificate of an image, looked at before something is sealed to it, and by `check --cert`.
//!
//! The guest cannot do this: a contract for a revoked image opens in that image. An expired certificate is refused;
//! who has to seal to such an image gives its bare public key, which has no dates and nothing to check.

use std::path::Path;

use anyhow::{Context, Result, bail};
use countersign_contract::code::{Code, Severity};
use countersign_contract::place::{Place, Pointer, Text};
use countersign_contract::refusal::Finding;
use countersign_crypto::certificate::Certificate;
use countersign_crypto::issuance::{self, IssuanceFault, RevocationList};
use countersign_crypto::token::Recipient;

use crate::answer::note;
use crate::arguments::Issuance;
use crate::files;

/// How long before its end an encryption certificate is worth a warning: 30 days, in seconds.
const SOON: i64 = 30 * 86_400;

/// What is to be said about the certificate, if anything is: a refusal or a warning.
///
/// # Errors
/// Files that cannot be read.
pub(crate) fn finding(cert: &Path, given: &Issuance, now: i64) -> Result<Option<Finding>> {
    let text = files::small_text(cert)?;
    let recipient = Recipient::parse(&text).with_context(|| cert.display().to_string())?;
    if recipient.not_after().is_none() {
        if !given.chain.is_empty() {
            bail!("{}: expected a certificate, to hold the chain against", cert.display());
        }
        return Ok(None);
    }
    // Of several certificates in the file the first is the one that is sealed to.
    let certificates = Certificate::parse_all(&text).with_context(|| cert.display().to_string())?;
    let Some(certificate) = certificates.first() else { return Ok(None) };
    let mut chain = Vec::new();
    for path in &given.chain {
        let text = files::small_text(path)?;
        chain.extend(Certificate::parse_all(&text).with_context(|| path.display().to_string())?);
    }
    let mut lists = Vec::new();
    for path in &given.crl {
        lists.push(RevocationList::parse(&files::small(path)?).with_context(|| path.display().to_string())?);
    }
    Ok(match issuance::check(certificate, &chain, &lists, now) {
        Err(fault) => Some(about(code(fault), fault.to_string())),
        Ok(()) if certificate.facts().not_after - now < SOON => {
            let message = "the encryption certificate ends within 30 days";
            Some(about(Code::ImageCertificateEnding, message.to_owned()))
        }
        Ok(()) => None,
    })
}

/// The image to seal to; `None` if it must not be sealed to, and that has been said.
///
/// # Errors
/// Files that cannot be read.
pub(crate) fn recipient(cert: &Path, given: &Issuance, now: i64) -> Result<Option<Recipient>> {
    if let Some(finding) = finding(cert, given, now)? {
        let hint = finding.hint.as_deref().unwrap_or_default();
        note(&format!("{}: {} {}; {hint}", cert.display(), finding.code, finding.message));
        if finding.severity == Severity::Error {
            return Ok(None);
        }
    }
    Recipient::parse(&files::small_text(cert)?).map(Some).with_context(|| cert.display().to_string())
}

fn code(fault: IssuanceFault) -> Code {
    match fault {
        IssuanceFault::Over | IssuanceFault::NotBegun => Code::EncryptionCertificateDates,
        IssuanceFault::Revoked => Code::EncryptionCertificateRevoked,
        IssuanceFault::ForeignList | IssuanceFault::StaleList => Code::RevocationListUnusable,
        _ => Code::EncryptionCertificateChain,
    }
}

fn about(code: Code, message: String) -> Finding {
    let place = Place { text: Text::Contract, pointer: Pointer::root(), mark: None };
    Finding::with(code, place, message)
}
