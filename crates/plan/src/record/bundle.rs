//! Both records with their signatures and the certificate in one text: as a note in the guest, and as lines of a log that
//! `countersign attest verify` puts together again.
//!
//! The certificate travels with the record for convenience and vouches for nothing: who verifies has to have it, or one
//! above it, from the image's builder.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::report::parts;

/// What each line begins with, after whatever a log puts before it.
pub const MARKER: &str = "countersign-record: ";

/// The most bytes of a bundle: two records as tokens, and the rest.
pub const MAX_BYTES: usize = 2 << 20;

/// Records of one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Of this form: 1.
    pub format: u32,
    /// The first record, or the token that holds it for the auditor.
    pub record: String,
    /// Signature over the first record in the open, base64; none where the image has no attestation key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The certificate of the image's attestation key, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The final record, or the token that holds it for the auditor; none until the workload runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_record: Option<String>,
    /// Signature over the final record in the open, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_signature: Option<String>,
}

/// Why a text is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Too large.
    #[error("expected a bundle of records of at most {MAX_BYTES} bytes")]
    Bytes,
    /// Not the JSON of a bundle.
    #[error("expected the JSON of a bundle of records: {0}")]
    Json(String),
    /// Of another form.
    #[error("expected a bundle of format 1, found {0}")]
    Format(u32),
    /// A signature that is not base64.
    #[error("expected signatures as base64 in the bundle")]
    Signature,
    /// No whole bundle in a log.
    #[error("expected all lines of a record in the log, from the first to the last")]
    Lines,
}

impl Bundle {
    /// A first record alone.
    pub fn first(record: String, signature: Option<&[u8]>, certificate: Option<String>) -> Bundle {
        Bundle {
            format: 1,
            record,
            signature: signature.map(|signature| STANDARD.encode(signature)),
            certificate,
            final_record: None,
            final_signature: None,
        }
    }

    /// With a final record.
    #[must_use]
    pub fn with_final(mut self, record: String, signature: &[u8]) -> Bundle {
        self.final_record = Some(record);
        self.final_signature = Some(STANDARD.encode(signature));
        self
    }

    /// The lines for a log.
    ///
    /// # Errors
    /// [`BundleError::Json`] where it cannot be written.
    pub fn lines(&self) -> Result<Vec<String>, BundleError> {
        let text = serde_json::to_string(self).map_err(|error| BundleError::Json(error.to_string()))?;
        Ok(parts::cut(MARKER, &STANDARD.encode(text)))
    }

    /// Reads its JSON.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn parse(bytes: &[u8]) -> Result<Bundle, BundleError> {
        if bytes.len() > MAX_BYTES {
            return Err(BundleError::Bytes);
        }
        let bundle: Bundle =
            serde_json::from_slice(bytes).map_err(|error| BundleError::Json(error.to_string()))?;
        if bundle.format != 1 {
            return Err(BundleError::Format(bundle.format));
        }
        for signature in [&bundle.signature, &bundle.final_signature].into_iter().flatten() {
            STANDARD.decode(signature).map_err(|_| BundleError::Signature)?;
        }
        Ok(bundle)
    }

    /// Puts the last bundle in a log together again.
    ///
    /// # Errors
    /// [`BundleError::Lines`] where none is whole, and those of [`Bundle::parse`].
    pub fn find(log: &str) -> Result<Bundle, BundleError> {
        let text = parts::find(MARKER, log).ok_or(BundleError::Lines)?;
        let bytes = STANDARD.decode(text).map_err(|_| BundleError::Lines)?;
        Bundle::parse(&bytes)
    }

    /// The signature of the first record.
    pub fn signature(&self) -> Option<Vec<u8>> {
        self.signature.as_ref().and_then(|text| STANDARD.decode(text).ok())
    }

    /// The signature of the final record.
    pub fn final_signature(&self) -> Option<Vec<u8>> {
        self.final_signature.as_ref().and_then(|text| STANDARD.decode(text).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_comes_out_of_a_log_as_it_went_in() {
        let bundle = Bundle::first("26.7.1\n".to_owned() + &"x".repeat(3000), Some(&[7; 512]), None)
            .with_final("y".into(), &[8]);
        let lines = bundle.lines().unwrap();
        assert!(lines.len() > 3 && lines.iter().all(|line| line.is_ascii() && line.len() < 900));
        let log = lines
            .iter()
            .map(|line| format!("<30>1 2026 host countersignd - {line}\r\nnoise\n"))
            .collect::<String>();
        assert_eq!(Bundle::find(&log), Ok(bundle.clone()));
        assert_eq!(bundle.signature().unwrap(), [7; 512]);
        // The first half of another behind it changes nothing; a line that is missing does.
        assert_eq!(Bundle::find(&format!("{log}{}\n", lines[0])), Ok(bundle));
        let missing: String = lines.iter().skip(1).map(|line| format!("{line}\n")).collect();
        assert_eq!(Bundle::find(&missing), Err(BundleError::Lines));
        assert_eq!(Bundle::find("countersign-record: 1/1 !!\n"), Err(BundleError::Lines));
        let other = STANDARD.encode(r#"{"format":2,"record":"x"}"#);
        assert_eq!(Bundle::find(&format!("countersign-record: 1/1 {other}\n")), Err(BundleError::Format(2)));
        let broken = r#"{"format":1,"record":"x","signature":"?"}"#;
        assert_eq!(Bundle::parse(broken.as_bytes()), Err(BundleError::Signature));
        assert_eq!(Bundle::parse(&vec![b' '; MAX_BYTES + 1]), Err(BundleError::Bytes));
    }
}
