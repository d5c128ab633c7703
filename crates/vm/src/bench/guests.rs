//! The guests of the benchmark: whole boots, boots as far as the handover, and guests that only measure.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::samples::{self, Peak, Sample, Unit};
use crate::arguments::Run;
use crate::error::{Error, Result};
use crate::events::{Stage, State};
use crate::guest::{Guest, Logs};
use crate::lab::contract::Medium;
use crate::lab::material;
use crate::lab::world::World;
use crate::process::{run, text, tied};
use crate::profile::Profile;
use crate::programs;

/// The code that says that everything has started.
const STARTED: &str = "HPL10001I";

/// The longest that a whole emulated boot may take.
const BOOT: Duration = Duration::from_secs(420);

/// The longest that a guest without guest OS may take, and a last log line to arrive.
pub(super) const SHORT: Duration = Duration::from_secs(180);

/// Everything that the guests of a run have in common.
#[derive(Debug)]
pub struct Lab {
    /// Servers, keys and contract.
    pub world: World,
    /// The contract's disk, the same for all guests.
    pub medium: Medium,
    /// Archive with the benchmark's guest material.
    pub material: PathBuf,
    /// Folder for the serial logs.
    pub logs: PathBuf,
}

/// Where the time of a whole boot went.
#[derive(Debug, Clone, Serialize)]
pub struct Boot {
    /// Machine profile.
    pub profile: String,
    /// 1 with an empty data disk, 2 with the disk of the first boot.
    pub boot: u32,
    /// From the start of the emulator to the line that the workload is started, by the host's clock, in seconds.
    pub started_s: f64,
    /// To the first line of countersignd as `/init`.
    pub init_s: f64,
    /// To the end of the initramfs.
    pub handover_s: f64,
    /// To the first stage of the guest OS.
    pub network_s: f64,
    /// Milliseconds of every stage, by the guest's clock.
    pub stages: Sample,
    /// systemd's own sum, by the guest's clock from the start of the kernel.
    pub systemd: String,
    /// Units of the guest OS whose start the journal shows.
    pub units: Vec<Unit>,
}

impl Lab {
    /// A whole boot of `data`, until the log server has systemd's sum.
    ///
    /// # Errors
    /// As [`Guest::wait_for`], and [`Error::Format`] when a line is missing that every boot has.
    pub fn boot(&mut self, profile: &str, boot: u32, data: &Path) -> Result<Boot> {
        let name = format!("{profile}-{boot}");
        let run = self.run(&name, Some(data))?;
        let before = self.world.syslog.lines()?.len();
        let mut guest = self.start(profile, &run, &name)?;
        let started = guest.started();
        let seen = guest.wait_for("start of the workload", BOOT, |event| event.is_message(STARTED))?;
        self.wait_summed_up(before)?;
        guest.cut_power()?;
        let messages = self.world.syslog.lines()?.split_off(before);
        let at = |stage, state| {
            samples::at(guest.history(), started, stage, state)
                .ok_or_else(|| Error::format(name.as_str(), format!("a line of the stage {stage}")))
        };
        Ok(Boot {
            profile: profile.to_owned(),
            boot,
            started_s: seen.at.duration_since(started).as_secs_f64(),
            init_s: at(Stage::Preflight, State::Start)?,
            handover_s: at(Stage::Handover, State::Done)?,
            network_s: at(Stage::Network, State::Start)?,
            stages: samples::stages(guest.history()),
            systemd: samples::startup(&messages).unwrap_or_default().to_owned(),
            units: samples::units(&messages),
        })
    }

    /// A boot of a copy of `data` as far as the handover.
    ///
    /// # Errors
    /// As [`Guest::wait_for`].
    pub fn initramfs(&self, round: u32, data: &Path) -> Result<Sample> {
        let name = format!("initramfs-{round}");
        let run = self.run(&name, Some(&self.copy(data, &name)?))?;
        let mut guest = self.start("bare", &run, &name)?;
        let done = |event: &_| crate::events::Event::is_stage(event, Stage::Handover, State::Done);
        guest.wait_for("end of the initramfs", SHORT, done)?;
        guest.cut_power()?;
        Ok(samples::stages(guest.history()))
    }

    /// A guest that measures `what` (`program`, `library` or `recipe`) on a copy of `data`.
    ///
    /// # Errors
    /// As [`Guest::wait_for`].
    pub fn measure(&self, what: &str, round: u32, data: &Path) -> Result<Sample> {
        let name = format!("{what}-{round}");
        let mut run = self.run(&name, Some(&self.copy(data, &name)?))?;
        self.add_material(&mut run, "/bench/init")?;
        run.command_line.push(format!("bench={what}"));
        let mut guest = self.start("bare", &run, &name)?;
        guest.wait_for("end of the measurement", SHORT, samples::is_end)?;
        guest.wait_end(SHORT)?;
        Ok(samples::measured(guest.history()))
    }

    /// A whole boot of a copy of `data` under the eyes of the memory monitor.
    ///
    /// # Errors
    /// As [`Guest::wait_for`].
    pub fn memory(&mut self, data: &Path) -> Result<Vec<Peak>> {
        let mut run = self.run("memory", Some(&self.copy(data, "memory")?))?;
        self.add_material(&mut run, "/bench/monitor")?;
        let mut guest = self.start("single", &run, "memory")?;
        let is_last = |event: &_| {
            matches!(event, crate::events::Event::Console(line)
                if line.starts_with("bench: memory=guest-os stage=start "))
        };
        guest.wait_for("memory of the last stage", BOOT, is_last)?;
        guest.cut_power()?;
        Ok(samples::peaks(guest.history()))
    }

    fn wait_summed_up(&mut self, before: usize) -> Result<()> {
        let mut number = 0;
        let summed_up = |message: &crate::lab::syslog::Message| {
            number += 1;
            number > before && message.msg.starts_with("Startup finished in ")
        };
        self.world.syslog.wait_for("systemd's sum at the log server", SHORT, summed_up).map(drop)
    }

    fn start(&self, profile: &str, run: &Run, name: &str) -> Result<Guest> {
        self.boot_on(&Profile::named(profile)?, run, name)
    }

    /// A guest on this machine.
    pub(super) fn boot_on(&self, machine: &Profile, run: &Run, name: &str) -> Result<Guest> {
        Guest::boot(machine, run, &Logs::new(&self.logs, format!("bench-{name}")))
    }

    fn run(&self, name: &str, data: Option<&Path>) -> Result<Run> {
        self.world.run(name, &self.world.keys.image, &self.medium, data)
    }

    /// All guests of a kind start from the same bytes.
    pub(super) fn copy(&self, data: &Path, name: &str) -> Result<PathBuf> {
        let copy = data.with_file_name(format!("{name}-data"));
        let mut command = tied("cp");
        command.args(["--sparse=always", "--reflink=auto", "--"]).arg(data).arg(&copy);
        run(command, b"")?;
        Ok(copy)
    }

    /// Appends the guest material to the shipped initramfs and makes `first` its process 1.
    pub(super) fn add_material(&self, run: &mut Run, first: &str) -> Result<()> {
        material::add(run, &self.material, first)
    }
}

/// The machine that measured: figures of another are not comparable.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Time of the run, UTC.
    pub time: String,
    /// Model of its processors.
    pub processor: String,
    /// How many.
    pub processors: usize,
    /// Load average over a minute before the first guest started.
    pub load: String,
    /// The emulator's version.
    pub emulator: String,
}

impl Machine {
    /// This machine, now.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Program`].
    pub fn this() -> Result<Self> {
        let read = |path: &str| std::fs::read_to_string(path).map_err(Error::at(path));
        let cpuinfo = read("/proc/cpuinfo")?;
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let mut date = tied("date");
        date.args(["--utc", "+%Y-%m-%dT%H:%M:%SZ"]);
        let mut emulator = tied(programs::emulator()?);
        emulator.arg("--version");
        Ok(Self {
            time: text(date, b"")?,
            processor: model.map_or("unknown", |(_, name)| name).to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            load: read("/proc/loadavg")?.split(' ').next().unwrap_or_default().to_owned(),
            emulator: text(emulator, b"")?.lines().next().unwrap_or_default().to_owned(),
        })
    }
}
