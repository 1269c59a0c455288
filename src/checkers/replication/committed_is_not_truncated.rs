//! No replica truncates committed records.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject, offsets};
use crate::history::BrokerObservation;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "committed-is-not-truncated",
    statement: "a replica that has every committed record truncates none of them",
    source: "KIP-101, KIP-279, KIP-320: a log is truncated only to where it diverges",
    leaves_out: "replicas that already lacked committed records; records lost with an unclean \
                 leader or a leader that lost records in a power loss, see committed-is-durable; \
                 before 2.1 (KIP-320) it is counted but permitted; records older than the last \
                 thousands of committed batches",
    looks_at: Subject::Leaders,
    class: Class::Safety,
};

/// Looks at truncations.
#[derive(Debug)]
pub struct CommittedIsNotTruncated;

impl Rule for CommittedIsNotTruncated {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::Truncated { at, from, to } = did else { return };
        let Some((partition, replica, before)) = event.model.replicas.replica() else { return };
        let (committed, logs) = (partition.committed, &partition.logs);
        let had = before.log.filter(|log| !logs.is_folded(*log) && logs.holds(*log, committed));
        if had.is_none() || *to >= committed.end {
            return;
        }
        found.found(event.model.terms.disagreement(), || {
            let (name, time) = (event.name(), event.time);
            let (cut, were, _) = offsets(*to, committed.end);
            let case = event
                .case(format!("{name} truncated {at} {cut} at {time:.3}, which {were} committed"));
            let because = format!(
                "{name} was in epoch {} with log end offset {from} and high watermark {}",
                replica.leader_epoch, before.high_watermark
            );
            case.in_partition(at).from_offset(*to).because([because])
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;
    use crate::model::Permission;
    use crate::releases::KafkaVersion;

    fn story() -> Story {
        let mut story = Story::replicated();
        for offset in 0..3 {
            story.appended(1, offset, 0).appended(2, offset, 0);
        }
        story.high_watermark(1, 2);
        story
    }

    #[test]
    fn a_truncation_of_what_was_not_committed_is_accepted() {
        let mut story = story();
        story.truncated(2, 3, 2);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn a_truncation_of_what_was_committed_is_rejected_and_permitted_to_old_releases() {
        let mut story = story();
        story.at(12_011).truncated(2, 3, 1);
        assert_eq!(
            story.violation(&PROPERTY).as_deref(),
            Some("b2 truncated orders-0 offset 1 at 12.011s, which was committed")
        );
        story.terms.kafka = KafkaVersion::new(0, 10);
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
    }
}
