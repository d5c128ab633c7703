//! An auditor: a contract that names one, and what the documented commands make of a token for the auditor.

use std::process::Command;

use super::contract::Contract;
use super::keys::{keys, party, run};

/// The good contract with an auditor, whose key stands there as this text.
pub(crate) fn with_auditor(key: &str) -> Contract {
    let line = format!("attestationPublicKey: {key}\nenvWorkload");
    Contract { altered: vec![("envWorkload".into(), line)], ..Contract::good() }
}

/// A PEM text, sealed as somebody's section is.
pub(crate) fn sealed_key(maker: &[&str], name: &str) -> String {
    run(party(maker[0]).args(&maker[1..]).arg(keys().path(name)).arg(keys().path("image.crt")))
}

/// What the documented commands read from a token.
pub(crate) fn opened_by_openssl(token: &str) -> String {
    let script = "umask 077; cd \"$(mktemp -d)\"; \
        printf %s \"$1\" | cut -d. -f2 | base64 -d > wrapped; printf %s \"$1\" | cut -d. -f3 | base64 -d > body; \
        passphrase=$(openssl pkeyutl -decrypt -inkey \"$2\" -in wrapped); \
        printf %s \"$passphrase\" | openssl enc -d -aes-256-cbc -pbkdf2 -pass stdin -in body; rm -r \"$PWD\"";
    run(Command::new("sh").args(["-c", script, "sh", token]).arg(keys().path("auditor.key")))
}
