//! What the controller knows of the cluster (`kafka/controller/ControllerContext.scala`).
//!
//! Memory only: a new controller reads all of it from ZooKeeper.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use crate::nodes::broker::Endpoint;
use crate::nodes::broker::znodes::payload::PartitionState;
use crate::vocab::{BrokerEpoch, BrokerId, PartitionEpoch, TopicPartition};

/// A registered broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredBroker {
    /// czxid of its registration (2.2+); −1 before.
    pub epoch: BrokerEpoch,
    /// czxid of its registration, whatever the release; decides nothing.
    pub czxid: BrokerEpoch,
    /// Under which others reach it.
    pub host: String,
    /// The listener's port.
    pub port: i32,
    /// Under which clients from outside reach it.
    pub external: Option<Endpoint>,
    /// `broker.rack`
    pub rack: Option<String>,
}

/// A partition's state as last read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// Leader, epochs and in-sync replicas.
    pub state: PartitionState,
    /// dataVersion of the state znode.
    pub partition_epoch: PartitionEpoch,
}

/// The state of a partition that is known (`PartitionState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionStage {
    /// Never had a leader.
    New,
    /// Has a leader.
    Online,
    /// Lost its leader.
    Offline,
}

/// The state of a replica that is known (`ReplicaState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaStage {
    /// Assigned, and its broker got no LeaderAndIsr yet.
    New,
    /// Its broker got LeaderAndIsr.
    Online,
    /// Its broker is gone, or got StopReplica.
    Offline,
    /// Its broker got StopReplica with deletion.
    DeletionStarted,
    /// Its log is deleted.
    DeletionSuccessful,
}

/// One partition.
#[derive(Clone, Debug)]
pub struct ControllerPartition {
    /// The assignment; the first is the preferred leader.
    pub replicas: Vec<BrokerId>,
    /// Of these, those that are added.
    pub adding: Vec<BrokerId>,
    /// Those that are to be removed.
    pub removing: Vec<BrokerId>,
    /// Its state.
    pub stage: PartitionStage,
    /// Its state znode; `None` while it never had a leader.
    pub leadership: Option<Leadership>,
    /// The states of its replicas.
    pub replica_stages: BTreeMap<BrokerId, ReplicaStage>,
}

/// A replica: the partition, and the broker it is on.
pub type Replica = (TopicPartition, BrokerId);

/// What the controller knows.
#[derive(Debug, Default)]
pub struct ControllerContext {
    /// Registered brokers, those that are shutting down among them.
    pub brokers: BTreeMap<BrokerId, RegisteredBroker>,
    /// Brokers that asked for a controlled shutdown and are registered still.
    pub shutting_down: BTreeSet<BrokerId>,
    /// Topics, also those whose partitions are not known yet.
    pub topics: BTreeSet<Arc<str>>,
    /// Ids of topics (2.8+).
    pub topic_ids: BTreeMap<Arc<str>, Uuid>,
    /// Topics that are to be deleted.
    pub to_be_deleted: BTreeSet<Arc<str>>,
    /// Partitions that are reassigned, with the replicas that they are to have.
    pub reassigning: BTreeMap<TopicPartition, Vec<BrokerId>>,
    /// The partitions.
    pub partitions: BTreeMap<TopicPartition, ControllerPartition>,
}

impl ControllerPartition {
    /// A partition that no broker knows yet.
    pub fn new(replicas: Vec<BrokerId>) -> Self {
        Self {
            replicas,
            adding: Vec::new(),
            removing: Vec::new(),
            stage: PartitionStage::New,
            leadership: None,
            replica_stages: BTreeMap::new(),
        }
    }

    /// The leader, if there is one.
    pub fn leader(&self) -> Option<BrokerId> {
        let leader = self.leadership.as_ref()?.state.leader;
        (leader != PartitionState::NO_LEADER).then_some(leader)
    }
}

impl ControllerContext {
    /// Whether a broker is registered and not shutting down: what elections call live.
    pub fn is_live(&self, id: BrokerId) -> bool {
        self.brokers.contains_key(&id) && !self.shutting_down.contains(&id)
    }

    /// The id of a topic; zeroes when it has none.
    pub fn topic_id(&self, topic: &str) -> Uuid {
        self.topic_ids.get(topic).copied().unwrap_or_default()
    }

    /// The topic with an id.
    pub fn topic_of(&self, id: Uuid) -> Option<Arc<str>> {
        self.topic_ids.iter().find(|(_, of_it)| **of_it == id).map(|(topic, _)| topic.clone())
    }

    /// All registered brokers, those that are shutting down among them.
    pub fn registered(&self) -> Vec<BrokerId> {
        self.brokers.keys().copied().collect()
    }

    /// Whether the topic of a partition is to be deleted.
    pub fn is_to_be_deleted(&self, at: &TopicPartition) -> bool {
        self.to_be_deleted.contains(&at.topic)
    }

    /// The partitions of a topic, in order.
    pub fn of_topic<'a>(
        &'a self,
        topic: &Arc<str>,
    ) -> impl Iterator<Item = (&'a TopicPartition, &'a ControllerPartition)> {
        let topic = topic.clone();
        let from = TopicPartition { topic: topic.clone(), partition: i32::MIN };
        self.partitions.range(from..).take_while(move |(at, _)| at.topic == topic)
    }

    /// The replicas on some brokers.
    pub fn replicas_on(&self, brokers: &[BrokerId]) -> Vec<Replica> {
        let mut replicas = Vec::new();
        for &id in brokers {
            let on = self.partitions.iter().filter(|(_, one)| one.replicas.contains(&id));
            replicas.extend(on.map(|(at, _)| (at.clone(), id)));
        }
        replicas
    }

    /// The partitions that have had a leader.
    pub fn with_leadership(&self) -> Vec<TopicPartition> {
        let had = self.partitions.iter().filter(|(_, one)| one.leadership.is_some());
        had.map(|(at, _)| at.clone()).collect()
    }

    /// The partitions whose leader is not live.
    pub fn with_dead_leader(&self) -> Vec<TopicPartition> {
        let dead = self.partitions.iter().filter(|(at, one)| {
            one.leadership.is_some()
                && !one.leader().is_some_and(|leader| self.is_live(leader))
                && !self.is_to_be_deleted(at)
        });
        dead.map(|(at, _)| at.clone()).collect()
    }

    /// Remembers a state as written or read.
    pub fn put_leadership(&mut self, at: &TopicPartition, state: PartitionState, version: i32) {
        if let Some(partition) = self.partitions.get_mut(at) {
            partition.leadership = Some(Leadership { state, partition_epoch: version });
        }
    }

    /// Remembers the state of a replica.
    pub fn put_replica(&mut self, (at, id): &Replica, stage: ReplicaStage) {
        if let Some(partition) = self.partitions.get_mut(at) {
            partition.replica_stages.insert(*id, stage);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_shuts_down_is_registered_but_not_live() {
        let broker = RegisteredBroker {
            epoch: 1,
            czxid: 1,
            host: "b1".into(),
            port: 9092,
            external: None,
            rack: None,
        };
        let mut known = ControllerContext::default();
        known.brokers.insert(BrokerId(1), broker);
        assert!(known.is_live(BrokerId(1)));
        known.shutting_down.insert(BrokerId(1));
        assert!(!known.is_live(BrokerId(1)));
        assert_eq!(known.registered(), [BrokerId(1)]);
    }

    #[test]
    fn partitions_of_a_topic_are_not_mixed_with_those_of_others() {
        let mut known = ControllerContext::default();
        for (topic, partition) in [("a", 0), ("b", 0), ("b", 1), ("bb", 0)] {
            let at = TopicPartition::new(topic, partition);
            known.partitions.insert(at, ControllerPartition::new(vec![BrokerId(1)]));
        }
        let of_b: Vec<_> = known.of_topic(&"b".into()).map(|(at, _)| at.to_string()).collect();
        assert_eq!(of_b, ["b-0", "b-1"]);
        assert_eq!(known.replicas_on(&[BrokerId(1)]).len(), 4);
        assert!(known.with_dead_leader().is_empty(), "new partitions have no dead leader");
    }
}
