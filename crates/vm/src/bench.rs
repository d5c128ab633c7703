//! The benchmark: the figures of DESIGN.md section 11, all of one run.
//!
//! It boots and measures; it builds nothing (`qemu/bench` does) and judges nothing but figures: a missed target is a
//! result, not an error. Guests whose figures are compared run one after the other, round by round, so that what else
//! the machine does hits all of them alike.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::lab::world::{Artifacts, DATA_DISK, World};

pub mod figures;
mod forged;
pub mod guests;
mod record;
pub mod samples;
pub mod table;
pub mod volumes;
pub mod workloads;

use figures::Figure;
use guests::{Boot, Lab, Machine};
use samples::{Peak, Samples};
use volumes::Volumes;
use workloads::Workloads;

/// What the benchmark needs.
#[derive(Debug)]
pub struct Options {
    /// What was built.
    pub artifacts: Artifacts,
    /// The program, for its size.
    pub countersignd: PathBuf,
    /// Archive with the benchmark's guest material.
    pub material: PathBuf,
    /// Guest OS with the scripts that start workloads by hand.
    pub workload_os: PathBuf,
    /// Its manifest.
    pub workload_manifest: PathBuf,
    /// Result of the native measurement, JSON.
    pub shapes: PathBuf,
    /// How often what is compared is measured.
    pub rounds: u32,
    /// A part alone.
    pub only: Option<Only>,
    /// Folder for the world (removed afterwards).
    pub work: PathBuf,
    /// Folder for the serial logs (kept).
    pub logs: PathBuf,
}

/// A part of the benchmark that can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// Whole boots, and the initramfs against what it is held against.
    Boots,
    /// Opening and refusing volumes.
    Volumes,
    /// Starting workloads and pulling images.
    Workloads,
}

/// A contract of a laborious shape.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shape {
    /// What is laborious.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// From bytes to plan, median, in milliseconds.
    pub ms: f64,
    /// `plan`, or the code of the refusal.
    pub end: String,
}

/// Everything that a run measured.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// On what.
    pub machine: Machine,
    /// Stages of boots that end with the handover.
    pub initramfs: Samples,
    /// Volumes opened and refused.
    pub volumes: Volumes,
    /// Workloads started, images pulled.
    pub workloads: Workloads,
    /// The cryptography by the openssl program.
    pub program: Samples,
    /// The cryptography in one process.
    pub library: Samples,
    /// The shell recipe.
    pub recipe: Samples,
    /// Whole boots.
    pub boots: Vec<Boot>,
    /// Memory of one more whole boot.
    pub peaks: Vec<Peak>,
    /// Bytes of what was built.
    pub sizes: BTreeMap<String, u64>,
    /// The native measurement.
    pub shapes: Vec<Shape>,
}

impl Measured {
    /// Nothing yet, but what needs no guest.
    fn of(machine: Machine, sizes: BTreeMap<String, u64>, shapes: Vec<Shape>) -> Self {
        let [initramfs, program, library, recipe] = [(); 4].map(|()| Samples::default());
        let (volumes, workloads) = (Volumes::default(), Workloads::default());
        let (boots, peaks) = (Vec::new(), Vec::new());
        Self { machine, initramfs, volumes, workloads, program, library, recipe, boots, peaks, sizes, shapes }
    }
}

/// What was measured and what it means.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The figures of the design.
    pub figures: Vec<Figure>,
    /// What they were made from.
    pub measured: Measured,
}

/// Measures everything; says on `progress` what it is doing.
///
/// # Errors
/// When the harness fails, or a guest does not reach what is measured.
pub fn run(options: &Options, progress: &mut impl Write) -> Result<Outcome> {
    let mut say = |line: &str| {
        writeln!(progress, "      {line}").and_then(|()| progress.flush()).map_err(Error::at("progress"))
    };
    let machine = Machine::this()?;
    say("keys, contract, log server and registry")?;
    let mut world = World::create(options.artifacts.clone(), &options.work, None)?;
    let delivery = world.delivery();
    let medium = world.deliver("contract", &world.contract().texts(), &delivery)?;
    let (material, logs) = (options.material.clone(), options.logs.clone());
    let mut lab = Lab { world, medium, material, logs };
    let mut measured = Measured::of(machine, sizes(options)?, shapes(options)?);
    let wanted = |part| options.only.is_none_or(|only| only == part);
    if wanted(Only::Boots) {
        contract_and_boots(&mut lab, options.rounds, &mut measured, &mut say)?;
    }
    if wanted(Only::Volumes) {
        measured.volumes = volumes::measure(&mut lab, options.rounds, &mut say)?;
    }
    if wanted(Only::Workloads) {
        let (os, manifest) = (options.workload_os.clone(), options.workload_manifest.clone());
        let artifacts = Artifacts { os, manifest, ..options.artifacts.clone() };
        measured.workloads =
            workloads::measure(&artifacts, &options.work, &options.logs, options.rounds, &mut say)?;
    }
    Ok(Outcome { figures: figures::figures(&measured), measured })
}

/// Whole boots, the stages of the initramfs, and what they are held against.
fn contract_and_boots(
    lab: &mut Lab,
    rounds: u32,
    measured: &mut Measured,
    say: &mut impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    // The disk that all shorter guests get a copy of comes from the first two boots.
    let data = whole_boots(lab, "single", &mut measured.boots, say)?;
    for round in 1..=rounds {
        say(&format!("round {round} of {rounds}: countersignd"))?;
        measured.initramfs.0.push(lab.initramfs(round, &data)?);
        let Measured { program, library, recipe, .. } = measured;
        for (what, samples) in [("program", program), ("library", library), ("recipe", recipe)] {
            say(&format!("round {round} of {rounds}: {what}"))?;
            samples.0.push(lab.measure(what, round, &data)?);
        }
    }
    say("whole boot under the memory monitor")?;
    measured.peaks = lab.memory(&data)?;
    whole_boots(lab, "default", &mut measured.boots, say).map(drop)
}

/// Two boots of a new data disk, which is returned.
fn whole_boots(
    lab: &mut Lab,
    profile: &str,
    boots: &mut Vec<Boot>,
    say: &mut impl FnMut(&str) -> Result<()>,
) -> Result<PathBuf> {
    let data = lab.world.disk(&format!("{profile}-data"), DATA_DISK)?;
    for boot in [1, 2] {
        say(&format!("whole boot, profile {profile}, boot {boot}"))?;
        let seen = lab.boot(profile, boot, &data)?;
        say(&format!("  workload started after {:.1} s", seen.started_s))?;
        boots.push(seen);
    }
    Ok(data)
}

fn sizes(options: &Options) -> Result<BTreeMap<String, u64>> {
    let Artifacts { kernel, initramfs, os, .. } = &options.artifacts;
    [("countersignd", &options.countersignd), ("kernel", kernel), ("initramfs", initramfs), ("guest OS", os)]
        .into_iter()
        .map(|(name, path)| {
            let metadata = std::fs::metadata(path).map_err(Error::at(path))?;
            Ok((name.to_owned(), metadata.len()))
        })
        .collect()
}

fn shapes(options: &Options) -> Result<Vec<Shape>> {
    let text = std::fs::read(&options.shapes).map_err(Error::at(&options.shapes))?;
    serde_json::from_slice(&text)
        .map_err(|_| Error::format(options.shapes.display().to_string(), "name, bytes, ms and end of shapes"))
}
