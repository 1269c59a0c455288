//! The znodes of a group below `/consumers`: their paths and what is in them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::vocab::TopicPartition;

/// What a member wants: topics, and how many threads read each.
pub(super) type Wants = Vec<(Arc<str>, usize)>;

/// Where a group's znodes are (`ZKGroupDirs`).
#[derive(Clone, Debug)]
pub(super) struct Paths {
    group: Arc<str>,
}

impl Paths {
    /// Those of `group`.
    pub(super) fn new(group: Arc<str>) -> Self {
        Self { group }
    }

    /// The members.
    pub(super) fn ids(&self) -> Arc<str> {
        format!("/consumers/{}/ids", self.group).into()
    }

    /// A member's registration.
    pub(super) fn id(&self, member: &str) -> Arc<str> {
        format!("/consumers/{}/ids/{member}", self.group).into()
    }

    /// Who owns a partition.
    pub(super) fn owner(&self, at: &TopicPartition) -> Arc<str> {
        format!("/consumers/{}/owners/{}/{}", self.group, at.topic, at.partition).into()
    }

    /// The offset that is read next of a partition.
    pub(super) fn offset(&self, at: &TopicPartition) -> Arc<str> {
        format!("/consumers/{}/offsets/{}/{}", self.group, at.topic, at.partition).into()
    }
}

/// The znodes above `path`, the highest first.
pub(super) fn parents(path: &str) -> Vec<Arc<str>> {
    let slashes = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
    slashes.map(|at| Arc::from(&path[..at])).collect()
}

/// A member's registration: the topics that it wants, as `ConsoleConsumer` asks for them.
pub(super) fn registration(topics: &[Arc<str>], wall_ms: i64) -> String {
    let filter = topics.join("|");
    // Written in this order, with the time as text.
    let wanted = json!({ filter: 1 });
    format!(
        r#"{{"version":1,"subscription":{wanted},"pattern":"white_list","timestamp":"{wall_ms}"}}"#
    )
}

/// What a registration asks for: topics with a number of threads each.
pub(super) fn wanted(data: &[u8], topics: &[Arc<str>]) -> Option<Wants> {
    let registration: Value = serde_json::from_slice(data).ok()?;
    let pattern = registration.get("pattern")?.as_str()?;
    let subscription = registration.get("subscription")?.as_object()?;
    let mut all = Vec::new();
    for (name, threads) in subscription {
        let threads = usize::try_from(threads.as_u64()?).ok()?;
        match pattern {
            "white_list" => {
                let is_named = |topic: &&Arc<str>| name.split('|').any(|one| one == &***topic);
                all.extend(topics.iter().filter(is_named).map(|topic| (topic.clone(), threads)));
            }
            _ => all.push((Arc::from(name.as_str()), threads)),
        }
    }
    Some(all)
}

/// The partitions of a topic, by its znode in `/brokers/topics`.
pub(super) fn partitions(data: &[u8]) -> Option<Vec<i32>> {
    let topic: Value = serde_json::from_slice(data).ok()?;
    let mut partitions = Vec::new();
    for name in topic.get("partitions")?.as_object()?.keys() {
        partitions.push(name.parse().ok()?);
    }
    partitions.sort_unstable();
    Some(partitions)
}

/// The threads that read a topic, in the order in which partitions go to them: `MEMBER-0`, `MEMBER-1` …
pub(super) fn threads(members: &[(Arc<str>, Wants)], topic: &str) -> Vec<String> {
    let mut threads = Vec::new();
    for (member, wants) in members {
        for (_, count) in wants.iter().filter(|(name, _)| &**name == topic) {
            threads.extend((0..*count).map(|thread| format!("{member}-{thread}")));
        }
    }
    threads.sort();
    threads
}

/// The run of `partitions` for each of `threads` (`kafka.consumer.RangeAssignor`).
pub(super) fn ranges(partitions: &[i32], threads: &[String]) -> Vec<(i32, String)> {
    let (each, extra) = match threads.len() {
        0 => return Vec::new(),
        count => (partitions.len() / count, partitions.len() % count),
    };
    let mut rest = partitions.iter();
    let runs = threads.iter().enumerate().map(|(place, thread)| {
        let length = each + usize::from(place < extra);
        rest.by_ref().take(length).map(|at| (*at, thread.clone())).collect::<Vec<_>>()
    });
    runs.collect::<Vec<_>>().concat()
}
