//! The guest OS after a boot in rehearsal: its units call their verbs one by one.

use countersign_boot::guest_os::{self, Verb};
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::{Facts, Rehearsal};

use super::contract::Contract;
use super::machine::{Boot, DATA, GIB, boot, facts, machine_without_volume};

/// A machine that was booted with the good contract, up to the switch to the guest OS.
pub(crate) fn booted(change: impl FnOnce(&mut Facts)) -> Rehearsal {
    booted_with(&Contract::good(), change)
}

/// The same with another contract.
pub(crate) fn booted_with(contract: &Contract, change: impl FnOnce(&mut Facts)) -> Rehearsal {
    let mut facts = facts();
    change(&mut facts);
    let machine = machine_without_volume(contract, facts);
    machine.attach(DATA, "data", GIB);
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    machine
}

/// The text of a record of syslog, which says that it is the guest's own and whose.
pub(crate) fn own_text(record: &str) -> &str {
    let (_, data) =
        record.split_once(" guest countersignd - - [countersign@32473 origin=\"guest\" ").unwrap();
    let (facts, text) = data.split_once("] ").unwrap();
    assert!(facts.contains("contract=\""), "{record}");
    text
}

/// Runs a verb; lines and requests are those since then, files those that it wrote or changed.
pub(crate) fn verb(machine: &Rehearsal, verb: Verb) -> Boot {
    let (lines, asked, before) = (machine.lines().len(), machine.asked().len(), machine.files());
    let result = guest_os::run(machine, verb);
    let mut files = machine.files();
    files.retain(|path, written| before.get(path) != Some(written));
    let mut boot = Boot {
        result,
        // Each line is one in both.
        logged: machine.logged().split_off(lines),
        lines: machine.lines().split_off(lines),
        asked: machine.asked().split_off(asked),
        files,
    };
    boot.without_transcript();
    boot
}

impl Boot {
    /// Every verb adds its record to the transcript; the tests of that look at the file.
    pub(crate) fn without_transcript(&mut self) {
        self.asked.retain(|asked| asked != "replace /run/countersign/transcript.json");
        self.files.remove(std::path::Path::new("/run/countersign/transcript.json"));
    }

    /// A verb that failed: stage, exit code, code, words of the message, remedy; and the cause was remembered.
    pub(crate) fn assert_verb_failed(&self, stage: Stage, code: Code, words: &str) {
        let failure = self.failure();
        assert_eq!((failure.stage, failure.code()), (stage, code), "{}", self.said());
        let sentence = self.sentence();
        assert!(sentence.starts_with(&format!("{code}: ")) && sentence.contains(words), "{sentence}");
        assert!(sentence.ends_with(&format!("; {}", code.remedy())), "{sentence}");
        let end = format!(
            "countersign: stage={stage} state=failed code={code}\ncountersign: exit={} stage={stage} code={code}\n",
            stage.exit_code()
        );
        assert!(self.said().ends_with(&end), "{}", self.said());
    }
}
