//! Observations of consumer groups: of their coordinators, and of their members.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::vocab::{LeaderEpoch, Offset, Time, TopicPartition};

/// Where a group is, in Kafka's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupState {
    /// It has no members.
    Empty,
    /// It waits for its members to join.
    PreparingRebalance,
    /// It waits for its leader's assignment.
    CompletingRebalance,
    /// Its members have their assignments.
    Stable,
    /// It is forgotten.
    Dead,
}

/// A member of a group, as its coordinator knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// Its id.
    pub id: Arc<str>,
    /// `group.instance.id` of a static member.
    pub instance: Option<Arc<str>>,
    /// How long it may be silent, in milliseconds.
    pub session_timeout_ms: i32,
    /// The topics that it subscribes to; `None` when it is no consumer.
    pub topics: Option<Vec<Arc<str>>>,
    /// The partitions that the leader gave it in this generation; `None` when it is no consumer.
    pub partitions: Option<Vec<TopicPartition>>,
}

/// A group, as its coordinator knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSnapshot {
    /// Where it is.
    pub state: GroupState,
    /// How often it has rebalanced.
    pub generation: i32,
    /// The assignor of this generation.
    pub protocol: Option<Arc<str>>,
    /// The member that assigns.
    pub leader: Option<Arc<str>>,
    /// Its members, by id.
    pub members: Vec<GroupMember>,
}

/// Why a member is one no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Removal {
    /// It left.
    Left,
    /// It was silent for its session timeout, which is in milliseconds.
    Expired {
        /// The timeout.
        timeout_ms: u64,
    },
    /// It did not join again within the rebalance timeout.
    NotRejoined,
    /// It did not ask for its assignment within the rebalance timeout.
    NotSynced,
    /// The group has more members than it may.
    GroupFull,
    /// A static member: another process has its instance now, with this id.
    Replaced {
        /// The id.
        by: Arc<str>,
    },
}

/// The committed offset of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedOffset {
    /// The partition.
    pub at: TopicPartition,
    /// The offset of the next record to read.
    pub offset: Offset,
    /// The leader epoch of the last record that was read; −1 when it is unknown.
    pub leader_epoch: LeaderEpoch,
}

/// A group's coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupObservation {
    /// The group's state changed.
    StateChanged {
        /// The group.
        group: Arc<str>,
        /// The group now.
        now: GroupSnapshot,
    },
    /// A client became a member; its JoinGroup waits.
    MemberJoined {
        /// The group.
        group: Arc<str>,
        /// Its id.
        member: Arc<str>,
        /// `group.instance.id` of a static member.
        instance: Option<Arc<str>>,
        /// `client.id`
        client: Arc<str>,
    },
    /// A member is one no longer.
    MemberRemoved {
        /// The group.
        group: Arc<str>,
        /// Its id.
        member: Arc<str>,
        /// Why.
        why: Removal,
    },
    /// A heartbeat was accepted, or a member got its assignment again: its session begins again.
    MemberHeard {
        /// The group.
        group: Arc<str>,
        /// The member.
        member: Arc<str>,
    },
    /// An OffsetCommit was accepted; its offsets are being written.
    CommitAccepted {
        /// The group.
        group: Arc<str>,
        /// The member; empty when the client commits without being one.
        member: Arc<str>,
        /// `group.instance.id`, if the request had one.
        instance: Option<Arc<str>>,
        /// The generation of the request; −1 when the client commits without being a member.
        generation: i32,
        /// The offsets.
        offsets: Vec<CommittedOffset>,
    },
    /// A TxnOffsetCommit was accepted; its offsets are being written, and count when the transaction is committed.
    CommitAcceptedInTransaction {
        /// The group.
        group: Arc<str>,
        /// The producer id.
        producer: i64,
        /// The offsets.
        offsets: Vec<CommittedOffset>,
    },
    /// All in-sync replicas of `__consumer_offsets` have the offsets of an OffsetCommit, or the marker behind those of
    /// a transaction, and OffsetFetch returns them.
    OffsetsCommitted {
        /// The group.
        group: Arc<str>,
        /// The member; empty when the client commits without being one.
        member: Arc<str>,
        /// The generation of the request.
        generation: i32,
        /// The offsets.
        offsets: Vec<CommittedOffset>,
        /// Where they are in the group's partition of `__consumer_offsets`.
        log_offset: Offset,
    },
    /// Offsets are forgotten: they expired, were deleted, or their topic was.
    OffsetsForgotten {
        /// The group.
        group: Arc<str>,
        /// The partitions.
        partitions: Vec<TopicPartition>,
    },
    /// A broker that became leader of the group's partition of `__consumer_offsets` has read the group from there.
    Loaded {
        /// The group.
        group: Arc<str>,
        /// The group now.
        now: GroupSnapshot,
        /// Its offsets.
        offsets: Vec<CommittedOffset>,
    },
    /// A broker coordinates the groups of a partition of `__consumer_offsets`: those that it has loaded, and new ones.
    CoordinatorElected {
        /// The partition.
        partition: i32,
    },
    /// It does so no longer.
    CoordinatorResigned {
        /// The partition.
        partition: i32,
        /// The groups that it had.
        groups: Vec<Arc<str>>,
    },
}

/// A member of a group, or a client that commits offsets without being one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberObservation {
    /// `group.id`
    pub group: Arc<str>,
    /// Its id; empty when it has none.
    pub member: Arc<str>,
    /// The generation that it is in; −1 when it is in none.
    pub generation: i32,
    /// What happened.
    pub what: MemberEvent,
}

/// What a member of a group did, or was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberEvent {
    /// Its JoinGroup was answered without an error: it is in a generation.
    Joined {
        /// The assignor of the generation.
        protocol: Arc<str>,
        /// Whether it assigns.
        leads: bool,
    },
    /// It owns partitions that it did not own before (`onPartitionsAssigned`). The list can be empty.
    Assigned {
        /// The partitions.
        added: Vec<TopicPartition>,
        /// All that it owns now.
        owned: Vec<TopicPartition>,
    },
    /// It gives partitions up (`onPartitionsRevoked`).
    Revoked {
        /// The partitions.
        partitions: Vec<TopicPartition>,
    },
    /// Its partitions were taken from it, because it was fenced or expired (`onPartitionsLost`).
    Lost {
        /// The partitions.
        partitions: Vec<TopicPartition>,
    },
    /// A heartbeat was answered.
    Heartbeat {
        /// When it was sent.
        sent: Time,
        /// Kafka's name for the error, if there is one.
        error: Option<Arc<str>>,
    },
    /// It sent an OffsetCommit.
    CommitSent {
        /// Number of the request, unique for the node.
        number: u64,
        /// The offsets.
        offsets: Vec<CommittedOffset>,
    },
    /// An OffsetCommit was answered, or its answer will not come.
    CommitAnswered {
        /// Number of the request.
        number: u64,
        /// By partition: Kafka's name for the error, if there is one. A partition that is not listed was
        /// not answered.
        results: Vec<(TopicPartition, Option<Arc<str>>)>,
    },
    /// An OffsetFetch was answered.
    CommittedFetched {
        /// When it was sent.
        sent: Time,
        /// By partition: the committed offset, if there is one. Partitions with an error are not listed.
        offsets: Vec<(TopicPartition, Option<Offset>)>,
    },
    /// It begins to read a partition of its assignment: at the committed offset, or where its reset policy says.
    PositionBegun {
        /// The partition.
        at: TopicPartition,
        /// The offset.
        offset: Offset,
        /// Whether that is the committed offset.
        is_committed: bool,
    },
    /// It sent LeaveGroup.
    LeaveSent,
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        })
    }
}

/// Partitions as a list: `orders-0,orders-1`; `none` when there is none.
pub(super) struct Partitions<'a>(pub &'a [TopicPartition]);

impl fmt::Display for Partitions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else { return f.write_str("none") };
        write!(f, "{first}")?;
        rest.iter().try_for_each(|at| write!(f, ",{at}"))
    }
}

/// Offsets as a list: `orders-0@7 orders-1@9`.
pub(super) struct Offsets<'a>(pub &'a [CommittedOffset]);

impl fmt::Display for Offsets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|one| write!(f, " {}@{}", one.at, one.offset))
    }
}

impl fmt::Display for GroupSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, generation, leader, members, .. } = self;
        write!(f, "{state}, generation {generation}")?;
        for member in members {
            write!(f, ", {}", member.id)?;
            if leader.as_ref() == Some(&member.id) {
                f.write_str(" (leader)")?;
            }
            if let Some(partitions) = &member.partitions
                && *state == GroupState::Stable
            {
                write!(f, " has {}", Partitions(partitions))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("left"),
            Self::Expired { timeout_ms } => write!(f, "silent for {timeout_ms}ms"),
            Self::NotRejoined => f.write_str("did not join again"),
            Self::NotSynced => f.write_str("did not ask for its assignment"),
            Self::GroupFull => f.write_str("the group is full"),
            Self::Replaced { by } => write!(f, "replaced by {by}"),
        }
    }
}

/// Who commits: `member m of generation 3`, or `a client that is no member`.
struct Committer<'a>(&'a str, i32);

impl fmt::Display for Committer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => f.write_str("a client that is no member"),
            member => write!(f, "member {member} of generation {}", self.1),
        }
    }
}

impl fmt::Display for GroupObservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StateChanged { group, now } => write!(f, "group {group} is {now}"),
            Self::MemberJoined { group, member, instance, client } => {
                write!(f, "group {group}: {member} of client {client} joins")?;
                instance.as_ref().map_or(Ok(()), |instance| write!(f, " as {instance}"))
            }
            Self::MemberRemoved { group, member, why } => {
                write!(f, "group {group}: {member} is removed: {why}")
            }
            Self::MemberHeard { group, member } => write!(f, "group {group}: {member} is alive"),
            Self::CommitAccepted { group, member, generation, offsets, .. } => write!(
                f,
                "group {group}: writes offsets of {}:{}",
                Committer(member, *generation),
                Offsets(offsets)
            ),
            Self::CommitAcceptedInTransaction { group, producer, offsets } => write!(
                f,
                "group {group}: writes offsets of a transaction of producer {producer}:{}",
                Offsets(offsets)
            ),
            Self::OffsetsCommitted { group, member, generation, offsets, log_offset } => write!(
                f,
                "group {group}: committed offsets of {} at {log_offset}:{}",
                Committer(member, *generation),
                Offsets(offsets)
            ),
            Self::OffsetsForgotten { group, partitions } => {
                write!(f, "group {group}: forgets the offsets of {}", Partitions(partitions))
            }
            Self::Loaded { group, now, offsets } => {
                write!(f, "loaded group {group}: {now}; offsets{}", Offsets(offsets))
            }
            Self::CoordinatorElected { partition } => {
                write!(f, "coordinates the groups of __consumer_offsets-{partition}")
            }
            Self::CoordinatorResigned { partition, groups } => {
                write!(f, "no longer coordinates the groups of __consumer_offsets-{partition}:")?;
                groups.iter().try_for_each(|group| write!(f, " {group}"))
            }
        }
    }
}

impl fmt::Display for MemberObservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, member, generation, what } = self;
        write!(f, "group {group}")?;
        if !member.is_empty() {
            write!(f, ", {member} in generation {generation}")?;
        }
        write!(f, ": {what}")
    }
}

impl fmt::Display for MemberEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined { protocol, leads: true } => write!(f, "joined as leader, {protocol}"),
            Self::Joined { protocol, leads: false } => write!(f, "joined, {protocol}"),
            Self::Assigned { added, owned } => {
                write!(f, "assigned {}; owns {}", Partitions(added), Partitions(owned))
            }
            Self::Revoked { partitions } => write!(f, "revoked {}", Partitions(partitions)),
            Self::Lost { partitions } => write!(f, "lost {}", Partitions(partitions)),
            Self::Heartbeat { error: None, .. } => f.write_str("heartbeat"),
            Self::Heartbeat { error: Some(error), .. } => write!(f, "heartbeat: {error}"),
            Self::CommitSent { number, offsets } => {
                write!(f, "sent commit {number}:{}", Offsets(offsets))
            }
            Self::CommitAnswered { number, results } => {
                write!(f, "commit {number} is answered:")?;
                results.iter().try_for_each(|(at, error)| match error {
                    None => write!(f, " {at} ok"),
                    Some(error) => write!(f, " {at} {error}"),
                })
            }
            Self::CommittedFetched { offsets, .. } => {
                f.write_str("committed offsets:")?;
                offsets.iter().try_for_each(|(at, offset)| match offset {
                    None => write!(f, " {at} none"),
                    Some(offset) => write!(f, " {at}@{offset}"),
                })
            }
            Self::PositionBegun { at, offset, is_committed: true } => {
                write!(f, "begins {at} at the committed offset {offset}")
            }
            Self::PositionBegun { at, offset, is_committed: false } => {
                write!(f, "begins {at} at {offset}, without a committed offset")
            }
            Self::LeaveSent => f.write_str("leaves"),
        }
    }
}
