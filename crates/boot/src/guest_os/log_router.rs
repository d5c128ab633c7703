//! IBM Cloud Logs: a token for the API key, then requests with it.
//!
//! The token lives in memory; it is renewed at four fifths of its life, and once more when the service does not know it
//! any longer. A batch counts as taken when the service has answered so.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use countersign_contract::code::Severity;
use countersign_crypto::secret::ApiKey;
use countersign_plan::forwarding::iam::{self, Token};
use countersign_plan::forwarding::origin::Source;
use countersign_plan::forwarding::own;
use countersign_plan::forwarding::singles::{self, Batch, Tagged};
use countersign_plan::forwarding::trouble::Trouble;
use countersign_plan::forwarding::verdict::Verdict;
use countersign_plan::guest_os::handover::{GuestPlan, Iam, LogService};
use countersign_ports::guest_os::{ConnectionError, GuestOs, Post};

/// The log router of a plan.
#[derive(Debug)]
pub(super) struct LogRouter<'p, S> {
    system: &'p S,
    plan: &'p GuestPlan,
    api_key: ApiKey,
    iam: &'p Iam,
    tags: &'p [String],
    token: Option<Token>,
}

impl<'p, S: GuestOs> LogRouter<'p, S> {
    /// The log router that the plan names, if it names one; nobody is asked yet.
    ///
    /// # Errors
    /// The file with the API key cannot be read.
    pub(super) fn of(system: &'p S, plan: &'p GuestPlan) -> Result<Option<LogRouter<'p, S>>, Trouble> {
        let LogService::LogRouter { api_key, iam, tags } = &plan.log.service else { return Ok(None) };
        let unusable = Trouble::Server(ConnectionError::ClientFiles);
        let key = system.read_file(Path::new(api_key)).ok().and_then(|key| String::from_utf8(key).ok());
        let api_key = ApiKey::new(key.ok_or(unusable)?);
        Ok(Some(LogRouter { system, plan, api_key, iam, tags, token: None }))
    }

    /// What its records have in common; `began` is when the forwarder began.
    pub(super) fn source(&self, began: u64) -> Tagged<'p> {
        Tagged { source: Source::of(self.plan, began), tags: self.tags }
    }

    /// Sends a batch in one request, which may take this long.
    ///
    /// # Errors
    /// None of it was taken, as far as the service says.
    pub(super) fn send_whole(&mut self, batch: &Batch, timeout: Duration) -> Result<(), Trouble> {
        let deadline = self.system.uptime() + timeout;
        self.post(&batch.body(0..batch.len()), deadline)
    }

    /// Sends a batch, which may take this long; how many records were dropped because the service refuses them alone
    /// while it takes others.
    ///
    /// A refused batch goes out again in halves, down to the one record that is meant. Whether that one is at fault,
    /// the record with which everything began must show: if that is refused as well, the service is, and nothing is
    /// dropped.
    ///
    /// # Errors
    /// Part of the batch may have been taken.
    pub(super) fn send(&mut self, batch: &Batch, timeout: Duration) -> Result<usize, Trouble> {
        let deadline = self.system.uptime() + timeout;
        let mut dropped = 0;
        let mut parts: Vec<Range<usize>> = std::iter::once(0..batch.len()).collect();
        while let Some(part) = parts.pop() {
            match self.post(&batch.body(part.clone()), deadline) {
                Err(Trouble::Refused) if part.len() > 1 => {
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
                Err(Trouble::Refused) => {
                    let mut known = Batch::default();
                    let probe = own::entry(Severity::Info, self.system.unix_time(), own::PROBE);
                    known.push(&probe, None, self.source(0));
                    self.post(&known.body(0..known.len()), deadline)?;
                    dropped += 1;
                }
                answered => answered?,
            }
        }
        Ok(dropped)
    }

    /// Makes one request for the records, two where the token is not known any longer.
    fn post(&mut self, body: &[u8], deadline: Duration) -> Result<(), Trouble> {
        let mut fresh = self.renew(deadline)?;
        loop {
            let answer = self.system.post(
                &Post {
                    hostname: &self.plan.log.hostname,
                    port: self.plan.log.port,
                    ca: &self.plan.log.ca,
                    path: singles::PATH,
                    content_type: "application/json",
                    bearer: self.token.as_ref().map(Token::token),
                    body,
                },
                self.left(deadline)?,
            );
            let answer = answer.map_err(|error| match error {
                ConnectionError::HungUp | ConnectionError::Silent => Trouble::Unanswered,
                error => Trouble::Server(error),
            })?;
            return match Verdict::of(answer.status) {
                Verdict::Done => Ok(()),
                Verdict::Unknown => {
                    self.token = None;
                    if fresh {
                        return Err(Trouble::Denied);
                    }
                    fresh = self.renew(deadline)?;
                    continue;
                }
                Verdict::Forbidden => Err(Trouble::Denied),
                Verdict::Later => Err(Trouble::Later(answer.retry_after)),
                Verdict::Never => Err(Trouble::Refused),
            };
        }
    }

    fn left(&self, deadline: Duration) -> Result<Duration, Trouble> {
        let left = deadline.saturating_sub(self.system.uptime());
        if left.is_zero() { Err(Trouble::Unanswered) } else { Ok(left) }
    }

    /// Sees to a token that serves; whether it is a new one.
    fn renew(&mut self, deadline: Duration) -> Result<bool, Trouble> {
        let now = self.system.uptime();
        if self.token.as_ref().is_some_and(|token| !token.wants_renewal(now)) {
            return Ok(false);
        }
        match self.exchange(deadline) {
            Ok(token) => {
                self.token = Some(token);
                Ok(true)
            }
            Err(trouble) => {
                let now = self.system.uptime();
                match self.token.as_mut().is_some_and(|token| token.serves_on(now)) {
                    true => Ok(false),
                    false => Err(trouble),
                }
            }
        }
    }

    /// The API key for a token.
    fn exchange(&self, deadline: Duration) -> Result<Token, Trouble> {
        let form = iam::request(&self.api_key);
        let asked = self.system.uptime();
        let answer = self.system.post(
            &Post {
                hostname: &self.iam.hostname,
                port: self.iam.port,
                ca: &self.iam.ca,
                path: iam::PATH,
                content_type: "application/x-www-form-urlencoded",
                bearer: None,
                body: form.expose(),
            },
            self.left(deadline)?,
        );
        let answer = answer.map_err(Trouble::Iam)?;
        match Verdict::of(answer.status) {
            Verdict::Done => Token::read(answer.body.expose(), asked).ok_or(Trouble::IamAnswer),
            Verdict::Later => Err(Trouble::IamLater(answer.retry_after)),
            Verdict::Unknown | Verdict::Forbidden => Err(Trouble::IamDenied),
            // A key that it does not know is a bad request to IAM.
            Verdict::Never if answer.status == 400 => Err(Trouble::IamDenied),
            Verdict::Never => Err(Trouble::IamAnswer),
        }
    }
}
