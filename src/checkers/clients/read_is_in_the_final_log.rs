//! What a reader was handed stays written.

use crate::checkers::{Checker, Class, Evidence, Judged, Property, Verdict};
use crate::model::Model;
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "read-is-in-the-final-log",
    statement: "every record that a reader was handed is in the final log of its topic",
    source: "Kafka documentation, 4.7 Replication: only committed messages are ever given out to \
             the consumer; KIP-101: log divergence after reading",
    leaves_out: "records that no workload wrote; records deleted by retention",
    class: Class::Safety,
};

/// Judges by the model alone.
#[derive(Debug)]
pub struct ReadIsInTheFinalLog;

impl Checker for ReadIsInTheFinalLog {
    fn judge(&self, model: &Model, _: Time) -> Judged {
        PROPERTY.loss(&model.terms, judge(model))
    }
}

/// Judges all readers; the evidence is of the first that was handed such a record.
fn judge(model: &Model) -> Verdict {
    let Model { ledger, reading, .. } = model;
    if let Some(why) = ledger.without_final_log() {
        return Verdict::Inconclusive(why);
    }
    let mut first = None;
    let mut total = 0;
    for reader in reading.readers() {
        for (&producer, topics) in &reader.seen {
            let account = &ledger.accounts()[producer];
            for (topic, seen) in topics {
                let gone = match account.topics.get(topic) {
                    Some(book) => seen.difference(&book.in_log),
                    None => seen.clone(),
                };
                let Some(record) = gone.first() else { continue };
                total += gone.len();
                first.get_or_insert_with(|| {
                    (reader.name.clone(), account.name.clone(), topic.clone(), record)
                });
            }
        }
    }
    Verdict::from_evidence(first.map(|(reader, producer, topic, record)| Evidence::ReadAndGone {
        reader,
        producer,
        topic,
        record,
        count: total,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::Story;

    #[test]
    fn what_was_read_and_is_there_is_accepted_and_what_is_gone_is_rejected() {
        let mut story = Story::default();
        story.sent(0).consumed(0, 0).final_log(0..1);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
        story.sent(7).consumed(1, 7);
        let judgement = story.judgement();
        let Verdict::Violated(evidence) = judgement.verdict(&PROPERTY) else {
            panic!("record 7 is gone");
        };
        let text = evidence.to_string();
        assert_eq!(text, "c0 was handed record 7 of p0 that the final log of orders lacks");
    }
}
