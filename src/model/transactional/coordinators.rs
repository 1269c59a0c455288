//! Transactional ids as their coordinators know them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::history::{TransactionObservation, TransactionSnapshot, TransactionState};
use crate::vocab::{LeaderEpoch, Time};

/// A transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What it was when it was written or loaded last.
    pub now: TransactionSnapshot,
    /// Since when.
    pub since: Time,
    /// Since when it has the transaction that it has now, or had last.
    pub ongoing_since: Time,
    /// What was written last. What is only loaded may be lost with the broker that loaded it: it lies above the high
    /// watermark, perhaps.
    written: Option<TransactionSnapshot>,
    /// Its partition of `__transaction_state`.
    partition: i32,
}

/// A change of a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub id: Arc<str>,
    /// What it was before, if that is known: for its coordinator, or when it was written last if another one loads it.
    pub before: Option<TransactionSnapshot>,
    /// What it is now; `None` when the new coordinator does not know it.
    pub now: Option<TransactionSnapshot>,
    /// Whether a new coordinator has loaded it, or not.
    pub is_loaded: bool,
}

/// All transactional ids.
#[derive(Clone, Debug, Default)]
pub struct Coordinators {
    by_id: BTreeMap<Arc<str>, Known>,
    /// The transactional ids of producers, also of those that they had before.
    by_producer: BTreeMap<i64, Arc<str>>,
    /// The newest coordinator epoch of each partition of `__transaction_state`.
    epochs: BTreeMap<i32, LeaderEpoch>,
    /// Ids that the coordinator of the newest epoch has loaded or written.
    seen: BTreeMap<Arc<str>, LeaderEpoch>,
    latest: Option<Step>,
}

impl Coordinators {
    /// Whether there was a transactional id.
    pub fn has_any(&self) -> bool {
        !self.by_id.is_empty()
    }

    /// The change that the event at hand is.
    pub fn latest(&self) -> Option<&Step> {
        self.latest.as_ref()
    }

    /// A transactional id.
    pub fn find(&self, id: &str) -> Option<&Known> {
        self.by_id.get(id)
    }

    /// The transactional id of a producer id.
    pub fn of_producer(&self, producer: i64) -> Option<(&Arc<str>, &Known)> {
        let id = self.by_producer.get(&producer)?;
        Some((id, self.by_id.get(id)?))
    }

    /// Folds in what a coordinator did.
    pub(super) fn broker(&mut self, time: Time, did: &TransactionObservation) {
        self.latest = None;
        match did {
            TransactionObservation::Written { id, partition, coordinator_epoch, now } => {
                self.becomes((time, false), id, (*partition, *coordinator_epoch), now);
            }
            TransactionObservation::Loaded { id, partition, coordinator_epoch, now } => {
                self.becomes((time, true), id, (*partition, *coordinator_epoch), now);
            }
            TransactionObservation::CoordinatorElected { partition, coordinator_epoch } => {
                self.elected(*partition, *coordinator_epoch);
            }
            TransactionObservation::Forgotten { ids } => {
                ids.iter().for_each(|id| _ = self.by_id.remove(id));
            }
            TransactionObservation::CoordinatorResigned { .. }
            | TransactionObservation::Appended { .. }
            | TransactionObservation::MarkerAppended { .. }
            | TransactionObservation::LastStableOffset { .. } => {}
        }
    }

    fn becomes(
        &mut self,
        (time, is_loaded): (Time, bool),
        id: &Arc<str>,
        (partition, epoch): (i32, LeaderEpoch),
        now: &TransactionSnapshot,
    ) {
        let newest = self.epochs.entry(partition).or_insert(epoch);
        if epoch < *newest {
            // It was written, and a former coordinator learned that late: the next one has loaded it.
            return;
        }
        *newest = epoch;
        self.seen.insert(id.clone(), epoch);
        self.by_producer.insert(now.producer, id.clone());
        let before = self.by_id.get(id);
        let is_going_on = now.state.is_ending() || now.state == TransactionState::Ongoing;
        let goes_on = |before: &&Known| {
            is_going_on
                && (before.now.state.is_ending() || before.now.state == TransactionState::Ongoing)
        };
        let ongoing_since = match before.filter(goes_on) {
            Some(before) => before.ongoing_since,
            None if is_going_on => time,
            None => before.map_or(time, |before| before.ongoing_since),
        };
        let last_written = before.and_then(|before| before.written.clone());
        let (written, before) = match is_loaded {
            true => (last_written.clone(), last_written),
            false => (Some(now.clone()), before.map(|before| before.now.clone())),
        };
        let known = Known { now: now.clone(), since: time, ongoing_since, written, partition };
        self.by_id.insert(id.clone(), known);
        self.latest = Some(Step { id: id.clone(), before, now: Some(now.clone()), is_loaded });
    }

    /// A coordinator has loaded all that it knows.
    fn elected(&mut self, partition: i32, epoch: LeaderEpoch) {
        let newest = self.epochs.entry(partition).or_insert(epoch);
        if epoch < *newest {
            return;
        }
        *newest = epoch;
        let is_gone = |id: &Arc<str>, known: &Known| {
            known.partition == partition && self.seen.get(id).is_none_or(|seen| *seen < epoch)
        };
        let gone: Vec<Arc<str>> = self
            .by_id
            .iter()
            .filter(|(id, known)| is_gone(id, known))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            let Some(known) = self.by_id.remove(&id) else { continue };
            let step = Step { id, before: known.written, now: None, is_loaded: true };
            // One with a transaction is worse than others, which may have expired.
            let is_open = |step: &Step| {
                let state = step.before.as_ref().map(|before| before.state);
                state.is_some_and(|state| state.is_ending() || state == TransactionState::Ongoing)
            };
            if self.latest.as_ref().is_none_or(|latest| is_open(&step) && !is_open(latest)) {
                self.latest = Some(step);
            }
        }
    }
}
