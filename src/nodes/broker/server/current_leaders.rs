//! Who leads, in the answers to Produce v10 and Fetch v16 that refuse a partition because another broker leads it
//! (KIP-951). Clients from outside alone get it: those of the simulation ask Metadata, as all did before 3.7.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_response::{
    LeaderIdAndEpoch as FetchLeader, NodeEndpoint as FetchNode,
};
use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::messages::produce_response::{
    LeaderIdAndEpoch as ProduceLeader, NodeEndpoint as ProduceNode,
};
use kafka_protocol::messages::{BrokerId as WireBrokerId, ResponseKind};

use super::metadata::{Listener, MetadataCache};
use crate::nodes::broker::replica::ReplicaManager;
use crate::vocab::LeaderEpoch;

/// The first version of Produce that names leaders.
const PRODUCE: i16 = 10;
/// The first version of Fetch that does.
const FETCH: i16 = 16;

/// The leaders that an answer names, and where they can be reached.
struct Named<'a> {
    metadata: &'a MetadataCache,
    replicas: Option<&'a ReplicaManager>,
    live: BTreeMap<i32, MetadataResponseBroker>,
    nodes: BTreeMap<i32, MetadataResponseBroker>,
}

impl Named<'_> {
    /// Leader and epoch of a partition: of its replica here, and else of the metadata, which come later; −1 where
    /// neither knows (`KafkaApis.getCurrentLeader`).
    fn leader(&mut self, topic: &str, partition: i32) -> (WireBrokerId, LeaderEpoch) {
        let here = self.replicas.and_then(|here| here.leader_and_epoch(topic, partition));
        let known = here.or_else(|| self.metadata.leader_and_epoch(topic, partition));
        let (leader, epoch) = known.unwrap_or((-1, -1));
        if let Some(node) = self.live.get(&leader) {
            self.nodes.insert(leader, node.clone());
        }
        (WireBrokerId(leader), epoch)
    }
}

/// Adds the leaders to an answer, where it refuses partitions for them.
pub fn add(
    metadata: &MetadataCache,
    replicas: Option<&ReplicaManager>,
    version: i16,
    body: &mut ResponseKind,
) {
    let live = || {
        let live = metadata.response_brokers(Listener::External).into_iter();
        let live = live.map(|node| (node.node_id.0, node)).collect();
        Named { metadata, replicas, live, nodes: BTreeMap::new() }
    };
    let moved = ResponseError::NotLeaderOrFollower.code();
    let fenced = ResponseError::FencedLeaderEpoch.code();
    match body {
        ResponseKind::Produce(response) if version >= PRODUCE => {
            let mut named = live();
            for topic in &mut response.responses {
                for part in &mut topic.partition_responses {
                    if part.error_code == moved {
                        let (leader, epoch) = named.leader(&topic.name, part.index);
                        part.current_leader = ProduceLeader::default()
                            .with_leader_id(leader)
                            .with_leader_epoch(epoch);
                    }
                }
            }
            let node = |node: MetadataResponseBroker| {
                ProduceNode::default()
                    .with_node_id(node.node_id)
                    .with_host(node.host)
                    .with_port(node.port)
                    .with_rack(node.rack)
            };
            response.node_endpoints = named.nodes.into_values().map(node).collect();
        }
        ResponseKind::Fetch(response) if version >= FETCH => {
            let mut named = live();
            for topic in &mut response.responses {
                for part in &mut topic.partitions {
                    if part.error_code == moved || part.error_code == fenced {
                        let (leader, epoch) = named.leader(&topic.topic, part.partition_index);
                        part.current_leader =
                            FetchLeader::default().with_leader_id(leader).with_leader_epoch(epoch);
                    }
                }
            }
            let node = |node: MetadataResponseBroker| {
                FetchNode::default()
                    .with_node_id(node.node_id)
                    .with_host(node.host)
                    .with_port(node.port)
                    .with_rack(node.rack)
            };
            response.node_endpoints = named.nodes.into_values().map(node).collect();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
    use kafka_protocol::messages::produce_response::{
        PartitionProduceResponse, TopicProduceResponse,
    };
    use kafka_protocol::messages::update_metadata_request::{
        UpdateMetadataBroker, UpdateMetadataEndpoint, UpdateMetadataPartitionState,
        UpdateMetadataTopicState,
    };
    use kafka_protocol::messages::{
        FetchResponse, ProduceResponse, TopicName, UpdateMetadataRequest,
    };
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    fn topic() -> TopicName {
        TopicName(StrBytes::from_static_str("t"))
    }

    /// Broker 2 leads the one partition, in epoch 3.
    fn metadata() -> MetadataCache {
        let endpoint = |listener, port| {
            UpdateMetadataEndpoint::default()
                .with_listener(StrBytes::from_static_str(listener))
                .with_host(StrBytes::from_static_str("h"))
                .with_port(port)
        };
        let broker = UpdateMetadataBroker::default()
            .with_id(WireBrokerId(2))
            .with_endpoints(vec![endpoint("PLAINTEXT", 9092), endpoint("EXTERNAL", 40_002)]);
        let state = UpdateMetadataPartitionState::default()
            .with_leader(WireBrokerId(2))
            .with_leader_epoch(3);
        let head = UpdateMetadataTopicState::default()
            .with_topic_name(topic())
            .with_partition_states(vec![state]);
        let mut metadata = MetadataCache::default();
        metadata.update(
            UpdateMetadataRequest::default()
                .with_live_brokers(vec![broker])
                .with_topic_states(vec![head]),
        );
        metadata
    }

    #[test]
    fn a_partition_that_moved_is_refused_with_its_leader_since_3_7() {
        // `KafkaApis.getCurrentLeader` of 3.7 to 3.9.
        let metadata = metadata();
        for (version, error, expected) in
            [(9, 6, (-1, -1)), (10, 6, (2, 3)), (10, 3, (-1, -1)), (11, 0, (-1, -1))]
        {
            let part = PartitionProduceResponse::default().with_error_code(error);
            let row = TopicProduceResponse::default()
                .with_name(topic())
                .with_partition_responses(vec![part]);
            let mut body =
                ResponseKind::Produce(ProduceResponse::default().with_responses(vec![row]));
            add(&metadata, None, version, &mut body);
            let ResponseKind::Produce(answer) = body else { panic!("of the same API") };
            let leader = &answer.responses[0].partition_responses[0].current_leader;
            assert_eq!((leader.leader_id.0, leader.leader_epoch), expected, "v{version} {error}");
            let ports: Vec<i32> = answer.node_endpoints.iter().map(|node| node.port).collect();
            assert_eq!(ports, if expected.0 == 2 { vec![40_002] } else { vec![] });
        }
        for (version, error, leader) in [(15, 6, -1), (16, 6, 2), (17, 74, 2), (17, 75, -1)] {
            let part = PartitionData::default().with_error_code(error);
            let row =
                FetchableTopicResponse::default().with_topic(topic()).with_partitions(vec![part]);
            let mut body = ResponseKind::Fetch(FetchResponse::default().with_responses(vec![row]));
            add(&metadata, None, version, &mut body);
            let ResponseKind::Fetch(answer) = body else { panic!("of the same API") };
            let named = answer.responses[0].partitions[0].current_leader.leader_id.0;
            assert_eq!((named, answer.node_endpoints.len()), (leader, usize::from(leader == 2)));
        }
    }
}
