//! What can be wrong with a LUKS header: one rule each, with a stable identifier.
//!
//! A fault names the rule, the place in the header and the expectation. It never carries a value
//! read from the header: those bytes come from the host. The only numbers printed are bounds of
//! the profile and the indices of key slots, segments and digests.
//!
//! The rules follow the LUKS2 on-disk format specification 1.1 and the LUKS1 on-disk format
//! specification 1.2.3, narrowed to what this project opens.

use std::fmt;

/// One of the two copies of a LUKS2 binary header and its JSON area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeaderCopy {
    /// The copy at offset 0, magic `LUKS\xba\xbe`.
    Primary,
    /// The copy behind it, magic `SKUL\xba\xbe`.
    Secondary,
}

impl fmt::Display for HeaderCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        })
    }
}

/// One step of a JSON pointer into the LUKS2 metadata.
///
/// Only names of the specification and canonical small indices can be expressed, so that a
/// printed place never repeats text chosen by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A member name of the specification.
    Name(&'static str),
    /// The number of a key slot, segment or digest, or a position in an array.
    Index(u32),
}

/// Where in the header a rule was broken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A field of a LUKS2 binary header, by its name in the specification.
    Binary {
        /// Which of the two copies.
        copy: HeaderCopy,
        /// The field.
        field: &'static str,
    },
    /// The JSON area of the LUKS2 metadata, as a JSON pointer; empty for the whole area.
    Json(Vec<Step>),
    /// A field of a LUKS1 header, and its key slot where it belongs to one.
    Luks1 {
        /// The field, by its name in the specification.
        field: &'static str,
        /// The key slot, 0 to 7.
        slot: Option<u8>,
    },
    /// The device that carries the header.
    Device,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binary { copy, field } => write!(f, "{copy} header field {field}"),
            Self::Json(steps) if steps.is_empty() => f.write_str("json area"),
            Self::Json(steps) => {
                f.write_str("json ")?;
                for step in steps {
                    match step {
                        Step::Name(name) => write!(f, "/{name}")?,
                        Step::Index(index) => write!(f, "/{index}")?,
                    }
                }
                Ok(())
            }
            Self::Luks1 { field, slot: None } => write!(f, "luks1 header field {field}"),
            Self::Luks1 { field, slot: Some(slot) } => {
                write!(f, "luks1 header field {field} of key slot {slot}")
            }
            Self::Device => f.write_str("device"),
        }
    }
}

/// A broken rule and where it was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}: expected {}", .rule.id(), .place, self.expected())]
pub struct HeaderFault {
    rule: Rule,
    place: Place,
    bounds: Option<(u64, u64)>,
}

impl HeaderFault {
    pub(super) fn new(rule: Rule, place: Place) -> Self {
        Self { rule, place, bounds: None }
    }

    /// A fault whose expectation is a range; both bounds come from the profile, never the header.
    pub(super) fn outside(rule: Rule, place: Place, bounds: (u64, u64)) -> Self {
        Self { rule, place, bounds: Some(bounds) }
    }

    /// The broken rule.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Where it was broken.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The stable identifier of the rule, such as `keyslot-area-cipher`.
    pub fn id(&self) -> &'static str {
        self.rule.id()
    }

    /// What the rule expects, with the profile's bounds where there are any.
    pub fn expected(&self) -> String {
        match self.bounds {
            Some((low, high)) => format!("{} from {low} to {high}", self.rule.expectation()),
            None => self.rule.expectation().to_owned(),
        }
    }

    /// What the reader of the message can do about it.
    pub fn hint(&self) -> &'static str {
        self.rule.hint()
    }
}

const FORGED: &str = "the header is not what cryptsetup writes; treat the disk as tampered with";
const PROFILE: &str = "recreate the volume in the documented profile, or open it elsewhere and copy the data";
const UNFINISHED: &str = "finish or undo the re-encryption with cryptsetup on a trusted machine first";
const DAMAGED: &str =
    "the header may be damaged; restore it from a backup made with cryptsetup luksHeaderBackup";
const SIZE: &str = "check that the whole disk is attached and was not truncated";

macro_rules! rules {
    ($($name:ident $id:literal $expectation:literal $hint:expr;)*) => {
        /// A rule about LUKS headers; see [`Rule::id`] and [`Rule::expectation`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $(#[doc = concat!("`", $id, "`: ", $expectation, ".")] $name,)*
        }

        impl Rule {
            /// Every rule, in the order of the header.
            pub const ALL: &'static [Rule] = &[$(Rule::$name),*];

            /// The stable identifier; part of the console and log interface.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id),* }
            }

            /// What the rule expects of the place, as a noun phrase.
            pub fn expectation(self) -> &'static str {
                match self { $(Self::$name => $expectation),* }
            }

            /// What the reader of the message can do about a broken rule.
            pub fn hint(self) -> &'static str {
                match self { $(Self::$name => $hint),* }
            }
        }
    };
}

rules! {
    // Binary header, per copy.
    Short "header-short" "the bytes of both header copies" SIZE;
    Magic "header-magic" "the magic bytes of a LUKS header" "the device holds no LUKS header, or its start was overwritten";
    Version "header-version" "LUKS version 2" FORGED;
    HeaderSize "header-size" "a header size that the LUKS2 specification lists" FORGED;
    HeaderOffset "header-offset" "the offset at which the copy was found" FORGED;
    HeaderSequence "header-sequence" "a sequence number from 1 to 2^48" FORGED;
    HeaderText "header-text" "printable ASCII, ended and filled up with zero bytes" FORGED;
    HeaderUuid "header-uuid" "a lower-case UUID" FORGED;
    HeaderPadding "header-padding" "reserved bytes that are zero" FORGED;
    ChecksumAlgorithm "header-checksum-algorithm" "checksum algorithm sha256" PROFILE;
    Checksum "header-checksum" "the SHA-256 of the header copy" DAMAGED;
    // The two copies together.
    CopiesSequence "copies-sequence" "the same sequence number in both copies" DAMAGED;
    CopiesDiffer "copies-differ" "the same content in both copies" FORGED;
    // JSON text.
    JsonEnd "json-end" "a zero byte after the JSON text and nothing behind it" FORGED;
    JsonSyntax "json-syntax" "one JSON object of the LUKS2 specification, from the first byte on" FORGED;
    JsonDepth "json-depth" "JSON nested at most 8 deep" FORGED;
    JsonNodes "json-nodes" "at most 4096 JSON values" FORGED;
    JsonDuplicate "json-duplicate" "each member name once in an object" FORGED;
    JsonText "json-text" "printable ASCII in names and strings" FORGED;
    JsonNumber "json-number" "a whole number that is not negative" FORGED;
    JsonMissing "json-missing" "the member to be present" FORGED;
    JsonUnknown "json-unknown" "only members that the LUKS2 specification names" FORGED;
    JsonKind "json-kind" "the JSON type of the LUKS2 specification" FORGED;
    JsonDecimal "json-decimal" "a string holding a decimal number without leading zeros" FORGED;
    JsonIndex "json-index" "an object number from 0 to 31 without leading zeros" FORGED;
    JsonBase64 "json-base64" "padded base64 without unused bits" FORGED;
    // Configuration.
    Requirements "requirements" "no requirements: no re-encryption under way" UNFINISHED;
    ConfigFlags "config-flags" "no persistent activation flags" "remove them with cryptsetup refresh --persistent without flags";
    JsonSize "config-json-size" "the JSON area's size as in the binary header" FORGED;
    KeyslotsSize "config-keyslots-size" "a multiple of 4096, 32 MiB at most together with both header copies" FORGED;
    Tokens "tokens" "no tokens" "remove them with cryptsetup token remove on a trusted machine";
    // Key slots.
    KeyslotCount "keyslot-count" "exactly one key slot" "remove the others with cryptsetup luksKillSlot; two are accepted only while a seed is being replaced";
    KeyslotCountRotation "keyslot-count-rotation" "one or two key slots" "remove the others with cryptsetup luksKillSlot";
    KeyslotType "keyslot-type" "type luks2" UNFINISHED;
    KeyslotPriority "keyslot-priority" "priority absent, 1 or 2" PROFILE;
    KeyslotKeySize "keyslot-key-size" "a key size that the profile allows" PROFILE;
    AfType "keyslot-af-type" "type luks1" FORGED;
    AfStripes "keyslot-af-stripes" "4000 stripes" FORGED;
    AfHash "keyslot-af-hash" "sha256 or sha512" PROFILE;
    AreaType "keyslot-area-type" "type raw" FORGED;
    AreaCipher "keyslot-area-cipher" "aes-xts-plain64" FORGED;
    AreaKeySize "keyslot-area-key-size" "a 32 or 64 byte key that the profile allows" FORGED;
    AreaOffset "keyslot-area-offset" "a multiple of 4096 inside the key slots area" FORGED;
    AreaSize "keyslot-area-size" "the size of the split key in whole 4096 byte blocks, inside the key slots area" FORGED;
    AreaOverlap "keyslot-area-overlap" "areas that do not overlap" FORGED;
    KdfType "keyslot-kdf-type" "a key derivation that the profile allows" "convert the key slot with cryptsetup luksConvertKey --pbkdf argon2id";
    KdfSalt "keyslot-kdf-salt" "a 32 byte salt" FORGED;
    KdfHash "keyslot-kdf-hash" "sha256 or sha512" PROFILE;
    KdfIterations "keyslot-kdf-iterations" "a number of PBKDF2 iterations" PROFILE;
    KdfTime "keyslot-kdf-time" "a number of argon2id passes" PROFILE;
    KdfMemory "keyslot-kdf-memory" "argon2id memory in KiB" PROFILE;
    KdfCpus "keyslot-kdf-cpus" "a number of argon2id lanes" PROFILE;
    KdfCost "keyslot-kdf-cost" "argon2id passes times memory in KiB" PROFILE;
    // Data segment.
    SegmentCount "segment-count" "exactly one segment, number 0" FORGED;
    SegmentType "segment-type" "type crypt" FORGED;
    SegmentCipher "segment-cipher" "aes-xts-plain64" FORGED;
    SegmentIvTweak "segment-iv-tweak" "0" FORGED;
    SegmentSectorSize "segment-sector-size" "512 or 4096" PROFILE;
    SegmentOffset "segment-offset" "a multiple of 4096 at or behind the end of the header, inside the device" SIZE;
    SegmentSize "segment-size" "dynamic, or the exact rest of the device" SIZE;
    SegmentIntegrity "segment-integrity" "the integrity protection that the volume's profile names, and no other" "name the volume's integrity mode in the contract as it was when the volume was made";
    SegmentFlags "segment-flags" "no flags" UNFINISHED;
    // Digest.
    DigestCount "digest-count" "exactly one digest" FORGED;
    DigestType "digest-type" "type pbkdf2" FORGED;
    DigestKeyslots "digest-keyslots" "exactly the key slots of the header" FORGED;
    DigestSegments "digest-segments" "exactly the data segment" FORGED;
    DigestHash "digest-hash" "sha256 or sha512" PROFILE;
    DigestIterations "digest-iterations" "a number of PBKDF2 iterations" PROFILE;
    DigestSalt "digest-salt" "a 32 byte salt" FORGED;
    DigestLength "digest-length" "a digest as long as its hash" FORGED;
    // LUKS1.
    Luks1Refused "luks1-refused" "a LUKS2 header" "convert the volume with cryptsetup convert --type luks2 on a trusted machine";
    Luks1Short "luks1-short" "the 592 bytes of a LUKS1 header" SIZE;
    Luks1Text "luks1-text" "printable ASCII, ended and filled up with zero bytes" FORGED;
    Luks1Uuid "luks1-uuid" "a lower-case UUID" FORGED;
    Luks1Cipher "luks1-cipher" "aes in mode xts-plain64" PROFILE;
    Luks1Hash "luks1-hash" "sha256 or sha512" PROFILE;
    Luks1KeySize "luks1-key-size" "a key size that the profile allows" PROFILE;
    Luks1Payload "luks1-payload" "a multiple of 4096 bytes behind all key material, 32 MiB at most, inside the device" FORGED;
    Luks1DigestIterations "luks1-digest-iterations" "a number of PBKDF2 iterations" PROFILE;
    Luks1SlotState "luks1-slot-state" "a key slot that is enabled or disabled" FORGED;
    Luks1SlotCount "luks1-slot-count" "exactly one enabled key slot" "remove the others with cryptsetup luksKillSlot";
    Luks1SlotIterations "luks1-slot-iterations" "a number of PBKDF2 iterations" PROFILE;
    Luks1SlotStripes "luks1-slot-stripes" "4000 stripes" FORGED;
    Luks1SlotOffset "luks1-slot-offset" "key material behind the header, before the payload, apart from the other slots" FORGED;
    // Device.
    DeviceSize "device-size" "a whole number of sectors" SIZE;
}
