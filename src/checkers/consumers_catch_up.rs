//! In the end, readers have come to every acknowledged record.

use super::{Books, Checker, Class, Evidence, Judged, Property, Verdict};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "consumers-catch-up",
    statement: "when a run ends, every reader has come to every acknowledged record of the final \
                log",
    source: "Jepsen's Kafka checker: final polls; TigerBeetle's VOPR: heal, then converge",
    leaves_out: "how long it took; readers that do not read from the beginning",
    class: Class::Liveness,
};

/// Judges by the books alone.
#[derive(Debug)]
pub struct ConsumersCatchUp;

impl Checker for ConsumersCatchUp {
    fn judge(&self, books: &Books, _: Time) -> Judged {
        PROPERTY.forbidden(judge(books))
    }
}

/// Judges all readers; the evidence is of the first that is behind.
fn judge(books: &Books) -> Verdict {
    let Books { ledger, reading, .. } = books;
    if let Some(why) = ledger.without_final_log() {
        return Verdict::Inconclusive(why);
    }
    let count = reading.readers().iter().map(|reader| reader.behind.len()).sum();
    let evidence = reading.readers().iter().find_map(|reader| {
        let (at, offset, producer, record) = reader.behind.first.clone()?;
        let producer = ledger.accounts()[producer].name.clone();
        let reader = reader.name.clone();
        Some(Evidence::Behind { reader, producer, record, at, offset, count })
    });
    Verdict::from_evidence(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

    #[test]
    fn a_reader_at_the_end_is_accepted_and_one_before_it_is_rejected() {
        let mut story = Story::default();
        story.acknowledged(0, 0).acknowledged(1, 1).consumed(0, 0).final_log(0..2);
        let judgement = story.judgement();
        let Verdict::Violated(evidence) = judgement.verdict(&PROPERTY) else {
            panic!("record 1 was not read");
        };
        assert_eq!(evidence.to_string(), "c0 has not come to record 1 of p0 at orders-0@1");
        assert_eq!(evidence.count(), 1);
        story.consumed(1, 1);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn what_nobody_was_told_is_written_need_not_be_read() {
        let mut story = Story::default();
        story.sent(0).final_log(0..1);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }
}
