//! A Kafka broker.

mod config;
pub mod context;

pub use config::{Config, TopicOverrides};
