//! Commits: those that the client makes by itself from time to time, and those that something waits for.

use std::time::Duration;

use tracing::debug;

use super::config::CommitPolicy;
use super::link::{Asked, CommitCall};
use super::member::{Client, Member};
use super::reactions::{Reaction, to_commit};
use super::standing::Stage;
use crate::history::{CommittedOffset, MemberEvent};
use crate::nodes::Effects;
use crate::vocab::Time;

/// Whether a commit was accepted.
pub type Outcome = Result<(), ()>;

/// A commit that something waits for (`commitOffsetsSync`).
#[derive(Debug)]
struct Awaited {
    offsets: Vec<CommittedOffset>,
    /// When it is given up.
    until: Option<Time>,
    /// It is not sent before.
    from: Time,
    /// The number of its request that is under way.
    sent: Option<u64>,
    outcome: Option<Outcome>,
}

/// The commits of a member.
#[derive(Debug)]
pub struct Commits {
    policy: CommitPolicy,
    /// When the client commits by itself.
    next: Time,
    awaited: Option<Awaited>,
    sent: u64,
}

impl Commits {
    /// None yet.
    pub fn new(policy: CommitPolicy) -> Self {
        Self { policy, next: Time::ZERO, awaited: None, sent: 0 }
    }

    /// The member has a new assignment: the interval begins again.
    pub fn restart(&mut self, now: Time) {
        if let CommitPolicy::Auto(interval) = self.policy {
            self.next = now + interval;
        }
    }

    /// Begins a commit that is waited for until `until`, or without end.
    pub fn begin(&mut self, offsets: Vec<CommittedOffset>, until: Option<Time>) {
        assert!(self.awaited.is_none(), "one commit is waited for");
        let outcome = offsets.is_empty().then_some(Ok(()));
        let from = Time::ZERO;
        self.awaited = Some(Awaited { offsets, until, from, sent: None, outcome });
    }

    /// Whether one is waited for.
    pub fn is_awaited(&self) -> bool {
        self.awaited.is_some()
    }

    /// How the commit ended that is waited for, once it has.
    pub fn take_outcome(&mut self) -> Option<Outcome> {
        let outcome = self.awaited.as_ref()?.outcome?;
        self.awaited = None;
        Some(outcome)
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(awaited) = &mut self.awaited {
            awaited.outcome = Some(outcome);
        }
    }

    /// The commit that is waited for, if it is the one of this request; that one may have been given up.
    fn of(&mut self, number: u64) -> Option<&mut Awaited> {
        self.awaited.as_mut().filter(|awaited| awaited.sent == Some(number))
    }
}

impl Member {
    /// How the commit ended that the application waits for, once it has.
    pub fn commit_outcome(&mut self) -> Option<Outcome> {
        self.commits.take_outcome()
    }

    /// The application commits how far it has come, and waits.
    pub fn commit(&mut self, now: Time, client: &Client<'_>) {
        let until = self.config.api_timeout.map(|timeout| now + timeout);
        self.commits.begin(client.assignment.positions(client.config), until);
    }

    /// Sends the commit that is waited for. Returns when to come back.
    pub(super) fn drive_commit(&mut self, now: Time, effects: &mut Effects) -> Option<Time> {
        let awaited = self.commits.awaited.as_ref().filter(|a| a.outcome.is_none())?;
        if awaited.until.is_some_and(|until| until <= now) {
            self.commits.end(Err(()));
            return None;
        }
        let until = awaited.until;
        if awaited.sent.is_some() || !self.link.is_known() {
            return until;
        }
        if self.stage != Stage::Stable {
            debug!(group = &*self.config.id, "a commit fails: not a member, or in a rebalance");
            self.commits.end(Err(()));
            return None;
        }
        if awaited.from > now {
            return Some(awaited.from);
        }
        let offsets = awaited.offsets.clone();
        let sent = self.send_commit(now, offsets, true, effects);
        if let Some(awaited) = &mut self.commits.awaited {
            awaited.sent = sent;
        }
        until
    }

    /// Commits when the interval has passed (`maybeAutoCommitOffsetsAsync`). Returns when to come back.
    pub(super) fn auto_commit(
        &mut self,
        now: Time,
        client: &Client<'_>,
        effects: &mut Effects,
    ) -> Option<Time> {
        let CommitPolicy::Auto(interval) = self.commits.policy else { return None };
        if self.stage != Stage::Stable {
            return None;
        }
        if self.link.awaits(|asked| matches!(asked, Asked::Commit(_))) {
            return None;
        }
        if self.commits.next <= now {
            let offsets = client.assignment.positions(client.config);
            if !offsets.is_empty() && self.send_commit(now, offsets, false, effects).is_none() {
                // The coordinator has to be found first, or the connection to be made.
                return None;
            }
            self.commits.next = now + interval;
        }
        Some(self.commits.next)
    }

    /// The number of the request, if it was sent.
    fn send_commit(
        &mut self,
        now: Time,
        offsets: Vec<CommittedOffset>,
        is_awaited: bool,
        effects: &mut Effects,
    ) -> Option<u64> {
        let request = self.requests().commit(&offsets);
        let number = self.commits.sent;
        let call = CommitCall { number, is_awaited };
        let asked = (Asked::Commit(call), &self.identity);
        let is_sent = self.link.send(now, asked, request, Duration::ZERO, effects);
        if is_sent {
            self.commits.sent += 1;
            self.observe(effects, MemberEvent::CommitSent { number, offsets });
        }
        is_sent.then_some(number)
    }

    /// A commit was answered with these errors, or (`None`) will not be.
    pub(super) fn commit_ended(
        &mut self,
        now: Time,
        (call, is_same): (&CommitCall, bool),
        errors: Option<&[i16]>,
        effects: &mut Effects,
    ) {
        let first = errors.map(|errors| errors.iter().find(|error| **error != 0).copied());
        let reaction = match first {
            // The connection is lost, and with it already the coordinator.
            None => Reaction::BackOff,
            Some(None) => return self.commit_done(call, Ok(())),
            Some(Some(error)) => to_commit(self.release, error),
        };
        debug!(?reaction, error = ?first.flatten(), "a commit failed");
        let again = now + self.retry_backoff;
        match reaction {
            Reaction::BackOff | Reaction::FindCoordinator => {
                if reaction == Reaction::FindCoordinator {
                    self.link.forget(now, effects);
                }
                if !call.is_awaited {
                    self.commits.next = again;
                } else if let Some(awaited) = self.commits.of(call.number) {
                    (awaited.sent, awaited.from) = (None, again);
                }
                return;
            }
            Reaction::Reset if is_same || self.stage != Stage::Joining => self.reset(),
            Reaction::ForgetGeneration if is_same || self.stage != Stage::Joining => {
                self.forget_generation();
            }
            Reaction::Rejoin => self.needs_join = true,
            Reaction::Fatal if is_same => self.fail(first.flatten().unwrap_or(0)),
            Reaction::Reset
            | Reaction::ForgetGeneration
            | Reaction::Fatal
            | Reaction::GiveUp
            | Reaction::Retry => {}
        }
        self.commit_done(call, Err(()));
    }

    fn commit_done(&mut self, call: &CommitCall, outcome: Outcome) {
        if let Some(awaited) = self.commits.of(call.number) {
            awaited.outcome = Some(outcome);
        }
    }
}
