//! The transaction coordinator: transactional ids, their producers, and the ends of their transactions
//! (`TransactionCoordinator`, `TransactionStateManager`, `TransactionMetadata`, `TransactionMarkerChannelManager`).
//!
//! A transactional id belongs to the leader of one partition of `__transaction_state`. What a coordinator decides it
//! appends there, and answers when all in-sync replicas have it. A transaction ends in two steps: that it is to be
//! committed or aborted is written first, and answered; then the leaders of its partitions get markers, and when all
//! are written so is that it is complete. The next leader goes on where the last one was.
//!
//! | file | concern |
//! |---|---|
//! | `coordinator` | owns the transactional ids; whether this broker coordinates one |
//! | `state`, `stored` | a transactional id, its changes, how it is stored |
//! | `init`, `add`, `end` | InitProducerId, AddPartitionsToTxn and AddOffsetsToTxn, EndTxn and timeouts |
//! | `adding`, `ending`, `answers` | requests that wait, and their answers |
//! | `markers`, `marker` | markers for the leaders of a transaction's partitions |
//! | `sending`, `senders` | the ways to these leaders |
//! | `expiry` | transactional ids that are forgotten |
//! | `admin` | ListTransactions, DescribeTransactions |
//! | `written`, `appends` | what is written, and what follows |
//! | `loading`, `loads` | taking over a partition of `__transaction_state`, and giving it up |
//! | `deadlines` | what is due when |
//! | `facts` | what the history gets to know |

mod add;
mod adding;
mod admin;
mod answers;
mod appends;
mod coordinator;
mod deadlines;
mod end;
mod ending;
mod expiry;
mod facts;
mod init;
mod loading;
mod loads;
mod marker;
mod markers;
mod senders;
mod sending;
mod state;
mod stored;
#[cfg(test)]
mod tests;
mod written;

pub use self::coordinator::TransactionCoordinator;
pub use self::marker::{Destination, Leads};
