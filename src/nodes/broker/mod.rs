//! A Kafka broker.

mod config;
pub mod context;
pub mod log;
pub mod replica;
pub mod controller;
pub mod zookeeper;

pub use config::{Config, TopicOverrides};
