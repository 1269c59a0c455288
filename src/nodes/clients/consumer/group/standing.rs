//! Where a member is in its group: its generation, the stage of a rebalance, and the timers of its heartbeats.

use std::time::Duration;

use kafka_protocol::protocol::StrBytes;

use super::config::GroupConfig;
use crate::vocab::Time;

/// Who a member is to the coordinator (`AbstractCoordinator.Generation`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// −1 when it is in none.
    pub generation: i32,
    /// Empty when it has none.
    pub member: StrBytes,
    /// The assignor of the generation.
    pub protocol: Option<StrBytes>,
}

impl Identity {
    /// Of a client that is no member.
    pub fn none() -> Self {
        Self { generation: -1, member: StrBytes::default(), protocol: None }
    }
}

/// The stage of a rebalance (`AbstractCoordinator.MemberState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is in no group.
    Unjoined,
    /// JoinGroup is sent, or lost and to be sent again.
    Joining,
    /// JoinGroup was answered, and SyncGroup not yet.
    Syncing,
    /// It has its assignment.
    Stable,
}

/// The timers of the heartbeat thread (`Heartbeat`).
#[derive(Debug, Default)]
pub struct Heartbeats {
    /// When the next one is sent.
    pub next: Time,
    /// When the coordinator is taken for lost, because no heartbeat was answered for a session's length.
    pub session_end: Time,
    /// When the application is taken for stuck, because it did not poll.
    pub poll_end: Time,
}

impl Heartbeats {
    /// The member is in a new generation.
    pub fn restart(&mut self, now: Time, config: &GroupConfig) {
        self.next = now + config.heartbeat_interval;
        self.session_end = now + config.session_timeout;
        self.poll_end = now + config.max_poll_interval;
    }

    /// One is sent.
    pub fn sent(&mut self, now: Time, config: &GroupConfig) {
        self.next = now + config.heartbeat_interval;
    }

    /// The coordinator has answered, or was found.
    pub fn heard(&mut self, now: Time, config: &GroupConfig) {
        self.session_end = now + config.session_timeout;
    }

    /// One failed.
    pub fn failed(&mut self, now: Time, retry_backoff: Duration) {
        self.next = now + retry_backoff;
    }

    /// When the first of them is due.
    pub fn due(&self) -> Time {
        self.next.min(self.session_end).min(self.poll_end)
    }
}
