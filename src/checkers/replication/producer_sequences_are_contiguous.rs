//! A leader appends the batches of an idempotent producer one after the other, each once.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, ProducerBatch};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "producer-sequences-are-contiguous",
    statement: "in a leader's log, each batch of an idempotent producer has the sequence behind \
                the one before it, or begins at 0 in a later epoch; none follows in an earlier \
                epoch",
    source: "KIP-98: sequence numbers, fencing by epoch; ProducerAppendInfo.checkSequence",
    leaves_out: "the first batch of a producer in a log (since 2.5 it may have any sequence); \
                 producers that a broker forgot because they were silent; batches before it that \
                 lie so far back that their contents are not kept; before 2.1 (KIP-320), and where \
                 acknowledged records may be lost, violations are counted but permitted",
    looks_at: Subject::ProducerBatches,
    class: Class::Safety,
};

/// Looks at what leaders append.
#[derive(Debug)]
pub struct ProducerSequencesAreContiguous;

/// The sequence behind the last one of a batch; behind 2³¹−1 comes 0.
fn next(batch: &ProducerBatch) -> i32 {
    batch.last_sequence.checked_add(1).unwrap_or(0)
}

impl Rule for ProducerSequencesAreContiguous {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::ProducerAppended { at, base, .. } = did else { return };
        let Some(appended) = event.model.producer_logs.latest() else { return };
        let Some(before) = appended.before else { return };
        let batch = appended.batch;
        let expected = match batch.epoch.cmp(&before.epoch) {
            std::cmp::Ordering::Less => format!("epoch {}", before.epoch),
            std::cmp::Ordering::Equal if batch.first_sequence == next(&before) => return,
            std::cmp::Ordering::Equal => format!("sequence {}", next(&before)),
            std::cmp::Ordering::Greater if batch.first_sequence == 0 => return,
            std::cmp::Ordering::Greater => "sequence 0".to_owned(),
        };
        found.found(event.model.terms.disagreement(), || {
            event.node_did(format!(
                "appended {at}@{base} with sequence {} of producer {} in epoch {}, and the one \
                 before it needs {expected}",
                batch.first_sequence, batch.producer, batch.epoch
            ))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, orders};

    fn append(story: &mut Story, broker: i32, base: i64, epochs: (i32, i16), first: i32) {
        let (leader_epoch, epoch) = epochs;
        story.appended(broker, base, leader_epoch);
        let batch =
            ProducerBatch { producer: 7, epoch, first_sequence: first, last_sequence: first };
        let at = orders();
        let did = BrokerObservation::ProducerAppended { at, base, leader_epoch, batch };
        story.broker(broker, did);
    }

    #[test]
    fn sequences_follow_and_begin_again_with_an_epoch() {
        let mut story = Story::replicated();
        append(&mut story, 1, 0, (0, 0), 5);
        append(&mut story, 1, 1, (0, 0), 6);
        append(&mut story, 1, 2, (0, 1), 0);
        assert_eq!(story.violation(&PROPERTY), None);
        append(&mut story, 1, 3, (0, 1), 0);
        let text = "b1 appended orders-0@3 with sequence 0 of producer 7 in epoch 1, and the one \
                    before it needs sequence 1, at 0.000s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text), "twice");
    }

    #[test]
    fn a_gap_and_an_earlier_epoch_are_rejected() {
        for (epoch, first, needs) in [(1, 7, "sequence 6"), (2, 1, "sequence 0"), (0, 6, "epoch 1")]
        {
            let mut story = Story::replicated();
            append(&mut story, 1, 0, (0, 1), 5);
            append(&mut story, 1, 1, (0, epoch), first);
            let text = story.violation(&PROPERTY).expect("it is wrong");
            assert!(text.contains(needs), "{text}");
        }
    }

    #[test]
    fn what_another_leader_does_not_have_is_appended_again() {
        let mut story = Story::replicated();
        append(&mut story, 1, 0, (0, 0), 0);
        story.appended(2, 0, 0);
        append(&mut story, 1, 1, (0, 0), 1);
        story.became_leader(2, 1, 1);
        // b1 does not know it yet.
        append(&mut story, 1, 2, (0, 0), 2);
        append(&mut story, 2, 1, (1, 0), 1);
        assert_eq!(story.violation(&PROPERTY), None);
        append(&mut story, 2, 2, (1, 0), 1);
        assert!(story.violation(&PROPERTY).is_some());
    }

    #[test]
    fn what_a_leader_in_between_did_not_have_comes_back() {
        let mut story = Story::replicated();
        append(&mut story, 1, 0, (0, 0), 0);
        story.appended(2, 0, 0).appended(3, 0, 0);
        append(&mut story, 1, 1, (0, 0), 1);
        story.appended(2, 1, 0).became_leader(3, 1, 1).became_leader(2, 2, 2);
        append(&mut story, 2, 2, (2, 0), 2);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn a_producer_that_was_forgotten_begins_anywhere() {
        let mut story = Story::replicated();
        append(&mut story, 1, 0, (0, 0), 0);
        let at = orders();
        story.broker(1, BrokerObservation::ProducersExpired { at, producers: vec![7] });
        append(&mut story, 1, 1, (0, 0), 0);
        assert_eq!(story.violation(&PROPERTY), None);
    }
}
