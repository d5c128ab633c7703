//! The daemon in rehearsal: its alarm is wound by the test, a step each wait.

use std::collections::VecDeque;
use std::time::Duration;

use countersign_boot::guest_os::{self, Verb};
use countersign_contract::code::Code;
use countersign_ports::Priority;
use countersign_ports::guest_os::{Alarm, Wake};
use countersign_rehearsal::{Facts, Rehearsal};

use super::contract::Contract;
use super::guest_os::verb;
use super::machine::{Boot, DATA, GIB, boot, facts, machine_without_volume};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// What happens during a wait.
pub(crate) type Step<'m> = Box<dyn FnMut(&Rehearsal) -> Wake + 'm>;

/// An alarm by script: each wait is one step; the daemon ends with the last.
pub(crate) struct Script<'m> {
    machine: &'m Rehearsal,
    pub steps: VecDeque<Step<'m>>,
    pub waits: Vec<Duration>,
    pub ready: usize,
    pub status: String,
    pub hears: bool,
}

impl Alarm for Script<'_> {
    fn ready(&mut self) {
        self.ready += 1;
    }

    fn status(&mut self, text: &str) {
        self.status = text.to_owned();
    }

    fn hears(&self) -> bool {
        self.hears
    }

    fn wait(&mut self, time: Duration) -> Wake {
        self.waits.push(time);
        match self.steps.pop_front() {
            Some(mut step) => step(self.machine),
            None => Wake::Ended,
        }
    }
}

/// A guest whose workload has started.
pub(crate) fn started_with(contract: &Contract, facts: Facts) -> Rehearsal {
    let machine = machine_without_volume(contract, facts);
    machine.attach(DATA, "data", GIB);
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let start = verb(&machine, Verb::Start);
    assert_eq!(start.result, Ok(()), "{}", start.said());
    machine
}

pub(crate) fn started() -> Rehearsal {
    started_with(&Contract::good(), facts())
}

/// Runs the daemon through the steps; what it did, and the alarm.
pub(crate) fn watch<'m>(machine: &'m Rehearsal, steps: Vec<Step<'m>>) -> (Boot, Script<'m>) {
    watch_with(machine, steps, true)
}

/// The same, with a journal that can be heard or not.
pub(crate) fn watch_with<'m>(
    machine: &'m Rehearsal,
    steps: Vec<Step<'m>>,
    hears: bool,
) -> (Boot, Script<'m>) {
    let mut alarm =
        Script { machine, steps: steps.into(), waits: Vec::new(), ready: 0, status: String::new(), hears };
    let (lines, asked, before) = (machine.lines().len(), machine.asked().len(), machine.files());
    let result = guest_os::watch(machine, &mut alarm);
    let mut files = machine.files();
    files.retain(|path, written| before.get(path) != Some(written));
    let logged = machine.logged().split_off(lines);
    let (lines, asked) = (machine.lines().split_off(lines), machine.asked().split_off(asked));
    let mut boot = Boot { result, lines, logged, asked, files };
    boot.without_transcript();
    (boot, alarm)
}

/// Time goes by on both clocks.
pub(crate) fn pass<'m>(time: Duration) -> Step<'m> {
    Box::new(move |machine| {
        machine.passes(time.as_secs() as i64, time);
        Wake::Due
    })
}

pub(crate) fn demand<'m>() -> Step<'m> {
    Box::new(|_| Wake::Demanded)
}

/// The lines with a code that the console shows, in order, without those of stages.
pub(crate) fn coded(boot: &Boot) -> Vec<String> {
    only_coded(&boot.lines)
}

/// Those that the log server gets.
pub(crate) fn coded_log(boot: &Boot) -> Vec<String> {
    only_coded(&boot.logged)
}

fn only_coded(lines: &[(Priority, String)]) -> Vec<String> {
    let lines = lines.iter().map(|(_, text)| text);
    lines.filter(|text| text.starts_with("HPL")).cloned().collect()
}

pub(crate) fn count(boot: &Boot, code: Code) -> usize {
    coded(boot).iter().filter(|line| line.starts_with(code.as_str())).count()
}
