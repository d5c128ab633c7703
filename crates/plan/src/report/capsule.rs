//! The failure capsule: what a boot did until it failed, for the auditor's eyes, on the console that the host reads.
//!
//! The text is the [`Transcript`] with its failure as JSON on one line, so what is opened can be drawn like any
//! transcript. It is sealed as the attestation record is ([`Auditor::seal`]) and cut into lines that a console and the
//! kernel's log take whole:
//!
//! ```text
//! countersign-capsule: 1/3 hyper-protect-basic.…
//! ```
//!
//! It holds what the log lines hold, no secret; bounded, so that the host's console shows the cause as well.

use countersign_crypto::LibraryError;

use crate::report::parts;
use crate::report::transcript::Transcript;
use crate::trust::auditor::Auditor;

/// What each line begins with, after whatever a console or a log puts before it.
pub const MARKER: &str = "countersign-capsule: ";

/// Bytes of the text beyond which warnings and further findings are left out.
const TEXT: usize = 8 << 10;

/// Why there is no capsule.
#[derive(Debug, thiserror::Error)]
pub enum CapsuleError {
    /// OpenSSL could not seal it.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The transcript could not be written as JSON.
    #[error("expected a transcript that can be written: {0}")]
    Transcript(#[from] serde_json::Error),
}

/// The lines of the capsule.
///
/// # Errors
/// [`CapsuleError`].
pub fn lines(auditor: &Auditor, transcript: Transcript) -> Result<Vec<String>, CapsuleError> {
    let token = auditor.seal(&text(transcript)?)?;
    // A token is ASCII.
    Ok(parts::cut(MARKER, &token))
}

/// The transcript within the bound: the last warnings go first, then all findings but the cause.
fn text(mut transcript: Transcript) -> Result<String, serde_json::Error> {
    loop {
        let text = serde_json::to_string(&transcript)?;
        if text.len() <= TEXT {
            return Ok(text);
        }
        let findings = transcript.failure.as_mut().map(|failure| &mut failure.lines);
        let finding = findings.filter(|lines| lines.len() > 1).and_then(Vec::pop);
        if transcript.warnings.pop().is_none() && finding.is_none() {
            return Ok(text);
        }
    }
}

/// The token of the last capsule in a log that has all its lines, whatever stands before, between and behind them.
pub fn find(log: &str) -> Option<String> {
    parts::find(MARKER, log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::transcript::{FailureRecord, StageRecord, Warning};

    fn transcript(warnings: usize, findings: usize) -> Transcript {
        let stage = StageRecord { stage: "parse".into(), started_ms: 1, ms: 2, summary: Vec::new() };
        let warning = Warning { at_ms: 1, text: "HPL05200W: ".to_owned() + &"w".repeat(100) };
        let lines = (0..findings).map(|n| format!("finding {n} {}", "f".repeat(100))).collect();
        let failure = FailureRecord { stage: "validate".into(), at_ms: 3, code: "HPL05001E".into(), lines };
        Transcript {
            version: "1".into(),
            stages: vec![stage; 10],
            warnings: vec![warning; warnings],
            images: Vec::new(),
            failure: Some(failure),
            record: String::new(),
        }
    }

    #[test]
    fn what_is_too_much_goes_and_the_cause_stays() {
        let few = transcript(3, 3);
        assert_eq!(text(few.clone()).unwrap(), serde_json::to_string(&few).unwrap());
        let cut = text(transcript(200, 200)).unwrap();
        assert!(cut.len() <= TEXT && cut.len() > TEXT / 2, "{}", cut.len());
        let cut: Transcript = serde_json::from_str(&cut).unwrap();
        assert_eq!(cut.stages.len(), 10);
        assert!(cut.failure.unwrap().lines[0].starts_with("finding 0 "));
    }

    #[test]
    fn the_last_whole_capsule_of_a_log_is_found() {
        let one = "countersign-capsule: 1/2 aa\r\nnoise\n[ 1.0] x countersign-capsule: 2/2 bb\n";
        assert_eq!(find(one).as_deref(), Some("aabb"));
        let cut = "countersign-capsule: 1/2 cc\ncountersign-capsule: x/2 dd\n";
        assert_eq!(find(&format!("{one}{cut}")).as_deref(), Some("aabb"));
        let other = "countersign-capsule: 1/1 ee";
        assert_eq!(find(&format!("{one}{cut}{other}")).as_deref(), Some("ee"));
        for broken in [
            "",
            "countersign-capsule: ",
            "countersign-capsule: 2/2 bb",
            "countersign-capsule: 0/0 aa",
            "countersign-capsule: 1/3 aa\ncountersign-capsule: 3/3 cc",
            "countersign-capsule: 1/2 aa\ncountersign-capsule: 2/3 bb",
            "countersign-capsule: 1/2 aa\ncountersign-capsule: 1/2 aa",
        ] {
            assert_eq!(find(broken), None, "{broken}");
        }
    }
}
