//! The outer shape of a contract: two sections, each text, token or map, and two optional keys.
//!
//! Splits the contract without looking into the sections and keeps the strings exactly as they stand, because
//! the signature and the attestation record are over those. It does not unseal (that needs the image key) and
//! does not verify (that needs the signing key, which is inside the env section).
//!
//! Accepted beyond the documents: a section may be a nested map, as some public tools write it. Such a section
//! has no string that could be signed or hashed, so a signed contract with one is refused.

use countersign_crypto::secret::SectionText;
use countersign_crypto::section_token::{SectionToken, looks_like_token};
use zeroize::Zeroizing;

use crate::code::Code;
use crate::nearest::nearest;
use crate::place::{Lines, Mark, Origin, Place, Pointer, SectionName, Text, count};
use crate::refusal::{Finding, MAX_REPORTED, Refusal};
use crate::yaml::{self, Data, Entry, Style, Value};

/// The keys of the top level.
const KEYS: [&str; 4] = ["workload", "env", "attestationPublicKey", "envWorkloadSignature"];

/// A contract taken apart, its sections still as they stand.
#[derive(Debug)]
pub struct Envelope {
    workload: Section,
    env: Section,
    attestation_public_key: Option<AttestationKey>,
    signature: Option<String>,
    warnings: Vec<Finding>,
}

/// One section as it stands in the contract.
#[derive(Debug)]
pub struct Section {
    name: SectionName,
    content: Content,
    place: Place,
}

/// The three ways to write a section.
enum Content {
    Token(Zeroizing<String>, SectionToken),
    Text(Zeroizing<String>, Origin),
    Map(Value),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Content::Token(..) => "token",
            Content::Text(..) => "text",
            Content::Map(_) => "map",
        })
    }
}

/// How a section is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Encrypted to the image.
    Token,
    /// YAML text in a string.
    Text,
    /// A map instead of a string.
    Map,
}

/// The public key of the auditor, to which the attestation record is encrypted.
#[derive(Debug)]
pub struct AttestationKey {
    raw: String,
    token: Option<SectionToken>,
    place: Place,
}

/// A section as values: the input of the schema.
#[derive(Debug)]
pub struct SectionTree {
    pub(crate) name: SectionName,
    pub(crate) text: Text,
    pub(crate) value: Value,
}

impl SectionTree {
    /// A copy of `env` that holds its kind and `logging` and nothing else; wiped on drop.
    pub fn log_part(&self) -> SectionTree {
        let kind = Entry {
            key: String::from("type").into(),
            key_mark: self.value.mark(),
            value: Value {
                data: Data::Text(String::from("env").into(), Style::Quoted),
                mark: self.value.mark(),
            },
        };
        let logging = self.value.entry("logging").map(|entry| Entry {
            key: entry.key.clone(),
            key_mark: entry.key_mark,
            value: entry.value.duplicate(),
        });
        let data = Data::Map(std::iter::once(kind).chain(logging).collect());
        SectionTree { name: self.name, text: self.text, value: Value { data, mark: self.value.mark() } }
    }
}

impl Envelope {
    /// Takes a contract apart.
    ///
    /// # Errors
    /// The first thing that is wrong with the text or its outer shape.
    pub fn parse(bytes: &[u8]) -> Result<Envelope, Refusal> {
        let mut value = yaml::parse(bytes, &Origin::contract())?;
        let place = |pointer: Pointer, mark| Place { text: Text::Contract, pointer, mark: Some(mark) };
        if !value.is_map() {
            return Err(Refusal::NotAMap(place(Pointer::root(), value.mark())));
        }
        // The text is UTF-8, or the parser would have refused it.
        let source = std::str::from_utf8(bytes).unwrap_or_default();
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        let whole = value.mark();
        let unknown: Vec<&Entry> =
            value.entries().iter().filter(|entry| !KEYS.contains(&entry.key.as_str())).collect();
        let misspelled = |name: SectionName| {
            unknown
                .iter()
                .find(|entry| nearest(&entry.key, [name.as_str()]).is_some())
                .map(|e| e.key.to_string())
        };
        for name in [SectionName::Workload, SectionName::Env] {
            if value.get(name.as_str()).is_none() {
                let place = place(Pointer::section(name), whole);
                return Err(Refusal::SectionMissing { place, name, found: misspelled(name) });
            }
        }
        let warnings = unknown
            .iter()
            .take(MAX_REPORTED)
            .map(|entry| {
                unknown_key(place(Pointer::root().child(&entry.key), entry.key_mark), &entry.key, &KEYS)
            })
            .collect();
        let signature = text_of(&value, "envWorkloadSignature")?;
        if let Some((text, place)) = &signature {
            let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
            let mut bytes = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).peekable();
            if bytes.peek().is_none() || !bytes.all(base64) {
                return Err(Refusal::SignatureForm(place.clone()));
            }
        }
        let attestation_public_key = match text_of(&value, "attestationPublicKey")? {
            Some((raw, place)) => {
                let token = token_of(&raw, &place)?;
                Some(AttestationKey { raw, token, place })
            }
            None => None,
        };
        let mut section = |name: SectionName| -> Result<Section, Refusal> {
            let Some(entry) = take(&mut value, name.as_str()) else {
                let place = place(Pointer::section(name), whole);
                return Err(Refusal::SectionMissing { place, name, found: None });
            };
            let section = Section::of(name, entry, source)?;
            if signature.is_some() && section.form() == Form::Map {
                return Err(Refusal::SignedMap(section.place));
            }
            Ok(section)
        };
        Ok(Envelope {
            workload: section(SectionName::Workload)?,
            env: section(SectionName::Env)?,
            attestation_public_key,
            signature: signature.map(|(text, _)| text),
            warnings,
        })
    }

    /// One of the sections.
    pub fn section(&self, name: SectionName) -> &Section {
        match name {
            SectionName::Workload => &self.workload,
            SectionName::Env => &self.env,
        }
    }

    /// The workload section.
    pub fn workload(&self) -> &Section {
        &self.workload
    }

    /// The env section.
    pub fn env(&self) -> &Section {
        &self.env
    }

    /// The auditor's key, if the contract names one.
    pub fn attestation_public_key(&self) -> Option<&AttestationKey> {
        self.attestation_public_key.as_ref()
    }

    /// The signature over both sections, base64 with whatever white space it came with.
    pub fn signature(&self) -> Option<&str> {
        self.signature.as_deref()
    }

    /// The strings that a signature is over, workload first; none if a section is a map.
    pub fn signed_strings(&self) -> Option<(&str, &str)> {
        Some((self.workload.raw()?, self.env.raw()?))
    }

    /// What the attestation record hashes of the contract: each name with the string whose SHA-256 goes there,
    /// exactly as it stands in the contract. A section written as a map has no string and is not listed; the
    /// hash of the whole `user-data` covers it.
    pub fn attested(&self) -> Vec<(&'static str, &str)> {
        [
            ("contract:workload", self.workload.raw()),
            ("contract:env", self.env.raw()),
            ("contract:attestationPublicKey", self.attestation_public_key().map(AttestationKey::raw)),
            ("contract:envWorkloadSignature", self.signature()),
        ]
        .into_iter()
        .filter_map(|(name, raw)| raw.map(|raw| (name, raw)))
        .collect()
    }

    /// Unknown keys at the top level: HPCR lets them pass, so do we.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }
}

impl Section {
    fn of(name: SectionName, entry: Entry, source: &str) -> Result<Section, Refusal> {
        let mark = entry.value.mark();
        let place = Place { text: Text::Contract, pointer: Pointer::section(name), mark: Some(mark) };
        let content = match (entry.value.as_text(), entry.value.style()) {
            (Some(text), Some(style)) => {
                let token = token_of(text, &place)?;
                let raw = Zeroizing::new(text.to_owned());
                match token {
                    Some(token) => Content::Token(raw, token),
                    None => Content::Text(raw, scalar_origin(name, text, style, mark, source)),
                }
            }
            _ if entry.value.is_map() => Content::Map(entry.value),
            _ => return Err(Refusal::SectionForm(place)),
        };
        Ok(Section { name, content, place })
    }

    /// Which section it is.
    pub fn name(&self) -> SectionName {
        self.name
    }

    /// How it is written.
    pub fn form(&self) -> Form {
        match self.content {
            Content::Token(..) => Form::Token,
            Content::Text(..) => Form::Text,
            Content::Map(_) => Form::Map,
        }
    }

    /// Where it stands in the contract.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The string as it stands in the contract; none for a map.
    pub fn raw(&self) -> Option<&str> {
        match &self.content {
            Content::Token(raw, _) | Content::Text(raw, _) => Some(raw),
            Content::Map(_) => None,
        }
    }

    /// The token to open, if the section is sealed.
    pub fn token(&self) -> Option<&SectionToken> {
        match &self.content {
            Content::Token(_, token) => Some(token),
            _ => None,
        }
    }

    /// The values of this section: from the unsealed text if it is a token, else from what stands here.
    ///
    /// # Errors
    /// What is wrong with the text; [`Refusal::Sealed`] if the section is sealed and no text is given.
    pub fn tree(&self, unsealed: Option<&SectionText>) -> Result<SectionTree, Refusal> {
        let name = self.name;
        match (&self.content, unsealed) {
            (Content::Token(..), Some(text)) => SectionTree::unsealed(name, text),
            (Content::Token(..), None) => Err(Refusal::Sealed(self.place.clone())),
            (Content::Text(raw, origin), _) => {
                let value = yaml::parse(raw.as_bytes(), origin)?;
                Ok(SectionTree { name, text: Text::Contract, value })
            }
            (Content::Map(value), _) => {
                Ok(SectionTree { name, text: Text::Contract, value: value.duplicate() })
            }
        }
    }
}

impl SectionTree {
    /// Reads the text of a section that was sealed. Places are those in that text.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn unsealed(name: SectionName, text: &SectionText) -> Result<SectionTree, Refusal> {
        let value = yaml::parse(text.expose().as_bytes(), &Origin::unsealed(name))?;
        Ok(SectionTree { name, text: Text::Section(name), value })
    }

    /// Which section it is.
    pub fn name(&self) -> SectionName {
        self.name
    }

    /// The signing key of an env section as text, before anything else of it is looked at: the signature is
    /// verified before the schema.
    ///
    /// # Errors
    /// [`Refusal::Schema`], when `signingKey` is there and is not a string.
    pub fn signing_key(&self) -> Result<Option<&str>, Refusal> {
        match self.value.get("signingKey") {
            None => Ok(None),
            Some(value) => match value.as_text() {
                Some(text) => Ok(Some(text)),
                None => Err(Refusal::Schema {
                    place: self.place_of("signingKey"),
                    expectation: "expected a public key or certificate as PEM, or base64 of that".into(),
                    hint: Code::SigningKeyForm.remedy().into(),
                }),
            },
        }
    }

    /// The place of the policy, if it sets conditions on what others write.
    pub fn policy_place(&self) -> Option<Place> {
        let policy = self.value.get("countersign")?.get("policy")?;
        let conditions = ["signing-keys", "env", "log-servers", "log-authorities"];
        conditions.iter().any(|name| policy.get(name).is_some()).then(|| Place {
            text: self.text,
            pointer: Pointer::section(self.name).child("countersign").child("policy"),
            mark: Some(policy.mark()),
        })
    }

    /// The place of the field `name`, or of the section if there is none.
    pub fn place_of(&self, name: &str) -> Place {
        let mark = self.value.get(name).map_or(self.value.mark(), Value::mark);
        Place { text: self.text, pointer: Pointer::section(self.name).child(name), mark: Some(mark) }
    }
}

impl AttestationKey {
    /// The string as it stands in the contract.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The token to open, if the key is sealed.
    pub fn token(&self) -> Option<&SectionToken> {
        self.token.as_ref()
    }

    /// Where it stands.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

/// The warning about a key that is not known.
pub(crate) fn unknown_key(place: Place, key: &str, known: &[&str]) -> Finding {
    let hint = match nearest(key, known.iter().copied()) {
        Some(name) => format!("is {name} meant?"),
        None => Code::UnknownKey.remedy().to_owned(),
    };
    Finding::new(Code::UnknownKey, place, "unknown key, ignored", Some(hint))
}

/// Removes an entry from a map and returns it.
fn take(map: &mut Value, key: &str) -> Option<Entry> {
    let yaml::Data::Map(entries) = &mut map.data else { return None };
    let index = entries.iter().position(|entry| *entry.key == key)?;
    Some(entries.swap_remove(index))
}

/// A top-level value that must be a string.
fn text_of(map: &Value, key: &str) -> Result<Option<(String, Place)>, Refusal> {
    let Some(value) = map.get(key) else { return Ok(None) };
    let place = Place { text: Text::Contract, pointer: Pointer::root().child(key), mark: Some(value.mark()) };
    match value.as_text() {
        Some(text) => Ok(Some((text.to_owned(), place))),
        None => Err(Refusal::SectionForm(place)),
    }
}

/// The token that a string is, if it begins as one.
fn token_of(text: &str, place: &Place) -> Result<Option<SectionToken>, Refusal> {
    if !looks_like_token(text) {
        return Ok(None);
    }
    SectionToken::parse(text).map(Some).map_err(|shape| Refusal::TokenForm(place.clone(), shape))
}

/// How lines inside a scalar translate into lines of the contract.
fn scalar_origin(name: SectionName, text: &str, style: Style, mark: Mark, source: &str) -> Origin {
    let lines = match style {
        Style::Literal => literal_lines(text, mark, source).unwrap_or(Lines::Scalar(mark)),
        _ => Lines::Scalar(mark),
    };
    Origin { text: Text::Contract, base: Pointer::section(name), lines }
}

/// A literal block starts on the line after its header; its indentation is what its first line with content
/// has in the file and not in the value. The parser's mark is somewhere from the header to that line, so the
/// header is looked for between.
fn literal_lines(text: &str, mark: Mark, source: &str) -> Option<Lines> {
    let (blank, first) = text.lines().enumerate().find(|(_, line)| !line.trim().is_empty())?;
    let lowest = mark.line.saturating_sub(count(blank) + 1).max(1);
    (lowest..=mark.line).rev().find_map(|header| {
        let mut from_header = source.lines().skip(usize::try_from(header).ok()? - 1);
        if !from_header.next()?.contains('|') {
            return None;
        }
        let indentation = from_header.nth(blank)?.strip_suffix(first)?;
        let columns = count(indentation.len());
        indentation.bytes().all(|byte| byte == b' ').then_some(Lines::Block { lines: header, columns })
    })
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn place(contract: &str) -> (u32, u32) {
        let envelope = Envelope::parse(contract.as_bytes()).expect("envelope");
        let tree = envelope.workload().tree(None).expect("tree");
        let mark = tree.value.entry("b").expect("the entry").key_mark;
        (mark.line, mark.column)
    }

    #[test]
    fn lines_of_plain_sections_are_those_of_the_file() {
        for (contract, expected) in [
            ("workload: |\n  a: 1\n  b: 2\nenv: x\n", (3, 3)),
            ("workload: |-\n    a: 1\n    b: 2\nenv: x\n", (3, 5)),
            ("workload: | # with | in a comment\n  a: 1\n  b: 2\nenv: x\n", (3, 3)),
            ("workload: |\n\n\n  # c | d\n  b: 2\nenv: x\n", (5, 3)),
            ("workload: |2\n   # c\n  b: 2\nenv: x\n", (3, 3)),
            ("workload:\n  |\n  a: 1\n  b: 2\nenv: x\n", (4, 3)),
            ("env: x\nworkload: |+\r\n  a: 1\r\n  b: 2\r\n", (4, 3)),
            ("\u{feff}workload: |\n  b: 2\nenv: x\n", (2, 3)),
            ("workload:\n  a: 1\n  b: 2\nenv: x\n", (3, 3)),
            // Quoted and folded text has no lines of its own in the file: the scalar's place stands for all.
            ("workload: \"a: 1\\nb: 2\"\nenv: x\n", (1, 11)),
        ] {
            assert_eq!(place(contract), expected, "{contract:?}");
        }
    }

    #[test]
    fn strings_stay_as_they_stand() {
        let text = "workload: |\n  a: 1\nenv: hyper-protect-basic.QUJD.REVG\nenvWorkloadSignature: |\n  QUJD\n  REVG\nattestationPublicKey: k\n";
        let envelope = Envelope::parse(text.as_bytes()).expect("envelope");
        assert_eq!(envelope.signed_strings(), Some(("a: 1\n", "hyper-protect-basic.QUJD.REVG")));
        assert_eq!((envelope.workload().form(), envelope.env().form()), (Form::Text, Form::Token));
        let attested = [
            ("contract:workload", "a: 1\n"),
            ("contract:env", "hyper-protect-basic.QUJD.REVG"),
            ("contract:attestationPublicKey", "k"),
            ("contract:envWorkloadSignature", "QUJD\nREVG\n"),
        ];
        assert_eq!(envelope.attested(), attested);
    }

    #[test]
    fn the_unsealed_text_counts_its_own_lines() {
        let text = SectionText::copy_from("a: 1\na: 2\n");
        let refusal = SectionTree::unsealed(SectionName::Env, &text).expect_err("a key twice");
        assert_eq!(refusal.to_string(), "/env/a (env line 2, column 1): expected each key once in its map");
    }
}
