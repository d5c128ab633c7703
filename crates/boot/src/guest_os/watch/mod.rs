//! Stage `watch`: the daemon that stays until power-off.
//!
//! It is there before anything of the workload is, for one reason: the key of the final record, which until then is a file,
//! is from then on in its memory alone. Then it waits for the workload to have started.
//!
//! It looks at the volumes right after that and every hour, in between when a signal or a line of the journal asks;
//! gives notice of what is going to end; tells when a container ends or is started again and when log records wait. What
//! is due and what a finding means is decided by [`countersign_plan::watch`]. The hourly lines are numbered and pass
//! through the whole forwarding, so their absence or a gap at the log server is the sign that the log does not flow.
//!
//! A deviation is said at every check for as long as it lasts; where the contract says `on-deviation: power-off` the first
//! one is a failure of this stage, and the unit does the rest. The daemon holds no secret and changes nothing.

mod check;

use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::forwarding::ledger::Forwarded;
use countersign_plan::guest_os::handover::{FORWARDED, GuestPlan, STARTED, WATCH, WATCH_STATE, Workload};
use countersign_plan::watch::WatchRecords;
use countersign_plan::watch::schedule::{Clock, DEMAND_SECONDS, DEMANDS, Demand, Due, State};
use countersign_plan::watch::workload::{Change, Containers};
use countersign_ports::guest_os::{Alarm, Wake, Watched, Whose};

use crate::failure::Failure;
use crate::line::Line;
use crate::log::{Log, Summary};
use crate::stage::Stage;

/// How often the daemon asks whether the workload has started.
const START: Duration = Duration::from_secs(1);

/// How often containers and forwarder are looked at.
const LOOK: Duration = Duration::from_secs(60);

/// Seconds that the oldest record may wait before somebody is told: above a conversation with the log server (a
/// minute) and the time that it may take to end (another).
const WAITING: u64 = 300;

/// What the daemon remembers.
struct Daemon<'p> {
    plan: &'p GuestPlan,
    records: WatchRecords,
    state: State,
    containers: Containers,
    /// Whether it was said that the engine is silent.
    silent: bool,
    /// Whether it was said that records wait.
    waiting: bool,
    /// Whether it was said that the journal is not heard.
    deaf: bool,
    /// Number of the last check.
    checks: u64,
    /// Deviations that it found.
    deviations: usize,
}

pub(super) fn run<S: Watched, A: Alarm>(
    system: &S,
    log: &mut Log<'_, S>,
    plan: &GuestPlan,
    alarm: &mut A,
) -> Result<(), Failure> {
    let key = super::record::take_key(system);
    // What requires the daemon, images among it, goes on now.
    alarm.ready();
    if !started(system, alarm) {
        return Ok(());
    }
    let mut daemon = log.stage(Stage::Watch, |log| {
        let mut daemon = Daemon::start(system, plan)?;
        daemon.check(system, log)?;
        let summary = Summary::new()
            .with("volumes", daemon.records.volumes.len())
            .with("expiries", daemon.records.expiries.len())
            .with("deviations", daemon.deviations);
        Ok((daemon, summary))
    })?;
    super::transcript::add(system, log, None);
    super::transcript::say_digest(system, log);
    super::record::finish(system, log, plan, &daemon.records, key);
    log.forget();
    loop {
        let due = daemon.state.due(&daemon.records.expiries, clock(system));
        daemon.act(system, log, &due)?;
        daemon.listens(system, alarm.hears());
        daemon.keep(system)?;
        alarm.status(&daemon.status());
        match alarm.wait(Duration::from_secs(due.wake).min(LOOK)) {
            Wake::Due => {}
            Wake::Demanded => {
                daemon.demanded(system, log)?;
                alarm.ready();
            }
            Wake::Ended => return Ok(()),
        }
    }
}

/// Waits until the workload has started; false where somebody ends the daemon meanwhile. A start that fails powers the
/// machine off, so nobody waits for ever.
fn started<S: Watched, A: Alarm>(system: &S, alarm: &mut A) -> bool {
    loop {
        if system.note(STARTED).is_ok() {
            return true;
        }
        // A sign of life as well.
        alarm.status("waits for the workload to start");
        match alarm.wait(START) {
            Wake::Due => {}
            Wake::Demanded => alarm.ready(),
            Wake::Ended => return false,
        }
    }
}

fn clock<S: Watched>(system: &S) -> Clock {
    Clock { unix: system.unix_time(), uptime: system.uptime().as_secs() }
}

fn unusable(error: impl std::fmt::Display) -> Failure {
    Failure::machine(Stage::Watch, Code::HandoverFailed, error)
}

impl<'p> Daemon<'p> {
    /// Reads the records, and the state of a daemon that ran before in this boot.
    fn start<S: Watched>(system: &S, plan: &'p GuestPlan) -> Result<Daemon<'p>, Failure> {
        let records = system.note(WATCH).map_err(unusable)?;
        let records: WatchRecords = serde_json::from_slice(&records)
            .map_err(|error| unusable(format!("expected the records of this version: {error}")))?;
        let kept = system.note(WATCH_STATE).ok();
        let mut state = kept
            .and_then(|kept| serde_json::from_slice(&kept).ok())
            .unwrap_or_else(|| State::new(records.verified));
        // The first check is made in any case.
        state.checked(clock(system));
        Ok(Daemon {
            plan,
            records,
            state,
            containers: Containers::default(),
            silent: false,
            waiting: false,
            deaf: false,
            checks: 0,
            deviations: 0,
        })
    }

    /// Keeps the state for a daemon that has to be started again.
    fn keep<S: Watched>(&self, system: &S) -> Result<(), Failure> {
        let state = serde_json::to_vec(&self.state).map_err(unusable)?;
        system.keep_note(WATCH_STATE, &state).map_err(unusable)
    }

    fn status(&self) -> String {
        let (all, running) = self.containers.count();
        let (checks, deviations) = (self.checks, self.deviations);
        format!("{running} of {all} containers run; check {checks}: {deviations} deviations")
    }

    fn act<S: Watched>(&mut self, system: &S, log: &mut Log<'_, S>, due: &Due) -> Result<(), Failure> {
        if let Some(seconds) = due.set_back {
            let code = Code::ClockSetBack;
            tell(system, &Line::with(code, format_args!("{} by {seconds} s", code.text())));
        }
        for place in &due.notices {
            let (code, text) = self.records.expiries[*place].notice(due.now);
            tell(system, &Line::with(code, text));
        }
        if due.check {
            self.check(system, log)?;
        }
        self.workload(system);
        self.forwarder(system);
        Ok(())
    }

    fn listens<S: Watched>(&mut self, system: &S, hears: bool) {
        if !hears && !std::mem::replace(&mut self.deaf, true) {
            tell(system, &Line::of(Code::JournalUnheard));
        }
    }

    fn demanded<S: Watched>(&mut self, system: &S, log: &mut Log<'_, S>) -> Result<(), Failure> {
        match self.state.demand(clock(system)) {
            Demand::Granted => self.check(system, log)?,
            Demand::Refused => {
                let text = format!("expected at most {DEMANDS} demands in {DEMAND_SECONDS} s");
                tell(system, &Line::with(Code::CheckThrottled, text));
            }
            Demand::Ignored => {}
        }
        Ok(())
    }

    /// Looks at everything that the records name and says what was found; an error if that ends the guest.
    fn check<S: Watched>(&mut self, system: &S, log: &mut Log<'_, S>) -> Result<(), Failure> {
        self.checks += 1;
        log.tell(&Line::of_check(Code::CheckStarted, self.checks));
        let deviations = check::run(system, log, &self.records);
        for deviation in &deviations {
            log.tell(&Line::with(deviation.code, &deviation.text));
        }
        self.deviations = deviations.len();
        let Some(first) = deviations.first() else {
            log.tell(&Line::of_check(Code::CheckPassed, self.checks));
            return Ok(());
        };
        if self.records.power_off {
            let message = format!("{}; the contract says power-off on a deviation", first.text);
            return Err(Failure::machine(Stage::Watch, first.code, message));
        }
        Ok(())
    }

    fn workload<S: Watched>(&mut self, system: &S) {
        let whose = match &self.plan.workload {
            Workload::Compose { project, .. } => Whose::Project(project),
            Workload::Play { .. } => Whose::Everyone,
            Workload::Nothing => return,
        };
        let list = system.containers(whose).map_err(|error| error.to_string());
        match list.and_then(|list| self.containers.update(&list).map_err(str::to_owned)) {
            Ok(changes) => {
                self.silent = false;
                for Change { code, text } in changes {
                    // What a container is called is for its owner to know.
                    system.tell(&Line::with(code, text).on_console(code.text()).event());
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.silent, true) {
                    tell(system, &Line::with(Code::EngineSilent, error));
                }
            }
        }
    }

    fn forwarder<S: Watched>(&mut self, system: &S) {
        // Before its first record there is no file; the numbered checks pass through it in any case.
        let Ok(kept) = system.note(FORWARDED) else { return };
        let Ok(Forwarded { waiting_since, reason, .. }) = serde_json::from_slice(&kept) else { return };
        let seconds = waiting_since.map_or(0, |since| system.uptime().as_secs().saturating_sub(since));
        let waiting = seconds > WAITING;
        if waiting == std::mem::replace(&mut self.waiting, waiting) {
            return;
        }
        if waiting {
            let code = Code::LogWaiting;
            let reason = reason.map(|reason| format!("; {reason}")).unwrap_or_default();
            tell(system, &Line::of(code).and(format_args!("{seconds} s{reason}")));
        } else {
            let code = Code::LogDrained;
            system.tell(&Line::of(code).event());
        }
    }
}

/// Not through [`Log::warn`], which remembers: the daemon lives for months.
fn tell<S: Watched>(system: &S, line: &Line) {
    system.tell(&line.event());
}
