//! A member of a group.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use super::deadlines::Deadline;
use crate::nodes::broker::context::ReplyTo;

/// A protocol that a member supports, and what it says of itself for it.
pub type Protocols = Vec<(StrBytes, Bytes)>;

/// A member of a group.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its id, which the coordinator gave it.
    pub id: StrBytes,
    /// `group.instance.id` of a static member.
    pub instance: Option<StrBytes>,
    /// `client.id`
    pub client_id: StrBytes,
    /// Its host, with a slash in front.
    pub client_host: StrBytes,
    /// How long a rebalance waits for it.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// In its order of preference.
    pub protocols: Protocols,
    /// What the leader gave it.
    pub assignment: Bytes,
    /// Its JoinGroup, which waits.
    pub joining: Option<ReplyTo>,
    /// Its SyncGroup, which waits.
    pub syncing: Option<ReplyTo>,
    /// Whether its first JoinGroup waits.
    pub is_new: bool,
    /// When it has been silent for too long.
    pub session: Option<Deadline>,
}

/// Milliseconds of a request; a negative number counts as none.
pub fn span(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

impl Member {
    /// Whether it supports a protocol.
    pub fn supports(&self, protocol: &StrBytes) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    /// What it says of itself for a protocol.
    pub fn metadata(&self, protocol: &StrBytes) -> Bytes {
        let known = self.protocols.iter().find(|(name, _)| name == protocol);
        known.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }
}
