//! What `kafka-topics` prints, by release (`TopicCommand` of the releases).
//!
//! | from | what changed |
//! |---|---|
//! | 2.2 | through brokers, a leader that is not alive is printed as `none` |
//! | 2.4 | a space behind the colons of a topic's line; `none` instead of −1 also from znodes |
//! | 2.8 | `TopicId`, where a topic has one |
//! | 3.8 | `Elr` and `LastKnownElr`, which a cluster with ZooKeeper does not have (KIP-966) |

use super::description::{ClusterDescription, TopicDescription, TopicPartitionInfo};
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{Shown, TopicsAction, TopicsCommand, Via};

/// The lines of a command about everything that it found.
pub fn lines(
    version: KafkaVersion,
    command: &TopicsCommand,
    description: &ClusterDescription,
) -> Vec<String> {
    if let Some(line) = nothing_found(version, command, description) {
        return vec![line];
    }
    match command.action {
        TopicsAction::List => list(command.via, description),
        TopicsAction::Describe(shown) => {
            let print = Print { version, shown, via: command.via, description };
            description.topics.iter().flat_map(|topic| print.topic(topic)).collect()
        }
    }
}

/// A command that failed.
pub fn error(what: &str) -> String {
    format!("Error while executing topic command : {what}")
}

/// The message when no topic is found. `--list` prints none, in every release.
fn nothing_found(
    version: KafkaVersion,
    command: &TopicsCommand,
    description: &ClusterDescription,
) -> Option<String> {
    if !description.topics.is_empty() || command.action == TopicsAction::List {
        return None;
    }
    let is_told = match command.via {
        Via::ZooKeeper => version.has(Change::TopicsToolMissesInZooKeeper),
        Via::Brokers => version.has(Change::TopicsToolMissesAtBrokers),
    };
    if !is_told {
        return None;
    }
    if !version.has(Change::TopicsToolNamesMissing) {
        return Some(error("Topics in [] does not exist"));
    }
    let topic = command.topics.as_ref()?;
    Some(error(&format!("Topic '{topic}' does not exist as expected")))
}

fn list(via: Via, description: &ClusterDescription) -> Vec<String> {
    let name = |topic: &TopicDescription| match topic.is_marked_for_deletion {
        true => format!("{} - marked for deletion", topic.name),
        false => topic.name.clone(),
    };
    let mut names: Vec<String> = description.topics.iter().map(name).collect();
    if via == Via::Brokers && names.is_empty() {
        // All names are printed as one text, which is then an empty line.
        names.push(String::new());
    }
    names
}

struct Print<'p> {
    version: KafkaVersion,
    shown: Shown,
    via: Via,
    description: &'p ClusterDescription,
}

impl Print<'_> {
    fn topic(&self, topic: &TopicDescription) -> Vec<String> {
        if topic.partitions.is_empty() {
            return vec![format!("Topic {} doesn't exist!", topic.name)];
        }
        let mut lines = Vec::new();
        let has_head = match self.shown {
            Shown::Everything => true,
            Shown::Overridden => !topic.configs.is_empty(),
            Shown::UnderReplicated | Shown::Unavailable => false,
        };
        if has_head {
            lines.push(self.head(topic));
        }
        let shown = topic.partitions.iter().filter(|partition| self.shows(partition));
        lines.extend(shown.map(|partition| self.partition(topic, partition)));
        lines
    }

    fn head(&self, topic: &TopicDescription) -> String {
        let space = if self.version.has(Change::TopicsToolLayout) { " " } else { "" };
        let configs = topic.configs.iter().map(|(name, value)| format!("{name}={value}"));
        let mut fields = vec![("Topic", topic.name.clone())];
        if let Some(id) = topic.id.as_ref().filter(|_| self.version.has(Change::TopicIds)) {
            fields.push(("TopicId", id.clone()));
        }
        fields.push(("PartitionCount", topic.partitions.len().to_string()));
        fields.push(("ReplicationFactor", topic.partitions[0].replicas.len().to_string()));
        fields.push(("Configs", configs.collect::<Vec<_>>().join(",")));
        if topic.is_marked_for_deletion {
            fields.push(("MarkedForDeletion", "true".to_owned()));
        }
        let field = |(name, value): (&str, String)| format!("{name}:{space}{value}");
        fields.into_iter().map(field).collect::<Vec<_>>().join("\t")
    }

    fn shows(&self, partition: &TopicPartitionInfo) -> bool {
        match self.shown {
            Shown::Everything => true,
            Shown::UnderReplicated => partition.isr.len() < partition.replicas.len(),
            Shown::Unavailable => {
                partition.leader.is_none_or(|leader| !self.description.live.contains(&leader))
            }
            Shown::Overridden => false,
        }
    }

    fn partition(&self, topic: &TopicDescription, partition: &TopicPartitionInfo) -> String {
        let ids = |ids: &[i32]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        // Older releases print the number in the znode.
        let is_number = self.via == Via::ZooKeeper && !self.version.has(Change::TopicsToolLayout);
        let leader = partition.leader.filter(|&leader| leader >= 0 || is_number);
        let leader = leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
        let mut line = format!(
            "\tTopic: {}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}",
            topic.name,
            partition.index,
            ids(&partition.replicas),
            ids(&partition.isr)
        );
        if self.version.has(Change::TopicsToolElr) {
            line.push_str("\tElr: N/A\tLastKnownElr: N/A");
        }
        let is_in_head =
            !self.version.has(Change::TopicsToolLayout) && self.shown == Shown::Everything;
        if topic.is_marked_for_deletion && !is_in_head {
            line.push_str("\tMarkedForDeletion: true");
        }
        line
    }
}
