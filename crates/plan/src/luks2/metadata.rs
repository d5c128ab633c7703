//! The LUKS2 metadata as types: what the specification can say, as far as a judge needs it.
//!
//! The model keeps no text of the header but the UUID: ciphers and hashes are names that are known
//! here, or `Other`. Kinds of objects that no profile accepts are `Other` without their members,
//! since the judge refuses them by their kind alone. Everything else must be complete, and members
//! that the specification does not name are refused.
//!
//! Follows the LUKS2 on-disk format specification 1.1, section 3.

use super::fault::{HeaderFault, Place, Rule, Step};
use super::json::{self, Value};
use super::reader::{Members, Path};

/// A block cipher specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cipher {
    /// `aes-xts-plain64`.
    AesXtsPlain64,
    /// Any other, `cipher_null` among them.
    Other,
}

impl Cipher {
    pub(super) fn of(name: &str) -> Self {
        if name == "aes-xts-plain64" { Self::AesXtsPlain64 } else { Self::Other }
    }
}

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// Any other.
    Other,
}

impl Hash {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "sha256" => Self::Sha256,
            "sha512" => Self::Sha512,
            _ => Self::Other,
        }
    }
}

/// How a key slot's key is derived from the passphrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kdf {
    Argon2id { time: u64, memory_kib: u64, cpus: u64, salt_len: usize },
    Pbkdf2 { hash: Hash, iterations: u64, salt_len: usize },
    Other,
}

/// Anti-forensic splitter of a key slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Af {
    Luks1 { stripes: u64, hash: Hash },
    Other,
}

/// Where a key slot's material lies, in bytes from the start of the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Area {
    Raw { offset: u64, size: u64, cipher: Cipher, key_size: u64 },
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyslotKind {
    Luks2 { key_size: u64, priority: Option<u64>, af: Af, area: Area, kdf: Kdf },
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keyslot {
    pub(super) number: u8,
    pub(super) kind: KeyslotKind,
}

/// The `size` of a segment in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SegmentSize {
    Dynamic,
    Bytes(u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SegmentKind {
    Crypt {
        offset: u64,
        size: SegmentSize,
        iv_tweak: u64,
        cipher: Cipher,
        sector_size: u64,
        integrity: Tags,
        flags: bool,
    },
    Other,
}

/// The `integrity` member of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tags {
    /// No integrity.
    Absent,
    /// HMAC-SHA-256 over every sector, the journal of dm-integrity without a key of its own.
    HmacSha256,
    /// Anything else.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) number: u8,
    pub(super) kind: SegmentKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DigestKind {
    Pbkdf2 {
        keyslots: Vec<u8>,
        segments: Vec<u8>,
        hash: Hash,
        iterations: u64,
        salt_len: usize,
        digest_len: usize,
    },
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) number: u8,
    pub(super) kind: DigestKind,
}

/// The JSON metadata of a LUKS2 header, complete and without unknown members, not yet judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) keyslots: Vec<Keyslot>,
    pub(super) segments: Vec<Segment>,
    pub(super) digests: Vec<Digest>,
    pub(super) tokens: usize,
    pub(super) json_size: u64,
    pub(super) keyslots_size: u64,
    pub(super) requirements: bool,
    pub(super) flags: bool,
}

/// Reads the text of a JSON area.
///
/// # Errors
/// The first rule that the text breaks, with its place.
pub(super) fn read(text: &[u8]) -> Result<Metadata, HeaderFault> {
    let refused = |rule| HeaderFault::new(rule, Place::Json(Vec::new()));
    // Blanks in front are JSON, and no LUKS2 metadata: cryptsetup wants the brace first.
    if !text.starts_with(b"{") {
        return Err(refused(Rule::JsonSyntax));
    }
    let value = json::parse(text).map_err(refused)?;
    let mut root = Members::of(&value, Path::new())?;
    let keyslots =
        each(&mut root, "keyslots", |number, object| Ok(Keyslot { number, kind: keyslot(object)? }))?;
    let segments =
        each(&mut root, "segments", |number, object| Ok(Segment { number, kind: segment(object)? }))?;
    let digests = each(&mut root, "digests", |number, object| Ok(Digest { number, kind: digest(object)? }))?;
    let tokens = root.numbered("tokens")?.len();
    let mut config = root.object("config")?;
    let json_size = config.decimal("json_size")?;
    let keyslots_size = config.decimal("keyslots_size")?;
    // cryptsetup removes `requirements` and `flags` when the last of them goes.
    let requirements = config.take("requirements").is_some();
    let flags = config.take("flags").is_some();
    config.finish()?;
    root.finish()?;
    Ok(Metadata { keyslots, segments, digests, tokens, json_size, keyslots_size, requirements, flags })
}

fn each<T>(
    root: &mut Members<'_>,
    name: &'static str,
    read: impl Fn(u8, Members<'_>) -> Result<T, HeaderFault>,
) -> Result<Vec<T>, HeaderFault> {
    root.numbered(name)?
        .into_iter()
        .map(|(number, value, path)| read(number, Members::of(value, path)?))
        .collect()
}

fn keyslot(mut object: Members<'_>) -> Result<KeyslotKind, HeaderFault> {
    if object.text("type")? != "luks2" {
        return Ok(KeyslotKind::Other);
    }
    let key_size = object.number("key_size")?;
    let priority = object.optional_number("priority")?;
    let af = af(object.object("af")?)?;
    let area = area(object.object("area")?)?;
    let kdf = kdf(object.object("kdf")?)?;
    object.finish()?;
    Ok(KeyslotKind::Luks2 { key_size, priority, af, area, kdf })
}

fn af(mut object: Members<'_>) -> Result<Af, HeaderFault> {
    if object.text("type")? != "luks1" {
        return Ok(Af::Other);
    }
    let af = Af::Luks1 { stripes: object.number("stripes")?, hash: Hash::of(object.text("hash")?) };
    object.finish()?;
    Ok(af)
}

fn area(mut object: Members<'_>) -> Result<Area, HeaderFault> {
    if object.text("type")? != "raw" {
        return Ok(Area::Other);
    }
    let area = Area::Raw {
        offset: object.decimal("offset")?,
        size: object.decimal("size")?,
        cipher: Cipher::of(object.text("encryption")?),
        key_size: object.number("key_size")?,
    };
    object.finish()?;
    Ok(area)
}

fn kdf(mut object: Members<'_>) -> Result<Kdf, HeaderFault> {
    let kdf = match object.text("type")? {
        "argon2id" => Kdf::Argon2id {
            time: object.number("time")?,
            memory_kib: object.number("memory")?,
            cpus: object.number("cpus")?,
            salt_len: object.base64_length("salt")?,
        },
        "pbkdf2" => Kdf::Pbkdf2 {
            hash: Hash::of(object.text("hash")?),
            iterations: object.number("iterations")?,
            salt_len: object.base64_length("salt")?,
        },
        _ => return Ok(Kdf::Other),
    };
    object.finish()?;
    Ok(kdf)
}

fn segment(mut object: Members<'_>) -> Result<SegmentKind, HeaderFault> {
    if object.text("type")? != "crypt" {
        return Ok(SegmentKind::Other);
    }
    let offset = object.decimal("offset")?;
    let size = segment_size(&mut object)?;
    let iv_tweak = object.decimal("iv_tweak")?;
    let cipher = Cipher::of(object.text("encryption")?);
    let sector_size = object.number("sector_size")?;
    let integrity = object.take("integrity").map_or(Tags::Absent, tags);
    let flags = object.take("flags").is_some();
    object.finish()?;
    Ok(SegmentKind::Crypt { offset, size, iv_tweak, cipher, sector_size, integrity, flags })
}

/// The journal holds what the sectors hold, encrypted and with its tags, so it needs no protection of its own.
fn tags(integrity: &Value) -> Tags {
    const HMAC_SHA256: [(&str, &str); 3] =
        [("type", "hmac(sha256)"), ("journal_encryption", "none"), ("journal_integrity", "none")];
    let Value::Object(members) = integrity else {
        return Tags::Other;
    };
    let holds = |(name, expected): &(&str, &str)| {
        let text = |value: &Value| matches!(value, Value::Text(text) if text == expected);
        members.iter().any(|(member, value)| member == name && text(value))
    };
    match members.len() == HMAC_SHA256.len() && HMAC_SHA256.iter().all(holds) {
        true => Tags::HmacSha256,
        false => Tags::Other,
    }
}

fn segment_size(object: &mut Members<'_>) -> Result<SegmentSize, HeaderFault> {
    match object.peek("size") {
        Some(Value::Text(text)) if text == "dynamic" => {
            object.take("size");
            Ok(SegmentSize::Dynamic)
        }
        _ => object.decimal("size").map(SegmentSize::Bytes),
    }
}

fn digest(mut object: Members<'_>) -> Result<DigestKind, HeaderFault> {
    if object.text("type")? != "pbkdf2" {
        return Ok(DigestKind::Other);
    }
    let digest = DigestKind::Pbkdf2 {
        keyslots: object.indices("keyslots")?,
        segments: object.indices("segments")?,
        hash: Hash::of(object.text("hash")?),
        iterations: object.number("iterations")?,
        salt_len: object.base64_length("salt")?,
        digest_len: object.base64_length("digest")?,
    };
    object.finish()?;
    Ok(digest)
}

/// The place of a member of a numbered object, such as `/keyslots/0/kdf/memory`.
pub(super) fn place(collection: &'static str, number: u8, members: &[&'static str]) -> Place {
    let mut steps = vec![Step::Name(collection), Step::Index(u32::from(number))];
    steps.extend(members.iter().map(|member| Step::Name(member)));
    Place::Json(steps)
}

/// The place of a member of the top level, such as `/config/json_size`.
pub(super) fn top(members: &[&'static str]) -> Place {
    Place::Json(members.iter().map(|member| Step::Name(member)).collect())
}
