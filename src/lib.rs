//! `sim`: a deterministic simulation testbed for Kafka.
//!
//! The whole cluster of the ZooKeeper era (brokers, ISR replication, controller, ZooKeeper,
//! producers and consumers) runs inside one process, on a simulated network, clock and disk,
//! all driven by one seed. The same scenario and seed give the same run, to the byte.
//!
//! # As a library
//!
//! ```
//! use kafka_sim::run;
//!
//! let outcome = run::seed("scenarios/leader_crash.toml", 42)?;
//! assert!(outcome.held(), "{outcome}");
//! assert_eq!(outcome.lost(), 0);
//!
//! let outcome = run::seed("scenarios/last_replica.toml", 42)?;
//! assert!(outcome.violates("acknowledged-is-in-the-final-log"), "{outcome}");
//! assert!(outcome.lost() > 0);
//! # Ok::<(), run::RunError>(())
//! ```
//!
//! [`run::seeds`] does the same for many seeds, on all cores; [`scenario::parse`] and [`run::run_plan`] take a
//! scenario that is not in a file.
//!
//! # Layers
//!
//! A layer imports only layers of a lower number, and of its own row's last column when that says so; a
//! test reads this table and fails on an import that points the wrong way. The test files of `nodes` (in a folder
//! `tests` or `testing`, or called `tests.rs` or `…_tests.rs`) may also import `substrate`: they run roles in its
//! world. The product files of `nodes` may not.
//!
//! | layer | folder | what lives there | may import |
//! |--:|---|---|---|
//! | 0 | `vocab` | the words: ids, epochs, offsets, virtual time, the seed and its streams, the step | — |
//! | 1 | `releases` | what differs between Kafka releases: the table of changes, API versions, defaults | vocab |
//! | 1 | `wire` | bytes ⇄ values: Kafka requests and record batches, ZooKeeper client frames | vocab |
//! | 1 | `scenario` | TOML text → `Plan`: schema, spans, diagnostics, drawing from a seed | vocab, releases |
//! | 1 | `history` | what happened: events, recorder, stable encoding, fingerprint | vocab |
//! | 2 | `nodes` | pure state machines: broker, ZooKeeper, clients | vocab, releases, wire, history |
//! | 2 | `substrate` | the only folder that names madsim: the world's loop, time, links, disks, processes | vocab, history |
//! | 2 | `model` | one fold from history to the state of the cluster at a moment | vocab, releases, history |
//! | 3 | `checkers` | model → verdict; one property, one file | vocab, releases, history, model |
//! | 3 | `cluster` | the joints: nodes from a plan, into the world; the fault timeline; observers | vocab, releases, wire, scenario, history, nodes, substrate, model, checkers |
//! | 4 | `run` | one seed and many: single run, sweep, failure files, replay | vocab, releases, wire, scenario, history, nodes, substrate, model, checkers, cluster |
//! | 4 | `gateway` | real sockets ⇄ simulated connections, paced to the wall clock | vocab, releases, wire, scenario, history, model, checkers, cluster, run |
//! | 5 | `report` | outcome → text and JSON; decides nothing | vocab, releases, scenario, history, model, checkers, cluster, run |
//! | 6 | `cli` | clap, colour, exit codes; one file per verb | vocab, releases, scenario, history, model, checkers, cluster, run, gateway, report |

pub mod checkers;
pub mod cli;
pub mod cluster;
pub mod gateway;
pub mod history;
pub mod model;
pub mod nodes;
pub mod releases;
pub mod report;
pub mod run;
pub mod scenario;
pub mod substrate;
pub mod vocab;
pub mod wire;
