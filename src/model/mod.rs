//! History → the state of the cluster at a moment: one fold, which everything that judges or shows a run reads.
//!
//! | about | files |
//! |---|---|
//! | clients | [`ledger`], [`ack_window`], [`losses`], [`reading`], [`client_observations`], [`availability`], [`waits`] |
//! | their order | [`order`], [`acknowledged_order`], [`poll_gaps`], [`copies`] |
//! | groups | [`groups`], [`committed`] |
//! | transactions | [`transactional`] |
//! | replication | [`log_tree`], [`producer_logs`], [`log_errors`], [`replicas`], [`in_sync`], [`partition_state`], [`reported`], [`epoch_holders`] |
//! | brokers | [`brokers`] |
//! | ZooKeeper servers | [`ensemble`], [`transactions`], [`zookeeper_epochs`], [`server_trees`] |
//! | ZooKeeper clients | [`znodes`], [`znode_reads`], [`answer_errors`], [`watches`], [`sessions`], [`session_writes`] |
//! | the run | [`terms`], [`lives`], [`faults`], [`happened`], [`timeline`], [`commands`] |
//! | the end of a run | [`liveness`], [`known_limits`], [`end`] |
//! | reading it | [`reader`] |
//!
//! The model decides nothing. It knows no node: what it says comes from the history, so that a checker cannot share
//! a bug with what it judges, and a stored history can be judged without a cluster.

pub mod ack_window;
pub mod acknowledged_order;
pub mod answer_errors;
pub mod availability;
pub mod brokers;
pub mod client_observations;
pub mod commands;
pub mod committed;
pub mod copies;
pub mod end;
pub mod ensemble;
pub mod epoch_holders;
pub mod faults;
mod fold;
pub mod groups;
pub mod happened;
pub mod in_sync;
pub mod interval;
pub mod known_limits;
pub mod ledger;
pub mod liveness;
pub mod lives;
pub mod log_errors;
pub mod log_tree;
pub mod losses;
pub mod offset_map;
pub mod order;
pub mod partition_state;
pub mod poll_gaps;
pub mod producer_logs;
pub mod reader;
pub mod reading;
pub mod replicas;
pub mod reported;
pub mod server_trees;
pub mod session_writes;
pub mod sessions;
pub mod terms;
pub mod timeline;
pub mod transactional;
pub mod transactions;
pub mod waits;
pub mod watches;
pub mod znode_reads;
pub mod znodes;
pub mod zookeeper_epochs;

pub use ack_window::{AckWindow, Reign};
pub use commands::CommandSummary;
pub use faults::Fired;
pub use fold::Model;
pub use liveness::{Lack, Missing};
pub use reader::{Modelled, Reader};
pub use terms::{ConsumerTerms, Permission, ProducerTerms, Terms, TopicTerms};
pub use timeline::{Entry, Timeline, Turn};
