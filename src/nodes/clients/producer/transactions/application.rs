//! The application of a producer with a transactional id: it begins a transaction with the first record that is due,
//! and commits or aborts it in time.

use super::config::CommitEvery;
use super::manager::{State, Transactions};
use crate::history::{TransactionEvent, TransactionOutcome};
use crate::nodes::Effects;
use crate::vocab::{Stream, Time};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It has not called `initTransactions`.
    Fresh,
    /// It waits in `initTransactions`.
    Initializing,
    /// No transaction is open.
    Idle,
    /// It sends the records of a transaction, of this number.
    Open { number: u64, began: Time },
    /// It waits in `commitTransaction` or `abortTransaction`.
    Ending { number: u64, commits: bool },
    /// Its producer is at its end.
    Over,
}

/// What the application knows and uses in one step.
#[derive(Debug)]
pub struct LoopParts<'a> {
    /// What the monotonic clock shows.
    pub now: Time,
    /// Number of the next record.
    pub next_record: u64,
    /// Whether a record is due.
    pub is_due: bool,
    /// Whether a `send` call blocks.
    pub is_blocked: bool,
    /// Whether a `send` call failed since the last time.
    pub has_failed: bool,
    /// Whether it sends no more records.
    pub has_stopped: bool,
    /// Whether batches have not ended.
    pub has_incomplete: bool,
    /// The client's own randomness.
    pub stream: &'a mut Stream,
}

/// The application.
#[derive(Debug)]
pub struct Loop {
    phase: Phase,
}

impl Default for Loop {
    fn default() -> Self {
        Self { phase: Phase::Fresh }
    }
}

impl Loop {
    /// Whether a transaction is open.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. } | Phase::Ending { .. })
    }

    /// Whether its producer is at its end, and it does not start another one.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether records may be sent: a transaction is open, or one can begin.
    pub fn may_send(&self) -> bool {
        // In the first, none is due: else it would initialize its producer.
        matches!(self.phase, Phase::Fresh | Phase::Idle | Phase::Open { .. })
    }

    /// When the transaction that is open is to end.
    pub fn ends_at(&self, transactions: &Transactions) -> Option<Time> {
        let Phase::Open { began, .. } = self.phase else { return None };
        match transactions.config().commit_every {
            CommitEvery::Span(span) => Some(began + span),
            CommitEvery::Records(_) => None,
        }
    }

    /// Goes on by one call of the producer; whether it made one.
    pub fn advance(
        &mut self,
        transactions: &mut Transactions,
        parts: &mut LoopParts<'_>,
        effects: &mut Effects,
    ) -> bool {
        let state = transactions.state();
        let before = self.phase;
        self.phase = match (before, state) {
            (Phase::Over, _) => Phase::Over,
            (Phase::Fresh, _) => match parts.is_due {
                true => {
                    transactions.initialize();
                    Phase::Initializing
                }
                false => Phase::Fresh,
            },
            (Phase::Initializing, State::AbortableError) | (_, State::FatalError) => {
                self.end_producer(transactions, parts, effects)
            }
            (Phase::Initializing | Phase::Idle, State::Ready) => match parts.is_due {
                true => begin(transactions, parts, effects),
                false => Phase::Idle,
            },
            (Phase::Open { number, .. }, State::AbortableError)
            | (Phase::Ending { number, .. }, State::AbortableError) => {
                abort(number, transactions, effects)
            }
            (Phase::Open { number, began }, _) if !parts.is_blocked => {
                self.end_in_time((number, began), transactions, parts, effects)
            }
            (Phase::Ending { number, commits }, State::Ready) => {
                let outcome = match (commits, transactions.may_be_committed()) {
                    (true, _) => TransactionOutcome::Committed,
                    (false, false) => TransactionOutcome::Aborted,
                    (false, true) => unknown(transactions),
                };
                transactions.observe(effects, TransactionEvent::Ended { number, outcome });
                Phase::Idle
            }
            (phase, _) => phase,
        };
        self.phase != before
    }

    fn end_in_time(
        &self,
        (number, began): (u64, Time),
        transactions: &mut Transactions,
        parts: &mut LoopParts<'_>,
        effects: &mut Effects,
    ) -> Phase {
        let is_due = parts.has_stopped
            || match transactions.config().commit_every {
                CommitEvery::Records(count) => parts.next_record >= number + count,
                CommitEvery::Span(span) => parts.now >= began + span,
            };
        if parts.has_failed {
            return abort(number, transactions, effects);
        }
        if !is_due {
            return self.phase;
        }
        let rate = transactions.config().abort_rate;
        if parts.stream.chance(rate) {
            return abort(number, transactions, effects);
        }
        transactions.observe(effects, TransactionEvent::CommitAsked { number });
        transactions.commit();
        Phase::Ending { number, commits: true }
    }

    /// The producer is at its end: it is fenced, mostly.
    fn end_producer(
        &self,
        transactions: &mut Transactions,
        parts: &LoopParts<'_>,
        effects: &mut Effects,
    ) -> Phase {
        if parts.has_incomplete || transactions.is_asking() {
            return self.phase;
        }
        if let Phase::Open { number, .. } | Phase::Ending { number, .. } = self.phase {
            let outcome = match transactions.may_be_committed() {
                true => unknown(transactions),
                false => TransactionOutcome::Fenced { error: transactions.error().into() },
            };
            transactions.observe(effects, TransactionEvent::Ended { number, outcome });
        }
        if transactions.config().restart_when_fenced && !parts.has_stopped {
            transactions.start_again();
            Phase::Fresh
        } else {
            Phase::Over
        }
    }
}

fn begin(transactions: &mut Transactions, parts: &LoopParts<'_>, effects: &mut Effects) -> Phase {
    let number = parts.next_record;
    transactions.begin();
    transactions.observe(effects, TransactionEvent::Began { number });
    Phase::Open { number, began: parts.now }
}

fn abort(number: u64, transactions: &mut Transactions, effects: &mut Effects) -> Phase {
    transactions.observe(effects, TransactionEvent::AbortAsked { number });
    transactions.abort();
    Phase::Ending { number, commits: false }
}

fn unknown(transactions: &Transactions) -> TransactionOutcome {
    TransactionOutcome::Unknown { error: transactions.error().into() }
}
