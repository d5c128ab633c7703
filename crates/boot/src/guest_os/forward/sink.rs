//! Where entries of the journal go: frames of syslog in a conversation, or records of IBM Cloud Logs in a request.
//!
//! Both are begun, take entries, and are finished; what was taken counts once that went well. A conversation has its
//! frames while it goes on, a request gets its records when it is finished.

use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::forwarding::entry::Entry;
use countersign_plan::forwarding::ledger::{REQUEST_LONGEST, SYSLOG_LONGEST};
use countersign_plan::forwarding::origin::Source;
use countersign_plan::forwarding::singles::{Batch, Tagged};
use countersign_plan::forwarding::syslog;
use countersign_plan::forwarding::trouble::Trouble;
use countersign_plan::guest_os::handover::GuestPlan;
use countersign_ports::guest_os::{Ending, Forwarder, GuestOs, LogTarget};

use crate::line::Line;

use super::super::delivery::syslog_server;
use super::super::log_router::LogRouter;

/// Bytes of frames that are handed over at once, as long as one has no more.
const FRAMES: usize = 16 << 10;

/// Where entries go.
#[derive(Debug)]
pub(super) enum Sink<'f, S> {
    /// To a syslog server.
    Syslog {
        /// The server.
        target: LogTarget,
        /// What its records have in common.
        source: Source<'f>,
        /// Frames that were not handed over yet.
        frames: Vec<u8>,
    },
    /// To IBM Cloud Logs.
    Router {
        /// The service.
        router: LogRouter<'f, S>,
        /// What its records have in common.
        source: Tagged<'f>,
        /// The records of the request.
        batch: Batch,
    },
}

impl<'f, S: GuestOs> Sink<'f, S> {
    /// The sink of a plan; the first forwarder began so many microseconds after the kernel.
    ///
    /// # Errors
    /// The files that it needs cannot be read.
    pub(super) fn of(system: &'f S, plan: &'f GuestPlan, began: u64) -> Result<Sink<'f, S>, Trouble> {
        if let Some(router) = LogRouter::of(system, plan)? {
            let source = router.source(began);
            return Ok(Sink::Router { router, source, batch: Batch::default() });
        }
        let unusable = || Trouble::Server(countersign_ports::guest_os::ConnectionError::ClientFiles);
        let target = syslog_server(plan).ok_or_else(unusable)?;
        Ok(Sink::Syslog { target, source: Source::of(plan, began), frames: Vec::with_capacity(FRAMES) })
    }

    /// How long it may hold what it has taken before that is finished.
    pub(super) fn longest(&self) -> Duration {
        match self {
            Sink::Syslog { .. } => SYSLOG_LONGEST,
            Sink::Router { .. } => REQUEST_LONGEST,
        }
    }

    /// Takes an entry; how many bytes it becomes.
    pub(super) fn take(&mut self, entry: &Entry, number: u64) -> usize {
        match self {
            Sink::Syslog { source, frames, .. } => {
                let before = frames.len();
                syslog::frame(entry, Some(number), *source, frames);
                frames.len() - before
            }
            Sink::Router { source, batch, .. } => batch.push(entry, Some(number), *source),
        }
    }

    /// Whether something should be handed over before more is taken.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Sink::Syslog { frames, .. } if frames.len() >= FRAMES)
    }

    /// Whether all that was taken has been handed over.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Sink::Syslog { frames, .. } => frames.is_empty(),
            Sink::Router { batch, .. } => batch.is_empty(),
        }
    }

    /// Begins, which may take this long.
    pub(super) fn begin<F: Forwarder>(&self, forwarder: &mut F, timeout: Duration) -> Result<(), Trouble> {
        match self {
            Sink::Syslog { target, .. } => Ok(forwarder.connect(target, timeout)?),
            // The request says it all.
            Sink::Router { .. } => Ok(()),
        }
    }

    /// Hands over what can be, which may take this long.
    pub(super) fn hand_over<F: Forwarder>(
        &mut self,
        forwarder: &mut F,
        timeout: Duration,
    ) -> Result<(), Trouble> {
        if let Sink::Syslog { frames, .. } = self {
            forwarder.send(frames, timeout)?;
            frames.clear();
        }
        Ok(())
    }

    /// Finishes, which may take this long; a syslog server that does not answer is left alone after `patience`.
    pub(super) fn finish<F: Forwarder>(
        &mut self,
        system: &S,
        forwarder: &mut F,
        timeout: Duration,
        patience: Option<Duration>,
    ) -> Result<Ending, Trouble> {
        match self {
            Sink::Syslog { .. } => Ok(forwarder.finish(timeout, patience)?),
            Sink::Router { router, batch, .. } => {
                let dropped = router.send(batch, timeout)?;
                batch.clear();
                if dropped > 0 {
                    let code = Code::LogRecordRefused;
                    system.tell(&Line::of(code).and(dropped).event());
                }
                Ok(Ending::Answered)
            }
        }
    }

    /// Forgets what was taken.
    pub(super) fn abandon<F: Forwarder>(&mut self, forwarder: &mut F) {
        match self {
            Sink::Syslog { frames, .. } => {
                frames.clear();
                forwarder.disconnect();
            }
            Sink::Router { batch, .. } => batch.clear(),
        }
    }
}
