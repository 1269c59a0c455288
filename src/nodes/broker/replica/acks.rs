//! The values of a produce request's `acks`, and how an acknowledgement is observed.

use super::partition::PartitionReplica;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::Context;
use crate::vocab::Offset;

/// Acknowledge when all in-sync replicas have it.
pub const ACKS_ALL: i16 = -1;
/// Acknowledge when the leader has it.
pub const ACKS_LEADER: i16 = 1;

/// Observes that records below `end` count as written.
pub fn observe_acknowledged(
    cx: &mut Context<'_>,
    replica: &PartitionReplica,
    end: Offset,
    acks: i16,
) {
    let at = replica.at.clone();
    let acknowledged = BrokerObservation::Acknowledging { at, end, acks };
    cx.effects.observe(Observation::Broker(acknowledged));
}
