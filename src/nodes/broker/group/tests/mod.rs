//! The coordinator alone: requests in, answers and appends out. Values are those of the recordings
//! (`join.*`, `member-calls.*`, `commit.*`, `groups.*`) and of Kafka's sources.

mod facts;
mod joins;
mod moves;
mod offsets;
mod transactions;
mod world;
