//! Workloads: from the end of `unlock` to the first line of a container, in boots whose stages start it and in boots of the
//! same image whose engine is driven by hand; what judging a compose file takes; images pulled by the stage and by podman
//! processes.
//!
//! The image is the shipped one with a shell and the scripts of `qemu/bench.d/workloads`, which do nothing unless a word of
//! the kernel command line asks for them.

use std::fs::{File, copy};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::samples::{self, Sample, Samples};
use crate::arguments::Run;
use crate::error::{Error, Result};
use crate::events::{Event, Stage, State};
use crate::guest::{Guest, Logs};
use crate::lab::contract::{Section, Texts, archive};
use crate::lab::image;
use crate::lab::signing::{Lookaside, OpenPgp, Signed};
use crate::lab::world::{Artifacts, DATA_DISK, World};
use crate::lab::{make_folder, write};
use crate::profile::{HOST_SEEN_FROM_GUEST, Profile};

/// The longest that a whole emulated boot may take, pulls included.
const BOOT: Duration = Duration::from_secs(900);

/// Images that are pulled side by side.
pub(super) const IMAGES: usize = 4;

/// Bytes that an image has beside its programs, which no compression makes smaller.
const LAYER: u64 = 10 << 20;

/// Rounds of pulls in one guest, as the script has them.
const PULLS: usize = 3;

/// One kind of workload, started by the stages and by hand; samples have `first-line`, and of compose `canonical`.
#[derive(Debug, Serialize)]
pub struct Started {
    /// `compose` or `play`.
    pub kind: &'static str,
    /// By the stages.
    pub countersign: Samples,
    /// By podman and docker-compose.
    pub by_hand: Samples,
}

/// Everything that was measured about workloads.
#[derive(Debug, Default, Serialize)]
pub struct Workloads {
    /// By kind.
    pub started: Vec<Started>,
    /// Rounds of one guest: `signed` and `stage` (the stage, that demands a signature of each image or of none),
    /// `side-by-side`, `one-by-one`.
    pub pulls: Samples,
}

/// Pods of the kind `play`: what the compose file of the demo runs.
const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: bench}\nspec:\n  containers:\n";

/// Boots and measures.
///
/// # Errors
/// As [`Guest::wait_for`].
pub fn measure(
    artifacts: &Artifacts,
    work: &Path,
    logs: &Path,
    rounds: u32,
    say: &mut impl FnMut(&str) -> Result<()>,
) -> Result<Workloads> {
    say("keys, contracts, log server and registry for workloads")?;
    let mut world = World::create(artifacts.clone(), work, None)?;
    let mut bench = Bench { world: &mut world, logs };
    let mut all = Workloads::default();
    for kind in ["compose", "play"] {
        let (countersign, by_hand) = Default::default();
        all.started.push(Started { kind, countersign, by_hand });
    }
    for round in 1..=rounds {
        for started in &mut all.started {
            for by_hand in [false, true] {
                let how = if by_hand { "by hand" } else { "by the stages" };
                say(&format!("round {round} of {rounds}: {}, {how}", started.kind))?;
                let sample = bench.first_line(started.kind, by_hand, round)?;
                say(&format!("  {}", samples::text(&sample)))?;
                let samples = if by_hand { &mut started.by_hand } else { &mut started.countersign };
                samples.0.push(sample);
            }
        }
    }
    say(&format!("{IMAGES} images of {} MiB, {PULLS} rounds", LAYER >> 20))?;
    all.pulls = bench.pulls()?;
    for sample in &all.pulls.0 {
        say(&format!("  {}", samples::text(sample)))?;
    }
    Ok(all)
}

/// An image in the registry.
struct LargeImage {
    repository: String,
    digest: String,
    /// File of its manifest.
    manifest: PathBuf,
}

struct Bench<'b> {
    world: &'b mut World,
    logs: &'b Path,
}

impl Bench<'_> {
    /// A boot of an empty volume, until a container has said its first line.
    fn first_line(&mut self, kind: &str, by_hand: bool, round: u32) -> Result<Sample> {
        let how = if by_hand { "-by-hand" } else { "" };
        let name = format!("workload-{kind}{how}-{round}");
        let texts = self.texts(kind)?;
        let (mut run, before) = self.run(&name, &texts)?;
        if by_hand {
            run.command_line.push("by-hand".to_owned());
        }
        let mut guest = self.boot(&run, &name)?;
        let unlocked = guest.wait_for("end of unlock", BOOT, |e| e.is_stage(Stage::Unlock, State::Done))?.at;
        let app = if kind == "compose" { "compose-hello-1" } else { "bench-hello" };
        let mut number = 0;
        self.world.syslog.wait_for("the first line of a container", BOOT, |message| {
            number += 1;
            number > before && message.app == app
        })?;
        let first = Instant::now();
        let mut sample = Sample::from([("first-line".to_owned(), between(unlocked, first))]);
        if !by_hand {
            guest.wait_for("start of the workload", BOOT, |event| event.is_message("HPL10001I"))?;
            sample.extend(canonical(&guest).map(|ms| ("canonical".to_owned(), ms)));
        }
        guest.cut_power()?;
        Ok(sample)
    }

    /// Images pulled again and again in one guest.
    fn pulls(&mut self) -> Result<Samples> {
        let signer = OpenPgp::make(&self.world.folder().join("openpgp"), "never")?;
        let place =
            Lookaside::start(&self.world.folder().join("signatures"), &self.world.keys.registry.server)?;
        let key = signer.public_key()?;
        let (mut containers, mut rules) = (String::new(), "countersign:\n  images:\n".to_owned());
        for number in 1..=IMAGES {
            let LargeImage { repository, digest, manifest } = self.large_image(number)?;
            let name = format!("{}/{repository}", self.world.registry.guest_address());
            let signed = Signed { repository: &repository, digest: &digest };
            signer.sign(&manifest, &format!("{name}:1"), place.folder(), &signed)?;
            containers += &format!(
                "  - name: c{number}\n    image: {name}@{digest}\n    command: [/bin/busybox, sleep, \"100000\"]\n"
            );
            rules += &format!(
                "    {name}:\n      simple-signing-key: {key}\n      lookaside: https://{HOST_SEEN_FROM_GUEST}:{}\n",
                place.port()
            );
        }
        let mut texts = self.play(&format!("{POD}{containers}"))?;
        texts.workload.push_str(&rules);
        let (mut run, _) = self.run("pulls", &texts)?;
        run.command_line.push("pulls".to_owned());
        let mut guest = self.boot(&run, "pulls")?;
        guest.wait_for("start of the workload", BOOT, |event| event.is_message("HPL10001I"))?;
        let since = guest.history().len();
        guest.wait_for("end of the pulls", BOOT, samples::is_end)?;
        let history = guest.history()[since..].to_vec();
        guest.cut_power()?;
        let mut said = samples::measured(&history);
        let stages: Vec<f64> = history
            .iter()
            .filter_map(|seen| match &seen.event {
                #[allow(clippy::cast_precision_loss)] // less than 2^52
                Event::Stage { stage: Stage::Images, state: State::Done, ms: Some(ms), .. } => {
                    Some(*ms as f64)
                }
                _ => None,
            })
            .collect();
        let rounds = stages.chunks_exact(2).zip(1..).map(|(stages, round)| {
            let names = ["signed", "stage"].map(str::to_owned);
            let mut sample: Sample = names.into_iter().zip(stages.iter().copied()).collect();
            for name in ["side-by-side", "one-by-one"] {
                sample.extend(said.remove(&format!("{name}-{round}")).map(|ms| (name.to_owned(), ms)));
            }
            sample
        });
        Ok(Samples(rounds.collect()))
    }

    fn texts(&self, kind: &str) -> Result<Texts> {
        if kind == "compose" {
            return Ok(self.world.contract().texts());
        }
        let compose = self.world.folder().join("compose/docker-compose.yaml");
        let compose = std::fs::read_to_string(&compose).map_err(Error::at(&compose))?;
        let path = compose.lines().find_map(|line| line.trim().strip_prefix("image: ${REGISTRY}/"));
        let path = path.ok_or_else(|| Error::format("the demo's compose file", "an image of ${REGISTRY}"))?;
        let image = format!("{}/{path}", self.world.registry.guest_address());
        let container = format!(
            "  - name: hello\n    image: {image}\n    envFrom:\n    - configMapRef: {{name: contract.config.map}}\n    \
             ports:\n    - {{containerPort: 8080, hostPort: 8080}}\n    volumeMounts:\n    - {{name: data, mountPath: /data}}\n"
        );
        let volumes = "  volumes:\n  - name: data\n    hostPath: {path: /mnt/data}\n";
        self.play(&format!("{POD}{container}{volumes}"))
    }

    /// A contract with these pods.
    fn play(&self, pods: &str) -> Result<Texts> {
        let folder = make_folder(self.world.folder().join("play"))?;
        write(&folder.join("pods.yaml"), pods)?;
        let mut contract = self.world.contract();
        contract.archive = archive(&folder)?;
        let mut texts = contract.texts();
        texts.edit(Section::Workload, "compose:\n", "play:\n")?;
        Ok(texts)
    }

    /// Pushes an image with [`LAYER`] bytes that are its own.
    fn large_image(&self, number: usize) -> Result<LargeImage> {
        let folder = make_folder(self.world.folder().join(format!("image-{number}")))?;
        // What stands behind a program is no part of it.
        let program = folder.join("busybox");
        copy(self.world.busybox(), &program).map_err(Error::at(&program))?;
        let mut file = File::options().append(true).open(&program).map_err(Error::at(&program))?;
        let random = File::open("/dev/urandom").map_err(Error::at("/dev/urandom"))?;
        std::io::copy(&mut random.take(LAYER), &mut file).map_err(Error::at(&program))?;
        let layout = image::layout(&program, &folder)?;
        let repository = format!("bench/image-{number}");
        let digest = self.world.registry.push(&layout, &repository)?;
        let manifest = layout.join("blobs/sha256").join(digest.trim_start_matches("sha256:"));
        Ok(LargeImage { repository, digest, manifest })
    }

    /// A run, and how many lines the log server has had.
    fn run(&mut self, name: &str, texts: &Texts) -> Result<(Run, usize)> {
        let delivery = self.world.delivery();
        let medium = self.world.deliver(name, texts, &delivery)?;
        let data = self.world.disk(name, DATA_DISK)?;
        let run = self.world.run(name, &self.world.keys.image, &medium, Some(&data))?;
        Ok((run, self.world.syslog.lines()?.len()))
    }

    fn boot(&self, run: &Run, name: &str) -> Result<Guest> {
        Guest::boot(&Profile::named("single")?, run, &Logs::new(self.logs, format!("bench-{name}")))
    }
}

/// From the start of the stage `images` to the line that pulling begins, in milliseconds by the clock of whoever read the
/// console.
fn canonical(guest: &Guest) -> Option<f64> {
    let history = guest.history();
    let start = history.iter().find(|seen| seen.event.is_stage(Stage::Images, State::Start))?;
    let pulling = |event: &Event| matches!(event, Event::Console(line) if line.contains("pulling 1 image"));
    let end = history.iter().find(|seen| pulling(&seen.event))?;
    Some(between(start.at, end.at))
}

fn between(from: Instant, to: Instant) -> f64 {
    to.duration_since(from).as_secs_f64() * 1000.0
}
