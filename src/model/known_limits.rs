//! What a release cannot do, however long one waits. Each limit is proven from the history, and names its source.
//!
//! The liveness predicate does not wait for what a limit explains, and the liveness properties permit it.
//!
//! - A leader lost records in a power loss and led on in the same epoch, so a follower has other records under that
//!   epoch. When a batch of the leader spans the end of the follower's log, the follower gives the partition up until
//!   the next leader epoch (`UnexpectedAppendOffsetException`; since 2.3, KIP-461, the partition is marked as failed;
//!   before, the fetcher ends, and with it all that it fetches).
//! - Before 2.2 a controller distinguishes registrations by the broker's id alone. When a broker's session expires and
//!   it registers again before the controller looks, the controller sends it no LeaderAndIsr request (KIP-380,
//!   KAFKA-7235).
//! - Before 2.1 a producer has no bound on how long it tries (`delivery.timeout.ms`, KIP-91): with many retries it
//!   waits for brokers that were stopped for good.
//! - Before 4.0 a client asks only the live brokers of the last answer for new ones (KIP-899).
//! - From 2.3 to 2.6.0 the new id of a static member that came back is not written (KAFKA-10284): the next coordinator
//!   knows the id of its last life, and fences it, which ends it.
//! - From 2.7 to 3.9 a leader gives up a change of the in-sync replicas that its controller wrote twice and denied
//!   (`handleAlterPartitionError` of `Partition`).
//! - From 2.7 to 3.0 a leader does not look at its high watermark when an ISR change is written (KAFKA-13091): what
//!   waited for the shrink is committed with the next append, or with a follower that moves, and else not at all.
//! - Before 3.6 a leader appends to a transaction without asking its coordinator (KIP-890): a record that comes behind
//!   the marker opens one that nothing ends, and readers of committed transactions get no further.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::history::{
    BrokerObservation, GroupObservation, GroupState, Life, Removal, TransactionState,
};
use crate::model::ledger::Producer;
use crate::model::replicas::{PartitionReplicas, Replicas};
use crate::model::reported::ReportedState;
use crate::model::terms::ConsumerTerms;
use crate::model::transactional::coordinators::Known;
use crate::model::transactional::logs::Open;
use crate::model::{Model, Terms};
use crate::releases::{Change, Truncation};
use crate::vocab::{Acks, BrokerId, NodeId, Offset, Time, TopicPartition};

/// A follower that does not fetch a partition any more.
#[derive(Clone, Copy, Debug)]
struct Failed {
    time: Time,
    leader: BrokerId,
    end: Offset,
    /// Whether the logs differ as the release lets them.
    explained: bool,
}

/// An ISR as its leader knows it.
#[derive(Clone, Debug)]
struct KnownIsr {
    committed: Vec<BrokerId>,
    /// Whether it shrank after the leader looked at its high watermark last.
    has_shrunk: bool,
}

/// The id of a static member's new life, which its group's log does not hold.
#[derive(Clone, Debug)]
struct UnwrittenId {
    group: Arc<str>,
    /// The coordinator that does not know it, and since when.
    unknown_to: Option<(Time, NodeId)>,
}

/// What the limits are proven from.
#[derive(Clone, Debug, Default)]
pub struct KnownLimits {
    failed: BTreeMap<(NodeId, TopicPartition), Failed>,
    /// Fetchers that ended, by follower and leader, and whether that is explained.
    ended: BTreeMap<(NodeId, BrokerId), bool>,
    /// Logs that were shown to differ, and where they ended then: what lies far back cannot be compared later.
    parted: BTreeMap<(NodeId, TopicPartition), Offset>,
    /// The ISR that each leader knows, for releases in which a shrink leaves the high watermark.
    isrs: BTreeMap<(NodeId, TopicPartition), KnownIsr>,
    /// The brokers that each client asks for metadata.
    asked: BTreeMap<NodeId, Vec<NodeId>>,
    unwritten_ids: BTreeMap<Arc<str>, UnwrittenId>,
    /// The id that each member of a group has or had last.
    member_ids: BTreeMap<NodeId, Arc<str>>,
}

/// Whether a follower's log differs from its leader's as the release lets it: in records of one epoch, in which
/// a leader led on after it had lost its own in a power loss; before 2.1 (KIP-320) in any.
fn may_differ(
    terms: &Terms,
    partition: &PartitionReplicas,
    node: NodeId,
    leader: BrokerId,
) -> bool {
    let own = partition.replicas.iter().find(|replica| replica.node == node);
    let Some(own) = own.and_then(|replica| replica.log) else { return false };
    let Some(theirs) = partition.replica(leader).and_then(|replica| replica.log) else {
        return false;
    };
    if terms.kafka.truncation() < Truncation::Kip320 {
        return partition.logs.common(own, theirs).end < own.end;
    }
    partition.part_in_reused_epoch(terms.kafka, own, theirs)
}

impl KnownLimits {
    /// Folds in an event of a broker.
    pub fn broker(
        &mut self,
        terms: &Terms,
        replicas: &Replicas,
        (time, node): (Time, NodeId),
        did: &BrokerObservation,
    ) {
        match did {
            BrokerObservation::FetchingFailed { at, leader, end, refused } => {
                let place = (node, at.clone());
                let explained = if at == refused {
                    let partition = replicas.find(at);
                    let differs = partition.is_some_and(|p| may_differ(terms, p, node, *leader));
                    let explained = differs || self.parted.get(&place) == Some(end);
                    if explained {
                        self.parted.insert(place.clone(), *end);
                    }
                    self.ended.insert((node, *leader), explained);
                    explained
                } else {
                    self.ended.get(&(node, *leader)).copied().unwrap_or(false)
                };
                let failed = Failed { time, leader: *leader, end: *end, explained };
                self.failed.insert(place, failed);
            }
            BrokerObservation::BecameLeader { at, .. } if !self.failed.is_empty() => {
                self.failed.remove(&(node, at.clone()));
            }
            BrokerObservation::BecameFollower { at, leader, .. } if !self.failed.is_empty() => {
                let place = (node, at.clone());
                let same = self.failed.get(&place).is_some_and(|f| Some(f.leader) == *leader);
                // Before 2.1 a follower of the same leader goes on as it was (KAFKA-6880).
                if !same || terms.kafka.has(Change::FollowerRestartsInNewEpoch) {
                    self.failed.remove(&place);
                }
            }
            BrokerObservation::Group(did) => self.group(terms, (time, node), did),
            _ => {}
        }
        if terms.kafka.has(Change::HighWatermarkWaitsAfterShrink) {
            self.shrunk_or_looked(node, did);
        }
    }

    /// Folds in that a leader's ISR shrank, or that it looked at its high watermark.
    fn shrunk_or_looked(&mut self, node: NodeId, did: &BrokerObservation) {
        match did {
            BrokerObservation::IsrKnown { at, committed, .. } => {
                let fresh = || KnownIsr { committed: committed.clone(), has_shrunk: false };
                let known = self.isrs.entry((node, at.clone())).or_insert_with(fresh);
                known.has_shrunk |= known.committed.iter().any(|id| !committed.contains(id));
                known.committed.clone_from(committed);
            }
            BrokerObservation::Appended { at, .. }
            | BrokerObservation::HighWatermark { at, .. } => {
                if let Some(known) = self.isrs.get_mut(&(node, at.clone())) {
                    known.has_shrunk = false;
                }
            }
            // A new leader looks, too.
            BrokerObservation::BecameLeader { at, .. }
            | BrokerObservation::BecameFollower { at, .. } => {
                self.isrs.remove(&(node, at.clone()));
            }
            _ => {}
        }
    }

    /// Folds in what a coordinator did.
    fn group(&mut self, terms: &Terms, (time, node): (Time, NodeId), did: &GroupObservation) {
        match did {
            GroupObservation::MemberRemoved { group, why: Removal::Replaced { by }, .. }
                if !terms.kafka.has(Change::StaticMembersPersisted) =>
            {
                let unwritten = UnwrittenId { group: group.clone(), unknown_to: None };
                self.unwritten_ids.insert(by.clone(), unwritten);
            }
            // A new generation is written with its members.
            GroupObservation::StateChanged { group, now } if now.state == GroupState::Stable => {
                self.unwritten_ids.retain(|_, id| id.group != *group || id.unknown_to.is_some());
            }
            GroupObservation::Loaded { group, now, .. } => {
                let unwritten = self.unwritten_ids.iter_mut().filter(|(_, id)| id.group == *group);
                for (id, unwritten) in unwritten {
                    let is_known = now.members.iter().any(|member| member.id == *id);
                    unwritten.unknown_to = (!is_known).then_some((time, node));
                }
            }
            _ => {}
        }
    }

    /// Folds in a turn in the life of a process.
    pub fn life(&mut self, node: NodeId, life: Life) {
        if life == Life::Started {
            self.isrs.retain(|(other, _), _| *other != node);
            self.failed.retain(|(other, _), _| *other != node);
            self.ended.retain(|(other, _), _| *other != node);
        }
    }

    /// Folds in which id a member of a group has.
    pub fn member(&mut self, client: NodeId, id: &Arc<str>) {
        if !id.is_empty() && self.member_ids.get(&client) != Some(id) {
            self.member_ids.insert(client, id.clone());
        }
    }

    /// Folds in which brokers a client asks from now on.
    pub fn learned(&mut self, client: NodeId, nodes: &[NodeId]) {
        self.asked.insert(client, nodes.to_vec());
    }
}

impl Model {
    /// Why the controller does not know that a broker restarted: before 2.2 it never will.
    pub fn unnoticed(&self, broker: BrokerId) -> Option<String> {
        let node = self.terms.node_of(broker)?;
        let (known, own) = self.brokers.missed_registration(node, broker)?;
        (!self.terms.kafka.has(Change::BrokerEpochs)).then(|| {
            format!(
                "the controller takes {}, registered at {own}, for the one of {known} (KIP-380)",
                self.terms.name(node)
            )
        })
    }

    /// Why a replica whose broker runs cannot join the in-sync replicas before the next leader epoch.
    pub fn stays_out(&self, at: &TopicPartition, broker: BrokerId) -> Option<String> {
        let node = self.terms.node_of(broker)?;
        let failed = self.known_limits.failed.get(&(node, at.clone()));
        let failed = failed.filter(|failed| failed.explained).map(|failed| {
            let (name, leader) = (self.terms.name(node), self.terms.broker(failed.leader));
            let Failed { time, end, .. } = failed;
            format!(
                "{name} fetches no more since {time:.3}: what {leader} sends does not follow on \
                 its log, which ends at {end} (KIP-461)"
            )
        });
        failed.or_else(|| self.unnoticed(broker))
    }

    /// Why a leader changes the in-sync replicas no more: its controller denied a change that was written.
    pub fn denied(&self, at: &TopicPartition) -> Option<String> {
        let since = self.reported.of(at)?.denied()?;
        Some(format!("its controller wrote that change twice, and denied it at {since:.3}"))
    }

    /// Why a leader does not move its high watermark though all in-sync replicas that run have its whole log.
    pub fn is_not_looked_at(&self, at: &TopicPartition) -> Option<String> {
        let (leader, lead) = self.leader(at)?;
        let known = self.known_limits.isrs.get(&(leader.node, at.clone()))?;
        let partition = self.replicas.find(at)?;
        // One that is behind moves, and the leader looks then.
        let has_all = |id: &BrokerId| {
            !self.runs(*id) || partition.replica(*id).is_some_and(|r| r.log_end >= leader.log_end)
        };
        (known.has_shrunk && lead.isr.iter().all(has_all)).then(|| {
            let isr = self.terms.broker_names(&lead.isr).join(" ");
            format!(
                "{} has not looked at its high watermark since the ISR shrank to {isr} \
                 (KAFKA-13091)",
                self.terms.broker(leader.broker)
            )
        })
    }

    /// Why all replicas that are missing from the in-sync replicas stay out; `None` when one may yet join.
    fn no_replica_joins(&self, at: &TopicPartition, state: &ReportedState) -> Option<String> {
        let mut missing = self.assignment(at).iter().filter(|id| !state.isr.contains(id));
        let stays = |id: &BrokerId| !self.runs(*id) || self.stays_out(at, *id).is_some();
        missing.all(stays).then(|| {
            let isr = self.terms.broker_names(&state.isr).join(" ");
            format!("no replica can join {isr} in the in-sync replicas of {at}")
        })
    }

    /// Why a partition takes no record of a producer, and never will.
    fn takes_nothing(&self, at: &TopicPartition, acks: Acks) -> Option<String> {
        let state = self.reported.of(at)?;
        if state.leader.is_none() && state.is_isr_down(|id| self.runs(id)) {
            return Some(format!("no in-sync replica of {at} runs"));
        }
        if let Some(why) = state.leader.and_then(|leader| self.unnoticed(leader)) {
            return Some(why);
        }
        let least = self.terms.topic(&at.topic)?.min_insync_replicas as usize;
        if acks != Acks::All || state.isr.len() >= least {
            return None;
        }
        self.no_replica_joins(at, state)
    }

    /// Why a producer's operations need not end, though nothing holds them up but the cluster.
    pub fn never_ends(&self, producer: Producer) -> Option<String> {
        let account = &self.ledger.accounts()[producer].terms;
        if self.terms.kafka.has(Change::DeliveryTimeout) {
            return None;
        }
        let partitions = self.partitions().filter(|at| at.topic == account.topic);
        let mut stuck = partitions.filter_map(|at| self.takes_nothing(&at, account.acks));
        stuck.next().or_else(|| self.knows_no_running_broker(account.node))
    }

    /// Why a client does not learn of other brokers any more.
    pub fn knows_no_running_broker(&self, client: NodeId) -> Option<String> {
        let asked = self.known_limits.asked.get(&client)?;
        let none_runs = !asked.is_empty() && !asked.iter().any(|node| self.lives.runs(*node));
        none_runs.then(|| {
            let names: Vec<_> = asked.iter().map(|node| self.terms.name(*node)).collect();
            let name = self.terms.name(client);
            format!("{name} knows only {}, of which none runs (KIP-899)", names.join(" "))
        })
    }

    /// Why a static member ended: its coordinator took it for a life before its last.
    fn was_fenced(&self, client: NodeId) -> Option<String> {
        let id = self.known_limits.member_ids.get(&client)?;
        let (time, coordinator) = self.known_limits.unwritten_ids.get(id)?.unknown_to?;
        (!self.lives.runs(client)).then(|| {
            format!(
                "{} ended: {}, which coordinates its group since {time:.3}, knows the id of its \
                 life before (KAFKA-10284)",
                self.terms.name(client),
                self.terms.name(coordinator)
            )
        })
    }

    /// Why a transaction that is open in a partition is never ended: its coordinator does not have it, or has it
    /// without the partition.
    pub fn hangs(&self, at: &TopicPartition, open: &Open) -> Option<String> {
        if self.terms.kafka.has(Change::TransactionsVerified) {
            return None;
        }
        let is_known = |known: &Known| {
            let now = &known.now;
            let is_going_on = now.state == TransactionState::Ongoing || now.state.is_ending();
            let was_ended = self.transactional.logs.last_marker(at, open.producer);
            let has_marker = was_ended.is_some_and(|marker| marker > known.ongoing_since);
            is_going_on
                && (now.producer, now.partitions.contains(at)) == (open.producer, true)
                && !(now.state.is_ending() && has_marker)
        };
        let known = self.transactional.coordinators.of_producer(open.producer);
        (!known.is_some_and(|(_, known)| is_known(known))).then(|| {
            "before 3.6 (KIP-890) a record that comes behind the marker opens a transaction that \
             nothing ends"
                .to_owned()
        })
    }

    /// Why a consumer of committed transactions does not get to the end of a partition.
    fn waits_for_ever(&self, consumer: &ConsumerTerms) -> Option<String> {
        if !consumer.read_committed || !self.transactional.has_any() {
            return None;
        }
        let mut partitions = self.partitions().filter(|at| consumer.topics.contains(&at.topic));
        partitions
            .find_map(|at| self.transactional.logs.open(&at).find_map(|open| self.hangs(&at, open)))
    }

    /// Why none of these consumers reads any more.
    fn none_reads<'a>(&self, consumers: impl Iterator<Item = &'a ConsumerTerms>) -> Option<String> {
        let mut first = None;
        for consumer in consumers {
            let node = consumer.node;
            let limit = self.was_fenced(node).or_else(|| self.knows_no_running_broker(node));
            let limit = limit.or_else(|| self.waits_for_ever(consumer))?;
            first.get_or_insert(limit);
        }
        first
    }

    /// Why a reader, which is a consumer or a group, reads no more.
    pub fn reads_no_more(&self, reader: &str) -> Option<String> {
        let is_of = |one: &&ConsumerTerms| {
            one.group.as_deref().map_or(&*self.terms.name(one.node) == reader, |it| it == reader)
        };
        self.none_reads(self.terms.consumers.iter().filter(is_of))
    }

    /// Why no consumer reads a topic any more.
    pub fn is_read_no_more(&self, topic: &str) -> Option<String> {
        let reads = |one: &&ConsumerTerms| one.topics.iter().any(|name| &**name == topic);
        self.none_reads(self.terms.consumers.iter().filter(reads))
    }
}
