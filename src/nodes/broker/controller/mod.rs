//! The controller: elects leaders, and sends every broker what follows
//! (`kafka/controller/KafkaController.scala`).
//!
//! Every broker has one; it is active on the broker that was elected through `/controller`. What Kafka does
//! in one thread with synchronous calls of ZooKeeper is an [`EventManager`](event_manager::EventManager) here:
//! one event at a time, in steps that wait for answers. Control requests leave over real connections to all
//! brokers, the controller's own among them.
//!
//! `kafka_controller` owns the parts: the event manager, what is known of the cluster (`context`), control requests
//! that are collected (`batch`) and sent (`channels`), CreateTopics that wait (`creation`), timers, the term. The
//! other files are the work on events, by concern.

mod assignment;
mod batch;
mod brokers;
mod calls;
mod channels;
mod context;
mod control_answers;
mod controller_election;
mod create;
mod creation;
mod delete;
mod election;
mod event_manager;
mod failover;
mod isr;
mod kafka_controller;
mod partitions;
mod preferred;
mod producer_ids;
mod reassign;
mod reassign_answers;
mod reassign_requests;
mod reassign_steps;
mod refusals;
mod replicas;
mod scala_order;
mod shutdown;
mod term;
#[cfg(test)]
mod tests;
mod timers;
mod topics;

pub use self::assignment::assign_more;
pub use self::creation::{ConfigFault, config_fault, is_valid_topic, name_refusal};
pub use self::event_manager::ControllerRequest;
pub use self::kafka_controller::Controller;
pub use self::scala_order::in_order_of_bins;
