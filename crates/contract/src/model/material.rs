//! Certificates and private keys in fields: read once, so that a contract with an unusable one is refused at
//! the field that holds it.
//!
//! Says nothing about dates, names and chains; that needs the time, and the place where a certificate is used.

use countersign_crypto::certificate::Certificate;
use countersign_crypto::private_key::PrivateKey;

use super::read::Reader;
use crate::refusal::Refusal;

/// The certificates in a field, at least one; `None` after a refusal.
pub(super) fn certificates(field: &Reader<'_>, refusals: &mut Vec<Refusal>) -> Option<Vec<Certificate>> {
    let parsed = field.as_text().and_then(|text| Certificate::parse_all(text).ok());
    if parsed.is_none() {
        refusals.push(Refusal::NotACertificate(field.place()));
    }
    parsed
}

/// The private key in a field; `None` after a refusal.
pub(super) fn private_key(field: &Reader<'_>, refusals: &mut Vec<Refusal>) -> Option<PrivateKey> {
    let parsed = field.as_text().and_then(|text| PrivateKey::parse(text).ok());
    if parsed.is_none() {
        refusals.push(Refusal::NotAPrivateKey(field.place()));
    }
    parsed
}
