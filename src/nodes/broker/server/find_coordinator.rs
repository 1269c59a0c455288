//! FindCoordinator: which broker would coordinate a consumer group (`KafkaApis.handleFindCoordinatorRequest`,
//! `GroupMetadataManager.partitionFor`), and the topic behind it.
//!
//! A group's key is hashed to a partition of `__consumer_offsets`, and that partition's leader is the group
//! coordinator. The first request has the topic created; until its partition has a leader that the asking
//! client's listener can name, the answer is COORDINATOR_NOT_AVAILABLE. What group coordinators do is not
//! simulated: brokers say where one would be, and advertise none of its requests. There are no transactions, so
//! that no transaction coordinator is ever available.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{
    BrokerId as WireBrokerId, FindCoordinatorRequest, FindCoordinatorResponse, ResponseKind,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;
use tracing::error;

use super::Broker;
use super::metadata::{Listener, Reached};
use crate::nodes::broker::config::OFFSETS_TOPIC;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::releases::Change;
use crate::vocab::BrokerId;

/// `CoordinatorType.GROUP`
const GROUP: i8 = 0;
/// `CoordinatorType.TRANSACTION`
const TRANSACTION: i8 = 1;
/// The first version that asks for many keys at once (KIP-699).
const BATCHED: i16 = 4;

/// Where a coordinator is, or why nobody can say.
type Found = Result<(BrokerId, Reached), ResponseError>;

/// `Utils.abs(key.hashCode)`: Java hashes UTF-16 code units, and has no positive counterpart of its least number.
fn positive_hash(key: &str) -> i32 {
    let hash = key
        .encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0)
}

/// The sentence of an error, as [`ResponseError`] has none of Kafka's own.
fn sentence(result: &Found) -> StrBytes {
    StrBytes::from_static_str(match result {
        Ok(_) => "NONE",
        Err(ResponseError::CoordinatorNotAvailable) => "The coordinator is not available.",
        Err(_) => {
            "This most likely occurs because of a request being malformed by the client library or \
             the message was sent to an incompatible broker. See the broker logs for more details."
        }
    })
}

/// Error code, node, host and port.
fn told(found: &Found) -> (i16, WireBrokerId, StrBytes, i32) {
    match found {
        Ok((id, at)) => (0, WireBrokerId(id.0), at.host.clone(), at.port),
        Err(error) => (error.code(), WireBrokerId(-1), StrBytes::default(), -1),
    }
}

impl Broker {
    /// Answers at once: with the coordinator's address, or that there is none yet.
    pub(super) fn find_coordinator(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: FindCoordinatorRequest,
    ) {
        let listener = self.clients.listener(to.conn);
        let mut response = FindCoordinatorResponse::default();
        if to.version < BATCHED {
            let found = self.coordinator_of(cx, listener, request.key_type, &request.key);
            let (code, node, host, port) = told(&found);
            let message = (to.version >= 1).then(|| sentence(&found));
            response = response
                .with_error_code(code)
                .with_error_message(message)
                .with_node_id(node)
                .with_host(host)
                .with_port(port);
        } else {
            for key in request.coordinator_keys {
                let found = self.coordinator_of(cx, listener, request.key_type, &key);
                let (code, node, host, port) = told(&found);
                let one = Coordinator::default()
                    .with_key(key)
                    .with_error_code(code)
                    .with_error_message(Some(StrBytes::default()))
                    .with_node_id(node)
                    .with_host(host)
                    .with_port(port);
                response.coordinators.push(one);
            }
        }
        cx.reply(to, ResponseKind::FindCoordinator(response));
    }

    fn coordinator_of(
        &mut self,
        cx: &mut Context<'_>,
        listener: Listener,
        key_type: i8,
        key: &str,
    ) -> Found {
        match key_type {
            GROUP => {}
            TRANSACTION => return Err(ResponseError::CoordinatorNotAvailable),
            _ => return Err(ResponseError::InvalidRequest),
        }
        let not_available = Err(ResponseError::CoordinatorNotAvailable);
        if !self.metadata.has_topic(OFFSETS_TOPIC) {
            self.auto_create(cx, vec![TopicName(StrBytes::from_static_str(OFFSETS_TOPIC))]);
            return not_available;
        }
        // Kafka reads how many partitions there are when it starts; here the setting has to be right.
        let partition = positive_hash(key) % self.config.offsets_topic_num_partitions;
        let leader = self.metadata.leader(OFFSETS_TOPIC, partition);
        let at = leader.and_then(|id| Some((id, self.metadata.broker(id)?.at(listener)?.clone())));
        at.map_or(not_available, Ok)
    }

    /// A topic that is created because a client asked for it (`AutoTopicCreationManager.creatableTopic`,
    /// `KafkaApis.createInternalTopic`); `None` when a release before 2.8 does not even try, as fewer brokers
    /// live than the internal topic is to have replicas.
    pub(super) fn creatable(&self, name: TopicName) -> Option<CreatableTopic> {
        let (config, live) = (&self.config, self.metadata.live_brokers().len());
        let topic = CreatableTopic::default();
        if &*name != OFFSETS_TOPIC {
            return Some(
                topic
                    .with_name(name)
                    .with_num_partitions(config.num_partitions)
                    .with_replication_factor(config.default_replication_factor),
            );
        }
        let mut factor = config.offsets_topic_replication_factor;
        if !config.version.has(Change::StrictOffsetsTopicReplication) {
            // KIP-115 made the factor strict.
            factor = factor.min(i16::try_from(live.max(1)).unwrap_or(i16::MAX));
        } else if live < usize::try_from(factor).unwrap_or(0)
            && !config.version.has(Change::TopicCreationByController)
        {
            error!(
                broker = %config.id, live, factor,
                "fewer brokers live than offsets.topic.replication.factor says"
            );
            return None;
        }
        let setting = |name: &'static str, value: String| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_static_str(name))
                .with_value(Some(StrBytes::from_string(value)))
        };
        let configs = vec![
            setting("cleanup.policy", "compact".to_owned()),
            setting("compression.type", "producer".to_owned()),
            setting("segment.bytes", config.offsets_topic_segment_bytes.to_string()),
        ];
        Some(
            topic
                .with_name(name)
                .with_num_partitions(config.offsets_topic_num_partitions)
                .with_replication_factor(factor)
                .with_configs(configs),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_hashed_as_java_hashes_strings() {
        for (key, hash) in [
            ("", 0),
            ("a", 97),
            ("my-group", 1_906_497_762),
            // The least number of 32 bits.
            ("polygenelubricants", 0),
            // One code unit beyond ASCII, and a surrogate pair.
            ("é", 233),
            ("😀", 1_772_899),
        ] {
            assert_eq!(positive_hash(key), hash, "{key}");
        }
    }
}
