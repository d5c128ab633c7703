//! `sign`: adds the signature over both sections to a contract, and touches nothing else of it.
//!
//! The contract's text is edited, not written anew: comments, order and the strings of the sections stay as they
//! are. The result is read again, and is printed only if the guest's own check of the signature accepts it.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use countersign_contract::envelope::{Envelope, SectionTree};
use countersign_contract::refusal::Refusal;
use countersign_crypto::private_key::PrivateKey;
use countersign_crypto::signature::{self, SigningKey};
use zeroize::Zeroizing;

use crate::answer::{Answer, note};
use crate::arguments::Sign;
use crate::{files, signing_key};

/// The key of the signature at the contract's top level.
const FIELD: &str = "envWorkloadSignature";
/// Stands in the contract while the strings to sign are taken from it.
const PLACEHOLDER: &str = "AAAA";

pub(crate) fn run(options: &Sign, out: &mut dyn Write) -> Result<Answer> {
    if options.passphrase.passphrase_fd == Some(0) && options.contract == Path::new("-") {
        bail!("expected the contract or the passphrase on standard input, and not both");
    }
    let key = signing_key::read(&options.key, options.passphrase.passphrase_fd)?;
    let bytes = files::contract(&options.contract)?;
    match signed(&bytes, &key)? {
        Ok(contract) => {
            if Envelope::parse(&bytes).is_ok_and(|contract| contract.env().token().is_some()) {
                note("the section env is sealed: make sure that its signingKey is that of the key");
            }
            files::write_result(out, options.output.as_deref(), contract.as_bytes())?;
            Ok(Answer::Yes)
        }
        Err(reason) => {
            note(&format!("{}: {reason}", options.contract.display()));
            Ok(Answer::No)
        }
    }
}

/// The contract with its signature, or why it cannot be signed.
///
/// # Errors
/// Only what is not about the contract.
pub(crate) fn signed(bytes: &[u8], key: &PrivateKey) -> Result<Result<Zeroizing<String>, String>> {
    let refused = |refusal: &Refusal| format!("{} {refusal}; {}", refusal.code(), refusal.hint());
    if let Err(refusals) = Envelope::parse(bytes) {
        // An old signature of the wrong form goes anyway.
        if let Some(refusal) = refusals.iter().find(|refusal| !matches!(refusal, Refusal::SignatureForm(_))) {
            return Ok(Err(refused(refusal)));
        }
    }
    let text = std::str::from_utf8(bytes).context("expected text in UTF-8")?;
    let mut edited = without_signature(text);
    if !edited.is_empty() && !edited.ends_with('\n') {
        edited.push('\n');
    }
    let start = edited.len();
    edited.push_str(&format!("{FIELD}: {PLACEHOLDER}\n"));
    let draft = match Envelope::parse(edited.as_bytes()) {
        Ok(draft) => draft,
        Err(refusals) => {
            let reason = match refusals.as_slice() {
                [refusal @ Refusal::SignedMap(_), ..] => refused(refusal),
                _ => "expected a contract in block style, one key a line at the top level".into(),
            };
            return Ok(Err(reason));
        }
    };
    let Some((workload, env)) = draft.signed_strings() else {
        bail!("expected both sections as text or tokens");
    };
    if let Err(reason) = fits(&draft, key) {
        return Ok(Err(reason));
    }
    let signature = signature::sign(workload, env, key)?;
    edited.truncate(start);
    edited.push_str(&format!("{FIELD}: {signature}\n"));
    let whole = Envelope::parse(edited.as_bytes()).ok();
    let public = SigningKey::parse(&public_pem(key)?)?;
    let verified = whole.as_ref().and_then(|whole| {
        let (workload, env) = whole.signed_strings()?;
        public.verify(workload, env, whole.signature()?).ok()
    });
    if verified.is_none() {
        bail!("expected a contract whose text can be edited");
    }
    Ok(Ok(edited))
}

/// The public half, as PEM text.
pub(crate) fn public_pem(key: &PrivateKey) -> Result<String> {
    Ok(String::from_utf8(key.expose().public_key_to_pem()?)?)
}

/// Whether the env section, where it can be read, names this very key.
fn fits(draft: &Envelope, key: &PrivateKey) -> Result<(), String> {
    if draft.env().token().is_some() {
        return Ok(());
    }
    let tree = draft.env().tree(None).map_err(|refusal| format!("{} {refusal}", refusal.code()))?;
    names(&tree, key)
}

/// Whether an env section names this very key.
pub(crate) fn names(tree: &SectionTree, key: &PrivateKey) -> Result<(), String> {
    let place = tree.place_of("signingKey");
    let Some(named) = tree.signing_key().map_err(|refusal| format!("{} {refusal}", refusal.code()))? else {
        return Err(format!("{place}: expected the signing key's public key or certificate"));
    };
    let named = SigningKey::parse(named).map_err(|error| format!("{place}: {error}"))?;
    let own = public_pem(key).ok().and_then(|pem| SigningKey::parse(&pem).ok());
    let own = own.ok_or_else(|| "expected an RSA key of at least 2048 bits to sign with".to_owned())?;
    match (named.sha256_fingerprint(), own.sha256_fingerprint()) {
        (Ok(named), Ok(own)) if named == own => Ok(()),
        _ => Err(format!("{place}: expected the public key of the key that signs")),
    }
}

/// The text without the lines of an old signature: from its key to the line before the next that is not indented.
fn without_signature(text: &str) -> Zeroizing<String> {
    let mut kept = Zeroizing::new(String::with_capacity(text.len() + 1024));
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        let starts = !line.starts_with([' ', '\t', '\r', '\n']);
        if starts {
            inside = line.strip_prefix(FIELD).is_some_and(|rest| rest.trim_start().starts_with(':'));
        }
        if !inside {
            kept.push_str(line);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_signature_goes_with_all_its_lines() {
        for (text, expected) in [
            ("workload: a\nenv: b\n", "workload: a\nenv: b\n"),
            ("envWorkloadSignature: |\n  QUJD\n\n  REVG\nworkload: a\n", "workload: a\n"),
            ("workload: a\nenvWorkloadSignature : AAAA", "workload: a\n"),
            ("workload: |\n  envWorkloadSignature: x\n", "workload: |\n  envWorkloadSignature: x\n"),
        ] {
            assert_eq!(*without_signature(text), expected);
        }
    }
}
