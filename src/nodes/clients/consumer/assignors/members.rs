//! What an assignor is given: topics and members.

use std::sync::Arc;

use bytes::Bytes;

use super::java_map::{JavaHash, JavaMap};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::TopicPartition;

/// A topic as the group's leader knows it from Metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// For each partition, from 0, the racks of the brokers that have a replica (`broker.rack`).
    pub racks: Vec<Vec<Arc<str>>>,
}

impl Topic {
    /// A topic whose brokers name no rack.
    pub fn without_racks(name: impl Into<Arc<str>>, partitions: usize) -> Self {
        Self { name: name.into(), racks: vec![Vec::new(); partitions] }
    }
}

/// What a member says in JoinGroup for one assignor (`ConsumerProtocolSubscription`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// The topics that it wants.
    pub topics: Vec<Arc<str>>,
    /// What its assignor adds.
    pub user_data: Option<Bytes>,
    /// The partitions that it has not given up (version 1).
    pub owned: Vec<TopicPartition>,
    /// The generation in which it got them (version 2).
    pub generation: Option<i32>,
    /// `client.rack` (version 3)
    pub rack: Option<Arc<str>>,
}

/// A member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The id that the coordinator gave it.
    pub id: Arc<str>,
    /// `group.instance.id`
    pub instance: Option<Arc<str>>,
    /// What it subscribes to.
    pub subscription: Subscription,
}

impl Member {
    /// Its place among the members where static members come first, by instance (2.4+).
    pub(super) fn by_instance(&self) -> (bool, &Arc<str>) {
        (self.instance.is_none(), self.instance.as_ref().unwrap_or(&self.id))
    }
}

/// What each member gets, by its id.
pub type Shares = Vec<(Arc<str>, Vec<TopicPartition>)>;

/// What an assignor of the Java client throws, for groups whose members say what cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignorError {
    /// It finds that its own sums are wrong.
    #[error("IllegalStateException")]
    IllegalState,
    /// It looks for the first of nothing.
    #[error("NoSuchElementException")]
    NoSuchElement,
    /// It looks for a topic or a member that is not there.
    #[error("NullPointerException")]
    NullPointer,
}

/// Partitions by member.
pub(super) type Assigned = JavaMap<Arc<str>, Vec<TopicPartition>>;

/// The members by id, as the Java client's coordinator keeps them.
pub(super) type Members<'a> = JavaMap<Arc<str>, &'a Member>;

/// The topics that members want and that have partitions, as the Java client gives them to an assignor.
pub(super) fn wanted<'a>(
    topics: &'a [Topic],
    members: &Members<'_>,
) -> JavaMap<Arc<str>, &'a Topic> {
    let mut names: JavaMap<Arc<str>, ()> = JavaMap::default();
    for member in members.values() {
        for topic in &member.subscription.topics {
            names.put(topic.clone(), ());
        }
    }
    let known = |name: &Arc<str>| topics.iter().find(|topic| topic.name == *name);
    let found = names.keys().filter_map(|name| Some((name.clone(), known(name)?)));
    found.filter(|(_, topic)| !topic.racks.is_empty()).collect()
}

/// No partition for anyone yet.
pub(super) fn nothing(members: &Members<'_>) -> Assigned {
    members.keys().map(|id| (id.clone(), Vec::new())).collect()
}

/// Adds `value` to the list of `key`, as a client of release `kafka` keeps lists in a map.
pub(super) fn add<K: JavaHash + Clone, V>(
    kafka: KafkaVersion,
    map: &mut JavaMap<K, Vec<V>>,
    key: &K,
    value: V,
) {
    match kafka.has(Change::NewestTopicFirst) {
        true => map.or_default(key).push(value),
        false => map.or_put_default(key).push(value),
    }
}
