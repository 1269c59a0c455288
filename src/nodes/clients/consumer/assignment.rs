//! The partitions that a consumer reads, and how far it has come in each.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::aborted::Aborted;
use super::config::{ConsumerConfig, ResetPolicy, StartFrom};
use crate::history::{ClientObservation, CommittedOffset, Observation};
use crate::nodes::Effects;
use crate::nodes::clients::metadata::{Leader, Metadata};
use crate::vocab::{LeaderEpoch, Mutant, Offset, Time, TopicPartition};
use crate::wire::kafka::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};
use crate::wire::records::Batch;

/// What a partition needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchPhase {
    /// Nothing: another member of the group reads it.
    Unassigned,
    /// The committed offset of the group.
    Uncommitted,
    /// An offset, from a ListOffsets request with this timestamp.
    Unpositioned(i64),
    /// An OffsetForLeaderEpoch request: does the new leader's log still have the position?
    Unvalidated,
    /// Records.
    Fetching,
    /// Nothing: its position is lost and the reset policy is `none`.
    Stuck,
}

impl FetchPhase {
    /// Whether a leader can be asked for what it needs.
    pub(super) fn asks_leader(self) -> bool {
        !matches!(self, Self::Unassigned | Self::Uncommitted | Self::Stuck)
    }
}

/// What a leader sent of a partition, until the application has polled all of it.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) records: Bytes,
    pub(super) high_watermark: Offset,
    /// With `read_committed`: what to leave out.
    pub(super) aborted: Vec<Aborted>,
}

/// A partition that the consumer reads.
#[derive(Debug)]
pub(super) struct Assigned {
    /// Its topic's place in the metadata.
    pub(super) topic: usize,
    pub(super) at: TopicPartition,
    pub(super) phase: FetchPhase,
    /// The offset of the next record to read, once known.
    pub(super) position: Option<Offset>,
    /// Leader epoch of the batch before the position; −1 when not known.
    pub(super) last_epoch: LeaderEpoch,
    /// The leader in whose log the position was valid last.
    leader: Option<Leader>,
    /// After how many answers to Metadata it was that.
    leader_as_of: u64,
    /// Whether it is part of a request in flight.
    pub(super) busy: bool,
    /// Whether the answer to that request is out of date.
    pub(super) is_stale: bool,
    /// Whether it is new to the consumer, and no position was found for it yet.
    begins: bool,
    /// What the application has not polled yet.
    pub(super) fetched: Option<Fetched>,
    /// No request before this moment.
    pub(super) not_before: Time,
}

impl Assigned {
    /// The leader in whose log the position was valid last.
    pub(super) fn leader(&self) -> Option<Leader> {
        self.leader
    }

    /// The leader, if there is one, by the metadata of now. In nearly all partitions nothing has come since the last
    /// request.
    pub(super) fn follow_leader(
        &mut self,
        metadata: &Metadata,
        can_be_validated: bool,
        config: &ConsumerConfig,
    ) -> Option<Leader> {
        if self.leader_as_of != metadata.answers() {
            let leader = metadata.leader(self.topic, self.at.partition as usize)?;
            self.set_leader(leader, can_be_validated, config);
            self.leader_as_of = metadata.answers();
        }
        self.leader
    }

    /// It has this leader. If positions `can_be_validated`, a position from another leader has to be, first (KIP-320).
    fn set_leader(&mut self, leader: Leader, can_be_validated: bool, config: &ConsumerConfig) {
        if self.leader == Some(leader) {
            return;
        }
        let can_be_validated = can_be_validated && leader.epoch >= 0;
        if self.phase == FetchPhase::Fetching && self.last_epoch >= 0 && can_be_validated {
            self.phase = FetchPhase::Unvalidated;
        }
        if self.phase == FetchPhase::Unvalidated && config.is(Mutant::ResumeAtLastRecord) {
            self.position = self.position.map(|position| (position - 1).max(0));
        }
        self.leader = Some(leader);
    }

    /// The position is not in the log: the reset policy decides.
    pub(super) fn lose_position(&mut self, policy: ResetPolicy) {
        self.phase = match policy {
            ResetPolicy::Earliest => FetchPhase::Unpositioned(EARLIEST_TIMESTAMP),
            ResetPolicy::Latest => FetchPhase::Unpositioned(LATEST_TIMESTAMP),
            ResetPolicy::None => {
                tracing::warn!(at = %self.at, position = self.position, "position is lost");
                FetchPhase::Stuck
            }
        };
    }

    /// Sets the position by other means than reading.
    pub(super) fn reposition(
        &mut self,
        to: Offset,
        last_epoch: LeaderEpoch,
        effects: &mut Effects,
    ) {
        let from = self.position.replace(to);
        self.last_epoch = last_epoch;
        self.phase = FetchPhase::Fetching;
        let at = self.at.clone();
        tracing::debug!(%at, from, to, "position is reset");
        observe(effects, ClientObservation::PositionReset { at, from, to });
    }

    /// The answer to its request in flight, and what was fetched, does not count.
    fn forget_fetched(&mut self) {
        self.is_stale = self.busy;
        self.fetched = None;
    }

    /// Moves the position to `to`, over records that were not delivered if there are any before it.
    pub(super) fn pass(&mut self, to: Offset, effects: &mut Effects) {
        if self.position.replace(to) != Some(to) {
            observe(effects, ClientObservation::RecordsPassed { at: self.at.clone(), to });
        }
    }
}

/// All partitions that the consumer reads; a slot is a place in this list.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    pub(super) partitions: Vec<Assigned>,
    /// The slot of each.
    places: BTreeMap<TopicPartition, usize>,
    /// The slots of which something was fetched, in the order in which it came.
    pub(super) arrived: VecDeque<usize>,
    /// How many changes of metadata the positions were compared with.
    compared: u64,
}

impl Assignment {
    /// The position in a partition, once it is known.
    pub(super) fn position(&self, at: &TopicPartition) -> Option<Offset> {
        self.partitions[*self.places.get(at)?].position
    }

    /// Adds the partitions that are new in the metadata.
    pub(super) fn extend(&mut self, metadata: &Metadata, from: StartFrom) {
        for topic in 0..metadata.topics() {
            let known = self.partitions.iter().filter(|assigned| assigned.topic == topic).count();
            for partition in known..metadata.partitions(topic) {
                let at = TopicPartition::new(metadata.name(topic).clone(), partition as i32);
                let timestamp = match from {
                    StartFrom::Beginning => EARLIEST_TIMESTAMP,
                    StartFrom::End => LATEST_TIMESTAMP,
                };
                self.add(topic, at, FetchPhase::Unpositioned(timestamp));
            }
        }
    }

    fn add(&mut self, topic: usize, at: TopicPartition, phase: FetchPhase) -> usize {
        self.places.insert(at.clone(), self.partitions.len());
        self.partitions.push(Assigned {
            topic,
            at,
            phase,
            position: None,
            last_epoch: -1,
            leader: None,
            leader_as_of: 0,
            busy: false,
            is_stale: false,
            begins: false,
            fetched: None,
            not_before: Time::ZERO,
        });
        self.partitions.len() - 1
    }

    /// A member of a group has got a partition.
    pub(super) fn take(&mut self, topic: usize, at: &TopicPartition) {
        let slot = match self.places.get(at) {
            Some(slot) => *slot,
            None => self.add(topic, at.clone(), FetchPhase::Unassigned),
        };
        let assigned = &mut self.partitions[slot];
        assigned.phase = FetchPhase::Uncommitted;
        assigned.begins = true;
        (assigned.position, assigned.last_epoch) = (None, -1);
        (assigned.leader, assigned.leader_as_of) = (None, 0);
        assigned.not_before = Time::ZERO;
    }

    /// A member of a group gives a partition up.
    pub(super) fn give_up(&mut self, at: &TopicPartition, config: &ConsumerConfig) {
        let assigned = &mut self.partitions[self.places[at]];
        assigned.phase = FetchPhase::Unassigned;
        if config.is(Mutant::ReadRevoked) {
            return;
        }
        assigned.position = None;
        assigned.forget_fetched();
    }

    fn in_phase(&self, of: impl Fn(FetchPhase) -> bool) -> impl Iterator<Item = &Assigned> {
        let all = self.places.values().map(|slot| &self.partitions[*slot]);
        all.filter(move |assigned| of(assigned.phase))
    }

    /// The partitions that a member of a group has.
    pub(super) fn owned(&self) -> Vec<TopicPartition> {
        let owned = self.in_phase(|phase| phase != FetchPhase::Unassigned);
        owned.map(|assigned| assigned.at.clone()).collect()
    }

    /// Those whose committed offset it has to ask for.
    pub(super) fn uncommitted(&self) -> Vec<TopicPartition> {
        let new = self.in_phase(|phase| phase == FetchPhase::Uncommitted);
        new.map(|assigned| assigned.at.clone()).collect()
    }

    /// What a member commits: its valid positions.
    pub(super) fn positions(&self, config: &ConsumerConfig) -> Vec<CommittedOffset> {
        let valid = self.in_phase(|phase| phase == FetchPhase::Fetching);
        let offset = |assigned: &Assigned| {
            let (at, leader_epoch) = (assigned.at.clone(), assigned.last_epoch);
            let fetched = assigned.fetched.as_ref().filter(|_| config.is(Mutant::CommitFetched));
            let end = fetched.and_then(|fetched| Batch::end_of_all(&fetched.records));
            Some(CommittedOffset { at, offset: end.or(assigned.position)?, leader_epoch })
        };
        valid.filter_map(offset).collect()
    }

    /// The group has committed this offset of a new partition, or none (below 0): it begins there, or where the reset
    /// policy says. Whether it begins there.
    pub(super) fn begin_at(
        &mut self,
        at: &TopicPartition,
        (offset, leader_epoch): (Offset, LeaderEpoch),
        policy: ResetPolicy,
        effects: &mut Effects,
    ) -> bool {
        let Some(slot) = self.places.get(at) else { return false };
        let assigned = &mut self.partitions[*slot];
        if assigned.phase != FetchPhase::Uncommitted {
            return false;
        }
        if offset < 0 {
            assigned.lose_position(policy);
            return false;
        }
        assigned.begins = false;
        assigned.reposition(offset, leader_epoch, effects);
        true
    }

    /// New partitions for which the reset policy has found a position since the last time.
    pub(super) fn begun(&mut self) -> Vec<(TopicPartition, Offset)> {
        let mut begun = Vec::new();
        for assigned in &mut self.partitions {
            if let Some(position) = assigned.position
                && std::mem::take(&mut assigned.begins)
            {
                begun.push((assigned.at.clone(), position));
            }
        }
        begun
    }

    /// `poll` begins: a position whose partition has another leader now has to be validated before more is read there,
    /// and what the old leader sent is not returned (`Fetcher.validatePositionsOnMetadataChange`).
    pub(super) fn compare_leaders(&mut self, metadata: &Metadata, config: &ConsumerConfig) {
        if self.compared == metadata.changes() {
            return;
        }
        self.compared = metadata.changes();
        for assigned in &mut self.partitions {
            let partition = assigned.at.partition as usize;
            if assigned.phase == FetchPhase::Fetching
                && assigned.leader.is_some()
                && let Some(leader) = metadata.leader(assigned.topic, partition)
            {
                assigned.set_leader(leader, true, config);
                if assigned.phase == FetchPhase::Unvalidated {
                    assigned.forget_fetched();
                }
            }
        }
    }

    /// A leader has sent something of a partition that a member has.
    pub(super) fn fetched(&mut self, slot: usize, fetched: Fetched) {
        if !fetched.records.is_empty() {
            self.partitions[slot].fetched = Some(fetched);
            self.arrived.push_back(slot);
        }
    }

    /// The application goes back to where it was, if it still has the partition.
    pub(super) fn seek_back(
        &mut self,
        slot: usize,
        (position, last_epoch): (Offset, LeaderEpoch),
        effects: &mut Effects,
    ) {
        let assigned = &mut self.partitions[slot];
        if !matches!(assigned.phase, FetchPhase::Unassigned | FetchPhase::Uncommitted) {
            assigned.forget_fetched();
            assigned.reposition(position, last_epoch, effects);
        }
    }
}

pub(super) fn observe(effects: &mut Effects, observation: ClientObservation) {
    effects.observe(Observation::Client(observation));
}
