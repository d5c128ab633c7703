//! The sealing manifest: which image came out of one sealing, for whom, and of which build.

use countersign_crypto::digest::sha256;
use serde::{Deserialize, Serialize};

use super::hexadecimal::Hexadecimal;
use super::{ManifestFault, Which, parse};
use crate::bytes::from_hex;
use crate::document::HostKey;
use crate::image::{Flags, HeaderTags, STAGE3A_SHA256, STAGE3B_SHA256, SealedImage};

/// The form that is written and read.
const FORMAT: u32 = 1;

/// What says that it is this manifest and no other text that the builder signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    #[serde(rename = "countersign sealing manifest")]
    Sealing,
}

/// What one sealing made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealing {
    kind: Kind,
    format: u32,
    /// When, seconds since 1970.
    pub sealed: i64,
    /// The sealed file.
    pub image: File,
    /// Its header.
    pub header: Header,
    /// What the Ultravisor allows the guest.
    pub flags: FlagFacts,
    /// The machines that may run it, in the order of their slots.
    pub machines: Vec<Machine>,
    /// The boot loader parts.
    pub boot_loader: BootLoader,
    /// The sealed command line of the kernel.
    pub command_line: String,
    /// The sealed `image.json`: what the image accepts beyond the strict default.
    pub accepts: Accepts,
    /// SHA-256 of the build manifest, which is sealed in.
    pub build_manifest: Hexadecimal<32>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: Hexadecimal<32>,
}

/// The header: what attestation measures, and what requests are bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// SHA-256 of the whole header.
    pub sha256: Hexadecimal<32>,
    /// Its tag.
    pub tag: Hexadecimal<16>,
    /// Page list digest.
    pub pld: Hexadecimal<64>,
    /// Address list digest.
    pub ald: Hexadecimal<64>,
    /// Tweak list digest.
    pub tld: Hexadecimal<64>,
    /// Number of encrypted pages.
    pub pages: u64,
}

impl Header {
    /// The tags of the header.
    pub fn tags(&self) -> HeaderTags {
        HeaderTags {
            pages: *self.pld.bytes(),
            addresses: *self.ald.bytes(),
            tweaks: *self.tld.bytes(),
            tag: *self.tag.bytes(),
        }
    }
}

/// What the Ultravisor allows the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagFacts {
    /// The plaintext flags of the header as a number of 16 hexadecimal digits.
    pub plaintext: Hexadecimal<8>,
    /// Whether the host may dump the guest's memory, encrypted.
    pub dumping: bool,
    /// Whether backup host keys count.
    pub backup_host_keys: bool,
}

impl FlagFacts {
    fn of(flags: Flags) -> Self {
        Self {
            plaintext: Hexadecimal::new(flags.value().to_be_bytes()),
            dumping: flags.dumping(),
            backup_host_keys: flags.backup_host_keys(),
        }
    }
}

/// A machine that may run the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// SHA-256 of its public host key.
    pub host_key: Hexadecimal<32>,
    /// When its host key document ends, seconds since 1970.
    pub not_after: i64,
}

impl Machine {
    /// From its checked document.
    pub fn of(host: &HostKey) -> Self {
        Self { host_key: Hexadecimal::new(*host.hash().as_bytes()), not_after: host.not_after() }
    }
}

/// SHA-256 of the boot loader parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootLoader {
    /// `stage3a.bin`.
    pub stage3a: Hexadecimal<32>,
    /// `stage3b_reloc.bin`.
    pub stage3b: Hexadecimal<32>,
}

/// What the sealed `image.json` accepts, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepts {
    /// SHA-256 of `image.json`.
    pub image_json: Hexadecimal<32>,
    /// `plain`, `accept` or `refuse`.
    pub unsigned: String,
    /// `required` or `test`.
    #[serde(rename = "secure-execution")]
    pub secure_execution: String,
}

/// What the builder adds to what the image itself says.
#[derive(Debug)]
pub struct Described<'a> {
    /// Now, seconds since 1970.
    pub sealed: i64,
    /// The machines, in the order of their slots.
    pub machines: Vec<Machine>,
    /// The kernel's command line.
    pub command_line: &'a str,
    /// The sealed `image.json`.
    pub accepts: Accepts,
    /// The build manifest, byte for byte.
    pub build_manifest: &'a [u8],
}

impl Sealing {
    /// The manifest of an image.
    pub fn new(image: &SealedImage<'_>, described: Described<'_>) -> Self {
        let (header, tags) = (image.header(), image.tags());
        let fixed = |digest| Hexadecimal::new(from_hex(digest).unwrap_or([0; 32]));
        Self {
            kind: Kind::Sealing,
            format: FORMAT,
            sealed: described.sealed,
            image: File {
                size: image.as_bytes().len() as u64,
                sha256: Hexadecimal::new(sha256(image.as_bytes())),
            },
            header: Header {
                sha256: Hexadecimal::new(header.sha256()),
                tag: Hexadecimal::new(tags.tag),
                pld: Hexadecimal::new(tags.pages),
                ald: Hexadecimal::new(tags.addresses),
                tld: Hexadecimal::new(tags.tweaks),
                pages: header.pages(),
            },
            flags: FlagFacts::of(header.flags()),
            machines: described.machines,
            boot_loader: BootLoader { stage3a: fixed(STAGE3A_SHA256), stage3b: fixed(STAGE3B_SHA256) },
            command_line: described.command_line.to_owned(),
            accepts: described.accepts,
            build_manifest: Hexadecimal::new(sha256(described.build_manifest)),
        }
    }

    /// Reads a sealing manifest.
    ///
    /// # Errors
    /// [`ManifestFault::Form`].
    pub fn parse(text: &[u8]) -> Result<Self, ManifestFault> {
        let sealing: Self = parse(Which::Sealing, text)?;
        if sealing.format != FORMAT {
            let message = format!("expected format {FORMAT}, found {}", sealing.format);
            return Err(ManifestFault::Form { which: Which::Sealing, message });
        }
        Ok(sealing)
    }

    /// The text that is signed: indented JSON with a line feed at its end.
    ///
    /// # Errors
    /// None in practice: the manifest has text and numbers alone.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Whether an image is this one; else what differs first.
    pub(super) fn describes(&self, image: &SealedImage<'_>) -> Result<(), &'static str> {
        let (header, tags) = (image.header(), image.tags());
        let machines = header.hosts();
        let named: Vec<_> = self.machines.iter().map(|machine| *machine.host_key.bytes()).collect();
        let loader = |digest: &Hexadecimal<32>, fixed| from_hex(fixed).as_ref() == Some(digest.bytes());
        let all = [
            (self.header.tag.bytes() == &tags.tag, "header tag"),
            (self.header.tags() == tags && self.header.pages == header.pages(), "header's digest lists"),
            (self.header.sha256.bytes() == &header.sha256(), "header"),
            (self.flags == FlagFacts::of(header.flags()), "flags"),
            (machines.iter().map(|hash| *hash.as_bytes()).eq(named), "list of machines"),
            (
                loader(&self.boot_loader.stage3a, STAGE3A_SHA256)
                    && loader(&self.boot_loader.stage3b, STAGE3B_SHA256),
                "boot loader",
            ),
            (self.image.size == image.as_bytes().len() as u64, "size"),
            (self.image.sha256.bytes() == &sha256(image.as_bytes()), "SHA-256"),
        ];
        all.into_iter().find(|(same, _)| !same).map_or(Ok(()), |(_, what)| Err(what))
    }
}
