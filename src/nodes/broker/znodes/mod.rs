//! What Kafka keeps in ZooKeeper: the paths of its znodes and their JSON.
//!
//! Layout after `kafka/zk/ZkData.scala` (2.x, 3.x) and `kafka/utils/ZkUtils.scala` (1.0).

pub mod paths;
pub mod payload;
pub mod producer_ids;
mod properties;
