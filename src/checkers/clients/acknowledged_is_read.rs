//! No reader skips an acknowledged record.

use crate::checkers::{Cases, Class, Evidence, Property, Rule, Subject, Verdict};
use crate::model::{Model, Permission};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "acknowledged-is-read",
    statement: "a reader that reads past an acknowledged record of the final log has read it",
    source: "Kafka documentation, 4.6 Message Delivery Semantics; Jepsen's Kafka checker: skipped \
             and unseen records",
    leaves_out: "records that are not in the final log, which are lost and not unread; readers \
                 that do not read from the beginning; records that a reader has not reached, see \
                 consumers-catch-up",
    looks_at: Subject::Reads,
    class: Class::Safety,
};

/// Compares positions of readers with the final logs.
#[derive(Debug)]
pub struct AcknowledgedIsRead;

impl Rule for AcknowledgedIsRead {
    const PROPERTY: &'static Property = &PROPERTY;

    /// The evidence is of the first reader that skipped a record.
    fn verdict(_: &Cases, model: &Model, _: Time) -> (Permission, Verdict) {
        let permission = model.terms.acknowledged_loss;
        if let Some(why) = model.ledger.without_final_log() {
            return (permission, Verdict::Inconclusive(why));
        }
        let readers = model.reading.readers();
        let evidence = readers.iter().find_map(|reader| {
            let (at, offset, producer, record) = reader.skipped.first.clone()?;
            Some(Evidence::Skipped {
                reader: reader.name.clone(),
                producer: model.ledger.accounts()[producer].name.clone(),
                record,
                position: reader.position(&at),
                at,
                offset,
                count: readers.iter().map(|reader| reader.skipped.count()).sum(),
            })
        });
        (permission, Verdict::from_evidence(evidence))
    }
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
        assert_eq!(text, "c0 read up to orders-0@3 and skipped record 1 of p0 at offset 1");
        assert_eq!((judgement.consumers[0].skipped, judgement.consumers[0].behind), (1, 1));
    }

    #[test]
    fn a_record_that_names_no_producer_is_read_at_its_offset() {
        let mut story = Story::default();
        story.acknowledged(0, 0).acknowledged(1, 1).consumed_unnamed(0).consumed(1, 1);
        story.final_log(0..2);
        let judgement = story.judgement();
        assert_eq!(judgement.verdict(&PROPERTY), &Verdict::Holds);
        assert_eq!((judgement.consumers[0].read, judgement.consumers[0].skipped), (2, 0));
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
