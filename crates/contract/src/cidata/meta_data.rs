//! `meta-data` of the contract disk: host name and instance id, nothing else.
//!
//! Other keys are left alone: clouds put many there. The host chooses these values; the host name ends up in
//! every log line, so its form is checked, and no trust rests on either.

use crate::code::Code;
use crate::place::{Origin, Place, Pointer};
use crate::refusal::{Finding, Refusal};
use crate::yaml;

/// Longest instance id that is kept.
const MAX_INSTANCE_ID: usize = 256;

/// What `meta-data` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetaData {
    /// `local-hostname`: letters, digits, hyphens, dots.
    pub local_hostname: Option<String>,
    /// `instance-id`: printable ASCII without blanks.
    pub instance_id: Option<String>,
}

/// Why `meta-data` is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaDataError {
    /// It is not the YAML that it should be.
    #[error("in meta-data: {0}")]
    Text(#[from] Refusal),
    /// `local-hostname` is not a host name.
    #[error("in meta-data: {0}: expected a host name of letters, digits, hyphens and dots")]
    HostName(Place),
    /// `instance-id` has characters that an id does not have.
    #[error("in meta-data: {0}: expected at most 256 printable characters without blanks")]
    InstanceId(Place),
}

impl MetaDataError {
    /// The message code.
    pub fn code(&self) -> Code {
        match self {
            MetaDataError::Text(refusal) => refusal.code(),
            MetaDataError::HostName(_) | MetaDataError::InstanceId(_) => Code::HostNameInvalid,
        }
    }

    /// The same as a line of a report.
    pub fn finding(&self) -> Finding {
        let (place, expectation) = match self {
            MetaDataError::Text(refusal) => return Finding::from(refusal),
            MetaDataError::HostName(place) => {
                (place, "expected a host name of letters, digits, hyphens and dots")
            }
            MetaDataError::InstanceId(place) => {
                (place, "expected at most 256 printable characters without blanks")
            }
        };
        Finding::with(self.code(), place.clone(), expectation)
    }
}

/// Reads `meta-data`. An empty file has neither value.
///
/// # Errors
/// [`MetaDataError`], when the text is no YAML map or a value has not the required form.
pub fn parse(bytes: &[u8]) -> Result<MetaData, MetaDataError> {
    let origin = Origin::meta_data();
    let value = match yaml::parse(bytes, &origin) {
        Ok(value) if value.is_null() => return Ok(MetaData::default()),
        Ok(value) => value,
        Err(Refusal::Empty(_)) => return Ok(MetaData::default()),
        Err(refusal) => return Err(refusal.into()),
    };
    let place = |pointer: Pointer, mark| Place { text: origin.text, pointer, mark: Some(mark) };
    if !value.is_map() {
        return Err(Refusal::NotAMap(place(Pointer::root(), value.mark())).into());
    }
    // An id or a name of digits only is a number to YAML.
    let text = |key: &str| {
        value.get(key).filter(|value| !value.is_null()).map(|value| {
            let text = match value.as_integer() {
                Some(number) if number >= 0 => Some(number.to_string()),
                _ => value.as_text().map(str::to_owned),
            };
            text.ok_or_else(|| place(Pointer::root().child(key), value.mark()))
                .map(|text| (text, place(Pointer::root().child(key), value.mark())))
        })
    };
    let local_hostname = match text("local-hostname").transpose().map_err(MetaDataError::HostName)? {
        Some((name, _)) if is_host_name(&name) => Some(name),
        Some((_, place)) => return Err(MetaDataError::HostName(place)),
        None => None,
    };
    let instance_id = match text("instance-id").transpose().map_err(MetaDataError::InstanceId)? {
        Some((id, _)) if id.len() <= MAX_INSTANCE_ID && id.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Some(id)
        }
        Some((_, place)) => return Err(MetaDataError::InstanceId(place)),
        None => None,
    };
    Ok(MetaData { local_hostname, instance_id })
}

/// Whether a text is a host name by RFC 952 and 1123: labels of at most 63 letters, digits and inner hyphens,
/// 253 characters in all. An IPv4 literal has that form too.
pub fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_values() {
        let meta = parse(b"instance-id: i-0af\nlocal-hostname: guest-1.example\nother: [1]\n");
        let expected =
            MetaData { local_hostname: Some("guest-1.example".into()), instance_id: Some("i-0af".into()) };
        assert_eq!(meta, Ok(expected));
        assert_eq!(parse(b""), Ok(MetaData::default()));
        assert_eq!(parse(b"instance-id: 17\n").map(|meta| meta.instance_id), Ok(Some("17".into())));
    }

    #[test]
    fn refuses_what_could_confuse_a_log() {
        for name in ["a b", "-a", "a-", "a..b", "a_b", ".", "\"a\\nb\"", "ä", "[a]", &"a".repeat(64)] {
            let text = format!("local-hostname: {name}\n");
            assert!(matches!(parse(text.as_bytes()), Err(MetaDataError::HostName(_))), "{name}");
        }
        assert!(matches!(parse(b"instance-id: a b\n"), Err(MetaDataError::InstanceId(_))));
        assert!(matches!(parse(b"- a\n"), Err(MetaDataError::Text(Refusal::NotAMap(_)))));
    }
}
