//! What a transaction coordinator has written stays so.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, TransactionSnapshot, TransactionState};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "coordinator-decisions-are-kept",
    statement: "a transactional id goes from state to state as Kafka allows it, also across a \
                change of its coordinator: what is to be committed is never aborted, what is \
                to be aborted never committed, and the epoch of a producer never decreases",
    source: "TransactionState.validPreviousStates, TransactionMetadata.prepareTransitionTo; \
             KIP-98: the log of transactions is the record of decisions",
    leaves_out: "what a former coordinator writes after the next one has loaded, which is not \
                 replicated; ids without a transaction that expired; where acknowledged records \
                 may be lost, violations are counted but permitted",
    looks_at: Subject::Transactions,
    class: Class::Safety,
};

/// Looks at what coordinators write and load.
#[derive(Debug)]
pub struct CoordinatorDecisionsAreKept;

/// Whether one state may follow another within one producer id.
fn follows(before: &TransactionSnapshot, now: &TransactionSnapshot) -> bool {
    use TransactionState as S;
    let is_same = now.epoch == before.epoch;
    match (before.state, now.state) {
        (S::Ongoing, S::Ongoing) => {
            is_same && before.partitions.iter().all(|at| now.partitions.contains(at))
        }
        (S::Ongoing, S::PrepareCommit)
        | (S::PrepareCommit, S::CompleteCommit)
        | (S::PrepareAbort, S::CompleteAbort)
        | (S::Empty | S::CompleteCommit | S::CompleteAbort, S::Ongoing) => is_same,
        // The abort of a timeout, or for another producer, has the next epoch.
        (S::Ongoing, S::PrepareAbort)
        | (S::Empty | S::CompleteCommit | S::CompleteAbort, S::Empty) => now.epoch >= before.epoch,
        _ => false,
    }
}

/// What is wrong with a change, if anything is.
fn is_wrong(
    before: &TransactionSnapshot,
    now: Option<&TransactionSnapshot>,
    is_loaded: bool,
) -> bool {
    let has_transaction = before.state == TransactionState::Ongoing || before.state.is_ending();
    let Some(now) = now else { return has_transaction };
    if is_loaded
        && (now.producer, now.epoch, now.state) == (before.producer, before.epoch, before.state)
    {
        return false;
    }
    if now.producer != before.producer {
        // Its epochs were used up, or it expired and came again.
        return has_transaction || now.state != TransactionState::Empty;
    }
    !follows(before, now)
}

impl Rule for CoordinatorDecisionsAreKept {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::Transaction(_) = did else { return };
        let Some(step) = event.model.transactional.coordinators.latest() else { return };
        let Some(before) = &step.before else { return };
        if !is_wrong(before, step.now.as_ref(), step.is_loaded) {
            return;
        }
        found.found(event.model.terms.acknowledged_loss, || {
            let (id, verb) = (&step.id, if step.is_loaded { "loaded" } else { "wrote" });
            event.node_did(match &step.now {
                Some(now) => {
                    format!("{verb} transactional id {id} as {now}, which was {before}")
                }
                None => format!("loaded no transactional id {id}, which was {before}"),
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{loads, story, writes};
    use super::*;
    use TransactionState::{
        CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit,
    };

    #[test]
    fn a_life_of_a_transactional_id_is_accepted_across_coordinators() {
        let mut story = story();
        for (state, epoch) in [
            (Empty, 0),
            (Ongoing, 0),
            (Ongoing, 0),
            (PrepareCommit, 0),
            (CompleteCommit, 0),
            (Ongoing, 0),
            (PrepareAbort, 1),
        ] {
            writes(&mut story, 1, state, epoch);
        }
        loads(&mut story, 2, Some((PrepareAbort, 1)));
        // A former coordinator learns late that this is written.
        writes(&mut story, 1, PrepareAbort, 1);
        writes(&mut story, 2, CompleteAbort, 1);
        writes(&mut story, 2, Empty, 2);
        // It wrote that, and did not learn it.
        loads(&mut story, 3, Some((Ongoing, 2)));
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn a_decision_that_is_turned_around_is_rejected() {
        for (then, text) in [
            (Some((PrepareAbort, 1)), "b2 loaded transactional id x as PrepareAbort, producer 7"),
            (Some((Ongoing, 0)), "b2 loaded transactional id x as Ongoing, producer 7"),
            (None, "b2 loaded no transactional id x, which was PrepareCommit, producer 7"),
        ] {
            let mut story = story();
            writes(&mut story, 1, Ongoing, 0);
            writes(&mut story, 1, PrepareCommit, 0);
            loads(&mut story, 2, then);
            let found = story.violation(&PROPERTY).expect("it is wrong");
            assert!(found.starts_with(text), "{found}");
        }
        let mut story = story();
        writes(&mut story, 1, PrepareCommit, 0);
        writes(&mut story, 1, CompleteAbort, 0);
        assert!(story.violation(&PROPERTY).is_some());
    }

    /// A broker loads what lies above its high watermark, and crashes before others have it.
    #[test]
    fn what_was_loaded_and_never_written_may_be_lost() {
        let mut story = story();
        writes(&mut story, 1, Ongoing, 0);
        loads(&mut story, 2, Some((PrepareCommit, 0)));
        let mut lost = story.clone();
        loads(&mut lost, 3, Some((Ongoing, 0)));
        writes(&mut lost, 3, PrepareAbort, 1);
        assert_eq!(lost.violation(&PROPERTY), None);
        writes(&mut story, 2, CompleteCommit, 0);
        loads(&mut story, 3, Some((PrepareCommit, 0)));
        assert!(story.violation(&PROPERTY).is_some());
    }

    #[test]
    fn an_epoch_does_not_decrease() {
        let mut story = story();
        writes(&mut story, 1, Empty, 3);
        writes(&mut story, 1, Empty, 2);
        let text = "b1 wrote transactional id x as Empty, producer 7 in epoch 2, which was Empty, \
                    producer 7 in epoch 3, at 0.000s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }
}
