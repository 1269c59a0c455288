//! Every record that a reader read is in the final log.

use crate::checkers::{Cases, Class, Evidence, Property, Rule, Subject, Verdict};
use crate::model::{Model, Permission};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "read-is-in-the-final-log",
    statement: "every record that a reader read is in the final log of its topic",
    source: "Kafka documentation, 4.7 Replication: only committed messages are ever given out to \
             the consumer; KIP-101: log divergence after reading",
    leaves_out: "records that are in no account; records deleted by retention",
    looks_at: Subject::Reads,
    class: Class::Safety,
};

/// Compares what readers read with the final logs.
#[derive(Debug)]
pub struct ReadIsInTheFinalLog;

impl Rule for ReadIsInTheFinalLog {
    const PROPERTY: &'static Property = &PROPERTY;

    /// The evidence is of the first reader that read a lost record.
    fn verdict(_: &Cases, model: &Model, _: Time) -> (Permission, Verdict) {
        let permission = model.terms.acknowledged_loss;
        if let Some(why) = model.ledger.without_final_log() {
            return (permission, Verdict::Inconclusive(why));
        }
        let (mut first, mut count) = (None, 0);
        for reader in model.reading.readers() {
            for (producer, topic, seen) in reader.seen() {
                let account = &model.ledger.accounts()[producer];
                let gone = match account.topics.get(topic) {
                    Some(book) => seen.difference(&book.in_log).difference(&book.deleted),
                    None => seen.clone(),
                };
                let Some(record) = gone.first() else { continue };
                count += gone.len();
                first.get_or_insert((&reader.name, &account.name, topic, record));
            }
        }
        let evidence = first.map(|(reader, producer, topic, record)| Evidence::ReadAndGone {
            reader: reader.clone(),
            producer: producer.clone(),
            topic: topic.clone(),
            record,
            count,
        });
        (permission, Verdict::from_evidence(evidence))
    }
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
        assert_eq!(text, "c0 read record 7 of p0, which is not in the final log of orders");
    }
}
