//! `RoundRobinAssignor`: all partitions, sorted, one to each member in turn.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::members::{Assigned, Member, Members, Topic, nothing, wanted};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::TopicPartition;

/// Assigns the partitions of `topics`.
pub(super) fn assign(kafka: KafkaVersion, topics: &[Topic], members: &Members<'_>) -> Assigned {
    let mut order: Vec<&Member> = members.values().copied().collect();
    match kafka.has(Change::StaticMembersFirst) {
        true => order.sort_by(|a, b| a.by_instance().cmp(&b.by_instance())),
        false => order.sort_by(|a, b| a.id.cmp(&b.id)),
    }
    let mut assigned = nothing(members);
    let topics = wanted(topics, members);
    let names: BTreeSet<&Arc<str>> = topics.keys().collect();
    let mut turn = 0;
    for name in names {
        for partition in 0..topics.get(name).map_or(0, |topic| topic.racks.len()) {
            while !order[turn % order.len()].subscription.topics.contains(name) {
                turn += 1;
            }
            let member = &order[turn % order.len()].id;
            turn += 1;
            let partitions = assigned.get_mut(member).expect("it is a member");
            partitions.push(TopicPartition::new(name.clone(), partition as i32));
        }
    }
    assigned
}
