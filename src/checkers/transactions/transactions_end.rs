//! In the end, no transaction is open.

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property, Subject};
use crate::model::{Lack, Missing, Model, Permission};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "transactions-end",
    statement: "when a run ends, no leader's log has an open transaction: its producer has ended \
                it, or its coordinator has aborted it when it was over its timeout, so that the \
                last stable offset does not stay behind",
    source: "KIP-98: transaction.timeout.ms; L8 of the catalogue of known failures",
    leaves_out: "how long it took; transactions of producer ids that are of no transactional id. \
                 Permitted: one that the coordinator does not have, before 3.6 (hanging \
                 transactions, KIP-890)",
    looks_at: Subject::Transactions,
    class: Class::Liveness,
};

/// Judges by what the model holds in the end.
#[derive(Clone, Copy, Debug)]
pub struct TransactionsEnd;

impl Checker for TransactionsEnd {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let mut cases = Cases::default();
        for Lack { missing, limit } in model.lacks() {
            let Missing::TransactionEnd(at, open) = missing else { continue };
            let permission =
                if limit.is_some() { Permission::Permitted } else { Permission::Forbidden };
            cases.found(permission, || {
                let known = model.transactional.coordinators.of_producer(open.producer);
                let coordinator = known.map(|(id, known)| {
                    format!("transactional id {id} is {} since {:.3}", known.now, known.since)
                });
                let what = format!(
                    "a transaction of producer {} in epoch {} is open in {at} from offset {} on, \
                     since {:.3}",
                    open.producer, open.epoch, open.first, open.since
                );
                let because = coordinator.into_iter().chain(limit);
                Case::new(&at, end, what).from_offset(open.first).because(because)
            });
        }
        PROPERTY.given(cases.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{appends, marks, story, writes};
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::rejects;
    use crate::history::Election;
    use crate::history::TransactionState::{CompleteAbort, Ongoing, PrepareCommit};

    #[test]
    fn a_transaction_without_a_marker_is_rejected() {
        let mut story = story();
        story.elected(1, 0, &[1, 2], Election::New);
        writes(story.at(1_000), 1, Ongoing, 0);
        appends(story.at(2_000), 1, 0, 0);
        writes(story.at(3_000), 1, PrepareCommit, 0);
        let evidence = rejects(&story, &PROPERTY);
        let text = "a transaction of producer 7 in epoch 0 is open in orders-0 from offset 0 on, \
                    since 2.000s";
        assert_eq!(evidence.to_string(), text);
        let because = "transactional id x is PrepareCommit, producer 7 in epoch 0, partitions \
                       orders-0 since 3.000s";
        assert_eq!(evidence.because(), [because]);
        marks(&mut story, 1, 1, 0, true);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn one_that_no_coordinator_knows_is_permitted_before_3_6() {
        let mut story = story();
        story.elected(1, 0, &[1, 2], Election::New);
        writes(story.at(1_000), 1, CompleteAbort, 0);
        appends(story.at(2_000), 1, 0, 0);
        assert_eq!(story.judgement().judged(&PROPERTY).permission, Permission::Forbidden);
        story.terms.kafka = "2.8".parse().expect("a release");
        let judgement = story.judgement();
        let judged = judgement.judged(&PROPERTY);
        let Verdict::Violated(evidence) = &judged.verdict else { panic!("it hangs") };
        assert_eq!(judged.permission, Permission::Permitted);
        let limit = "before 3.6 (KIP-890) a record that comes behind the marker opens a \
                     transaction that nothing ends";
        assert_eq!(evidence.because().last().map(|why| &**why), Some(limit));
    }
}
