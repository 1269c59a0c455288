//! No reader goes past an acknowledged record without being handed it.

use crate::checkers::{Checker, Class, Evidence, Judged, Property, Verdict};
use crate::model::Model;
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "acknowledged-is-read",
    statement: "a reader that goes past an acknowledged record of the final log was handed it",
    source: "Kafka documentation, 4.6 Message Delivery Semantics; Jepsen's Kafka checker: skipped \
             and unseen records",
    leaves_out: "records that are not in the final log, which are lost rather than unread; \
                 readers that do not read from the beginning; records that a reader has not come \
                 to, see consumers-catch-up",
    class: Class::Safety,
};

/// Judges by the model alone.
#[derive(Debug)]
pub struct AcknowledgedIsRead;

impl Checker for AcknowledgedIsRead {
    fn judge(&self, model: &Model, _: Time) -> Judged {
        PROPERTY.loss(&model.terms, judge(model))
    }
}

/// Judges all readers; the evidence is of the first that skipped a record.
fn judge(model: &Model) -> Verdict {
    let Model { ledger, reading, .. } = model;
    if let Some(why) = ledger.without_final_log() {
        return Verdict::Inconclusive(why);
    }
    let count = reading.readers().iter().map(|reader| reader.skipped.len()).sum();
    let evidence = reading.readers().iter().find_map(|reader| {
        let (at, offset, producer, record) = reader.skipped.first.clone()?;
        let reader_name = reader.name.clone();
        let producer = ledger.accounts()[producer].name.clone();
        let position = reader.position(&at);
        Some(Evidence::Skipped {
            reader: reader_name,
            producer,
            record,
            at,
            offset,
            position,
            count,
        })
    });
    Verdict::from_evidence(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

    #[test]
    fn a_reader_of_everything_is_accepted_in_any_number_of_copies() {
        let mut story = Story::default();
        for record in 0..3 {
            story.acknowledged(record, record as i64);
        }
        for offset in [0, 1, 1, 2] {
            story.consumed(offset, offset as u64);
        }
        story.final_log(0..3);
        let judgement = story.judgement();
        assert_eq!(judgement.verdict(&PROPERTY), &Verdict::Holds);
        assert_eq!(judgement.consumers[0].duplicates, 1);
    }

    #[test]
    fn a_reader_that_went_past_a_record_is_rejected() {
        let mut story = Story::default();
        for record in 0..4 {
            story.acknowledged(record, record as i64);
        }
        story.consumed(0, 0).consumed(2, 2).final_log(0..4);
        let judgement = story.judgement();
        let Verdict::Violated(evidence) = judgement.verdict(&PROPERTY) else {
            panic!("record 1 was skipped");
        };
        let text = evidence.to_string();
        assert_eq!(text, "c0 went on to orders-0@3 without record 1 of p0 at 1");
        assert_eq!((judgement.consumers[0].skipped, judgement.consumers[0].behind), (1, 1));
    }

    #[test]
    fn a_position_reset_past_a_record_skips_it() {
        let mut story = Story::default();
        story.acknowledged(0, 0).position_reset(1).final_log(0..1);
        let judgement = story.judgement();
        assert!(matches!(judgement.verdict(&PROPERTY), Verdict::Violated(_)));
    }

    #[test]
    fn a_record_that_is_lost_is_not_called_unread() {
        let mut story = Story::default();
        story.acknowledged(0, 0).acknowledged(1, 1).consumed(1, 1).final_log(1..2);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }
}
