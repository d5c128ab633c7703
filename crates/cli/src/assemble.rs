//! The sections of a folder: their files, the folder that is packed into the workload, and a certificate that becomes the
//! signingKey of the env.
//!
//! What stands in the way is said at the line of the file where it stands. The text that is put together here has lines
//! that nobody has written, and no message may name one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_contract::code::Code;
use countersign_contract::place::{Mark, Origin, Place, Pointer, SectionName, Text};
use countersign_contract::refusal::{Finding, Refusal};
use countersign_contract::yaml::{self, Value};
use countersign_crypto::section_token::looks_like_token;
use zeroize::Zeroizing;

/// The fields of which a workload has one.
const KINDS: [&str; 3] = ["compose", "play", "confidential-containers"];

/// A folder as archive, by the name of the field.
#[derive(Debug)]
pub(crate) struct Packed {
    pub name: &'static str,
    /// Base64 of the archive.
    pub archive: String,
}

/// The text of `workload.yaml` with the archive at its end, so that every line of the file keeps its number.
///
/// # Errors
/// Why they do not make one section.
pub(crate) fn assemble(text: &str, packed: &[Packed]) -> Result<Zeroizing<String>, Finding> {
    if let Some(sealed) = sealed(SectionName::Workload, text) {
        return Err(sealed);
    }
    let [Packed { name, archive }] = packed else {
        return match packed {
            [] => Ok(Zeroizing::new(text.to_owned())),
            _ => Err(several(packed)),
        };
    };
    let own = parse(SectionName::Workload, text)?;
    if let Some(finding) = given(&own, name) {
        return Err(finding);
    }
    let added = |indentation: &str| format!("{indentation}{name}:\n{indentation}  archive: {archive}\n");
    append(SectionName::Workload, text, &own, &format!("{name}, the packed folder,"), added)
}

/// The text of `env.yaml` with a certificate, PEM, as its signingKey at the end.
///
/// # Errors
/// Why they do not make one section.
pub(crate) fn sign_with(text: &str, certificate: Option<&str>) -> Result<Zeroizing<String>, Finding> {
    if let Some(sealed) = sealed(SectionName::Env, text) {
        return Err(sealed);
    }
    let Some(certificate) = certificate else { return Ok(Zeroizing::new(text.to_owned())) };
    let own = parse(SectionName::Env, text)?;
    if let Some(entry) = own.entry("signingKey") {
        let pointer = Pointer::section(SectionName::Env).child("signingKey");
        return Err(Finding::new(
            Code::DuplicateKey,
            place(SectionName::Env, pointer, entry.key_mark),
            "expected signingKey in env.yaml or --signing-cert, which becomes it, and not both",
            Some("remove signingKey from env.yaml, or leave --signing-cert out".into()),
        ));
    }
    let encoded = STANDARD.encode(certificate);
    let added = |indentation: &str| format!("{indentation}signingKey: \"{encoded}\"\n");
    append(SectionName::Env, text, &own, "signingKey, the certificate of --signing-cert,", added)
}

/// The text with lines behind it, which are given their indentation. `what` they are.
fn append(
    section: SectionName,
    text: &str,
    own: &Value,
    what: &str,
    added: impl Fn(&str) -> String,
) -> Result<Zeroizing<String>, Finding> {
    let indentation = " ".repeat(usize::try_from(own.mark().column).unwrap_or(1).saturating_sub(1));
    let added = added(&indentation);
    let mut whole = Zeroizing::new(String::with_capacity(text.len() + added.len() + 1));
    whole.push_str(text);
    if !whole.ends_with('\n') {
        whole.push('\n');
    }
    whole.push_str(&added);
    match yaml::parse(whole.as_bytes(), &Origin::unsealed(section)) {
        Ok(added) if added.entries().len() == own.entries().len() + 1 => Ok(whole),
        // It has no line.
        Err(Refusal::TooLarge(_)) => Ok(whole),
        _ => Err(Finding::new(
            Code::ContractInvalid,
            place(section, Pointer::section(section), own.mark()),
            format!("expected fields to which {what} can be added"),
            Some("write each field on a line of its own, without braces around them all and without ... at the end".into()),
        )),
    }
}

/// The refusal of a file that is a token.
pub(crate) fn sealed(name: SectionName, text: &str) -> Option<Finding> {
    let mark = Mark { line: 1, column: 1 };
    looks_like_token(text).then(|| {
        Finding::new(
            Code::SectionForm,
            Place { text: Text::Section(name), pointer: Pointer::section(name), mark: Some(mark) },
            format!("expected the plain text of the section in {name}.yaml, found it sealed"),
            Some("give the text that was sealed, or write both tokens into a contract of their own and sign that".into()),
        )
    })
}

/// The map that a file holds.
fn parse(section: SectionName, text: &str) -> Result<Value, Finding> {
    let own = yaml::parse(text.as_bytes(), &Origin::unsealed(section));
    let own = own.map_err(|refusal| Finding::from(&refusal))?;
    if !own.is_map() {
        let place = place(section, Pointer::section(section), own.mark());
        return Err(Finding::from(&Refusal::NotAMap(place)));
    }
    Ok(own)
}

fn place(section: SectionName, pointer: Pointer, mark: Mark) -> Place {
    Place { text: Text::Section(section), pointer, mark: Some(mark) }
}

fn several(packed: &[Packed]) -> Finding {
    let names: Vec<&str> = packed.iter().map(|packed| packed.name).collect();
    Finding::new(
        Code::ContractInvalid,
        Place {
            text: Text::Section(SectionName::Workload),
            pointer: Pointer::section(SectionName::Workload),
            mark: None,
        },
        format!("expected only one of the folders {}", names.join(" and ")),
        Some("remove one of them: each is packed into the field of its name, and a workload has one".into()),
    )
}

/// What the file has already that the folder is packed into, or that stands in its place.
fn given(own: &Value, name: &str) -> Option<Finding> {
    let workload = Pointer::section(SectionName::Workload);
    if let Some(entry) = own.entry(name) {
        let (field, at) = match entry.value.entry("archive") {
            Some(archive) => (
                format!("{name}.archive"),
                place(SectionName::Workload, workload.child(name).child("archive"), archive.key_mark),
            ),
            None => (name.to_owned(), place(SectionName::Workload, workload.child(name), entry.key_mark)),
        };
        return Some(Finding::new(
            Code::DuplicateKey,
            at,
            format!(
                "expected {field} in workload.yaml or the folder {name}, which is packed into it, and not both"
            ),
            Some(format!("remove one of them: {name} from workload.yaml, or the folder {name}")),
        ));
    }
    let other = own.entries().iter().find(|entry| KINDS.contains(&entry.key.as_str()))?;
    let kind = other.key.as_str();
    Some(Finding::new(
        Code::ContractInvalid,
        place(SectionName::Workload, workload.child(kind), other.key_mark),
        format!(
            "expected {kind} in workload.yaml or the folder {name}, which is packed into {name}, and not both"
        ),
        Some(format!("remove one of them: {kind} from workload.yaml, or the folder {name}")),
    ))
}
