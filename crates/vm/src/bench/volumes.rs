//! Volumes that the cryptsetup program made: opened by countersignd, and by `cryptsetup open` and `mount` one after the
//! other, in guests of the same machine with two processors; and one whose header is forged.
//!
//! Each volume is a whole disk, opened once by either side before the clock runs: its record is there, its journal
//! clean. Guests get copies, so all start from the same bytes.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::forged;
use super::guests::{Lab, SHORT};
use super::samples::{self, Peak, Sample, Samples};
use crate::arguments::{Drive, Run};
use crate::error::{Error, Result};
use crate::events::{Event, Stage, State};
use crate::lab::contract::{Medium, volume_passphrase};
use crate::lab::world::VOLUME;
use crate::profile::Profile;

/// How many volumes a guest opens.
pub const COUNTS: [usize; 3] = [1, 2, 4];
/// Argon2id's lanes in the key slots of a set.
pub const LANES: [u32; 2] = [1, 4];
/// Serial number of the disk with the passphrase of all of them.
const PASSPHRASE: &str = "passphrase";
/// Size of a disk.
const DISK: u64 = 256 << 20;
/// What takes a key slot's lanes from cryptsetup: it makes no more than there are processors.
const MAKER_CPUS: u32 = 4;
/// Processors of the guests that are measured.
pub(super) const CPUS: u32 = 2;
/// The code of a volume that is mounted.
const MOUNTED: &str = "HPL02002I";

/// So many volumes, opened by both sides; each sample has the milliseconds `open`.
#[derive(Debug, Serialize)]
pub struct Opened {
    /// Argon2id's lanes.
    pub lanes: u32,
    /// How many volumes.
    pub count: usize,
    /// By countersignd, from its line that the first is being opened to its line that the last is mounted.
    pub countersign: Samples,
    /// By `cryptsetup open` and `mount`.
    pub programs: Samples,
}

/// Everything that was measured about volumes.
#[derive(Debug, Default, Serialize)]
pub struct Volumes {
    /// By lanes and number.
    pub opened: Vec<Opened>,
    /// From the line that a volume is being opened to its refusal, as `refused`.
    pub forged: Samples,
    /// Memory of process 1 of the initramfs that opens the most.
    pub peaks: Vec<Peak>,
}

/// Disks of one set and the contracts for them, by the number of volumes.
struct Set {
    disks: Vec<PathBuf>,
    media: Vec<Medium>,
    passphrase: PathBuf,
}

/// Makes the volumes, then measures.
///
/// # Errors
/// As [`crate::guest::Guest::wait_for`].
pub fn measure(lab: &mut Lab, rounds: u32, say: &mut impl FnMut(&str) -> Result<()>) -> Result<Volumes> {
    let mut all = Volumes::default();
    for lanes in LANES {
        say(&format!("volumes of cryptsetup with {lanes} lanes"))?;
        let set = make(lab, lanes)?;
        let most = COUNTS.len() - 1;
        let first = all.opened.len();
        for (at, count) in COUNTS.into_iter().enumerate() {
            let (countersign, programs) = Default::default();
            all.opened.push(Opened { lanes, count, countersign, programs });
            // The settling: not measured.
            if at == most {
                countersign_opens(lab, &set.all(at, &set.disks), &format!("settle-{lanes}"))?;
                programs_open(lab, &set.all(at, &set.disks), &format!("settle-by-hand-{lanes}"))?;
            }
        }
        for round in 1..=rounds {
            for (at, count) in COUNTS.into_iter().enumerate() {
                let name = format!("volumes-{lanes}-{count}-{round}");
                say(&format!("round {round} of {rounds}: {count} with {lanes} lanes"))?;
                let opened = &mut all.opened[first + at];
                let sample = countersign_opens(lab, &set.copies(lab, at, &name)?, &name)?;
                say(&format!("  countersignd: {}", samples::text(&sample)))?;
                opened.countersign.0.push(sample);
                let name = format!("{name}-by-hand");
                let sample = programs_open(lab, &set.copies(lab, at, &name)?, &name)?;
                say(&format!("  cryptsetup and mount: {}", samples::text(&sample)))?;
                opened.programs.0.push(sample);
            }
            if lanes == LANES[0] {
                say(&format!("round {round} of {rounds}: a forged header"))?;
                let sample = refusal(lab, &set, round)?;
                say(&format!("  {}", samples::text(&sample)))?;
                all.forged.0.push(sample);
            }
        }
        if lanes == LANES[0] {
            say("memory of process 1")?;
            all.peaks = memory(lab, &set.copies(lab, most, "volumes-memory")?)?;
        }
    }
    Ok(all)
}

/// Disks of a guest, and its contract.
struct Part<'s> {
    medium: &'s Medium,
    passphrase: &'s Path,
    disks: Vec<PathBuf>,
}

impl Set {
    fn all(&self, at: usize, disks: &[PathBuf]) -> Part<'_> {
        Part { medium: &self.media[at], passphrase: &self.passphrase, disks: disks[..COUNTS[at]].to_vec() }
    }

    fn copies(&self, lab: &Lab, at: usize, name: &str) -> Result<Part<'_>> {
        let copies = self.disks[..COUNTS[at]].iter().zip(1..);
        let copy = |(disk, number): (&PathBuf, u32)| lab.copy(disk, &format!("{name}-{number}"));
        Ok(self.all(at, &copies.map(copy).collect::<Result<Vec<_>>>()?))
    }
}

/// Key of a volume in the contract and serial number of its disk.
fn volume_name(number: usize) -> String {
    format!("v{number}")
}

fn make(lab: &mut Lab, lanes: u32) -> Result<Set> {
    let mut contract = lab.world.contract();
    let volume = contract.volumes.remove(VOLUME).ok_or_else(|| Error::format("contract", "its volume"))?;
    let mut media = Vec::new();
    for count in COUNTS {
        for number in contract.volumes.len() + 1..=count {
            let mount = format!("/mnt/{}", volume_name(number));
            let volume = crate::lab::contract::Volume { mount, ..volume.clone() };
            contract.volumes.insert(volume_name(number), volume);
        }
        let delivery = lab.world.delivery();
        media.push(lab.world.deliver(&format!("volumes-{lanes}-{count}"), &contract.texts(), &delivery)?);
    }
    let passphrase = lab.world.disk(&format!("{PASSPHRASE}-{lanes}"), 0)?;
    let text = format!("{:512}", volume_passphrase(&volume)?);
    std::fs::write(&passphrase, text).map_err(Error::at(&passphrase))?;
    let disks = (1..=COUNTS[COUNTS.len() - 1])
        .map(|number| lab.world.disk(&format!("{}-{lanes}", volume_name(number)), DISK))
        .collect::<Result<Vec<_>>>()?;
    let set = Set { disks, media, passphrase };
    let part = set.all(COUNTS.len() - 1, &set.disks);
    by_hand(lab, &part, "make", MAKER_CPUS, &format!("make-{lanes}"), &[format!("lanes={lanes}")])?;
    Ok(set)
}

/// A guest that runs a part of the guest material.
fn by_hand(
    lab: &Lab,
    part: &Part<'_>,
    what: &str,
    cpus: u32,
    name: &str,
    words: &[String],
) -> Result<Sample> {
    let mut run = start_of(lab, part, name)?;
    run.drives.push(Drive::read_only(part.passphrase, PASSPHRASE));
    lab.add_material(&mut run, "/bench/init")?;
    run.command_line.push(format!("bench={what}"));
    run.command_line.push(format!("volumes={}", part.disks.len()));
    run.command_line.extend(words.iter().cloned());
    let mut guest = lab.boot_on(&machine(cpus)?, &run, name)?;
    guest.wait_for("end of the measurement", SHORT, samples::is_end)?;
    guest.wait_end(SHORT)?;
    Ok(samples::measured(guest.history()))
}

fn programs_open(lab: &Lab, part: &Part<'_>, name: &str) -> Result<Sample> {
    by_hand(lab, part, "open", CPUS, name, &[])
}

fn countersign_opens(lab: &Lab, part: &Part<'_>, name: &str) -> Result<Sample> {
    let run = start_of(lab, part, name)?;
    let mut guest = lab.boot_on(&machine(CPUS)?, &run, name)?;
    let done = |event: &Event| event.is_stage(Stage::Handover, State::Done);
    guest.wait_for("end of the initramfs", SHORT, done)?;
    guest.cut_power()?;
    let ms = samples::opening(guest.history(), |event| event.is_message(MOUNTED), part.disks.len())
        .ok_or_else(|| Error::format(name, "lines of volumes that are opened and mounted"))?;
    Ok([("open".to_owned(), ms)].into())
}

/// A boot of one volume whose header is forged, until it is refused.
fn refusal(lab: &Lab, set: &Set, round: u32) -> Result<Sample> {
    let name = format!("forged-{round}");
    let part = set.copies(lab, 0, &name)?;
    forged::forge(&part.disks[0])?;
    let mut guest = lab.boot_on(&machine(CPUS)?, &start_of(lab, &part, &name)?, &name)?;
    let refused = |event: &Event| event.is_stage(Stage::Unlock, State::Failed);
    guest.wait_for("refusal of the header", SHORT, refused)?;
    guest.cut_power()?;
    let told = guest.history().iter().any(|seen| seen.event.is_message("HPL07107E"));
    match samples::opening(guest.history(), refused, 1) {
        Some(ms) if told => Ok([("refused".to_owned(), ms)].into()),
        _ => Err(Error::format(name, "a header that is refused")),
    }
}

/// The initramfs under the eyes of the memory monitor.
fn memory(lab: &Lab, part: &Part<'_>) -> Result<Vec<Peak>> {
    let mut run = start_of(lab, part, "volumes-memory")?;
    lab.add_material(&mut run, "/bench/monitor")?;
    let mut guest = lab.boot_on(&machine(CPUS)?, &run, "volumes-memory")?;
    let seen = |event: &Event| matches!(event, Event::Console(line) if line.starts_with("bench: memory=initramfs stage=unlock "));
    guest.wait_for("memory of unlock", SHORT, seen)?;
    guest.cut_power()?;
    Ok(samples::peaks(guest.history()))
}

fn machine(cpus: u32) -> Result<Profile> {
    Ok(Profile { cpus, ..Profile::named("bare")? })
}

fn start_of(lab: &Lab, part: &Part<'_>, name: &str) -> Result<Run> {
    let mut run = lab.world.run(name, &lab.world.keys.image, part.medium, None)?;
    let drive = |(number, disk): (usize, &PathBuf)| Drive::writable(disk, volume_name(number));
    run.drives.extend((1..).zip(&part.disks).map(drive));
    Ok(run)
}
