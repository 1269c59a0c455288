//! A consumer as a member of a group, as the Java client's is with `subscribe` (`ConsumerCoordinator`,
//! `AbstractCoordinator`): it finds the coordinator, joins, gets partitions from the group's leader or assigns them
//! itself, commits how far it came, and leaves when it closes. Its [`application`] polls, processes and commits.
//!
//! What happens in `poll` waits while the application processes records; heartbeats do not.

mod answers;
mod application;
mod closing;
mod commits;
mod config;
mod joining;
mod link;
mod member;
mod reactions;
mod requests;
mod standing;
mod subscribed;
#[cfg(test)]
mod tests;

pub use self::application::{Application, Progress};
pub use self::config::{CommitPolicy, GroupConfig};
pub use self::link::COORDINATOR_TAG;
pub use self::member::{Client, Member};
