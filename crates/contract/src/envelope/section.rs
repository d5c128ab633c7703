//! One section of a contract: as it stands there, and as values.
//!
//! Knows where each line of a section stands in the file. It does not judge the values: that is the schema's.

use countersign_crypto::secret::SectionText;
use countersign_crypto::section_token::SectionToken;
use zeroize::Zeroizing;

use super::token_of;
use crate::code::Code;
use crate::place::{Lines, Mark, Origin, Place, Pointer, SectionName, Text, count};
use crate::refusal::Refusal;
use crate::yaml::{self, Data, Entry, Style, Value};

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

/// A section as values: the input of the schema.
#[derive(Debug)]
pub struct SectionTree {
    pub(crate) name: SectionName,
    pub(crate) text: Text,
    pub(crate) value: Value,
}

impl SectionTree {
    /// A copy of `env` that holds its kind, `logging`, `countersign.log-router`, and nothing else; wiped on drop.
    pub fn log_part(&self) -> SectionTree {
        let mark = self.value.mark();
        let made = |key: &str, data| Entry {
            key: String::from(key).into(),
            key_mark: mark,
            value: Value { data, mark },
        };
        let copy = |entry: &Entry| Entry {
            key: entry.key.clone(),
            key_mark: entry.key_mark,
            value: entry.value.duplicate(),
        };
        let kind = made("type", Data::Text(String::from("env").into(), Style::Quoted));
        let logging = self.value.entry("logging").map(copy);
        let own = self.value.get("countersign").and_then(|own| own.entry("log-router")).map(copy);
        let own = own.map(|entry| made("countersign", Data::Map(vec![entry])));
        let data = Data::Map([Some(kind), logging, own].into_iter().flatten().collect());
        SectionTree { name: self.name, text: self.text, value: Value { data, mark } }
    }
}

impl Section {
    pub(super) fn of(name: SectionName, entry: Entry, source: &str) -> Result<Section, Refusal> {
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

    /// Whether it is an old token, whose text whoever holds it can alter without its key.
    pub fn is_malleable(&self) -> bool {
        self.token().is_some_and(|token| !token.is_authenticated())
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
        let conditions = ["signing-keys", "env", "log-servers", "log-authorities", "reach", "registries"];
        self.policy(|policy| conditions.iter().any(|name| policy.get(name).is_some()))
    }

    /// The place of the policy, if it demands a signature.
    pub fn signature_demand(&self) -> Option<Place> {
        self.policy(|policy| policy.get("unsigned").and_then(Value::as_text) == Some("refuse"))
    }

    fn policy(&self, says: impl FnOnce(&Value) -> bool) -> Option<Place> {
        let policy = self.value.get("countersign")?.get("policy")?;
        says(policy).then(|| Place {
            text: self.text,
            pointer: Pointer::section(self.name).child("countersign").child("policy"),
            mark: Some(policy.mark()),
        })
    }

    /// The place of the field `name`, or of the section where the field is missing.
    pub fn place_of(&self, name: &str) -> Place {
        let mark = self.value.get(name).map_or(self.value.mark(), Value::mark);
        Place { text: self.text, pointer: Pointer::section(self.name).child(name), mark: Some(mark) }
    }
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
