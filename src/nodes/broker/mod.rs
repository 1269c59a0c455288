//! A Kafka broker.

mod config;
pub mod context;
pub mod controller;
pub mod log;
pub mod replica;
mod shell;
mod versions;
pub mod zookeeper;

pub use config::{Config, Endpoint, ExternalListener, TopicOverrides};
pub use shell::{Broker, PORT};
