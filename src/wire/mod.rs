//! Bytes and values.

pub mod frames;
pub mod jute;
pub mod zookeeper;
