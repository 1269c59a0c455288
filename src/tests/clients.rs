//! Programs of other projects, on clusters that `sim serve` serves: clients in Python, JavaScript, Go, Java and C,
//! and ZooKeeper's shell; and valgrind, which counts what a run costs.
//!
//! `.ci/run` installs them. A program that is missing fails its tests.
#![expect(clippy::disallowed_methods, reason = "tests start programs, and live in real time")]

#[path = "clients/crowd.rs"]
mod crowd;
#[path = "clients/groups.rs"]
mod groups;
#[path = "clients/kafka.rs"]
mod kafka;
#[path = "clients/languages.rs"]
mod languages;
#[path = "clients/programs.rs"]
mod programs;
#[path = "clients/readme.rs"]
mod readme;
#[path = "clients/scale.rs"]
mod scale;
#[path = "clients/server.rs"]
mod server;
#[path = "clients/vectors.rs"]
mod vectors;
#[path = "clients/zookeeper.rs"]
mod zookeeper;
