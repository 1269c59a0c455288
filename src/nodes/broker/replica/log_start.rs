//! Where logs start, as observed.

use super::partition::PartitionReplica;
use crate::history::{BrokerObservation, Observation};
use crate::nodes::broker::context::Context;

/// Observes where a log starts, when that is not where it did.
pub fn observe_start(cx: &mut Context<'_>, replica: &PartitionReplica) {
    let (at, start) = (replica.at.clone(), replica.log.start());
    cx.effects.observe(Observation::Broker(BrokerObservation::BeginningDeleted { at, start }));
}
