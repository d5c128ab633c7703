//! Warnings about the dates of certificates, for which the author's desk has the time.
//!
//! The guest looks at them when it speaks to the log server; then it is late.

use countersign_contract::code::Code;
use countersign_contract::model::{Contract, Logging};
use countersign_contract::place::{Place, Pointer, SectionName};
use countersign_contract::refusal::Finding;
use countersign_crypto::signature::SigningKey;

/// How long before its end a certificate is worth a warning: 30 days, in seconds.
const SOON: i64 = 30 * 86_400;

/// Every certificate of the contract that is over, has not begun, or ends soon, at its field.
pub(super) fn warnings(contract: &Contract, now: i64) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut look = |place: Option<Place>, not_before: i64, not_after: i64| {
        if let (Some(place), Some(message)) = (place, message(not_before, not_after, now)) {
            found.push(Finding::with(Code::CertificateEnding, place, message));
        }
    };
    let env = Pointer::section(SectionName::Env);
    let syslog = env.child("logging").child("syslog");
    let router = env.child("countersign").child("log-router");
    let fields = match contract.logging() {
        Logging::Syslog(log) => [
            (syslog.child("server"), log.server().authorities()),
            (syslog.child("cert"), log.client_certificates()),
        ],
        Logging::LogRouter(log) => [
            (router.child("authorities"), log.server().authorities()),
            (router.child("iam-authorities"), log.iam().authorities()),
        ],
        Logging::LogDna(_) => [(syslog, &[][..]), (router, &[][..])],
    };
    for (field, certificates) in fields {
        for facts in certificates.iter().map(|certificate| certificate.facts()) {
            look(contract.place_of(&field), facts.not_before, facts.not_after);
        }
    }
    for authority in contract.registry_authorities() {
        for facts in authority.certificates().iter().map(|certificate| certificate.facts()) {
            look(Some(authority.place().clone()), facts.not_before, facts.not_after);
        }
    }
    // An expired certificate was refused before; this is about one that will expire.
    let signing = contract.signing_key().and_then(|key| SigningKey::parse(key).ok());
    if let Some((begin, end)) = signing.and_then(|key| Some((key.not_before()?, key.not_after()?)))
        && begin <= now
        && now <= end
    {
        look(contract.place_of(&env.child("signingKey")), begin, end);
    }
    found.dedup();
    found
}

fn message(not_before: i64, not_after: i64, now: i64) -> Option<&'static str> {
    if now > not_after {
        Some("the certificate has expired")
    } else if now < not_before {
        Some("the certificate has not begun")
    } else if not_after - now < SOON {
        Some("the certificate expires within 30 days")
    } else {
        None
    }
}
