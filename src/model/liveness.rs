//! What keeps the cluster from having converged.
//!
//! One predicate over the model: a run that settles asks it at every look and ends when nothing is missing. What a
//! release cannot do ([`super::known_limits`]) is missing, too, but is not waited for. Brokers and clients that were
//! stopped for good are not waited for, and neither is what only they could do.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::brokers::Unregistered;
use super::ledger::Producer;
use super::replicas::{Lead, PartitionReplicas, Replica};
use super::transactional::logs::Open;
use super::{ConsumerTerms, Model, Permission};
use crate::releases::Change;
use crate::vocab::{BrokerId, NodeId, Offset, TopicPartition};

/// Something that a cluster at rest has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The scenario's topics: what creates them still runs.
    Topics,
    /// A server of ZooKeeper that runs has found no leader.
    Serving(NodeId),
    /// A broker that runs is not registered.
    Registration(NodeId, Unregistered),
    /// A producer's operations have not ended.
    Ends(Producer),
    /// No broker that runs leads the partition.
    Leader(TopicPartition),
    /// A broker leads that is not the partition's leader as written.
    LeaderAsWritten(TopicPartition, BrokerId),
    /// A replica that runs is not in sync, as its leader knows it or as it is written: each may be ahead.
    InSync(TopicPartition, BrokerId),
    /// The leader's log continues behind its high watermark: both offsets.
    Commit(TopicPartition, Offset, Offset),
    /// The log of an in-sync replica ends below the high watermark: both offsets.
    Records(TopicPartition, BrokerId, Offset, Offset),
    /// A consumer has not read up to the high watermark: its position, if it knows one, and the high watermark.
    Reads(NodeId, TopicPartition, Option<Offset>, Offset),
    /// The log of a replica is not its leader's from an offset below the high watermark.
    SameLog(TopicPartition, BrokerId, Offset),
    /// A transaction is open in the log of the partition's leader.
    TransactionEnd(TopicPartition, Open),
}

impl Missing {
    /// The partition that it is missing of.
    fn partition(&self) -> Option<&TopicPartition> {
        match self {
            Self::Leader(at)
            | Self::LeaderAsWritten(at, _)
            | Self::InSync(at, _)
            | Self::Commit(at, ..)
            | Self::Records(at, ..)
            | Self::Reads(_, at, ..)
            | Self::SameLog(at, ..)
            | Self::TransactionEnd(at, _) => Some(at),
            Self::Topics | Self::Serving(_) | Self::Registration(..) | Self::Ends(_) => None,
        }
    }
}

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What.
    pub missing: Missing,
    /// Why it will not come, however long one waits, if the release has no way to it.
    pub limit: Option<String>,
}

/// The first offset at which two replicas' logs hold different batches, as far as both go.
fn parted(partition: &PartitionReplicas, one: &Replica, other: &Replica) -> Option<Offset> {
    let logs = &partition.logs;
    let kept = |replica: &Replica| replica.log.filter(|log| !logs.is_folded(*log));
    let (one, other) = (kept(one)?, kept(other)?);
    let same = logs.common(one, other);
    let (one, other) = (logs.after(one, same)?, logs.after(other, same)?);
    Some(one.base.min(other.base))
}

impl Model {
    /// What keeps the cluster from having converged, if anything does.
    pub fn unconverged(&self) -> Option<Missing> {
        self.lacks().find(|lack| lack.limit.is_none()).map(|lack| lack.missing)
    }

    /// Whether what an earlier look found missing keeps the cluster from having converged, or something else of the
    /// same partition does. Costs as much as one partition; false says nothing of what else is missing.
    pub fn is_still_missing(&self, missing: &Missing) -> bool {
        let Some(at) = missing.partition() else { return false };
        self.lacks_of(at).iter().any(|lack| lack.limit.is_none())
            || !self.differing_at(at).is_empty()
    }

    /// Everything that is missing.
    pub fn lacks(&self) -> impl Iterator<Item = Lack> {
        let topics = self.terms.admin.filter(|admin| self.lives.runs(*admin));
        let servers = self.ensemble.not_serving(&self.lives);
        let servers = servers.filter(|_| self.ensemble.has_quorum(&self.lives));
        let brokers = self.unregistered();
        let partitions = self.partitions().flat_map(|at| self.lacks_of(&at));
        let plain = |missing| Lack { missing, limit: None };
        topics
            .map(|_| plain(Missing::Topics))
            .into_iter()
            .chain(servers.map(move |server| plain(Missing::Serving(server))))
            .chain(brokers.map(move |(node, it)| plain(Missing::Registration(node, it))))
            .chain(self.unended())
            .chain(partitions)
            .chain(self.differing().map(plain))
    }

    /// The producers that run and have operations under way.
    fn unended(&self) -> impl Iterator<Item = Lack> {
        let accounts = self.ledger.accounts().iter().enumerate();
        let open = accounts.filter(|(_, account)| {
            self.lives.runs(account.terms.node) && !account.unended().is_empty()
        });
        open.map(|(producer, _)| {
            let limit = self.never_ends(producer);
            Lack { missing: Missing::Ends(producer), limit }
        })
    }

    /// The broker that leads a partition, as running brokers report it: of several the one with the newest epoch.
    pub fn leader(&self, at: &TopicPartition) -> Option<(&Replica, &Lead)> {
        self.leader_in(self.replicas.find(at)?)
    }

    fn leader_in<'a>(
        &'a self,
        partition: &'a PartitionReplicas,
    ) -> Option<(&'a Replica, &'a Lead)> {
        let brokers = self.terms.brokers.iter().filter(|(_, node)| self.lives.runs(*node));
        let leaders = brokers.filter_map(|(id, _)| {
            let replica = partition.replica(*id)?;
            Some((replica, replica.lead()?))
        });
        leaders.max_by_key(|(replica, _)| replica.leader_epoch)
    }

    /// A replica that a running broker has.
    fn hosted<'a>(
        &self,
        partition: &'a PartitionReplicas,
        broker: BrokerId,
    ) -> Option<&'a Replica> {
        let replica = partition.replica(broker)?;
        (replica.is_hosted && self.lives.runs(replica.node)).then_some(replica)
    }

    /// Whether too few replicas are in sync for the high watermark to rise (3.7+).
    fn is_held_below_min_isr(&self, lead: &Lead) -> bool {
        self.terms.kafka.has(Change::HighWatermarkHeldBelowMinIsr)
            && lead.isr.len() < lead.min as usize
    }

    /// What is missing of one partition.
    fn lacks_of(&self, at: &TopicPartition) -> Vec<Lack> {
        let partition = self.replicas.find(at);
        if partition.is_some_and(|partition| partition.deleted) {
            return Vec::new();
        }
        let state = self.reported.of(at);
        let written = state.and_then(|state| state.leader);
        // A leader that the controller does not distinguish from its former process does not learn that it leads.
        let limit = written.and_then(|leader| self.unnoticed(leader));
        let lack = |missing| Lack { missing, limit: limit.clone() };
        let led = partition.and_then(|p| Some((p, self.leader_in(p)?)));
        let Some((partition, (leader, lead))) = led else {
            let none_may = written.is_none()
                && state.is_some_and(|state| state.is_isr_down(|id| self.runs(id)));
            let missing = (!none_may).then(|| lack(Missing::Leader(at.clone())));
            return missing.into_iter().collect();
        };
        if written != Some(leader.broker) {
            return vec![lack(Missing::LeaderAsWritten(at.clone(), leader.broker))];
        }
        let mut lacks = Vec::new();
        let is_in_sync = |id: &BrokerId| {
            lead.isr.contains(id) && state.is_some_and(|state| state.isr.contains(id))
        };
        let high_watermark = leader.high_watermark;
        let assignment = self.assignment_of(at, state);
        for id in assignment {
            if is_in_sync(id) || !self.runs(*id) {
                continue;
            }
            let stays = || self.stays_out(at, *id).or_else(|| self.denied(at));
            let limit = limit.clone().or_else(stays);
            lacks.push(Lack { missing: Missing::InSync(at.clone(), *id), limit });
        }
        if high_watermark < leader.log_end && !self.is_held_below_min_isr(lead) {
            let limit = limit.clone().or_else(|| self.is_not_looked_at(at));
            let missing = Missing::Commit(at.clone(), high_watermark, leader.log_end);
            lacks.push(Lack { missing, limit });
        }
        for id in assignment.iter().filter(|id| is_in_sync(id)) {
            // One that lost the end of its log, and restarted before its session ended, is still in sync.
            if let Some(replica) = self.hosted(partition, *id)
                && replica.log_end < high_watermark
            {
                let missing = Missing::Records(at.clone(), *id, replica.log_end, high_watermark);
                lacks.push(lack(missing));
            }
        }
        let hangs = self.open_transactions(at, &mut lacks);
        lacks.extend(self.unread(at, high_watermark, (limit.as_ref(), hangs.as_ref())));
        lacks
    }

    /// Adds the transactions that are open in a partition; why the first of them is never ended, if so.
    fn open_transactions(&self, at: &TopicPartition, lacks: &mut Vec<Lack>) -> Option<String> {
        let mut first = None;
        for open in self.transactional.logs.open(at) {
            let limit = self.hangs(at, open);
            first = first.or_else(|| limit.clone());
            lacks.push(Lack { missing: Missing::TransactionEnd(at.clone(), *open), limit });
        }
        first
    }

    /// The consumers that have not read a partition up to its high watermark. Of a group, one member has to: the first
    /// that runs is named for all.
    fn unread(
        &self,
        at: &TopicPartition,
        high_watermark: Offset,
        (limit, hangs): (Option<&String>, Option<&String>),
    ) -> impl Iterator<Item = Lack> {
        let mut readers: Vec<(NodeId, Option<Offset>)> = Vec::new();
        let mut of_groups: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for consumer in self.terms.consumers.iter().filter(|one| self.should_read(one, at)) {
            let position = self.client_observations.position(consumer.node, at);
            let known = consumer.group.as_ref().and_then(|group| of_groups.get(group).copied());
            if let Some(place) = known {
                readers[place].1 = readers[place].1.max(position);
                continue;
            }
            of_groups.extend(consumer.group.as_ref().map(|group| (group, readers.len())));
            readers.push((consumer.node, position));
        }
        let is_behind =
            move |position: Option<Offset>| position.is_none_or(|at| at < high_watermark);
        readers.into_iter().filter(move |one| is_behind(one.1)).map(move |(node, position)| {
            let hangs = hangs.filter(|_| self.terms.reads_committed(node));
            let limit = limit.or(hangs).cloned();
            let limit = limit.or_else(|| self.knows_no_running_broker(node));
            let missing = Missing::Reads(node, at.clone(), position, high_watermark);
            Lack { missing, limit }
        })
    }

    /// Whether a consumer runs that is to read the partition, alone or with its group.
    fn should_read(&self, consumer: &ConsumerTerms, at: &TopicPartition) -> bool {
        let node = consumer.node;
        let reads = self.client_observations.position(node, at).is_some();
        consumer.topics.contains(&at.topic)
            && self.lives.runs(node)
            && (reads || self.lives.has_started(node))
    }

    /// The replicas whose logs are not their leaders' below the high watermark, as far as contents are kept. Where
    /// acknowledged records may be lost, some never agree again: a leader that lost its own and leads on in its epoch.
    fn differing(&self) -> impl Iterator<Item = Missing> {
        self.partitions().flat_map(|at| self.differing_at(&at))
    }

    /// Those of one partition.
    fn differing_at(&self, at: &TopicPartition) -> Vec<Missing> {
        if self.terms.acknowledged_loss != Permission::Forbidden {
            return Vec::new();
        }
        let partition = self.replicas.find(at);
        let led = partition.and_then(|p| Some((p, self.leader_in(p)?)));
        let Some((partition, (leader, _))) = led else { return Vec::new() };
        let differing = self.assignment(at).iter().filter_map(|id| {
            let from = parted(partition, leader, self.hosted(partition, *id)?)?;
            let missing = Missing::SameLog(at.clone(), *id, from);
            (from < leader.high_watermark).then_some(missing)
        });
        differing.collect()
    }

    /// What is missing, as a clause.
    pub fn describe(&self, missing: &Missing) -> String {
        let terms = &self.terms;
        match missing {
            Missing::Topics => "the topics were not created".into(),
            Missing::Serving(server) => format!("{} has found no leader", terms.name(*server)),
            Missing::Registration(node, _) => format!("{} is not registered", terms.name(*node)),
            Missing::Ends(producer) => {
                let name = &self.ledger.accounts()[*producer].name;
                format!("{name} waits for acknowledgements")
            }
            Missing::Leader(at) => format!("{at} has no leader"),
            Missing::LeaderAsWritten(at, id) => {
                format!("{} leads {at}, but is not its leader as written", terms.broker(*id))
            }
            Missing::InSync(at, id) => format!("{} is not in sync for {at}", terms.broker(*id)),
            Missing::Commit(at, high_watermark, end) => {
                format!("{at} is committed up to {high_watermark} of {end}")
            }
            Missing::Records(at, id, end, high_watermark) => {
                let name = terms.broker(*id);
                format!("{at} ends at {end} on {name}, and is committed up to {high_watermark}")
            }
            Missing::Reads(consumer, at, Some(position), end) => {
                format!("{} waits for {at}@{position} of {end}", terms.name(*consumer))
            }
            Missing::Reads(consumer, at, None, end) => {
                format!("{} waits for a position in {at}, of {end}", terms.name(*consumer))
            }
            Missing::TransactionEnd(at, open) => {
                let Open { producer, first, .. } = open;
                format!("a transaction of producer {producer} is open in {at} from {first} on")
            }
            Missing::SameLog(at, id, offset) => {
                format!("{at}@{offset} is not the same on {} as on its leader", terms.broker(*id))
            }
        }
    }

    /// How far a follower is, as its leader knows it: a clause.
    pub fn progress(&self, at: &TopicPartition, follower: BrokerId) -> String {
        let name = self.terms.broker(follower);
        if !self.runs(follower) {
            return format!("{name} is down");
        }
        let Some((leader, replica, leading)) = self.end.leader(at) else {
            return format!("{name} follows no leader");
        };
        let (leader, end) = (self.terms.broker(leader), replica.log_end);
        let known = leading.followers.iter().find(|known| known.broker == follower);
        match known.and_then(|known| Some((known.log_end?, known.fetched?))) {
            Some((at, time)) => {
                format!("{name}'s log is at {at} of {end}, fetched last at {time:.3}")
            }
            None => format!("{name} has not fetched from {leader} yet, whose log is at {end}"),
        }
    }
}
