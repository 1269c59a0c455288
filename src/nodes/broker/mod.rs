//! A Kafka broker.

mod config;
pub mod context;
pub mod zookeeper;

pub use config::{Config, TopicOverrides};
