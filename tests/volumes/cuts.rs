//! Series of power cuts: each is one recorded run, its disk made again for every cut of it, and each of these booted.
//!
//! The recorded run is the only one with a clock in it; from its log every cut is the same each time, so a failure can
//! be looked at again by its name. Runs are recorded in one guest, and many disks share a guest afterwards.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_tests::lab::{Act, Answer, Boot, COUNTER, Case, MARK_AT, Mark};
use countersign_vm::arguments::{Drive, Layer};
use countersign_vm::lab::contract::{Section, Volume};
use countersign_vm::lab::disk;

use crate::support::{BY_HAND, DATA_AT, Lab, MOUNTED, VOLUME, long, run};
use crate::write_log::{Cut, Kind, WriteLog, cuts};

/// Disks in one guest.
const BATCH: usize = 40;
/// Bytes of a LUKS2 header.
const HEADER: u64 = 16 << 20;
/// Codes whose lines are counted: what a boot after a cut had to do.
const DONE: [&str; 5] = ["HPL07110W", "HPL07111I", "HPL07120W", "HPL07130I", "HPL07131W"];

/// What is cut, and what is booted afterwards.
pub(crate) struct Series {
    /// At most 14 letters. Serial number of the disk in the recorded run.
    pub name: &'static str,
    /// The disk before the run.
    pub image: PathBuf,
    /// Done by hand before the boot; no cut comes before its end.
    pub before: Vec<Act>,
    /// The volume that the contract names.
    pub volume: Volume,
    /// Changes to the contract: of the run and of the first boot after each cut, and of the second boot.
    pub edits: [Vec<(Section, &'static str, String)>; 2],
    /// What is done once the volume is open.
    pub after: Vec<Act>,
    /// The disk of the first of so many cuts boots once more: nothing may be left to do.
    pub again_of: usize,
    /// So many cuts, in the sample and in the full series.
    pub cuts: [usize; 2],
}

/// One cut and the boots after it.
pub(crate) struct Outcome {
    pub cut: Cut,
    /// The last mark before the cut.
    pub mark: Option<Mark>,
    /// The answers of the boots.
    pub answers: Vec<Answer>,
}

/// Records all series in one guest, then makes the cuts and boots after them; each disk must be as [`Series::judge`]
/// says. Returns the outcomes by series.
pub(crate) fn cut(series: &[Series]) -> Vec<Vec<Outcome>> {
    let runs = record(series);
    let mut todo: Vec<(usize, Cut)> = Vec::new();
    let mut all = Vec::new();
    for (index, Run { log, marks, .. }) in runs.iter().enumerate() {
        let prepared = marks.iter().find(|(_, mark)| *mark == Mark::Prepared);
        let cuts = cuts(log, prepared.map_or(0, |(write, _)| write + 1));
        let chosen = choose(log, &cuts, series[index].cuts[usize::from(long())]);
        all.push(cuts.len());
        todo.extend(chosen.into_iter().map(|cut| (index, cut)));
    }
    let mut outcomes: Vec<Vec<Outcome>> = series.iter().map(|_| Vec::new()).collect();
    let mut faults = Vec::new();
    for (number, batch) in todo.chunks(BATCH).enumerate() {
        let lab = format!("cuts-{number}");
        for ((index, cut), (answers, table)) in batch.iter().zip(boot_after(&lab, series, &runs, batch)) {
            let (series, run) = (&series[*index], &runs[*index]);
            let outcome = Outcome { mark: cut.marked(&run.marks), cut: cut.clone(), answers };
            if let Err(fault) = series.judge(run, &outcome).and(table) {
                let fault = format!("{}, {}: {fault}", series.name, cut.name());
                println!("{fault}; {:#?}", outcome.answers);
                faults.push(fault);
            }
            outcomes[*index].push(outcome);
        }
    }
    for (index, series) in series.iter().enumerate() {
        println!("{}", figures(series.name, all[index], &runs[index], &outcomes[index]));
    }
    assert!(faults.is_empty(), "{} of {} cuts: {faults:#?}", faults.len(), todo.len());
    outcomes
}

/// A recorded run.
struct Run {
    log: WriteLog,
    marks: Vec<(usize, Mark)>,
    /// The size of the file system that the run ended with, as [`size_of_file_system`] says it.
    size: Option<String>,
}

fn record(series: &[Series]) -> Vec<Run> {
    let mut lab = Lab::new("cuts-recorded");
    let log = |lab: &Lab, series: &Series| lab.folder().join(format!("{}.log", series.name));
    for series in series {
        series.deliver(&mut lab);
        let (image, log) = (lab.folder().join(series.name), log(&lab, series));
        copy(&series.image, &image);
        std::fs::File::create(&log).unwrap();
        lab.attach(Drive::writable(&image, series.name).behind(Layer::LogWrites(log)));
        let mark = |mark| Act::Mark { disk: series.name.into(), mark };
        let mut before = series.before.clone();
        if !before.is_empty() {
            before.push(mark(Mark::Prepared));
        }
        let after = [mark(Mark::Open)]
            .into_iter()
            .chain(series.after.clone())
            .chain([size_of_file_system(&series.volume)]);
        lab.case(Case {
            name: series.name.into(),
            before,
            boot: shown(&series.contracts()[0], series.name),
            after: after.collect(),
        });
    }
    let answers = lab.boot();
    let runs = series.iter().zip(answers).map(|(series, answer)| {
        assert_eq!(opened(&answer), Ok(()), "{answer:#?}");
        let log = WriteLog::read(&log(&lab, series));
        // The log is the whole run: its last cut is the disk that the run left.
        let again = lab.folder().join("again");
        copy(&series.image, &again);
        Cut::after(log.writes.len()).apply(&log, &again);
        let [left, made] =
            [lab.folder().join(series.name), again].map(|path| disk::fingerprint(&path).unwrap());
        assert_eq!(left, made, "{}: the log is not what was written", series.name);
        Run { marks: log.marks(), size: answer.output.last().cloned(), log }
    });
    runs.collect()
}

/// The answers of the boots of each disk, and what is to be said against its partition table afterwards.
fn boot_after(
    name: &str,
    series: &[Series],
    runs: &[Run],
    batch: &[(usize, Cut)],
) -> Vec<(Vec<Answer>, Result<(), String>)> {
    let mut lab = Lab::new(name);
    for (index, series) in series.iter().enumerate() {
        if batch.iter().any(|(of, _)| *of == index) {
            series.deliver(&mut lab);
        }
    }
    let mut disks = Vec::new();
    for (number, (index, cut)) in batch.iter().enumerate() {
        let series = &series[*index];
        let serial = format!("cut-{number}");
        let image = lab.folder().join(&serial);
        copy(&series.image, &image);
        cut.apply(&runs[*index].log, &image);
        lab.attach(Drive::writable(&image, &serial));
        let contracts = series.contracts();
        let boots = if number % series.again_of == 0 { 2 } else { 1 };
        for (boot, contract) in contracts.iter().take(boots).enumerate() {
            let write = Act::Write { path: format!("{MOUNTED}/files/afterwards"), length: 10_000 };
            let look = Act::Look { folder: format!("{MOUNTED}/files") };
            let write = (boot == 0).then_some(write);
            lab.case(Case {
                name: format!("{}, {}, boot {boot}", series.name, cut.name()),
                boot: shown(contract, &serial),
                after: write.into_iter().chain([look, size_of_file_system(&series.volume)]).collect(),
                ..Case::default()
            });
        }
        disks.push((image, boots));
    }
    let mut answers = lab.boot().into_iter();
    let of =
        |(image, boots): (PathBuf, usize)| (answers.by_ref().take(boots).collect(), table_is_whole(&image));
    disks.into_iter().map(of).collect()
}

impl Series {
    /// The contracts of the first and of the second boot.
    fn contracts(&self) -> [String; 2] {
        ["now", "again"].map(|boot| format!("{}-{boot}", self.name))
    }

    fn deliver(&self, lab: &mut Lab) {
        for (contract, edits) in self.contracts().iter().zip(&self.edits) {
            let edits: Vec<(Section, &str, &str)> =
                edits.iter().map(|(section, from, to)| (*section, *from, to.as_str())).collect();
            lab.deliver(contract, &[(VOLUME, &self.volume)], &edits);
        }
    }

    /// The volume is open and its file system as large as in the recorded run. Every byte that was synced before the
    /// cut is there, and nothing is broken but what was being written. The volume takes a new file. It was made afresh
    /// only if it had never been handed out. A second boot finds it all as the first one left it.
    fn judge(&self, run: &Run, outcome: &Outcome) -> Result<(), String> {
        let Outcome { mark, answers, .. } = outcome;
        let first = &answers[0];
        for answer in answers {
            opened(answer)?;
            if answer.output.last() != run.size.as_ref() {
                return Err(format!("expected a file system of {:?}", run.size));
            }
        }
        let synced = match mark {
            Some(Mark::File(last)) => Some(*last),
            _ => None,
        };
        for file in 0..synced.map_or(0, |last| last + 1) {
            if !first.files.contains_key(&file.to_string()) {
                return Err(format!("file {file} was synced"));
            }
        }
        if first.counter < synced {
            return Err(format!("the counter was synced at {synced:?}"));
        }
        let in_writing = |name: &String| match name.parse::<u32>() {
            Ok(number) => Some(number) > synced,
            Err(_) => name == COUNTER && synced.is_none(),
        };
        if let Some(name) = first.broken.iter().find(|name| !in_writing(name)) {
            return Err(format!("the file {name} is broken"));
        }
        if !self.before.is_empty() && first.files.get("by-hand") != Some(&BY_HAND) {
            return Err("the file by-hand was there from the start".into());
        }
        if !first.files.contains_key("afterwards") {
            return Err("the volume takes no file".into());
        }
        if first.formats > 0 && (mark.is_some() || !self.before.is_empty()) {
            return Err("a volume that had been handed out was made afresh".into());
        }
        // The header, without which nothing opens, is written behind the record.
        if first.formats == 0 && self.before.is_empty() && did(first).contains(&"HPL07120W") {
            return Err("a volume that was made here opened without its record".into());
        }
        for later in &answers[1..] {
            if (later.derivations, later.formats) != (1, 0) || !did(later).is_empty() {
                return Err(format!("the second boot had to do {:?}", did(later)));
            }
            if (&later.files, later.counter) != (&first.files, first.counter) {
                return Err("the second boot finds other files".into());
            }
        }
        Ok(())
    }
}

/// The volume was opened or made, and nothing else is mapped.
fn opened(answer: &Answer) -> Result<(), String> {
    let below = format!("volume-{VOLUME}_dif");
    let mapped: Vec<&String> = answer.mapped.iter().filter(|name| **name != below).collect();
    if answer.code.is_some() || mapped != [&format!("volume-{VOLUME}")] {
        return Err(format!("the volume is not open: {:?}", answer.code));
    }
    Ok(())
}

/// The codes of [`DONE`] that a boot said.
pub(crate) fn did(answer: &Answer) -> Vec<&'static str> {
    DONE.into_iter().filter(|code| answer.lines.iter().any(|line| line.contains(code))).collect()
}

/// What a series came to, as `tests/README.md` has it.
fn figures(name: &str, all: usize, run: &Run, outcomes: &[Outcome]) -> String {
    let of = |kind| outcomes.iter().filter(|outcome| outcome.cut.kind() == kind).count();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for Outcome { answers, .. } in outcomes {
        *counts.entry(if answers[0].formats > 0 { "made afresh" } else { "opened" }).or_default() += 1;
        for code in did(&answers[0]) {
            *counts.entry(code).or_default() += 1;
        }
    }
    let boots: usize = outcomes.iter().map(|outcome| outcome.answers.len()).sum();
    let ms: u64 = outcomes.iter().flat_map(|outcome| &outcome.answers).map(|answer| answer.unlock_ms).sum();
    let mut text = format!(
        "{name}: {} writes, {} flushes; {} of {all} cuts: {} behind a write, {} torn, {} losing writes; {boots} boots, \
         unlock {} ms each",
        run.log.writes.len(),
        run.log.flushes.len(),
        outcomes.len(),
        of(Kind::Behind),
        of(Kind::Torn),
        of(Kind::Losing),
        ms / boots.max(1) as u64,
    );
    for (what, count) in counts {
        let _ = write!(text, "; {what} {count}");
    }
    text
}

/// Says how many blocks the file system of the volume has. For ext4 by its superblock: what statfs(2) says is less by an
/// overhead that the kernel keeps on the disk, and that a cut at the right moment leaves as it was before the growth.
fn size_of_file_system(volume: &Volume) -> Act {
    if volume.filesystem == "ext4" {
        let mapped = format!("/dev/mapper/volume-{VOLUME}");
        let format = r#"4/1 "%02x" "\n""#;
        return run(&["/lab/busybox", "hexdump", "-v", "-s", "1028", "-n", "4", "-e", format, &mapped], "");
    }
    run(&["/lab/busybox", "stat", "-f", "-c", "%b blocks of %S", MOUNTED], "")
}

/// What sfdisk has to say against the partition table, both copies.
fn table_is_whole(image: &Path) -> Result<(), String> {
    let output = Command::new("sfdisk").arg("--verify").arg(image).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() && text.contains("No errors detected") { Ok(()) } else { Err(text) }
}

fn shown(contract: &str, serial: &str) -> Option<Boot> {
    Some(Boot { contract: contract.into(), disks: vec![(serial.into(), VOLUME.into())], ..Boot::default() })
}

/// Holes stay holes.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("--sparse=always").args([from, to]).status().unwrap();
    assert!(copied.success());
}

/// The whole run and the first cut, so that any step lies between two cuts, and of the others half behind writes, a
/// quarter of each other kind. Two thirds of each kind, if there are so many, are cuts in what the stage writes itself; the
/// others are the file system's own care. Each evenly over the run.
fn choose(log: &WriteLog, all: &[Cut], count: usize) -> Vec<Cut> {
    let first = all.iter().find(|cut| cut.kind() == Kind::Behind);
    let mut chosen: Vec<Cut> = first.cloned().into_iter().chain([Cut::after(log.writes.len())]).collect();
    let ends = chosen.clone();
    for (kind, count) in
        [(Kind::Behind, count - count / 4 * 2 - 2), (Kind::Torn, count / 4), (Kind::Losing, count / 4)]
    {
        let of_kind = all.iter().filter(|cut| cut.kind() == kind && !ends.contains(cut));
        let (own, other): (Vec<&Cut>, Vec<&Cut>) = of_kind.partition(|cut| cut.touches(log, of_the_stage));
        let from_other = (count - own.len().min((count * 2).div_ceil(3))).min(other.len());
        chosen.extend(evenly(&own, count - from_other));
        chosen.extend(evenly(&other, from_other));
    }
    chosen
}

/// Whether a write at this offset is to a partition table or a LUKS header.
fn of_the_stage(at: u64) -> bool {
    (at < 1 << 20 && at != MARK_AT) || (DATA_AT..DATA_AT + HEADER).contains(&at)
}

/// First and last among them, or the middle one alone.
fn evenly(cuts: &[&Cut], count: usize) -> Vec<Cut> {
    let last = cuts.len().saturating_sub(1);
    match count.min(cuts.len()) {
        1 => vec![cuts[last / 2].clone()],
        count => (0..count).map(|index| cuts[index * last / (count - 1)].clone()).collect(),
    }
}
