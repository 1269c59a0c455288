//! A leader acknowledges only what as many replicas have as the producer asked for.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::BrokerObservation;
use crate::model::Model;
use crate::model::replicas::{Lead, PartitionReplicas, Replica};
use crate::releases::Change;
use crate::vocab::Offset;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "acknowledged-is-replicated",
    statement: "a leader acknowledges acks=1 records that are in its log, and acks=all records \
                that are below its high watermark while at least min.insync.replicas are in sync; \
                since 3.7 its high watermark moves only while they are",
    source: "Kafka documentation, acks and min.insync.replicas; KAFKA-15583",
    leaves_out: "acks=0; a min.insync.replicas above the replication factor, which counts as the \
                 replication factor; whether the replicas have the records, see \
                 leader-isr-has-committed",
    looks_at: Subject::Acknowledgements,
    class: Class::Safety,
};

/// Looks at acknowledgements and high watermarks.
#[derive(Debug)]
pub struct AcknowledgedIsReplicated;

/// Why `isr` replicas in sync are too few for a leader, if so.
fn too_few(
    model: &Model,
    (partition, leader): (&PartitionReplicas, &Replica),
    isr: usize,
) -> Option<String> {
    let least = partition.least_if_too_few(&model.terms, leader, isr)?;
    Some(format!("{isr} in-sync replicas are fewer than {least}"))
}

fn too_early(
    model: &Model,
    (partition, replica): (&PartitionReplicas, &Replica),
    (end, acks): (Offset, i16),
) -> Option<String> {
    let Some(lead) = replica.lead() else { return Some("it was not the leader".into()) };
    let log_end = replica.log.map_or(end, |log| log.end);
    if log_end < end {
        return Some(format!("its log end offset was {log_end}"));
    }
    if acks >= 0 {
        return None;
    }
    if replica.high_watermark < end {
        return Some(format!("its high watermark was {}", replica.high_watermark));
    }
    too_few(model, (partition, replica), lead.maximal.len())
}

impl Rule for AcknowledgedIsReplicated {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let Some((partition, replica, before)) = event.model.replicas.replica() else { return };
        let (end, did, wrong) = match did {
            BrokerObservation::Acknowledging { end, acks, .. } => {
                let wrong = too_early(event.model, (partition, replica), (*end, *acks));
                (*end, "acknowledged", wrong)
            }
            BrokerObservation::HighWatermark { offset, .. }
                if event.model.terms.kafka.has(Change::HighWatermarkHeldBelowMinIsr)
                    && *offset > before.high_watermark =>
            {
                let few = |lead: &Lead| too_few(event.model, (partition, replica), lead.isr.len());
                (*offset, "committed", replica.lead().and_then(few))
            }
            _ => return,
        };
        let Some(wrong) = wrong else { return };
        found.forbidden(|| {
            let (name, at, time, last) = (event.name(), &partition.at, event.time, end - 1);
            let case = event.case(format!("{name} {did} {at}@{last} at {time:.3}, but {wrong}"));
            case.in_partition(at).from_offset(last)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;
    use crate::releases::KafkaVersion;

    fn story() -> Story {
        let mut story = Story::replicated();
        story.terms.kafka = KafkaVersion::new(3, 6);
        story.appended(1, 0, 0).appended(1, 1, 0).appended(2, 0, 0).high_watermark(1, 1);
        story
    }

    #[test]
    fn what_enough_replicas_have_is_accepted() {
        let mut story = story();
        story.acknowledging(1, 2, 1).acknowledging(1, 1, -1);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn what_too_few_have_is_rejected() {
        let mut early = story();
        early.at(400).acknowledging(1, 2, -1);
        let evidence = early.violation(&PROPERTY);
        let told = "b1 acknowledged orders-0@1 at 0.400s, but its high watermark was 1";
        assert_eq!(evidence.as_deref(), Some(told));
        let mut unwritten = story();
        unwritten.acknowledging(1, 3, 1);
        assert!(unwritten.violation(&PROPERTY).expect("").ends_with("its log end offset was 2"));
        let mut few = story();
        few.isr_known(1, &[1], 2).acknowledging(1, 1, -1);
        let told = few.violation(&PROPERTY).expect("two are asked for");
        assert!(told.ends_with("1 in-sync replicas are fewer than 2"), "{told}");
        let mut stranger = story();
        stranger.acknowledging(3, 1, 1);
        assert!(stranger.violation(&PROPERTY).is_some(), "b3 does not lead");
    }

    #[test]
    fn since_3_7_too_few_commit_nothing() {
        let mut story = story();
        story.isr_known(1, &[1], 2).high_watermark(1, 2);
        assert_eq!(story.violation(&PROPERTY), None);
        story.terms.kafka = KafkaVersion::new(3, 7);
        assert!(story.violation(&PROPERTY).is_some());
    }
}
