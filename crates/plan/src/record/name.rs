//! What a digest in a record is of: the names of HPCR's generations, which spelled some of them differently, and ours.
//!
//! Between 24.6.9 and 26.x the parts of the contract are spelled `contract:env`, `contract: env` or `contract:env ` with
//! a blank behind it; in 24.3.3 plainly `env`. All of these are one name here.

use std::fmt;

/// A part of the contract, hashed as the string that stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// `workload`.
    Workload,
    /// `env`.
    Env,
    /// `attestationPublicKey`.
    AttestationPublicKey,
    /// `envWorkloadSignature`.
    Signature,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 4] = [Part::Workload, Part::Env, Part::AttestationPublicKey, Part::Signature];

    /// The key in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Part::Workload => "workload",
            Part::Env => "env",
            Part::AttestationPublicKey => "attestationPublicKey",
            Part::Signature => "envWorkloadSignature",
        }
    }

    fn find(name: &str) -> Option<Part> {
        Part::ALL.into_iter().find(|part| part.as_str() == name)
    }
}

/// What a digest is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Name {
    /// `root.tar.gz`: HPCR's guest OS.
    RootArchive,
    /// `baseimage`: the image from which HPCR's was built.
    BaseImage,
    /// `sbom`: the bill of materials in the image.
    BillOfMaterials,
    /// `certificate_expiry_date.json`, whose form is not public.
    CertificateDates,
    /// `/dev/disk/by-label/cidata`: every byte of the contract disk.
    Disk,
    /// `cidata/NAME`: a file on it.
    DiskFile(String),
    /// `user-data.decrypted`, up to 23.x.
    Decrypted,
    /// A part of the contract; `bare` in the spelling of 24.3.3, without `contract:`.
    Contract {
        /// Which.
        part: Part,
        /// Whether it stood without `contract:`.
        bare: bool,
    },
    /// `AP(n):secret`, whose input is not public.
    ApSecret(u32),
    /// `uv_firmware.state`, whose input is not public.
    FirmwareState,
    /// `countersign:NAME`: ours, see [`Own`].
    Own(Own),
    /// None that is known.
    Other(String),
}

/// What our own digests are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Own {
    /// The build manifest that is sealed into the image.
    BuildManifest,
    /// The kernel, as the manifest says.
    Kernel,
    /// The initramfs without keys, as the manifest says.
    Initramfs,
    /// The program, as the manifest says.
    Countersignd,
    /// The root hash of the guest OS's dm-verity tree.
    RootVerity,
    /// The DER public key that signed the contract.
    SigningKey,
    /// The DER public key of the auditor.
    Auditor,
    /// The first record, in the final one.
    Record,
    /// The transcript, in the final record.
    Transcript,
}

impl Own {
    const ALL: [Own; 9] = [
        Own::BuildManifest,
        Own::Kernel,
        Own::Initramfs,
        Own::Countersignd,
        Own::RootVerity,
        Own::SigningKey,
        Own::Auditor,
        Own::Record,
        Own::Transcript,
    ];

    /// The name behind `countersign:`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Own::BuildManifest => "build-manifest",
            Own::Kernel => "kernel",
            Own::Initramfs => "initramfs",
            Own::Countersignd => "countersignd",
            Own::RootVerity => "root.verity",
            Own::SigningKey => "signingKey",
            Own::Auditor => "auditor",
            Own::Record => "record",
            Own::Transcript => "transcript",
        }
    }
}

impl Name {
    /// The part of the contract, as our records and HPCR's since 24.6.9 have it.
    pub const fn contract(part: Part) -> Name {
        Name::Contract { part, bare: false }
    }

    /// The name behind a digest; a blank at its end does not count.
    pub fn parse(text: &str) -> Name {
        let text = text.trim_end_matches(' ');
        let of_contract = |part: &str, bare| Part::find(part).map(|part| Name::Contract { part, bare });
        let known = match text {
            "root.tar.gz" => Some(Name::RootArchive),
            "baseimage" => Some(Name::BaseImage),
            "sbom" => Some(Name::BillOfMaterials),
            "certificate_expiry_date.json" => Some(Name::CertificateDates),
            "/dev/disk/by-label/cidata" => Some(Name::Disk),
            "user-data.decrypted" => Some(Name::Decrypted),
            "uv_firmware.state" => Some(Name::FirmwareState),
            _ => None,
        };
        known
            .or_else(|| text.strip_prefix("cidata/").map(|file| Name::DiskFile(file.to_owned())))
            .or_else(|| of_contract(text.strip_prefix("contract:")?.trim_start_matches(' '), false))
            .or_else(|| of_contract(text, true))
            .or_else(|| {
                let number = text.strip_prefix("AP(")?.strip_suffix("):secret")?;
                number.parse().ok().map(Name::ApSecret)
            })
            .or_else(|| {
                let own = text.strip_prefix("countersign:")?;
                Own::ALL.into_iter().find(|known| known.as_str() == own).map(Name::Own)
            })
            .unwrap_or_else(|| Name::Other(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::RootArchive => f.write_str("root.tar.gz"),
            Name::BaseImage => f.write_str("baseimage"),
            Name::BillOfMaterials => f.write_str("sbom"),
            Name::CertificateDates => f.write_str("certificate_expiry_date.json"),
            Name::Disk => f.write_str("/dev/disk/by-label/cidata"),
            Name::DiskFile(file) => write!(f, "cidata/{file}"),
            Name::Decrypted => f.write_str("user-data.decrypted"),
            Name::Contract { part, bare: false } => write!(f, "contract:{}", part.as_str()),
            Name::Contract { part, bare: true } => f.write_str(part.as_str()),
            Name::ApSecret(number) => write!(f, "AP({number}):secret"),
            Name::FirmwareState => f.write_str("uv_firmware.state"),
            Name::Own(own) => write!(f, "countersign:{}", own.as_str()),
            Name::Other(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_all_generations_are_one_name() {
        let env = Name::contract(Part::Env);
        for text in ["contract:env", "contract: env", "contract:env "] {
            assert_eq!(Name::parse(text), env, "{text:?}");
        }
        assert_eq!(Name::parse("env"), Name::Contract { part: Part::Env, bare: true });
        assert_eq!(Name::parse("AP(1):secret"), Name::ApSecret(1));
        for text in ["contract:other", "contract", "AP(x):secret", "countersign:other", "cidata"] {
            assert_eq!(Name::parse(text), Name::Other(text.to_owned()), "{text:?}");
        }
        for own in Own::ALL {
            let name = Name::Own(own);
            assert_eq!(Name::parse(&name.to_string()), name);
        }
    }
}
