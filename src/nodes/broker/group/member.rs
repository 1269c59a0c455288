//! A member of a group.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use super::deadlines::Deadline;
use crate::nodes::broker::context::ReplyTo;

/// The protocols that a member supports, and what it says of itself for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protocols {
    in_order: Vec<(StrBytes, Bytes)>,
    /// Where the first of each name is: a request can name very many.
    places: BTreeMap<StrBytes, usize>,
}

impl Protocols {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }

    /// Their names, in the member's order of preference.
    pub fn names(&self) -> impl Iterator<Item = &StrBytes> {
        self.in_order.iter().map(|(name, _)| name)
    }
}

impl FromIterator<(StrBytes, Bytes)> for Protocols {
    fn from_iter<T: IntoIterator<Item = (StrBytes, Bytes)>>(protocols: T) -> Self {
        let in_order: Vec<_> = protocols.into_iter().collect();
        let mut places = BTreeMap::new();
        for (place, (name, _)) in in_order.iter().enumerate() {
            places.entry(name.clone()).or_insert(place);
        }
        Self { in_order, places }
    }
}

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
    /// What it supports.
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
        self.protocols.places.contains_key(protocol)
    }

    /// What it says of itself for a protocol.
    pub fn metadata(&self, protocol: &StrBytes) -> Bytes {
        let Protocols { in_order, places } = &self.protocols;
        places.get(protocol).map(|place| in_order[*place].1.clone()).unwrap_or_default()
    }
}
