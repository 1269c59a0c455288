//! Bytes ⇄ values: Kafka requests, responses and record batches; ZooKeeper client frames.

pub mod compressed;
pub mod foreign;
pub mod frames;
pub mod group_records;
pub mod jute;
pub mod kafka;
pub mod markers;
pub mod message_set;
pub mod records;
mod rewrite;
pub mod topic_partitions;
pub mod transaction_records;
pub mod workload;
pub mod zookeeper;
