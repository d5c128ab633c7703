//! The files below `/var/hyperprotect`, with HPCR's names and modes, as far as this guest has them; ours lie in a folder of
//! their own beside them.
//!
//! They lie in memory, in the folder of the handover, and `/var/hyperprotect` shows them read-only. `user-data.decrypted` has
//! the sections that say so themselves, since every container that mounts the folder reads it, and is not there without
//! them; its text is made by [`countersign_contract::model::UserData`]. Not there: what HPCR keeps there for itself
//! (`workload-data.decrypted`, `decrypt-attestation.sh`), `certificate_expiry_date.json`, whose form is not public, and
//! `cidata/user-data`, which newer HPCR does not show either.

use countersign_crypto::secret::SecretBytes;

use crate::guest_os::file::File;
use crate::guest_os::handover::FOLDER;

/// Where the workload finds them.
pub const HYPERPROTECT: &str = "/var/hyperprotect";
/// File of HPCR's in it with the contract's sections.
pub const USER_DATA: &str = "user-data.decrypted";
/// Folder of ours in it.
pub const OWN: &str = "countersign";
/// Our file with the certificate of the attestation key, in [`OWN`].
pub const CERTIFICATE: &str = "attestation.crt";
/// Our file with both records, in [`OWN`].
pub const BUNDLE: &str = "record.json";
/// The final record, or the token that holds it, in [`OWN`].
pub const FINAL_RECORD: &str = "final-record.txt";
/// Its signature, in [`OWN`].
pub const FINAL_SIGNATURE: &str = "final-signature.bin";

/// Where they lie in the handover.
pub fn folder() -> String {
    format!("{FOLDER}/hyperprotect")
}

/// The folders, with their modes. HPCR's are 0500, ours lets the daemon, which has no rights over files, add to it.
pub fn folders() -> [(String, u32); 3] {
    let folder = folder();
    [(folder.clone(), 0o500), (format!("{folder}/cidata"), 0o500), (format!("{folder}/{OWN}"), 0o700)]
}

/// What goes into them.
#[derive(Debug)]
pub struct Content<'c> {
    /// Version of the image.
    pub version: &'c str,
    /// The record, or the token that holds it.
    pub record: &'c str,
    /// Whether it is a token.
    pub encrypted: bool,
    /// The signature over the record in the open.
    pub signature: Option<&'c [u8]>,
    /// The certificate of the key that made it, PEM.
    pub certificate: Option<&'c str>,
    /// The auditor's public key, PEM.
    pub auditor: Option<&'c str>,
    /// `meta-data` and `vendor-data` as they lay on the contract disk.
    pub disk: &'c [(&'static str, Vec<u8>)],
    /// The sections of the contract that are shown, without their secrets.
    pub user_data: Option<&'c SecretBytes>,
    /// Both records as JSON, so far the first.
    pub bundle: &'c [u8],
}

impl Content<'_> {
    /// The files.
    pub fn files(&self) -> Vec<File> {
        let folder = folder();
        let file = |name: &str, content: &[u8]| File {
            path: format!("{folder}/{name}"),
            mode: 0o400,
            content: SecretBytes::copy_from(content),
        };
        let record = if self.encrypted { "se-checksums.txt.enc" } else { "se-checksums.txt" };
        let mut files = vec![
            file("se-version", format!("{}\n", self.version).as_bytes()),
            file(record, self.record.as_bytes()),
        ];
        files.extend(self.signature.map(|signature| file("se-signature.bin", signature)));
        files.extend(self.auditor.map(|pem| file("attestationPublicKey", pem.as_bytes())));
        files.extend(self.user_data.map(|text| file(USER_DATA, text.expose())));
        files.extend(self.disk.iter().map(|(name, bytes)| file(&format!("cidata/{name}"), bytes)));
        files.extend(self.certificate.map(|pem| file(&format!("{OWN}/{CERTIFICATE}"), pem.as_bytes())));
        files.push(file(&format!("{OWN}/{BUNDLE}"), self.bundle));
        files
    }
}
