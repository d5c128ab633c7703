//! The signing key: public key or certificate, PEM or base64 of it, with the white space that occurs in the wild.
//!
//! Beyond "returns": base64 of what parses parses to the same key, so does the text with CRLF line ends; nothing made
//! up verifies under it; a refusal shows nothing of the text. OpenSSL itself is not instrumented: the mutations start
//! from keys and certificates that the openssl program makes (`seeds`).
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_crypto::certificate::Certificate;
use countersign_crypto::signature::{SignatureError, SigningKey};
use countersign_fuzz::CANARY;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(certificates) = Certificate::parse_all(text) {
        assert!(!certificates.is_empty());
        for certificate in &certificates {
            let facts = certificate.facts();
            assert!(
                !facts.subject.chars().any(char::is_control) && !facts.issuer.chars().any(char::is_control)
            );
            assert_eq!(facts.sha256_fingerprint.len(), 64);
        }
    }
    let key = match SigningKey::parse(text) {
        Ok(key) => key,
        Err(error) => {
            let shown = error.to_string();
            assert!(shown.starts_with("expected") && !shown.contains(CANARY));
            return;
        }
    };
    let fingerprint = print_of(&key);
    let mut forms = vec![text.replace('\n', "\r\n"), format!("\n  {text}  \n")];
    // Base64 is taken off once.
    if text.contains("-----BEGIN ") {
        forms.push(STANDARD.encode(text));
    }
    for other in forms {
        let again = SigningKey::parse(&other).expect("another form of a key that was read");
        assert_eq!((print_of(&again), again.not_after()), (fingerprint.clone(), key.not_after()));
    }
    assert_eq!(key.verify("workload", "env", "AAAA"), Err(SignatureError::Mismatch));
    assert_eq!(key.verify("workload", "env", "*"), Err(SignatureError::NotBase64));
});

fn print_of(key: &SigningKey) -> String {
    let print = key.sha256_fingerprint().expect("memory");
    assert!(print.len() == 64 && print.bytes().all(|digit| digit.is_ascii_hexdigit()));
    print
}
