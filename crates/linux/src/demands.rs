//! Lines of the journal that ask for a check, as HPCR takes them: `echo HPL13000I | systemd-cat`, or a container that
//! prints the word on a line of its own.
//!
//! One `journalctl` follows the journal with a match for exactly that message, so the daemon's own lines, which begin
//! with the code and go on, are none. A thread waits for what it prints. It is not started again when it ends: nobody can
//! then ask by the journal, which is said, and everything else goes on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use super::programs::Program;
use countersign_ports::error::{Result, SystemError};

/// The message that asks.
const DEMAND: &str = "HPL13000I";

/// Longer than any guest runs: a hundred years.
const FOREVER: Duration = Duration::from_secs(100 * 366 * 86_400);

/// What a thread heard.
#[derive(Debug, Clone)]
pub(super) struct Demands {
    /// Given for a line, and for the end; several that nobody waited for count as one.
    news: Arc<Notify>,
    hears: Arc<AtomicBool>,
}

impl Demands {
    /// Follows the journal from now on with this `journalctl`.
    pub(super) fn follow(journalctl: &Path) -> Result<Demands> {
        // Not from where the journal ends when the program gets there: that would miss what comes until then. The whole
        // second may hold a line from just before; that is a check too many.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let demands = Demands { news: Arc::default(), hears: Arc::new(AtomicBool::new(true)) };
        let (heard, journalctl) = (demands.clone(), journalctl.to_owned());
        let listen = move || {
            let mut on_line = |line: &str| {
                if line == DEMAND {
                    heard.news.notify_one();
                }
            };
            // The engine leaves a container's line its line feed; matches of one field are alternatives.
            let [ask, ask_of_container] = ["", "\n"].map(|end| format!("MESSAGE={DEMAND}{end}"));
            // Merged, because otherwise it wants to know this boot's id, which the unit does not let it see.
            let _ended = Program::new(journalctl)
                .arguments([
                    "--quiet",
                    "--merge",
                    "--follow",
                    "--no-tail",
                    &format!("--since=@{now}"),
                    "--output=cat",
                    &ask,
                    &ask_of_container,
                ])
                .deadline(FOREVER)
                .on_line(&mut on_line)
                .run();
            heard.hears.store(false, Ordering::Release);
            heard.news.notify_one();
        };
        // The program dies with its thread, and that with the process.
        std::thread::Builder::new()
            .name("demands".to_owned())
            .spawn(listen)
            .map_err(|error| SystemError::io("start", "a thread for the journal", error))?;
        Ok(demands)
    }

    /// Ends when there is something new since the last time.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// Whether the journal is still followed.
    pub(super) fn hears(&self) -> bool {
        self.hears.load(Ordering::Acquire)
    }
}
