//! A Kafka broker.

mod answer_room;
mod config;
pub mod context;
pub mod controller;
pub mod group;
pub mod log;
pub mod replica;
mod server;
mod shown;
pub mod transaction;
mod versions;
pub mod znodes;

pub use config::{
    Config, DynamicSettings, Endpoint, ExternalListener, GroupSettings, OFFSETS_TOPIC, PORT,
    TRANSACTIONS_TOPIC, TopicOverrides, TransactionSettings,
};
pub use server::Broker;
