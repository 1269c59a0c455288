//! The partitions that a consumer reads, and how far it has come in each.

use std::collections::BTreeMap;

use super::config::{ConsumerConfig, ResetPolicy, StartFrom};
use crate::history::{ClientObservation, Observation};
use crate::nodes::Effects;
use crate::nodes::clients::metadata::{Leader, Metadata};
use crate::vocab::{LeaderEpoch, Mutant, Offset, Time, TopicPartition};
use crate::wire::kafka::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};

/// What a partition needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchPhase {
    /// An offset, from a ListOffsets request with this timestamp.
    Unpositioned(i64),
    /// An OffsetForLeaderEpoch request: does the new leader's log still have the position?
    Unvalidated,
    /// Records.
    Fetching,
    /// Nothing: its position is lost and the reset policy is `none`.
    Stuck,
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
    pub(super) leader: Option<Leader>,
    /// Whether it is part of a request in flight.
    pub(super) busy: bool,
    /// No request before this moment.
    pub(super) not_before: Time,
}

impl Assigned {
    /// It has this leader. If positions `can_be_validated`, a position from another leader has to be, first (KIP-320).
    pub(super) fn set_leader(
        &mut self,
        leader: Leader,
        can_be_validated: bool,
        config: &ConsumerConfig,
    ) {
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
                self.places.insert(at.clone(), self.partitions.len());
                self.partitions.push(Assigned {
                    topic,
                    at,
                    phase: FetchPhase::Unpositioned(timestamp),
                    position: None,
                    last_epoch: -1,
                    leader: None,
                    busy: false,
                    not_before: Time::ZERO,
                });
            }
        }
    }
}

pub(super) fn observe(effects: &mut Effects, observation: ClientObservation) {
    effects.observe(Observation::Client(observation));
}
