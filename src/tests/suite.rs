//! What is checked of the whole: structure, style, command line, README, conformance.
#![expect(clippy::disallowed_methods, reason = "tests read the source tree and start the binary")]

mod circles;
mod cli;
mod describe_topic;
mod ensemble;
mod exit_codes;
mod guarantees;
mod how_to_add;
mod layers;
mod matrix;
mod mutants;
mod readme;
mod regressions;
mod releases;
mod replay;
mod scenarios;
mod scratch;
mod source;
mod tidy;
mod timeline;
mod zookeeper_vectors;
