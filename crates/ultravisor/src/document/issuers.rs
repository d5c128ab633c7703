//! Who vouches for host key documents: the signing service, the authorities above it, their revocation lists.

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{CrlStatus, X509, X509Crl, X509NameRef, X509PurposeId, X509Ref, X509StoreContext};

use super::{Certificate, DocumentFault, HostKey, HostKeyDocument, IssuersFault, Level, RevocationList};
use crate::exchange::PublicKey;

/// Certificates above the signing service's, the root included.
const DEPTH: i32 = 2;
/// OpenSSL's security level: at least 112 bits.
const SECURITY_LEVEL: i32 = 2;
/// The weakest digest under a document's signature, in bits of the digest.
const LEAST_DIGEST: usize = 32;
/// DER of the object identifier 2.5.29.27, `deltaCRLIndicator` (RFC 5280 section 5.2.4).
const DELTA: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x1b];

/// The checked chain, and the lists by which documents are checked.
pub struct Issuers {
    signing: X509,
    lists: Vec<X509Crl>,
    now: i64,
}

impl std::fmt::Debug for Issuers {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Issuers").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Issuers {
    /// Checks the chain: one signing service among `certificates`, the way from there to one of `roots`, and for every
    /// certificate below the root a valid list of its issuer on which it does not stand. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// The first [`IssuersFault`].
    pub fn new(
        roots: &[Certificate],
        certificates: &[Certificate],
        lists: Vec<RevocationList>,
        now: i64,
    ) -> Result<Self, IssuersFault> {
        let (services, between): (Vec<_>, Vec<_>) =
            certificates.iter().map(|one| &one.0).partition(|one| is_signing_service(one));
        let signing = match services.as_slice() {
            [] => return Err(IssuersFault::NoSigningService),
            [one] => *one,
            several => return Err(IssuersFault::SeveralSigningServices(several.len())),
        };
        let lists: Vec<X509Crl> = lists.into_iter().map(|list| list.0).collect();
        for list in &lists {
            let encoded = list.to_der().unwrap_or_default();
            if encoded.is_empty() || encoded.windows(DELTA.len()).any(|place| place == DELTA) {
                return Err(IssuersFault::DeltaList);
            }
        }
        let chain = chain(signing, &between, roots, now)?;
        if chain.len() < 2 {
            return Err(IssuersFault::TooShort);
        }
        for (place, pair) in chain.windows(2).enumerate() {
            let level = if place == 0 { Level::Signing } else { Level::Intermediate };
            let (certificate, issuer) = (&pair[0], &pair[1]);
            let own: Vec<&X509Crl> = lists
                .iter()
                .filter(|list| {
                    same_name(list.issuer_name(), issuer.subject_name()) && holds(list, issuer, now)
                })
                .collect();
            if own.is_empty() {
                return Err(IssuersFault::NoList(level));
            }
            // "Removed from the list" ends a suspension; whoever is careful waits for the next list.
            if own.iter().any(|list| !matches!(list.get_by_cert(certificate), CrlStatus::NotRevoked)) {
                return Err(IssuersFault::Revoked(level));
            }
        }
        Ok(Self { signing: signing.to_owned(), lists, now })
    }

    /// Checks a document: made by the signing service, valid now, on none of its lists. The issuer's name in the document
    /// is not compared, as IBM's verifier does not.
    ///
    /// # Errors
    /// The first [`DocumentFault`].
    pub fn check(&self, document: &HostKeyDocument) -> Result<HostKey, DocumentFault> {
        let document = &document.0;
        let service = self.signing.public_key().map_err(|_| DocumentFault::Foreign)?;
        let key = document.public_key().ok().and_then(|key| PublicKey::new(&key));
        let key = key.ok_or(DocumentFault::NotAHostKey)?;
        if !document.verify(&service).unwrap_or(false) {
            return Err(DocumentFault::Foreign);
        }
        if let (Some(named), Some(own)) = (document.authority_key_id(), self.signing.subject_key_id())
            && named.as_slice() != own.as_slice()
        {
            return Err(DocumentFault::OtherIssuer);
        }
        let digest =
            document.signature_algorithm().object().nid().signature_algorithms().map(|both| both.digest);
        if digest.and_then(MessageDigest::from_nid).is_none_or(|digest| digest.size() < LEAST_DIGEST) {
            return Err(DocumentFault::Weak);
        }
        if seconds(document.not_before()).is_none_or(|begin| self.now < begin) {
            return Err(DocumentFault::NotBegun);
        }
        let not_after = seconds(document.not_after()).filter(|end| self.now <= *end);
        let not_after = not_after.ok_or(DocumentFault::Expired)?;
        // By the signature alone: in practice the name of a list's issuer is spelled in more than one way.
        let own: Vec<&X509Crl> =
            self.lists.iter().filter(|list| holds(list, &self.signing, self.now)).collect();
        if own.is_empty() {
            return Err(DocumentFault::NoList);
        }
        if own
            .iter()
            .any(|list| !matches!(list.get_by_serial(document.serial_number()), CrlStatus::NotRevoked))
        {
            return Err(DocumentFault::Revoked);
        }
        Ok(HostKey { key, not_after })
    }
}

/// The chain that OpenSSL finds, from the signing service to the root, by the rules of IBM's verifier.
fn chain(
    signing: &X509,
    between: &[&X509],
    roots: &[Certificate],
    now: i64,
) -> Result<Vec<X509>, IssuersFault> {
    let broken = |_| IssuersFault::Chain("OpenSSL cannot look".to_owned());
    let mut trusted = X509StoreBuilder::new().map_err(broken)?;
    for root in roots {
        trusted.add_cert(root.0.clone()).map_err(broken)?;
    }
    let mut rules = X509VerifyParam::new().map_err(broken)?;
    rules.set_time(now);
    rules.set_depth(DEPTH);
    rules.set_auth_level(SECURITY_LEVEL);
    rules.set_purpose(X509PurposeId::ANY).map_err(broken)?;
    let strict = X509VerifyFlags::X509_STRICT
        | X509VerifyFlags::TRUSTED_FIRST
        | X509VerifyFlags::CHECK_SS_SIGNATURE
        | X509VerifyFlags::POLICY_CHECK;
    rules.set_flags(strict).map_err(broken)?;
    trusted.set_param(&rules).map_err(broken)?;
    let mut untrusted = Stack::new().map_err(broken)?;
    for one in between {
        untrusted.push((*one).to_owned()).map_err(broken)?;
    }
    let (trusted, mut found) = (trusted.build(), Vec::new());
    let mut context = X509StoreContext::new().map_err(broken)?;
    let valid = context
        .init(&trusted, signing, &untrusted, |context| {
            let valid = context.verify_cert()?;
            found = context
                .chain()
                .map(|chain| chain.iter().map(ToOwned::to_owned).collect())
                .unwrap_or_default();
            Ok(valid)
        })
        .map_err(broken)?;
    if valid { Ok(found) } else { Err(IssuersFault::Chain(context.error().error_string().to_owned())) }
}

/// Whether this issuer made the list, and it is the current one: it has begun and states an end that has not passed.
fn holds(list: &X509Crl, issuer: &X509Ref, now: i64) -> bool {
    let begun = seconds(list.last_update()).is_some_and(|begin| begin <= now);
    let lasts = list.next_update().and_then(seconds).is_some_and(|end| now <= end);
    begun && lasts && issuer.public_key().is_ok_and(|key| list.verify(&key).unwrap_or(false))
}

/// Whether the subject is that of IBM's key signing service, as IBM's verifier asks: exactly these six entries.
fn is_signing_service(certificate: &X509Ref) -> bool {
    const COMPANY: &str = "International Business Machines Corporation";
    let name = certificate.subject_name();
    let is = |nid: Nid, accepted: &dyn Fn(&str) -> bool| {
        let mut entries = name.entries_by_nid(nid);
        let first = entries.next().and_then(|entry| entry.data().to_string().ok());
        entries.next().is_none() && first.is_some_and(|text| accepted(&text))
    };
    name.entries().count() == 6
        && is(Nid::COUNTRYNAME, &|text| text == "US")
        && is(Nid::STATEORPROVINCENAME, &|text| text == "New York")
        && is(Nid::LOCALITYNAME, &|text| text == "Poughkeepsie" || text == "Armonk")
        && is(Nid::ORGANIZATIONNAME, &|text| text == COMPANY)
        && is(Nid::COMMONNAME, &|text| text == COMPANY)
        && is(Nid::ORGANIZATIONALUNITNAME, &|text| text.ends_with("Key Signing Service"))
}

fn same_name(one: &X509NameRef, other: &X509NameRef) -> bool {
    one.try_cmp(other).is_ok_and(|order| order.is_eq())
}

/// A time of a certificate in seconds since 1970. `None` for one that OpenSSL cannot read.
fn seconds(time: &Asn1TimeRef) -> Option<i64> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Some(i64::from(since.days) * 86_400 + i64::from(since.secs))
}
