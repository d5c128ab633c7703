//! Refusals and findings: what is said when a contract is not as it must be.
//!
//! A [`Refusal`] is a typed reason why a contract is not taken, one variant for each misbehaviour. A
//! [`Finding`] is the same thing, or a warning, as a flat record for reports. Neither ever holds a value from
//! the contract: they name the place and what is expected there.

use std::borrow::Cow;
use std::fmt;

use countersign_crypto::image_signer::ImageKeyError;
use countersign_crypto::section_token::SectionTokenShape;
use countersign_crypto::signature::PublicKeyError;

use crate::code::{Code, Severity};
use crate::model::ImageRuleFault;
use crate::place::{Mark, Place, Pointer, SectionName, Text};
use crate::yaml::Cause;

mod slip;

pub use slip::Slip;

/// Most findings of one kind about one contract: enough for any author, and no flood on a console.
pub const MAX_REPORTED: usize = 64;

/// Why a contract is refused.
///
/// `Display` prints place and expectation, for example
/// `/env/logging/syslog/port (contract line 12, column 13): expected a number from 1 to 65535`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// More bytes than [`crate::yaml::MAX_BYTES`].
    TooLarge(Place),
    /// Not UTF-8 from the named place on.
    NotUtf8(Place),
    /// A character that YAML forbids, or a NUL written as an escape.
    ControlCharacter(Place),
    /// Nested deeper than [`crate::yaml::MAX_DEPTH`].
    TooDeep(Place),
    /// More keys and values than [`crate::yaml::MAX_NODES`].
    TooManyNodes(Place),
    /// U+0085, U+2028 or U+2029, where readers of YAML do not agree on what a line is.
    LineBreak(Place),
    /// Not YAML.
    Syntax(Place, Cause),
    /// Nothing in the text.
    Empty(Place),
    /// A directive line such as `%YAML`.
    Directive(Place),
    /// A second document.
    SeveralDocuments(Place),
    /// A key that occurs twice; the place is the second one.
    /// If the key before that has no value, it is named: the second one may belong below it.
    DuplicateKey(Place, Option<String>),
    /// `&name` or `*name`.
    AnchorOrAlias(Place),
    /// The key `<<`.
    MergeKey(Place),
    /// `!name`.
    Tag(Place),
    /// A key that is not a string; perhaps no key was meant.
    KeyNotText(Place, Option<Cause>),
    /// The text, or a section, is not a map of names.
    NotAMap(Place),
    /// `workload` or `env` is missing.
    SectionMissing {
        /// Where it should stand.
        place: Place,
        /// Which section.
        name: SectionName,
        /// A key that may be a misspelling of it.
        found: Option<String>,
    },
    /// A top-level value of the wrong kind.
    SectionForm(Place),
    /// A signature is given and a section is written as a map: signatures are defined over strings.
    SignedMap(Place),
    /// A section or key begins as a token does and is not one.
    TokenForm(Place, SectionTokenShape),
    /// A section is sealed and nobody opened it.
    Sealed(Place),
    /// `envWorkloadSignature` is not base64.
    SignatureForm(Place),
    /// The schema says no.
    Schema {
        /// Where.
        place: Place,
        /// What is expected there.
        expectation: Cow<'static, str>,
        /// What would help.
        hint: Cow<'static, str>,
    },
    /// Fields that are known elsewhere, and stand at the wrong depth.
    Misplaced {
        /// The first of them.
        place: Place,
        /// Their names, at least one.
        fields: Vec<String>,
        /// Where they belong.
        slip: Slip,
    },
    /// The fields of a section stand below the name of a section.
    Wrapped {
        /// That name.
        place: Place,
        /// Which section was to be here.
        name: SectionName,
        /// Which one stands below.
        found: SectionName,
    },
    /// A volume is named in one section only.
    VolumeUnmatched {
        /// The entry that has no counterpart.
        place: Place,
        /// The section in which the counterpart is missing.
        missing_in: SectionName,
        /// A name there that may have been meant.
        nearest: Option<String>,
    },
    /// A field that the guest does not act on yet.
    Unsupported {
        /// The field.
        place: Place,
        /// What would help.
        hint: &'static str,
    },
    /// Two volumes with one mount point; the place is the second one.
    MountConflict(Place),
    /// A mount point that belongs to the guest OS.
    MountReserved(Place),
    /// `signingKey` cannot be used.
    SigningKey(Place, PublicKeyError),
    /// A key that images are to be signed with cannot be used.
    ImageKey(Place, ImageKeyError),
    /// A rule for signed images says too little, or something twice.
    ImageRule(Place, ImageRuleFault),
    /// Text that is not a certificate.
    NotACertificate(Place),
    /// Text that is not a private key, or an encrypted key.
    NotAPrivateKey(Place),
    /// A client key without certificate.
    ClientCertificateMissing(Place),
    /// A client certificate without key.
    ClientKeyMissing(Place),
    /// Client certificate and key do not belong together.
    ClientPair(Place),
}

impl Refusal {
    /// The message code.
    pub fn code(&self) -> Code {
        match self {
            Refusal::TooLarge(_) => Code::TextTooLarge,
            Refusal::NotUtf8(_) => Code::TextNotUtf8,
            Refusal::ControlCharacter(_) | Refusal::LineBreak(_) => Code::TextControlCharacter,
            Refusal::TooDeep(_) => Code::TextTooDeep,
            Refusal::TooManyNodes(_) => Code::TextTooManyNodes,
            Refusal::Syntax(..) => Code::ContractUnparsable,
            Refusal::Empty(_) => Code::ContractMissing,
            Refusal::Directive(_) => Code::DirectiveRefused,
            Refusal::SeveralDocuments(_) => Code::SeveralDocuments,
            Refusal::DuplicateKey(..) => Code::DuplicateKey,
            Refusal::AnchorOrAlias(_) => Code::AnchorOrAlias,
            Refusal::MergeKey(_) => Code::MergeKey,
            Refusal::Tag(_) => Code::Tag,
            Refusal::KeyNotText(..) => Code::KeyNotText,
            Refusal::NotAMap(_)
            | Refusal::Schema { .. }
            | Refusal::Misplaced { .. }
            | Refusal::Wrapped { .. } => Code::ContractInvalid,
            Refusal::SectionMissing { .. } => Code::SectionMissing,
            Refusal::SectionForm(_) | Refusal::SignedMap(_) => Code::SectionForm,
            Refusal::TokenForm(..) => Code::TokenForm,
            Refusal::Sealed(_) => Code::BootInvalidContract,
            Refusal::SignatureForm(_) => Code::ContractInvalid,
            Refusal::SigningKey(..) => Code::SigningKeyForm,
            Refusal::ImageKey(..) => Code::ImageKeyForm,
            Refusal::ImageRule(..) => Code::ImageRuleForm,
            Refusal::VolumeUnmatched { .. } => Code::VolumeNames,
            Refusal::Unsupported { .. } => Code::UnsupportedField,
            Refusal::MountConflict(_) => Code::DuplicateMount,
            Refusal::MountReserved(_) => Code::ReservedMount,
            Refusal::NotACertificate(_) => Code::MissingPemBlock,
            Refusal::NotAPrivateKey(_) => Code::UnknownPrivateKeyType,
            Refusal::ClientCertificateMissing(_) => Code::MissingClientCertificate,
            Refusal::ClientKeyMissing(_) => Code::MissingPrivateKey,
            Refusal::ClientPair(_) => Code::ClientPairMismatch,
        }
    }

    /// Where.
    pub fn place(&self) -> &Place {
        match self {
            Refusal::TooLarge(place)
            | Refusal::NotUtf8(place)
            | Refusal::ControlCharacter(place)
            | Refusal::TooDeep(place)
            | Refusal::TooManyNodes(place)
            | Refusal::LineBreak(place)
            | Refusal::Syntax(place, _)
            | Refusal::Empty(place)
            | Refusal::Directive(place)
            | Refusal::SeveralDocuments(place)
            | Refusal::DuplicateKey(place, _)
            | Refusal::AnchorOrAlias(place)
            | Refusal::MergeKey(place)
            | Refusal::Tag(place)
            | Refusal::KeyNotText(place, _)
            | Refusal::NotAMap(place)
            | Refusal::SectionMissing { place, .. }
            | Refusal::TokenForm(place, _)
            | Refusal::Sealed(place)
            | Refusal::SignatureForm(place)
            | Refusal::SigningKey(place, _)
            | Refusal::ImageKey(place, _)
            | Refusal::ImageRule(place, _)
            | Refusal::NotACertificate(place)
            | Refusal::NotAPrivateKey(place)
            | Refusal::ClientCertificateMissing(place)
            | Refusal::ClientKeyMissing(place)
            | Refusal::ClientPair(place)
            | Refusal::SectionForm(place)
            | Refusal::SignedMap(place)
            | Refusal::Schema { place, .. }
            | Refusal::Misplaced { place, .. }
            | Refusal::Wrapped { place, .. }
            | Refusal::VolumeUnmatched { place, .. }
            | Refusal::Unsupported { place, .. }
            | Refusal::MountConflict(place)
            | Refusal::MountReserved(place) => place,
        }
    }

    /// What is expected at the place.
    pub fn expectation(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Refusal::TooLarge(_) => "expected at most 1048576 bytes",
            Refusal::NotUtf8(_) => "expected text in UTF-8",
            Refusal::ControlCharacter(_) => "expected no control characters",
            Refusal::TooDeep(_) => "expected at most 64 levels of maps and lists",
            Refusal::TooManyNodes(_) => "expected at most 16384 keys and values",
            Refusal::LineBreak(_) => "expected lines that end with LF or CRLF",
            Refusal::Syntax(..) => "expected valid yaml",
            Refusal::Empty(_) => "expected a yaml map, found nothing",
            Refusal::Directive(_) => "expected no yaml directive",
            Refusal::SeveralDocuments(_) => "expected one yaml document",
            Refusal::DuplicateKey(..) => "expected each key once in its map",
            Refusal::AnchorOrAlias(_) => "expected no anchor and no alias",
            Refusal::MergeKey(_) => "expected no merge key",
            Refusal::Tag(_) => "expected no tag",
            Refusal::KeyNotText(..) => "expected a string as key",
            Refusal::NotAMap(_) => "expected a map",
            Refusal::SectionMissing { name: SectionName::Workload, .. } => "expected the section workload",
            Refusal::SectionMissing { name: SectionName::Env, .. } => "expected the section env",
            Refusal::TokenForm(_, shape) => return Cow::Owned(shape.to_string()),
            Refusal::Sealed(_) => "expected a section that is not sealed, or the key that opens it",
            Refusal::SignatureForm(_) => "expected a signature in base64",
            Refusal::SigningKey(_, error) => return Cow::Owned(error.to_string()),
            Refusal::ImageKey(_, error) => return Cow::Owned(error.to_string()),
            Refusal::ImageRule(_, ImageRuleFault::NoKey) => "expected cosign-key or simple-signing-key",
            Refusal::ImageRule(_, ImageRuleFault::TwoKeys) => {
                "expected no simple-signing-key, because images.rhs has a key for this name"
            }
            Refusal::ImageRule(_, ImageRuleFault::Lookaside) => {
                "expected simple-signing-key, because lookaside is given"
            }
            Refusal::NotACertificate(_) => "expected one or more certificates as PEM, or base64 of that",
            Refusal::NotAPrivateKey(_) => "expected an unencrypted private key as PEM, or base64 of that",
            Refusal::ClientCertificateMissing(_) => "expected the field cert, because key is given",
            Refusal::ClientKeyMissing(_) => "expected the field key, because cert is given",
            Refusal::ClientPair(_) => "expected the private key of the client certificate",
            Refusal::SectionForm(place) => {
                if place.pointer.names().any(|name| name == "workload" || name == "env") {
                    "expected text, a token, or a map"
                } else {
                    "expected text"
                }
            }
            Refusal::SignedMap(_) => "expected text or a token, because the contract is signed",
            Refusal::Schema { expectation, .. } => expectation,
            Refusal::Misplaced { fields, slip, .. } => return Cow::Owned(slip.expectation(fields)),
            Refusal::Wrapped { name, found, .. } => {
                return Cow::Owned(format!(
                    "expected the fields of the section {name} here, and not below {found}"
                ));
            }
            Refusal::VolumeUnmatched { missing_in, .. } => {
                return Cow::Owned(format!("expected a volume of the same name in {missing_in}"));
            }
            Refusal::Unsupported { .. } => "expected no field that this version does not act on",
            Refusal::MountConflict(_) => "expected a mount point that no other volume has",
            Refusal::MountReserved(_) => "expected a mount point outside the guest's own folders",
        })
    }

    /// What would help: about this place, else the code's general remedy.
    pub fn hint(&self) -> Cow<'_, str> {
        match self {
            Refusal::Schema { hint, .. } => Cow::Borrowed(hint),
            Refusal::Misplaced { fields, slip, .. } => Cow::Owned(slip.hint(fields)),
            Refusal::Unsupported { hint, .. } => Cow::Borrowed(hint),
            Refusal::Wrapped { name, found, .. } if name == found => Cow::Owned(format!(
                "take the line that begins with {found}: out and indent the lines below it less, so that the text begins \
                 with type: {found}"
            )),
            Refusal::Wrapped { name, found, .. } => {
                Cow::Owned(format!("this is the section {found}: write the section {name} here"))
            }
            Refusal::SectionMissing { found: Some(found), name, .. } => {
                Cow::Owned(format!("there is {found}: is {name} meant?"))
            }
            Refusal::VolumeUnmatched { nearest: Some(name), missing_in, .. } => {
                Cow::Owned(format!("{missing_in} has a volume {name}: is it the same?"))
            }
            Refusal::TokenForm(_, shape) => Cow::Borrowed(shape.advice()),
            Refusal::ImageKey(_, ImageKeyError::Private) => Cow::Borrowed(
                "export the public key (gpg --armor --export, cosign public-key), and replace this private key: whoever read \
                 the contract has it",
            ),
            Refusal::ImageKey(_, ImageKeyError::NotOpenPgp) => {
                Cow::Borrowed("write the output of gpg --armor --export KEY | base64 -w0")
            }
            Refusal::KeyNotText(_, Some(cause)) => {
                Cow::Borrowed(cause.hint().unwrap_or(self.code().remedy()))
            }
            Refusal::DuplicateKey(_, Some(empty)) => Cow::Owned(format!(
                "it stands beside {empty}, which is empty: indent it deeper if it belongs below that, else keep one of the two \
                 entries"
            )),
            Refusal::Empty(place) if place.pointer != Pointer::root() => Cow::Borrowed(
                "write the fields of the section, in a contract each indented deeper than its name",
            ),
            Refusal::LineBreak(_) => Cow::Borrowed(Cause::LineBreak.hint().unwrap_or_default()),
            Refusal::Syntax(_, cause) => Cow::Borrowed(cause.hint().unwrap_or(self.code().remedy())),
            other => Cow::Borrowed(other.code().remedy()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.expectation())
    }
}

/// One line of a report: a refusal or a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The message code.
    pub code: Code,
    /// The severity of the code.
    pub severity: Severity,
    /// The text in which line and column count.
    pub section: Text,
    /// What it is about, from the contract's root.
    pub pointer: Pointer,
    /// Line, from one.
    pub line: Option<u32>,
    /// Column in characters, from one.
    pub column: Option<u32>,
    /// What is expected, or what was noticed.
    pub message: String,
    /// What would help.
    pub hint: Option<String>,
}

impl Finding {
    /// What the code itself says, and its remedy.
    pub fn of(code: Code, place: Place) -> Finding {
        Finding::with(code, place, code.text())
    }

    /// A message of its own, and the remedy of the code.
    pub fn with(code: Code, place: Place, message: impl Into<String>) -> Finding {
        Finding::new(code, place, message, Some(code.remedy().to_owned()))
    }

    /// A finding with the severity of `code`.
    pub fn new(code: Code, place: Place, message: impl Into<String>, hint: Option<String>) -> Finding {
        let Place { text, pointer, mark } = place;
        Finding {
            code,
            severity: code.severity(),
            section: text,
            pointer,
            line: mark.map(|Mark { line, .. }| line),
            column: mark.map(|Mark { column, .. }| column),
            message: message.into(),
            hint,
        }
    }
}

impl From<&Refusal> for Finding {
    fn from(refusal: &Refusal) -> Finding {
        Finding::new(
            refusal.code(),
            refusal.place().clone(),
            refusal.expectation(),
            Some(refusal.hint().into_owned()),
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.pointer)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, " ({} line {line}, column {column})", self.section.as_str())?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}
