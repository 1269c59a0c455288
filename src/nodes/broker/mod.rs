//! A Kafka broker.

mod config;
pub mod context;
pub mod log;

pub use config::{Config, TopicOverrides};
