//! A consumer without a group, as the Java client's behaves with `assign`: it reads every partition of its
//! topics, from the leader, without fetch sessions, and keeps its positions in memory only.
//!
//! From 2.3 on it asks every new leader whether its position is still in the log (KIP-320); before, it notices
//! a truncated log only when its position is out of range.

mod assignment;
mod config;
mod fetch;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::messages::ResponseKind;

use self::assignment::{Assigned, FetchPhase};
pub use self::config::{ConsumerConfig, ResetPolicy, StartFrom};
use self::requests::{Purpose, Requests, Sent};
use super::connections::{Connections, Happenings, Readiness};
use super::metadata::{Leader, METADATA_TAG, Metadata, MetadataConfig};
use super::protocol::ApiVersions;
use super::wake::{Wake, earlier};
use crate::history::{ClientObservation, Observation};
use crate::nodes::Effects;
use crate::vocab::step::Input;
use crate::vocab::{
    Clock, LeaderEpoch, Mutant, NodeId, Offset, Roster, Stream, Time, TopicPartition,
};
use crate::wire::kafka::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};

/// A consumer.
#[derive(Debug)]
pub struct Consumer {
    config: ConsumerConfig,
    versions: ApiVersions,
    net: Connections,
    happened: Happenings,
    metadata: Metadata,
    assigned: Vec<Assigned>,
    sent: BTreeMap<u64, Sent>,
    next_tag: u64,
    /// The names of producers seen in records.
    producers: BTreeSet<Arc<str>>,
    wake: Wake,
}

impl Consumer {
    /// A consumer that starts with [`Input::Start`]. `roster` is its DNS.
    pub fn new(config: ConsumerConfig, roster: Arc<Roster>, stream: Stream) -> Self {
        let versions = ApiVersions::of(config.version);
        let metadata_config = MetadataConfig {
            max_age: config.metadata_max_age,
            retry_backoff: config.retry_backoff,
            allow_auto_create: config.allow_auto_create,
        };
        let (bootstrap, topics) = (&config.bootstrap, &config.topics);
        let metadata = Metadata::new(metadata_config, versions.metadata, roster, bootstrap, topics);
        Self {
            versions,
            net: Connections::new(&config.name, config.connection.clone(), stream),
            happened: Happenings::default(),
            metadata,
            assigned: Vec::new(),
            sent: BTreeMap::new(),
            next_tag: 0,
            producers: BTreeSet::from(["".into()]),
            wake: Wake::default(),
            config,
        }
    }

    /// The nodes that it sends Metadata requests to.
    pub fn asks(&self) -> &[NodeId] {
        self.metadata.nodes()
    }

    /// The offset of the next record that it reads of a partition, once it knows one.
    pub fn position(&self, at: &TopicPartition) -> Option<Offset> {
        self.assigned.iter().find(|assigned| assigned.at == *at)?.position
    }

    /// Takes one input.
    pub fn step(&mut self, clock: Clock, input: Input, effects: &mut Effects) {
        match input {
            Input::Timer { id, .. } => {
                if !self.wake.fired(id) {
                    return;
                }
            }
            Input::Shutdown => {
                effects.exit();
                return;
            }
            other => {
                let mut happened = std::mem::take(&mut self.happened);
                self.net.handle(clock.now, other, effects, &mut happened);
                self.digest(clock, &mut happened, effects);
                self.happened = happened;
            }
        }
        if clock.now < self.config.start {
            return self.wake.arm(effects, Some(self.config.start));
        }
        if self.net.deadline().is_some_and(|deadline| deadline <= clock.now) {
            let mut happened = std::mem::take(&mut self.happened);
            self.net.expire(clock.now, effects, &mut happened);
            self.digest(clock, &mut happened, effects);
            self.happened = happened;
        }
        let ready = self.send_ready(clock, effects);
        let metadata = self.metadata.refresh(clock.now, &mut self.net, effects);
        self.metadata.observe_changes(effects);
        let next = earlier(earlier(ready, metadata), self.net.deadline());
        self.wake.arm(effects, next);
    }

    fn digest(&mut self, clock: Clock, happened: &mut Happenings, effects: &mut Effects) {
        for (tag, body) in happened.responses.drain(..) {
            if let ResponseKind::Metadata(body) = &body {
                self.metadata.answered(clock.now, body);
                self.assign();
                continue;
            }
            let sent = self.sent.remove(&tag).expect("each request is answered once");
            self.release(&sent);
            match body {
                ResponseKind::Fetch(body) => self.fetched(clock, &sent, &body, effects),
                ResponseKind::ListOffsets(body) => self.listed(clock, &sent, &body, effects),
                ResponseKind::OffsetForLeaderEpoch(body) => {
                    self.validated(clock, &sent, &body, effects);
                }
                other => panic!("a consumer does not ask for {other:?}"),
            }
        }
        for tag in happened.lost.drain(..) {
            if tag == METADATA_TAG {
                self.metadata.lost();
            } else {
                let sent = self.sent.remove(&tag).expect("a lost request was in flight");
                self.release(&sent);
            }
        }
        if std::mem::take(&mut happened.disconnected) {
            self.metadata.request_update();
        }
    }

    fn release(&mut self, sent: &Sent) {
        for &slot in &sent.slots {
            self.assigned[slot].busy = false;
        }
    }

    /// Assigns itself the partitions that are new in the metadata.
    fn assign(&mut self) {
        for topic in 0..self.metadata.topics() {
            let known = self.assigned.iter().filter(|assigned| assigned.topic == topic).count();
            for partition in known..self.metadata.partitions(topic) {
                let at = TopicPartition::new(self.metadata.name(topic).clone(), partition as i32);
                let timestamp = match self.config.from {
                    StartFrom::Beginning => EARLIEST_TIMESTAMP,
                    StartFrom::End => LATEST_TIMESTAMP,
                };
                self.assigned.push(Assigned {
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

    /// Sends the requests that partitions need; returns when to come back.
    fn send_ready(&mut self, clock: Clock, effects: &mut Effects) -> Option<Time> {
        let mut next = None;
        let mut groups: Vec<(NodeId, Purpose, Vec<usize>)> = Vec::new();
        for slot in 0..self.assigned.len() {
            let assigned = &self.assigned[slot];
            if assigned.busy || assigned.phase == FetchPhase::Stuck {
                continue;
            }
            if assigned.not_before > clock.now {
                next = earlier(next, Some(assigned.not_before));
                continue;
            }
            let partition = assigned.at.partition as usize;
            let Some(leader) = self.metadata.leader(assigned.topic, partition) else {
                self.metadata.request_update();
                continue;
            };
            self.meet(slot, leader);
            let purpose = match self.assigned[slot].phase {
                FetchPhase::Unpositioned(_) => Purpose::ListOffsets,
                FetchPhase::Unvalidated => Purpose::Validate,
                _ => Purpose::Fetch,
            };
            match groups.iter_mut().find(|group| (group.0, group.1) == (leader.node, purpose)) {
                Some(group) => group.2.push(slot),
                None => groups.push((leader.node, purpose, vec![slot])),
            }
        }
        for (node, purpose, slots) in groups {
            let fetching = |sent: &Sent| sent.purpose == Purpose::Fetch && sent.node == node;
            if purpose == Purpose::Fetch && self.sent.values().any(fetching) {
                continue;
            }
            match self.net.prepare(clock.now, node, effects) {
                Readiness::Ready => self.send(clock, node, purpose, slots, effects),
                Readiness::Wait => {}
                Readiness::Backoff(until) => next = earlier(next, Some(until)),
            }
        }
        next
    }

    /// Sends one request for the partitions `slots`, which `node` leads.
    fn send(
        &mut self,
        clock: Clock,
        node: NodeId,
        purpose: Purpose,
        slots: Vec<usize>,
        effects: &mut Effects,
    ) {
        let Self { config, versions, metadata, assigned, .. } = &*self;
        let requests = Requests { config, versions, metadata, assigned };
        let (api, version, body) = requests.of(purpose, &slots);
        let tag = self.next_tag;
        self.next_tag += 1;
        self.net.send(clock.now, node, effects, (api, version, &body), tag);
        for &slot in &slots {
            self.assigned[slot].busy = true;
        }
        self.sent.insert(tag, Sent { node, purpose, slots });
    }

    /// The partition has this leader; a position from another leader has to be validated first (KIP-320).
    fn meet(&mut self, slot: usize, leader: Leader) {
        let assigned = &mut self.assigned[slot];
        if assigned.leader == Some(leader) {
            return;
        }
        let can_validate = self.versions.offset_for_leader_epoch.is_some() && leader.epoch >= 0;
        if assigned.phase == FetchPhase::Fetching && assigned.last_epoch >= 0 && can_validate {
            assigned.phase = FetchPhase::Unvalidated;
        }
        if assigned.phase == FetchPhase::Unvalidated && self.config.is(Mutant::ResumeAtLastRecord) {
            assigned.position = assigned.position.map(|position| (position - 1).max(0));
        }
        assigned.leader = Some(leader);
    }

    /// The position is not in the log: the reset policy decides.
    fn lose_position(&mut self, slot: usize) {
        let assigned = &mut self.assigned[slot];
        assigned.phase = match self.config.auto_offset_reset {
            ResetPolicy::Earliest => FetchPhase::Unpositioned(EARLIEST_TIMESTAMP),
            ResetPolicy::Latest => FetchPhase::Unpositioned(LATEST_TIMESTAMP),
            ResetPolicy::None => {
                tracing::warn!(at = %assigned.at, position = assigned.position, "position is lost");
                FetchPhase::Stuck
            }
        };
    }

    /// Sets the position by other means than reading.
    fn reposition(
        &mut self,
        slot: usize,
        to: Offset,
        last_epoch: LeaderEpoch,
        effects: &mut Effects,
    ) {
        let assigned = &mut self.assigned[slot];
        let from = assigned.position.replace(to);
        assigned.last_epoch = last_epoch;
        assigned.phase = FetchPhase::Fetching;
        let at = assigned.at.clone();
        tracing::debug!(%at, from, to, "position is reset");
        observe(effects, ClientObservation::PositionReset { at, from, to });
    }

    /// Waits before the next request for the partition.
    fn back_off(&mut self, clock: Clock, slot: usize) {
        self.assigned[slot].not_before = clock.now + self.config.retry_backoff;
    }
}

fn observe(effects: &mut Effects, observation: ClientObservation) {
    effects.observe(Observation::Client(observation));
}
