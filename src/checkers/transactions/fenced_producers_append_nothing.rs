//! What a fenced producer sends is not appended.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, TransactionObservation};
use crate::model::transactional::logs::Appended;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "fenced-producers-append-nothing",
    statement: "once a partition has a record or a marker of an epoch of a transactional producer, \
                its leader appends no records of an earlier one, and no marker",
    source: "KIP-98: zombie fencing; KAFKA-6119; X2 of the catalogue of known failures",
    leaves_out: "partitions that the transaction which was aborted for the next epoch did not \
                 write to: their leaders do not know the epoch (before KIP-890)",
    looks_at: Subject::Transactions,
    class: Class::Safety,
};

/// Looks at what leaders append.
#[derive(Debug)]
pub struct FencedProducersAppendNothing;

impl Rule for FencedProducersAppendNothing {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::Transaction(did) = did else { return };
        let Some(Appended::Fenced(newest)) = event.model.transactional.logs.latest() else {
            return;
        };
        let (at, offset, producer, epoch) = match did {
            TransactionObservation::Appended { at, base, producer, epoch, .. } => {
                (at, *base, producer, epoch)
            }
            TransactionObservation::MarkerAppended { at, offset, producer, epoch, .. } => {
                (at, *offset, producer, epoch)
            }
            _ => return,
        };
        found.found(event.model.terms.acknowledged_loss, || {
            event
                .node_did(format!(
                    "appended {at}@{offset} of producer {producer} in epoch {epoch}, and its log \
                     has epoch {newest}"
                ))
                .in_partition(at)
                .from_offset(offset)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{appends, marks, story};
    use super::*;

    #[test]
    fn the_next_epoch_fences() {
        let mut story = story();
        appends(&mut story, 1, 0, 0);
        marks(&mut story, 1, 1, 1, false);
        appends(&mut story, 1, 2, 1);
        marks(&mut story, 1, 3, 1, true);
        assert_eq!(story.violation(&PROPERTY), None);
        appends(&mut story, 1, 4, 0);
        let text = "b1 appended orders-0@4 of producer 7 in epoch 0, and its log has epoch 1, at \
                    0.000s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }

    #[test]
    fn an_epoch_that_the_leader_does_not_have_fences_nothing() {
        let mut story = story();
        appends(&mut story, 1, 0, 0);
        story.appended(2, 0, 0);
        marks(&mut story, 1, 1, 1, false);
        story.became_leader(2, 1, 1).appended(2, 1, 1);
        let (at, base, last, leader_epoch) = (crate::checkers::testing::orders(), 1, 1, 1);
        let (producer, epoch) = (7, 0);
        let did =
            TransactionObservation::Appended { at, base, last, leader_epoch, producer, epoch };
        story.broker(2, BrokerObservation::Transaction(did));
        assert_eq!(story.violation(&PROPERTY), None);
    }
}
