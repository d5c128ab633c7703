//! The outer shape of a contract: two sections, each text, token or map, and two optional keys.
//!
//! Splits the contract without looking into the sections and keeps the strings exactly as they stand, because
//! the signature and the attestation record are over those. It does not unseal (that needs the image key) and
//! does not verify (that needs the signing key, which is inside the env section).
//!
//! Accepted beyond the documents: a section may be a nested map, as some public tools write it. Such a section
//! has no string that could be signed or hashed, so a signed contract with one is refused.

mod amend;
mod section;

use countersign_crypto::section_token::{SectionToken, lacks_prefix, looks_like_token};

use crate::code::Code;
use crate::nearest::nearest;
use crate::place::{Mark, Origin, Place, Pointer, SectionName, Text};
use crate::refusal::{Finding, MAX_REPORTED, Refusal, Slip};
use crate::schema;
use crate::yaml::{self, Entry, Value};

pub use section::{Form, Section, SectionTree};

/// The keys of the top level.
const KEYS: [&str; 4] = ["workload", "env", ATTESTATION_KEY, SIGNATURE];
const ATTESTATION_KEY: &str = "attestationPublicKey";
const SIGNATURE: &str = "envWorkloadSignature";

/// A contract taken apart, its sections still as they stand.
#[derive(Debug)]
pub struct Envelope {
    workload: Section,
    env: Section,
    attestation_public_key: Option<AttestationKey>,
    signature: Option<String>,
    warnings: Vec<Finding>,
}

/// The public key of the auditor, to which the attestation record is encrypted.
#[derive(Debug)]
pub struct AttestationKey {
    raw: String,
    token: Option<SectionToken>,
    place: Place,
}

impl Envelope {
    /// Takes a contract apart.
    ///
    /// # Errors
    /// What is wrong with the text, or else everything that is wrong with its outer shape; never empty.
    pub fn parse(bytes: &[u8]) -> Result<Envelope, Vec<Refusal>> {
        let Parts { workload, env, attestation_public_key, signature, warnings } = Parts::of(bytes)?;
        match (workload, env, signature, attestation_public_key) {
            (Ok(workload), Ok(env), Ok(signature), Ok(attestation_public_key)) => {
                Ok(Envelope { workload, env, attestation_public_key, signature, warnings })
            }
            (workload, env, signature, key) => {
                Err([workload.err(), env.err(), signature.err(), key.err()].into_iter().flatten().collect())
            }
        }
    }

    /// The sections of a contract that [`Envelope::parse`] refuses, as far as they can be told, workload first: for the
    /// author's desk, which goes on with what is left.
    pub fn remains(bytes: &[u8]) -> [Option<Section>; 2] {
        Parts::of(bytes).map(|parts| [parts.workload.ok(), parts.env.ok()]).unwrap_or_default()
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

    /// Where the signature stands, or should.
    pub fn signature_place() -> Place {
        Place { text: Text::Contract, pointer: Pointer::root().child(SIGNATURE), mark: None }
    }

    /// Whether anything in the contract is sealed.
    pub fn is_sealed(&self) -> bool {
        self.tokens().next().is_some()
    }

    /// Whether anything in it is an old token, whose text whoever holds it can alter without its key.
    pub fn is_malleable(&self) -> bool {
        self.tokens().any(|token| !token.is_authenticated())
    }

    fn tokens(&self) -> impl Iterator<Item = &SectionToken> {
        let auditor = self.attestation_public_key().and_then(AttestationKey::token);
        [self.workload.token(), self.env.token(), auditor].into_iter().flatten()
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

/// The outer shape of a contract, each part right or wrong.
struct Parts {
    workload: Result<Section, Refusal>,
    env: Result<Section, Refusal>,
    attestation_public_key: Result<Option<AttestationKey>, Refusal>,
    signature: Result<Option<String>, Refusal>,
    warnings: Vec<Finding>,
}

impl Parts {
    fn of(bytes: &[u8]) -> Result<Parts, Vec<Refusal>> {
        let mut value = yaml::parse(bytes, &Origin::contract()).map_err(|refusal| vec![refusal])?;
        let whole = value.mark();
        let place = |pointer: Pointer, mark| Place { text: Text::Contract, pointer, mark: Some(mark) };
        if !value.is_map() {
            return Err(vec![Refusal::NotAMap(place(Pointer::root(), whole))]);
        }
        // The text is UTF-8, or the parser would have refused it.
        let source = std::str::from_utf8(bytes).unwrap_or_default();
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        let unknown: Vec<(String, Mark)> = value
            .entries()
            .iter()
            .filter(|entry| !KEYS.contains(&entry.key.as_str()))
            .map(|entry| (entry.key.to_string(), entry.key_mark))
            .collect();
        let emptied = emptied(&value);
        let signed = value.get(SIGNATURE).is_some();
        let signature = signature_of(&value);
        let attestation_public_key = AttestationKey::of(&value);
        let mut section = |name: SectionName| {
            let Some(entry) = take(&mut value, name.as_str()) else {
                let misspelled = |(key, _): &&(String, Mark)| nearest(key, [name.as_str()]).is_some();
                let found = unknown.iter().find(misspelled).map(|(key, _)| key.clone());
                let place = place(Pointer::section(name), whole);
                return Err(Refusal::SectionMissing { place, name, found });
            };
            if let Some(misplaced) = emptied.iter().find(|(emptied, _)| *emptied == name) {
                return Err(misplaced.1.clone());
            }
            let section = Section::of(name, entry, source)?;
            if signed && section.form() == Form::Map {
                return Err(Refusal::SignedMap(section.place().clone()));
            }
            Ok(section)
        };
        let workload = section(SectionName::Workload);
        let env = section(SectionName::Env);
        Ok(Parts { workload, env, attestation_public_key, signature, warnings: unknown_keys(&unknown) })
    }
}

impl AttestationKey {
    fn of(map: &Value) -> Result<Option<AttestationKey>, Refusal> {
        let Some((raw, place)) = text_of(map, ATTESTATION_KEY)? else { return Ok(None) };
        let token = token_of(&raw, &place)?;
        Ok(Some(AttestationKey { raw, token, place }))
    }

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

/// The warnings about keys of the top level that are not known. HPCR lets them pass, so do we.
fn unknown_keys(unknown: &[(String, Mark)]) -> Vec<Finding> {
    if unknown.is_empty() {
        return Vec::new();
    }
    let sections = [SectionName::Workload, SectionName::Env].map(|name| (name, schema::fields(name)));
    let warning = |(key, mark): &(String, Mark)| {
        let place = Place { text: Text::Contract, pointer: Pointer::root().child(key), mark: Some(*mark) };
        let mut finding = unknown_key(place, key, &KEYS);
        let homes: Vec<&str> = sections
            .iter()
            .filter(|(_, fields)| fields.contains(key))
            .map(|(name, _)| name.as_str())
            .collect();
        if !homes.is_empty() {
            finding.hint = Some(format!(
                "{key} is a field of {}: indent it deeper, below its section",
                homes.join(" and ")
            ));
        }
        finding
    };
    unknown.iter().take(MAX_REPORTED).map(warning).collect()
}

/// Sections in which nothing stands, because their fields stand beside them.
fn emptied(map: &Value) -> Vec<(SectionName, Refusal)> {
    let mut found = Vec::new();
    for name in [SectionName::Workload, SectionName::Env] {
        let mut behind = map.entries().iter().skip_while(|entry| *entry.key != name.as_str());
        let Some(_) = behind.next().filter(|section| is_empty(&section.value)) else { continue };
        let beside: Vec<&Entry> =
            behind.take_while(|entry| !KEYS.contains(&entry.key.as_str())).take(MAX_REPORTED).collect();
        let fields = if beside.is_empty() { Vec::new() } else { schema::fields(name) };
        let own: Vec<&Entry> = beside.into_iter().filter(|entry| fields.contains(&*entry.key)).collect();
        if let Some(first) = own.first() {
            let refusal = Refusal::Misplaced {
                place: Place {
                    text: Text::Contract,
                    pointer: Pointer::root().child(&first.key),
                    mark: Some(first.key_mark),
                },
                fields: own.iter().map(|entry| entry.key.to_string()).collect(),
                slip: Slip::Beside { home: name.as_str().to_owned(), directly: true },
            };
            found.push((name, refusal));
        }
    }
    found
}

/// Whether a section holds nothing, however that is written.
fn is_empty(section: &Value) -> bool {
    section.is_null() || section.as_text().is_some_and(|text| text.trim().is_empty())
}

/// Removes an entry from a map and returns it.
fn take(map: &mut Value, key: &str) -> Option<Entry> {
    let yaml::Data::Map(entries) = &mut map.data else { return None };
    let index = entries.iter().position(|entry| *entry.key == key)?;
    Some(entries.swap_remove(index))
}

/// The signature, if there is one: base64 with whatever white space it came with.
fn signature_of(map: &Value) -> Result<Option<String>, Refusal> {
    let Some((text, place)) = text_of(map, SIGNATURE)? else { return Ok(None) };
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    let mut bytes = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).peekable();
    if bytes.peek().is_none() || !bytes.all(base64) {
        return Err(Refusal::SignatureForm(place));
    }
    Ok(Some(text))
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
    // What has the parts of a token is neither a section nor a key.
    if !looks_like_token(text) && !lacks_prefix(text) {
        return Ok(None);
    }
    SectionToken::parse(text).map(Some).map_err(|shape| Refusal::TokenForm(place.clone(), shape))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use countersign_crypto::secret::SectionText;

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
