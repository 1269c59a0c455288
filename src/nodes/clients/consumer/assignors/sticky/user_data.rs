//! What members say of the partitions that they had: user data of the sticky assignor, fields of JoinGroup for the
//! cooperative one.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::super::members::{Member, Subscription};
use super::super::protocol::{grouped, no_user_data};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::TopicPartition;
use crate::wire::topic_partitions::read_partitions;

/// The generation of a member that names none (`DEFAULT_GENERATION`).
pub(super) const NO_GENERATION: i32 = -1;

/// Which of the two sticky assignors, of which release.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Sticky {
    pub(in super::super) kafka: KafkaVersion,
    pub(in super::super) is_cooperative: bool,
    /// [`crate::vocab::Mutant::ShareMovedPartitions`]
    pub(in super::super) shares_moved: bool,
}

impl Sticky {
    /// What a member had.
    pub(super) fn had(self, member: &Member) -> Had {
        match self.is_cooperative {
            true => read_cooperative(self.kafka, &member.subscription),
            false => read_sticky(self.kafka, &member.subscription),
        }
    }

    /// What is left to read of a member when its user data is read again, without going back to their start
    /// (2.5.1 to 2.8).
    pub(super) fn had_read_again(self, member: &Member) -> Had {
        if !self.is_cooperative {
            return Had::default();
        }
        let had = self.had(member);
        Had { generation: had.generation.map(|_| NO_GENERATION), ..had }
    }
}

/// What a member had (`MemberData`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Had {
    pub(super) partitions: Vec<TopicPartition>,
    pub(super) generation: Option<i32>,
}

/// The user data of the sticky assignor for a member that had `partitions` in `generation`.
pub(in super::super) fn of_sticky(
    kafka: KafkaVersion,
    had: Option<&(Vec<TopicPartition>, i32)>,
) -> Option<Bytes> {
    let Some((partitions, generation)) = had else { return no_user_data(kafka) };
    let mut bytes = BytesMut::new();
    let topics = grouped(kafka, partitions);
    bytes.put_i32(topics.len() as i32);
    for (topic, partitions) in topics {
        bytes.put_i16(topic.len() as i16);
        bytes.put_slice(topic.as_bytes());
        bytes.put_i32(partitions.len() as i32);
        partitions.into_iter().for_each(|partition| bytes.put_i32(partition));
    }
    if kafka.has(Change::StickyGenerations) {
        bytes.put_i32(*generation);
    }
    Some(bytes.freeze())
}

/// The user data of the cooperative assignor for a member that got its partitions in `generation`.
pub(in super::super) fn of_cooperative(
    kafka: KafkaVersion,
    generation: Option<i32>,
) -> Option<Bytes> {
    let generation = generation.unwrap_or(NO_GENERATION);
    let is_written = kafka.has(Change::StickyChecksOwners);
    is_written.then(|| Bytes::copy_from_slice(&generation.to_be_bytes()))
}

/// What a member of a group with the sticky assignor had.
fn read_sticky(kafka: KafkaVersion, subscription: &Subscription) -> Had {
    let data = subscription.user_data.clone().unwrap_or_default();
    if data.is_empty() {
        return Had::default();
    }
    let mut rest = data;
    let Some(partitions) = read_partitions(&mut rest) else {
        return Had { generation: Some(NO_GENERATION), ..Had::default() };
    };
    let generation = rest.try_get_i32().ok().filter(|_| kafka.has(Change::StickyGenerations));
    Had { partitions, generation }
}

/// What a member of a group with the cooperative assignor has.
fn read_cooperative(kafka: KafkaVersion, subscription: &Subscription) -> Had {
    let partitions = subscription.owned.clone();
    let by_field = kafka.has(Change::StickyComparesGenerations);
    let generation = match (&subscription.user_data, subscription.generation) {
        (_, Some(generation)) if by_field => Some(generation),
        (Some(data), _) if kafka.has(Change::StickyChecksOwners) => {
            Some(data.clone().try_get_i32().unwrap_or(NO_GENERATION))
        }
        _ => None,
    };
    Had { partitions, generation }
}
