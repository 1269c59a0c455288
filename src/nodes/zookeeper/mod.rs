//! One server of ZooKeeper: a ZooKeeper 3.8 as its clients see it, standalone or one of an ensemble.
//!
//! [`server`] sends what happens to the part that it concerns. A write goes through one pipeline: it is validated
//! against the tree and what is under way ([`prepare`]), appended to the log and fsynced ([`log`]), then applied
//! ([`apply`]), which triggers watches, and then answered ([`replies`]). A read is answered from the applied state
//! ([`reads`]), at once unless an earlier write of the same connection is still under way. In an ensemble
//! ([`ensemble`]) the leader does so for all servers: between fsync and apply it waits for a majority that has
//! fsynced, and the other servers forward writes to it and apply what it commits.
//!
//! Each part owns its state: [`storage`] (database, log), [`pipeline`] (what is under way), [`tracker`] (sessions),
//! [`clients`] (connections, watches), and in an ensemble the [`ensemble::peer`].

mod acl;
mod apply;
mod clients;
mod config;
mod connection;
mod database;
mod ensemble;
mod expiry;
mod four_letter;
mod handshake;
mod history;
mod local;
mod log;
mod observations;
mod path;
mod pipeline;
mod prepare;
mod propose;
mod reads;
mod replies;
mod requests;
mod server;
mod service;
mod sessions;
mod snapshot;
mod stats;
mod step;
mod storage;
mod sweeper;
#[cfg(test)]
mod tests;
mod tracker;
mod tree;
mod txn;
mod watches;
mod writes;

pub use config::Config;
pub use database::Database;
pub use server::ZooKeeperServer;
pub use step::Effects;
pub use tree::{Tree, Znode};
pub use txn::{Lifetime, Record, Txn};
