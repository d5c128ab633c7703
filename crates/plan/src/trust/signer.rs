//! Who signed the contract: the decision of the stage `verify`, for the guest and for the author's desk.
//!
//! | signature | signing key | result |
//! |---|---|---|
//! | no | either | refused with `HPL12109E` where anything is sealed, unless the image accepts that ([`admit`]) |
//! | no | no | [`Signer::Nobody`], refused with `HPL12102E` where the image takes signed contracts only |
//! | yes | no | refused, `HPL12004E` |
//! | no | yes | refused, `HPL12004E` |
//! | yes | public key | verified, else `HPL12001E` |
//! | yes | certificate | the same, then its dates, which are those of the contract, else `HPL12103E` |
//!
//! The key stands in the contract itself: a signature proves that one hand put both sections together, not whose. That
//! there is none permits nothing where something is sealed: an old token can be altered by whoever has it, and any token
//! can be put beside somebody else's section, so sealed needs signed.
//!
//! Nothing is said and nothing is opened here; the time is an argument.

use countersign_contract::code::Code;
use countersign_contract::envelope::{Envelope, SectionTree};
use countersign_contract::model::Policy;
use countersign_contract::place::Place;
use countersign_contract::refusal::Finding;
use countersign_crypto::LibraryError;
use countersign_crypto::signature::SigningKey;

use crate::guest_os::image::Unsigned;

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// Nobody.
    Nobody,
    /// The key with this SHA-256 fingerprint.
    Key(String),
}

impl Signer {
    /// The fingerprint of the key.
    pub fn fingerprint(&self) -> Option<&str> {
        match self {
            Signer::Nobody => None,
            Signer::Key(fingerprint) => Some(fingerprint),
        }
    }

    /// What the sections' own policy has against a contract that was signed like this.
    pub fn breach(&self, policy: &Policy) -> Option<Finding> {
        policy.signer_breach(self.fingerprint())
    }
}

/// Why the contract is refused, or why nothing could be decided.
#[derive(Debug)]
pub enum SignerRefusal {
    /// The contract; whatever `env` holds may have been altered.
    Contract(Finding),
    /// The contract, whose signature fits: its dates.
    Dates(Finding),
    /// OpenSSL.
    Library(LibraryError),
}

/// Whether a contract may be looked into at all: one with anything sealed needs a signature, whatever it holds.
///
/// ```
/// use countersign_contract::envelope::Envelope;
/// use countersign_plan::guest_os::image::Unsigned;
/// use countersign_plan::trust::signer::admit;
///
/// let plain = Envelope::parse(b"workload: |\n  type: workload\nenv: |\n  type: env\n").unwrap();
/// assert!(admit(&plain, Unsigned::Plain).is_ok());
/// ```
///
/// # Errors
/// `HPL12109E`, where the signature should stand.
pub fn admit(envelope: &Envelope, rule: Unsigned) -> Result<(), Finding> {
    if envelope.signature().is_some() || !envelope.is_sealed() || rule == Unsigned::Accept {
        return Ok(());
    }
    Err(unsigned_sealed(Envelope::signature_place()))
}

/// The refusal of a contract with something sealed and no signature.
pub fn unsigned_sealed(place: Place) -> Finding {
    let code = Code::SealedUnsigned;
    let message = "expected a signature, because a section is sealed";
    Finding::with(code, place, message)
}

/// Decides who signed. `now` is in seconds since 1970; `rule` is the image's own.
///
/// # Errors
/// Those of [`admit`]; `HPL05001E` where the signing key is no text, `HPL12001E`, `HPL12004E`, `HPL12101E`, `HPL12102E`,
/// `HPL12103E`.
pub fn decide(
    envelope: &Envelope,
    env: &SectionTree,
    now: i64,
    rule: Unsigned,
) -> Result<Signer, SignerRefusal> {
    admit(envelope, rule).map_err(SignerRefusal::Contract)?;
    let key = env.signing_key().map_err(|refusal| SignerRefusal::Contract(Finding::from(&refusal)))?;
    let place = env.place_of("signingKey");
    let (signature, key) = match (envelope.signature(), key) {
        (None, None) if rule == Unsigned::Refuse => {
            return Err(refused(Code::UnsignedRefused, place, Code::UnsignedRefused.text()));
        }
        (None, None) => return Ok(Signer::Nobody),
        (Some(signature), Some(key)) => (signature, key),
        _ => return Err(refused(Code::SignatureIncomplete, place, Code::SignatureIncomplete.text())),
    };
    let key = read(key, &place)?;
    let Some((workload, env)) = envelope.signed_strings() else {
        // The envelope refuses a signature over maps, so there are always strings here.
        return Err(refused(Code::SignatureInvalid, place, "expected both sections as text"));
    };
    key.verify(workload, env, signature)
        .map_err(|error| refused(Code::SignatureInvalid, place.clone(), error))?;
    // After the signature: until it fits, nobody need have written these dates.
    in_its_dates(&key, &place, now)?;
    key.sha256_fingerprint().map(Signer::Key).map_err(SignerRefusal::Library)
}

/// When the contract ends, seconds since 1970; none where its signing key is no certificate.
pub fn not_after(env: &SectionTree) -> Option<i64> {
    SigningKey::parse(env.signing_key().ok()??).ok()?.not_after()
}

/// The signing key that stands at `place`, if it may be used at this time.
///
/// # Errors
/// `HPL12101E` where the text is no such key, `HPL12103E` where its certificate has expired or is not yet valid.
pub fn usable(key: &str, place: &Place, now: i64) -> Result<SigningKey, SignerRefusal> {
    let key = read(key, place)?;
    in_its_dates(&key, place, now)?;
    Ok(key)
}

fn read(key: &str, place: &Place) -> Result<SigningKey, SignerRefusal> {
    SigningKey::parse(key).map_err(|error| refused(Code::SigningKeyForm, place.clone(), error))
}

fn in_its_dates(key: &SigningKey, place: &Place, now: i64) -> Result<(), SignerRefusal> {
    let ended = key.not_after().is_some_and(|end| now > end);
    let not_begun = key.not_before().is_some_and(|begin| now < begin);
    if !ended && !not_begun {
        return Ok(());
    }
    let code = Code::ContractExpired;
    let message = "expected a signing certificate that is valid now";
    Err(SignerRefusal::Dates(Finding::with(code, place.clone(), message)))
}

fn refused(code: Code, place: Place, message: impl ToString) -> SignerRefusal {
    SignerRefusal::Contract(Finding::with(code, place, message.to_string()))
}
