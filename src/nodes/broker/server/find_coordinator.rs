//! FindCoordinator: which broker coordinates a consumer group or a transactional id
//! (`KafkaApis.handleFindCoordinatorRequest`, `partitionFor`), and the topic behind it.
//!
//! The key is hashed to a partition of `__consumer_offsets` or `__transaction_state`, and that partition's leader is
//! the coordinator. The first request has the topic created; until its partition has a leader that the asking
//! client's listener can name, the answer is COORDINATOR_NOT_AVAILABLE.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{
    BrokerId as WireBrokerId, FindCoordinatorRequest, FindCoordinatorResponse, ResponseKind,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::auto_creation::TopicCreator;
use super::metadata::{Listener, Reached};
use crate::nodes::broker::config::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC};
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::group::partition_of;
use crate::releases::Change;
use crate::vocab::BrokerId;

/// `CoordinatorType.GROUP`
const GROUP: i8 = 0;
/// `CoordinatorType.TRANSACTION`
const TRANSACTION: i8 = 1;
/// The first version that asks for many keys at once (KIP-699).
const BATCHED: i16 = 4;

/// Where a coordinator is, or the error of the answer.
type Found = Result<(BrokerId, Reached), ResponseError>;

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
fn fields(found: &Found) -> (i16, WireBrokerId, StrBytes, i32) {
    match found {
        Ok((id, at)) => (0, WireBrokerId(id.0), at.host.clone(), at.port),
        Err(error) => (error.code(), WireBrokerId(-1), StrBytes::default(), -1),
    }
}

/// The parts that FindCoordinator works with.
#[derive(Debug)]
pub struct CoordinatorHandler<'a> {
    /// Creates the topic behind a coordinator.
    pub creator: TopicCreator<'a>,
    /// By which the client came in.
    pub listener: Listener,
}

impl CoordinatorHandler<'_> {
    /// Answers at once: with the coordinator's address, or that there is none yet.
    pub fn find_coordinator(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: FindCoordinatorRequest,
    ) {
        let mut response = FindCoordinatorResponse::default();
        if to.version < BATCHED {
            let found = self.coordinator_of(cx, request.key_type, &request.key);
            let (code, node, host, port) = fields(&found);
            let version = self.creator.client.config.version;
            let is_final = found.as_ref().is_err_and(|error| !error.is_retriable());
            let has_text = is_final || version.has(Change::FindCoordinatorText);
            let message = (to.version >= 1 && has_text).then(|| sentence(&found));
            response = response
                .with_error_code(code)
                .with_error_message(message)
                .with_node_id(node)
                .with_host(host)
                .with_port(port);
        } else {
            for key in request.coordinator_keys {
                let found = self.coordinator_of(cx, request.key_type, &key);
                let (code, node, host, port) = fields(&found);
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

    fn coordinator_of(&mut self, cx: &mut Context<'_>, key_type: i8, key: &str) -> Found {
        let client = &self.creator.client;
        // Kafka reads how many partitions there are when it starts; here the settings have to be right.
        let (topic, count) = match key_type {
            GROUP => (OFFSETS_TOPIC, client.config.offsets_topic_num_partitions),
            TRANSACTION => (TRANSACTIONS_TOPIC, client.config.transactions.topic_num_partitions),
            _ => return Err(ResponseError::InvalidRequest),
        };
        let not_available = Err(ResponseError::CoordinatorNotAvailable);
        if !client.metadata.has_topic(topic) {
            self.creator.auto_create(cx, vec![TopicName(StrBytes::from_static_str(topic))]);
            return not_available;
        }
        let leader = client.metadata.leader(topic, partition_of(key, count));
        let at = leader
            .and_then(|id| Some((id, client.metadata.broker(id)?.at(self.listener)?.clone())));
        at.map_or(not_available, Ok)
    }
}
