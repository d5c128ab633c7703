//! Why the engine refused an image: its own words, read for the causes that people meet.
//!
//! The words are those of the library that podman 5.4.2 shares with skopeo (containers/image 5.34.2). They hold names of the
//! contract and go to the journal; what is told elsewhere is the cause alone. Words that are not known here are told as such.

use std::fmt;

/// A cause, with what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureCause {
    /// No signature was found for the image itself.
    Missing,
    /// None was found for the s390x image of an index.
    MissingForPlatform,
    /// A signature by another key, or over something else.
    OtherKey,
    /// The key has expired.
    KeyExpired,
    /// The key is revoked.
    KeyRevoked,
    /// The signature has expired.
    SignatureExpired,
    /// A signature for another name.
    OtherName,
    /// Nobody answers at the place of the signatures, or there is an error of the server's.
    Unreachable,
    /// Something else than a signature.
    Unreadable,
    /// The engine does not say why.
    Refused,
}

impl fmt::Display for SignatureCause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, advice) = match self {
            SignatureCause::Missing => (
                "found none",
                "cosign 3 and newer sign in a form that the engine does not see (sign with --new-bundle-format=false), and \
                 a simple signature has to lie where the registry serves it or where lookaside says",
            ),
            SignatureCause::MissingForPlatform => (
                "found none for the s390x image",
                "a signature of the index is not enough: sign with cosign sign --recursive, or the s390x image by its digest; \
                 cosign 3 and newer need --new-bundle-format=false",
            ),
            SignatureCause::OtherKey => (
                "found one that the key of the contract did not make",
                "compare the fingerprints of both keys (countersign check prints that of the contract)",
            ),
            SignatureCause::KeyExpired => {
                ("found one by a key that has expired", "extend the key or take another one, and sign again")
            }
            SignatureCause::KeyRevoked => (
                "found one by a key that is revoked",
                "sign with another key, and give that one in the contract",
            ),
            SignatureCause::SignatureExpired => ("found one that has expired", "sign the image again"),
            SignatureCause::OtherName => (
                "found one for another name",
                "sign the image under the name that the workload uses, or say with signed-as under which it was signed",
            ),
            SignatureCause::Unreachable => (
                "found no answer where it should lie",
                "look at the server that lookaside names, its certificate and the way there",
            ),
            SignatureCause::Unreadable => (
                "found something else in its place",
                "look at what the address of the signature answers with",
            ),
            SignatureCause::Refused => {
                ("found none that it accepts", "the container engine's own words are in the log")
            }
        };
        write!(out, "expected a signature by the rule of the contract, {found}: {advice}")
    }
}

/// The cause in one line of the engine; none where it does not speak of a signature.
pub fn signature_cause(line: &str) -> Option<SignatureCause> {
    let rejected = line.contains("Source image rejected: ");
    if !rejected {
        return line.contains("is rejected by policy").then_some(SignatureCause::Refused);
    }
    let says = |words: &str| line.contains(words);
    Some(if says("Signature for identity ") {
        SignatureCause::OtherName
    } else if let Some(gpg) = line.split_once("Invalid GPG signature: ").map(|(_, gpg)| gpg) {
        of_gpg(gpg)
    } else if says("cryptographic signature verification failed") {
        SignatureCause::OtherKey
    } else if says("A signature was required, but no signature exists") {
        let of_index = says("copying system image from manifest list");
        if of_index { SignatureCause::MissingForPlatform } else { SignatureCause::Missing }
    } else if says("Source image rejected: Get ") || says("reading signature from ") {
        SignatureCause::Unreachable
    } else if says("is rejected by policy") {
        SignatureCause::Refused
    } else {
        SignatureCause::Unreadable
    })
}

/// By the summary that GPGME gives (gpgme_sigsum_t).
fn of_gpg(words: &str) -> SignatureCause {
    let summary = words.split_once("Summary:").map(|(_, rest)| rest);
    let digits = summary.and_then(|rest| rest.split(|letter: char| !letter.is_ascii_digit()).next());
    match digits.and_then(|digits| digits.parse::<u32>().ok()) {
        Some(bits) if bits & 0x10 != 0 => SignatureCause::KeyRevoked,
        Some(bits) if bits & 0x20 != 0 => SignatureCause::KeyExpired,
        Some(bits) if bits & 0x40 != 0 => SignatureCause::SignatureExpired,
        Some(bits) if bits & (0x80 | 0x04) != 0 => SignatureCause::OtherKey,
        _ => SignatureCause::Unreadable,
    }
}
