//! `countersign receive`: the listener, the page, the clock, and how all of it ends.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};

use crate::desk::{Desk, Show};
use crate::listen::stop::Stop;
use crate::listen::tls::{Files, Server};
use crate::listen::{self, Limits, Listener};
use crate::printer::Printer;
use crate::store::Store;
use crate::web::Web;

/// Milliseconds between two looks at who is silent, and between syncs of conversations that do not end.
const TICK: u16 = 5_000;

/// What a receiver needs.
#[derive(Debug)]
pub struct Options {
    /// Folder of the records.
    pub records: PathBuf,
    /// Where guests connect.
    pub listen: Vec<SocketAddr>,
    /// Certificates.
    pub files: Files,
    /// Bytes of a file of records.
    pub segment: u64,
    /// Files of records that are kept; all without it.
    pub keep: Option<usize>,
    /// What is printed.
    pub show: Show,
    /// Where the page is served, on loopback.
    pub web: Option<SocketAddr>,
}

/// Receives until SIGTERM or SIGINT.
///
/// # Errors
/// What it needs cannot be had: the folder, a certificate, an address.
pub fn run(options: &Options) -> Result<()> {
    // Before there are other threads, so that all of them leave these signals to this one.
    let ends = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    ends.thread_block()?;
    let server = Server::new(options.files.clone())?;
    let store = Store::open(&options.records, options.segment, options.keep)?;
    // Guests wait there while what was stored is counted; refused, they would come again later and later.
    let sockets = listen::bind(&options.listen)?;
    let printer = Printer::to(std::io::stdout())?;
    let desk = Desk::new(store, printer, options.show, now)
        .with_context(|| format!("{}: expected readable records", options.records.display()))?;
    let (desk, stop) = (Arc::new(desk), Arc::new(Stop::new()?));
    let listener = Listener::new(sockets, server, Arc::clone(&desk), Arc::clone(&stop), Limits::default());
    let mut out = std::io::stdout();
    for address in listener.addresses()? {
        writeln!(out, "listening on {address}, records in {}", options.records.display())?;
    }
    if let Some(address) = options.web {
        // The token stands here and nowhere else.
        writeln!(out, "page: {}", Web::serve(address, Arc::clone(&desk))?.url)?;
    }
    out.flush()?;
    let clock = ticking(Arc::clone(&desk), Arc::clone(&stop))?;
    let accepting = std::thread::Builder::new().name("listener".into()).spawn(move || listener.run())?;
    ends.wait()?;
    stop.now();
    for thread in [accepting, clock] {
        // A thread that panicked has said why.
        let _ = thread.join();
    }
    desk.tick();
    Ok(())
}

fn ticking(desk: Arc<Desk>, stop: Arc<Stop>) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("clock".into()).spawn(move || {
        while !stop.is_now() {
            let mut stopped = [PollFd::new(stop.descriptor(), PollFlags::POLLIN)];
            // An interrupted wait is a tick too early, which does no harm.
            let _ = poll(&mut stopped, PollTimeout::from(TICK));
            desk.tick();
        }
    })
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    i64::try_from(since).unwrap_or(i64::MAX)
}
