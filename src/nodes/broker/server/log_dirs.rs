//! DescribeLogDirs and AlterReplicaLogDirs: a broker has one log directory here.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{
    AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, DescribeLogDirsRequest,
    DescribeLogDirsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::metadata::MetadataCache;
use crate::nodes::broker::Config;
use crate::nodes::broker::replica::ReplicaManager;
use crate::releases::Change;
use crate::vocab::TopicPartition;

/// Size of the disk that is shown, in bytes: simulated disks are full by a fault alone.
const DISK_BYTES: i64 = 1 << 40;

/// The directory's name: `log.dirs`, else `log.dir`, else Kafka's default.
fn own_dir(config: &Config) -> &str {
    let set = |name| config.server_properties.get(name).map(String::as_str);
    let dirs = set("log.dirs").or_else(|| set("log.dir")).unwrap_or("/tmp/kafka-logs");
    dirs.split(',').next().unwrap_or(dirs).trim()
}

/// DescribeLogDirs.
pub fn describe(
    config: &Config,
    replicas: &ReplicaManager,
    request: &DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let wanted: Option<BTreeSet<(&str, i32)>> = request.topics.as_ref().map(|topics| {
        let topics = topics.iter();
        topics.flat_map(|one| one.partitions.iter().map(|it| (one.topic.as_str(), *it))).collect()
    });
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    let mut used = 0;
    for (at, bytes) in replicas.sizes() {
        used += bytes;
        let partitions = topics.entry(&at.topic).or_default();
        let is_wanted = wanted.as_ref().is_none_or(|all| all.contains(&(&*at.topic, at.partition)));
        if is_wanted {
            partitions.push(
                DescribeLogDirsPartition::default()
                    .with_partition_index(at.partition)
                    .with_partition_size(bytes),
            );
        }
    }
    let names_all = config.version.has(Change::AllTopicsInLogDirs);
    let topics = topics.into_iter().filter(|(_, partitions)| names_all || !partitions.is_empty());
    let topics = topics.map(|(topic, partitions)| {
        DescribeLogDirsTopic::default()
            .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
            .with_partitions(partitions)
    });
    let result = DescribeLogDirsResult::default()
        .with_log_dir(StrBytes::from_string(own_dir(config).to_owned()))
        .with_topics(topics.collect())
        .with_total_bytes(DISK_BYTES)
        .with_usable_bytes(DISK_BYTES - used);
    DescribeLogDirsResponse::default().with_results(vec![result])
}

/// AlterReplicaLogDirs: a replica is where it is, and there is no other directory.
pub fn alter(
    config: &Config,
    replicas: &ReplicaManager,
    metadata: &MetadataCache,
    request: &AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let hosted: BTreeSet<&TopicPartition> = replicas.partitions().collect();
    let mut topics: BTreeMap<&TopicName, BTreeMap<i32, i16>> = BTreeMap::new();
    for dir in &request.dirs {
        for topic in &dir.topics {
            for &partition in &topic.partitions {
                let error = if &*dir.path != own_dir(config) {
                    Some(ResponseError::LogDirNotFound)
                } else if !hosted.contains(&TopicPartition::new(topic.name.as_str(), partition)) {
                    let is_known = metadata.knows_partition(topic.name.as_str(), partition);
                    let asks = config.version.has(Change::UnknownPartitionInLogDirs);
                    Some(match is_known || !asks {
                        true => ResponseError::ReplicaNotAvailable,
                        false => ResponseError::UnknownTopicOrPartition,
                    })
                } else {
                    None
                };
                let code = error.map_or(0, |error| error.code());
                topics.entry(&topic.name).or_default().insert(partition, code);
            }
        }
    }
    let results = topics.into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|(partition, code)| {
            AlterReplicaLogDirPartitionResult::default()
                .with_partition_index(partition)
                .with_error_code(code)
        });
        AlterReplicaLogDirTopicResult::default()
            .with_topic_name(topic.clone())
            .with_partitions(partitions.collect())
    });
    AlterReplicaLogDirsResponse::default().with_results(results.collect())
}
