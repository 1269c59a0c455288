//! Every replica that a leader considers in sync has what the leader considers committed.

use crate::checkers::{Case, Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::BrokerObservation;
use crate::model::replicas::{PartitionReplicas, Replica};
use crate::vocab::Offset;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "leader-isr-has-committed",
    statement: "every replica in the ISR that a leader knows has the same records as the leader \
                below the leader's high watermark",
    source: "kafka-specification: WeakIsr",
    leaves_out: "replicas whose disk lost records, until they have them again; leaders from \
                 before an unclean election or a loss; before 2.1 (KIP-320) it is counted but \
                 permitted; records older than the last thousands of committed batches",
    looks_at: Subject::Leaders,
    class: Class::Safety,
};

/// Compares leaders with the ISR that they know.
#[derive(Debug)]
pub struct LeaderIsrHasCommitted;

/// The case of a replica in the ISR that has a leader's log only below `same`.
pub(super) fn lacks(
    event: &Event<'_>,
    partition: &PartitionReplicas,
    (leader, replica, same): (&Replica, &Replica, Offset),
    which_isr: &str,
) -> Case {
    let (terms, at, time) = (&event.model.terms, &partition.at, event.time);
    let (leads, lacks) = (terms.name(leader.node), terms.name(replica.node));
    let case = event.case_about(
        [leader.node, replica.node],
        format!(
            "{lacks}, in the ISR {which_isr}, lacks {at}@{same}, which is below the high \
             watermark {} of {leads} at {time:.3}",
            leader.high_watermark
        ),
    );
    let end = replica.log.map_or(0, |log| log.end);
    let because = [
        format!("{leads} leads epoch {}", leader.leader_epoch),
        format!("{lacks} is in epoch {} with log end offset {end}", replica.leader_epoch),
    ];
    case.in_partition(at).from_offset(same).because(because)
}

fn compare(event: &Event<'_>, partition: &PartitionReplicas, leader: &Replica, found: &mut Cases) {
    let (Some(lead), Some(log)) = (leader.lead(), partition.comparable(leader)) else { return };
    let Some((replica, same)) = partition.lacking(&lead.isr, log) else { return };
    found.found(event.model.terms.disagreement(), || {
        let of_leader = format!("of {}", event.model.terms.name(leader.node));
        lacks(event, partition, (leader, replica, same), &of_leader)
    });
}

impl Rule for LeaderIsrHasCommitted {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let Some((partition, replica, _)) = event.model.replicas.replica() else { return };
        match did {
            BrokerObservation::HighWatermark { .. } | BrokerObservation::IsrKnown { .. } => {
                compare(event, partition, replica, found);
            }
            BrokerObservation::Truncated { .. } => {
                partition.replicas.iter().for_each(|one| compare(event, partition, one, found));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::Story;
    use crate::model::Permission;
    use crate::releases::KafkaVersion;

    #[test]
    fn followers_that_have_what_is_committed_are_accepted() {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(2, 0, 0).high_watermark(1, 1).appended(1, 1, 0);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_follower_in_sync_without_a_committed_record_is_rejected() {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).at(700).high_watermark(1, 1);
        let evidence = story.violation(&PROPERTY).expect("b2 has nothing");
        assert_eq!(
            evidence,
            "b2, in the ISR of b1, lacks orders-0@0, which is below the high watermark 1 of b1 at \
             0.700s"
        );
        story.terms.kafka = KafkaVersion::new(2, 0);
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
    }

    #[test]
    fn a_follower_that_truncates_what_is_committed_is_rejected_and_one_whose_disk_lost_it_is_not() {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(2, 0, 0).high_watermark(1, 1);
        let mut lost = story.clone();
        story.truncated(2, 1, 0);
        assert!(story.violation(&PROPERTY).is_some());
        lost.loaded(2, 0).high_watermark(1, 1).appended(1, 1, 0).isr_known(1, &[1, 2], 1);
        assert_eq!(lost.violation(&PROPERTY), None);
    }
}
