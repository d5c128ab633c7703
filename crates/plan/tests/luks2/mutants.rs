//! Every forged header is refused for its own reason at its own place, before anything is derived.

use countersign_forgeries::luks2_mutants::{Mutant, Outcome, mutants};
use countersign_forgeries::luks2_volumes::{ARGON2ID, DEVICE_SIZE, Volume};
use countersign_plan::luks2::{HeaderFault, Profile, ReadError, judge, judge_interrupted, read};

fn forged() -> Vec<Mutant> {
    let volume = Volume::format(&[&["--type", "luks2"], &ARGON2ID]);
    mutants(&volume.head(0x8000), DEVICE_SIZE)
}

/// What the reader says of the bytes; none when it accepts them.
fn outcome(head: &[u8], profile: &Profile) -> Option<Outcome> {
    let named = |faults: &[HeaderFault]| {
        Outcome::Refused(faults.iter().map(|fault| (fault.id(), fault.place().to_string())).collect())
    };
    match read(head) {
        Ok(header) => judge(&header, profile, DEVICE_SIZE).err().map(|faults| named(&faults)),
        Err(ReadError::Interrupted(found)) => {
            // Only one copy was changed, so the sound one is the good header.
            judge_interrupted(&found, profile, DEVICE_SIZE).expect("the sound copy passes");
            Some(Outcome::Interrupted(found.fault.id(), found.fault.place().to_string()))
        }
        Err(error) => Some(named(&[error.fault().clone()])),
    }
}

#[test]
fn every_mutant_is_refused_for_its_own_reason() {
    let mutants = forged();
    assert!(mutants.len() >= 200, "only {} mutants", mutants.len());
    let mut wrong = Vec::new();
    for mutant in &mutants {
        let found = outcome(&mutant.head, &Profile::countersign());
        if found.as_ref() != Some(&mutant.outcome) {
            wrong.push(format!("{}: expected {:?}, found {found:?}", mutant.name, mutant.outcome));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), mutants.len(), wrong.join("\n"));
}

#[test]
fn the_widest_profile_accepts_only_what_other_programs_write() {
    for mutant in forged() {
        let accepted = outcome(&mutant.head, &Profile::compatible().during_rotation()).is_none();
        assert_eq!(accepted, mutant.legal_elsewhere, "{}", mutant.name);
    }
}

#[test]
fn every_mutant_has_its_own_name_and_bytes() {
    let mutants = forged();
    let names: std::collections::BTreeSet<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
    assert_eq!(names.len(), mutants.len(), "two mutants of one name");
    let heads: std::collections::BTreeSet<&[u8]> = mutants.iter().map(|mutant| &mutant.head[..]).collect();
    assert_eq!(heads.len(), mutants.len(), "two mutants of the same bytes");
}

/// Refusals never repeat what the host wrote.
#[test]
fn faults_repeat_no_text_of_the_header() {
    let volume = Volume::format(&[&["--type", "luks2"], &ARGON2ID]);
    let mut head = volume.head(0x8000);
    let planted = "canary-7f3a";
    let forged = mutants(&head, DEVICE_SIZE).into_iter().map(|mutant| mutant.head).collect::<Vec<_>>();
    // Plant the word wherever a text stands.
    for text in ["aes-xts-plain64", "sha256", "luks2", "argon2id", "dynamic", "stripes"] {
        let at = head.windows(text.len()).rposition(|window| window == text.as_bytes());
        let at = at.expect("the text is in the header");
        let word = &planted.as_bytes()[..text.len().min(planted.len())];
        head[at..at + word.len()].copy_from_slice(word);
    }
    head[24..24 + planted.len()].copy_from_slice(planted.as_bytes());
    for head in std::iter::once(&head).chain(&forged) {
        let shown = format!(
            "{:?} {:?}",
            read(head),
            read(head).map(|header| judge(&header, &Profile::countersign(), 1))
        );
        for word in ["canary", "cipher_null", "passwd", "theirs", "unheard-of", "extra", "capi:"] {
            assert!(!shown.contains(word), "{word} in {shown}");
        }
    }
}
