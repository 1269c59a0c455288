//! What is checked of the whole: structure, style, command line, README, conformance.
#![expect(clippy::disallowed_methods, reason = "tests read the source tree and start the binary")]

use kafka_sim::{history, nodes, substrate, vocab, wire};

mod cases;
mod circles;
mod cli;
mod describe_topic;
mod ensemble;
mod exit_codes;
mod guarantees;
mod how_to_add;
mod killed_serving;
mod layers;
mod matrix;
mod mutants;
#[path = "../nodes/testing/peer.rs"]
#[expect(dead_code, reason = "the unit tests use the rest of it")]
mod peer;
mod readme;
mod recorded;
mod regressions;
mod releases;
mod replay;
#[path = "../nodes/testing/rig.rs"]
#[expect(dead_code, reason = "the unit tests use the rest of it")]
mod rig;
mod scenarios;
mod scratch;
mod source;
mod stops;
mod tidy;
mod timeline;
mod zookeeper_vectors;
