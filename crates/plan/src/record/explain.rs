//! What a record shows and what it cannot, in sentences for somebody who did not build the guest.

use super::first;
use super::name::{Name, Own, Part};
use super::read::{Fact, Kind, Record};

/// The sentences, by what they are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What the record shows, if its signature holds.
    pub shows: Vec<String>,
    /// What it does not show.
    pub cannot: Vec<String>,
}

/// Explains a record. Nothing is verified here.
pub fn explain(record: &Record) -> Explanation {
    match record.kind() {
        Kind::Final => last(record),
        _ => first_record(record),
    }
}

fn first_record(record: &Record) -> Explanation {
    let ours = record.kind() == Kind::First;
    let has = |name: Name| record.digest(&name).is_some();
    let mut shows = vec![format!(
        "A guest whose image has the version {} made this record, before it opened a volume or started a container.",
        record.version()
    )];
    let mut show = |sentence: &str| shows.push(sentence.to_owned());
    if has(Name::contract(Part::Workload)) || has(Name::contract(Part::Env)) {
        show(
            "Its contract had exactly these sections: whoever has the contract as it was delivered can compute the same digests.",
        );
    }
    if has(Name::Disk) {
        show("The contract lay on a disk with exactly these bytes.");
    }
    match record.fact(Fact::Signed) {
        Some("yes") => show(
            "A signature over both sections was valid; countersign:signingKey says by which key. Whose key that is the record does not know.",
        ),
        Some(_) => show("Nobody had signed the contract: whoever delivered it chose both sections."),
        None => {}
    }
    if has(Name::Own(Own::RootVerity)) {
        show("The guest OS is the one of this root hash: the kernel reads no other.");
    }
    if has(Name::Own(Own::BuildManifest)) {
        show(
            "The image was built as the build manifest of this digest says, as far as its builder is believed.",
        );
    }
    match record.fact(Fact::Auditor) {
        Some(first::COVERED) => show("The auditor's key was named under the contract's signature."),
        Some(_) => show(
            "The record was encrypted to a key that no signature covers: the host could have put its own in that place.",
        ),
        None => {}
    }
    for accepted in record.facts(Fact::Accepts) {
        show(&format!("The image accepts more than the strict default: {accepted}."));
    }
    if record.facts(Fact::Warning).next().is_some() {
        show("The boot had warned about something; countersign explain CODE says what each code means.");
    }
    let mut cannot = vec![
        "Its signature proves that somebody had the image's attestation key. That this was a guest under Secure Execution follows only if the key never left the sealed image."
            .to_owned(),
        "It has no challenge in it: a record of an earlier boot with the same contract looks the same. A raised contract serial, or an expectation that is new, tells them apart."
            .to_owned(),
        "It was made before the workload started: what the containers did later is not in it.".to_owned(),
        "Machine and image age are the host's word.".to_owned(),
    ];
    if !ours {
        cannot.push(
            "It is a record of HPCR: root.tar.gz and baseimage are published for each image, some other digests have inputs that are not public."
                .to_owned(),
        );
    }
    if record.fact(Fact::NotSigned).is_some() {
        cannot.push("The image has no attestation key, so nobody vouches for any line.".to_owned());
    }
    Explanation { shows, cannot }
}

fn last(record: &Record) -> Explanation {
    let shows = vec![
        format!(
            "The guest OS of the image {} said this once the workload was running, in the boot whose first record has the digest in countersign:record.",
            record.version()
        ),
        format!(
            "It had {} volumes open and {} container images.",
            record.facts(Fact::Volume).count(),
            record.facts(Fact::ContainerImage).count()
        ),
    ];
    let cannot = vec![
        "It is the guest OS's word: whoever broke into the guest OS as root before this record was made could have it say anything."
            .to_owned(),
        "What happened after it is in the log, not here.".to_owned(),
    ];
    Explanation { shows, cannot }
}
