//! Topics that are created because a client asked for them (`AutoTopicCreationManager`).

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::{ApiKey, CreateTopicsRequest, RequestKind, TopicName};
use kafka_protocol::protocol::StrBytes;
use tracing::{debug, error};

use super::controller_channel::ControllerClient;
use crate::nodes::broker::config::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC};
use crate::nodes::broker::context::{Context, Purpose};
use crate::releases::Change;
use crate::releases::apis::highest;

/// The parts that the creation of topics works with.
#[derive(Debug)]
pub struct TopicCreator<'a> {
    /// The way to the controller.
    pub client: ControllerClient<'a>,
}

impl TopicCreator<'_> {
    /// Has the controller create topics that a client asked for, one request at a time; clients ask again.
    ///
    /// Brokers up to 2.7 write the topic to ZooKeeper themselves; here all versions ask the controller
    /// as 2.8 does (`AutoTopicCreationManager`).
    pub fn auto_create(&mut self, cx: &mut Context<'_>, names: Vec<TopicName>) {
        if self.client.channel.is_busy(Purpose::CreateTopics) {
            return;
        }
        let topics: Vec<_> = names.into_iter().filter_map(|name| self.creatable(name)).collect();
        if topics.is_empty() {
            return;
        }
        let timeout =
            i32::try_from(self.client.config.request_timeout.as_millis()).unwrap_or(i32::MAX);
        let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(timeout);
        let version = highest(self.client.config.version, ApiKey::CreateTopics).unwrap_or(0);
        let to = self.client.controller_node();
        let body = RequestKind::CreateTopics(request);
        if self.client.call(cx, Purpose::CreateTopics, to, version, body).is_err() {
            debug!("no controller to create topics");
        }
    }

    /// A topic that is created because a client asked for it (`AutoTopicCreationManager.creatableTopic`,
    /// `KafkaApis.createInternalTopic`); `None` when a release before 2.8 does not try, because fewer brokers
    /// live than the internal topic is to have replicas.
    pub fn creatable(&self, name: TopicName) -> Option<CreatableTopic> {
        let (config, live) = (self.client.config, self.client.metadata.live_brokers().len());
        let topic = CreatableTopic::default();
        let setting = |name: &'static str, value: String| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_static_str(name))
                .with_value(Some(StrBytes::from_string(value)))
        };
        let compact = || setting("cleanup.policy", "compact".to_owned());
        let transactions = &config.transactions;
        let (partitions, mut factor, configs) = match name.as_str() {
            OFFSETS_TOPIC => (
                config.offsets_topic_num_partitions,
                config.offsets_topic_replication_factor,
                vec![
                    compact(),
                    setting("compression.type", "producer".to_owned()),
                    setting("segment.bytes", config.offsets_topic_segment_bytes.to_string()),
                ],
            ),
            TRANSACTIONS_TOPIC => (
                transactions.topic_num_partitions,
                transactions.topic_replication_factor,
                vec![
                    setting("compression.type", "uncompressed".to_owned()),
                    compact(),
                    setting("min.insync.replicas", transactions.topic_min_isr.to_string()),
                    setting("segment.bytes", transactions.topic_segment_bytes.to_string()),
                    setting("unclean.leader.election.enable", "false".to_owned()),
                ],
            ),
            _ => {
                return Some(
                    topic
                        .with_name(name)
                        .with_num_partitions(config.num_partitions)
                        .with_replication_factor(config.default_replication_factor),
                );
            }
        };
        if !config.version.has(Change::StrictOffsetsTopicReplication) {
            // KIP-115 made the factor strict.
            factor = factor.min(i16::try_from(live.max(1)).unwrap_or(i16::MAX));
        } else if live < usize::try_from(factor).unwrap_or(0)
            && !config.version.has(Change::TopicCreationByController)
        {
            error!(
                broker = %config.id, live, factor, topic = %name.as_str(),
                "fewer brokers live than the internal topic is to have replicas"
            );
            return None;
        }
        Some(
            topic
                .with_name(name)
                .with_num_partitions(partitions)
                .with_replication_factor(factor)
                .with_configs(configs),
        )
    }
}
