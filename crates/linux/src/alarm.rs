//! The daemon's clockwork: one thread that waits for time and signals at once, and the words to systemd.
//!
//! SIGUSR1 asks for a check, as does a line of the journal; SIGTERM and SIGINT ask for the end. systemd counts SIGUSR1 as
//! a reload (sd_notify(3), `Type=notify-reload`): `RELOADING=1` when it arrives, `READY=1` when the check is over. While it
//! waits it says `WATCHDOG=1` in half the unit's `WatchdogSec=`, so a check that hangs is noticed.

use std::future::{Future, poll_fn};
use std::io;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use super::demands::Demands;
use countersign_ports::error::{Result, SystemError};
use countersign_ports::guest_os::{Alarm, Wake};

/// The clockwork of a Linux process; there is one.
#[derive(Debug)]
pub struct LinuxAlarm {
    runtime: Runtime,
    demand: Signal,
    end: [Signal; 2],
    journal: Demands,
    /// Between two signs of life; none where systemd asks for none.
    alive: Option<Duration>,
}

impl LinuxAlarm {
    /// Where the guest OS has `journalctl`.
    pub const JOURNALCTL: &str = "/usr/bin/journalctl";

    /// Takes over the signals and follows the journal: from now on what asks is remembered until the next wait.
    ///
    /// # Errors
    /// The operating system has no descriptor or thread left.
    pub fn new(journalctl: &Path) -> Result<LinuxAlarm> {
        let failed = |error: io::Error| SystemError::io("wait for", "time and signals", error);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let listen = |kind| {
            let _inside = runtime.enter();
            signal(kind).map_err(failed)
        };
        let demand = listen(SignalKind::user_defined1())?;
        let end = [listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?];
        let journal = Demands::follow(journalctl)?;
        let alive = sd_notify::watchdog_enabled().map(|time| time / 2);
        Ok(LinuxAlarm { runtime, demand, end, journal, alive })
    }
}

impl Alarm for LinuxAlarm {
    fn ready(&mut self) {
        tell(&[NotifyState::Ready]);
    }

    fn status(&mut self, text: &str) {
        tell(&[NotifyState::Status(text), NotifyState::Watchdog]);
    }

    fn hears(&self) -> bool {
        self.journal.hears()
    }

    fn wait(&mut self, time: Duration) -> Wake {
        let LinuxAlarm { runtime, demand, end, journal, alive } = self;
        let begin = Instant::now();
        let event = runtime.block_on(async {
            loop {
                let rest = time.saturating_sub(begin.elapsed());
                let step = alive.map_or(rest, |alive| alive.min(rest));
                match timeout(step, event(demand, end, journal)).await {
                    Ok(event) => return Some(event),
                    Err(_) if begin.elapsed() >= time => return None,
                    Err(_) => tell(&[NotifyState::Watchdog]),
                }
            }
        });
        match event {
            Some(Event::Reload) => {
                if let Ok(now) = NotifyState::monotonic_usec_now() {
                    tell(&[NotifyState::Reloading, now]);
                }
                Wake::Demanded
            }
            Some(Event::End) => {
                tell(&[NotifyState::Stopping]);
                Wake::Ended
            }
            Some(Event::Journal) if journal.hears() => Wake::Demanded,
            // That nobody is heard any more is a reason to look.
            Some(Event::Journal) | None => Wake::Due,
        }
    }
}

/// What ends a wait before its time.
enum Event {
    Reload,
    End,
    Journal,
}

/// The next event; the end goes first.
async fn event(demand: &mut Signal, end: &mut [Signal; 2], journal: &Demands) -> Event {
    let mut news = pin!(journal.news());
    poll_fn(|context| {
        if end.iter_mut().any(|end| end.poll_recv(context).is_ready()) {
            return Poll::Ready(Event::End);
        }
        if demand.poll_recv(context).is_ready() {
            return Poll::Ready(Event::Reload);
        }
        news.as_mut().poll(context).map(|()| Event::Journal)
    })
    .await
}

/// Without a service manager nobody listens, and nobody has to.
fn tell(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;
    use std::sync::{Mutex, PoisonError};
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;
    use nix::sys::signal::{Signal as Number, raise};

    const LONG: Duration = Duration::from_secs(600);

    /// What journalctl is asked, but for the time.
    const EXPECTED: &str =
        "--quiet --merge --follow --no-tail --output=cat MESSAGE=HPL13000I MESSAGE=HPL13000I\n";

    /// A signal reaches every clockwork of a process, and tests of one process run side by side.
    static SIGNALS: Mutex<()> = Mutex::new(());

    /// A program in place of journalctl, which checks its arguments. Another process writes it: as long as a descriptor
    /// for writing is open, and be it in the child of a test beside this one, it cannot be started.
    fn journalctl(folder: &tempfile::TempDir, script: &str) -> PathBuf {
        let [path, text] = ["journalctl", "text"].map(|name| folder.path().join(name));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let lines = format!(
            "#!/bin/sh\n\
             [ $# = 8 ] && [ \"$1 $2 $3 $4 $6 $7 $8\" = '{EXPECTED}' ] || exit 1\n\
             since=${{5#--since=@}} && [ \"$since\" -ge {now} ] && [ \"$since\" -le \"$(date +%s)\" ] || exit 1\n\
             {script}\n"
        );
        std::fs::write(&text, lines).unwrap();
        let installed = Command::new("install").args(["-m", "755"]).args([&text, &path]).status().unwrap();
        assert!(installed.success());
        path
    }

    #[test]
    fn signals_and_time_end_a_wait_and_none_is_lost() {
        let _alone = SIGNALS.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let mut alarm = LinuxAlarm::new(&journalctl(&folder, "exec sleep 600")).unwrap();
        assert_eq!(alarm.wait(Duration::ZERO), Wake::Due);
        // Signals that arrive while nobody waits are kept.
        raise(Number::SIGUSR1).unwrap();
        assert_eq!(alarm.wait(LONG), Wake::Demanded);
        raise(Number::SIGUSR1).unwrap();
        raise(Number::SIGTERM).unwrap();
        assert_eq!(alarm.wait(LONG), Wake::Ended);
        assert_eq!(alarm.wait(LONG), Wake::Demanded);
        assert_eq!(alarm.wait(Duration::from_millis(1)), Wake::Due);
        assert!(alarm.hears());
    }

    #[test]
    fn a_line_of_the_journal_asks_and_the_end_of_the_program_is_told_once() {
        let _alone = SIGNALS.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let script = format!("exec cat {}", fifo.display());
        let mut alarm = LinuxAlarm::new(&journalctl(&folder, &script)).unwrap();
        // For both, so that nobody waits for a program that does not come.
        let mut journal = std::fs::File::options().read(true).write(true).open(&fifo).unwrap();
        let mut write = |text: &[u8]| io::Write::write_all(&mut journal, text).unwrap();
        write(b"HPL13000I: check 1\nanother\nHPL13000I\n");
        assert_eq!(alarm.wait(LONG), Wake::Demanded);
        write(b"HPL13000I\n");
        assert_eq!(alarm.wait(LONG), Wake::Demanded);
        assert!(alarm.hears());
        drop(journal);
        assert_eq!(alarm.wait(LONG), Wake::Due);
        assert!(!alarm.hears());
        raise(Number::SIGUSR1).unwrap();
        assert_eq!(alarm.wait(LONG), Wake::Demanded);
    }

    #[test]
    fn without_journalctl_nobody_is_heard() {
        let _alone = SIGNALS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut alarm = LinuxAlarm::new(Path::new("/nonexistent/journalctl")).unwrap();
        assert_eq!((alarm.wait(LONG), alarm.hears()), (Wake::Due, false));
    }
}
