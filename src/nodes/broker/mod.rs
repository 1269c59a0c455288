//! A Kafka broker.

mod config;
pub mod context;
pub mod controller;
pub mod zookeeper;

pub use config::{Config, TopicOverrides};
