//! Leaders answer consumers with whole batches of committed records.

use crate::checkers::{Checker, Class, Evidence, Judged, Property, Verdict};
use crate::history::ClientObservation;
use crate::model::Model;
use crate::vocab::{NodeId, Time};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "answers-are-sound",
    statement: "no consumer is sent a damaged batch, or a record at or above the high watermark of \
                the same answer",
    source: "Kafka documentation, 4.7 Replication: only committed messages are ever given out to \
             the consumer; 5.3 Record Batch: the CRC covers the data from the attributes to the \
             end",
    leaves_out: "whether the high watermark is the right one: read-is-in-the-final-log and \
                 acknowledged-is-read see that",
    class: Class::Safety,
};

/// The first answer that broke it, and how many did.
#[derive(Clone, Debug, Default)]
pub struct AnswersAreSound {
    first: Option<Evidence>,
    count: u64,
}

impl Checker for AnswersAreSound {
    fn client(&mut self, model: &Model, time: Time, node: NodeId, told: &ClientObservation) {
        let terms = &model.terms;
        let ClientObservation::ProtocolError { at, why } = told else { return };
        if !terms.consumers.iter().any(|consumer| consumer.node == node) {
            return;
        }
        self.count += 1;
        self.first.get_or_insert_with(|| Evidence::UnsoundAnswer {
            consumer: terms.roster.name(node).clone(),
            at: at.clone(),
            why: why.clone(),
            time,
            count: 1,
        });
    }

    fn judge(&self, _: &Model, _: Time) -> Judged {
        let mut evidence = self.first.clone();
        if let Some(Evidence::UnsoundAnswer { count, .. }) = &mut evidence {
            *count = self.count;
        }
        PROPERTY.forbidden(Verdict::from_evidence(evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

    #[test]
    fn records_are_accepted_and_what_no_leader_may_send_is_rejected() {
        let mut story = Story::default();
        story.acknowledged(0, 0).consumed(0, 0).final_log(0..1);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.at(500).wrong_answer(Story::C0, "record 3 at high watermark 3");
        story.at(600).wrong_answer(Story::C0, "the checksum does not match");
        let judgement = story.judgement();
        let Verdict::Violated(evidence) = judgement.verdict(&PROPERTY) else {
            panic!("record 3 is not committed");
        };
        assert_eq!(evidence.count(), 2);
        assert_eq!(
            evidence.to_string(),
            "c0 was sent what no leader may send of orders-0 at 0.500s: \
             record 3 at high watermark 3"
        );
    }

    #[test]
    fn what_strangers_are_sent_is_not_judged() {
        let mut story = Story::default();
        story.wrong_answer(Story::P0, "record 3 at high watermark 3");
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }
}
