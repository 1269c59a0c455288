//! Two logs with the same record at one offset are the same below it.

use super::branches::{Batch, Point};
use super::replicas::Partition;
use super::{Books, Case, Cases, Checker, Class, Judged, Permission, Property};
use crate::history::BrokerObservation;
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "logs-match",
    statement: "two replicas that have a record of the same leader epoch at the same offset have \
                the same records up to it",
    source: "KIP-101, KIP-279: what the leader epoch in a batch is for; Raft: log matching",
    leaves_out: "records longer ago than the last thousands of committed batches; an epoch that \
                 began on a log which had lost records of it to its disk; before 2.1 (KIP-320) it \
                 is counted but permitted, as the release's own truncation lets it happen",
    class: Class::Safety,
};

/// The logs that differ.
#[derive(Clone, Debug, Default)]
pub struct LogsMatch {
    cases: Cases,
}

/// A replica with another history of what was just appended, and up to where the two agree.
fn other_history(
    partition: &Partition,
    node: NodeId,
    (log, appended): (Point, Batch),
) -> Option<(NodeId, i64)> {
    let others = partition.replicas.iter().filter(|other| other.node != node);
    others.filter(|other| other.torn.is_none()).find_map(|other| {
        let theirs = other.log.filter(|theirs| !partition.logs.is_folded(*theirs))?;
        let (batch, _) = partition.logs.holding(theirs, appended.base)?;
        let differs =
            batch.leader_epoch == appended.leader_epoch && !partition.logs.holds(theirs, log);
        differs.then(|| (other.node, partition.logs.common(theirs, log).end))
    })
}

impl Checker for LogsMatch {
    fn broker(&mut self, books: &Books, time: Time, node: NodeId, told: &BrokerObservation) {
        let &BrokerObservation::Appended { base, last, leader_epoch, checksum, .. } = told else {
            return;
        };
        let Some((partition, replica, _)) = books.replicas.replica() else { return };
        if partition.logs.is_one() {
            return;
        }
        let Some(log) = replica.log.filter(|log| !partition.logs.is_folded(*log)) else { return };
        let appended = Batch { base, last, leader_epoch, checksum };
        let Some((other, same)) = other_history(partition, node, (log, appended)) else { return };
        let torn = partition.torn_epoch == Some(leader_epoch) || replica.torn.is_some();
        let permission = if torn { Permission::Permitted } else { books.terms.disagreement() };
        self.cases.found(permission, || {
            let (at, terms) = (&partition.at, &books.terms);
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
            case.because([goes(node), goes(other)]).after_faults(&books.faults)
        });
    }

    fn judge(&self, _: &Books, _: Time) -> Judged {
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
}
