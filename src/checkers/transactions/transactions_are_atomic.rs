//! A transaction is committed as a whole, or not at all.

use crate::checkers::{Case, Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, ClientObservation};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "transactions-are-atomic",
    statement: "all records of a transaction lie before markers of one kind: commit markers when \
                its producer was answered that it is committed, abort markers when it was answered \
                that it is aborted, or ended without asking to commit",
    source: "KIP-98: atomic writes across partitions; Elle's G1a and lost write; X3 of the \
             catalogue of known failures",
    leaves_out: "records that were not acknowledged, whose places are not known; offsets of groups \
                 in transactions; where acknowledged records may be lost, violations are counted \
                 but permitted",
    looks_at: Subject::Transactions,
    class: Class::Safety,
};

/// Looks at markers, and at what producers are answered.
#[derive(Debug)]
pub struct TransactionsAreAtomic;

fn verb(commit: bool) -> &'static str {
    if commit { "commits" } else { "aborts" }
}

fn contradicted(event: &Event<'_>) -> Option<Case> {
    let found = event.model.transactional.contradiction()?;
    let (commit, at) = &found.marker;
    let other = match &found.other {
        Some((other, there)) => format!("the marker in {there} {} it", verb(*other)),
        None if *commit => "its producer knows it as aborted".to_owned(),
        None => "its producer was answered that it is committed".to_owned(),
    };
    let name = event.model.terms.name(found.node);
    let (id, number, verb) = (&found.id, found.number, verb(*commit));
    let what = format!(
        "the marker in {at} {verb} transaction {number} of {id}, {name}'s, and {other}, at {:.3}",
        event.time
    );
    Some(event.case_about([event.node, found.node], what).in_partition(at))
}

fn look(event: &Event<'_>, found: &mut Cases) {
    if let Some(case) = contradicted(event) {
        found.found(event.model.terms.acknowledged_loss, || case);
    }
}

impl Rule for TransactionsAreAtomic {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Client, Kind::Broker];

    fn client(event: &Event<'_>, _: &ClientObservation, found: &mut Cases) {
        look(event, found);
    }

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        if matches!(did, BrokerObservation::Transaction(_)) {
            look(event, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{
        appends, asks, begins, ends, initialized, marks, marks_in, story, unknown,
    };
    use super::*;
    use crate::checkers::testing::Story;
    use crate::history::TransactionOutcome::{Aborted, Committed};
    use crate::history::{Observation, Outcome, TransactionObservation};
    use crate::vocab::TopicPartition;

    fn second() -> TopicPartition {
        TopicPartition::new("orders", 1)
    }

    /// Transaction 0 with record 0 at orders-0@0 and record 1 at orders-1@0.
    fn in_two_partitions() -> Story {
        let mut story = story();
        initialized(&mut story, 0);
        begins(&mut story, 0);
        appends(&mut story, 1, 0, 0);
        story.acknowledged(0, 0).sent(1);
        let (at, base, last, leader_epoch, producer, epoch) = (second(), 0, 0, 0, 7, 0);
        let did =
            TransactionObservation::Appended { at, base, last, leader_epoch, producer, epoch };
        story.broker(1, BrokerObservation::Transaction(did));
        let outcome = Outcome::Produced { at: second(), offset: 0 };
        let acknowledged = ClientObservation::Completed { op: 1, outcome };
        story.told_at(Story::P0, Observation::Client(acknowledged));
        story
    }

    #[test]
    fn markers_of_one_kind_are_accepted_whenever_the_answer_comes() {
        for commit in [true, false] {
            let mut story = in_two_partitions();
            asks(&mut story, 0, commit);
            marks(&mut story, 1, 1, 0, commit);
            ends(&mut story, 0, if commit { Committed } else { Aborted });
            marks_in(&mut story, 1, (second(), 1), 0, commit);
            assert_eq!(story.violation(&PROPERTY), None);
        }
        // Nothing is known of its end, and it is aborted by its timeout.
        let mut story = in_two_partitions();
        asks(&mut story, 0, true);
        ends(&mut story, 0, unknown());
        marks(&mut story, 1, 1, 1, false);
        marks_in(&mut story, 1, (second(), 1), 1, false);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn markers_of_two_kinds_are_rejected() {
        let mut story = in_two_partitions();
        asks(&mut story, 0, true);
        marks(&mut story, 1, 1, 0, true);
        marks_in(&mut story, 1, (second(), 1), 1, false);
        let text = "the marker in orders-1 aborts transaction 0 of x, p0's, and the marker in \
                    orders-0 commits it, at 0.000s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }

    #[test]
    fn an_answer_that_is_not_true_is_rejected_whether_it_comes_before_or_after() {
        let text = "the marker in orders-0 aborts transaction 0 of x, p0's, and its producer was \
                    answered that it is committed, at 0.000s";
        for is_answered_first in [true, false] {
            let mut story = in_two_partitions();
            asks(&mut story, 0, true);
            if is_answered_first {
                ends(&mut story, 0, Committed);
            }
            marks(&mut story, 1, 1, 1, false);
            if !is_answered_first {
                ends(&mut story, 0, Committed);
            }
            assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
        }
        // KAFKA-17754: what was asked for the transaction before ends this one.
        let mut story = in_two_partitions();
        asks(&mut story, 0, false);
        marks(&mut story, 1, 1, 0, true);
        let text = "the marker in orders-0 commits transaction 0 of x, p0's, and its producer \
                    knows it as aborted, at 0.000s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }

    #[test]
    fn an_acknowledgement_that_comes_behind_the_marker_counts() {
        let mut story = story();
        initialized(&mut story, 0);
        begins(&mut story, 0);
        appends(&mut story, 1, 0, 0);
        story.sent(0);
        asks(&mut story, 0, false);
        marks(&mut story, 1, 1, 0, true);
        assert_eq!(story.violation(&PROPERTY), None, "it is not known where the record is");
        story.acknowledged(0, 0);
        assert!(story.violation(&PROPERTY).is_some());
    }

    #[test]
    fn what_a_new_leader_does_not_have_is_as_if_it_never_was() {
        let mut story = story();
        initialized(&mut story, 0);
        begins(&mut story, 0);
        appends(&mut story, 1, 0, 0);
        story.acknowledged(0, 0).appended(2, 0, 0);
        asks(&mut story, 0, true);
        // The marker is lost with b1, and comes again.
        marks(&mut story, 1, 1, 0, true);
        story.became_leader(2, 1, 1).appended(2, 1, 1);
        marks_in(&mut story, 2, (crate::checkers::testing::orders(), 1), 0, true);
        assert_eq!(story.violation(&PROPERTY), None);
    }
}
