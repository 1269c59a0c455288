//! A Kafka broker.

mod config;
pub mod context;
pub mod log;
pub mod replica;

pub use config::{Config, TopicOverrides};
