//! Every client operation ends at most once.

use crate::checkers::{Checker, Class, Evidence, Judged, Property, Verdict};
use crate::model::Model;
use crate::model::ledger::Ledger;
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "ends-once",
    statement: "a client operation ends once: ok, failed or unknown, after it began",
    source: "Kafka's Producer: the callback of a record is executed once; Jepsen: an operation \
             completes once",
    leaves_out: "whether the end is the right one",
    class: Class::Safety,
};

/// Judges by the model alone.
#[derive(Debug)]
pub struct EndsOnce;

impl Checker for EndsOnce {
    fn judge(&self, model: &Model, _: Time) -> Judged {
        PROPERTY.forbidden(judge(&model.ledger))
    }
}

/// Judges all producers.
fn judge(ledger: &Ledger) -> Verdict {
    let evidence = ledger.accounts().iter().find_map(|account| {
        let (op, time, count) = account.ended_wrongly?;
        Some(Evidence::EndedWrongly { client: account.name.clone(), op, time, count })
    });
    Verdict::from_evidence(evidence)
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
            "operation 0 of p0 ended at 0.000s without being under way"
        );
        assert_eq!(judgement.producers[0].acknowledged, 1);
        assert_eq!(judgement.producers[0].unknown, 0);
    }
}
