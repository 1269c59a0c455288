//! Every client operation ends at most once.

use crate::checkers::{Cases, Class, Evidence, Property, Rule, Subject, Verdict};
use crate::model::{Model, Permission};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "operations-end-once",
    statement: "a client operation ends once: ok, failed or unknown, after it began",
    source: "Kafka's Producer: the callback of a record is executed once; Jepsen: an operation \
             completes once",
    leaves_out: "whether the end is the right one",
    looks_at: Subject::Operations,
    class: Class::Safety,
};

/// Looks at the operations of all producers.
#[derive(Debug)]
pub struct OperationsEndOnce;

impl Rule for OperationsEndOnce {
    const PROPERTY: &'static Property = &PROPERTY;

    fn verdict(_: &Cases, model: &Model, _: Time) -> (Permission, Verdict) {
        let evidence = model.ledger.accounts().iter().find_map(|account| {
            let (op, time, count) = account.ended_wrongly?;
            Some(Evidence::EndedWrongly { client: account.name.clone(), op, time, count })
        });
        (Permission::Forbidden, Verdict::from_evidence(evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

    #[test]
    fn one_end_is_accepted_and_a_second_is_rejected() {
        let mut story = Story::default();
        story.acknowledged(0, 0).final_log(0..1);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.unknown(0);
        let judgement = story.judgement();
        let Verdict::Violated(evidence) = judgement.verdict(&PROPERTY) else {
            panic!("operation 0 ended twice");
        };
        assert_eq!(
            evidence.to_string(),
            "operation 0 of p0 ended at 0.000s but was not in progress"
        );
        assert_eq!(judgement.producers[0].acknowledged, 1);
        assert_eq!(judgement.producers[0].unknown, 0);
    }
}
