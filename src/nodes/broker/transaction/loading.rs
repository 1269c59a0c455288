//! Taking over a partition of `__transaction_state`, and giving it up.
//!
//! One thread loads, one partition after the other. It reads the log from its start to its end, also above the high
//! watermark.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::protocol::StrBytes;

use super::coordinator::{Owned, TransactionCoordinator};
use super::deadlines::Due;
use super::facts;
use super::state::{State, Transaction};
use super::stored::restored;
use crate::history::TransactionObservation;
use crate::nodes::broker::context::Context;
use crate::releases::Change;
use crate::vocab::{LeaderEpoch, Mutant};
use crate::wire::records::Batch;
use crate::wire::transaction_records::{TransactionValue, decode_key};

/// How long one partition takes to load: as one of `__consumer_offsets`.
const LOAD_TIME: Duration = Duration::from_millis(5);

/// Reads all records; those that do not decode are skipped. The last of an id counts.
fn read<'a>(batches: impl Iterator<Item = Cow<'a, Batch>>) -> BTreeMap<StrBytes, Transaction> {
    let mut found = BTreeMap::new();
    for batch in batches.filter(|batch| !batch.is_control()) {
        for record in batch.records().unwrap_or_default() {
            let Some(id) = record.key.and_then(decode_key) else { continue };
            match record.value {
                None => {
                    found.remove(&id);
                }
                Some(value) => {
                    let value = TransactionValue::decode(value);
                    if let Some(known) = value.and_then(|value| restored(id.clone(), value)) {
                        found.insert(id, known);
                    }
                }
            }
        }
    }
    found
}

impl TransactionCoordinator {
    /// This broker leads a partition of `__transaction_state`.
    pub fn elected(&mut self, cx: &mut Context<'_>, partition: i32, epoch: LeaderEpoch) {
        if self.config.version.has(Change::ElectionDropsMarkers) {
            self.drop_markers(partition);
        }
        self.start_periodic(cx);
        self.loads.loading.insert((partition, epoch));
        self.loads.jobs.push_back((partition, epoch));
        if self.loads.jobs.len() == 1 {
            self.alarm.set_after(cx, LOAD_TIME, Due::Load);
        }
    }

    /// It leads it no longer, or the replica is deleted.
    pub fn resigned(&mut self, cx: &mut Context<'_>, partition: i32, epoch: Option<LeaderEpoch>) {
        // A load in an older epoch goes on to its end.
        let ends =
            |of: &(i32, LeaderEpoch)| of.0 == partition && epoch.is_none_or(|epoch| epoch == of.1);
        self.loads.loading.retain(|of| !ends(of));
        if self.owned.remove(&partition).is_some() {
            facts::observe(cx, TransactionObservation::CoordinatorResigned { partition });
        }
        self.drop_markers(partition);
    }

    /// Loads the first partition that waits; `batches` is its log. Transactions that were being ended are ended.
    pub fn load<'a>(
        &mut self,
        cx: &mut Context<'_>,
        batches: impl Iterator<Item = Cow<'a, Batch>>,
    ) {
        let Some((partition, epoch)) = self.loads.jobs.pop_front() else { return };
        if !self.loads.jobs.is_empty() {
            self.alarm.set_after(cx, LOAD_TIME, Due::Load);
        }
        if !self.loads.loading.remove(&(partition, epoch)) {
            return;
        }
        let transactions = read(batches);
        tracing::info!(partition, ids = transactions.len(), "transactions are loaded");
        let ending: Vec<StrBytes> = transactions
            .values()
            .filter(|known| known.state.is_ending())
            .map(|known| known.id.clone())
            .collect();
        for known in transactions.values() {
            facts::observe_loaded(cx, (partition, epoch), known);
        }
        let elected =
            TransactionObservation::CoordinatorElected { partition, coordinator_epoch: epoch };
        facts::observe(cx, elected);
        self.owned.insert(partition, Owned { epoch, transactions });
        let aborts = self.config.is(Mutant::AbortPreparedCommits);
        for id in ending {
            if let Some(known) = self.find_mut(&id) {
                if aborts {
                    known.state = State::PrepareAbort;
                }
                let next = known.prepare_complete(cx.clock.wall_ms);
                self.send_markers(cx, &id, epoch, next);
            }
        }
    }
}
