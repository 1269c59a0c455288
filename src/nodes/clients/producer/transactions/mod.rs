//! Transactions of a producer (`TransactionManager` of the Java client, KIP-98): the producer id of its transactional
//! id, the partitions and offsets that are part of the transaction, and its end.
//!
//! [`Transactions`] is what the client does; [`Loop`] is an application that begins transactions, and commits most.

mod answers;
mod application;
mod config;
mod manager;
mod reactions;
mod requests;
mod sending;
#[cfg(test)]
mod tests;

pub use self::application::{Loop, LoopParts};
pub use self::config::{CommitEvery, TransactionConfig};
pub use self::manager::{State, Transactions};
pub use self::sending::{Progress, TRANSACTION_TAG};
