//! `pack`: one contract from a folder of plain files, sealed and signed.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_contract::code::Code;
use countersign_contract::envelope::SectionTree;
use countersign_contract::place::SectionName;
use countersign_contract::yaml::MAX_BYTES;
use countersign_crypto::sealed;
use countersign_plan::dates::timestamp;
use countersign_plan::trust::auditor::Auditor;
use countersign_plan::trust::signer;
use zeroize::Zeroizing;

use crate::answer::{Answer, note};
use crate::arguments::Pack;
use crate::folder::Folder;
use crate::{check, encryption, files, seal, sign, signing_key, time};

pub(crate) fn run(options: &Pack, out: &mut dyn Write) -> Result<Answer> {
    let certificate = options.signing_cert.as_deref().map(files::small_text).transpose()?;
    let folder = Folder::read_with(&options.folder, certificate.as_ref().map(|text| text.as_str()))?;
    let name = options.folder.display().to_string();
    let sealed = options.cert.is_some();
    if let Some(answer) = check::refuse_draft(&folder, sealed, time::now(), &name, &mut std::io::stderr())? {
        return Ok(answer);
    }
    let env = SectionTree::unsealed(SectionName::Env, folder.env())?;
    let named = env.signing_key()?.is_some();
    let passphrase = options.passphrase.passphrase_fd;
    let key = options.key.as_deref().map(|path| signing_key::read(path, passphrase)).transpose()?;
    if named != key.is_some() {
        note(if named {
            "env.yaml names a signingKey: expected --key, the key to sign with"
        } else {
            "expected signingKey in env.yaml: the public key or certificate of --key"
        });
        return Ok(Answer::No);
    }
    // At its line of env.yaml, which the contract does not have.
    if let Some(Err(reason)) = key.as_ref().map(|key| sign::names(&env, key)) {
        note(&reason);
        return Ok(Answer::No);
    }
    // The plain contract is signed first, so that a key which is not the named one is noticed before it is sealed in.
    let plain = plain(&folder)?;
    if let Some(key) = &key
        && let Err(reason) = sign::signed(plain.as_bytes(), key)?
    {
        note(&reason);
        return Ok(Answer::No);
    }
    let auditor = options.auditor.as_deref().map(auditor).transpose()?;
    let mut contract = match &options.cert {
        None => {
            let mut contract = plain;
            if let Some(auditor) = &auditor {
                writeln!(contract, "{AUDITOR}: {}", STANDARD.encode(auditor.as_bytes()))?;
            }
            contract
        }
        Some(cert) => {
            let Some(recipient) = encryption::recipient(cert, &options.issuance, time::now())? else {
                return Ok(Answer::No);
            };
            seal::note_form(options.guest);
            let token = |text: &str, section| seal::token(text, section, &recipient, options.guest);
            let workload = token(folder.workload().expose(), sealed::SectionName::Workload)?;
            let env = token(folder.env().expose(), sealed::SectionName::Env)?;
            let mut contract = Zeroizing::new(format!("workload: {workload}\nenv: {env}\n"));
            if let Some(auditor) = &auditor {
                let key = token(auditor, sealed::SectionName::AttestationPublicKey)?;
                writeln!(contract, "{AUDITOR}: {key}")?;
            }
            contract
        }
    };
    if let Some(key) = &key {
        contract = match sign::signed(contract.as_bytes(), key)? {
            Ok(signed) => signed,
            Err(reason) => {
                note(&reason);
                return Ok(Answer::No);
            }
        };
    }
    if contract.len() > MAX_BYTES {
        note(&format!(
            "expected at most {MAX_BYTES} bytes in the packed contract, found {}; {}",
            contract.len(),
            Code::TextTooLarge.remedy()
        ));
        return Ok(Answer::No);
    }
    files::write_result(out, options.output.as_deref(), contract.as_bytes())?;
    if let Some(end) = signer::not_after(&env) {
        note(&format!("the contract ends on {}, with the certificate of its signingKey", timestamp(end)));
    }
    Ok(Answer::Yes)
}

/// The name of the auditor's key at the top of a contract.
const AUDITOR: &str = "attestationPublicKey";

/// The auditor's key as PEM, if a guest could use it.
fn auditor(path: &Path) -> Result<Zeroizing<String>> {
    let text = files::small_text(path)?;
    Auditor::parse(&text).with_context(|| path.display().to_string())?;
    Ok(text)
}

/// Both sections in the open, as block scalars.
fn plain(folder: &Folder) -> Result<Zeroizing<String>> {
    let mut contract = Zeroizing::new(String::new());
    for (name, text) in [("workload", folder.workload()), ("env", folder.env())] {
        // The indentation is said, so that a first line which is itself indented does not change it.
        writeln!(contract, "{name}: |2")?;
        for line in text.expose().lines() {
            match line.is_empty() {
                true => writeln!(contract)?,
                false => writeln!(contract, "  {line}")?,
            }
        }
    }
    Ok(contract)
}
