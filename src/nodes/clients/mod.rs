//! Clients of Kafka, as the Java client behaves: producer, consumer, the admin that creates topics, and an
//! operator's commands; and one of ZooKeeper alone, [`znodes`].
//!
//! Each speaks the real protocol to any number of brokers and knows of them only what Metadata answers (the
//! producer can be configured to read ZooKeeper instead). They share [`connections`] (one per broker, with
//! back-off and timeouts), [`metadata`] (the leaders) and [`protocol`] (versions and error codes).

pub mod admin;
pub mod connections;
pub mod consumer;
mod defaults;
pub mod discovery;
#[cfg(test)]
mod fake;
pub mod metadata;
pub mod producer;
pub mod protocol;
pub mod topics;
mod wake;
pub mod znodes;
pub mod zookeeper_consumer;

pub use admin::{Admin, AdminConfig, NewTopic};
pub use connections::ConnectionConfig;
pub use consumer::{
    CommitPolicy, Consumer, ConsumerConfig, GroupConfig, ResetPolicy, StartFrom, Strategy,
};
pub use producer::{CommitEvery, Discover, Producer, ProducerConfig, TransactionConfig, Workload};
pub use topics::{Topics, TopicsConfig};
pub use znodes::{Znodes, ZnodesConfig};
pub use zookeeper_consumer::{ZookeeperConsumer, ZookeeperConsumerConfig};
