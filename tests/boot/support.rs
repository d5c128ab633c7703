//! What the stories share: a world, a boot that is refused, and what must hold after every refusal.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use countersign_vm::arguments::Run;
use countersign_vm::events::{Event, Seen, Stage, State};
use countersign_vm::guest::{Guest, Logs};
use countersign_vm::lab::contract::{Contract, Medium, Section, Texts, archive, volume_passphrase};
use countersign_vm::lab::keys::Pair;
use countersign_vm::lab::world::{Artifacts, VOLUME, World};
use countersign_vm::process::{run, tied};
use countersign_vm::profile::Profile;

use crate::inside::{self, End, Look};

/// The longest that an emulated boot may take on a busy machine; a bound, not a claim.
pub(crate) const BOOT: Duration = Duration::from_secs(1800);

/// Whether a story that takes minutes of emulation is to run: with `--long`, or where stories are named. Says so if not.
pub(crate) fn long() -> bool {
    let wanted =
        ["COUNTERSIGN_LONG", "COUNTERSIGN_NAMED"].iter().any(|name| std::env::var_os(name).is_some());
    if !wanted {
        eprintln!("skipped: takes minutes of emulation; --long, or its name behind --only boot, asks for it");
    }
    wanted
}

/// What `tests/run` built; absent names are reported together by the world.
fn artifacts() -> Artifacts {
    let path = |name: &str| PathBuf::from(std::env::var_os(name).unwrap_or_default());
    Artifacts {
        kernel: path("COUNTERSIGN_KERNEL"),
        initramfs: path("COUNTERSIGN_INITRAMFS"),
        os: path("COUNTERSIGN_OS_IMAGE"),
        manifest: path("COUNTERSIGN_IMAGE_JSON"),
        build_manifest: std::env::var_os("COUNTERSIGN_BUILD_MANIFEST").map(PathBuf::from),
        busybox: path("COUNTERSIGN_BUSYBOX"),
    }
}

/// Where worlds, keys and serial logs go.
pub(crate) fn work() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("boot")
}

/// A fresh world, whose guest OS can be looked at from inside (`probe/`); the stories of one run share its keys, which
/// take long to make.
pub(crate) fn world() -> World {
    let path = |name: &str| PathBuf::from(std::env::var_os(name).unwrap_or_default());
    create(Artifacts {
        os: path("COUNTERSIGN_PROBED_OS_IMAGE"),
        manifest: path("COUNTERSIGN_PROBED_IMAGE_JSON"),
        // What looks at it is not in the manifest.
        build_manifest: None,
        ..artifacts()
    })
}

/// A fresh world with exactly the guest OS that ships.
pub(crate) fn shipped_world() -> World {
    create(artifacts())
}

fn create(artifacts: Artifacts) -> World {
    World::create(artifacts, &work(), Some(&work().join("keys"))).unwrap()
}

/// The contract with a seed that its volume was not made with. What the guest derives from it, in either order of the
/// seeds, is a planted secret as well.
pub(crate) fn mistyped(world: &mut World, contract: &Contract) -> Contract {
    let mut contract = contract.clone();
    let volume = contract.volumes.get_mut(VOLUME).unwrap();
    volume.env_seed.push_str("-mistyped");
    let mut swapped = volume.clone();
    std::mem::swap(&mut swapped.env_seed, &mut swapped.workload_seed);
    for volume in [volume, &swapped] {
        world.canaries.plant("passphrase from a mistyped seed", volume_passphrase(volume).unwrap());
    }
    contract
}

/// Logs of the run called `name`, kept after it.
pub(crate) fn logs(name: &str) -> Logs {
    Logs::new(work().join("logs"), name)
}

/// The demo's compose folder, packed, with one more service, made from the name of the demo's image.
pub(crate) fn compose_with(world: &World, service: impl Fn(&str) -> String) -> String {
    let file = world.folder().join("compose/docker-compose.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let image = text.lines().find_map(|line| line.trim().strip_prefix("image: ")).unwrap();
    std::fs::write(&file, text.clone() + &service(image)).unwrap();
    archive(file.parent().unwrap()).unwrap()
}

/// The sections of a contract whose workload are pods: these files, in which `@image@` is the demo's image.
pub(crate) fn play(world: &World, files: &[(&str, &str)]) -> Texts {
    let mut contract = world.contract();
    let image = format!("{}/{}", contract.workload_env["REGISTRY"], image_path(world));
    let folder = world.folder().join("play");
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.replace("@image@", &image)).unwrap();
    }
    contract.archive = archive(&folder).unwrap();
    let mut texts = contract.texts();
    texts.edit(Section::Workload, "compose:\n", "play:\n").unwrap();
    texts
}

/// The demo's image without its registry.
pub(crate) fn image_path(world: &World) -> String {
    let compose = std::fs::read_to_string(world.folder().join("compose/docker-compose.yaml")).unwrap();
    let path = compose.lines().find_map(|line| line.trim().strip_prefix("image: ${REGISTRY}/"));
    path.unwrap().to_owned()
}

/// A boot that was refused: everything that it said.
pub(crate) struct Refused {
    pub history: Vec<Event>,
    pub serial: String,
    /// What was seen of it from inside.
    pub look: Look,
    seen: Vec<Seen>,
    off: Instant,
}

/// Boots until the machine powers itself off.
pub(crate) fn refused(
    world: &World,
    name: &str,
    profile: &str,
    image: &Pair,
    medium: &Medium,
    data: Option<&Path>,
) -> Refused {
    let run = world.run(name, image, medium, data).unwrap();
    refused_run(name, profile, run)
}

/// As [`refused`], of a run that the story has changed.
pub(crate) fn refused_run(name: &str, profile: &str, run: Run) -> Refused {
    let (guest, look) = inside::boot(name, &Profile::named(profile).unwrap(), run);
    off(guest, look)
}

/// Waits until a machine powers itself off.
pub(crate) fn off(mut guest: Guest, look: Look) -> Refused {
    let status = guest.wait_end(BOOT).unwrap();
    let off = Instant::now();
    assert!(status.success(), "the machine did not power itself off: {status}");
    let seen = guest.history().to_vec();
    let history = seen.iter().map(|seen| seen.event.clone()).collect();
    let serial = std::fs::read_to_string(look.logs.serial()).unwrap();
    Refused { history, serial, look, seen, off }
}

/// The capsule of a boot's console, opened by the real program with the auditor's key; the same program draws it.
pub(crate) fn capsule(boot: &Refused, key: &Path) -> serde_json::Value {
    let program = std::env::var_os("COUNTERSIGN_PROGRAM").unwrap_or_default();
    assert!(!program.is_empty(), "expected COUNTERSIGN_PROGRAM to name the program countersign");
    let mut open = tied(&program);
    open.args(["open", "--key"]).arg(key).arg(boot.look.logs.serial());
    let text = run(open, b"").unwrap();
    let transcript: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let mut timeline = tied(&program);
    timeline.args(["timeline", "-"]);
    let table = String::from_utf8(run(timeline, &text).unwrap()).unwrap();
    let [stage, code] = ["stage", "code"].map(|name| transcript["failure"][name].as_str().unwrap());
    assert!(table.starts_with(&format!("failed at {stage} with {code}, ")), "{table}");
    // The sentence is the console's own.
    boot.assert_says(transcript["failure"]["lines"][0].as_str().unwrap());
    transcript
}

impl Refused {
    /// The one failed stage with its fields, and the exit line that belongs to it.
    pub(crate) fn assert_ended(&self, stage: Stage, fields: &[(&str, &str)]) {
        let failed: Vec<&Event> = self
            .history
            .iter()
            .filter(|event| matches!(event, Event::Stage { state: State::Failed, .. }))
            .collect();
        assert_eq!(failed.len(), 1, "one failed stage in\n{}", self.serial);
        assert!(failed[0].is_stage(stage, State::Failed), "{:?} in\n{}", failed[0], self.serial);
        for (key, value) in fields {
            assert_eq!(failed[0].field(key), Some(*value), "field {key} in\n{}", self.serial);
        }
        if stage < Stage::Root {
            // A disk that was never written has no blocks: nothing is written before all checks have passed.
            let scratch = self.look.drives.iter().find(|drive| !drive.read_only).unwrap();
            assert_eq!(std::fs::metadata(&scratch.path).unwrap().blocks(), 0, "the scratch disk was written");
        }
        let code = failed[0].field("code").unwrap_or_default();
        let line = format!("countersign: exit={} stage={stage} code={code}", stage.exit_code());
        assert!(
            self.serial.lines().any(|found| found.trim_end() == line),
            "no \"{line}\" in\n{}",
            self.serial
        );
    }

    /// Nothing after `last` began, but for the network that failure mode needs.
    pub(crate) fn assert_nothing_after(&self, last: Stage) {
        let failed = |event: &Event| matches!(event, Event::Stage { state: State::Failed, .. });
        let over = self.history.iter().position(failed).unwrap_or(self.history.len());
        for (place, event) in self.history.iter().enumerate() {
            if let Event::Stage { stage, .. } = event {
                let reports = place > over && *stage == Stage::Network;
                assert!(*stage <= last || reports, "{stage} began in\n{}", self.serial);
            }
        }
    }

    /// The log server was told the cause, as the console was, the first record where one was made, and that the boot ended;
    /// nothing else.
    pub(crate) fn assert_told(&self, world: &World, cause: &str) {
        // The machine is off: what has not arrived by now will not.
        let lines: Vec<String> = world.syslog.lines().unwrap().into_iter().map(|line| line.msg).collect();
        let (record, lines): (Vec<String>, Vec<String>) =
            lines.into_iter().partition(|line| line.starts_with("countersign-record: "));
        let attested = self.history.iter().any(|event| event.is_stage(Stage::Attest, State::Done));
        assert_eq!(attested, !record.is_empty(), "{record:?} for\n{}", self.serial);
        assert_eq!(lines.len(), 2, "{lines:?} for\n{}", self.serial);
        assert!(lines[0].starts_with(cause) && lines[0].contains("; "), "{lines:?}");
        assert!(self.serial.contains(&lines[0]), "{lines:?} for\n{}", self.serial);
        assert!(lines[1].starts_with("HPL10000E: "), "{lines:?}");
    }

    /// The log server was told the cause with its hint, as the console was, and then that the boot ended, beside the
    /// journal of the guest OS.
    pub(crate) fn assert_told_beside_the_journal(&self, world: &World, cause: &str) {
        let lines: Vec<String> = world.syslog.lines().unwrap().into_iter().map(|line| line.msg).collect();
        let told = |line: &String| {
            line.starts_with(cause) && line.contains("; ") && self.serial.contains(line.as_str())
        };
        let cause = lines.iter().position(told).unwrap_or(lines.len());
        let ended = lines[cause..].iter().any(|line| line.starts_with("HPL10000E: "));
        assert!(ended, "no cause and end in {lines:?} for\n{}", self.serial);
    }

    /// Prints how long the machine took to go off once the network was up or had failed, where the guest OS only reports;
    /// otherwise once its stage had failed. A minute is what the units allow (systemd/README.md); an emulator that is busy
    /// takes longer.
    pub(crate) fn say_when_off(&self) {
        let failed = |seen: &Seen| matches!(seen.event, Event::Stage { state: State::Failed, .. });
        let first = self.seen.iter().position(failed).unwrap();
        let network = |seen: &&Seen| seen.event.is_stage(Stage::Network, State::Done) || failed(seen);
        let since = self.seen[first..].iter().rev().find(network).unwrap_or(&self.seen[first]).at;
        let took = self.off - since;
        println!("{}: off {took:.1?} after the report could begin", self.look.logs.name());
    }

    /// A sentence for people, whole.
    pub(crate) fn assert_says(&self, sentence: &str) {
        assert!(self.serial.contains(sentence), "no \"{sentence}\" in\n{}", self.serial);
    }

    /// No shell, no login, no line out of form; no planted secret anywhere, seen from outside and from inside.
    pub(crate) fn assert_closed_and_silent(&self, world: &World) {
        for word in ["login:", "emergency", "rescue", "sh-5", "~#"] {
            assert!(!self.serial.contains(word), "\"{word}\" in\n{}", self.serial);
        }
        assert!(!self.history.iter().any(|event| matches!(event, Event::Malformed(_))), "{}", self.serial);
        self.look.assert_silent(world, End::Off);
    }
}

/// The names of the planted secrets that are in the machine's memory, those whose names begin like this.
pub(crate) fn in_memory(
    guest: &mut Guest,
    profile: &Profile,
    world: &World,
    beginnings: &[&str],
) -> BTreeSet<String> {
    let folder = tempfile::tempdir_in(work()).unwrap();
    let memory = folder.path().join("memory");
    guest.memory(profile.memory_mib, &memory).unwrap();
    let hits = world.canaries.named(beginnings).search([memory.as_path()]).unwrap();
    hits.into_iter().map(|hit| hit.name).collect()
}
