//! Transactions of producers: which records readers see, markers, fencing, what coordinators decide.

pub mod aborted_is_not_read;
pub mod appends_are_of_open_transactions;
pub mod coordinator_decisions_are_kept;
pub mod fenced_producers_append_nothing;
mod handed_out;
pub mod open_is_not_read;
pub mod producer_epochs_are_unique;
#[cfg(test)]
pub(super) mod told;
pub mod transactions_are_atomic;
pub mod transactions_end;
