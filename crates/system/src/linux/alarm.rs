//! The daemon's clockwork: one thread that waits for time and signals at once, and the words to systemd.
//!
//! SIGUSR1 asks for a check, SIGTERM and SIGINT for the end. systemd counts SIGUSR1 as a reload (sd_notify(3),
//! `Type=notify-reload`): `RELOADING=1` when it arrives, `READY=1` when the check is over. While it waits it says
//! `WATCHDOG=1` in half the unit's `WatchdogSec=`, so a check that hangs is noticed.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::error::{Result, SystemError};
use crate::ports_host::{Alarm, Wake};

/// The clockwork of a Linux process; there is one.
#[derive(Debug)]
pub struct LinuxAlarm {
    runtime: Runtime,
    demand: Signal,
    end: [Signal; 2],
    /// Between two signs of life; none where systemd asks for none.
    alive: Option<Duration>,
}

impl LinuxAlarm {
    /// Takes over the signals: from now on they are remembered until the next wait.
    ///
    /// # Errors
    /// The operating system has no descriptor left.
    pub fn new() -> Result<LinuxAlarm> {
        let failed = |error: io::Error| SystemError::io("wait for", "time and signals", error);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let listen = |kind| {
            let _inside = runtime.enter();
            signal(kind).map_err(failed)
        };
        let demand = listen(SignalKind::user_defined1())?;
        let end = [listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?];
        Ok(LinuxAlarm { demand, end, alive: sd_notify::watchdog_enabled().map(|time| time / 2), runtime })
    }
}

impl Alarm for LinuxAlarm {
    fn ready(&mut self) {
        tell(&[NotifyState::Ready]);
    }

    fn status(&mut self, text: &str) {
        tell(&[NotifyState::Status(text), NotifyState::Watchdog]);
    }

    fn wait(&mut self, time: Duration) -> Wake {
        let LinuxAlarm { runtime, demand, end, alive } = self;
        let begin = Instant::now();
        let wake = runtime.block_on(async {
            loop {
                let rest = time.saturating_sub(begin.elapsed());
                let step = alive.map_or(rest, |alive| alive.min(rest));
                match timeout(step, signalled(demand, end)).await {
                    Ok(wake) => return wake,
                    Err(_) if begin.elapsed() >= time => return Wake::Due,
                    Err(_) => tell(&[NotifyState::Watchdog]),
                }
            }
        });
        match wake {
            Wake::Demanded => {
                if let Ok(now) = NotifyState::monotonic_usec_now() {
                    tell(&[NotifyState::Reloading, now]);
                }
            }
            Wake::Ended => tell(&[NotifyState::Stopping]),
            Wake::Due => {}
        }
        wake
    }
}

/// The next signal; the end goes first.
async fn signalled(demand: &mut Signal, end: &mut [Signal; 2]) -> Wake {
    poll_fn(|context| {
        if end.iter_mut().any(|end| end.poll_recv(context).is_ready()) {
            return Poll::Ready(Wake::Ended);
        }
        demand.poll_recv(context).map(|_| Wake::Demanded)
    })
    .await
}

/// Without a service manager nobody listens, and nobody has to.
fn tell(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal as Number, raise};

    #[test]
    fn signals_and_time_end_a_wait_and_none_is_lost() {
        let mut alarm = LinuxAlarm::new().unwrap();
        assert_eq!(alarm.wait(Duration::ZERO), Wake::Due);
        // Signals that arrive while nobody waits are kept.
        raise(Number::SIGUSR1).unwrap();
        assert_eq!(alarm.wait(Duration::from_secs(600)), Wake::Demanded);
        raise(Number::SIGUSR1).unwrap();
        raise(Number::SIGTERM).unwrap();
        assert_eq!(alarm.wait(Duration::from_secs(600)), Wake::Ended);
        assert_eq!(alarm.wait(Duration::from_secs(600)), Wake::Demanded);
        assert_eq!(alarm.wait(Duration::from_millis(1)), Wake::Due);
    }
}
