//! Whether the encryption certificate of an image may be sealed to: dates, issuers and revocation, as far as there are
//! certificates and lists to hold it against.
//!
//! The documented procedure checks the certificate itself by hand: its issuer's name and its issuer's signature. It has
//! to, because the certificate that issues it is one for signing code and not an authority's. So does this module; the
//! issuer's own issuers are then held to all rules of X.509, by OpenSSL. What is not given is not checked: the
//! uppermost certificate that was given is trusted, and the author has to know where it comes from.

use crate::certificate::{Certificate, seconds};
use crate::text_form;
use openssl::pkey::PKey;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{CrlStatus, X509, X509Crl, X509StoreContext};
use std::fmt;

/// The text is no certificate revocation list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a certificate revocation list in PEM or DER form")]
pub struct RevocationListError;

/// A list of certificates that their issuer took back.
pub struct RevocationList(X509Crl);

impl fmt::Debug for RevocationList {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("RevocationList")
    }
}

impl RevocationList {
    /// Reads a list: PEM, or DER as distribution points serve it.
    ///
    /// # Errors
    /// [`RevocationListError`] for anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, RevocationListError> {
        let pem = std::str::from_utf8(bytes).ok().and_then(text_form::pem);
        let list = match pem {
            Some(pem) => X509Crl::from_pem(pem.as_bytes()),
            None => X509Crl::from_der(bytes),
        };
        list.map(Self).map_err(|_| RevocationListError)
    }
}

/// Why an encryption certificate is not to be sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuanceFault {
    /// Its last day has passed.
    #[error("the encryption certificate has expired")]
    Over,
    /// Its first day is still to come.
    #[error("the encryption certificate has not begun")]
    NotBegun,
    /// None of the given certificates made it.
    #[error("the encryption certificate was not issued by any certificate of the chain that was given")]
    Issuer,
    /// The chain above it does not hold.
    #[error("the chain above the encryption certificate is broken or over")]
    Chain,
    /// A list of an authority that is not in the chain, or not signed by it.
    #[error("a revocation list is not from an issuer in the chain that was given")]
    ForeignList,
    /// A list that should have been replaced.
    #[error("a revocation list is over or has not begun")]
    StaleList,
    /// On a list.
    #[error("the encryption certificate, or one above it, was revoked")]
    Revoked,
}

/// Holds an encryption certificate against the time (seconds since 1970), the certificates above it in any order, and
/// revocation lists. With no chain and no lists only the dates are checked.
///
/// # Errors
/// The first [`IssuanceFault`].
pub fn check(
    certificate: &Certificate,
    chain: &[Certificate],
    lists: &[RevocationList],
    now: i64,
) -> Result<(), IssuanceFault> {
    let facts = certificate.facts();
    if now > facts.not_after {
        return Err(IssuanceFault::Over);
    }
    if now < facts.not_before {
        return Err(IssuanceFault::NotBegun);
    }
    if !chain.is_empty() {
        let issuer =
            chain.iter().find(|other| certificate.is_signed_by(other)).ok_or(IssuanceFault::Issuer)?;
        if !holds(issuer, chain, now).unwrap_or(false) {
            return Err(IssuanceFault::Chain);
        }
    }
    for list in lists {
        not_revoked(list, certificate, chain, now)?;
    }
    Ok(())
}

/// Whether OpenSSL finds a way from the issuer to the uppermost of the given certificates. `None` where it cannot look.
fn holds(issuer: &Certificate, chain: &[Certificate], now: i64) -> Option<bool> {
    let issued_here =
        |one: &Certificate| chain.iter().any(|other| other.x509() != one.x509() && one.is_signed_by(other));
    let mut trusted = X509StoreBuilder::new().ok()?;
    let mut between = Stack::new().ok()?;
    for certificate in chain {
        if issued_here(certificate) {
            between.push(certificate.x509().to_owned()).ok()?;
        } else {
            trusted.add_cert(certificate.x509().to_owned()).ok()?;
        }
    }
    let mut rules = X509VerifyParam::new().ok()?;
    rules.set_time(now);
    // The uppermost need not be a root.
    rules.set_flags(X509VerifyFlags::PARTIAL_CHAIN).ok()?;
    trusted.set_param(&rules).ok()?;
    let trusted: X509Store = trusted.build();
    let mut context = X509StoreContext::new().ok()?;
    context.init(&trusted, issuer.x509(), &between, |context| context.verify_cert()).ok()
}

fn not_revoked(
    list: &RevocationList,
    certificate: &Certificate,
    chain: &[Certificate],
    now: i64,
) -> Result<(), IssuanceFault> {
    let RevocationList(list) = list;
    let made_by = |issuer: &X509| {
        let named = list.issuer_name().try_cmp(issuer.subject_name()).is_ok_and(|order| order.is_eq());
        named && issuer.public_key().is_ok_and(|key: PKey<_>| list.verify(&key).unwrap_or(false))
    };
    if !chain.iter().any(|issuer| made_by(issuer.x509())) {
        return Err(IssuanceFault::ForeignList);
    }
    let begun = seconds(list.last_update()).is_some_and(|begin| begin <= now);
    let lasts = list.next_update().is_none_or(|end| seconds(end).is_some_and(|end| now <= end));
    if !begun || !lasts {
        return Err(IssuanceFault::StaleList);
    }
    let of_this_list = std::iter::once(certificate)
        .chain(chain)
        .filter(|one| list.issuer_name().try_cmp(one.x509().issuer_name()).is_ok_and(|order| order.is_eq()));
    for one in of_this_list {
        // "Remove from list" ends a suspension: it is not revoked any more.
        if let CrlStatus::Revoked(_) = list.get_by_cert(one.x509()) {
            return Err(IssuanceFault::Revoked);
        }
    }
    Ok(())
}
