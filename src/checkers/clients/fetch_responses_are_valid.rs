//! Leaders answer consumers with valid batches of committed records.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::ClientObservation;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "fetch-responses-are-valid",
    statement: "no consumer receives a corrupt batch, or a record at or above the high watermark \
                of the same response",
    source: "Kafka documentation, 4.7 Replication: only committed messages are ever given out to \
             the consumer; 5.3 Record Batch: the CRC covers the data from the attributes to the \
             end",
    leaves_out: "whether the high watermark is the right one, see read-is-in-the-final-log and \
                 acknowledged-is-read",
    looks_at: Subject::Reads,
    class: Class::Safety,
};

/// Looks at what consumers reject.
#[derive(Debug)]
pub struct FetchResponsesAreValid;

impl Rule for FetchResponsesAreValid {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Client];

    fn client(event: &Event<'_>, did: &ClientObservation, found: &mut Cases) {
        let ClientObservation::ProtocolError { at, why } = did else { return };
        let mut consumers = event.model.terms.consumers.iter();
        if !consumers.any(|consumer| consumer.node == event.node) {
            return;
        }
        found.forbidden(|| {
            let (consumer, time) = (event.name(), event.time);
            let what =
                format!("{consumer} got an invalid fetch response for {at} at {time:.3}: {why}");
            event.case(what).in_partition(at)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::Story;

    #[test]
    fn records_are_accepted_and_an_invalid_response_is_rejected() {
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
            "c0 got an invalid fetch response for orders-0 at 0.500s: record 3 at high watermark 3"
        );
    }

    #[test]
    fn responses_to_external_clients_are_not_judged() {
        let mut story = Story::default();
        story.wrong_answer(Story::P0, "record 3 at high watermark 3");
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }
}
