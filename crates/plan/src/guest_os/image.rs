//! The image manifest `image.json`: the constants that the image builder sealed into the initramfs.
//!
//! It comes from inside the encrypted boot image, so it is trusted; it is still parsed strictly, because a
//! builder's mistake should say so at the first boot.

use serde::Deserialize;

/// `image.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageManifest {
    /// Version of the image, shown on the console and in the attestation record.
    pub version: String,
    /// The read-only guest OS.
    pub root: RootImage,
    /// Scratch space.
    pub scratch: ScratchDisk,
    /// Which contracts without a signature the image takes (DESIGN.md section 3, rule 6).
    #[serde(default)]
    pub unsigned: Unsigned,
    /// What the image does on a machine without Secure Execution.
    #[serde(default, rename = "secure-execution")]
    pub secure_execution: SecureExecution,
    /// The older way to say `"unsigned": "refuse"`.
    #[serde(default)]
    refuse_unsigned: bool,
    /// When the certificate ends to which contracts for this image are sealed, seconds since 1970. The guest warns.
    #[serde(default)]
    pub certificate_not_after: Option<i64>,
    /// The newest date of what the image was built from, seconds since 1970: no clock that is right is behind it.
    #[serde(default)]
    pub built: Option<i64>,
    /// Whether the image has a key that signs its records.
    #[serde(default)]
    pub attestation: Attestation,
    /// What becomes of a container that reaches into the guest, whatever the contract says.
    #[serde(default)]
    pub reach: Reach,
    /// The builder's private enterprise number, in the structured data of log records (RFC 5424 section 7.2.2).
    #[serde(default = "documentation_number")]
    pub enterprise: u32,
}

/// The number for documentation (RFC 5612): that of a builder who has none.
const fn documentation_number() -> u32 {
    32473
}

/// What becomes of a container that reaches into the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// It is told, and runs. The default.
    #[default]
    Tell,
    /// It is refused.
    Refuse,
}

/// What an image does on a machine without Secure Execution, where the host reads the guest's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecureExecution {
    /// It opens no contract. The default.
    #[default]
    Required,
    /// It opens contracts all the same: an image for tests, and for showing.
    Test,
}

impl SecureExecution {
    /// The word in `image.json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            SecureExecution::Required => "required",
            SecureExecution::Test => "test",
        }
    }
}

/// Whether an image has a key that signs its attestation records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attestation {
    /// It has, with its certificate. The default: an image that lacks them does not boot.
    #[default]
    Signed,
    /// It has none; that is told at every boot and in the record.
    None,
}

/// Which contracts without a signature an image takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unsigned {
    /// Those in which nothing is sealed: they have nothing to steal. The default.
    #[default]
    Plain,
    /// All of them.
    Accept,
    /// None.
    Refuse,
}

impl Unsigned {
    /// The word in `image.json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Unsigned::Plain => "plain",
            Unsigned::Accept => "accept",
            Unsigned::Refuse => "refuse",
        }
    }
}

/// The guest OS: an erofs image with its dm-verity hash tree behind it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootImage {
    /// Serial number of a disk that carries it and nothing else. Without such a disk it is a partition, which its GUID
    /// names ([`RootImage::partition`]).
    pub serial: String,
    /// Data blocks before the hash tree.
    pub data_blocks: u64,
    /// Bytes of a data and of a hash block.
    pub block_size: u32,
    /// Where the hash tree begins, bytes.
    pub hash_offset: u64,
    /// Salt, hexadecimal.
    pub salt: String,
    /// Root hash, hexadecimal.
    pub root_hash: String,
    /// Digest of the hash tree, `sha256` or `sha512`.
    pub algorithm: HashAlgorithm,
}

/// Digests of a hash tree that the initramfs opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// The kernel's name.
    pub const fn name(self) -> &'static str {
        match self {
            HashAlgorithm::Sha256 => "sha256",
            HashAlgorithm::Sha512 => "sha512",
        }
    }
}

/// Scratch space: the writable part of the guest OS's root, made afresh at every boot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScratchDisk {
    /// Serial number of the disk. Without such a disk scratch space is memory.
    pub serial: String,
    /// What keeps it from the host, whose disk it is.
    #[serde(default)]
    pub protection: Protection,
}

/// What keeps scratch space from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// Encrypted and authenticated with keys that no boot uses twice: an altered block is a read error. The default.
    #[default]
    Integrity,
    /// Encrypted alone: the host can scramble blocks and put back earlier ones of the same boot.
    Plain,
    /// Memory of the guest, also where the disk is attached.
    Memory,
}

impl ImageManifest {
    /// Parses `image.json`.
    ///
    /// # Errors
    /// The parser's message: the manifest is the builder's own text and holds no secret.
    pub fn parse(bytes: &[u8]) -> Result<ImageManifest, String> {
        let mut manifest: ImageManifest = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if manifest.refuse_unsigned {
            if manifest.unsigned == Unsigned::Accept {
                return Err("expected unsigned or refuse_unsigned, found both, and they differ".to_owned());
            }
            manifest.unsigned = Unsigned::Refuse;
        }
        Ok(manifest)
    }
}

impl ImageManifest {
    /// What the image accepts beyond the strict default, in the words of `image.json`.
    pub fn accepts(&self) -> Vec<&'static str> {
        let unsigned = (self.unsigned == Unsigned::Accept).then_some("unsigned: accept");
        let secure = (self.secure_execution == SecureExecution::Test).then_some("secure-execution: test");
        let scratch = (self.scratch.protection == Protection::Plain).then_some("scratch.protection: plain");
        unsigned.into_iter().chain(secure).chain(scratch).collect()
    }
}

impl RootImage {
    /// The GUID of a partition that carries the guest OS, as it stands in the table: the first 16 bytes of the root hash,
    /// as of a partition of the Discoverable Partitions Specification
    /// (<https://uapi-group.org/specifications/specs/discoverable_partitions_specification/>). So no partition of another
    /// image has it. `None` for a root hash that is shorter or not hexadecimal.
    pub fn partition(&self) -> Option<[u8; 16]> {
        let (_, hash) = self.salt_and_root_hash()?;
        let mut guid: [u8; 16] = hash.get(..16)?.try_into().ok()?;
        // The first three fields of a GUID are stored little-endian (UEFI specification, appendix A).
        for field in [0..4, 4..6, 6..8] {
            guid[field].reverse();
        }
        Some(guid)
    }

    /// Salt and root hash as bytes, `None` where one is not hexadecimal.
    pub fn salt_and_root_hash(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        Some((from_hex(&self.salt)?, from_hex(&self.root_hash)?))
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"version":"0.1.0","root":{"serial":"os","data_blocks":2,"block_size":4096,
        "hash_offset":8192,"salt":"00ff","root_hash":"0a","algorithm":"sha256"},"scratch":{"serial":"scratch"}}"#;

    #[test]
    fn a_manifest_is_read() {
        let manifest = ImageManifest::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(manifest.root.salt_and_root_hash(), Some((vec![0, 255], vec![10])));
        assert_eq!(manifest.built, None);
        let text = GOOD.replacen('{', "{\"built\":1764000000,", 1);
        assert_eq!(ImageManifest::parse(text.as_bytes()).unwrap().built, Some(1_764_000_000));
        assert_eq!(manifest.unsigned, Unsigned::Plain);
    }

    #[test]
    fn either_way_to_refuse_unsigned_contracts_is_read() {
        let with = |more: &str| {
            let text = GOOD.replace("\"scratch\":", &format!("{more},\"scratch\":"));
            ImageManifest::parse(text.as_bytes()).map(|manifest| manifest.unsigned)
        };
        for (text, expected) in [
            (r#""unsigned":"plain""#, Unsigned::Plain),
            (r#""unsigned":"accept""#, Unsigned::Accept),
            (r#""unsigned":"refuse""#, Unsigned::Refuse),
            (r#""refuse_unsigned":true"#, Unsigned::Refuse),
            (r#""refuse_unsigned":false"#, Unsigned::Plain),
            (r#""refuse_unsigned":true,"unsigned":"plain""#, Unsigned::Refuse),
            (r#""refuse_unsigned":false,"unsigned":"accept""#, Unsigned::Accept),
        ] {
            assert_eq!(with(text), Ok(expected), "{text}");
        }
        for text in [r#""refuse_unsigned":true,"unsigned":"accept""#, r#""unsigned":"never""#] {
            assert!(with(text).is_err(), "{text}");
        }
    }

    #[test]
    fn scratch_space_has_integrity_unless_the_builder_says_otherwise() {
        let with = |more: &str| {
            let text = GOOD.replace("\"serial\":\"scratch\"", &format!("\"serial\":\"scratch\"{more}"));
            ImageManifest::parse(text.as_bytes()).map(|manifest| manifest.scratch.protection)
        };
        for (text, expected) in [
            ("", Protection::Integrity),
            (r#","protection":"integrity""#, Protection::Integrity),
            (r#","protection":"plain""#, Protection::Plain),
            (r#","protection":"memory""#, Protection::Memory),
        ] {
            assert_eq!(with(text), Ok(expected), "{text}");
        }
        assert!(
            with(r#","protection":"none""#)
                .unwrap_err()
                .contains("expected one of `integrity`, `plain`, `memory`")
        );
    }

    #[test]
    fn secure_execution_is_required_unless_the_builder_says_otherwise() {
        let with = |more: &str| {
            let text = GOOD.replace("\"scratch\":", &format!("{more}\"scratch\":"));
            ImageManifest::parse(text.as_bytes()).map(|manifest| manifest.secure_execution)
        };
        for (text, expected) in [
            ("", SecureExecution::Required),
            (r#""secure-execution":"required","#, SecureExecution::Required),
            (r#""secure-execution":"test","#, SecureExecution::Test),
        ] {
            assert_eq!(with(text), Ok(expected), "{text}");
        }
        for text in
            [r#""secure-execution":"no","#, r#""secure-execution":false,"#, r#""secure_execution":"test","#]
        {
            assert!(with(text).is_err(), "{text}");
        }
    }

    /// The text form is that of the hash, as systemd prints it for such a partition.
    #[test]
    fn the_partition_of_the_guest_os_is_named_by_the_root_hash() {
        let hash = "00112233445566778899aabbccddeeff0123";
        let text = GOOD.replace("\"0a\"", &format!("\"{hash}\""));
        let expected =
            [0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
        assert_eq!(ImageManifest::parse(text.as_bytes()).unwrap().root.partition(), Some(expected));
        assert_eq!(ImageManifest::parse(GOOD.as_bytes()).unwrap().root.partition(), None);
    }

    #[test]
    fn an_unknown_field_is_an_error() {
        let text = GOOD.replace("\"scratch\":", "\"debug\":true,\"scratch\":");
        assert!(ImageManifest::parse(text.as_bytes()).unwrap_err().contains("debug"));
    }

    #[test]
    fn a_root_hash_that_is_not_hexadecimal_is_noticed() {
        let text = GOOD.replace("\"0a\"", "\"0g\"");
        assert_eq!(ImageManifest::parse(text.as_bytes()).unwrap().root.salt_and_root_hash(), None);
    }
}
