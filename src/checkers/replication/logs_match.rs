//! Two logs with the same record at one offset are the same below it.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::BrokerObservation;
use crate::model::Permission;
use crate::model::replicas::Replica;
use crate::releases::Truncation;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "logs-match",
    statement: "two replicas that have a record of the same leader epoch at the same offset have \
                the same records up to it",
    source: "KIP-101, KIP-279: what the leader epoch in a batch is for; Raft: log matching",
    leaves_out: "records older than the last thousands of committed batches; counted but \
                 permitted: logs that diverge in an epoch whose leader lost records in a power \
                 loss and continued to lead it without an election (a restart that the controller \
                 did not see; fixed by KIP-966); before 2.1 (KIP-320) any, as truncation in those \
                 releases allows it",
    looks_at: Subject::Leaders,
    class: Class::Safety,
};

/// Compares what was appended with the other logs.
#[derive(Debug)]
pub struct LogsMatch;

impl Rule for LogsMatch {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::Appended { base, leader_epoch, .. } = did else { return };
        let Some((partition, replica, _)) = event.model.replicas.replica() else { return };
        let (logs, at) = (&partition.logs, &partition.at);
        let Some(log) = replica.log.filter(|log| !logs.is_one() && !logs.is_folded(*log)) else {
            return;
        };
        let differing = |other: &Replica| {
            let theirs = other.log.filter(|theirs| !logs.is_folded(*theirs))?;
            let (batch, _) = logs.holding(theirs, *base)?;
            (batch.leader_epoch == *leader_epoch && !logs.holds(theirs, log)).then_some(theirs)
        };
        let mut others = partition.replicas.iter().filter(|other| other.node != event.node);
        let differs = others.find_map(|other| Some((other, differing(other)?)));
        let Some((other, theirs)) = differs else { return };
        let kafka = event.model.terms.kafka;
        let permitted = kafka.truncation() < Truncation::Kip320
            || partition.part_in_reused_epoch(kafka, log, theirs);
        found.found(if permitted { Permission::Permitted } else { Permission::Forbidden }, || {
            let name = |one: &Replica| event.model.terms.name(one.node);
            let epoch = |one: &Replica| format!("{} is in epoch {}", name(one), one.leader_epoch);
            let same = logs.common(theirs, log).end;
            let what = format!(
                "{} and {} both have {at}@{base} of epoch {leader_epoch} at {:.3}, but differ from \
                 offset {same}",
                name(replica),
                name(other),
                event.time
            );
            let case = event.case_about([event.node, other.node], what);
            case.in_partition(at).from_offset(same).because([epoch(replica), epoch(other)])
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

    #[test]
    fn logs_that_part_in_different_epochs_are_accepted() {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(2, 0, 0).appended(1, 1, 0).appended(2, 1, 1);
        assert_eq!(story.violation(&PROPERTY), None);
        story.truncated(1, 2, 1).appended(1, 1, 1).appended(2, 2, 1).appended(1, 2, 1);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn logs_that_meet_again_above_a_difference_are_rejected() {
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(2, 0, 0).appended(1, 1, 0).appended(2, 1, 1);
        story.at(3_000).appended(2, 2, 2).appended(1, 2, 2);
        let evidence = story.violation(&PROPERTY).expect("they differ at 1");
        assert_eq!(
            evidence,
            "b1 and b2 both have orders-0@2 of epoch 2 at 3.000s, but differ from offset 1"
        );
    }
    #[test]
    fn logs_that_part_where_a_leader_lost_records_are_permitted_if_it_led_on_in_its_epoch() {
        for (epoch, permission) in [(0, Permission::Permitted), (1, Permission::Forbidden)] {
            let mut story = Story::replicated();
            story.appended(1, 0, 0).appended(2, 0, 0).appended(1, 1, 0).appended(2, 1, 0);
            story.loaded(1, 1).became_leader(1, epoch, 1).appended_other(1, 1, epoch);
            story.appended(1, 2, epoch).appended(2, 2, epoch);
            assert!(story.violation(&PROPERTY).is_some(), "they differ at 1");
            assert_eq!(story.judgement().judged(&PROPERTY).permission, permission);
        }
    }

    #[test]
    fn the_other_log_may_be_of_an_older_epoch_there() {
        // 3.9, seed 69 of leader_back_in_its_epoch: the leader lost the beginning of its epoch, too.
        let mut story = Story::replicated();
        story.appended(1, 0, 0).appended(2, 0, 0).appended(1, 1, 0).appended(2, 1, 0);
        story.became_leader(1, 1, 2).loaded(1, 1).became_leader(1, 1, 1);
        story.appended(1, 1, 1).appended(1, 2, 1).appended(2, 2, 1);
        assert!(story.violation(&PROPERTY).is_some(), "they differ at 1");
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Permitted);
    }
}
