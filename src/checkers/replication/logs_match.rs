//! Two logs with the same record at one offset are the same below it.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property};
use crate::history::BrokerObservation;
use crate::model::log_tree::{Batch, Point};
use crate::model::replicas::Partition;
use crate::model::{Model, Permission};
use crate::releases::Truncation;
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "logs-match",
    statement: "two replicas that have a record of the same leader epoch at the same offset have \
                the same records up to it",
    source: "KIP-101, KIP-279: what the leader epoch in a batch is for; Raft: log matching",
    leaves_out: "records longer ago than the last thousands of committed batches; counted but \
                 permitted: logs that part in an epoch in which a leader led on after it had lost \
                 records with the power, as no election came between (a restart that the \
                 controller did not see; KIP-966 ends it); before 2.1 (KIP-320) any, as the \
                 release's own truncation lets it happen",
    class: Class::Safety,
};

/// The logs that differ.
#[derive(Clone, Debug, Default)]
pub struct LogsMatch {
    cases: Cases,
}

/// A replica with another history of what was just appended, and its log.
fn other_history(
    partition: &Partition,
    node: NodeId,
    (log, appended): (Point, Batch),
) -> Option<(NodeId, Point)> {
    let mut others = partition.replicas.iter().filter(|other| other.node != node);
    others.find_map(|other| {
        let theirs = other.log.filter(|theirs| !partition.logs.is_folded(*theirs))?;
        let (batch, _) = partition.logs.holding(theirs, appended.base)?;
        let differs =
            batch.leader_epoch == appended.leader_epoch && !partition.logs.holds(theirs, log);
        differs.then_some((other.node, theirs))
    })
}

/// Whether two logs may part where they do.
fn permission(model: &Model, partition: &Partition, (one, other): (Point, Point)) -> Permission {
    let kafka = model.terms.kafka;
    let by_release = kafka.truncation() < Truncation::Kip320;
    match by_release || partition.part_in_reused_epoch(kafka, one, other) {
        true => Permission::Permitted,
        false => Permission::Forbidden,
    }
}

impl Checker for LogsMatch {
    fn broker(&mut self, model: &Model, time: Time, node: NodeId, told: &BrokerObservation) {
        let &BrokerObservation::Appended { base, last, leader_epoch, checksum, .. } = told else {
            return;
        };
        let Some((partition, replica, _)) = model.replicas.replica() else { return };
        if partition.logs.is_one() {
            return;
        }
        let Some(log) = replica.log.filter(|log| !partition.logs.is_folded(*log)) else { return };
        let appended = Batch { base, last, leader_epoch, checksum };
        let Some((other, theirs)) = other_history(partition, node, (log, appended)) else { return };
        let permission = permission(model, partition, (log, theirs));
        let same = partition.logs.common(theirs, log).end;
        self.cases.found(permission, || {
            let (at, terms) = (&partition.at, &model.terms);
            let (this, other_name) = (terms.name(node), terms.name(other));
            let what = format!(
                "{this} and {other_name} both have {at}@{base} of epoch {leader_epoch} at \
                 {time:.3}, but differ from {same} on"
            );
            let goes = |node: NodeId| {
                let replica = partition.replicas.iter().find(|replica| replica.node == node);
                let epoch = replica.map_or(-1, |replica| replica.leader_epoch);
                format!("{} goes by epoch {epoch}", terms.name(node))
            };
            let case = Case::new(at, time, what).from_offset(same).about(terms, [node, other]);
            case.because([goes(node), goes(other)]).after_faults(&model.faults)
        });
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        PROPERTY.given(self.cases.verdict())
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
            "b1 and b2 both have orders-0@2 of epoch 2 at 3.000s, but differ from 1 on"
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
