//! Taking over a partition of `__consumer_offsets`, and giving it up.
//!
//! One thread loads, one partition after the other. It reads the log from its start to its end, also above the high
//! watermark.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::answers;
use super::coordinator::GroupCoordinator;
use super::deadlines::Due;
use super::facts;
use super::state::{Committed, Group, Place, Uncommitted};
use super::stored::restored;
use crate::history::GroupObservation;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::Context;
use crate::vocab::{LeaderEpoch, Mutant};
use crate::wire::group_records::{GroupKey, GroupValue, OffsetValue};
use crate::wire::markers::EndMarker;
use crate::wire::records::Batch;

/// How long one partition takes to load. Kafka 2.8.2 loaded the 17 of a broker in 94 ms.
const LOAD_TIME: Duration = Duration::from_millis(5);

/// What a partition of `__consumer_offsets` says of one group.
#[derive(Default)]
struct Found {
    group: Option<GroupValue>,
    offsets: BTreeMap<Place, Committed>,
    /// By producer id: what open transactions committed.
    uncommitted: BTreeMap<i64, BTreeMap<Place, Uncommitted>>,
}

impl Found {
    /// An offset, or that it is forgotten.
    fn offset(&mut self, config: &Config, batch: &Batch, place: Place, value: Option<Bytes>) {
        let Some(value) = value else {
            if batch.is_transactional() {
                self.uncommitted.entry(batch.producer_id()).or_default().remove(&place);
            } else {
                self.offsets.remove(&place);
            }
            return;
        };
        let Some(value) = OffsetValue::decode(value) else { return };
        let offset = Committed { at: batch.base_offset, value };
        if batch.is_transactional() {
            let of_producer = self.uncommitted.entry(batch.producer_id()).or_default();
            of_producer.insert(place, Uncommitted::Written(offset));
        } else if !config.is(Mutant::LoadFirstOffsets) || !self.offsets.contains_key(&place) {
            self.offsets.insert(place, offset);
        }
    }

    /// The transaction of a producer has ended.
    fn ended(&mut self, producer: i64, commit: bool) {
        for (place, offset) in self.uncommitted.remove(&producer).into_iter().flatten() {
            let Uncommitted::Written(offset) = offset else { continue };
            if commit && self.offsets.get(&place).is_none_or(|known| known.at < offset.at) {
                self.offsets.insert(place, offset);
            }
        }
    }
}

/// Reads all records; those that do not decode are skipped, as is what a later release wrote.
fn read<'a>(
    config: &Config,
    batches: impl Iterator<Item = Cow<'a, Batch>>,
) -> BTreeMap<StrBytes, Found> {
    let mut found: BTreeMap<StrBytes, Found> = BTreeMap::new();
    let mut batches = batches.peekable();
    while let Some(batch) = batches.next() {
        if config.is(Mutant::StopLoadingEarly) && batches.peek().is_none() {
            break;
        }
        if batch.is_control() {
            let commit = EndMarker::of(&batch).is_some_and(|marker| marker.commit);
            found.values_mut().for_each(|group| group.ended(batch.producer_id(), commit));
            continue;
        }
        for record in batch.records().unwrap_or_default() {
            match record.key.and_then(GroupKey::decode) {
                Some(GroupKey::Offset { group, topic, partition }) => {
                    let group = found.entry(group).or_default();
                    group.offset(config, &batch, (topic, partition), record.value);
                }
                Some(GroupKey::Group(group)) => {
                    found.entry(group).or_default().group =
                        record.value.and_then(GroupValue::decode);
                }
                Some(GroupKey::Unknown(_)) | None => {}
            }
        }
    }
    found
}

impl GroupCoordinator {
    /// This broker leads a partition of `__consumer_offsets`.
    pub fn elected(&mut self, cx: &mut Context<'_>, partition: i32, epoch: LeaderEpoch) {
        let is_old = self.loads.is_old(partition, epoch, self.config.version);
        if is_old || self.owned.contains(&partition) || self.loads.queue.contains(&partition) {
            return;
        }
        self.start_expiry(cx);
        self.loads.queue.push_back(partition);
        if self.loads.queue.len() == 1 {
            self.alarm.set_after(cx, LOAD_TIME, Due::Load);
        }
    }

    /// It leads it no longer: its groups are forgotten, and requests that wait are answered NOT_COORDINATOR.
    pub fn resigned(&mut self, cx: &mut Context<'_>, partition: i32, epoch: Option<LeaderEpoch>) {
        let version = self.config.version;
        if epoch.is_some_and(|epoch| self.loads.is_old(partition, epoch, version)) {
            return;
        }
        let owned = self.owned.remove(&partition);
        // The first in the queue stays until its time is over; it finds that it is not to be loaded.
        let mut first = true;
        self.loads.queue.retain(|waiting| std::mem::take(&mut first) || *waiting != partition);
        if self.loads.queue.front() == Some(&partition) {
            self.loads.queue[0] = -1;
        }
        let of_partition = self.groups.values().filter(|group| group.partition == partition);
        let ids: Vec<StrBytes> = of_partition.map(|group| group.id.clone()).collect();
        if owned {
            let groups = ids.iter().map(facts::text).collect();
            facts::observe(cx, GroupObservation::CoordinatorResigned { partition, groups });
        }
        for id in ids {
            let error = ResponseError::NotCoordinator;
            for member in self.groups.get_mut(&id).into_iter().flat_map(|g| g.members.values_mut())
            {
                if let Some(to) = member.joining.take() {
                    answers::join_refused(cx, version, to, member.id.clone(), error);
                }
                if let Some(to) = member.syncing.take() {
                    answers::sync_refused(cx, to, error);
                }
            }
            self.drop_group(&id);
        }
    }

    /// Loads the first partition that waits; `batches` is its log.
    pub fn load<'a>(
        &mut self,
        cx: &mut Context<'_>,
        batches: impl Iterator<Item = Cow<'a, Batch>>,
    ) {
        let Some(partition) = self.loads.queue.pop_front() else { return };
        if !self.loads.queue.is_empty() {
            self.alarm.set_after(cx, LOAD_TIME, Due::Load);
        }
        if partition < 0 {
            return;
        }
        let found = read(&self.config, batches);
        tracing::info!(partition, groups = found.len(), "groups are loaded");
        self.owned.insert(partition);
        facts::observe(cx, GroupObservation::CoordinatorElected { partition });
        for (id, Found { group, offsets, mut uncommitted }) in found {
            uncommitted.retain(|_, of_producer| !of_producer.is_empty());
            let stored = group.is_some();
            if stored || !offsets.is_empty() || !uncommitted.is_empty() {
                let mut group = match group {
                    Some(value) => restored(id.clone(), partition, value),
                    None => Group::new(id.clone(), partition),
                };
                group.offsets = offsets;
                group.uncommitted = uncommitted;
                self.groups.insert(id.clone(), group);
                self.loaded(cx, &id);
            }
        }
    }

    /// A group is loaded: the sessions of its members begin; one that is too large shrinks by a rebalance.
    fn loaded(&mut self, cx: &mut Context<'_>, id: &StrBytes) {
        let most = self.config.groups.max_size;
        let Some(mut work) = self.work(id) else { return };
        work.observe_loaded(cx);
        let members: Vec<StrBytes> = work.group.members.keys().cloned().collect();
        for member in &members {
            work.keep_alive(cx, member);
        }
        if most.is_some_and(|most| members.len() > most) {
            work.rebalance(cx);
        }
    }
}
