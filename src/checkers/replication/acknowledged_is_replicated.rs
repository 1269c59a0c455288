//! A leader acknowledges only what as many replicas have as the producer asked for.

use crate::checkers::{Case, Checker, Class, FirstCase, Judged, Property, Verdict};
use crate::history::BrokerObservation;
use crate::model::Model;
use crate::model::replicas::{Before, Lead, Partition, Replica};
use crate::releases::Change;
use crate::vocab::{NodeId, Offset, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "acknowledged-is-replicated",
    statement: "a leader acknowledges with acks=1 what is in its log, and with acks=all what is \
                below its high watermark while min.insync.replicas are in sync; since 3.7 its high \
                watermark moves only while they are",
    source: "Kafka documentation, acks and min.insync.replicas; KAFKA-15583",
    leaves_out: "acks=0; a min.insync.replicas above the number of replicas, which counts as that \
                 number; whether the replicas have it, see isr-of-leader-agrees",
    class: Class::Safety,
};

/// The first acknowledgement that came too early.
#[derive(Clone, Debug, Default)]
pub struct AcknowledgedIsReplicated {
    first: FirstCase,
}

/// The least number of in-sync replicas, by the scenario if it names the topic, else by the leader itself.
fn least(model: &Model, partition: &Partition, lead: &Lead) -> usize {
    let replicas = partition.assignment.len();
    let configured = model.terms.topic(&partition.at.topic).filter(|_| replicas > 0);
    let least = configured.map_or(lead.min, |topic| topic.min_insync_replicas);
    let least = usize::try_from(least).unwrap_or(usize::MAX);
    if replicas > 0 { least.min(replicas) } else { least }
}

fn too_early(
    model: &Model,
    (partition, replica): (&Partition, &Replica),
    (end, acks): (Offset, i16),
) -> Option<String> {
    let Some(lead) = replica.lead() else { return Some("it does not lead".into()) };
    let log_end = replica.log.map_or(end, |log| log.end);
    if log_end < end {
        return Some(format!("its log ends at {log_end}"));
    }
    if acks >= 0 {
        return None;
    }
    if replica.high_watermark < end {
        return Some(format!("its high watermark is {}", replica.high_watermark));
    }
    let (least, in_sync) = (least(model, partition, lead), lead.maximal.len());
    (in_sync < least).then(|| format!("{in_sync} in sync are fewer than {least}"))
}

fn moved_too_early(
    model: &Model,
    (partition, replica, before): (&Partition, &Replica, Before),
) -> Option<String> {
    if !model.terms.kafka.has(Change::HighWatermarkHeldBelowMinIsr)
        || replica.high_watermark <= before.high_watermark
    {
        return None;
    }
    let lead = replica.lead()?;
    let (least, in_sync) = (least(model, partition, lead), lead.isr.len());
    (in_sync < least).then(|| format!("{in_sync} in sync are fewer than {least}"))
}

impl Checker for AcknowledgedIsReplicated {
    fn broker(&mut self, model: &Model, time: Time, node: NodeId, told: &BrokerObservation) {
        let (at, up_to, did) = match told {
            BrokerObservation::Acknowledging { at, end, .. } => (at, *end, "acknowledged"),
            BrokerObservation::HighWatermark { at, offset } => (at, *offset, "committed"),
            _ => return,
        };
        let Some((partition, replica, before)) = model.replicas.replica() else { return };
        let wrong = match told {
            BrokerObservation::Acknowledging { end, acks, .. } => {
                too_early(model, (partition, replica), (*end, *acks))
            }
            _ => moved_too_early(model, (partition, replica, before)),
        };
        let Some(wrong) = wrong else { return };
        self.first.found(|| {
            let (name, last) = (model.terms.name(node), up_to - 1);
            let what = format!("{name} {did} {at}@{last} at {time:.3}, but {wrong}");
            let case = Case::new(at, time, what).from_offset(last).about(&model.terms, [node]);
            case.after_faults(&model.faults)
        });
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.forbidden(Verdict::from_evidence(self.first.evidence()))
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
        let told = "b1 acknowledged orders-0@1 at 0.400s, but its high watermark is 1";
        assert_eq!(evidence.as_deref(), Some(told));
        let mut unwritten = story();
        unwritten.acknowledging(1, 3, 1);
        assert!(unwritten.violation(&PROPERTY).expect("").ends_with("its log ends at 2"));
        let mut few = story();
        few.isr_known(1, &[1], 2).acknowledging(1, 1, -1);
        let told = few.violation(&PROPERTY).expect("two are asked for");
        assert!(told.ends_with("1 in sync are fewer than 2"), "{told}");
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
