//! An operator's `kafka-topics`: asks brokers or reads ZooKeeper, and prints what that release prints.
//!
//! One process is one call of the command. The history records when it begins, and when it ends every line that it
//! has printed ([`crate::vocab::TopicsCommand`]'s options decide which).

mod brokers;
mod call;
mod config;
mod description;
mod java;
mod print;
#[cfg(test)]
mod tests;
mod znodes;

pub use call::Topics;
pub use config::TopicsConfig;
