//! What ends one day and should be known before: the certificates that a contract and an image hold.

use countersign_contract::code::Code;
use countersign_contract::model::{Contract, Logging};
use countersign_crypto::certificate::Certificate;

use super::{Expiry, Subject};
use crate::dates;
use crate::guest_os::image::ImageManifest;

/// The certificates of the log connection and of the image; of several the first to expire.
pub fn expiries(contract: &Contract, manifest: &ImageManifest) -> Vec<Expiry> {
    let mut expiries = Vec::new();
    match contract.logging() {
        Logging::Syslog(syslog) => {
            expiries.extend(first(Subject::LogClient, syslog.client_certificates()));
            expiries.extend(first(Subject::LogAuthority, syslog.server().authorities()));
        }
        // The public ones are the image's, and as old as that.
        Logging::LogRouter(router) => {
            let authorities = router.server().authorities().iter().chain(router.iam().authorities());
            expiries.extend(first(Subject::LogAuthority, authorities));
        }
        Logging::LogDna(_) => {}
    }
    let subject = Subject::Image;
    expiries.extend(manifest.certificate_not_after.map(|not_after| Expiry {
        subject,
        fingerprint: String::new(),
        not_after,
    }));
    expiries
}

fn first<'c>(subject: Subject, certificates: impl IntoIterator<Item = &'c Certificate>) -> Option<Expiry> {
    let facts = certificates.into_iter().map(Certificate::facts).min_by_key(|facts| facts.not_after)?;
    Some(Expiry { subject, fingerprint: facts.sha256_fingerprint.clone(), not_after: facts.not_after })
}

impl Expiry {
    /// What is said when a notice is due: code and sentence.
    pub fn notice(&self, now: i64) -> (Code, String) {
        let ended = now > self.not_after;
        let code = match (self.subject, ended) {
            (Subject::Contract, false) => Code::ContractEnding,
            (Subject::Contract, true) => Code::ContractEnded,
            (Subject::LogClient | Subject::LogAuthority, false) => Code::LogCertificateEnding,
            (Subject::LogClient | Subject::LogAuthority, true) => Code::LogCertificateEnded,
            (Subject::Image, false) => Code::ImageCertificateEnding,
            (Subject::Image, true) => Code::ImageCertificateEnded,
        };
        let what = match self.subject {
            Subject::Contract => "the contract, signed by ",
            Subject::LogClient => "the client certificate for the log server, ",
            Subject::LogAuthority => "the authority of the log server, ",
            Subject::Image => "the encryption certificate of this image",
        };
        let verb = if ended { "ended" } else { "ends" };
        let end = dates::timestamp(self.not_after);
        (code, format!("{what}{}, {verb} at {end}", self.fingerprint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_what_ends_when_and_changes_its_code_at_the_end() {
        let expiry = |subject| Expiry { subject, fingerprint: "00ff".into(), not_after: 951_782_399 };
        for (subject, ending, ended) in [
            (Subject::Contract, "HPL12110W", "HPL12111W"),
            (Subject::LogClient, "HPL01120W", "HPL01121W"),
            (Subject::LogAuthority, "HPL01120W", "HPL01121W"),
            (Subject::Image, "HPL12011W", "HPL12013W"),
        ] {
            let (code, text) = expiry(subject).notice(951_782_399);
            assert_eq!(code.as_str(), ending);
            assert!(text.ends_with("00ff, ends at 2000-02-28T23:59:59Z"), "{text}");
            let (code, text) = expiry(subject).notice(951_782_400);
            assert_eq!(code.as_str(), ended);
            assert!(text.ends_with("00ff, ended at 2000-02-28T23:59:59Z"), "{text}");
        }
    }
}
