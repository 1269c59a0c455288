//! The coordinator alone: requests in, answers, appends and markers out. Values are those of the recordings (`txn.*`,
//! `init-producer-id.*`) and of Kafka's sources.

mod ends;
mod facts;
mod loads;
mod producers;
mod tools;
mod world;
