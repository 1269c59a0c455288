//! A producer with a transactional id: its application's transactions, and the requests that go before batches.

use std::time::Duration;

use super::Producer;
use super::idempotence::Idempotence;
use super::operations::{end_batch, reason};
use super::transactions::{Loop, LoopParts, Progress, State, TransactionConfig, Transactions};
use crate::nodes::Effects;
use crate::nodes::clients::protocol::code;
use crate::nodes::clients::wake::earlier;
use crate::releases::KafkaVersion;
use crate::vocab::{Clock, Time};

/// The transactions of a producer, and the application that makes them.
#[derive(Debug)]
pub(super) struct Transactional {
    pub(super) transactions: Transactions,
    pub(super) application: Loop,
}

impl Transactional {
    pub(super) fn new(
        config: TransactionConfig,
        version: KafkaVersion,
        retry_backoff: Duration,
    ) -> Self {
        let transactions = Transactions::new(config, version, retry_backoff);
        Self { transactions, application: Loop::default() }
    }

    /// When the application ends its transaction: in time, or as it sends no more records.
    pub(super) fn ends_at(&self, now: Time, stop: Option<Time>) -> Option<Time> {
        let stop = stop.filter(|_| self.application.is_open());
        // While a `send` call blocks, it comes later.
        earlier(self.application.ends_at(&self.transactions), stop).filter(|&at| at > now)
    }
}

impl Producer {
    /// The application goes on with its transactions as far as it can; whether it can send records.
    pub(super) fn run_transactions(&mut self, clock: Clock, effects: &mut Effects) -> bool {
        loop {
            self.abandon_batches(effects);
            let Some(transactional) = &mut self.transactional else { return true };
            let Transactional { transactions, application } = &mut **transactional;
            let workload = &self.config.workload;
            let due = self.application.due(clock.now, workload);
            let mut parts = LoopParts {
                now: clock.now,
                next_record: self.application.next_record(),
                is_due: due.is_some_and(|due| due <= clock.now),
                is_blocked: self.application.is_blocked(),
                has_failed: self.application.take_failed(),
                has_stopped: self.application.has_stopped(workload, clock.now),
                has_incomplete: self.accumulator.queued() > 0 || self.in_flight.has_incomplete(),
                stream: self.net.stream(),
            };
            let had_id = transactions.state() != State::Uninitialized;
            if !application.advance(transactions, &mut parts, effects) {
                break;
            }
            if transactions.state() == State::Uninitialized && had_id {
                // Another producer, with nothing of the one before.
                self.idempotence = Some(Idempotence::transactional(self.config.version));
            }
        }
        let Some(transactional) = &self.transactional else { return true };
        if transactional.application.is_over() {
            self.application.close();
        }
        transactional.application.may_send()
    }

    /// Gives up the batches that were not sent when their transaction is aborted, and all when the producer is at its
    /// end.
    fn abandon_batches(&mut self, effects: &mut Effects) {
        let Some(transactional) = &self.transactional else { return };
        let transactions = &transactional.transactions;
        if !transactions.drops_unsent() {
            return;
        }
        self.application.abandon(reason::ABORTED, effects);
        let is_over = transactions.state() == State::FatalError;
        for mut batch in self.accumulator.abandon(is_over) {
            end_batch(&batch, reason::ABORTED, effects);
            self.accumulator.free(&mut batch);
        }
        if is_over {
            let error = transactions.error();
            self.in_flight.abandon(error, &mut self.accumulator, effects);
        }
    }

    /// Sends what goes before batches: requests to coordinators.
    pub(super) fn drive_transactions(&mut self, clock: Clock, effects: &mut Effects) -> Progress {
        let Some(transactional) = &mut self.transactional else { return Progress::Free };
        let has_incomplete = self.accumulator.queued() > 0 || self.in_flight.has_incomplete();
        let parts = (&mut self.metadata, &mut self.net);
        transactional.transactions.drive(clock.now, has_incomplete, parts, effects)
    }

    /// Batches that expired, or whose place in the sequence is not known, make their transaction fail.
    pub(super) fn fail_transaction(&mut self, has_expired: bool) {
        let has_lost = self.idempotence.as_mut().is_some_and(Idempotence::take_lost);
        let Some(transactional) = &mut self.transactional else { return };
        if has_expired {
            transactional.transactions.batch_failed(code::REQUEST_TIMED_OUT);
        }
        if has_lost {
            transactional.transactions.batch_lost(code::REQUEST_TIMED_OUT);
        }
    }
}
