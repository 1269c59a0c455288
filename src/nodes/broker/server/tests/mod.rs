//! Whole clusters in a small world: what the parts of a broker do together.

mod administration;
mod cluster;
mod configs;
mod deletions;
mod fetch_by_id;
mod find_coordinator;
mod front;
mod groups;
mod producer_ids;
mod reassignments;
mod retention;
mod scram;
mod transaction_ends;
mod transactions;
mod znodes;
