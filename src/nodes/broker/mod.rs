//! A Kafka broker.

mod config;
pub mod context;
mod shell;
pub mod zookeeper;

pub use config::{Config, TopicOverrides};
