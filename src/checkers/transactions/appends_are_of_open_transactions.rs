//! A transaction that a log holds is one that its coordinator has, too.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, TransactionObservation, TransactionState};
use crate::model::Permission;
use crate::model::transactional::coordinators::Known;
use crate::model::transactional::logs::{Appended, Open};
use crate::releases::Change;
use crate::vocab::{Time, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "appends-are-of-open-transactions",
    statement: "a leader appends the first record of a transaction only while the coordinator has \
                that transaction, with that epoch of its producer and that partition, and until \
                the marker comes: else nothing ever ends it",
    source: "KIP-890, KAFKA-14402, KAFKA-14884 (hanging transactions); X4 of the catalogue of \
             known failures",
    leaves_out: "before 3.6 (KIP-890) leaders do not ask the coordinator: such records are counted \
                 but permitted; producer ids that are of no transactional id; a leader whose \
                 transaction.partition.verification.enable is false",
    looks_at: Subject::Transactions,
    class: Class::Safety,
};

/// Looks at what leaders append.
#[derive(Debug)]
pub struct AppendsAreOfOpenTransactions;

/// Why a transaction that begins in a partition is none of the coordinator's, if so.
fn why(known: &Known, open: &Open, at: &TopicPartition, marker: Option<Time>) -> Option<String> {
    let now = &known.now;
    let is_going_on = now.state == TransactionState::Ongoing || now.state.is_ending();
    let is_it = (now.producer, now.epoch) == (open.producer, open.epoch)
        || (now.state == TransactionState::PrepareAbort && now.producer == open.producer);
    if !is_it || !is_going_on {
        return Some(format!("is {now}"));
    }
    if !now.partitions.contains(at) {
        return Some(format!("does not have that partition: {now}"));
    }
    // It is being ended, and has ended here.
    let has_marker = marker.is_some_and(|marker| marker > known.ongoing_since);
    (now.state.is_ending() && has_marker)
        .then(|| format!("is {now}, and the partition has its marker"))
}

impl Rule for AppendsAreOfOpenTransactions {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::Transaction(TransactionObservation::Appended { at, .. }) = did
        else {
            return;
        };
        let transactional = &event.model.transactional;
        let Some(Appended::Begins(open)) = transactional.logs.latest() else { return };
        let Some((id, known)) = transactional.coordinators.of_producer(open.producer) else {
            return;
        };
        let marker = transactional.logs.last_marker(at, open.producer);
        let Some(why) = why(known, open, at, marker) else { return };
        let permission = match event.model.terms.kafka.has(Change::TransactionsVerified) {
            true => event.model.terms.acknowledged_loss,
            false => Permission::Permitted,
        };
        found.found(permission, || {
            let Open { producer, epoch, first, .. } = open;
            event
                .node_did(format!(
                    "began a transaction of producer {producer} in epoch {epoch} at {at}@{first}, \
                     and transactional id {id} {why}"
                ))
                .in_partition(at)
                .from_offset(*first)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{appends, marks, story, writes};
    use super::*;
    use crate::checkers::Verdict;
    use crate::history::TransactionState::{
        CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit,
    };

    #[test]
    fn records_come_while_the_coordinator_has_the_transaction() {
        let mut story = story();
        for first in [0, 2] {
            writes(story.at(1_000 + first), 1, Ongoing, 0);
            appends(&mut story, 1, first as i64, 0);
            writes(&mut story, 1, PrepareCommit, 0);
            marks(&mut story, 1, first as i64 + 1, 0, true);
            writes(&mut story, 1, CompleteCommit, 0);
        }
        // One that is on its way while its transaction is aborted for its timeout: the marker comes behind it.
        writes(story.at(2_000), 1, Ongoing, 0);
        writes(&mut story, 1, PrepareAbort, 1);
        appends(&mut story, 1, 4, 0);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn a_record_that_comes_behind_the_marker_hangs() {
        let mut story = story();
        writes(&mut story, 1, Empty, 0);
        writes(story.at(1_000), 1, Ongoing, 0);
        writes(story.at(2_000), 1, PrepareAbort, 0);
        marks(story.at(2_100), 1, 0, 0, false);
        let mut early = story.clone();
        appends(early.at(2_200), 1, 1, 0);
        let text = "b1 began a transaction of producer 7 in epoch 0 at orders-0@1, and \
                    transactional id x is PrepareAbort, producer 7 in epoch 0, partitions \
                    orders-0, and the partition has its marker, at 2.200s";
        assert_eq!(early.violation(&PROPERTY).as_deref(), Some(text));
        writes(story.at(2_200), 1, CompleteAbort, 0);
        appends(story.at(2_300), 1, 1, 0);
        let text = "b1 began a transaction of producer 7 in epoch 0 at orders-0@1, and \
                    transactional id x is CompleteAbort, producer 7 in epoch 0, at 2.300s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
        // Before KIP-890 that happens.
        story.terms.kafka = "3.5".parse().expect("a release");
        let judgement = story.judgement();
        let judged = judgement.judged(&PROPERTY);
        assert!(matches!(judged.verdict, Verdict::Violated(_)));
        assert_eq!(judged.permission, Permission::Permitted);
    }
}
