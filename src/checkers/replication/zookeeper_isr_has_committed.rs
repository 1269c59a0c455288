//! Every replica that ZooKeeper lists as in sync has what a leader considers committed.

use crate::checkers::replication::leader_isr_has_committed::lacks;
use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, ZooKeeperObservation};
use crate::model::Permission;
use crate::model::replicas::{PartitionReplicas, Replica};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "zookeeper-isr-has-committed",
    statement: "every replica in the ISR in ZooKeeper has the same records as a leader below the \
                leader's high watermark",
    source: "kafka-specification: StrongIsr; KIP-497: a high watermark over the maximal in-sync \
             replicas",
    leaves_out: "replicas whose disk lost records, until they have them again; leaders from \
                 before an unclean election or a loss; before 2.1 (KIP-320), and before 2.7 \
                 (KIP-497) of a leader that got no response to its ISR expansion, it is counted \
                 but permitted; records older than the last thousands of committed batches",
    looks_at: Subject::Leaders,
    class: Class::Safety,
};

/// Compares leaders with the ISR in ZooKeeper.
#[derive(Debug)]
pub struct ZooKeeperIsrHasCommitted;

fn compare(event: &Event<'_>, partition: &PartitionReplicas, leader: &Replica, found: &mut Cases) {
    let Some(log) = partition.comparable(leader) else { return };
    let Some(state) = &partition.state else { return };
    let Some((replica, same)) = partition.lacking(&state.isr, log) else { return };
    let terms = &event.model.terms;
    let missed = partition.missed_a_join(terms.kafka, leader.leader_epoch);
    let permission = if missed { Permission::Permitted } else { terms.disagreement() };
    found.found(permission, || {
        let isr = terms.broker_names(&state.isr).join(" ");
        let since = format!("the ISR in ZooKeeper was {isr} since {:.3}", state.time);
        lacks(event, partition, (leader, replica, same), "in ZooKeeper").because([since])
    });
}

fn compare_all(event: &Event<'_>, found: &mut Cases) {
    let Some(partition) = event.model.replicas.current() else { return };
    partition.replicas.iter().for_each(|leader| compare(event, partition, leader, found));
}

impl Rule for ZooKeeperIsrHasCommitted {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker, Kind::ZooKeeper];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        match did {
            BrokerObservation::HighWatermark { .. } => {
                let Some((partition, replica, _)) = event.model.replicas.replica() else { return };
                compare(event, partition, replica, found);
            }
            BrokerObservation::Truncated { .. } => compare_all(event, found),
            _ => {}
        }
    }

    fn zookeeper(event: &Event<'_>, _: &ZooKeeperObservation, found: &mut Cases) {
        compare_all(event, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;
    use crate::checkers::{Status, Verdict};
    use crate::releases::KafkaVersion;

    #[test]
    fn replicas_that_may_be_elected_with_what_is_committed_are_accepted() {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(2, 0, 0).high_watermark(1, 1).stored(Some(1), 0, &[1], 1);
        story.isr_known(1, &[1], 1).appended(1, 1, 0).high_watermark(1, 2);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_high_watermark_over_a_shrink_that_is_not_in_zookeeper_is_rejected() {
        let mut story = Story::replicated();
        story.isr_known(1, &[1], 1).appended(1, 0, 0).at(900).high_watermark(1, 1);
        let evidence = story.violation(&PROPERTY).expect("b2 may be elected");
        assert_eq!(
            evidence,
            "b2, in the ISR in ZooKeeper, lacks orders-0@0, which is below the high watermark 1 of \
             b1 at 0.900s"
        );
    }

    #[test]
    fn before_2_7_a_leader_without_a_response_to_its_expansion_may_go_on() {
        // fast_elections_2_4, seed 394.
        for (kafka, status) in [((2, 4), Status::Held), ((2, 7), Status::Violated)] {
            let mut story = Story::replicated();
            story.terms.kafka = KafkaVersion::new(kafka.0, kafka.1);
            story.stored(Some(1), 0, &[1], 1).isr_known(1, &[1], 1).isr_wanted(1, &[1], &[1, 2], 1);
            story.stored(Some(1), 0, &[1, 2], 1).isr_known(1, &[1], 1);
            story.appended(1, 0, 0).high_watermark(1, 1);
            assert!(story.violation(&PROPERTY).is_some(), "{kafka:?}");
            assert_eq!(story.judgement().judged(&PROPERTY).status(), status, "{kafka:?}");
        }
    }

    #[test]
    fn a_replica_that_joins_without_what_is_committed_is_rejected() {
        let mut story = Story::replicated();
        story.stored(Some(1), 0, &[1], 1).isr_known(1, &[1], 1);
        story.appended(1, 0, 0).high_watermark(1, 1);
        assert_eq!(story.violation(&PROPERTY), None);
        story.stored(Some(1), 0, &[1, 2], 1);
        assert!(story.violation(&PROPERTY).is_some());
    }
}
