//! The text of the first record.
//!
//! Lines and order are those of HPCR's newest generation (26.7.1): version, lines of information, digests; what this image
//! does not have (`root.tar.gz`, `baseimage`, `certificate_expiry_date.json`) is left out. The documents show that
//! generation without the blanks that older ones put behind names, so there are none here. Ours follow behind
//! `Countersign record: 1`.

use countersign_crypto::digest::sha256_hex;

use super::build::BuildManifest;
use super::name::{Name, Own};
use crate::dates::date;
use crate::report::transcript::Warning;

/// Of the form of our lines.
pub const FORMAT: &str = "1";

/// Who reads the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// SHA-256 of the DER public key, hexadecimal.
    pub fingerprint: String,
    /// Whether the signature over the contract covers the key. One that it does not cover, the host could have exchanged.
    pub covered: bool,
}

/// What the first record says.
#[derive(Debug)]
pub struct FirstRecord<'r> {
    /// Version of the image.
    pub version: &'r str,
    /// `TYPE/PLANT/SERIAL` of the machine, which is the host's word.
    pub machine: Option<&'r str>,
    /// Days since the image was built, by the guest's clock.
    pub age_days: Option<i64>,
    /// End of the certificate to which contracts for the image are sealed, seconds since 1970.
    pub encryption_end: Option<i64>,
    /// End of the certificate of the attestation key, seconds since 1970; none where the image has no such key.
    pub attestation_end: Option<i64>,
    /// What the image is made of, where its builder sealed that in.
    pub build: Option<&'r BuildManifest>,
    /// Digests of the contract disk, its files and the contract's parts, by their names.
    pub inputs: &'r [(String, String)],
    /// Root hash of the guest OS, hexadecimal.
    pub root_hash: &'r str,
    /// SHA-256 of the DER public key that signed the contract, hexadecimal.
    pub signer: Option<&'r str>,
    /// The contract's serial.
    pub serial: Option<u64>,
    /// Who alone may read the record.
    pub reader: Option<&'r Reader>,
    /// What the image accepts beyond the strict default: `NAME: WORD` of `image.json`.
    pub accepts: &'r [&'r str],
    /// Public half of the key that will sign the final record.
    pub boot_key: &'r str,
    /// What the boot has warned about so far.
    pub warnings: &'r [Warning],
}

impl FirstRecord<'_> {
    /// How many lines have a digest.
    pub fn digests(&self) -> usize {
        let made_of = if self.build.is_some() { 5 } else { 0 };
        let keys = usize::from(self.signer.is_some()) + usize::from(self.reader.is_some());
        made_of + self.inputs.len() + 1 + keys
    }

    /// The record: the bytes that are signed.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.version);
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        if let Some(machine) = self.machine {
            line(format!("Machine Type/Plant/Serial: {machine}"));
        }
        if let Some(days) = self.age_days {
            line(format!("Image age: {days} days since creation."));
        }
        if let Some(end) = self.encryption_end {
            line(format!("Encryption Certificate valid until: {}", moment(end)));
        }
        if let Some(end) = self.attestation_end {
            line(format!("Attestation Certificate valid until: {}", moment(end)));
        }
        if let Some(build) = self.build {
            line(format!("{} {}", build.sbom, Name::BillOfMaterials));
        }
        for (name, digest) in self.inputs {
            line(format!("{digest} {name}"));
        }
        line(format!("Countersign record: {FORMAT}"));
        let mut own = |digest: &str, own: Own| line(format!("{digest} {}", Name::Own(own)));
        if let Some(build) = self.build {
            own(&build.digest, Own::BuildManifest);
            own(&build.kernel, Own::Kernel);
            own(&build.initramfs, Own::Initramfs);
            own(&build.countersignd, Own::Countersignd);
        }
        own(self.root_hash, Own::RootVerity);
        if let Some(signer) = self.signer {
            own(signer, Own::SigningKey);
        }
        if let Some(reader) = self.reader {
            own(&reader.fingerprint, Own::Auditor);
        }
        line(if self.signer.is_some() { SIGNED } else { NOT_SIGNED }.to_owned());
        if let Some(serial) = self.serial {
            line(format!("Contract serial: {serial}"));
        }
        if let Some(reader) = self.reader {
            line(format!("Auditor's key: {}", if reader.covered { COVERED } else { EXCHANGEABLE }));
        }
        for accepted in self.accepts {
            line(format!("Image accepts: {accepted}"));
        }
        if self.attestation_end.is_none() {
            line(RECORD_NOT_SIGNED.to_owned());
        }
        line(format!("Key of the final record: {}", self.boot_key));
        super::warnings(self.warnings.iter().map(|warning| warning.text.as_str()), &mut text);
        text
    }
}

/// The contract has a valid signature.
pub const SIGNED: &str = "Contract is signed";
/// It has none.
pub const NOT_SIGNED: &str = "Contract is not signed";
/// The image has no attestation key.
pub const RECORD_NOT_SIGNED: &str = "Record is not signed";
/// The auditor's key stands where the contract's signature covers it.
pub const COVERED: &str = "covered by the contract's signature";
/// It does not.
pub const EXCHANGEABLE: &str = "not covered by a signature, the host could have exchanged it";

/// Digest of a record, as it is told on the console.
pub fn digest(record: &str) -> String {
    sha256_hex(record.as_bytes())
}

/// Seconds since 1970 as HPCR's record has them: `Jul 06 06:44:41 2027 UTC`.
pub fn moment(unix_time: i64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, seconds) = (unix_time.div_euclid(86_400), unix_time.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let month = usize::try_from(month - 1).ok().and_then(|index| MONTHS.get(index)).unwrap_or(&"???");
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{month} {day:02} {hour:02}:{minute:02}:{second:02} {year} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_hpcr_writes_it() {
        // date -u -d @1814856281 '+%b %d %H:%M:%S %Y UTC'
        assert_eq!(moment(1_814_856_281), "Jul 06 06:44:41 2027 UTC");
    }
}
