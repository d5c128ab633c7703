//! What the stories share: a world, a boot that is refused, and what must hold after every refusal.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_vm::events::{Event, Stage, State};
use countersign_vm::guest::{Guest, Logs};
use countersign_vm::lab::contract::Medium;
use countersign_vm::lab::keys::Pair;
use countersign_vm::lab::world::{Artifacts, World};
use countersign_vm::profile::Profile;

/// The longest that an emulated boot may take on a busy machine; a bound, not a claim.
pub const BOOT: Duration = Duration::from_secs(600);

/// What `tests/run` built; absent names are reported together by the world.
pub fn artifacts() -> Artifacts {
    let path = |name: &str| PathBuf::from(std::env::var_os(name).unwrap_or_default());
    Artifacts {
        kernel: path("COUNTERSIGN_KERNEL"),
        initramfs: path("COUNTERSIGN_INITRAMFS"),
        os: path("COUNTERSIGN_OS_IMAGE"),
        manifest: path("COUNTERSIGN_IMAGE_JSON"),
        busybox: path("COUNTERSIGN_BUSYBOX"),
    }
}

/// Where worlds, keys and serial logs go.
pub fn work() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("boot")
}

/// A fresh world; the stories of one run share its keys, which take long to make.
pub fn world() -> World {
    World::create(artifacts(), &work(), Some(&work().join("keys"))).unwrap()
}

/// Logs of the run called `name`, kept after it.
pub fn logs(name: &str) -> Logs {
    Logs::new(work().join("logs"), name)
}

/// A boot that was refused: everything that it said.
pub struct Refused {
    pub history: Vec<Event>,
    pub serial: String,
    logs: Logs,
    scratch: PathBuf,
}

/// Boots until the machine powers itself off.
pub fn refused(
    world: &World,
    name: &str,
    profile: &str,
    image: &Pair,
    medium: &Medium,
    data: Option<&Path>,
) -> Refused {
    let run = world.run(name, image, medium, data).unwrap();
    let logs = logs(name);
    let mut guest = Guest::boot(&Profile::named(profile).unwrap(), &run, &logs).unwrap();
    let status = guest.wait_end(BOOT).unwrap();
    assert!(status.success(), "the machine did not power itself off: {status}");
    let history = guest.history().iter().map(|seen| seen.event.clone()).collect();
    let serial = std::fs::read_to_string(logs.serial()).unwrap();
    let scratch = run.drives.iter().find(|drive| !drive.read_only).unwrap().path.clone();
    Refused { history, serial, logs, scratch }
}

impl Refused {
    /// The one failed stage with its fields, and the exit line that belongs to it.
    pub fn assert_ended(&self, stage: Stage, exit: u8, fields: &[(&str, &str)]) {
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
            assert_eq!(std::fs::metadata(&self.scratch).unwrap().blocks(), 0, "the scratch disk was written");
        }
        let code = failed[0].field("code").unwrap_or_default();
        let line = format!("countersign: exit={exit} stage={stage} code={code}");
        assert!(
            self.serial.lines().any(|found| found.trim_end() == line),
            "no \"{line}\" in\n{}",
            self.serial
        );
    }

    /// Nothing after `last` began, but for the network that failure mode needs.
    pub fn assert_nothing_after(&self, last: Stage) {
        let failed = |event: &Event| matches!(event, Event::Stage { state: State::Failed, .. });
        let over = self.history.iter().position(failed).unwrap_or(self.history.len());
        for (place, event) in self.history.iter().enumerate() {
            if let Event::Stage { stage, .. } = event {
                let reports = place > over && *stage == Stage::Network;
                assert!(*stage <= last || reports, "{stage} began in\n{}", self.serial);
            }
        }
    }

    /// The log server was told the cause, as the console was, and that the boot ended; nothing else.
    pub fn assert_told(&self, world: &World, cause: &str) {
        // The machine is off: what has not arrived by now will not.
        let lines: Vec<String> = world.syslog.lines().unwrap().into_iter().map(|line| line.msg).collect();
        assert_eq!(lines.len(), 2, "{lines:?} for\n{}", self.serial);
        assert!(lines[0].starts_with(cause) && lines[0].contains("; "), "{lines:?}");
        assert!(self.serial.contains(&lines[0]), "{lines:?} for\n{}", self.serial);
        assert!(lines[1].starts_with("HPL10000E: "), "{lines:?}");
    }

    /// A sentence for people, whole.
    pub fn assert_says(&self, sentence: &str) {
        assert!(self.serial.contains(sentence), "no \"{sentence}\" in\n{}", self.serial);
    }

    /// No shell, no login, no line out of form, no planted secret on the console or at the log server.
    pub fn assert_closed_and_silent(&self, world: &World) {
        for word in ["login:", "emergency", "rescue", "sh-5", "~#"] {
            assert!(!self.serial.contains(word), "\"{word}\" in\n{}", self.serial);
        }
        assert!(!self.history.iter().any(|event| matches!(event, Event::Malformed(_))), "{}", self.serial);
        let files = [self.logs.serial(), self.logs.emulator(), world.syslog.file()];
        let present = files.iter().filter(|file| file.exists()).map(PathBuf::as_path);
        assert_eq!(world.canaries.search(present).unwrap(), Vec::new());
    }
}
