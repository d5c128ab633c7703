//! Stage `attest`: a record of everything that decides what this boot does.
//!
//! The record follows the form of HPCR's `se-checksums.txt`: the version, lines of information, then one
//! `SHA-256 name` line for each input. Its own digest is said on the console and reaches the log server. Where the
//! contract names an auditor, the record itself leaves this stage only as a token for the auditor; the digest is that of
//! the record inside.

use countersign_contract::code::Code;
use countersign_contract::model::Contract;
use countersign_crypto::digest;
use countersign_plan::guest_os::image::{Protection, SecureExecution, Unsigned};
use countersign_plan::trust::signer::Signer;
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::carried::Carried;
use super::validate::Validated;

/// A contract whose inputs are recorded.
#[derive(Debug)]
pub(super) struct Attested {
    pub(super) contract: Contract,
    pub(super) carried: Carried,
}

impl Validated {
    /// Runs the stage.
    ///
    /// # Errors
    /// `HPL11002E` when the record cannot be encrypted to the auditor: some malformed keys are detected only when they
    /// are used.
    pub(super) fn attest<S: Initramfs>(self, _: &S, log: &mut Log<'_, S>) -> Result<Attested, Failure> {
        log.stage(Stage::Attest, |_| {
            let Validated { contract, signer, auditor, digests, mut carried } = self;
            let mut record = format!("{}\n", carried.manifest.version);
            match &signer {
                Signer::Nobody => record.push_str("Contract is not signed\n"),
                Signer::Key(fingerprint) => {
                    record.push_str("Contract is signed\n");
                    record.push_str(&format!("{fingerprint} signingKey\n"));
                }
            }
            if carried.manifest.unsigned == Unsigned::Accept {
                record.push_str("Unsigned sealed contracts are accepted\n");
            }
            if carried.manifest.secure_execution == SecureExecution::Test {
                record.push_str("Secure Execution is not required\n");
            }
            if carried.manifest.scratch.protection == Protection::Plain {
                record.push_str("Scratch space has no integrity\n");
            }
            record.push_str(&format!("{} root.verity\n", carried.manifest.root.root_hash));
            for (name, digest) in &digests {
                record.push_str(&format!("{digest} {name}\n"));
            }
            let summary = Summary::new()
                .with("inputs", 1 + digests.len())
                .with("record", digest::sha256_hex(record.as_bytes()));
            let (record, summary) = match auditor {
                None => (record, summary),
                Some(auditor) => {
                    let token = auditor.seal(&record).map_err(|error| {
                        let message = format!(
                            "expected an attestationPublicKey that the record can be encrypted to: {error}"
                        );
                        Failure::machine(Stage::Attest, Code::AttestationKeyForm, message)
                    })?;
                    (token, summary.with("encrypted", "yes"))
                }
            };
            carried.record = record;
            Ok((Attested { contract, carried }, summary))
        })
    }
}
