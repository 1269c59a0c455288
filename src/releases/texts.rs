//! What brokers say in error messages: tools print it, and users match on it.
//!
//! Source: answers of real brokers, and the sources at the tags between them. `{}` stands for what the message names,
//! in the order of the arguments of [`say`].

use super::KafkaVersion;
use super::defaults::in_force;
use super::first::{V0_10, V0_11, V1_0, V1_1, V2_0, V2_3, V2_4, V2_6, V2_7, V3_0, V3_3};

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// CreateTopics, DescribeConfigs: the name is empty.
    TopicNameEmpty,
    /// The name is `.` or `..`.
    TopicNameDots,
    /// The name has more than 249 characters.
    TopicNameLong,
    /// The name has other characters than are allowed.
    TopicNameCharacters,
    /// The name has not one character that is allowed.
    TopicNameStrange,
    /// CreateTopics: no partitions.
    NoPartitions,
    /// No replicas.
    NoReplicas,
    /// More replicas than brokers.
    MoreReplicasThanBrokers,
    /// The client and a name that is there several times.
    TopicTwice,
    /// A topic's setting without a value.
    ConfigNull,
    /// A topic has no such setting.
    ConfigUnknown,
    /// DescribeConfigs of a broker, asked of another one: its number, and what was asked for.
    OtherBroker,
    /// DescribeConfigs: a resource of another type; its type and name.
    ResourceType,
    /// ElectLeaders: the leader is the right one already.
    ElectionNotNeeded,
    /// CreateAcls, DeleteAcls: there is no authorizer.
    NoAuthorizer,
}

type Steps = &'static [(KafkaVersion, &'static str)];

impl Text {
    const fn steps(self) -> Steps {
        match self.of_name() {
            Some(steps) => steps,
            None => self.of_the_rest(),
        }
    }

    /// About topics' names.
    const fn of_name(self) -> Option<Steps> {
        Some(match self {
            Self::TopicNameEmpty => &[
                (V0_10, "topic name is illegal, can't be empty"),
                (V0_11, "Topic name is illegal, it can't be empty"),
                (V3_3, "Topic name is invalid: the empty string is not allowed"),
            ],
            Self::TopicNameDots => &[
                (V0_10, "topic name cannot be \".\" or \"..\""),
                (V0_11, "Topic name cannot be \".\" or \"..\""),
                (V3_3, "Topic name is invalid: '{}' is not allowed"),
            ],
            Self::TopicNameLong => &[
                (V0_10, "topic name is illegal, can't be longer than 249 characters"),
                (
                    V0_11,
                    "Topic name is illegal, it can't be longer than 249 characters, topic name: {}",
                ),
                (
                    V3_3,
                    "Topic name is invalid: the length of '{}' is longer than the max allowed \
                     length 249",
                ),
            ],
            Self::TopicNameCharacters => &[
                (
                    V0_10,
                    "topic name {} is illegal, contains a character other than ASCII \
                     alphanumerics, '.', '_' and '-'",
                ),
                (V0_11, NAME_SINCE_0_11),
                (V3_3, NAME_SINCE_3_3),
            ],
            Self::TopicNameStrange => &[
                (
                    V0_10,
                    "topic name {} is illegal,  contains a character other than ASCII \
                     alphanumerics, '.', '_' and '-'",
                ),
                (V0_11, NAME_SINCE_0_11),
                (V3_3, NAME_SINCE_3_3),
            ],
            _ => return None,
        })
    }

    const fn of_the_rest(self) -> Steps {
        match self {
            Self::NoPartitions => &[
                (V0_10, "number of partitions must be larger than 0"),
                (V1_0, "Number of partitions must be larger than 0."),
            ],
            Self::NoReplicas => &[
                (V0_10, "replication factor must be larger than 0"),
                (V1_0, "Replication factor must be larger than 0."),
            ],
            Self::MoreReplicasThanBrokers => &[
                (V0_10, "replication factor: {} larger than available brokers: {}"),
                (V1_0, "Replication factor: {} larger than available brokers: {}."),
            ],
            Self::TopicTwice => &[
                (
                    V0_10,
                    "Create topics request from client `{}` contains multiple entries for the \
                     following topics: {}",
                ),
                (V2_3, "Found multiple entries for this topic."),
            ],
            Self::ConfigNull => &[
                (V2_6, "Null value not supported for topic configs : {}"),
                (V3_3, "Null value not supported for topic configs: {}"),
            ],
            Self::ConfigUnknown => &[
                (V0_10, "Unknown Log configuration {}."),
                (V0_11, "Unknown topic config name: {}"),
            ],
            Self::OtherBroker => &[
                (V0_10, "Unexpected broker id, expected {}, but received {}"),
                (
                    V1_1,
                    "Unexpected broker id, expected {} or empty string, but received \
                     Resource(type=BROKER, name='{}'}.name",
                ),
                (
                    V2_0,
                    "Unexpected broker id, expected {} or empty string, but received \
                     ConfigResource(type=BROKER, name='{}').name",
                ),
                (V2_4, "Unexpected broker id, expected {} or empty string, but received {}"),
            ],
            Self::ResourceType => &[
                (V0_10, "Unexpected resource type {} for resource {}"),
                (
                    V2_7,
                    "This most likely occurs because of a request being malformed by the client \
                     library or the message was sent to an incompatible broker. See the broker \
                     logs for more details.",
                ),
            ],
            Self::ElectionNotNeeded => &[
                (V0_10, "Leader election not needed for topic partition"),
                (V2_6, "Leader election not needed for topic partition."),
            ],
            Self::NoAuthorizer => &[
                (V0_11, "No Authorizer is configured on the broker."),
                (V3_0, "No Authorizer is configured."),
            ],
            _ => &[],
        }
    }
}

const NAME_SINCE_0_11: &str = "Topic name \"{}\" is illegal, it contains a character other than \
                               ASCII alphanumerics, '.', '_' and '-'";
const NAME_SINCE_3_3: &str = "Topic name is invalid: '{}' contains one or more characters other \
                              than ASCII alphanumerics, '.', '_' and '-'";

/// The message in `version`, with the names in it; empty in releases that have none.
pub fn say(text: Text, version: KafkaVersion, names: &[&str]) -> String {
    let pattern = in_force(text.steps(), version).unwrap_or_default();
    let mut parts = pattern.split("{}");
    let mut said = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        said.push_str(names.get(index).copied().unwrap_or_default());
        said.push_str(part);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_their_release() {
        // As real brokers answered.
        for (text, version, names, said) in [
            (Text::TopicNameDots, "3.3", ["..", ""], "Topic name is invalid: '..' is not allowed"),
            (Text::NoReplicas, "0.11", ["", ""], "replication factor must be larger than 0"),
            (Text::NoReplicas, "1.1", ["", ""], "Replication factor must be larger than 0."),
            (
                Text::MoreReplicasThanBrokers,
                "2.8",
                ["4", "3"],
                "Replication factor: 4 larger than available brokers: 3.",
            ),
            (
                Text::OtherBroker,
                "1.1",
                ["1", "77"],
                "Unexpected broker id, expected 1 or empty string, but received \
                 Resource(type=BROKER, name='77'}.name",
            ),
            (Text::ConfigNull, "2.4", ["", ""], ""),
        ] {
            assert_eq!(say(text, version.parse().unwrap(), &names), said, "{text:?} {version}");
        }
    }

    #[test]
    fn names_are_not_read_as_patterns() {
        let said = say(Text::TopicNameCharacters, KafkaVersion::new(2, 8), &["{}"]);
        assert!(said.starts_with("Topic name \"{}\" is illegal"), "{said}");
    }
}
