//! How the leader of a group assigns partitions: the assignors of the Java client, each release's own
//! (`partition.assignment.strategy`).
//!
//! The same topics and members give the same assignment as in the Java client, to the order of the partitions;
//! `vectors/` holds what the real assignors answered.

mod java_map;
mod members;
mod protocol;
mod range;
mod round_robin;
mod sticky;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use self::java_map::JavaMap;
pub use self::members::{AssignorError, Member, Shares, Subscription, Topic};
pub use self::protocol::{NotOfConsumers, decode_assignment, encode_assignment};
use self::sticky::Sticky;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{Mutant, TopicPartition};

/// How a member rejoins (`ConsumerPartitionAssignor.RebalanceProtocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RebalanceProtocol {
    /// It gives up all its partitions first.
    Eager,
    /// It keeps them, and gives up only what it does not get again.
    Cooperative,
}

/// An assignor of the Java client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// `RangeAssignor`
    Range,
    /// `RoundRobinAssignor`
    RoundRobin,
    /// `StickyAssignor`
    Sticky,
    /// `CooperativeStickyAssignor`
    CooperativeSticky,
}

impl Strategy {
    /// All, in the order in which Kafka got them.
    pub const ALL: [Self; 4] =
        [Self::Range, Self::RoundRobin, Self::Sticky, Self::CooperativeSticky];

    /// Its name in JoinGroup.
    pub fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The assignor of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.name() == name)
    }

    /// Whether a client of release `kafka` has it.
    pub fn exists(self, kafka: KafkaVersion) -> bool {
        match self {
            Self::Range | Self::RoundRobin => true,
            Self::Sticky => kafka.has(Change::StickyAssignor),
            Self::CooperativeSticky => kafka.has(Change::CooperativeSticky),
        }
    }

    /// The protocols that it can work with.
    pub fn protocols(self) -> &'static [RebalanceProtocol] {
        match self {
            Self::Range | Self::RoundRobin | Self::Sticky => &[RebalanceProtocol::Eager],
            Self::CooperativeSticky => &[RebalanceProtocol::Cooperative, RebalanceProtocol::Eager],
        }
    }
}

/// One assignor of one consumer, with what it keeps from one rebalance to the next.
#[derive(Clone, Debug)]
pub struct Assignor {
    kafka: KafkaVersion,
    strategy: Strategy,
    /// What its member got last, and in which generation.
    had: Option<(Vec<TopicPartition>, i32)>,
    /// The newest generation that it has heard of as the leader's.
    newest: i32,
    /// The bug that is planted in its consumer.
    mutant: Option<Mutant>,
}

impl Assignor {
    /// The assignor `strategy` of a client of release `kafka`.
    pub fn new(kafka: KafkaVersion, strategy: Strategy) -> Self {
        Self { kafka, strategy, had: None, newest: sticky::NO_NEWEST, mutant: None }
    }

    /// With a planted bug.
    #[must_use]
    pub fn with_mutant(self, mutant: Option<Mutant>) -> Self {
        Self { mutant, ..self }
    }

    /// Which it is.
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// What it adds to its member's [`Subscription`] in JoinGroup (`subscriptionUserData`).
    pub fn user_data(&self) -> Option<Bytes> {
        match self.strategy {
            Strategy::Range | Strategy::RoundRobin => protocol::no_user_data(self.kafka),
            Strategy::Sticky => sticky::of_sticky(self.kafka, self.had.as_ref()),
            Strategy::CooperativeSticky => {
                let generation = self.had.as_ref().map(|(_, generation)| *generation);
                sticky::of_cooperative(self.kafka, generation)
            }
        }
    }

    /// Its member got these partitions in this generation (`onAssignment`).
    pub fn assigned(&mut self, partitions: &[TopicPartition], generation: i32) {
        self.had = Some((partitions.to_vec(), generation));
    }

    /// Assigns the partitions of `topics` to `members`, which come in the order of the JoinGroup response. The
    /// answer has every member, in the order of the SyncGroup request.
    ///
    /// # Errors
    /// What the assignor of the Java client throws: there `poll` throws it, and the group waits for its leader.
    pub fn assign(
        &mut self,
        topics: &[Topic],
        members: &[Member],
    ) -> Result<Shares, AssignorError> {
        let members = members.iter().map(|member| (member.id.clone(), member)).collect();
        let assigned = match self.strategy {
            Strategy::Range => range::assign(self.kafka, topics, &members),
            Strategy::RoundRobin => round_robin::assign(self.kafka, topics, &members),
            Strategy::Sticky | Strategy::CooperativeSticky => {
                let is_cooperative = self.strategy == Strategy::CooperativeSticky;
                let shares_moved = self.mutant == Some(Mutant::ShareMovedPartitions);
                let sticky = Sticky { kafka: self.kafka, is_cooperative, shares_moved };
                sticky::assign(sticky, topics, &members, &mut self.newest)?
            }
        };
        // Two more hash maps in Java: what an assignor wraps, and what the coordinator encodes.
        let wrapped: JavaMap<_, _> = assigned.into_entries().collect();
        let encoded: JavaMap<_, _> = wrapped.into_entries().collect();
        Ok(encoded.into_entries().collect())
    }
}

/// `names` in the order of a Java `HashSet` of them: a subscription's topics, before 2.8.1 sorted them on the wire.
pub fn hash_order(names: &[Arc<str>]) -> Vec<Arc<str>> {
    let mut set = JavaMap::with_capacity((names.len() * 4 / 3 + 1).max(16));
    for name in names {
        set.put(name.clone(), ());
    }
    set.keys().cloned().collect()
}
